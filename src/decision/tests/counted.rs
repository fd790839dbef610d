//! Attributes that are made of several events: the same for every order of these, however often they come.

use proptest::prelude::*;

use super::*;
use crate::event::Email;

const SHOP: &str = r#"
    [events.page]
    [events."Order Cancelled"]
    [counted.orders]
    key = ["properties.order_id"]
    events = ["Order Completed"]
    undone_by = ["Order Cancelled"]
    [fields."custom_field.cf_orders"]
    aggregate = "count"
    of = "orders"
    [fields."custom_field.cf_revenue"]
    aggregate = "sum"
    of = "orders"
    from = ["properties.total"]
    convert = "money"
    [fields."custom_field.cf_last_order"]
    aggregate = "last"
    of = "orders"
    from = ["properties.order_id"]
    [fields."custom_field.cf_last_seen"]
    aggregate = "last"
    from = ["event.day"]
    [fields."custom_field.cf_first_seen"]
    aggregate = "first"
    from = ["event.day"]
"#;

fn shop() -> Service {
    let mut settings = settings();
    settings.preset = Preset::parse(Some(SHOP)).unwrap();
    Service::new(settings)
}

fn email() -> Email {
    Email::parse("ada@example.com").unwrap()
}

fn wanted(service: &Service) -> Value {
    let wish = consider(&email(), &service.world, &service.settings).wish;
    let custom = wish.attributes.into_iter();
    custom
        .filter_map(|(name, value)| Some((name.strip_prefix("custom_field.cf_")?.to_owned(), value)))
        .collect()
}

fn order(name: &str, who: &Value, id: &str, total: u32) -> Value {
    let mut event = json!({"type": "track", "event": name,
        "properties": {"order_id": id, "total": total}, "traits": {"email": "ada@example.com"}});
    for (key, value) in who.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

#[test]
fn two_people_of_one_address_have_one_number_of_orders() {
    let mut service = shop();
    service.send(order("Order Completed", &json!({"userId": "u"}), "A", 10));
    service.send(order("Order Completed", &json!({"userId": "u"}), "B", 5));
    // A guest's order, and one that the shop's server told of before, by address alone.
    let guest = service.send(order("Order Completed", &json!({}), "C", 7));
    service.send(order("Order Completed", &json!({}), "B", 5));
    let day = UnixMicros(START).to_rfc3339()[..10].to_owned();
    let expected =
        json!({"orders": 3, "revenue": 22, "last_order": "B", "last_seen": day, "first_seen": day});
    assert_eq!(wanted(&service), expected);
    assert_eq!(service.deliver(&guest).unwrap()["custom_field"]["cf_orders"], 3);
}

#[test]
fn orders_of_a_device_pass_to_whom_it_belongs() {
    let mut service = shop();
    let bought = json!({"type": "track", "event": "Order Completed", "anonymousId": "d",
        "properties": {"order_id": "A", "total": 3}});
    service.send(bought);
    service.send(json!({"type": "identify", "userId": "u", "anonymousId": "d", "traits": {"email": "ada@example.com"}}));
    assert_eq!(wanted(&service)["orders"], 1);
    assert_eq!(wanted(&service)["revenue"], 3);
}

#[test]
fn a_visit_on_another_day_changes_the_day_and_one_on_the_same_day_nothing() {
    let mut service = shop();
    let page = || json!({"type": "page", "userId": "u", "traits": {"email": "ada@example.com"}});
    let first = service.send(page());
    assert!(service.deliver(&first).is_some());
    assert_eq!(service.send(page()).outcome.as_str(), "unchanged");
    service.now = UnixMicros(START + 24 * HOUR);
    let next = service.send(page());
    let day = |days: i64| Value::from(&UnixMicros(START + days * 24 * HOUR).to_rfc3339()[..10]);
    let custom = service.deliver(&next).unwrap()["custom_field"].clone();
    assert_eq!((&custom["cf_last_seen"], &custom["cf_first_seen"]), (&day(1), &day(0)));
}

#[test]
fn so_many_people_that_they_are_a_crowd_have_no_number_of_orders() {
    let mut service = shop();
    for user in 0..12 {
        service.send(order(
            "Order Completed",
            &json!({"userId": format!("u{user}")}),
            &format!("A{user}"),
            1,
        ));
    }
    assert_eq!(wanted(&service).get("orders"), None);
    let left_out = consider(&email(), &service.world, &service.settings).left_out;
    assert!(left_out[0].why.starts_with("more people share the address"), "{left_out:?}");
}

#[test]
fn with_the_person_go_their_orders() {
    let mut service = shop();
    service.send(order("Order Completed", &json!({"userId": "u"}), "A-1001", 10));
    let key = "user:u".parse().unwrap();
    assert!(serde_json::to_string(service.world.people.get(&key).unwrap()).unwrap().contains("A-1001"));
    let later = UnixMicros(START + 1_000 * 24 * HOUR);
    let owed = service.send(order("Order Completed", &json!({"userId": "u"}), "A-1001", 10));
    service.deliver(&owed);
    retire_person(&key, later, &mut service.world, &service.settings);
    assert!(service.world.people.get(&key).is_none());
}

/// What happens, to whom, of which order, for how much, when.
type Act = (u8, u8, u8, u32, u8);

fn act() -> impl Strategy<Value = Act> {
    (0_u8..5, 0_u8..3, 0_u8..4, 1_u32..4, 0_u8..48)
}

fn event((kind, who, id, total, _): Act) -> Value {
    let name =
        ["Order Completed", "Order Completed", "Order Cancelled", "Logged In", "Scrolled"][usize::from(kind)];
    let who = [json!({"userId": "u"}), json!({"userId": "u", "anonymousId": "d"}), json!({})]
        [usize::from(who)]
    .clone();
    let id = ["A", "B", "C", "D"][usize::from(id)];
    order(name, &who, id, total)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_made_of_orders_is_the_same_for_every_order_of_events_and_every_repetition(
        acts in prop::collection::vec(act(), 1..14),
        shuffle in prop::collection::vec(any::<u32>(), 42),
    ) {
        let acts: Vec<_> = acts.into_iter().enumerate().collect();
        let mut other: Vec<_> = acts.iter().cycle().take(acts.len() * 3).zip(&shuffle).collect();
        other.sort_by_key(|(_, order)| **order);
        let play = |acts: Vec<(usize, Act)>| {
            let mut service = shop();
            for (index, act) in acts {
                service.trust = if act.0 == 4 { Trust::Visitor } else { Trust::Server };
                service.send_at(START + i64::from(act.4) * HOUR, &format!("m{index}"), event(act));
            }
            service
        };
        let (one, two) = (play(acts.clone()), play(other.into_iter().map(|(act, _)| *act).collect()));
        prop_assert_eq!(wanted(&one), wanted(&two));
        // And it is what a shop assistant would count.
        let mut newest: std::collections::BTreeMap<u8, (u8, usize, bool, u32)> = std::collections::BTreeMap::new();
        let mut sorted = acts.clone();
        sorted.sort_by_key(|(index, act)| (act.4, format!("m{index}")));
        for (index, (kind, _, id, total, hour)) in sorted.into_iter().filter(|(_, act)| act.0 < 3) {
            let before = newest.get(&id).map_or(0, |known| known.3);
            newest.insert(id, (hour, index, kind < 2, if kind < 2 { total } else { before }));
        }
        if !newest.is_empty() {
            let counted = newest.values().filter(|thing| thing.2);
            prop_assert_eq!(&wanted(&one)["orders"], &json!(counted.clone().count()));
            prop_assert_eq!(&wanted(&one)["revenue"], &json!(counted.map(|thing| thing.3).sum::<u32>()));
        }
    }
}
