//! What an event tells sales (`[events.NAME.note]`, `.activity`, `.task`), as it is written.
//!
//! Data alone, and which paths it asks for. Must not read events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::label::Label;
use super::template::{Template, TemplateProblem};
use crate::delivery::Lane;

/// What a note, an activity or a task hangs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hangs {
    /// The contact of the event's person.
    #[default]
    Contact,
    /// The deal that the event speaks of.
    Deal,
    /// The company that the event names, else that of the contact.
    Company,
}

/// A text of several lines with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lines(Vec<Template>);

impl TryFrom<String> for Lines {
    type Error = TemplateProblem;

    fn try_from(text: String) -> Result<Self, TemplateProblem> {
        let lines = text.trim().lines().map(|line| Template::try_from(line.trim().to_owned()));
        lines.collect::<Result<_, _>>().map(Self)
    }
}

impl From<Lines> for String {
    fn from(Lines(lines): Lines) -> Self {
        lines.iter().map(Template::to_string).collect::<Vec<_>>().join("\n")
    }
}

impl Lines {
    /// Each line.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Template::is_empty)
    }
}

/// How long after its event a task is due: `30m`, `2h`, `3d`, `1w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Due(Duration);

/// A text that is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected how long after the event it is due, at most a year: \"30m\", \"2h\", \"3d\" or \"1w\"")]
pub struct NoDue;

impl TryFrom<String> for Due {
    type Error = NoDue;

    fn try_from(text: String) -> Result<Self, NoDue> {
        let text = text.trim();
        let unit = text.chars().next_back().ok_or(NoDue)?;
        let minutes = match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            'w' => 7 * 24 * 60,
            _ => return Err(NoDue),
        };
        let number: u64 = text.trim_end_matches(unit).trim().parse().map_err(|_| NoDue)?;
        let minutes = number.checked_mul(minutes).filter(|minutes| *minutes <= 366 * 24 * 60).ok_or(NoDue)?;
        Ok(Self(Duration::from_mins(minutes)))
    }
}

/// As it is written, in the largest unit.
impl From<Due> for String {
    fn from(Due(after): Due) -> Self {
        let minutes = after.as_secs() / 60;
        let units = [(7 * 24 * 60, 'w'), (24 * 60, 'd'), (60, 'h')];
        let (size, unit) = units.into_iter().find(|(size, _)| minutes % size == 0).unwrap_or((1, 'm'));
        format!("{}{unit}", minutes / size)
    }
}

impl Due {
    /// So long.
    #[must_use]
    pub fn after(self) -> Duration {
        self.0
    }
}

/// A note that an event leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventNote {
    /// What it hangs on.
    pub on: Hangs,
    /// Its text.
    pub text: Lines,
    /// The lane of its call; without one that of the event.
    pub lane: Option<Lane>,
}

/// A sales activity that an event leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventActivity {
    /// What it hangs on.
    pub on: Hangs,
    /// Its type.
    #[serde(rename = "type")]
    pub activity_type: Option<Label>,
    /// Its outcome, one of those that the account has for its type: what it is called, or the id.
    pub outcome: Option<Label>,
    /// Its title.
    pub title: Template,
    /// Whose it is: the email of a user, or the id.
    pub owner: Option<Label>,
    /// What else is to be said.
    pub text: Lines,
    /// The lane of its call; without one that of the event.
    pub lane: Option<Lane>,
}

/// A task that an event leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventTask {
    /// What it hangs on.
    pub on: Hangs,
    /// Its title.
    pub title: Template,
    /// By when it is to be done.
    pub due: Option<Due>,
    /// Whose it is: the email of a user, or the id. Without one Freshsales decides.
    pub owner: Option<Label>,
    /// What else is to be said.
    pub description: Lines,
    /// The lane of its call; without one that of the event.
    pub lane: Option<Lane>,
}
