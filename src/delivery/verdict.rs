//! What an answer of the CRM means for us, independent of how it was worded.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::UnixMicros;

/// The end of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Any 2xx: the record is stored, or the question is answered.
    Stored(Stored),
    /// This record is refused, by a reason of its data (400, 422, other 4xx).
    Refused {
        /// The CRM's words, cut, or ours where it had none.
        reason: String,
        /// The attribute of the payload that the answer names, where it names one.
        attribute: Option<String>,
        /// The answer says that the attribute must be there, not that its value is wrong: it can't be left out.
        demanded: bool,
        /// A race or a secondary address (`Email is not unique`): worth one more try after a minute.
        again: bool,
    },
    /// The account's allowance is used up; the whole account waits.
    Throttled {
        /// What the answer asked for.
        retry_after: RetryAfter,
        /// The CRM's words.
        reason: String,
    },
    /// Will pass: no connection, no answer in time, 408, 425, 5xx, a proxy's page. Whether the write was
    /// applied is unknown.
    Passing {
        /// For a person, without addresses of machines.
        reason: String,
    },
    /// Every call would end like this one (401, 403, 404, 3xx).
    Blocked {
        /// What to look at.
        cause: BlockCause,
        /// For a person.
        reason: String,
    },
    /// Freshsales has no record of the id that the call names (404 with the body of an error of its API): it was deleted or
    /// merged there. Other calls are answered.
    Gone {
        /// For a person.
        reason: String,
    },
    /// The key's user has no right to this kind of call (403 to a call that is not a contact's). Calls of other kinds are
    /// answered.
    Shut {
        /// For a person.
        reason: String,
    },
}

/// A stored record, or the answer to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// Its id in Freshsales, where the answer carried one. Ids exceed 32 bits.
    pub id: Option<u64>,
    /// 201: it was created by this call.
    pub created: bool,
    /// The record as stored, where the answer carried it. Of a question that may be answered by more than one record the
    /// whole answer.
    pub shown: Option<Map<String, Value>>,
}

/// What blocks the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockCause {
    /// 401: the API key is wrong or its user is disabled.
    Unauthorized,
    /// 403 to a call of a contact: the key's user may not edit contacts.
    Forbidden,
    /// 404 or a redirect: the bundle alias names no account.
    NoSuchAccount,
}

/// How long a throttle asks to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds from the answer.
    For(Duration),
    /// Until a moment of the wall clock.
    Until(UnixMicros),
    /// Not said.
    Absent,
    /// Said, but no sense can be made of it.
    Absurd,
}

/// A whole number in an answer, such as an id: some clients have seen it as text.
#[must_use]
pub fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
