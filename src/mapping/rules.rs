//! The rules of a mapping file as they are written: what an event is worth, where an attribute comes from.
//!
//! Data alone. Must not know how files are merged or values mapped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::convert::Convert;
use super::happenings::{EventActivity, EventNote, EventTask};
use super::label::Label;
use super::lists::EventLists;
use crate::delivery::Lane;

const MAX_CHARS: usize = 255;
/// The attribute that is a list which people add to, too.
pub const TAGS: &str = "tags";

/// Values by attribute, as they are sent.
pub type Values = BTreeMap<String, Value>;

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
    /// What it needs in place of `consent.required`; an empty list: nothing.
    #[serde(default)]
    pub consent: Option<Vec<String>>,
    /// What this event says of attributes beside what every event does.
    #[serde(default)]
    pub fields: BTreeMap<String, EventField>,
    /// What it says of a deal.
    #[serde(default)]
    pub deal: Option<EventDeal>,
    /// The note that it leaves.
    #[serde(default)]
    pub note: Option<EventNote>,
    /// The sales activity that it leaves.
    #[serde(default)]
    pub activity: Option<EventActivity>,
    /// The task that it leaves.
    #[serde(default)]
    pub task: Option<EventTask>,
    /// The lists that its person is put on, or taken off.
    #[serde(default)]
    pub lists: Option<EventLists>,
}

impl EventRule {
    /// Whether its contact is sent without the consent that others need.
    #[must_use]
    pub fn needs_no_consent(&self) -> bool {
        self.consent.as_ref().is_some_and(Vec::is_empty)
    }
}

fn refresh() -> Lane {
    Lane::Refresh
}

fn yes() -> bool {
    true
}

/// What one event says of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventField {
    /// Paths in the event.
    #[serde(default)]
    pub from: Vec<Origin>,
    /// A fixed value in place of `from`: that such an event happened is all it says.
    #[serde(default, rename = "const")]
    pub constant: Option<Value>,
    /// How the value is converted.
    #[serde(default)]
    pub convert: Convert,
}

/// What one event says of a deal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventDeal {
    /// The kind of the deal: the name of its table.
    pub kind: String,
    /// The stage it is in then.
    pub stage: Option<Label>,
    /// Why it was lost.
    pub reason: Option<Label>,
    /// Whether it makes the deal where there is none.
    pub create: bool,
}

impl Default for EventDeal {
    fn default() -> Self {
        Self { kind: String::new(), stage: None, reason: None, create: true }
    }
}

/// A path that an attribute is read from, with a conversion of its own where it needs one (a full name is split, a first
/// name is not), or as a fallback (a phone is taken for the mobile one where no mobile one was said).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a path, or { path = \"…\", convert = \"…\", fallback = true }")]
pub enum Origin {
    /// Just the path.
    Path(String),
    /// A path and how what stands there is converted.
    Converted(ConvertedPath),
}

/// A path that is read in its own way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConvertedPath {
    /// The dotted path.
    pub path: String,
    /// How what stands there is converted; without it as the rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convert: Option<Convert>,
    /// Read only while the other paths say nothing that can be sent, and by one attribute alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fallback: bool,
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
            Self::Converted(converted) => converted.convert.unwrap_or(rule),
        }
    }

    /// Whether it is read only while the others say nothing.
    #[must_use]
    pub fn is_fallback(&self) -> bool {
        match self {
            Self::Path(_) => false,
            Self::Converted(converted) => converted.fallback,
        }
    }
}

/// What is made of several events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// How many things of the set there are.
    Count,
    /// The sum of their values.
    Sum,
    /// The value of the last thing; without a set the newest value.
    Last,
    /// The value of the first thing; without a set the first value.
    First,
}

impl Aggregate {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Last => "last",
            Self::First => "first",
        }
    }

    /// Whether it means nothing without a set.
    #[must_use]
    pub fn needs_set(self) -> bool {
        match self {
            Self::Count | Self::Sum => true,
            Self::Last | Self::First => false,
        }
    }
}

/// When a field is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Whenever it is known.
    #[default]
    Always,
    /// Only while Freshsales does not have the contact.
    Create,
    /// Only once an answer of Freshsales showed that the contact has no value there.
    Empty,
    /// Not at all.
    Never,
}

/// Which of several statements counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The newest: how things are.
    #[default]
    Newest,
    /// The first: what somebody came with.
    First,
}

/// One row of the table that chooses a value (`[[fields.owner.rules]]`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The path that is looked at.
    pub from: String,
    /// It fits where this stands there, whatever its case.
    #[serde(default)]
    pub is: Option<Value>,
    /// It fits where one of these stands there. Without `is` and `in` it fits whatever stands there.
    #[serde(default, rename = "in")]
    pub one_of: Vec<Value>,
    /// What is sent then.
    pub to: Value,
}

impl Choice {
    /// Whether what stands at the path fits.
    #[must_use]
    pub fn fits(&self, said: &Value) -> bool {
        let folded = |value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.trim().to_lowercase()
        };
        let said = folded(said);
        let any = self.is.is_none() && self.one_of.is_empty();
        any || self.is.iter().chain(&self.one_of).any(|wanted| folded(wanted) == said)
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
    /// In place of `from`: the first of these that fits says what is sent, and none of them nothing.
    #[serde(default)]
    pub rules: Vec<Choice>,
    /// How the value is converted.
    #[serde(default)]
    pub convert: Convert,
    /// When it is sent.
    #[serde(default)]
    pub when: When,
    /// Which of several statements counts.
    #[serde(default)]
    pub pick: Pick,
    /// What is made of several events.
    #[serde(default)]
    pub aggregate: Option<Aggregate>,
    /// The set of things (`[counted.SET]`) of which it is made.
    #[serde(default)]
    pub of: Option<String>,
    /// Longer text is cut.
    #[serde(default = "max_chars")]
    pub max_chars: usize,
    /// A lifecycle stage that never goes back: of all that was said the furthest counts, and it is sent only where Freshsales
    /// has the contact in an earlier one.
    #[serde(default)]
    pub forward_only: bool,
}

impl FieldRule {
    /// Whether it could ever say anything: a rule without a path, a fixed value or a choice is a field taken out.
    #[must_use]
    pub fn says_something(&self) -> bool {
        !self.from.is_empty() || self.constant.is_some() || !self.rules.is_empty() || self.of.is_some()
    }

    /// Which of several statements counts, where it is made of no set.
    #[must_use]
    pub fn picks(&self) -> Pick {
        match self.aggregate {
            Some(Aggregate::First) => Pick::First,
            Some(Aggregate::Last) => Pick::Newest,
            Some(Aggregate::Count | Aggregate::Sum) | None => self.pick,
        }
    }
}

impl Default for FieldRule {
    fn default() -> Self {
        Self {
            from: Vec::new(),
            constant: None,
            values: BTreeMap::new(),
            rules: Vec::new(),
            convert: Convert::default(),
            when: When::default(),
            pick: Pick::default(),
            aggregate: None,
            of: None,
            max_chars: MAX_CHARS,
            forward_only: false,
        }
    }
}

fn max_chars() -> usize {
    MAX_CHARS
}
