//! What an event tells sales: its notes, activities and tasks with everything put in that the event itself says.
//!
//! Must not know whom they belong to, or how they stand.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Preset;
use super::happenings::{Due, EventActivity, EventNote, EventTask, Hangs, Lines};
use super::label::Label;
use super::rules::EventRule;
use super::template::Template;
use crate::delivery::Lane;
use crate::event::Event;
use crate::happening::{Outcome, Piece, Says, Text, clean};
use crate::selectors::Kind;

/// What an event tells.
#[derive(Clone, Debug, PartialEq)]
pub struct HappeningOf {
    /// What it hangs on.
    pub on: Hangs,
    /// The lane of its call, where that is not the event's.
    pub lane: Option<Lane>,
    /// What is told.
    pub says: Says,
}

impl Preset {
    /// What an event tells, by its rule.
    #[must_use]
    pub fn happenings_of(&self, event: &Event) -> Vec<HappeningOf> {
        let Some(rule) = self.event(event.name()).filter(|rule| rule.tells()) else { return Vec::new() };
        let roots = event.roots();
        let said = |path: &str| said_at(roots.find(path).value()?);
        let text = |lines: &Lines| Text::of(lines.iter().map(|line| line.fill(&said)).collect());
        let title = |title: &Template| Text::of(vec![title.fill(&said)]);
        let note = rule.note.as_ref().map(|EventNote { on, text: lines, lane }| HappeningOf {
            on: *on,
            lane: *lane,
            says: Says::Note { text: text(lines) },
        });
        let activity = rule.activity.as_ref().map(|rule: &EventActivity| HappeningOf {
            on: rule.on,
            lane: rule.lane,
            says: Says::Activity {
                activity_type: rule.activity_type.as_ref().map(Label::text).unwrap_or_default(),
                outcome: rule.outcome.as_ref().map(outcome),
                title: title(&rule.title),
                owner: rule.owner.as_ref().map(Label::text).unwrap_or_default(),
                text: text(&rule.text),
            },
        });
        let task = rule.task.as_ref().map(|rule: &EventTask| HappeningOf {
            on: rule.on,
            lane: rule.lane,
            says: Says::Task {
                title: title(&rule.title),
                due_at: event.stamp.at.plus(rule.due.map(Due::after).unwrap_or_default()),
                owner: rule.owner.as_ref().map(Label::text),
                text: text(&rule.description),
            },
        });
        note.into_iter().chain(activity).chain(task).collect()
    }

    /// Whether any event tells something.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.rules().any(EventRule::tells)
    }

    /// What is named by what events tell: where that stands, in which list of the account it is, and what is written.
    pub fn names_told(&self) -> impl Iterator<Item = (&'static str, Kind, &Label)> {
        self.rules().flat_map(|rule| {
            let activity = rule.activity.as_ref();
            let types = activity.and_then(|rule| rule.activity_type.as_ref());
            let owners = activity.and_then(|rule| rule.owner.as_ref());
            let of_task = rule.task.as_ref().and_then(|rule| rule.owner.as_ref());
            let types = types.map(|label| ("type of an activity", Kind::SalesActivityTypes, label));
            let owners = owners.map(|label| ("owner of an activity", Kind::Owners, label));
            let of_task = of_task.map(|label| ("owner of a task", Kind::Owners, label));
            types.into_iter().chain(owners).chain(of_task)
        })
    }

    /// The outcomes of activities that are written by name, each behind the type of its activity.
    pub fn outcomes_named(&self) -> impl Iterator<Item = (&Label, &str)> {
        self.rules().filter_map(|rule| {
            let EventActivity { activity_type, outcome, .. } = rule.activity.as_ref()?;
            match outcome.as_ref()? {
                Label::Name(name) => Some((activity_type.as_ref()?, name.as_str())),
                Label::Id(_) => None,
            }
        })
    }

    /// The lists of an account in which the names of what is told are looked up.
    pub(super) fn selectors_of_happenings(&self) -> BTreeSet<Kind> {
        let names = self.names_told().filter(|(_, _, label)| matches!(label, Label::Name(_)));
        names.map(|(_, kind, _)| kind).collect()
    }

    fn rules(&self) -> impl Iterator<Item = &EventRule> {
        self.event_rules().filter(|rule| rule.send)
    }
}

fn outcome(label: &Label) -> Outcome {
    match label {
        Label::Id(id) => Outcome::Id(*id),
        Label::Name(name) => Outcome::Name(name.clone()),
    }
}

impl EventRule {
    /// Whether it tells something.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.note.is_some() || self.activity.is_some() || self.task.is_some()
    }
}

impl Template {
    /// Puts in what an event says; what is known of its person comes later.
    fn fill(&self, said: &impl Fn(&str) -> Option<String>) -> Vec<Piece> {
        self.pieces(|sources, otherwise| {
            let mut later = Vec::new();
            for source in sources {
                if !super::problem::is_path(source) {
                    later.push(source.clone());
                } else if let Some(value) = said(source) {
                    return if later.is_empty() { Piece::Said(value) } else { Piece::Later(later, value) };
                }
            }
            match (later.is_empty(), otherwise.is_empty()) {
                (true, true) => Piece::Empty,
                (true, false) => Piece::Said(otherwise.to_owned()),
                (false, _) => Piece::Later(later, otherwise.to_owned()),
            }
        })
    }
}

/// The text of a value: a list in one line, nothing of what has names inside.
fn said_at(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => clean(text),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(scalar).collect();
            clean(&items.join(", "))
        }
        Value::Null | Value::Object(_) => String::new(),
    };
    (!text.is_empty()).then_some(text)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
