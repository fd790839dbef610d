//! Tests of what a person orders of a deal, and of deals and companies in dry runs.

use super::deals::{ORDERS, answered, event, key, lost, stored, with};
use super::*;
use crate::deal::HeldBack;
use crate::decision::{DealOrder, DryRun, NoOrder, consider_deal, may_be_ordered, order_deal};
use crate::delivery::{DealKey, DeliveryId, Verdict};
use crate::event::EventLimits;

/// A trial is the deal that a rep made by hand: the only open one of its contact is taken over.
const TRIALS: &str = r#"
[deals.trial]
key = "person"
name = "Trial of {email}"
forward_only = true
adopt = true
[events."Trial Activated".deal]
kind = "trial"
stage = "Demo"
create = false
"#;

fn trial() -> DealKey {
    DealKey::of("default", "trial", "u1").unwrap()
}

fn open_deals(ids: &[u64]) -> Value {
    let deal = |id: &u64| json!({"id": id, "name": format!("Deal {id}"), "deal_stage_id": 11});
    json!({"contact": {"id": 7}, "deals": ids.iter().map(deal).collect::<Vec<_>>()})
}

impl Service {
    fn order(&mut self, key: &DealKey, order: DealOrder) -> Result<ActionState, NoOrder> {
        order_deal(key, order, &mut self.world, &self.settings, self.now).map(|action| action.state)
    }

    fn deal_is_untouched(&self, key: &DealKey) -> bool {
        !self.world.deals.get(key).unwrap().standing.contains_key(&self.settings.account)
    }

    /// Two open deals of the contact may be the trial.
    fn with_two_open_deals() -> Self {
        let mut service = with(TRIALS);
        service.send(event("Trial Activated", json!({})));
        service.contact_call(false);
        assert_eq!(service.call_of(&trial(), answered(open_deals(&[92, 93]))), ("show contact", json!(7)));
        service
    }
}

#[test]
fn of_several_open_deals_none_is_created_and_none_taken_over_until_a_person_chooses() {
    let mut service = Service::with_two_open_deals();
    let standing = service.standing_of(&trial());
    assert_eq!(standing.held.as_ref().map(HeldBack::as_str), Some("several"));
    let names: Vec<_> = standing.candidates.iter().map(|one| (one.id, one.name.as_str())).collect();
    assert_eq!(names, [(92, "Deal 92"), (93, "Deal 93")]);
    assert!(may_be_ordered(&standing) && standing.open.is_none());
    assert_eq!(service.order(&trial(), DealOrder::Adopt(93)), Ok(ActionState::Queued));
    assert_eq!(
        service.call_of(&trial(), answered(json!({"deal": {"id": 93, "deal_stage_id": 11}}))),
        ("show deal", json!(93))
    );
    let (what, sent) = service.call_of(&trial(), stored(93, false, json!({"id": 93, "deal_stage_id": 12})));
    assert_eq!((what, &sent[0], &sent[1]["deal_stage_id"]), ("update", &json!(93), &json!(12)));
    assert_eq!(service.order(&trial(), DealOrder::Create), Err(NoOrder::Exists(93)));
}

#[test]
fn of_several_open_deals_a_new_one_is_created_where_a_person_says_so() {
    let mut service = Service::with_two_open_deals();
    assert_eq!(service.order(&trial(), DealOrder::Create), Ok(ActionState::Queued));
    let (what, _) = service.call_of(&trial(), stored(94, true, json!({"id": 94, "deal_stage_id": 12})));
    assert_eq!(what, "create");
}

#[test]
fn once_one_open_deal_is_left_it_is_taken_over() {
    let mut service = Service::with_two_open_deals();
    service.now = UnixMicros(service.now.0 + 3_600_000_000);
    service.send(event("Trial Activated", json!({"seats": 5})));
    assert_eq!(service.call_of(&trial(), answered(open_deals(&[92]))).0, "show contact");
    assert_eq!(service.standing_of(&trial()).birth.id(), Some(92));
}

#[test]
fn a_deal_that_is_left_alone_gets_no_call_until_somebody_says_otherwise() {
    let mut service = Service::with_two_open_deals();
    assert_eq!(service.order(&trial(), DealOrder::LeaveAlone), Ok(ActionState::Held));
    let decided = service.send(event("Trial Activated", json!({"seats": 5})));
    assert_eq!(decided.actions[0].state, ActionState::Held);
    assert!(service.standing_of(&trial()).open.is_none());
    assert_eq!(service.order(&trial(), DealOrder::Create), Ok(ActionState::Queued));
}

#[test]
fn a_deal_of_which_nobody_can_tell_is_decided_by_a_person_and_not_before() {
    let mut service = with(&ORDERS.replace("key_field", "#"));
    service.send(event("Order Completed", json!({})));
    service.contact_call(true);
    assert_eq!(service.call_of(&key(), lost()).0, "create");
    assert_eq!(service.order(&key(), DealOrder::Create), Err(NoOrder::OnItsWay));
    assert_eq!(service.order(&trial(), DealOrder::Create), Err(NoOrder::Unknown));
    // Its contact was deleted meanwhile: there is nobody left to be asked.
    service.now = UnixMicros(service.now.0 + 600_000_000);
    let gone = Verdict::Gone { reason: "no such contact".to_owned() };
    assert_eq!(service.call_of(&key(), gone).0, "show contact");
    assert_eq!(service.standing_of(&key()).held.as_ref().map(HeldBack::as_str), Some("unclear"));
    assert_eq!(service.order(&key(), DealOrder::Create), Ok(ActionState::Queued));
    assert_eq!(service.call_of(&key(), stored(900, true, json!({"id": 900}))).0, "create");
}

#[test]
fn a_deal_is_shown_with_what_it_should_be_and_what_it_waits_for() {
    let mut service = with(ORDERS);
    service.send(event("Order Completed", json!({})));
    let shown = consider_deal(&key(), &service.world, &service.settings, service.now).unwrap();
    assert_eq!((&shown.wanted["stage"], &shown.wanted["amount"]), (&json!("Won"), &json!(49.9)));
    assert_eq!(shown.email.unwrap().as_str(), "jane@example.com");
}

#[test]
fn a_dry_run_plays_the_contact_first_and_shows_the_call_of_its_deal() {
    let (mut run, settings) = (DryRun::default(), with(ORDERS).settings);
    let mut play = |name: &str| {
        let limits = EventLimits { event_bytes_max: 32_768 };
        let line = event(name, json!({})).to_string();
        let played = run.line(line.as_bytes(), &settings, limits, UnixMicros(START)).unwrap();
        serde_json::to_value(played).unwrap()["actions"][0].clone()
    };
    let created = play("Checkout Started");
    assert_eq!((&created["state"], &created["deal"]["stage"]), (&json!("queued"), &json!("New")));
    assert_eq!(created["payload"]["deal"]["deal_stage_id"], 11);
    assert_eq!(created["payload"]["deal"]["name"], "Jane Doe order #A-1");
    let moved = play("Order Completed");
    assert_eq!(moved["payload"]["deal"]["deal_stage_id"], 15, "{moved}");
    assert!(moved["payload"]["deal"].get("name").is_none(), "it is changed, not created: {moved}");
    assert_eq!(play("Order Completed")["state"], "unchanged");
}

#[test]
fn an_order_of_a_source_that_is_tried_out_is_played_to_its_deal_and_stays_there() {
    let mut service = with(ORDERS);
    service.settings.rehearsal.sources.insert(SourceName("website".into()));
    service.send(event("Order Completed", json!({})));
    let there = DealKey::of("default~dry_run", "order", "A-1").unwrap();
    let account = Account(format!("dry_run:{}", service.settings.account.0));
    let standing = service.world.deals.get(&there).unwrap().with(&account);
    assert!(standing.birth.id().is_some() && standing.open.is_none(), "{standing:?}");
    assert_eq!(standing.accepted["stage"], "Won");
    // A review with the settings of what is live makes no call of it.
    let id = DeliveryId("review-1".to_owned());
    let now = service.now;
    assert!(!deal::evaluate_without_event(&there, id, &mut service.world, &service.settings, now));
    assert!(service.deal_is_untouched(&there));
}

#[test]
fn a_dry_run_without_the_lists_of_an_account_shows_the_deal_in_names() {
    let preset = Preset::parse(Some(ORDERS)).unwrap();
    let (mut run, settings) = (DryRun::default(), Settings { preset, ..settings() });
    let line = event("Order Completed", json!({})).to_string();
    let limits = EventLimits { event_bytes_max: 32_768 };
    let played = run.line(line.as_bytes(), &settings, limits, UnixMicros(START)).unwrap();
    let action = serde_json::to_value(played).unwrap()["actions"][0].clone();
    assert_eq!(action["state"], "held");
    let sent = &action["payload"]["deal"];
    assert_eq!((&sent["stage"], &sent["amount"]), (&json!("Won"), &json!(49.9)), "{action}");
}
