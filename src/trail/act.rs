//! Acts: what people ordered and what the service did by itself that explains a change, on one time line with what came.
//!
//! Pure data. Must not name whom it concerns.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// The service was started.
    Started,
    /// The configuration was read again.
    Reloaded,
    /// Calls were paused.
    Paused,
    /// Calls were resumed.
    Resumed,
    /// Dead letters are sent again.
    Redriven,
    /// A dead letter was given up.
    Discarded,
    /// The erasure of a person was ordered.
    Erased,
    /// Nothing of an address is sent any more.
    Suppressed,
    /// An address may be called again.
    Unsuppressed,
    /// A deal, a note, an activity or a task was decided on.
    Decided,
    /// Calls of a span of time were doubted.
    Doubted,
    /// Outputs were told again, discarded or resumed.
    Outputs,
    /// Contacts are sent whole once more.
    Resent,
    /// An event that had failed was decided on again.
    Retried,
    /// An export was ordered or dropped.
    Exported,
    /// Settings were changed on the page.
    Edited,
}

impl ActKind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Started,
        Self::Reloaded,
        Self::Paused,
        Self::Resumed,
        Self::Redriven,
        Self::Discarded,
        Self::Erased,
        Self::Suppressed,
        Self::Unsuppressed,
        Self::Decided,
        Self::Doubted,
        Self::Outputs,
        Self::Resent,
        Self::Retried,
        Self::Exported,
        Self::Edited,
    ];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Reloaded => "reloaded",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
            Self::Erased => "erased",
            Self::Suppressed => "suppressed",
            Self::Unsuppressed => "unsuppressed",
            Self::Decided => "decided",
            Self::Doubted => "doubted",
            Self::Outputs => "outputs",
            Self::Resent => "resent",
            Self::Retried => "retried",
            Self::Exported => "exported",
            Self::Edited => "edited",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: UnixMicros,
    /// What.
    pub kind: ActKind,
    /// Whose token it was; empty where there is one for all, or none, and where the service did it by itself.
    pub who: String,
    /// Which, in words without personal data.
    pub about: String,
}
