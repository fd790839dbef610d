//! Outputs: what other systems of the user are told of what happened, one message a receiver.
//!
//! Pure: what is told, to whom, when it is tried again and when it is given up. Must not know how a call is made, where an
//! output is kept, or how anybody comes to know that something happened.

mod chat;
mod gate;
mod receiver;
mod report;
mod topic;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use chat::told;
pub use gate::{CLOSES_AFTER, Gate, Off, PLACES};
pub use receiver::{Condition, ConditionText, Conditions, Receiver, Receivers};
pub use report::{Report, Told};
pub use topic::Topic;

use crate::clock::UnixMicros;
use crate::delivery::Subject;
use crate::event::Email;

/// What waits for one receiver: rows, and bytes of them. Beyond either the oldest becomes a dead letter.
pub const WAITING_MAX: u64 = 10_000;
/// Bytes of what waits for one receiver.
pub const WAITING_BYTES_MAX: u64 = 16 << 20;
/// Dead letters of one receiver, and bytes of them. Beyond either the oldest is given up, and counted.
pub const DEAD_MAX: u64 = 10_000;
/// Bytes of the dead letters of one receiver.
pub const DEAD_BYTES_MAX: u64 = 16 << 20;
/// What stands in an output that was never told because too many waited.
pub const CROWDED_OUT: &str = "more waited for this receiver than are kept, so the oldest was put aside";
/// Bytes of the data of one output; where it has more, attributes are left out.
const DATA_BYTES_MAX: usize = 64 * 1024;
/// How long an output waits after each try that had no success. After the last it is given up.
const WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// Each wait is longer by up to this share, so that what failed together is not tried together.
const JITTER: f64 = 0.1;

/// Where an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputState {
    /// It is told once its time comes.
    Waiting,
    /// It was given up; a person may have it told again.
    Dead,
}

impl OutputState {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dead => "dead",
        }
    }
}

/// A message for one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What it says; never changes.
    pub message: Message,
    /// Where it is.
    pub state: OutputState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub tried_at: Option<UnixMicros>,
    /// Not tried before this moment.
    pub next_attempt_at: UnixMicros,
    /// Why the last try had no success; without an address.
    pub error: Option<String>,
}

/// What an output says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The name of the receiver.
    pub receiver: String,
    /// The same for every try, so that a receiver that takes it twice can tell.
    pub id: String,
    /// What happened.
    pub topic: Topic,
    /// To which record: of one record outputs are told in order.
    pub subject: Subject,
    /// Whose data it holds.
    pub person: Option<Email>,
    /// When it happened.
    pub at: UnixMicros,
    /// What is said of it.
    pub data: Map<String, Value>,
}

/// The body of a message for a program, as Standard Webhooks has it.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: String,
    data: &'a Map<String, Value>,
}

impl Message {
    /// The body for a program; the same for every try.
    #[must_use]
    pub fn body(&self) -> String {
        let body = Body { r#type: self.topic.as_str(), timestamp: self.at.to_rfc3339(), data: &self.data };
        serde_json::to_string(&body).unwrap_or_default()
    }
}

/// What follows a try that had no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is tried again then.
    Again(UnixMicros),
    /// It is given up.
    GivenUp,
}

impl Output {
    /// A message that was never tried.
    #[must_use]
    pub fn new(message: Message) -> Self {
        let next_attempt_at = message.at;
        Self {
            message,
            state: OutputState::Waiting,
            attempts: 0,
            tried_at: None,
            next_attempt_at,
            error: None,
        }
    }

    /// What follows when the next try has no success. `retry_after` is how long the receiver asked to be left alone; `jitter` from
    /// 0 to 1 is where between the shortest and the longest wait it lies.
    #[must_use]
    pub fn after_failure(&self, retry_after: Option<Duration>, jitter: f64, now: UnixMicros) -> AfterFailure {
        let nth = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let Some(wait) = WAITS.get(nth) else { return AfterFailure::GivenUp };
        let wait = wait.mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0));
        AfterFailure::Again(now.plus(wait.max(retry_after.unwrap_or_default())))
    }
}
