//! What makes no sense in the sets of a mapping file and in the attributes that are made of them, each with its key.
//!
//! Must not change anything.

use std::collections::BTreeMap;

use super::convert::Convert;
use super::counted::{CountedRule, EVENT_DAY};
use super::problem::{MappingProblem, is_path, path_problem};
use super::rules::{Aggregate, EventRule, FieldRule, Origin, Pick};
use crate::event::fold_name;

/// The sections that are named here, and the attribute that is the contact's key.
const COUNTED: &str = "counted";
const EVENTS: &str = "events";
const FIELDS: &str = "fields";
const EMAILS: &str = "emails";
/// Paths of a set or of an attribute of one.
const PATHS_MAX: usize = 8;

/// Everything about sets that makes no sense.
pub(super) fn counted_problems(
    counted: &BTreeMap<String, CountedRule>,
    events: &BTreeMap<String, EventRule>,
    fields: &BTreeMap<String, FieldRule>,
) -> Vec<MappingProblem> {
    let mut problems: Vec<_> =
        counted.iter().flat_map(|(set, rule)| set_problems(set, rule, events)).collect();
    let used = |set: &String| fields.values().any(|field| field.of.as_ref() == Some(set));
    let unused = counted.keys().filter(|set| !used(set));
    problems.extend(unused.map(|set| {
        let problem = format!(
            "no attribute is made of it: write aggregate = \"count\" and of = \"{set}\" in a [fields.NAME]"
        );
        MappingProblem::of(&[COUNTED, set], problem)
    }));
    for (name, field) in fields {
        problems.extend(field_problems(name, field, counted));
        let of_events = events.iter().filter(|(_, rule)| rule.fields.contains_key(name));
        let of_events = of_events.filter(|_| field.aggregate.is_some());
        problems.extend(of_events.map(|(event, _)| {
            let problem = "is made of several events by `aggregate`, so none of them says it alone";
            MappingProblem::of(&[EVENTS, event, FIELDS, name], problem)
        }));
    }
    problems
}

fn set_problems(set: &str, rule: &CountedRule, events: &BTreeMap<String, EventRule>) -> Vec<MappingProblem> {
    let wrong = |key: &str, problem: String| MappingProblem::of(&[COUNTED, set, key], problem);
    let mut problems = Vec::new();
    if rule.key.is_empty() {
        let problem = "is missing: where it stands which of them it is, such as [\"properties.order_id\"]";
        problems.push(wrong("key", problem.to_owned()));
    }
    if rule.events.is_empty() {
        let problem = "is missing: the events by which one counts, such as [\"Order Completed\"]";
        problems.push(wrong("events", problem.to_owned()));
    }
    for (key, paths) in [("key", &rule.key), ("currency", &rule.currency)] {
        let paths = paths.iter().map(String::as_str);
        problems.extend(path_problem(paths).map(|problem| wrong(key, problem)));
    }
    let mapped =
        |name: &String| events.iter().any(|(event, rule)| rule.send && fold_name(event) == fold_name(name));
    for (key, names) in [("events", &rule.events), ("undone_by", &rule.undone_by)] {
        let strange = names.iter().filter(|name| !mapped(name));
        problems.extend(strange.map(|name| {
            wrong(key, format!("\"{name}\" is no mapped event: add [events.\"{name}\"], or correct the name"))
        }));
    }
    let both = rule
        .events
        .iter()
        .find(|name| rule.undone_by.iter().any(|undoing| fold_name(undoing) == fold_name(name)));
    problems.extend(both.map(|name| wrong("undone_by", format!("\"{name}\" stands in `events` too"))));
    problems
}

fn field_problems(
    name: &str,
    field: &FieldRule,
    counted: &BTreeMap<String, CountedRule>,
) -> Vec<MappingProblem> {
    let wrong = |key: &str, problem: &str| MappingProblem::of(&[FIELDS, name, key], problem);
    let mut problems = Vec::new();
    let known: Vec<&str> = counted.keys().map(String::as_str).collect();
    let known = if known.is_empty() { "there is no [counted.SET]".to_owned() } else { known.join(", ") };
    if let Some(set) = field.of.as_ref().filter(|set| !counted.contains_key(*set)) {
        problems.push(wrong("of", &format!("\"{set}\" is no set; known: {known}")));
    }
    let Some(aggregate) = field.aggregate else {
        if field.of.is_some() {
            problems.push(wrong("aggregate", "is missing beside `of`: count, sum, last or first"));
        }
        return problems;
    };
    let word = aggregate.word();
    if name == EMAILS {
        problems.push(wrong("aggregate", "the email is the key of a contact and can't be added up"));
    }
    if field.of.is_none() && aggregate.needs_set() {
        let problem = format!("is missing beside aggregate = \"{word}\": what to take it over; {known}");
        problems.push(wrong("of", &problem));
    }
    if field.constant.is_some() || !field.rules.is_empty() {
        problems.push(wrong("aggregate", "takes the place of `const` and `rules`; leave one of them out"));
    }
    if field.pick != Pick::default() {
        problems.push(wrong("pick", "stands beside `aggregate`, which says it already; take it out"));
    }
    if field.from.len() > PATHS_MAX {
        problems.push(wrong("from", &format!("has more than {PATHS_MAX} paths")));
    }
    match aggregate {
        Aggregate::Count if !field.from.is_empty() => {
            problems.push(wrong("from", "a count reads nothing: take it out"));
        }
        Aggregate::Sum | Aggregate::Last | Aggregate::First if field.from.is_empty() => {
            problems.push(wrong("from", &format!("is missing beside aggregate = \"{word}\"")));
        }
        Aggregate::Sum if !field.from.iter().all(|origin| is_number(origin.convert(field.convert))) => {
            let problem =
                "a sum needs numbers: write convert = \"money\", \"money_cents\", \"number\" or \"integer\"";
            problems.push(wrong("convert", problem));
        }
        Aggregate::Sum if !field.values.is_empty() => {
            problems.push(wrong("values", "a sum needs numbers: take them out"));
        }
        Aggregate::Count | Aggregate::Sum | Aggregate::Last | Aggregate::First => {}
    }
    problems
}

/// Whether a path may stand in `from` of a contact's attribute.
pub(super) fn attribute_path_problem(field: &FieldRule) -> Option<String> {
    let paths = field.from.iter().map(Origin::path);
    let astray = paths.filter(|path| *path != EVENT_DAY && !is_path(path)).collect::<Vec<_>>();
    let of_event = astray.first().is_some_and(|path| path.starts_with("event."));
    let else_day = if of_event { format!(", or be {EVENT_DAY}") } else { String::new() };
    path_problem(astray.into_iter()).map(|problem| problem + else_day.as_str())
}

fn is_number(convert: Convert) -> bool {
    match convert {
        Convert::Integer | Convert::Number | Convert::Money | Convert::MoneyCents => true,
        Convert::Text
        | Convert::Lower
        | Convert::Phone
        | Convert::Boolean
        | Convert::Date
        | Convert::Tags
        | Convert::Address
        | Convert::Name
        | Convert::FirstName
        | Convert::LastName => false,
    }
}
