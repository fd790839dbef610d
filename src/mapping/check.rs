//! What makes no sense in a mapping file, each with its key and its line.
//!
//! Must not change anything: a file is taken as it is, or not at all.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::Table;
use toml::de::{DeTable, DeValue};

use super::preset::{EMAILS, EVENTS, FIELDS};
use super::rules::{EventRule, FieldRule, Origin};
use crate::delivery::Lane;
use crate::event::fold_name;

/// What is wrong with a mapping file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingProblem {
    /// Not TOML: the text names and shows the line.
    #[error("{0}")]
    Unreadable(String),
    /// A key that does not exist, has a value of the wrong type or makes no sense.
    #[error("{}{}: {problem}", .line.map(|line| format!("line {line}, ")).unwrap_or_default(), .key.join("."))]
    Wrong {
        /// The key, level by level.
        key: Vec<String>,
        /// Where the user's file says it, from 1; `None` where it does not.
        line: Option<usize>,
        /// What is wrong and what is expected.
        problem: String,
    },
}

impl MappingProblem {
    /// A problem of a key, level by level; an empty level is none.
    pub(super) fn of(key: &[&str], problem: impl Into<String>) -> Self {
        let key = key.iter().filter(|level| !level.is_empty()).map(|level| (*level).to_owned()).collect();
        Self::Wrong { key, line: None, problem: problem.into() }
    }

    /// Where it stands in the user's file.
    pub(super) fn line(&self) -> Option<usize> {
        match self {
            Self::Unreadable(_) => None,
            Self::Wrong { line, .. } => *line,
        }
    }

    /// The problem with the line at which a text says its key, or the nearest level above it.
    #[must_use]
    pub(super) fn found_in(self, text: &str) -> Self {
        match self {
            Self::Unreadable(why) => Self::Unreadable(why),
            Self::Wrong { key, problem, .. } => Self::Wrong { line: line_of(text, &key), key, problem },
        }
    }
}

/// The line of the deepest level of a key that a text has.
fn line_of(text: &str, key: &[String]) -> Option<usize> {
    let file = DeTable::parse(text).ok()?;
    let (mut table, mut start) = (Some(file.get_ref()), None);
    for level in key {
        let found = table.and_then(|table| table.iter().find(|(name, _)| name.get_ref() == level));
        let Some((name, value)) = found else { break };
        start = Some(name.span().start);
        table = match value.get_ref() {
            DeValue::Table(inner) => Some(inner),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => None,
        };
    }
    Some(text.get(..start?)?.matches('\n').count() + 1)
}

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
        problems.extend(attribute_problem(attribute).map(|problem| wrong("", problem)));
        problems.extend(path_problem(&field.from).map(|problem| wrong("from", &problem)));
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
    problems.extend(attribute_problem(name).map(|problem| wrong("", problem)));
    problems.extend(path_problem(&rule.from).map(|problem| wrong("from", &problem)));
    problems.extend(id_problem(name, rule.constant.as_ref()).map(|problem| wrong("const", problem)));
    for (word, value) in &rule.values {
        problems.extend(
            id_problem(name, Some(value))
                .map(|problem| MappingProblem::of(&["fields", name, "values", word], problem)),
        );
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

fn attribute_problem(name: &str) -> Option<&'static str> {
    let custom = name.strip_prefix("custom_field.");
    let attribute = custom.unwrap_or(name);
    let named = attribute.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if attribute.is_empty() || !named || custom.is_some_and(|field| !field.starts_with("cf_")) {
        return Some("is no attribute; expected lower-case letters, or \"custom_field.cf_…\"");
    }
    (name == "subscription_status").then_some(
        "is derived from consent; its values are set by consent.subscribed and consent.unsubscribed",
    )
}

fn path_problem(from: &[Origin]) -> Option<String> {
    let inside = |path: &&str| {
        path.split_once('.').is_some_and(|(root, rest)| {
            matches!(root, "traits" | "properties" | "context" | "group")
                && rest.split('.').all(|part| !part.is_empty())
        })
    };
    let astray = from.iter().map(Origin::path).find(|path| !inside(path))?;
    Some(format!(
        "\"{astray}\" must begin with traits., properties., context. or group. and name what is in it"
    ))
}

/// Ids are integers of an account; a label there is refused with the whole contact.
fn id_problem(name: &str, value: Option<&Value>) -> Option<&'static str> {
    let is_id = name.ends_with("_id") && name != "external_id";
    let label = value.is_some_and(|value| !value.is_i64() && !value.is_u64());
    (is_id && label).then_some("must be a whole number: the id in your account, not its label")
}
