//! Sets of things that a person has several of (`[counted.SET]`), as they are written.
//!
//! Data alone. Must not read events.

use serde::Deserialize;
use serde_json::Value;

use crate::event::{Stamp, fold_name};

/// The path at which the day of the event itself stands (UTC), for rules that ask for it. No event says it.
pub const EVENT_DAY: &str = "event.day";

/// Things that a person has several of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CountedRule {
    /// Paths, of which the first that says something tells things apart.
    pub key: Vec<String>,
    /// The events by which a thing counts.
    pub events: Vec<String>,
    /// The events after which it counts no more.
    pub undone_by: Vec<String>,
    /// Paths of the currency of its amounts.
    pub currency: Vec<String>,
}

impl CountedRule {
    /// Whether a thing counts after an event of this name; `None` where the event does not speak of one.
    pub(super) fn counts_after(&self, event: &str) -> Option<bool> {
        let names = |names: &[String]| names.iter().any(|name| fold_name(name) == fold_name(event));
        names(&self.undone_by).then_some(false).or_else(|| names(&self.events).then_some(true))
    }
}

/// The day of a moment (UTC), as a rule with [`EVENT_DAY`] sends it.
#[must_use]
pub fn day_of(stamp: &Stamp) -> Value {
    let day: String = stamp.at.to_rfc3339().chars().take(10).collect();
    Value::String(day)
}
