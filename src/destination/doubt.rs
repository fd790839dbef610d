//! A span of time of which nobody knows which calls were made: a backup was restored, or a person says so.
//!
//! Must not know what is doubted.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;

/// From when until when calls may have been made that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The first moment of it.
    pub since: UnixMicros,
    /// The last one.
    pub until: UnixMicros,
}

impl Doubt {
    /// This span, and all of another.
    #[must_use]
    pub fn with(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            since: self.since.min(other.since),
            until: self.until.max(other.until),
        })
    }

    /// Whether what happened at a moment may have been told by such a call.
    #[must_use]
    pub fn holds(self, at: UnixMicros) -> bool {
        self.since <= at && at <= self.until
    }
}
