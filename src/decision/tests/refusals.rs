//! What is refused is tried once more without it, kept, and sent again when something orders it.

use super::calls::{sent, started, stored};
use super::*;
use crate::delivery::{BlockCause, DeliveryId, Lane, State, Verdict};
use crate::destination::DestinationState;

fn refused(reason: &str, attribute: Option<&str>) -> Verdict {
    let attribute = attribute.map(str::to_owned);
    Verdict::Refused { reason: reason.into(), attribute, demanded: false, again: false }
}

fn says(service: &mut Service, traits: &Value) -> Decided {
    service.send(json!({"type": "identify", "userId": "u", "traits": traits}))
}

/// Sam with a name and a phone, owed and on its way.
fn with_phone() -> (Service, DeliveryId, CallOrder) {
    let (mut service, id) = started();
    says(&mut service, &json!({"name": "Sam Lee", "phone": "+14155550142"}));
    let order = service.claim(&id);
    (service, id, order)
}

#[test]
fn a_refused_attribute_is_left_out_and_the_rest_is_sent_at_once() {
    let (mut service, id, order) = with_phone();
    service.answer(order, refused("MobileNumber is not unique", Some("mobile_number")));
    let delivery = service.delivery(&id);
    assert_eq!((delivery.state, delivery.next_attempt_at), (State::Retrying, service.now));
    let order = service.claim(&id);
    assert_eq!(
        sent(&order)["contact"],
        json!({"emails": "sam@example.com", "first_name": "Sam", "last_name": "Lee", "city": "Oslo"})
    );
    service.answer(order, stored());
    let delivery = service.delivery(&id);
    assert_eq!(delivery.state, State::Delivered);
    let reason = delivery.reason.as_deref().unwrap();
    assert_eq!(reason, "sent without mobile_number, which Freshsales refused: MobileNumber is not unique");
}

#[test]
fn a_refused_value_is_not_sent_again_until_it_changes() {
    let (mut service, id, order) = with_phone();
    service.answer(order, refused("MobileNumber is not unique", Some("mobile_number")));
    let order = service.claim(&id);
    service.answer(order, stored());
    let same = says(&mut service, &json!({"phone": "+1 415 555 0142"}));
    assert_eq!(same.outcome, Outcome::Unchanged);
    let other = says(&mut service, &json!({"phone": "+14155550199"}));
    let sent = service.deliver(&other).unwrap();
    assert_eq!(sent, json!({"emails": "sam@example.com", "mobile_number": "+14155550199"}));
    assert!(service.standing().left_out.is_empty());
}

#[test]
fn a_refused_change_of_one_attribute_leaves_nothing_to_tell() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    service.answer(order, stored());
    let change = says(&mut service, &json!({"job_title": "CEO"}));
    let id = change.delivery_id.unwrap();
    let order = service.claim(&id);
    service.answer(order, refused("Job title is invalid", Some("job_title")));
    let delivery = service.delivery(&id);
    assert_eq!(delivery.state, State::Superseded);
    assert!(delivery.reason.as_ref().unwrap().contains("Job title is invalid"));
    assert_eq!(service.standing().open, None);
    assert_eq!(service.send(json!({"type": "page", "userId": "u"})).outcome, Outcome::Unchanged);
}

#[test]
fn only_one_attribute_is_left_out_of_a_delivery() {
    let (mut service, id, order) = with_phone();
    service.answer(order, refused("MobileNumber is not unique", Some("mobile_number")));
    let order = service.claim(&id);
    service.answer(order, refused("City is invalid", Some("city")));
    assert_eq!(service.delivery(&id).state, State::Dead);
}

#[test]
fn what_the_account_demands_and_the_last_name_there_is_are_not_left_out() {
    let (mut service, id) = started();
    says(&mut service, &json!({"last_name": "Lee"}));
    let order = service.claim(&id);
    service.answer(order, refused("Last name is too long", Some("last_name")));
    assert_eq!(service.delivery(&id).state, State::Dead);
    let (mut service, id, order) = with_phone();
    let demanded = Verdict::Refused {
        reason: "City can't be blank".into(),
        attribute: Some("city".into()),
        demanded: true,
        again: false,
    };
    service.answer(order, demanded);
    assert_eq!(service.delivery(&id).state, State::Dead);
}

#[test]
fn a_withdrawal_is_never_left_out() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    service.answer(order, stored());
    let denied = service.send(json!({"type": "identify", "userId": "u", "context": marketing(false)}));
    let id = denied.delivery_id.unwrap();
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["subscription_status"], "unsubscribed");
    service.answer(order, refused("Subscription status is invalid", Some("subscription_status")));
    assert_eq!(service.delivery(&id).state, State::Dead);
    assert!(service.standing().left_out.is_empty());
}

#[test]
fn who_unsubscribed_in_freshsales_is_not_subscribed_again_by_a_change_that_is_sent_whole() {
    let (mut service, id) = started();
    service.send(json!({"type": "identify", "userId": "u", "context": marketing(true)}));
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["subscription_status"], "subscribed");
    service.answer(order, stored());
    let id = says(&mut service, &json!({"job_title": "CEO"})).delivery_id.unwrap();
    let order = service.claim(&id);
    service.answer(order, refused("Owner is missing", None));
    let order = service.claim(&id);
    assert_eq!(
        sent(&order)["contact"],
        json!({"emails": "sam@example.com", "job_title": "CEO", "city": "Oslo"})
    );
    service.answer(order, refused("Owner is missing", None));
    assert_eq!(service.delivery(&id).state, State::Dead);
    // Exactly that is not tried again, and a redrive tells what differs.
    let page = service.send(json!({"type": "page", "userId": "u"}));
    assert_eq!((page.outcome, service.delivery(&id).state), (Outcome::Absorbed, State::Dead));
    assert!(redrive(&id, RedriveBy::Hand, &mut service.world, &service.settings, service.now));
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"], json!({"emails": "sam@example.com", "job_title": "CEO"}));
}

#[test]
fn long_after_it_was_sent_a_contact_is_sent_again_once_with_its_next_event() {
    let (mut service, id) = started();
    service.settings.resend_after = Some(Duration::from_hours(24));
    service.send(json!({"type": "identify", "userId": "u", "context": marketing(true)}));
    let order = service.claim(&id);
    service.answer(order, stored());
    service.now = service.now.plus(Duration::from_hours(23));
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "u"});
    assert_eq!(service.send(lead.clone()).outcome, Outcome::Unchanged);
    service.now = service.now.plus(Duration::from_hours(2));
    let again = service.send(lead.clone());
    let resent = again.delivery_id.clone().unwrap();
    assert_eq!((again.outcome, service.delivery(&resent).lane), (Outcome::Queued, Lane::Refresh));
    // All but the status, which somebody may have changed in Freshsales since.
    let sent = service.deliver(&again).unwrap();
    assert_eq!(sent, json!({"emails": "sam@example.com", "city": "Oslo"}));
    assert_eq!(service.send(lead).outcome, Outcome::Unchanged);
}

#[test]
fn what_a_rule_of_the_account_refused_is_sent_again_once_when_it_is_gone() {
    let (mut service, id) = started();
    let rule = || refused("Company can't be blank", None);
    let order = service.claim(&id);
    service.answer(order, rule());
    assert_eq!(service.delivery(&id).state, State::Dead);
    let again =
        |service: &mut Service, by| redrive(&id, by, &mut service.world, &service.settings, service.now);
    assert!(again(&mut service, RedriveBy::Rule));
    assert!(!again(&mut service, RedriveBy::Rule), "it is owed already");
    let order = service.claim(&id);
    service.answer(order, rule());
    assert_eq!(service.delivery(&id).state, State::Dead);
    assert!(!again(&mut service, RedriveBy::Rule), "it is the contact's own matter");
    assert!(again(&mut service, RedriveBy::Hand));
    let order = service.claim(&id);
    service.answer(order, stored());
    assert_eq!((service.delivery(&id).state, service.standing().refused), (State::Delivered, None));
}

#[test]
fn a_block_leaves_no_failure_on_the_delivery_that_met_it() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    let cause = BlockCause::Unauthorized;
    service.answer(order, Verdict::Blocked { cause, reason: "Freshsales refused the API key (401)".into() });
    let delivery = service.delivery(&id);
    assert_eq!((delivery.state, delivery.failures, delivery.last_failure_at), (State::Retrying, 0, None));
    assert_eq!(service.world.destination.document.state(), DestinationState::Blocked);
}

#[test]
fn an_event_that_merely_touches_a_contact_is_none_of_its_deliverys_events() {
    let (mut service, id) = started();
    assert_eq!(service.delivery(&id).events, 1);
    let touches = json!({"type": "track", "event": "Video Played", "userId": "u"});
    assert_eq!(service.send(touches).outcome, Outcome::NotMapped);
    assert_eq!(service.delivery(&id).events, 1);
    service.send(json!({"type": "page", "userId": "u"}));
    says(&mut service, &json!({"city": "Rome"}));
    assert_eq!(service.delivery(&id).events, 3);
}
