//! Lists of deals, companies and happenings, as a person reads them: the newest first, a page at a time.
//!
//! Must not say what a record holds: whoever lists them loads it.

use super::Limited;
use crate::delivery::Account;
use crate::event::Email;

/// Which deals, companies or happenings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordQuery {
    /// How many.
    pub limit: Limited,
    /// Only those that were first stored before this place.
    pub before: Option<u64>,
    /// Only those in whose key these words are, whatever their case.
    pub words: Option<String>,
    /// Only those that stand so with the account.
    pub state: Option<RecordState>,
    /// With which account.
    pub account: Account,
    /// Of which table.
    pub of: RecordsOf,
}

/// Which table, and what only its rows have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsOf {
    /// Deals.
    Deals {
        /// Only those of this contact.
        email: Option<Email>,
        /// Only those of this kind.
        kind: Option<String>,
        /// Only those that are held back for this cause.
        held: Option<String>,
    },
    /// Companies.
    Companies,
    /// Notes, activities and tasks.
    Happenings {
        /// Only those of this contact.
        email: Option<Email>,
        /// Only those that stand so.
        state: Option<crate::happening::State>,
        /// Only those that are held back for this cause.
        held: Option<String>,
    },
}

/// How a deal or a company stands, as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// It is owed a call that can't be made yet. Companies never are.
    Held,
    /// Its call waits for its turn, or is tried again.
    Queued,
    /// Its call is on its way.
    InFlight,
    /// Freshsales refused it.
    Refused,
    /// Nothing is owed to it.
    Settled,
}

impl RecordState {
    /// The word in JSON and in a filter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::InFlight => "in_flight",
            Self::Refused => "refused",
            Self::Settled => "settled",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Held, Self::Queued, Self::InFlight, Self::Refused, Self::Settled];
        all.into_iter().find(|state| state.as_str() == word)
    }
}
