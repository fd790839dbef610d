//! How often an attribute turned between two values lately: two systems that answer each other would never stop.
//!
//! Must not know who said what.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::UnixMicros;

/// More turns than these between two values within [`WITHIN`] are two systems that answer each other.
const TURNS_MAX: usize = 5;
const WITHIN: Duration = Duration::from_mins(10);
/// What turned so often stays as Freshsales has it for this long after the last turn.
const RESTS_FOR: Duration = Duration::from_hours(1);

/// The turns of one attribute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Turns {
    /// What it had before the value that it has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// When it came back to that, the newest at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    at: Vec<UnixMicros>,
    /// Since when it stays as Freshsales has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<UnixMicros>,
}

impl Turns {
    /// It had one value and has another from a moment on; tells whether it has to stop now.
    pub fn turn(
        &mut self,
        from: &Value,
        to: &Value,
        is_same: impl Fn(&Value, &Value) -> bool,
        at: UnixMicros,
    ) -> bool {
        let comes_back = self.before.as_ref().is_some_and(|before| is_same(before, to));
        self.before = Some(from.clone());
        if !comes_back {
            (self.at, self.stopped_at) = (vec![at], None);
            return false;
        }
        self.at.push(at);
        self.at.sort_unstable();
        self.at.dedup();
        let beyond = self.at.len().saturating_sub(TURNS_MAX + 1);
        self.at.drain(..beyond);
        let quick = match (self.at.first(), self.at.last()) {
            (Some(first), Some(last)) => self.at.len() > TURNS_MAX && last.since(*first) <= WITHIN,
            _ => false,
        };
        let stops = quick && self.stopped_at.is_none();
        if quick {
            self.stopped_at = Some(at);
        }
        stops
    }

    /// Whether what was said at a moment is kept back: it turned too often just before.
    pub fn rests(&self, said_at: Option<UnixMicros>) -> bool {
        self.stopped_at.is_some_and(|stopped| said_at.is_none_or(|said| said < stopped.plus(RESTS_FOR)))
    }
}
