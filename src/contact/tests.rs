//! Tests of the contact room.

use serde_json::json;

use super::*;
use crate::event::Email;

fn attributes(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn rules() -> Rules {
    Rules {
        send: SendMode::Changed,
        propagate_withdrawal: true,
        unsubscribed: json!("unsubscribed"),
        resend_before: None,
    }
}

fn wish(pairs: &[(&str, Value)]) -> Wish {
    Wish {
        attributes: attributes(pairs),
        has_member: true,
        started: true,
        may_update: true,
        ..Wish::default()
    }
}

fn accepted(pairs: &[(&str, Value)]) -> Standing {
    Standing { accepted: Some(attributes(pairs)), contact_id: Some(7), ..Standing::default() }
}

fn in_flight(pairs: &[(&str, Value)], whole: bool) -> InFlight {
    InFlight {
        delivery: DeliveryId("d1-0".into()),
        attempt: 1,
        sent: attributes(pairs),
        whole,
        asks: false,
        renames: None,
        kept_back: Attributes::new(),
        exempt: None,
        left_at: None,
    }
}

fn call(owed: Owed) -> Call {
    match owed {
        Owed::Call(call) => call,
        Owed::Nothing(why) => panic!("nothing is owed: {why:?}"),
    }
}

#[test]
fn the_body_has_the_documented_order() {
    let email = Email::parse("sam.lee@example.com").unwrap();
    let attributes = attributes(&[
        ("subscription_status", json!("subscribed")),
        ("custom_field.cf_plan", json!("pro")),
        ("time_zone", json!("UTC")),
        ("mobile_number", json!("+14155550142")),
        ("company_name", json!("Globex")),
        ("last_name", json!("Lee")),
        ("first_name", json!("Sam")),
    ]);
    assert_eq!(
        upsert_body(&email, &attributes).to_string(),
        r#"{"unique_identifier":{"emails":"sam.lee@example.com"},"contact":{"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","time_zone":"UTC","custom_field":{"cf_plan":"pro"},"subscription_status":"subscribed"}}"#
    );
}

#[test]
fn the_first_call_is_whole_and_later_ones_carry_what_changed() {
    let wish = wish(&[("city", json!("Oslo")), ("country", json!("NO"))]);
    let first = call(owed(&wish, &Standing::default(), &rules()));
    assert_eq!((first.whole, first.attributes.len()), (true, 2));
    let later = call(owed(&wish, &accepted(&[("city", json!("Rome")), ("country", json!("NO"))]), &rules()));
    assert_eq!(later.attributes, attributes(&[("city", json!("Oslo"))]));
    assert!(!later.whole);
}

#[test]
fn a_contact_without_attributes_is_still_created_once() {
    let created = call(owed(&wish(&[]), &Standing::default(), &rules()));
    assert!(created.whole);
    assert_eq!(owed(&wish(&[]), &accepted(&[]), &rules()), Owed::Nothing(WhyNothing::Unchanged));
}

#[test]
fn custom_fields_go_whole() {
    let held = accepted(&[
        ("custom_field.cf_a", json!(1)),
        ("custom_field.cf_b", json!(2)),
        ("city", json!("Oslo")),
    ]);
    let wish =
        wish(&[("custom_field.cf_a", json!(1)), ("custom_field.cf_b", json!(3)), ("city", json!("Oslo"))]);
    let sent = call(owed(&wish, &held, &rules())).attributes;
    assert_eq!(sent, attributes(&[("custom_field.cf_a", json!(1)), ("custom_field.cf_b", json!(3))]));
}

#[test]
fn a_withdrawal_passes_a_shut_gate_with_the_status_alone() {
    let mut wish = wish(&[("city", json!("Oslo")), (STATUS, json!("unsubscribed"))]);
    wish.gate_shut = Some("marketing".into());
    wish.withdrawn = true;
    let held = accepted(&[("city", json!("Rome")), (STATUS, json!("subscribed"))]);
    let told = call(owed(&wish, &held, &rules()));
    assert_eq!(told.attributes, attributes(&[(STATUS, json!("unsubscribed"))]));
    assert!(told.withdrawal);
    let unknown = owed(&wish, &Standing::default(), &rules());
    assert_eq!(unknown, Owed::Nothing(WhyNothing::GateShut("marketing".into())));
    let mut silent = rules();
    silent.propagate_withdrawal = false;
    assert!(matches!(owed(&wish, &held, &silent), Owed::Nothing(WhyNothing::GateShut(_))));
}

#[test]
fn what_a_call_on_its_way_carries_is_not_owed_again() {
    let mut standing = accepted(&[("city", json!("Rome"))]);
    standing.leave(in_flight(&[("city", json!("Oslo"))], false));
    assert_eq!(
        owed(&wish(&[("city", json!("Oslo"))]), &standing, &rules()),
        Owed::Nothing(WhyNothing::Unchanged)
    );
    assert!(matches!(owed(&wish(&[("city", json!("Bern"))]), &standing, &rules()), Owed::Call(_)));
}

#[test]
fn a_call_without_an_answer_leaves_its_attributes_in_doubt() {
    let mut standing = accepted(&[("city", json!("Rome"))]);
    standing.leave(in_flight(&[("city", json!("Oslo"))], false));
    standing.unanswered();
    // Back to what was accepted: Freshsales may hold either.
    let back = call(owed(&wish(&[("city", json!("Rome"))]), &standing, &rules()));
    assert_eq!(back.attributes, attributes(&[("city", json!("Rome"))]));
    standing.leave(InFlight { attempt: 2, ..in_flight(&[("city", json!("Rome"))], false) });
    let after = standing.stored(&Stored { id: Some(7), ..Stored::default() }, UnixMicros(1));
    assert!(matches!(after, AfterStored::OnceMore(_)));
    assert!(call(owed(&wish(&[("city", json!("Rome"))]), &standing, &rules())).whole);
}

#[test]
fn another_contact_id_is_followed_by_one_whole_call() {
    let mut standing = accepted(&[("city", json!("Rome")), ("country", json!("IT"))]);
    standing.leave(in_flight(&[("city", json!("Oslo"))], false));
    let answer = Stored { id: Some(8), created: true, shown: None };
    assert!(matches!(standing.stored(&answer, UnixMicros(1)), AfterStored::OnceMore(_)));
    let wanted = wish(&[("city", json!("Oslo")), ("country", json!("IT"))]);
    let again = call(owed(&wanted, &standing, &rules()));
    assert_eq!((again.whole, again.attributes.len()), (true, 2));
    standing.leave(InFlight { sent: again.attributes, whole: true, ..in_flight(&[], true) });
    assert_eq!(standing.stored(&answer, UnixMicros(2)), AfterStored::Settled);
    assert_eq!(owed(&wanted, &standing, &rules()), Owed::Nothing(WhyNothing::Unchanged));
}

#[test]
fn exactly_what_was_refused_is_not_sent_again() {
    let wanted = attributes(&[("city", json!("Oslo"))]);
    let refused = Refused { wanted, attribute: None, at: UnixMicros(1), redrive: Redrive::Never };
    let standing = Standing { refused: Some(refused), ..Standing::default() };
    assert_eq!(
        owed(&wish(&[("city", json!("Oslo"))]), &standing, &rules()),
        Owed::Nothing(WhyNothing::Refused)
    );
    assert!(matches!(owed(&wish(&[("city", json!("Bern"))]), &standing, &rules()), Owed::Call(_)));
}

#[test]
fn attributes_that_did_not_stick_are_named() {
    let stored = json!({"city": "Oslo", "company_name": null, "custom_field": {"cf_n": 3}});
    let sent = attributes(&[
        ("city", json!("Oslo")),
        ("company_name", json!("Globex")),
        ("custom_field.cf_n", json!("3")),
        ("job_title", json!("CEO")),
    ]);
    assert_eq!(did_not_stick(&sent, stored.as_object().unwrap()), ["company_name"]);
}
