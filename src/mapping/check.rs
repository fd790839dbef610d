//! What makes no sense in a mapping file, each with its key and its line.
//!
//! Must not change anything: a file is taken as it is, or not at all.

use std::collections::BTreeMap;

use toml::Table;

use super::counted_check::attribute_path_problem;
use super::preset::{EMAILS, EVENTS, FIELDS, LIFECYCLE_STAGE};
use super::problem::{MappingProblem, attribute_problem, id_problem, path_problem};
use super::rules::{EventRule, FieldRule, Origin};
use crate::delivery::Lane;
use crate::event::fold_name;

/// Two lanes follow from the contact and can't be chosen for an event.
pub(super) fn event_problems(name: &str, rule: &EventRule) -> Vec<MappingProblem> {
    let mut problems = Vec::new();
    match rule.lane {
        Lane::Backfill | Lane::Refresh | Lane::Login | Lane::Conversion => {}
        Lane::NewContact | Lane::Withdrawal => problems.push(MappingProblem::of(
            &["events", name, "lane"],
            "must be conversion, login, refresh or backfill",
        )),
    }
    if rule.consent.as_ref().is_some_and(|needs| !needs.is_empty()) {
        let problem =
            "must be [], which takes the event out of consent.required; categories can't be named here";
        problems.push(MappingProblem::of(&["events", name, "consent"], problem));
    }
    for (attribute, field) in &rule.fields {
        let wrong = |key: &str, problem: &str| {
            MappingProblem::of(&["events", name, "fields", attribute, key], problem)
        };
        problems.extend(contact_attribute_problem(attribute).map(|problem| wrong("", problem)));
        problems
            .extend(path_problem(field.from.iter().map(Origin::path)).map(|problem| wrong("from", &problem)));
        problems
            .extend(id_problem(attribute, field.constant.as_ref()).map(|problem| wrong("const", problem)));
        if attribute == EMAILS {
            problems.push(wrong("", "the key of a contact is read by [fields.emails] alone"));
        }
        if field.constant.is_some() != field.from.is_empty() {
            problems.push(wrong("", "needs either `from` or `const`"));
        }
    }
    problems
}

/// What contradicts itself in a user's file, before it is laid over the built-in preset: there a `const` rightly takes the
/// place of a `from`.
pub(super) fn contradictions(file: &Table) -> Vec<MappingProblem> {
    let section = |name: &str| file.get(name).and_then(toml::Value::as_table).into_iter().flatten();
    let mut problems = Vec::new();
    for (name, rule) in section(FIELDS) {
        let reads = rule.get("from").and_then(toml::Value::as_array).is_some_and(|from| !from.is_empty());
        if reads && rule.get("const").is_some() {
            let problem = "takes the place of `from`, which stands beside it; leave one of them out";
            problems.push(MappingProblem::of(&[FIELDS, name, "const"], problem));
        }
        if rule.get("rules").is_some() && (reads || rule.get("const").is_some()) {
            let problem =
                "take the place of `from` and `const`, which stand beside them; leave one of them out";
            problems.push(MappingProblem::of(&[FIELDS, name, "rules"], problem));
        }
    }
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for (name, _) in section(EVENTS) {
        if let Some(other) = known.insert(fold_name(name), name) {
            let problem =
                format!("is the same event as {other:?}: case, spaces, `_` and `-` make no difference");
            problems.push(MappingProblem::of(&[EVENTS, name], &problem));
        }
    }
    problems
}

/// What makes no sense in the rule of an attribute.
pub(super) fn field_problems(name: &str, rule: &FieldRule) -> Vec<MappingProblem> {
    let wrong = |key: &str, problem: &str| MappingProblem::of(&["fields", name, key], problem);
    let mut problems = Vec::new();
    problems.extend(contact_attribute_problem(name).map(|problem| wrong("", problem)));
    problems.extend(attribute_path_problem(rule).map(|problem| wrong("from", &problem)));
    problems.extend(id_problem(name, rule.constant.as_ref()).map(|problem| wrong("const", problem)));
    for (word, value) in &rule.values {
        problems.extend(
            id_problem(name, Some(value))
                .map(|problem| MappingProblem::of(&["fields", name, "values", word], problem)),
        );
    }
    problems.extend(
        path_problem(rule.rules.iter().map(|choice| choice.from.as_str()))
            .map(|problem| wrong("rules", &problem)),
    );
    let chosen = rule.rules.iter().find_map(|choice| id_problem(name, Some(&choice.to)));
    problems.extend(chosen.map(|problem| wrong("rules", problem)));
    if name == EMAILS && !rule.rules.is_empty() {
        problems.push(wrong("rules", "the email is the key of a contact and can't be chosen"));
    }
    if rule.forward_only && name != LIFECYCLE_STAGE {
        problems.push(wrong("forward_only", "only lifecycle_stage has an order: take it out"));
    }
    if rule.max_chars == 0 {
        problems.push(wrong("max_chars", "must be at least 1"));
    }
    if name == EMAILS && rule.constant.is_some() {
        problems.push(wrong("const", "the email is the key of a contact and can't be fixed"));
    }
    if name == EMAILS && rule.from.is_empty() {
        problems.push(wrong("from", "without a path to an email nobody becomes a contact"));
    }
    problems
}

fn contact_attribute_problem(name: &str) -> Option<&'static str> {
    let status = (name == "subscription_status").then_some(
        "is derived from consent; its values are set by consent.subscribed and consent.unsubscribed",
    );
    attribute_problem(name).or(status)
}
