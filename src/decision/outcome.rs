//! What became of an event, as a word and a sentence.

use serde::{Deserialize, Serialize};

/// The outcome of an event. Every accepted event gets exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It could not be processed, and is kept aside until somebody tries it again.
    Failed,
    /// The same message came before from the same source.
    Duplicate,
    /// It speaks of somebody who was erased after it happened.
    Erased,
    /// Its name is not in the mapping, and nothing followed from it.
    NotMapped,
    /// Its sender switched this destination off for it.
    SwitchedOff,
    /// Its contact is one that the settings exclude.
    Excluded,
    /// Something was learned of a person; no call is owed for it yet.
    PersonUpdated,
    /// The email it names is no address.
    InvalidEmail,
    /// The email it names is a hash.
    HashedEmail,
    /// A mapped event of somebody whose email nobody has said.
    NoEmail,
    /// A category that is required is not granted.
    ConsentDenied,
    /// It opened a delivery.
    Queued,
    /// A delivery of its contact is open or dead and takes it along.
    Absorbed,
    /// Freshsales has all of it already.
    Unchanged,
    /// Freshsales spoke of a record that is not known here.
    UnknownRecord,
    /// Freshsales said of a record what was known.
    Echo,
    /// Freshsales said that a record has something else than it accepted from here, or that somebody refused there.
    Heard,
    /// An attribute turned too often between two values, so it stays as Freshsales has it for a while.
    Frozen,
    /// Freshsales gave a record that was known under another key to this one.
    Merged,
}

impl Outcome {
    /// All outcomes, in the order in which the first that fits is taken.
    pub const ALL: [Self; 19] = [
        Self::Failed,
        Self::Erased,
        Self::Duplicate,
        Self::NotMapped,
        Self::SwitchedOff,
        Self::Excluded,
        Self::PersonUpdated,
        Self::InvalidEmail,
        Self::HashedEmail,
        Self::NoEmail,
        Self::ConsentDenied,
        Self::Queued,
        Self::Absorbed,
        Self::Unchanged,
        Self::UnknownRecord,
        Self::Echo,
        Self::Heard,
        Self::Frozen,
        Self::Merged,
    ];

    /// The word in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Duplicate => "duplicate",
            Self::Erased => "erased",
            Self::NotMapped => "not_mapped",
            Self::SwitchedOff => "switched_off",
            Self::Excluded => "excluded",
            Self::PersonUpdated => "person_updated",
            Self::InvalidEmail => "invalid_email",
            Self::HashedEmail => "hashed_email",
            Self::NoEmail => "no_email",
            Self::ConsentDenied => "consent_denied",
            Self::Queued => "queued",
            Self::Absorbed => "absorbed",
            Self::Unchanged => "unchanged",
            Self::UnknownRecord => "unknown_record",
            Self::Echo => "echo",
            Self::Heard => "heard",
            Self::Frozen => "frozen",
            Self::Merged => "merged",
        }
    }

    /// The outcome of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}
