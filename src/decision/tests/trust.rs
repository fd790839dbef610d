//! Whom to believe: visitors beside servers, and strangers who merely name an address.

use super::*;
use crate::delivery::{Bound, DeliveryId, Lane, Request, State, Stored, Verdict};
use crate::event::Email;

/// Freshsales has it.
fn stored() -> Verdict {
    Verdict::Stored(Stored::default())
}

const SAM: &str = "sam@example.com";

fn identify(user: Option<&str>, traits: &Value, said: Option<bool>) -> Value {
    let mut event = json!({"type": "identify", "userId": user, "traits": traits});
    event["traits"]["email"] = json!(SAM);
    if let Some(granted) = said {
        event["context"] = json!({"consent": {"marketing": granted}});
    }
    event
}

fn lead(user: Option<&str>, traits: &Value, said: Option<bool>) -> Value {
    let mut event = identify(user, traits, said);
    event["type"] = json!("track");
    event["event"] = json!("Lead Generated");
    event
}

/// A customer whom a back end knows, in Freshsales already.
fn customer(said: Option<bool>) -> Service {
    let mut service = Service::new(settings());
    let made = service.send(lead(Some("u"), &json!({"name": "Sam Lee", "city": "Oslo"}), said));
    assert_eq!(service.deliver(&made).unwrap()["city"], "Oslo");
    service
}

fn considered(service: &Service) -> Considered {
    consider(&Email::parse(SAM).unwrap(), &service.world, &service.settings)
}

fn status(service: &Service) -> Option<Value> {
    considered(service).wish.attributes.get("subscription_status").cloned()
}

#[test]
fn a_visitor_fills_blanks_and_replaces_nothing_that_a_server_said() {
    for stranger in [None, Some("u"), Some("another")] {
        let mut service = customer(None);
        let traits = json!({"name": "Mallory X", "city": "Oslo", "phone": "+14155550142"});
        let said = service.visit(lead(stranger, &traits, None));
        let sent = service.deliver(&said).unwrap();
        assert_eq!((&sent["first_name"], &sent["city"]), (&Value::Null, &Value::Null), "{sent}");
        assert_eq!(sent["mobile_number"], "+14155550142", "{sent}");
        let why = "first_name left out: said by a visitor of the site; a server said otherwise (sources.website.trust)";
        assert!(said.notes.iter().any(|note| note.starts_with(why)), "{:?}", said.notes);
        assert!(!said.notes.iter().any(|note| note.starts_with("city")), "{:?}", said.notes);
        // What visitors said they change, and the server has the last word.
        let moved = service.visit(lead(stranger, &json!({"phone": "+14155550143"}), None));
        assert_eq!(service.deliver(&moved).unwrap()["mobile_number"], "+14155550143");
        let server = service.send(identify(Some("u"), &json!({"phone": "+14155550144"}), None));
        assert_eq!(service.deliver(&server).unwrap()["mobile_number"], "+14155550144");
        assert_eq!(
            service.visit(lead(stranger, &json!({"phone": "+14155550143"}), None)).outcome,
            Outcome::Unchanged
        );
    }
}

#[test]
fn a_visitor_makes_a_contact() {
    let mut service = Service::new(settings());
    let made = service.visit(lead(None, &json!({"name": "Sam Lee"}), Some(true)));
    let sent = service.deliver(&made).unwrap();
    // Freshsales was asked before whether it has her, so a refusal there would be known.
    assert_eq!((&sent["first_name"], &sent["subscription_status"]), (&json!("Sam"), &json!("subscribed")));
    let named = service.visit(lead(None, &json!({"name": "Kim Lee"}), None));
    assert_eq!(service.deliver(&named).unwrap()["first_name"], "Kim");
}

#[test]
fn freshsales_is_asked_before_a_visitors_first_word_until_it_answers_and_what_it_has_stays() {
    let mut service = Service::new(settings());
    let made = service.visit(lead(None, &json!({"name": "Sam Lee", "city": "Oslo"}), Some(true)));
    let id = made.delivery_id.unwrap();
    for _ in 0..2 {
        let asked = service.claim(&id);
        assert!(matches!(asked.request, Request::FindContact { .. }), "{:?}", asked.request);
        service.settle(asked, Verdict::Passing { reason: "reset".into() });
        service.now = UnixMicros(service.now.0 + 3_600_000_000);
    }
    let there = json!({"contacts": {"contacts": [{"id": 7, "first_name": "Samuel", "last_name": "", "city": null,
        "subscription_status": "unsubscribed"}]}});
    let shown = there.as_object().cloned();
    let asked = service.claim(&id);
    service.settle(asked, Verdict::Stored(Stored { shown, ..Stored::default() }));
    let told = service.claim(&id);
    let sent = told.request.attributes().unwrap();
    assert_eq!((&sent["last_name"], &sent["city"]), (&json!("Lee"), &json!("Oslo")));
    assert_eq!((sent.get("first_name"), sent.get("subscription_status")), (None, None));
}

#[test]
fn no_visitor_gives_a_customer_another_address_or_takes_theirs() {
    let mut service = customer(None);
    let event = json!({"type": "identify", "userId": "u", "traits": {"email": "mallory@example.com"}});
    let said = service.visit(event.clone());
    assert_eq!(said.email.unwrap().as_str(), SAM);
    assert!(said.notes.iter().any(|note| note.starts_with("the address that it names is not taken")));
    // A server may.
    assert_eq!(service.send(event).email.unwrap().as_str(), "mallory@example.com");
}

#[test]
fn a_friend_whom_a_visitor_names_keeps_what_a_server_said() {
    let mut service = customer(None);
    let said = service.visit(json!({"type": "track", "event": "Lead Generated", "userId": "another",
        "traits": {"email": "kim@example.com"}, "properties": {"email": SAM, "phone": "+14155550142"}}));
    assert_eq!(said.email.unwrap().as_str(), SAM);
    assert_eq!(considered(&service).wish.attributes["city"], "Oslo");
}

#[test]
fn a_visitors_yes_undoes_no_refusal_that_a_server_said() {
    let mut service = customer(Some(false));
    for user in [None, Some("u"), Some("another")] {
        let said = service.visit(lead(user, &json!({}), Some(true)));
        assert_eq!(said.outcome, Outcome::Unchanged);
        let note = "what a visitor agreed to since does not undo what a server said";
        assert!(said.notes.iter().any(|it| it.contains(note)), "{:?}", said.notes);
    }
    let server = service.send(identify(Some("u"), &json!({}), Some(true)));
    assert_eq!(service.deliver(&server).unwrap()["subscription_status"], "subscribed");
}

#[test]
fn who_refuses_on_their_own_device_is_believed_at_once() {
    let mut service = customer(Some(true));
    let own = service.visit(json!({"type": "identify", "userId": "u", "anonymousId": "d",
        "context": {"consent": {"marketing": false}}}));
    let delivery = service.delivery(own.delivery_id.as_ref().unwrap());
    assert_eq!((delivery.lane, delivery.bound.as_ref()), (Lane::Withdrawal, None));
    assert_eq!(service.deliver(&own).unwrap()["subscription_status"], "unsubscribed");
    // So is what their device says later without naming them.
    service.send(identify(Some("u"), &json!({}), Some(true)));
    let device = json!({"type": "page", "anonymousId": "d", "context": {"consent": {"marketing": false}}});
    let again = service.visit(device);
    assert!(service.delivery(again.delivery_id.as_ref().unwrap()).bound.is_none());
    assert_eq!(status(&service), Some(json!("unsubscribed")));
}

#[test]
fn what_a_stranger_refuses_waits_for_a_quota_and_nothing_else_waits_for_it() {
    for stranger in [None, Some("another")] {
        let mut service = customer(Some(true));
        let refused = service.visit(lead(stranger, &json!({}), Some(false)));
        let id: DeliveryId = refused.delivery_id.unwrap();
        let bound = Some(Bound::Withdrawals(SourceName("website".into())));
        assert_eq!(service.delivery(&id).bound, bound);
        assert!(refused.notes.iter().any(|note| note.contains("said by a visitor who named the address")));
        // What a server says meanwhile goes, without it.
        service.send(identify(Some("u"), &json!({"city": "Rome"}), None));
        assert_eq!(
            (service.delivery(&id).state, service.delivery(&id).bound.as_ref()),
            (State::Waiting, None)
        );
        let order = service.claim(&id);
        assert_eq!(order.request.body().unwrap()["contact"]["city"], "Rome");
        assert!(
            order.request.body().unwrap()["contact"].get("subscription_status").is_none(),
            "{}",
            order.request.body().unwrap()
        );
        service.answer(order, stored());
        // It is not lost.
        assert_eq!(
            (service.delivery(&id).state, service.delivery(&id).bound.as_ref()),
            (State::Waiting, bound.as_ref())
        );
        let order = service.claim(&id);
        assert_eq!(order.request.body().unwrap()["contact"]["subscription_status"], "unsubscribed");
        service.answer(order, stored());
        assert_eq!(service.delivery(&id).state, State::Delivered);
        // A yes that a server says later ends it.
        let yes = service.send(identify(Some("u"), &json!({}), Some(true)));
        assert_eq!(service.deliver(&yes).unwrap()["subscription_status"], "subscribed");
    }
}

#[test]
fn a_refusal_of_a_stranger_that_a_server_confirms_waits_no_more() {
    let mut service = customer(Some(true));
    let refused = service.visit(lead(None, &json!({}), Some(false)));
    let id = refused.delivery_id.unwrap();
    service.send(identify(Some("u"), &json!({}), Some(false)));
    assert!(service.delivery(&id).bound.is_none());
    let order = service.claim(&id);
    assert_eq!(order.request.body().unwrap()["contact"]["subscription_status"], "unsubscribed");
}

#[test]
fn no_stranger_shuts_the_gate_of_a_customer() {
    let mut settings = settings();
    settings.consent.required = vec![Category::from("marketing")];
    let mut service = Service::new(settings);
    let made = service.send(lead(Some("u"), &json!({"name": "Sam Lee"}), Some(true)));
    service.deliver(&made).unwrap();
    let mut strange = lead(None, &json!({}), Some(false));
    strange["context"]["gpc"] = json!(true);
    service.visit(strange);
    assert_eq!(considered(&service).wish.gate_shut, None);
    // What only visitors agreed to, visitors shut.
    let mut service = Service::new(service.settings);
    service.visit(lead(None, &json!({}), Some(true)));
    assert_eq!(considered(&service).wish.gate_shut, None);
    service.visit(lead(None, &json!({}), Some(false)));
    assert!(considered(&service).wish.gate_shut.is_some());
}

#[test]
fn what_was_stored_before_there_was_trust_is_a_servers() {
    let mut service = customer(Some(false));
    let key = "user:u".parse().unwrap();
    let stored = serde_json::to_string(service.world.people.get(&key).unwrap()).unwrap();
    assert!(!stored.contains("trust") && !stored.contains("visitors"), "{stored}");
    service.visit(lead(Some("u"), &json!({"city": "Rome"}), Some(true)));
    let wish = considered(&service).wish;
    assert_eq!((&wish.attributes["city"], wish.withdrawn), (&json!("Oslo"), true));
    // And a server replaces it by time alone, as ever.
    service.send(identify(Some("u"), &json!({"city": "Bern"}), None));
    assert_eq!(considered(&service).wish.attributes["city"], "Bern");
}
