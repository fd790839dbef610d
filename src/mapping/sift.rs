//! Sifts a user's mapping file: what can't be read is taken out and named, what can stays.
//!
//! Each key is read alone, so that no mistake hides another. Must not judge what can be read: that is the check's.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::check::MappingProblem;
use super::preset::{EVENTS, FIELDS};
use super::rules::{EventField, EventRule, FieldRule};

/// Takes out of a file what can't be read and says what that is.
pub(super) fn sift(file: &mut Table) -> Vec<MappingProblem> {
    let mut problems = Vec::new();
    file.retain(|section, value| match section {
        EVENTS => each_table(&[section], value, &mut problems, sift_event),
        FIELDS => each_table(&[section], value, &mut problems, |here, field, problems| {
            sift_keys::<FieldRule>(here, field, problems);
            true
        }),
        _ => {
            problems.push(MappingProblem::of(&[section], "is not known; expected `events` or `fields`"));
            false
        }
    });
    problems
}

/// Sifts a table of tables; `sift` answers whether one of them may stay. Answers whether it is such a table.
fn each_table(
    here: &[&str],
    value: &mut Value,
    problems: &mut Vec<MappingProblem>,
    sift: fn(&[&str], &mut Table, &mut Vec<MappingProblem>) -> bool,
) -> bool {
    let Some(tables) = a_table(here, value, problems) else { return false };
    tables.retain(|name, value| {
        let here = [here, &[name]].concat();
        a_table(&here, value, problems).is_some_and(|table| sift(&here, table, problems))
    });
    true
}

fn a_table<'v>(
    here: &[&str],
    value: &'v mut Value,
    problems: &mut Vec<MappingProblem>,
) -> Option<&'v mut Table> {
    let table = value.as_table_mut();
    if table.is_none() {
        problems.push(MappingProblem::of(here, "must be a table of keys"));
    }
    table
}

fn sift_event(here: &[&str], event: &mut Table, problems: &mut Vec<MappingProblem>) -> bool {
    event.retain(|key, value| {
        let says_fields = key == FIELDS;
        !says_fields
            || each_table(&[here, &[key]].concat(), value, problems, |here, field, problems| {
                // Whether it has what it needs can't be said of a part of it.
                let before = problems.len();
                sift_keys::<EventField>(here, field, problems);
                problems.len() == before
            })
    });
    sift_keys::<EventRule>(here, event, problems);
    true
}

/// Every key of a rule may be missing, so each can be read without the others.
fn sift_keys<R: DeserializeOwned>(here: &[&str], rule: &mut Table, problems: &mut Vec<MappingProblem>) {
    rule.retain(|key, value| {
        let alone = Table::from_iter([(key.to_owned(), value.clone())]);
        let read = alone.try_into::<R>();
        if let Err(error) = &read {
            problems.push(MappingProblem::of(&[here, &[key]].concat(), error.message()));
        }
        read.is_ok()
    });
}
