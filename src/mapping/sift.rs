//! Sifts a user's mapping file: what can't be read is taken out and named, what can stays.
//!
//! Each key is read alone, so that no mistake hides another. Must not judge what can be read: that is the check's.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::company::CompanyRule;
use super::counted::CountedRule;
use super::deals::DealRule;
use super::happenings::{EventActivity, EventNote, EventTask};
use super::lists::EventLists;
use super::preset::{COMPANY, COUNTED, DEAL, DEALS, EVENTS, FIELDS};
use super::problem::MappingProblem;
use super::rules::{EventDeal, EventField, EventRule, FieldRule};

/// Takes out of a file what can't be read and says what that is.
pub(super) fn sift(file: &mut Table) -> Vec<MappingProblem> {
    let mut problems = Vec::new();
    file.retain(|section, value| match section {
        EVENTS => each_table(&[section], value, &mut problems, sift_event),
        FIELDS => each_table(&[section], value, &mut problems, |here, field, problems| {
            sift_keys::<FieldRule>(here, field, problems);
            true
        }),
        DEALS => each_table(&[section], value, &mut problems, |here, kind, problems| {
            sift_record::<DealRule>(here, kind, problems);
            true
        }),
        COUNTED => each_table(&[section], value, &mut problems, |here, set, problems| {
            sift_keys::<CountedRule>(here, set, problems);
            true
        }),
        COMPANY => a_table(&[section], value, &mut problems).is_some_and(|company| {
            sift_record::<CompanyRule>(&[section], company, &mut problems);
            true
        }),
        _ => {
            let expected = "is not known; expected `events`, `fields`, `deals`, `counted` or `company`";
            problems.push(MappingProblem::of(&[section], expected));
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

/// Sifts what a file says of all deals of a kind, or of companies: keys, and attributes under `fields`.
fn sift_record<R: DeserializeOwned>(here: &[&str], rule: &mut Table, problems: &mut Vec<MappingProblem>) {
    rule.retain(|key, value| {
        key != FIELDS
            || each_table(&[here, &[key]].concat(), value, problems, |here, field, problems| {
                sift_keys::<FieldRule>(here, field, problems);
                true
            })
    });
    sift_keys::<R>(here, rule, problems);
}

fn sift_event(here: &[&str], event: &mut Table, problems: &mut Vec<MappingProblem>) -> bool {
    event.retain(|key, value| match key {
        DEAL => sift_part::<EventDeal>(&[here, &[key]].concat(), value, problems),
        "note" => sift_part::<EventNote>(&[here, &[key]].concat(), value, problems),
        "activity" => sift_part::<EventActivity>(&[here, &[key]].concat(), value, problems),
        "task" => sift_part::<EventTask>(&[here, &[key]].concat(), value, problems),
        "lists" => sift_part::<EventLists>(&[here, &[key]].concat(), value, problems),
        FIELDS => each_table(&[here, &[key]].concat(), value, problems, |here, field, problems| {
            // Whether it has what it needs can't be said of a part of it.
            let before = problems.len();
            sift_keys::<EventField>(here, field, problems);
            problems.len() == before
        }),
        _ => true,
    });
    sift_keys::<EventRule>(here, event, problems);
    true
}

/// Sifts one thing that an event says beside its fields; a part of it makes no sense, so it stays whole or not at all.
fn sift_part<R: DeserializeOwned>(
    here: &[&str],
    value: &mut Value,
    problems: &mut Vec<MappingProblem>,
) -> bool {
    let before = problems.len();
    let Some(part) = a_table(here, value, problems) else { return false };
    sift_keys::<R>(here, part, problems);
    problems.len() == before
}

/// Every key of a rule may be missing, so each can be read without the others.
fn sift_keys<R: DeserializeOwned>(here: &[&str], rule: &mut Table, problems: &mut Vec<MappingProblem>) {
    rule.retain(|key, value| {
        let alone = Table::from_iter([(key.to_owned(), value.clone())]);
        let read = alone.try_into::<R>();
        if let Err(error) = &read {
            problems.push(MappingProblem::of(
                &[here, &[key]].concat(),
                crate::config_problem::in_words(error.message()),
            ));
        }
        read.is_ok()
    });
}
