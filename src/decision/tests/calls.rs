//! What an attempt's end does to its delivery and its contact.

use super::*;
use crate::contact::Standing;
use crate::delivery::{
    Attempt, AttemptRequest, Delivery, DeliveryId, Request, RetryAfter, State, Stored, Verdict,
};
use crate::destination::{DestinationState, Gate};
use crate::event::Email;

/// The body of a call of a contact.
pub(super) fn sent(order: &CallOrder) -> &Value {
    order.request.body().unwrap()
}

pub(super) fn started() -> (Service, DeliveryId) {
    let mut service = Service::new(settings());
    service.send(
        json!({"type": "identify", "userId": "u", "traits": {"email": "sam@example.com", "city": "Oslo"}}),
    );
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "u"}));
    (service, lead.delivery_id.unwrap())
}

impl Service {
    pub(super) fn claim(&mut self, id: &DeliveryId) -> CallOrder {
        claim(id, &mut self.world, &self.settings, self.now).unwrap()
    }

    pub(super) fn answer(&mut self, order: CallOrder, verdict: Verdict) {
        assert!(order.request.body().is_some());
        self.settle(order, verdict);
    }

    pub(super) fn settle(&mut self, order: CallOrder, verdict: Verdict) {
        let request = AttemptRequest {
            method: "POST".into(),
            url: String::new(),
            headers: Vec::new(),
            body: order.request.body().cloned().unwrap_or_default(),
        };
        let attempt = Attempt {
            attempt: order.attempt,
            started_at: self.now,
            duration_ms: 1,
            request,
            response: None,
            error: None,
        };
        let settlement =
            Settlement { order, verdict, attempt, jitter: 1.0, others_answered: true, probe: false };
        settle(settlement, &mut self.world, &self.settings, self.now);
    }

    pub(super) fn delivery(&self, id: &DeliveryId) -> &Delivery {
        self.world.deliveries.get(id).unwrap()
    }

    pub(super) fn standing(&self) -> Standing {
        let email = Email::parse("sam@example.com").unwrap();
        self.world.contacts.get(&email).unwrap().with(&self.settings.account)
    }
}

pub(super) fn stored() -> Verdict {
    Verdict::Stored(Stored { id: Some(7), created: true, shown: None })
}

fn passing() -> Verdict {
    Verdict::Passing { reason: "no answer in time".into() }
}

fn refused() -> Verdict {
    Verdict::Refused {
        reason: "Last name can't be blank".into(),
        attribute: None,
        demanded: true,
        again: false,
    }
}

#[test]
fn a_stored_call_ends_its_delivery() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    service.answer(order, stored());
    assert_eq!(service.delivery(&id).state, State::Delivered);
    assert_eq!(service.standing().contact_id, Some(7));
    assert_eq!(service.standing().last_delivered, Some(id));
}

#[test]
fn failures_wait_twice_as_long_each_time_and_send_the_newest_state() {
    let (mut service, id) = started();
    for (seconds, city) in [(1, "Rome"), (2, "Bern"), (4, "Wien")] {
        let order = service.claim(&id);
        service.answer(order, passing());
        let delivery = service.delivery(&id);
        assert_eq!(delivery.state, State::Retrying);
        assert_eq!(delivery.next_attempt_at, service.now.plus(Duration::from_secs(seconds)));
        service.send(json!({"type": "identify", "userId": "u", "traits": {"city": city}}));
    }
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["city"], "Wien");
    assert_eq!(order.attempt, 4);
}

#[test]
fn a_refused_contact_is_kept_and_comes_back_when_its_data_changes() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    service.answer(order, refused());
    assert_eq!(service.delivery(&id).state, State::Dead);
    let page = service.send(json!({"type": "page", "userId": "u"}));
    assert_eq!((page.outcome, page.delivery_id.as_ref()), (Outcome::Absorbed, Some(&id)));
    assert_eq!(service.delivery(&id).state, State::Dead);
    let named = service.send(json!({"type": "identify", "userId": "u", "traits": {"name": "Sam Lee"}}));
    assert_eq!((named.outcome, named.delivery_id.as_ref()), (Outcome::Absorbed, Some(&id)));
    assert_eq!(service.delivery(&id).state, State::Retrying);
    assert_eq!(service.delivery(&id).next_attempt_at, service.now);
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["last_name"], "Lee");
}

#[test]
fn a_change_that_is_no_sign_of_mending_waits_for_its_hour() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    service.answer(order, refused());
    let refused_at = service.now;
    service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Rome"}}));
    assert_eq!(service.delivery(&id).next_attempt_at, refused_at.plus(Duration::from_hours(1)));
    service.send(json!({"type": "identify", "userId": "u", "traits": {"name": "Sam Lee"}}));
    assert_eq!(service.delivery(&id).next_attempt_at, service.now);
}

#[test]
fn a_refused_change_is_sent_whole_once() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    service.answer(order, stored());
    let change = service.send(json!({"type": "identify", "userId": "u", "traits": {"job_title": "CEO"}}));
    let id = change.delivery_id.unwrap();
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"], json!({"emails": "sam@example.com", "job_title": "CEO"}));
    service.answer(order, refused());
    // It demands what it was given once, as if it had nobody: it is asked for the contact first.
    let order = service.claim(&id);
    assert_eq!(order.request, Request::ShowContact { id: 7 });
    let shown = json!({"contact": {"id": 7, "last_name": "Lee"}}).as_object().cloned();
    service.settle(order, Verdict::Stored(Stored { id: None, created: false, shown }));
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["city"], "Oslo");
    service.answer(order, refused());
    assert_eq!(service.delivery(&id).state, State::Dead);
}

#[test]
fn a_change_during_the_call_opens_the_next_delivery() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    let same = service.send(json!({"type": "page", "userId": "u"}));
    assert_eq!((same.outcome, same.delivery_id), (Outcome::Absorbed, Some(id.clone())));
    let change = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Rome"}}));
    assert_eq!(change.outcome, Outcome::Queued);
    let next = change.delivery_id.unwrap();
    assert_eq!(claim(&next, &mut service.world, &service.settings, service.now), None);
    service.answer(order, stored());
    let order = service.claim(&next);
    assert_eq!(sent(&order)["contact"], json!({"emails": "sam@example.com", "city": "Rome"}));
}

#[test]
fn a_call_without_an_answer_hands_over_to_the_newer_delivery() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    let change = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Rome"}}));
    service.answer(order, passing());
    assert_eq!(service.delivery(&id).state, State::Superseded);
    let next = change.delivery_id.unwrap();
    let order = service.claim(&next);
    assert_eq!(sent(&order)["contact"]["city"], "Rome");
    service.answer(order, stored());
    // The unanswered call said Oslo and may be applied late: once more, whole.
    assert_eq!(service.delivery(&next).state, State::Retrying);
    let order = service.claim(&next);
    service.answer(order, stored());
    assert_eq!(service.delivery(&next).state, State::Delivered);
}

#[test]
fn a_throttle_holds_the_account_and_burns_nothing() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    let throttled = Verdict::Throttled {
        retry_after: RetryAfter::For(Duration::from_mins(4)),
        reason: "Too many requests".into(),
    };
    service.answer(order, throttled);
    let delivery = service.delivery(&id);
    assert_eq!((delivery.state, delivery.failures), (State::Retrying, 0));
    let destination = &service.world.destination.document;
    assert_eq!(destination.state(), DestinationState::Throttled);
    let until = service.now.plus(Duration::from_mins(4));
    assert_eq!(destination.gate(service.now.plus(Duration::from_secs(239))), Gate::Shut(Some(until)));
    assert_eq!(destination.gate(until), Gate::OneContact);
}

#[test]
fn an_answer_to_a_void_claim_changes_nothing() {
    let (mut service, id) = started();
    let order = service.claim(&id);
    let stale = CallOrder { attempt: 9, ..order };
    service.answer(stale, stored());
    assert_eq!(service.delivery(&id).state, State::InFlight);
}

#[test]
fn a_contact_is_given_up_after_hours_of_its_own_failures_while_others_are_answered() {
    let (mut service, id) = started();
    let began = service.now;
    while service.delivery(&id).state != State::Dead {
        let order = service.claim(&id);
        service.answer(order, passing());
        service.now = service.now.plus(Duration::from_mins(5));
        assert!(service.now.since(began) < Duration::from_hours(80), "it is never given up");
    }
    assert!(service.now.since(began) >= Duration::from_hours(72));
    assert!(service.delivery(&id).reason.as_ref().unwrap().starts_with("given up: "));
}

#[test]
fn time_spent_waiting_for_anything_else_is_no_failure_of_the_contact() {
    let (mut service, id) = started();
    for _ in 0..3 {
        let order = service.claim(&id);
        service.answer(order, passing());
        service.now = service.now.plus(Duration::from_hours(100));
    }
    let delivery = service.delivery(&id);
    // Its own waits were 1 and 2 s.
    assert_eq!((delivery.state, delivery.failing), (State::Retrying, Duration::from_secs(3)));
}

#[test]
fn behind_the_breaker_a_failure_burns_nothing() {
    let (mut service, id) = started();
    let kind = crate::destination::ObstacleKind::Unreachable;
    service.world.destination.document.obstacle =
        Some(crate::destination::Obstacle::new(kind, "no connection", service.now));
    for _ in 0..9 {
        let order = service.claim(&id);
        service.answer(order, passing());
    }
    let delivery = service.delivery(&id);
    assert_eq!((delivery.state, delivery.failures, delivery.failing), (State::Retrying, 0, Duration::ZERO));
}

fn answered(contact: Value) -> Verdict {
    let Value::Object(contact) = contact else { panic!("a contact is an object") };
    Verdict::Stored(Stored { id: Some(7), created: false, shown: Some(contact) })
}

/// A lead whose campaign goes only where Freshsales has none, after its first call was answered with a contact.
fn lead_with_campaign(stored: Value) -> (Service, DeliveryId) {
    let user = "[fields.medium]\nfrom = [\"context.campaign.medium\"]\nwhen = \"empty\"\npick = \"first\"";
    let mut with_campaign = settings();
    with_campaign.preset = Preset::parse(Some(user)).unwrap();
    let mut service = Service::new(with_campaign);
    for medium in ["email", "cpc"] {
        service
            .send(json!({"type": "page", "anonymousId": "a", "context": {"campaign": {"medium": medium}}}));
    }
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "anonymousId": "a",
        "userId": "u", "context": {"traits": {"email": "sam@example.com", "city": "Oslo"}}}));
    let id = lead.delivery_id.unwrap();
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"], json!({"emails": "sam@example.com", "city": "Oslo"}));
    service.answer(order, answered(stored));
    (service, id)
}

#[test]
fn what_goes_only_where_freshsales_has_no_value_is_sent_once_its_answer_showed_none() {
    let (mut service, id) = lead_with_campaign(json!({"id": 7, "city": "Oslo", "medium": null}));
    assert_eq!(service.delivery(&id).state, State::Retrying);
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"], json!({"emails": "sam@example.com", "medium": "email"}));
    service.answer(order, answered(json!({"id": 7, "city": "Oslo", "medium": "email"})));
    assert_eq!(service.delivery(&id).state, State::Delivered);
    assert_eq!(service.send(json!({"type": "page", "userId": "u"})).outcome, Outcome::Unchanged);
}

#[test]
fn what_a_sales_person_entered_is_not_filled_over() {
    let (mut service, id) = lead_with_campaign(json!({"id": 7, "city": "Oslo", "medium": "fair"}));
    assert_eq!(service.delivery(&id).state, State::Delivered);
    assert_eq!(service.send(json!({"type": "page", "userId": "u"})).outcome, Outcome::Unchanged);
}
