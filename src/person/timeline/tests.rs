//! Tests of time lines beyond their bound.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::person::tests::{email, entry, phone_of, stamp, user};

fn filled(entries: impl IntoIterator<Item = Entry>) -> Timeline {
    let mut timeline = Timeline::default();
    for entry in entries {
        timeline.insert(entry);
    }
    timeline
}

fn moments(count: i64) -> impl Iterator<Item = (i64, String)> {
    (1..=count).map(|at| (at, at.to_string()))
}

fn bytes(timeline: &Timeline) -> usize {
    serde_json::to_string(timeline).unwrap().len()
}

#[test]
fn a_visitor_who_says_much_becomes_the_user_who_signs_up_with_the_newest_of_all() {
    let mut timeline = filled(moments(500).map(|(at, phone)| entry(at, None, None, Some(&phone))));
    assert_eq!(timeline.entries.len(), ENTRIES_MAX);
    timeline.insert(entry(9_999, Some("u"), None, None));
    assert_eq!(phone_of(&timeline, &user("u")), Some(json!("500")));
    assert!(!timeline.knows_not_all());
}

#[test]
fn of_a_fat_visitor_the_newest_of_each_path_stays() {
    let fat = |at: i64| entry(at, None, None, Some(&format!("{at}{}", "x".repeat(4_000))));
    let timeline = filled((1..=100).map(fat));
    assert!(bytes(&timeline) < BYTES_MAX + 1_000, "{} bytes", bytes(&timeline));
    assert_eq!(timeline.owner_at(&stamp(3)), None);
    let mut told = timeline.clone();
    told.insert(entry(101, Some("u"), None, None));
    assert!(phone_of(&told, &user("u")).unwrap().as_str().unwrap().starts_with("100"));
}

#[test]
fn that_something_was_folded_is_told_where_it_said_something() {
    let mut timeline = filled(moments(64).map(|(at, phone)| entry(at, None, None, Some(&phone))));
    assert!(timeline.insert(entry(65, None, None, Some("65"))).folded);
    let mut timeline = filled((1..=64).map(|at| entry(at, Some("u"), None, None)));
    assert_eq!(timeline.insert(entry(65, Some("u"), None, None)), Inserted::default());
    assert_eq!(timeline.entries.len(), ENTRIES_MAX);
}

#[test]
fn a_late_cut_inside_what_was_folded_leaves_all_of_it_to_whom_it_belongs() {
    let mut timeline = filled([entry(1, Some("a"), None, None)]);
    for (at, phone) in moments(100).skip(1) {
        timeline.insert(entry(at, None, None, Some(&phone)));
    }
    let given = timeline.given();
    timeline.insert(entry(10, Some("b"), None, None));
    timeline.insert(entry(11, None, Some("other@example.com"), Some("11")));
    assert_eq!(timeline.given(), given);
    // Where they still stand by themselves, it cuts as ever.
    timeline.insert(entry(90, Some("b"), None, None));
    assert_eq!(phone_of(&timeline, &user("a")), Some(json!("89")));
    assert_eq!(phone_of(&timeline, &user("b")), Some(json!("100")));
}

#[test]
fn a_late_user_takes_what_was_folded_and_is_nobodys_yet() {
    let mut timeline = filled(moments(100).map(|(at, phone)| entry(at, None, None, Some(&phone))));
    timeline.insert(entry(10, Some("u"), None, None));
    timeline.insert(entry(9, Some("v"), None, None));
    assert_eq!(phone_of(&timeline, &user("u")), Some(json!("100")));
    assert_eq!(phone_of(&timeline, &user("v")), None);
}

#[test]
fn what_is_let_go_of_is_for_good_of_whom_it_was_given_to() {
    let mut timeline = Timeline::default();
    let mut kept: BTreeMap<PersonId, Facts> = BTreeMap::new();
    for number in 0..200 {
        let (at, id) = (number * 2, format!("u{number}"));
        for entry in [entry(at, Some(&id), None, None), entry(at + 1, None, None, Some(&id))] {
            for (owner, facts) in timeline.insert(entry).let_go {
                kept.entry(owner).or_default().join(&facts);
            }
        }
    }
    assert!(timeline.entries.len() <= ENTRIES_MAX);
    for (owner, facts) in timeline.given() {
        kept.entry(owner).or_default().join(&facts);
    }
    assert_eq!(kept.len(), 200);
    for (owner, facts) in kept {
        assert_eq!(
            PersonId::User(facts.values.get("traits.phone").unwrap().value.as_str().unwrap().into()),
            owner
        );
    }
}

#[test]
fn what_comes_late_from_before_all_that_is_kept_belongs_to_nobody() {
    let mut timeline = filled((0..1_000).map(|at| entry(at, Some(&format!("u{at}")), None, None)));
    assert_eq!(timeline.entries.len(), ENTRIES_MAX);
    assert!(timeline.knows_not_all());
    let before = timeline.clone();
    assert!(timeline.insert(entry(5, None, None, Some("5"))).too_early);
    assert_eq!(timeline, before);
    assert_eq!(timeline.owner_at(&stamp(5)), None);
    assert_eq!(timeline.owner_at(&stamp(999)), Some(user("u999")));
}

#[test]
fn an_address_leads_to_the_first_user_alone_however_much_was_let_go_of() {
    let many = (1..=100).map(|at| entry(at, None, Some(&format!("p{at}@example.com")), Some("1")));
    let mut timeline = filled(many.clone());
    timeline.insert(entry(101, Some("u"), None, None));
    assert!(phone_of(&timeline, &user("u")).is_some());
    let mut timeline = filled(std::iter::once(entry(0, Some("v"), None, None)).chain(many));
    timeline.insert(entry(101, Some("u"), None, None));
    assert_eq!(phone_of(&timeline, &user("u")), None);
}

#[test]
fn who_was_erased_stays_between_those_who_remain() {
    let mut timeline = filled([
        entry(1, None, None, Some("1")),
        entry(2, None, Some("gone@example.com"), Some("2")),
        entry(3, Some("gone"), None, None),
    ]);
    let spans = timeline.spans_of(|id| *id == user("gone"));
    timeline.cut(&spans);
    for (at, phone) in moments(300).skip(5) {
        timeline.insert(entry(at, None, None, Some(&phone)));
    }
    timeline.insert(entry(999, Some("u"), None, None));
    assert!(timeline.entries.len() <= ENTRIES_MAX);
    // Who came after somebody who was erased is not led to by what an unknown visitor said.
    assert_eq!(phone_of(&timeline, &user("u")), None);
}

#[test]
fn of_people_who_only_passed_by_nobody_is_touched() {
    let timeline = filled((0..100).map(|at| entry(at, Some(&format!("u{at}")), None, None)));
    assert_eq!(timeline.may_be_given([&stamp(200)]), BTreeSet::from([user("u99")]));
    assert_eq!(timeline.may_be_given([&stamp(97)]), BTreeSet::from([user("u97"), user("u98")]));
}

#[test]
fn an_erasure_in_the_oldest_part_keeps_the_mark_that_more_was_there() {
    let mut timeline = filled((0..100).map(|at| entry(at, Some(&format!("u{at}")), None, None)));
    let oldest = timeline.people().next().unwrap();
    let spans = timeline.spans_of(|id| *id == oldest);
    timeline.cut(&spans);
    assert!(timeline.knows_not_all());
    assert!(timeline.people().all(|id| id != oldest));
}

#[test]
fn a_time_line_of_an_earlier_version_is_folded_when_it_is_written() {
    let entries: Vec<_> = (0..500).map(|at| entry(at, None, None, Some(&at.to_string()))).collect();
    let stored = serde_json::to_string(&entries).unwrap();
    let mut timeline: Timeline = serde_json::from_str(&stored).unwrap();
    assert_eq!(timeline.entries, entries);
    timeline.insert(entry(500, Some("u"), None, None));
    assert_eq!(timeline.entries.len(), ENTRIES_MAX);
    assert_eq!(phone_of(&timeline, &user("u")), Some(json!("499")));
    let again: Timeline = serde_json::from_str(&serde_json::to_string(&timeline).unwrap()).unwrap();
    assert_eq!(again, timeline);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_is_said_in_whatever_order_a_time_line_is_of_bounded_size(
        items in prop::collection::vec((0_i64..400, 0_u8..12, 0_u8..6, 0_usize..6_000), 1..300),
    ) {
        let mut timeline = Timeline::default();
        for (at, who, address, length) in items {
            let who = (who > 3).then(|| format!("u{who}"));
            let address = (who.is_none() && address > 2).then(|| format!("p{address}@example.com"));
            let phone = who.is_none().then(|| "x".repeat(length));
            timeline.insert(entry(at, who.as_deref(), address.as_deref(), phone.as_deref()));
            prop_assert!(timeline.entries.len() <= ENTRIES_MAX);
            prop_assert!(bytes(&timeline) <= BYTES_MAX + 6_000 + 1_000, "{} bytes", bytes(&timeline));
            prop_assert!(timeline.entries.is_sorted_by(|one, next| one.until.as_ref().unwrap_or(&one.stamp) < &next.stamp));
            prop_assert!(timeline.entries.iter().skip(1).all(|entry| entry.before.is_none()));
        }
    }
}

/// A few people at one device at a few moments, so that things collide.
fn few() -> impl Strategy<Value = Entry> {
    (0_i64..40, 0_u8..6, 0_u8..5, any::<bool>(), prop::bool::weighted(0.03)).prop_map(
        |(at, who, address, says, gone)| {
            let who = (who > 2).then(|| format!("u{who}"));
            let address = (who.is_none() && address > 2).then(|| format!("p{address}@example.com"));
            let phone = (who.is_none() && says).then(|| at.to_string());
            Entry { gone, ..entry(at, who.as_deref(), address.as_deref(), phone.as_deref()) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whoever_is_given_something_else_was_foreseen(
        known in prop::collection::vec(few(), 0..20), batch in prop::collection::vec((few(), any::<bool>()), 1..6),
        crowded in any::<bool>(),
    ) {
        // So many that what follows makes the oldest go.
        let crowd = (0..70).map(|at| entry(-70 + at, Some(&format!("c{at}")), None, None));
        let crowd = crowd.flat_map(|cut| [entry(cut.stamp.at.0, None, None, Some("1")), cut]);
        let mut line = filled(crowd.take(if crowded { 140 } else { 0 }).chain(known));
        let mut foreseen = line.may_be_given(batch.iter().map(|(entry, _)| &entry.stamp));
        for (entry, _) in &batch {
            foreseen.extend(entry.user.clone().map(PersonId::User));
            foreseen.extend(entry.email.clone().map(PersonId::Email));
        }
        for (entry, _) in batch.into_iter().filter(|(_, counts)| *counts) {
            let before = line.given();
            let inserted = line.insert(entry);
            let after = line.given();
            let touched = before.keys().chain(after.keys()).filter(|id| before.get(*id) != after.get(*id));
            for id in touched.chain(inserted.let_go.keys()) {
                prop_assert!(foreseen.contains(id), "{id:?} is not among {foreseen:?}");
            }
        }
    }
}

#[test]
fn forgetting_an_address_takes_it_from_what_was_folded_too() {
    let address = "form@example.com";
    let mut timeline = filled(moments(100).map(|(at, phone)| entry(at, None, Some(address), Some(&phone))));
    assert!(timeline.forget_email(&email(address)));
    assert!(!serde_json::to_string(&timeline).unwrap().contains(address));
}
