//! Devices beyond the bound of their time lines: what an event says with its own user id or address never depends on the
//! order of arrival, and a person keeps what they were given.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::person::{BYTES_MAX, ENTRIES_MAX};

/// One thing that one of several people does at the same device.
#[derive(Clone, Debug)]
struct Act {
    who: Who,
    choice: Option<bool>,
    length: usize,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Nobody,
    Address(u8),
    User(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let who = prop_oneof![
        1 => Just(Who::Nobody),
        2 => (0_u8..30).prop_map(Who::Address),
        3 => (0_u8..30).prop_map(Who::User),
    ];
    (who, any::<Option<bool>>(), 0_usize..3_000).prop_map(|(who, choice, length)| {
        // Who says nothing of who they are says nothing of consent: nobody could tell later whose it was. And what an
        // address said leads to the first user, whoever that is by then: a user's own word is newer.
        let choice = match who {
            Who::Nobody => None,
            Who::Address(_) => choice,
            Who::User(_) => choice.or(Some(true)),
        };
        Act { who, choice, length }
    })
}

fn event(act: &Act) -> Value {
    let mut context = json!({});
    if let Some(granted) = act.choice {
        context["consent"] = json!({"categoryPreferences": {"marketing": granted}});
    }
    let (user, email) = match act.who {
        Who::Nobody => (None, None),
        Who::Address(number) => (None, Some(format!("p{number}@example.com"))),
        Who::User(number) => (Some(format!("u{number}")), Some(format!("u{number}@example.com"))),
    };
    json!({
        "type": "identify", "userId": user, "anonymousId": "d", "context": context,
        "traits": {"email": email, "city": "x".repeat(act.length)},
    })
}

fn play<'a>(acts: impl Iterator<Item = &'a (usize, Act)>) -> Service {
    let mut service = Service::new(settings());
    for (index, act) in acts {
        let at = START + i64::try_from(*index).unwrap() * HOUR;
        service.send_at(at, &format!("m{index}"), event(act));
    }
    service
}

/// The address and the choice of everybody who said who they are. When the state of a tool began may be known less well
/// beyond the bound: what is folded together counts from its first moment.
fn who_chose_what(service: &Service) -> BTreeMap<String, (Option<String>, Value)> {
    let people = service.world.people.iter().map(|(key, person)| {
        let facts = person.facts();
        let email = facts.email().map(|email| email.as_str().to_owned());
        let counted = facts.stand(&service.settings.consent.marketing).choice;
        let choice = counted.map(|counted| (counted.statement, counted.seen_at));
        (key.to_string(), (email, json!(choice)))
    });
    people.collect()
}

fn line_bytes(service: &Service) -> usize {
    let (_, line) = service.world.timelines.iter().next().unwrap();
    serde_json::to_string(line).unwrap().len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn beyond_the_bound_consent_and_email_are_the_same_for_every_order(
        acts in prop::collection::vec(act(), 80..160), seed in any::<u64>(),
    ) {
        let in_order: Vec<(usize, Act)> = acts.into_iter().enumerate().collect();
        let mut other = in_order.clone();
        other.sort_by_key(|(index, _)| (*index as u64 + 1).wrapping_mul(seed | 1));
        let (one, another) = (play(in_order.iter()), play(other.iter()));
        prop_assert_eq!(who_chose_what(&one), who_chose_what(&another));
        for service in [&one, &another] {
            prop_assert!(line_bytes(service) <= BYTES_MAX + 4_096 + 1_000);
        }
    }
}

#[test]
fn a_device_with_one_user_and_any_number_of_events_loses_nothing() {
    let mut service = Service::new(settings());
    let refused = json!({"type": "page", "anonymousId": "d", "context": marketing(false)});
    service.send(refused);
    service.send(json!({"type": "identify", "anonymousId": "d", "traits": {"phone": "+14155550142"}}));
    for _ in 0..ENTRIES_MAX * 3 {
        service.send(json!({"type": "page", "userId": "u", "anonymousId": "d"}));
    }
    let key = "user:u".parse().unwrap();
    let facts = service.world.people.get(&key).unwrap().facts().into_owned();
    assert_eq!(facts.values.get("traits.phone").unwrap().value, json!("+14155550142"));
    assert!(facts.stand(&service.settings.consent.marketing).is_denied());
}

#[test]
fn who_withdrew_on_a_device_that_many_used_since_stays_withdrawn() {
    let mut service = Service::new(settings());
    service.send(json!({"type": "page", "anonymousId": "d", "context": marketing(false)}));
    for number in 0..ENTRIES_MAX * 3 {
        service.send(json!({"type": "identify", "userId": format!("u{number}"), "anonymousId": "d"}));
    }
    let key = "user:u0".parse().unwrap();
    let facts = service.world.people.get(&key).unwrap().facts().into_owned();
    assert!(facts.stand(&service.settings.consent.marketing).is_denied());
}

#[test]
fn an_event_from_before_what_is_kept_of_its_device_says_so() {
    let mut service = Service::new(settings());
    for number in 0..ENTRIES_MAX * 2 {
        service.send(json!({"type": "identify", "userId": format!("u{number}"), "anonymousId": "d"}));
    }
    let late = json!({"type": "track", "event": "Lead Generated", "anonymousId": "d",
        "properties": {"phone": "+14155550142"}});
    let decided = service.send_at(START, "late", late);
    assert_eq!(decided.outcome, Outcome::PersonUpdated);
    assert_eq!(
        decided.reason,
        "so many people used its device since it happened that nobody can tell whose it was; it counts for nobody"
    );
    // One that says whose it is counts for them.
    let late = json!({"type": "identify", "userId": "late", "anonymousId": "d", "traits": {"email": "l@example.com"}});
    service.send_at(START, "late too", late);
    let key = "user:late".parse().unwrap();
    assert!(service.world.people.get(&key).unwrap().facts().email().is_some());
}

#[test]
fn the_trail_notes_that_statements_of_a_device_were_folded() {
    let mut service = Service::new(settings());
    let says =
        |city: usize| json!({"type": "identify", "anonymousId": "d", "traits": {"city": city.to_string()}});
    let notes: Vec<usize> = (0..ENTRIES_MAX + 2).map(|city| service.send(says(city)).notes.len()).collect();
    assert_eq!(notes[..ENTRIES_MAX], [0; ENTRIES_MAX]);
    assert_eq!(notes[ENTRIES_MAX..], [1, 1]);
}
