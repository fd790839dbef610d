//! Tests of the person room.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::clock::UnixMicros;
use crate::consent::{Category, Choice, Statement};
use crate::delivery::Lane;
use crate::event::{Stamp, Trust};

pub(super) fn stamp(at: i64) -> Stamp {
    Stamp { at: UnixMicros(at), message_id: format!("m{at}"), ..Stamp::default() }
}

pub(super) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn facts(at: i64, path: &str, value: &str) -> Facts {
    let mut facts = Facts::default();
    let values = BTreeMap::from([(path.to_owned(), json!(value))]);
    facts.learn(&Said { values, ..Said::default() }, &stamp(at));
    facts
}

pub(super) fn entry(at: i64, user: Option<&str>, address: Option<&str>, phone: Option<&str>) -> Entry {
    let facts = phone.map_or_else(Facts::default, |phone| facts(at, "traits.phone", phone));
    let (user, email) = (user.map(Into::into), address.map(email));
    Entry { stamp: stamp(at), user, email, facts, ..Entry::default() }
}

pub(super) fn phone_of(timeline: &Timeline, id: &PersonId) -> Option<Value> {
    Some(timeline.given().get(id)?.values.get("traits.phone")?.value.clone())
}

pub(super) fn user(id: &str) -> PersonId {
    PersonId::User(id.to_owned())
}

#[test]
fn what_an_unknown_visitor_said_becomes_the_users_who_signs_up_next() {
    let mut timeline = Timeline::default();
    timeline.insert(entry(1, None, None, Some("1")));
    assert_eq!(timeline.owner_at(&stamp(1)), None);
    timeline.insert(entry(2, Some("u"), None, None));
    assert_eq!(phone_of(&timeline, &user("u")), Some(json!("1")));
    assert_eq!(timeline.owner_at(&stamp(1)), Some(user("u")));
}

#[test]
fn two_users_of_one_browser_never_mix() {
    let mut timeline = Timeline::default();
    timeline.insert(entry(5, None, None, Some("second")));
    timeline.insert(entry(3, None, None, Some("first")));
    timeline.insert(entry(4, Some("b"), None, None));
    timeline.insert(entry(2, Some("a"), None, None));
    assert_eq!(phone_of(&timeline, &user("a")), Some(json!("first")));
    assert_eq!(phone_of(&timeline, &user("b")), Some(json!("second")));
}

#[test]
fn one_more_event_of_the_same_user_moves_nothing() {
    let mut timeline = Timeline::default();
    timeline.insert(entry(1, None, None, Some("1")));
    timeline.insert(entry(2, Some("a"), None, None));
    timeline.insert(entry(5, Some("b"), None, None));
    let moves = |at, user, phone| timeline.may_move_by(&entry(at, user, None, phone));
    assert!(!moves(3, Some("a"), None));
    assert!(moves(3, Some("b"), None));
    assert!(moves(3, None, Some("3")));
    assert!(moves(0, Some("a"), None));
    assert!(moves(5, Some("a"), None));
    assert!(!moves(6, Some("b"), None));
}

#[test]
fn an_address_without_a_user_id_ends_a_users_stretch() {
    let mut timeline = Timeline::default();
    timeline.insert(entry(1, Some("a"), None, None));
    timeline.insert(entry(2, None, Some("other@example.com"), Some("2")));
    assert_eq!(phone_of(&timeline, &user("a")), None);
    let other = PersonId::Email(email("other@example.com"));
    assert_eq!(phone_of(&timeline, &other), Some(json!("2")));
}

#[test]
fn of_the_stretches_before_the_first_user_only_the_last_is_the_users() {
    let mut timeline = Timeline::default();
    timeline.insert(entry(1, None, Some("first@example.com"), Some("1")));
    timeline.insert(entry(2, None, Some("second@example.com"), Some("2")));
    timeline.insert(entry(3, Some("u"), None, None));
    assert_eq!(phone_of(&timeline, &user("u")), Some(json!("2")));
    let first = PersonId::Email(email("first@example.com"));
    assert_eq!(phone_of(&timeline, &first), Some(json!("1")));
}

#[test]
fn the_address_of_the_traits_wins_over_one_in_properties() {
    let mut facts = Facts::default();
    let said = |address: &str, strength| Said { emails: vec![(email(address), strength)], ..Said::default() };
    facts.learn(&said("form@example.com", Strength::Property), &stamp(9));
    assert_eq!(facts.email(), Some(&email("form@example.com")));
    facts.learn(&said("own@example.com", Strength::Trait), &stamp(1));
    assert_eq!(facts.email(), Some(&email("own@example.com")));
    assert!(!facts.owns(&email("form@example.com")));
}

#[test]
fn a_friends_details_do_not_become_the_persons() {
    let mut person = Person::default();
    let own = Said { emails: vec![(email("own@example.com"), Strength::Trait)], ..Said::default() };
    person.own.learn(&own, &stamp(1));
    let values = BTreeMap::from([("properties.phone".to_owned(), json!("1"))]);
    person.name(&email("friend@example.com"), &Said { values, ..Said::default() }, &stamp(2));
    assert!(person.facts().values.is_empty());
}

#[test]
fn what_a_person_holds_of_devices_and_friends_is_of_bounded_size() {
    let mut person = Person::default();
    let fat = "x".repeat(4_000);
    for nth in 0..60 {
        person.borrow_from(&format!("d{nth}"), Some(facts(nth, &format!("traits.t{}", nth % 5), &fat)));
        let values = BTreeMap::from([("properties.phone".to_owned(), json!(fat))]);
        person.name(&email(&format!("f{nth}@example.com")), &Said { values, ..Said::default() }, &stamp(nth));
    }
    let bytes = serde_json::to_string(&person).unwrap().len();
    assert!(bytes < BORROWED_BYTES_MAX + NAMED_BYTES_MAX + 5 * 4_096, "{bytes} bytes");
    // What devices gave is kept for good.
    assert_eq!(person.facts().values.iter().count(), 5);
    assert!(person.named.contains_key(&email("f59@example.com")));
}

#[test]
fn a_person_key_reads_back_from_its_text() {
    for text in ["user:a:b/c", "shop/user:7", "email:a@example.com", "shop/anonymous:x", "//user:7"] {
        assert_eq!(text.parse::<PersonKey>().unwrap().to_string(), text);
    }
    assert!("nobody".parse::<PersonKey>().is_err());
}

fn statement(choice: Choice, value: u8) -> Statement {
    let (key, value) = ("consent.marketing".to_owned(), value.to_string());
    Statement { choice, key, value, tool: None, page: None, source: Some("website".into()) }
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let said = (0_i64..5, 0_usize..3, 0_u8..3, any::<bool>(), 0_u8..7, any::<bool>());
    prop::collection::vec(said, 0..6).prop_map(|items| {
        let mut facts = Facts::default();
        for (at, which, value, firmly, spoken, visitor) in items {
            let address = email(["a@example.com", "b@example.com", "c@example.com"][which]);
            let strength = if firmly { Strength::Trait } else { Strength::Property };
            let values = BTreeMap::from([(format!("traits.t{which}"), json!(value))]);
            let choice = [Choice::Granted, Choice::Unclear, Choice::Denied][usize::from(spoken) % 3];
            let statement = BTreeMap::from([(Category::from("marketing"), statement(choice, value))]);
            let said = Said {
                firsts: values.keys().cloned().collect(),
                values,
                emails: vec![(address, strength)],
                mapped: Some(Lane::Login),
                exempt: firmly.then_some(UnixMicros(at)),
                consent: if spoken < 3 { statement.clone() } else { BTreeMap::new() },
                consent_shown: if (3..6).contains(&spoken) { statement } else { BTreeMap::new() },
                ..Said::default()
            };
            let trust = if visitor { Trust::Visitor } else { Trust::Server };
            facts.learn(&said, &Stamp { trust, ..stamp(at) });
        }
        facts
    })
}

proptest! {
    #[test]
    fn joining_facts_is_commutative_associative_and_idempotent(
        a in any_facts(), b in any_facts(), c in any_facts(),
    ) {
        let join = |left: &Facts, right: &Facts| { let mut left = left.clone(); left.join(right); left };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        let marketing = Category::from("marketing");
        prop_assert_eq!(join(&a, &b).stand(&marketing), join(&b, &a).stand(&marketing));
        prop_assert_eq!(join(&a, &a), a);
    }

    #[test]
    fn a_time_line_is_the_same_for_every_order(
        items in prop::collection::vec((0_u8..3, 0_u8..3), 1..10), seed in any::<u64>(),
    ) {
        let entries: Vec<Entry> = items.iter().zip(0..).map(|((who, address), at)| {
            let who = ["", "u", "v"][usize::from(*who)];
            let address = ["", "a@example.com", "b@example.com"][usize::from(*address)];
            let anonymous = who.is_empty().then_some(address).filter(|text| !text.is_empty());
            entry(at, Some(who).filter(|text| !text.is_empty()), anonymous, Some(&at.to_string()))
        }).collect();
        let fold = |entries: &[Entry]| {
            let mut timeline = Timeline::default();
            for entry in entries { timeline.insert(entry.clone()); }
            timeline
        };
        let mut shuffled = entries.clone();
        shuffled.sort_by_key(|entry| entry.stamp.at.0.unsigned_abs().wrapping_mul(seed | 1));
        prop_assert_eq!(fold(&entries).given(), fold(&shuffled).given());
    }
}
