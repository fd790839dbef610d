//! The invariant of deals: once all events are in, each deal and what is wanted of it are the same for every order of arrival.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::deals::{ORDERS, selectors};
use super::*;

/// One event of a small shop: which, of which order, whose, for how much, when.
#[derive(Clone, Copy, Debug)]
struct Act {
    event: u8,
    order: u8,
    who: u8,
    total: u8,
    visitor: bool,
    hour: u8,
}

fn act() -> impl Strategy<Value = Act> {
    (0_u8..6, 0_u8..2, 0_u8..5, 0_u8..4, prop::bool::weighted(0.2), 0_u8..60)
        .prop_map(|(event, order, who, total, visitor, hour)| Act { event, order, who, total, visitor, hour })
}

fn event(act: Act) -> Value {
    let (kind, name) = [
        ("track", "Checkout Started"),
        ("track", "Order Completed"),
        ("track", "Order Refunded"),
        ("track", "Demo Held"),
        ("identify", ""),
        ("group", ""),
    ][usize::from(act.event)];
    let who = [
        json!({"userId": "u"}),
        json!({"userId": "u", "anonymousId": "d"}),
        json!({"anonymousId": "d"}),
        json!({"userId": "v", "anonymousId": "e"}),
        json!({"anonymousId": "e"}),
    ][usize::from(act.who)]
    .clone();
    let order = ["A", "B"][usize::from(act.order)];
    let company = ["Globex", "Initech"][usize::from(act.total % 2)];
    let mut event = json!({
        "type": kind, "event": name, "traits": {},
        "properties": {"order_id": order, "currency": "EUR"},
        "context": {"traits": {"company": company}},
    });
    for (key, value) in who.as_object().unwrap() {
        event[key] = value.clone();
    }
    if act.who == 1 || act.who == 3 {
        event["traits"]["email"] = json!(["u@example.com", "v@example.com"][usize::from(act.who == 3)]);
    }
    // Not every event says what the order is worth.
    if act.total > 0 {
        event["properties"]["total"] = json!(act.total);
    }
    event
}

const MORE: &str = r#"
[company]
name = ["traits.company"]
link = "never"
[events."Demo Held".deal]
kind = "order"
stage = "Demo"
"#;

fn play(acts: impl IntoIterator<Item = (usize, Act)>) -> Service {
    let preset = Preset::parse(Some(&format!("{ORDERS}{MORE}"))).unwrap();
    let mut service = Service::new(Settings { preset, selectors: Arc::new(selectors()), ..settings() });
    for (index, act) in acts {
        service.trust = if act.visitor { Trust::Visitor } else { Trust::Server };
        service.send_at(START + i64::from(act.hour) * HOUR, &format!("m{index}"), event(act));
    }
    service
}

/// Each deal as it is known, without how it stands with the account, and what is wanted of it.
fn outcome(service: &Service) -> BTreeMap<String, (Value, String)> {
    let deals = service.world.deals.iter().map(|(key, deal)| {
        let mut known = deal.clone();
        known.standing.clear();
        known.email = None;
        let wanted = deal::wanted(key, &service.world, &service.settings);
        (key.to_string(), (serde_json::to_value(known).unwrap(), format!("{wanted:?}")))
    });
    deals.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_order_of_a_deals_events_gives_one_deal_and_one_wish(
        acts in prop::collection::vec(act(), 1..8),
        shuffle in prop::collection::vec(any::<u32>(), 16),
    ) {
        let acts: Vec<(usize, Act)> = acts.into_iter().enumerate().collect();
        // Another order, with every message twice.
        let mut other: Vec<_> = acts.iter().chain(&acts).copied().zip(shuffle).collect();
        other.sort_by_key(|(_, order)| *order);
        let other = other.into_iter().map(|(act, _)| act);
        prop_assert_eq!(outcome(&play(acts.clone())), outcome(&play(other)));
    }
}
