//! What stands of statements and states, in whatever order they come.

use super::*;
use crate::clock::UnixMicros;
use crate::event::{SourceName, Stamp, Stamped};

const YES: Choice = Choice::Granted;
const NO: Choice = Choice::Denied;
const WHAT: Choice = Choice::Unclear;

fn stamp(at: i64) -> Stamp {
    Stamp { at: UnixMicros(at), message_id: format!("m{at}"), ..Stamp::default() }
}

fn statement(choice: Choice) -> Statement {
    let (key, value) = ("consent.marketing".to_owned(), format!("{choice:?}"));
    Statement { choice, key, value, tool: None, page: None, source: Some("website".into()) }
}

/// What was said at each moment, and what a tool showed at each.
fn spoken(said: &[(i64, Choice)], shown: &[(i64, Choice)]) -> Spoken {
    let mut spoken = Spoken::default();
    for (at, choice) in said {
        let one = Some(Stamped { value: statement(*choice), stamp: stamp(*at) });
        let one = match choice {
            Choice::Unclear => Spoken { unclear: one, ..Spoken::default() },
            Choice::Granted | Choice::Denied => Spoken { said: one, ..Spoken::default() },
        };
        spoken.join(&one);
    }
    for (at, choice) in shown {
        spoken.shown.see(&statement(*choice), &stamp(*at));
    }
    spoken
}

/// The choice that counts, and whether something that was not understood is newer.
fn stand(said: &[(i64, Choice)], shown: &[(i64, Choice)]) -> (Option<Choice>, bool) {
    let stand = spoken(said, shown).stand();
    (stand.choice.map(|counted| counted.statement.choice), stand.unclear.is_some())
}

#[test]
fn the_newest_that_was_said_counts() {
    assert_eq!(stand(&[(1, YES), (2, NO)], &[]), (Some(NO), false));
    assert_eq!(stand(&[(2, YES), (1, NO)], &[]), (Some(YES), false));
    assert_eq!(stand(&[], &[]), (None, false));
}

#[test]
fn a_state_that_merely_stands_never_overturns_a_refusal_said_after_it_began() {
    assert_eq!(stand(&[(5, NO)], &[(1, YES), (4, YES), (6, YES), (9, YES)]), (Some(NO), false));
    // Nor a yes that was said after it began.
    assert_eq!(stand(&[(5, YES)], &[(1, NO), (9, NO)]), (Some(YES), false));
}

#[test]
fn a_state_that_changed_after_a_refusal_is_a_yes() {
    assert_eq!(stand(&[(5, NO)], &[(6, YES)]), (Some(YES), false));
    assert_eq!(stand(&[(5, NO)], &[(1, NO), (4, NO), (7, YES)]), (Some(YES), false));
    assert_eq!(stand(&[(5, NO)], &[(1, YES), (6, NO), (7, YES)]), (Some(YES), false));
}

#[test]
fn a_box_that_is_ticked_after_a_refusal_is_a_yes() {
    assert_eq!(stand(&[(5, NO), (6, YES)], &[(1, YES), (9, YES)]), (Some(YES), false));
}

#[test]
fn a_state_that_changes_to_no_withdraws() {
    assert_eq!(stand(&[(2, YES)], &[(1, YES), (3, NO)]), (Some(NO), false));
}

#[test]
fn what_is_not_understood_holds_until_a_newer_yes_or_no_and_ends_neither() {
    assert_eq!(stand(&[(1, YES), (2, WHAT)], &[]), (Some(YES), true));
    assert_eq!(stand(&[(1, NO), (2, WHAT)], &[]), (Some(NO), true));
    assert_eq!(stand(&[(3, YES), (2, WHAT)], &[]), (Some(YES), false));
    assert_eq!(stand(&[(2, WHAT)], &[]), (None, true));
    // A tool that shows something else again lets go of it.
    assert_eq!(stand(&[], &[(1, YES), (2, WHAT)]), (Some(YES), true));
    assert_eq!(stand(&[], &[(1, YES), (2, WHAT), (3, YES)]), (Some(YES), false));
    // It is no change from a refusal.
    assert_eq!(stand(&[(4, NO)], &[(1, YES), (5, WHAT), (6, YES)]), (Some(NO), false));
}

#[test]
fn a_refusal_kept_by_a_version_that_told_no_kinds_apart_is_not_overturned_by_what_may_have_stood_there() {
    let mut old = spoken(&[(5, NO)], &[(6, YES)]);
    old.said.as_mut().unwrap().value.source = None;
    assert_eq!(old.stand().choice.unwrap().statement.choice, NO);
    old.shown.see(&statement(NO), &stamp(7));
    old.shown.see(&statement(YES), &stamp(8));
    assert_eq!(old.stand().choice.unwrap().statement.choice, YES);
}

#[test]
fn of_several_people_the_newest_statement_counts() {
    let one = || spoken(&[(5, NO)], &[]).stand();
    let other = |shown: &[(i64, Choice)]| spoken(&[], shown).stand();
    let over = |people: Vec<Stand>| Stand::over(people).choice.unwrap().statement.choice;
    assert_eq!(over(vec![one(), other(&[(1, YES), (9, YES)])]), NO);
    assert_eq!(over(vec![other(&[(6, YES)]), one()]), YES);
    let unclear = Stand::over(vec![spoken(&[(4, WHAT)], &[]).stand(), one()]);
    assert_eq!(unclear.unclear, None);
}

#[test]
fn a_tally_counts_the_last_hour_of_each_source() {
    let (shop, app) = (SourceName("shop".into()), SourceName("app".into()));
    let minute = |nth: i64| UnixMicros(nth * 60_000_000);
    let mut tally = Tally::default();
    tally.add(&shop, 6, minute(0));
    tally.add(&shop, 5, minute(30));
    tally.add(&app, 10, minute(30));
    assert_eq!(tally.last_hour(10, minute(59)), [(shop.clone(), 11)].into());
    assert_eq!(tally.last_hour(10, minute(60)), [].into());
    tally.add(&shop, 6, minute(61));
    assert_eq!(tally.last_hour(10, minute(61)), [(shop, 11)].into());
}
