//! What is wrong with a mapping file: the key, the line, and what is expected there; and what makes no sense in a single
//! attribute, path or value, of whichever record.
//!
//! Must not know sections or rules.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

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

/// What is wrong with the name of an attribute: lower-case letters, or a custom field.
pub(super) fn attribute_problem(name: &str) -> Option<&'static str> {
    let custom = name.strip_prefix("custom_field.");
    let attribute = custom.unwrap_or(name);
    let named = attribute.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let wrong = attribute.is_empty() || !named || custom.is_some_and(|field| !field.starts_with("cf_"));
    wrong.then_some("is no attribute; expected lower-case letters, or \"custom_field.cf_…\"")
}

/// What is wrong with the paths of a rule.
pub(super) fn path_problem<'p>(mut paths: impl Iterator<Item = &'p str>) -> Option<String> {
    let astray = paths.find(|path| !is_path(path))?;
    Some(format!(
        "\"{astray}\" must begin with traits., properties., context. or group. and name what is in it"
    ))
}

/// Whether a text is a path into an event.
pub(super) fn is_path(text: &str) -> bool {
    text.split_once('.').is_some_and(|(root, rest)| {
        matches!(root, "traits" | "properties" | "context" | "group")
            && rest.split('.').all(|part| !part.is_empty())
    })
}

/// Ids are integers of an account; a label there is refused with the whole contact.
pub(super) fn id_problem(name: &str, value: Option<&Value>) -> Option<&'static str> {
    let is_id = name.ends_with("_id") && name != "external_id";
    let label = value.is_some_and(|value| !value.is_i64() && !value.is_u64());
    (is_id && label).then_some("must be a whole number: the id in your account, not its label")
}
