//! What Freshsales says of its deals: a person's move stays, and no second deal is made of one that is there.

use super::deals::{ORDERS, event, key, with};
use super::*;
use crate::deal::Birth;
use crate::delivery::{DealKey, Stored, Verdict};

/// What a workflow tells of a deal.
fn says(id: u64, said: &Value) -> Value {
    json!({"type": "crm", "crm": {"record": "deal", "id": id.to_string(), "said": said}})
}

fn ours(stage: &str) -> Value {
    json!({"custom_field.cf_order_id": "A-1", "stage": stage, "amount": "49.9"})
}

fn stored(id: u64, stage: u64) -> Verdict {
    let Value::Object(shown) = json!({"id": id, "deal_stage_id": stage}) else { unreachable!() };
    Verdict::Stored(Stored { id: Some(id), created: true, shown: Some(shown) })
}

/// A shop whose order is a deal in New.
fn with_an_order() -> Service {
    let mut service = with(ORDERS);
    service.send(event("Checkout Started", json!({})));
    service.contact_call(true);
    assert_eq!(service.call_of(&key(), stored(91, 11)).0, "create");
    assert!(service.standing_of(&key()).open.is_none());
    service
}

#[test]
fn our_own_write_is_an_echo_and_owes_nothing() {
    let mut service = with_an_order();
    let decided = service.send(says(91, &ours("New")));
    assert_eq!(decided.outcome, Outcome::Echo, "{decided:?}");
    assert_eq!(decided.actions[0].state, ActionState::Unchanged);
    assert!(service.standing_of(&key()).open.is_none());
}

#[test]
fn a_stage_that_a_person_moved_is_not_moved_back_by_who_repeats_themselves_and_moves_on_by_news() {
    let mut service = with_an_order();
    assert_eq!(service.send(says(91, &ours("Demo"))).outcome, Outcome::Heard);
    for _ in 0..3 {
        let decided = service.send(event("Checkout Started", json!({})));
        assert_eq!(decided.actions[0].state, ActionState::Unchanged, "{decided:?}");
    }
    service.send(event("Order Completed", json!({})));
    // It was told where the deal stands, so nothing is asked before the move.
    let (what, sent) = service.call_of(&key(), stored(91, 15));
    assert_eq!((what, &sent[1]["deal_stage_id"]), ("update", &json!(15)));
    // Somebody in Freshsales takes the win back: the same order, said again, does not overrule them.
    assert_eq!(service.send(says(91, &ours("Demo"))).outcome, Outcome::Heard);
    let decided = service.send(event("Order Completed", json!({})));
    assert_eq!(decided.actions[0].state, ActionState::Unchanged, "{decided:?}");
    let decided = service.send(event("Order Refunded", json!({})));
    assert_eq!(decided.actions[0].state, ActionState::Queued, "{decided:?}");
    assert_eq!(service.call_of(&key(), stored(91, 16)).1[1]["deal_stage_id"], 16);
}

#[test]
fn an_amount_that_a_person_corrected_stays_until_the_order_has_another() {
    let mut service = with_an_order();
    let mut corrected = ours("New");
    corrected["amount"] = json!("45.00");
    service.send(says(91, &corrected));
    assert_eq!(service.send(event("Checkout Started", json!({}))).actions[0].state, ActionState::Unchanged);
    service.send(event("Checkout Started", json!({"total": "60.00"})));
    assert_eq!(service.call_of(&key(), stored(91, 11)).1[1]["amount"], 60);
}

#[test]
fn a_deal_that_somebody_made_with_a_key_is_taken_over_by_the_event_of_that_order() {
    let mut service = with(ORDERS);
    let decided = service.send(says(77, &ours("Demo")));
    assert_eq!(decided.outcome, Outcome::Heard);
    assert_eq!(service.standing_of(&key()).birth, Birth::Told { id: 77 });
    service.send(event("Order Completed", json!({})));
    service.contact_call(true);
    let (what, sent) = service.call_of(&key(), stored(77, 15));
    assert_eq!((what, &sent[0], &sent[1]["deal_stage_id"]), ("update", &json!(77), &json!(15)));
}

#[test]
fn a_creation_without_an_answer_is_known_to_have_happened_by_its_workflow() {
    let mut service = with(ORDERS);
    service.send(event("Order Completed", json!({})));
    service.contact_call(true);
    assert_eq!(service.call_of(&key(), Verdict::Passing { reason: "no answer".to_owned() }).0, "create");
    assert_eq!(service.send(says(91, &ours("Won"))).outcome, Outcome::Heard);
    assert_eq!(service.standing_of(&key()).birth.id(), Some(91));
}

#[test]
fn a_deal_whose_key_changed_there_belongs_to_the_new_one_and_a_copy_is_left_alone() {
    let mut service = with_an_order();
    let copy = service.send(says(92, &ours("New")));
    assert_eq!(copy.outcome, Outcome::Echo);
    assert!(copy.notes[0].contains("two deals with this key"), "{copy:?}");
    let mut renamed = ours("New");
    renamed["custom_field.cf_order_id"] = json!("B-2");
    let decided = service.send(says(91, &renamed));
    assert_eq!(decided.outcome, Outcome::Merged, "{decided:?}");
    let other = DealKey::of("default", "order", "B-2").unwrap();
    assert_eq!(service.standing_of(&other).birth.id(), Some(91));
    assert_eq!(service.standing_of(&key()).birth.id(), None);
    let again = service.send(event("Order Completed", json!({})));
    assert_eq!(again.actions[0].state, ActionState::Held, "no second deal is made: {again:?}");
}

#[test]
fn a_deal_without_a_key_that_nobody_here_knows_is_not_kept() {
    let mut service = with(ORDERS);
    let decided = service.send(says(5, &json!({"name": "A big one", "stage": "Demo"})));
    assert_eq!(decided.outcome, Outcome::UnknownRecord);
    assert_eq!(service.world.deals.iter().count(), 0);
}

#[test]
fn where_no_attribute_holds_the_key_it_is_read_from_the_end_of_the_name() {
    let mut service = with(&ORDERS.replace("key_field", "#"));
    let decided = service.send(says(77, &json!({"name": "Jane Doe order (#A-1)", "stage": "Demo"})));
    assert_eq!((decided.outcome, service.standing_of(&key()).birth.id()), (Outcome::Heard, Some(77)));
    assert_eq!(
        service.send(says(77, &json!({"name": "renamed", "stage": "Won"}))).outcome,
        Outcome::Heard,
        "by its id"
    );
}
