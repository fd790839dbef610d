//! Tests of the company room.

use serde_json::json;

use super::*;
use crate::clock::UnixMicros;

fn stamp(at: i64) -> Stamp {
    Stamp { at: UnixMicros(at), message_id: format!("m{at}"), ..Stamp::default() }
}

fn sent(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn call(attributes: &Attributes) -> InFlight {
    InFlight { delivery: DeliveryId("d1-0".to_owned()), attempt: 1, sent: Some(attributes.clone()) }
}

#[test]
fn a_company_is_stored_by_its_name_and_called_again_when_it_changes() {
    let wanted = sent(&[("website", json!("globex.example"))]);
    let mut standing = Standing::default();
    assert_eq!(standing.next(&wanted, None), Next::Upsert(wanted.clone()));
    standing.leave(call(&wanted));
    standing.stored(Some(7), UnixMicros(5));
    assert_eq!((standing.id, standing.next(&wanted, None)), (Some(7), Next::Nothing));
    let more = sent(&[("website", json!("globex.example")), ("number_of_employees", json!(40))]);
    assert_eq!(standing.next(&more, None), Next::Upsert(sent(&[("number_of_employees", json!(40))])));
}

#[test]
fn what_was_not_answered_is_sent_again() {
    let wanted = sent(&[("website", json!("globex.example"))]);
    let mut standing = Standing { accepted: Some(wanted.clone()), ..Standing::default() };
    let changed = sent(&[("website", json!("globex.test"))]);
    standing.leave(call(&changed));
    standing.unanswered();
    assert_eq!(standing.next(&wanted, None), Next::Upsert(wanted));
}

#[test]
fn a_company_may_be_looked_for_by_its_website_once() {
    let mut standing = Standing::default();
    let wanted = Attributes::new();
    assert_eq!(standing.next(&wanted, Some("globex.example")), Next::Find("globex.example".to_owned()));
    standing.leave(InFlight { sent: None, ..call(&wanted) });
    standing.looked(None, UnixMicros(5));
    assert_eq!(standing.next(&wanted, Some("globex.example")), Next::Upsert(wanted));
}

#[test]
fn the_body_is_the_documented_one() {
    let body = upsert_body(
        "Globex Corp",
        &sent(&[("custom_field.cf_tier", json!("A")), ("website", json!("g.example"))]),
    );
    let expected = r#"{"unique_identifier":{"name":"Globex Corp"},"sales_account":{"name":"Globex Corp","website":"g.example","custom_field":{"cf_tier":"A"}}}"#;
    assert_eq!(body.to_string(), expected);
}

#[test]
fn the_newest_spelling_of_the_name_counts_whichever_came_first() {
    let said = Said::default();
    let (mut one, mut other) = (Company::default(), Company::default());
    one.learn("GLOBEX", &said, &stamp(1));
    one.learn("Globex", &said, &stamp(2));
    other.learn("Globex", &said, &stamp(2));
    other.learn("GLOBEX", &said, &stamp(1));
    assert_eq!(one, other);
    assert_eq!(one.name.unwrap().value, "Globex");
}

#[test]
fn of_many_contacts_that_wait_it_is_known_that_there_are_more() {
    let mut waiting = Waiting::default();
    for n in 0..=WAITING_MAX {
        waiting.add(&Email::parse(&format!("p{n}@example.com")).unwrap());
    }
    assert_eq!((waiting.emails.len(), waiting.more), (WAITING_MAX, true));
}
