//! Who was silent for long goes without a call and without losing a refusal.

use super::*;
use crate::contact::{Owed, WhyNothing, owed};
use crate::event::Email;
use crate::person::{PersonKey, TimelineKey};

fn key(text: &str) -> PersonKey {
    text.parse().unwrap()
}

fn sam() -> Email {
    Email::parse("sam@b.co").unwrap()
}

/// Sam, whom Freshsales has.
fn with_sam(said: Value) -> Service {
    let mut service = Service::new(settings());
    let mut identify = json!({"type": "identify", "userId": "u", "traits": {"email": "sam@b.co", "name": "Sam Lee", "phone": "+14155550142"}});
    identify["context"] = said;
    service.send(identify);
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "u"}));
    assert!(service.deliver(&lead).is_some());
    service
}

fn retire(service: &mut Service, people: &[&str]) {
    let since = UnixMicros(service.now.0 + HOUR);
    for person in people {
        retire_person(&key(person), since, &mut service.world, &service.settings);
    }
}

fn owes(service: &Service) -> Owed {
    let wish = consider(&sam(), &service.world, &service.settings).wish;
    let standing = service.world.contacts.get(&sam()).unwrap().with(&service.settings.account);
    owed(&wish, &standing, &rules(&service.settings, service.now))
}

#[test]
fn a_silent_person_goes_with_the_contact_that_nobody_else_has() {
    let mut service = with_sam(json!({}));
    retire(&mut service, &["user:u"]);
    assert!(service.world.people.get(&key("user:u")).is_none());
    assert!(service.world.contacts.get(&sam()).is_none());
}

#[test]
fn who_is_owed_a_call_stays() {
    let mut service = with_sam(json!({}));
    service.send(json!({"type": "identify", "userId": "u", "traits": {"phone": "+14155550143"}}));
    retire(&mut service, &["user:u"]);
    assert!(service.world.people.get(&key("user:u")).is_some());
    assert!(service.world.contacts.get(&sam()).is_some());
}

#[test]
fn of_who_refused_the_refusal_and_the_address_stay_and_nothing_is_owed() {
    let mut service = with_sam(marketing(false));
    retire(&mut service, &["user:u"]);
    let person = service.world.people.get(&key("user:u")).unwrap().clone();
    assert_eq!(person.facts().values.iter().count(), 0);
    let standing = service.world.contacts.get(&sam()).unwrap().with(&service.settings.account);
    assert_eq!(json!(standing.accepted), json!({"subscription_status": "unsubscribed"}));
    assert_eq!(owes(&service), Owed::Nothing(WhyNothing::Unchanged));
    // Once more changes nothing.
    retire(&mut service, &["user:u"]);
    assert_eq!(service.world.people.get(&key("user:u")), Some(&person));
    // Sam comes back and is still unsubscribed; what is sent is what is new, and no status.
    let back = service.send(json!({"type": "identify", "userId": "u", "traits": {"phone": "+14155550142"}}));
    assert_eq!(service.deliver(&back), Some(json!({"emails": "sam@b.co", "mobile_number": "+14155550142"})));
}

#[test]
fn who_shares_a_contact_with_somebody_heard_stays() {
    let mut service = with_sam(json!({}));
    let heard = service.now.0 + 400 * 24 * HOUR;
    service.now = UnixMicros(heard);
    service.send(json!({"type": "identify", "userId": "other", "traits": {"email": "sam@b.co"}}));
    let since = UnixMicros(heard);
    retire_person(&key("user:u"), since, &mut service.world, &service.settings);
    assert!(service.world.people.get(&key("user:u")).is_some());
}

#[test]
fn what_a_device_gave_to_a_person_stays_theirs_when_it_goes() {
    let mut service = Service::new(settings());
    service.send(json!({"type": "track", "event": "Lead Generated", "anonymousId": "d",
        "properties": {"email": "sam@b.co", "phone": "+14155550142"}, "context": marketing(false)}));
    service
        .send(json!({"type": "identify", "userId": "u", "anonymousId": "d", "traits": {"name": "Sam Lee"}}));
    let line = TimelineKey { people: crate::person::DEFAULT_PEOPLE.into(), anonymous_id: "d".into() };
    let before = service.world.people.get(&key("user:u")).unwrap().facts().into_owned();
    retire(&mut service, &["user:u"]);
    assert!(service.world.people.get(&key("user:u")).is_some(), "its device would give its part again");
    retire_device(&line, &mut service.world);
    assert!(service.world.timelines.get(&line).is_none());
    let person = service.world.people.get(&key("user:u")).unwrap();
    assert_eq!((person.facts().into_owned(), person.borrowed.len()), (before, 0));
}
