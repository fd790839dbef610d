//! Trust: how far what somebody says is believed.
//!
//! It is told by the door that an event came through, never by what the event says of itself.

use serde::{Deserialize, Serialize};

/// Who may have said something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Anybody: what lets an event in stands in every page, or nothing is needed.
    Visitor,
    /// Whoever holds a secret: a back end with a key that is in no page, a vendor who signs.
    #[default]
    Server,
}

impl Trust {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Server => "server",
        }
    }

    /// Whether a secret was needed to say it.
    #[must_use]
    pub fn is_server(&self) -> bool {
        match self {
            Self::Visitor => false,
            Self::Server => true,
        }
    }
}
