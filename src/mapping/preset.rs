//! The preset: the mapping as data, the built-in one with a user's file merged over it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::convert::Convert;
use crate::delivery::Lane;

/// The built-in preset.
const DEFAULT: &str = include_str!("../../config/mapping.toml");
/// The attribute that is the contact's key.
pub(super) const EMAILS: &str = "emails";
const MAX_CHARS: usize = 255;

/// What is wrong with a mapping file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingProblem {
    /// Not TOML, a key that does not exist, or a value of the wrong type; the text names line and key.
    #[error("{0}")]
    Unreadable(String),
    /// A key that can be read but makes no sense.
    #[error("{key}: {problem}")]
    Wrong {
        /// The dotted key.
        key: String,
        /// What is wrong and what is expected.
        problem: String,
    },
}

/// When a field is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Whenever it is known.
    #[default]
    Always,
    /// Only while Freshsales does not have the contact.
    Create,
    /// Not at all.
    Never,
}

/// What a mapped event is worth.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The lane of what is owed for it.
    #[serde(default = "refresh")]
    pub lane: Lane,
    /// Whether it counts at all.
    #[serde(default = "yes")]
    pub send: bool,
}

fn refresh() -> Lane {
    Lane::Refresh
}

fn yes() -> bool {
    true
}

/// A path that an attribute is read from, with a conversion of its own where it needs one: a full name is split, a
/// first name is not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a path, or { path = \"…\", convert = \"…\" }")]
pub enum Origin {
    /// Just the path.
    Path(String),
    /// A path and how what stands there is converted.
    Converted(ConvertedPath),
}

/// A path with a conversion of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvertedPath {
    path: String,
    convert: Convert,
}

impl Origin {
    /// The dotted path.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Path(path) => path,
            Self::Converted(converted) => &converted.path,
        }
    }

    /// The conversion of its own, else that of the rule.
    #[must_use]
    pub fn convert(&self, rule: Convert) -> Convert {
        match self {
            Self::Path(_) => rule,
            Self::Converted(converted) => converted.convert,
        }
    }
}

/// Where an attribute comes from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// Paths in an event.
    #[serde(default)]
    pub from: Vec<Origin>,
    /// A fixed value in place of `from`.
    #[serde(default, rename = "const")]
    pub constant: Option<Value>,
    /// What is sent for what stands there, by its text in lower case.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
    /// How the value is converted.
    #[serde(default)]
    pub convert: Convert,
    /// When it is sent.
    #[serde(default)]
    pub when: When,
    /// Longer text is cut.
    #[serde(default = "max_chars")]
    pub max_chars: usize,
}

fn max_chars() -> usize {
    MAX_CHARS
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    events: BTreeMap<String, EventRule>,
    fields: BTreeMap<String, FieldRule>,
}

/// The mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    events: BTreeMap<String, EventRule>,
    pub(super) fields: BTreeMap<String, FieldRule>,
    email_paths: Vec<String>,
    trait_paths: BTreeSet<String>,
    event_paths: BTreeSet<String>,
}

impl Preset {
    /// The built-in preset with a user's file merged over it.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn parse(user_file: Option<&str>) -> Result<Self, Vec<MappingProblem>> {
        let unreadable = |error: &toml::de::Error| vec![MappingProblem::Unreadable(error.to_string())];
        let mut tables: toml::Table = toml::from_str(DEFAULT).map_err(|error| unreadable(&error))?;
        if let Some(text) = user_file {
            // Read on its own first, so that an error names the line in the user's file.
            toml::from_str::<UserFile>(text).map_err(|error| unreadable(&error))?;
            merge(&mut tables, toml::from_str(text).map_err(|error| unreadable(&error))?);
        }
        let file: File = tables.try_into().map_err(|error| unreadable(&error))?;
        Self::from_file(file)
    }

    fn from_file(file: File) -> Result<Self, Vec<MappingProblem>> {
        let mut problems: Vec<_> =
            file.fields.iter().flat_map(|(name, rule)| field_problems(name, rule)).collect();
        problems.extend(file.events.iter().filter_map(|(name, rule)| event_problem(name, rule)));
        if !problems.is_empty() {
            return Err(problems);
        }
        let events = file.events.into_iter().map(|(name, rule)| (fold_name(&name), rule)).collect();
        // The email is kept as a claim, not as a value.
        let valued = file.fields.iter().filter(|(name, _)| *name != EMAILS);
        let paths: BTreeSet<String> = valued.flat_map(|(_, rule)| paths_of(rule)).collect();
        let (trait_paths, event_paths) = paths.into_iter().partition(|path| path.starts_with("traits."));
        let email_paths = file.fields.get(EMAILS).map(|rule| paths_of(rule).collect()).unwrap_or_default();
        Ok(Self { events, fields: file.fields, email_paths, trait_paths, event_paths })
    }

    /// The rule of an event, by its name or the word of its kind; `None` when it is not mapped.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&EventRule> {
        self.events.get(&fold_name(name)).filter(|rule| rule.send)
    }

    /// The paths of the contact's key, the first of them first.
    #[must_use]
    pub fn email_paths(&self) -> &[String] {
        &self.email_paths
    }

    /// The paths under `traits`, which every event may speak about.
    pub fn trait_paths(&self) -> impl Iterator<Item = &str> {
        self.trait_paths.iter().map(String::as_str)
    }

    /// The paths under `properties` and `context`, which count in mapped events.
    pub fn event_paths(&self) -> impl Iterator<Item = &str> {
        self.event_paths.iter().map(String::as_str)
    }
}

/// A user's file: everything may be missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserFile {
    #[serde(default, rename = "events")]
    _events: BTreeMap<String, EventRule>,
    #[serde(default, rename = "fields")]
    _fields: BTreeMap<String, FieldRule>,
}

fn paths_of(rule: &FieldRule) -> impl Iterator<Item = String> + '_ {
    rule.from.iter().map(|origin| origin.path().to_owned())
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Names match without regard to case, spaces, `_` and `-`.
fn fold_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Two lanes follow from the contact and can't be chosen for an event.
fn event_problem(name: &str, rule: &EventRule) -> Option<MappingProblem> {
    match rule.lane {
        Lane::Backfill | Lane::Refresh | Lane::Login | Lane::Conversion => None,
        Lane::NewContact | Lane::Withdrawal => Some(MappingProblem::Wrong {
            key: format!("events.{name}.lane"),
            problem: "must be conversion, login, refresh or backfill".to_owned(),
        }),
    }
}

fn field_problems(name: &str, rule: &FieldRule) -> Vec<MappingProblem> {
    let wrong = |key: &str, problem: &str| MappingProblem::Wrong {
        key: format!("fields.{name}{key}"),
        problem: problem.to_owned(),
    };
    let mut problems = Vec::new();
    let custom = name.strip_prefix("custom_field.");
    let attribute = custom.unwrap_or(name);
    let named = attribute.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if attribute.is_empty() || !named || custom.is_some_and(|field| !field.starts_with("cf_")) {
        problems.push(wrong("", "is no attribute; expected lower-case letters, or \"custom_field.cf_…\""));
    }
    if name == "subscription_status" {
        problems.push(wrong(
            "",
            "is derived from consent; its values are set by consent.subscribed and consent.unsubscribed",
        ));
    }
    let astray = |path: &&str| {
        let inside = path.split_once('.').is_some_and(|(root, rest)| {
            matches!(root, "traits" | "properties" | "context")
                && rest.split('.').all(|part| !part.is_empty())
        });
        !inside
    };
    if let Some(path) = rule.from.iter().map(Origin::path).find(astray) {
        problems
            .push(wrong(".from", &format!("\"{path}\" must begin with traits., properties. or context.")));
    }
    // Ids are integers of an account; a label there is refused with the whole contact.
    let is_id = name.ends_with("_id") && name != "external_id";
    if is_id && rule.constant.as_ref().is_some_and(|constant| !constant.is_i64() && !constant.is_u64()) {
        problems.push(wrong(".const", "must be a whole number: the id in your account, not its label"));
    }
    if rule.max_chars == 0 {
        problems.push(wrong(".max_chars", "must be at least 1"));
    }
    if name == EMAILS && rule.constant.is_some() {
        problems.push(wrong(".const", "the email is the key of a contact and can't be fixed"));
    }
    problems
}
