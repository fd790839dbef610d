//! The gate of one receiver: whether it is called now. One that does not answer is asked from time to time, by one message; one
//! that says it is gone is not called any more.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;

/// So many failures in a row close the gate.
pub const CLOSES_AFTER: u32 = 5;
/// How long it is closed then, doubled with each failure that follows, up to the second.
const CLOSED_FIRST: Duration = Duration::from_secs(5);
const CLOSED_MAX: Duration = Duration::from_mins(5);
/// How often it is doubled at most.
const DOUBLED_MAX: u32 = 8;
/// Messages on their way to one receiver at one time, each of another record.
pub const PLACES: usize = 8;

/// Why a receiver is not called any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    /// Since when.
    pub at: UnixMicros,
    /// Why, for a person.
    pub why: String,
}

/// How a receiver does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// It is not called any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off: Option<Off>,
    /// Tries in a row that had no success.
    pub failures: u32,
    /// When the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<UnixMicros>,
    /// Not called before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<UnixMicros>,
    /// Why the last try had no success; without an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it took something last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_at: Option<UnixMicros>,
}

impl Gate {
    /// How many messages may leave now.
    #[must_use]
    pub fn places(&self, now: UnixMicros) -> usize {
        match (&self.off, self.opens_at) {
            (Some(_), _) => 0,
            (None, Some(opens_at)) if opens_at > now => 0,
            (None, _) if self.is_failing() => 1,
            (None, _) => PLACES,
        }
    }

    /// Whether so many tries had no success that one message at a time shows when the receiver is there again.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failures >= CLOSES_AFTER
    }

    /// A few messages were tried together. One that takes some of them is there, so what it did not take is no sign that it is
    /// not. Answers what [`Gate::took`] does.
    pub fn tried(
        &mut self,
        took: bool,
        failed: impl IntoIterator<Item = (String, Option<Duration>)>,
        now: UnixMicros,
    ) -> Option<UnixMicros> {
        let since = if took { self.took(now) } else { None };
        for (why, retry_after) in failed {
            if took {
                self.error = Some(why);
                self.opens_at = self.opens_at.max(retry_after.map(|wait| now.plus(wait)));
            } else {
                self.failed(why, retry_after, now);
            }
        }
        since
    }

    /// It took a message. Answers since when it had taken none, where its gate was closed for that: what failed since then is due
    /// now.
    pub fn took(&mut self, now: UnixMicros) -> Option<UnixMicros> {
        let closed = self.is_failing() || self.opens_at.is_some();
        let since = self.failing_since.take().filter(|_| closed);
        *self = Self { took_at: Some(now), ..Self::default() };
        since
    }

    /// A try had no success; the receiver may have asked to be left alone for a while.
    pub fn failed(&mut self, why: String, retry_after: Option<Duration>, now: UnixMicros) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.error = Some(why);
        let beyond = self.failures.checked_sub(CLOSES_AFTER);
        let closed = beyond.map(|times| (CLOSED_FIRST * 2_u32.pow(times.min(DOUBLED_MAX))).min(CLOSED_MAX));
        let wait = closed.into_iter().chain(retry_after).max();
        self.opens_at = self.opens_at.max(wait.map(|wait| now.plus(wait)));
    }

    /// It says that it is gone.
    pub fn turn_off(&mut self, why: String, now: UnixMicros) {
        self.error = Some(why.clone());
        self.off.get_or_insert(Off { at: now, why });
    }

    /// A person has it called again.
    pub fn resume(&mut self) {
        *self = Self { took_at: self.took_at, ..Self::default() };
    }
}
