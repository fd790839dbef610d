//! Erasing in a working set: who goes, who stays, what a late answer and a late event change.

use std::collections::BTreeSet;

use super::*;
use crate::consent::Choice;
use crate::delivery::{Attempt, AttemptRequest, State, Stored, Verdict};
use crate::erasure::{CallEnd, ErasureSubject, Receipt};
use crate::event::Email;
use crate::person::{PersonId, PersonKey};

fn key(text: &str) -> PersonKey {
    text.parse().unwrap()
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@b.co")).unwrap()
}

/// Erases somebody, and lets the tombstones be heard as the store does.
fn erased(service: &mut Service, subject: &ErasureSubject, forget_in_crm: bool) -> Receipt {
    let reached = extent(subject, &service.world);
    let order = ErasureOrder { erasure: 7, forget_in_crm };
    let (receipt, _) = erase(&reached, order, &mut service.world, &service.settings, service.now);
    service.world.tombstones.extend(std::mem::take(&mut service.world.buried));
    receipt
}

fn user(id: &str) -> ErasureSubject {
    ErasureSubject::User(PersonKey {
        people: crate::person::DEFAULT_PEOPLE.into(),
        id: PersonId::User(id.into()),
    })
}

fn lead(user: &str, address: &str) -> [Value; 2] {
    [
        json!({"type": "identify", "userId": user, "traits": {"email": address, "name": "Sam Lee", "phone": "+14155550142"}}),
        json!({"type": "track", "event": "Lead Generated", "userId": user}),
    ]
}

fn settled(order: CallOrder, verdict: Verdict) -> Settlement {
    let request =
        AttemptRequest { method: "POST".into(), url: String::new(), headers: Vec::new(), body: json!({}) };
    let attempt = Attempt {
        attempt: order.attempt,
        started_at: UnixMicros(1),
        duration_ms: 1,
        request,
        response: None,
        error: None,
    };
    Settlement { order, verdict, attempt, jitter: 0.5, others_answered: false, probe: false }
}

#[test]
fn an_answer_to_a_call_of_an_erased_contact_brings_nothing_back() {
    let stored = Verdict::Stored(Stored { id: Some(7), created: true, ..Stored::default() });
    let passing = Verdict::Passing { reason: "no whole answer within 20 s".to_owned() };
    let throttled =
        Verdict::Throttled { retry_after: crate::delivery::RetryAfter::Absent, reason: String::new() };
    for (forget, verdict, end) in [
        (false, stored.clone(), CallEnd::Stored(Some(7))),
        (true, stored, CallEnd::Stored(Some(7))),
        (true, passing, CallEnd::Unknown),
        (true, throttled, CallEnd::NotWritten),
    ] {
        let mut service = Service::new(settings());
        let [identify, track] = lead("u", "sam@b.co");
        service.send(identify);
        let queued = service.send(track).delivery_id.unwrap();
        let order = claim(&queued, &mut service.world, &service.settings, service.now).unwrap();
        let receipt = erased(&mut service, &ErasureSubject::Email(email("sam")), forget);
        assert_eq!((receipt.people, receipt.contacts, receipt.deliveries), (1, 1, 1));
        assert!(service.world.contacts.get(&email("sam")).is_none());
        // It is on its way still, so that no newer call of the address meets it.
        assert_eq!(service.world.deliveries.get(&queued).unwrap().state, State::InFlight);
        let behind: Vec<_> = service.world.forgets.iter().map(|order| order.behind.clone()).collect();
        assert_eq!(behind, if forget { vec![Some(queued.clone())] } else { Vec::new() });
        settle(settled(order, verdict), &mut service.world, &service.settings, service.now);
        assert!(service.world.contacts.get(&email("sam")).is_none());
        assert!(service.world.deliveries.get(&queued).is_none());
        assert_eq!(service.world.erased_calls, [(queued, end)]);
    }
}

#[test]
fn a_contact_of_another_account_is_waited_for_by_nobody() {
    let mut service = Service::new(settings());
    let [identify, track] = lead("u", "sam@b.co");
    service.send(identify);
    let queued = service.send(track).delivery_id.unwrap();
    claim(&queued, &mut service.world, &service.settings, service.now).unwrap();
    service.settings.account = Account("new".into());
    let receipt = erased(&mut service, &ErasureSubject::Email(email("sam")), true);
    assert_eq!((receipt.deliveries, receipt.forget_ordered, receipt.forget_elsewhere), (1, 0, 1));
    assert!(service.world.deliveries.get(&queued).is_none());
    assert!(service.world.forgets.is_empty());
}

#[test]
fn two_people_on_one_browser_are_erased_apart() {
    let mut service = Service::new(settings());
    let on = |user: &str, event: Value| {
        let mut event = event;
        event["userId"] = json!(user);
        event["anonymousId"] = json!("kiosk");
        event
    };
    let track = json!({"type": "track", "event": "Lead Generated"});
    service.send(json!({"type": "track", "event": "Lead Generated", "anonymousId": "kiosk", "properties": {"phone": "+14155550101"}}));
    service.send(on("one", json!({"type": "identify", "traits": {"email": "one@b.co"}})));
    service.send(on("one", track.clone()));
    service.send(on("two", json!({"type": "identify", "traits": {"email": "two@b.co"}})));
    service.send(on("two", track.clone()));
    let two = service.world.people.get(&key("user:two")).unwrap().facts().into_owned();
    let receipt = erased(&mut service, &user("one"), false);
    assert_eq!((receipt.people, receipt.anonymous_ids), (1, 1));
    assert_eq!(service.world.people.get(&key("user:two")).unwrap().facts().into_owned(), two);
    assert!(service.world.contacts.get(&email("two")).is_some());
    // What the browser did before passes to nobody, and who signs in next has it for themselves.
    service.send(on("three", json!({"type": "identify", "traits": {"email": "three@b.co"}})));
    let line = service.world.timelines.iter().next().unwrap().1;
    let phones =
        line.given().into_values().any(|facts| facts.values.iter().any(|(path, _)| path.ends_with("phone")));
    assert!(!phones);
    let users: BTreeSet<PersonId> = line.people().collect();
    assert_eq!(users, BTreeSet::from([PersonId::User("two".into()), PersonId::User("three".into())]));
    // The other's late event counts, the erased one's does not.
    let (at, late) = (service.now.0 - 1, on("two", track.clone()));
    assert_ne!(service.send_at(at, "late-2", late).outcome, Outcome::Erased);
    assert_eq!(service.send_at(at - HOUR, "late-1", on("one", track)).outcome, Outcome::Erased);
}

#[test]
fn a_shared_address_stays_with_the_others_and_stays_refused() {
    let mut service = Service::new(settings());
    for (id, phone) in [("one", "+14155550101"), ("two", "+14155550102")] {
        service
            .send(json!({"type": "identify", "userId": id, "traits": {"email": "info@b.co", "phone": phone},
            "context": marketing(true)}));
    }
    let mut event = json!({"type": "track", "event": "Lead Generated", "userId": "one", "properties": {"phone": "+14155550103"}});
    event["context"] = marketing(false);
    let queued = service.send(event);
    service.deliver(&queued).unwrap();
    let receipt = erased(&mut service, &user("one"), false);
    assert_eq!((receipt.people, receipt.contacts), (1, 0));
    let considered = consider(&email("info"), &service.world, &service.settings);
    assert!(considered.wish.withdrawn, "the refusal binds the address");
    let contact = service.world.contacts.get(&email("info")).unwrap();
    assert!(!contact.members.contains("user:one"));
    let accepted = json!(contact.with(&service.settings.account).accepted);
    assert!(!accepted.to_string().contains("+14155550103"), "{accepted}");
    assert_eq!(accepted["subscription_status"], "unsubscribed");
    let by_address = service.world.people.get(&key("email:info@b.co")).unwrap().facts().into_owned();
    let choices: Vec<Choice> = by_address.consent.iter().map(|(_, said)| said.value.choice).collect();
    assert_eq!(choices, [Choice::Denied]);
}

#[test]
fn who_invited_an_erased_friend_stays_and_what_they_say_of_the_friend_later_is_cut_out() {
    let mut service = Service::new(settings());
    let [identify, track] = lead("u", "sam@b.co");
    service.send(identify);
    service.send(track);
    let invite = json!({"type": "track", "event": "Lead Generated", "userId": "u", "properties": {"email": "friend@b.co", "name": "A Friend"}});
    service.send(invite.clone());
    let receipt = erased(&mut service, &ErasureSubject::Email(email("friend")), false);
    assert_eq!((receipt.people, receipt.contacts, receipt.mentions), (1, 1, 1));
    let stored = serde_json::to_string(service.world.people.get(&key("user:u")).unwrap()).unwrap();
    assert!(!stored.contains("friend"), "{stored}");
    let (at, next) = (service.now.0 - 1, service.next);
    let late = service.send_at(at, "late", invite.clone());
    assert_ne!(late.outcome, Outcome::Erased);
    assert!(service.world.contacts.get(&email("friend")).is_none());
    assert_eq!(service.world.to_blank, [Position(next)]);
    // What is said from now on starts anew.
    service.send(invite);
    assert!(service.world.contacts.get(&email("friend")).is_some());
}

#[test]
fn who_was_erased_under_an_older_spelling_of_an_address_stays_erased_under_the_new() {
    let mut service = Service::new(settings());
    let before = Email::from_store("jane@müller.example").unwrap();
    service.world.tombstones.insert(crate::erasure::Mark::Email(before), UnixMicros(i64::MAX));
    for event in [
        json!({"type": "identify", "traits": {"email": "jane@müller.example", "name": "Jane"}}),
        json!({"type": "identify", "userId": "j", "traits": {"email": "Jane@xn--mller-kva.example"}}),
    ] {
        assert_eq!(service.send(event.clone()).outcome, Outcome::Erased, "{event}");
    }
    let other = json!({"type": "identify", "traits": {"email": "jane@möller.example", "name": "Jane"}});
    assert_ne!(service.send(other).outcome, Outcome::Erased);
}
