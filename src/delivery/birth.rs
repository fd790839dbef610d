//! The birth of a record that is created by a call which can't be repeated safely: sent twice, there are two.
//!
//! Four steps, from one that was planned to one that is there, with a question before any repetition. Must not know what is
//! created, or what is asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;

/// Beyond the time in which a call ends, Freshsales is given this long to apply it before it is asked.
pub const ASK_AFTER: Duration = Duration::from_mins(1);

/// Whether an account has a record whose creation can't be repeated safely: `POST /deals`, `/leads`, `/notes`, `/sales_activities`
/// and `/tasks` know no key (seen on live accounts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Birth {
    /// No call to create it was made, or none that took effect.
    #[default]
    Planned,
    /// A call to create it is on its way.
    Sent,
    /// A call to create it left and was never answered: it may or may not exist.
    Unanswered {
        /// When that call left.
        left_at: UnixMicros,
        /// How often Freshsales was asked since, and did not show it.
        asked: u32,
    },
    /// Freshsales refused to create it because its key is taken there, or it was there and is not any more: it is looked for.
    Taken {
        /// When Freshsales said so.
        at: UnixMicros,
        /// How often Freshsales was asked since, and did not show it.
        asked: u32,
    },
    /// It exists.
    Told {
        /// Its id in Freshsales.
        id: u64,
    },
    /// Nobody can tell whether it exists: a person decides.
    Unclear,
}

impl Birth {
    /// The id, once it is known.
    #[must_use]
    pub fn id(self) -> Option<u64> {
        match self {
            Self::Told { id } => Some(id),
            Self::Planned | Self::Sent | Self::Unanswered { .. } | Self::Taken { .. } | Self::Unclear => None,
        }
    }

    /// A call to create it left at a moment and was not answered, or by nothing that names what was created.
    #[must_use]
    pub fn unanswered(left_at: UnixMicros) -> Self {
        Self::Unanswered { left_at, asked: 0 }
    }

    /// Freshsales was asked for it and did not show it: the call may be made.
    #[must_use]
    pub fn not_found(self) -> Self {
        match self {
            Self::Unanswered { .. } | Self::Taken { .. } => Self::Planned,
            Self::Planned | Self::Sent | Self::Told { .. } | Self::Unclear => self,
        }
    }

    /// Nobody knows which calls were made: one that is not known to exist may have been created up to now.
    #[must_use]
    pub fn distrusted(self, now: UnixMicros) -> Self {
        match self {
            Self::Planned => Self::unanswered(now),
            Self::Sent | Self::Unanswered { .. } | Self::Taken { .. } | Self::Told { .. } | Self::Unclear => {
                self
            }
        }
    }
}

/// When Freshsales may be asked what became of a call that left at a moment: once the call can't be applied any more.
#[must_use]
pub fn asked_at(left_at: UnixMicros, attempt_timeout: Duration) -> UnixMicros {
    left_at.plus(attempt_timeout).plus(ASK_AFTER)
}
