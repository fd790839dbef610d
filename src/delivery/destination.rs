//! The destination as a whole: whether calls may leave, and what an answer changes about that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{RetryAfter, Verdict};
use crate::clock::UnixMicros;

/// A throttle that does not say how long: this long at first, doubling while it repeats.
const THROTTLE_FIRST: Duration = Duration::from_mins(1);
const THROTTLE_MAX: Duration = Duration::from_mins(15);
/// A throttle that asks for nonsense.
const THROTTLE_ABSURD: Duration = Duration::from_hours(1);
/// A blocked destination is tried again after this long, doubling while it stays blocked.
const PROBE_FIRST: Duration = Duration::from_secs(10);
const PROBE_MAX: Duration = Duration::from_mins(15);

/// How the destination as a whole stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// What state it is in.
    pub state: DestinationState,
    /// Why, for a person.
    pub reason: Option<String>,
    /// No call leaves before this moment.
    pub until: Option<UnixMicros>,
    /// How often in a row it was throttled or blocked; lengthens the next wait.
    pub repeats: u32,
}

/// The states of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationState {
    /// Calls are made.
    #[default]
    Running,
    /// The account's allowance is used up.
    Throttled,
    /// The CRM does not answer.
    Unreachable,
    /// Paused by hand.
    Paused,
    /// Every call would be refused: key, rights, alias.
    Blocked,
}

impl DestinationState {
    /// The word in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Paused => "paused",
            Self::Blocked => "blocked",
        }
    }
}

impl Destination {
    /// How the destination stands after an answer that came at `now`.
    #[must_use]
    pub fn after(&self, verdict: &Verdict, now: UnixMicros) -> Self {
        match verdict {
            // What was ordered by hand only a hand takes back.
            _ if self.state == DestinationState::Paused => self.clone(),
            Verdict::Stored(_) | Verdict::Refused { .. } => Self::default(),
            Verdict::Passing { .. } => self.clone(),
            Verdict::Throttled { retry_after, reason } => {
                let repeats = self.repeats_of(DestinationState::Throttled, now);
                let until = match *retry_after {
                    RetryAfter::For(wait) => now.plus(wait),
                    RetryAfter::Until(moment) => moment.max(now),
                    RetryAfter::Absent => now.plus(doubled(THROTTLE_FIRST, repeats, THROTTLE_MAX)),
                    RetryAfter::Absurd => now.plus(THROTTLE_ABSURD),
                };
                self.held(DestinationState::Throttled, reason, until, repeats)
            }
            Verdict::Blocked { reason, .. } => {
                let repeats = self.repeats_of(DestinationState::Blocked, now);
                let until = now.plus(doubled(PROBE_FIRST, repeats, PROBE_MAX));
                self.held(DestinationState::Blocked, reason, until, repeats)
            }
        }
    }

    /// How often in a row the destination went into a state, this time included. Answers to calls that left before it
    /// went there say nothing new.
    fn repeats_of(&self, state: DestinationState, now: UnixMicros) -> u32 {
        match self.state == state {
            false => 1,
            true if self.until.is_some_and(|until| until > now) => self.repeats,
            true => self.repeats.saturating_add(1),
        }
    }

    /// Whether a call may leave at `now`.
    #[must_use]
    pub fn open_at(&self, now: UnixMicros) -> bool {
        self.state != DestinationState::Paused && self.until.is_none_or(|until| until <= now)
    }

    /// Whether calls leave one at a time, because nobody knows yet whether they are answered again.
    #[must_use]
    pub fn probing(&self) -> bool {
        match self.state {
            DestinationState::Running => false,
            DestinationState::Throttled
            | DestinationState::Unreachable
            | DestinationState::Paused
            | DestinationState::Blocked => true,
        }
    }

    /// Held until a moment; never shorter than an answer of the same kind asked for before.
    fn held(&self, state: DestinationState, reason: &str, until: UnixMicros, repeats: u32) -> Self {
        let until = self.until.filter(|_| self.state == state).max(Some(until));
        Self { state, reason: Some(reason.to_owned()), until, repeats }
    }
}

/// `first`, doubled for each time after the first, at most `max`.
fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1).min(16))).min(max)
}

/// When a contact is tried again after its `failures`th failure in a row: d = min(max, first × 2^(n−1)), then
/// evenly between d/2 and d; `jitter` from 0 to 1 chooses where.
#[must_use]
pub fn backoff(first: Duration, max: Duration, failures: u32, jitter: f64) -> Duration {
    let whole = doubled(first, failures, max);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}
