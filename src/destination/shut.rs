//! Kinds of calls that are shut: the key's user has no right to them. Calls of other kinds go on.
//!
//! One of the kind tries again from time to time. Must not know what such a call carries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Destination;
use crate::clock::UnixMicros;
use crate::delivery::CallKind;

/// One call of a kind that is shut tries this often whether it still is.
pub const SHUT_TRIED_EVERY: Duration = Duration::from_mins(15);

/// A kind of call that is refused as such.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shut {
    /// Since when.
    pub since: UnixMicros,
    /// The next call that tries leaves at this moment.
    pub try_at: UnixMicros,
    /// Why, for a person.
    pub reason: String,
}

impl Destination {
    /// The kinds of which nothing may leave at `now`.
    #[must_use]
    pub fn shut_kinds(&self, now: UnixMicros) -> Vec<CallKind> {
        let shut = self.shut.iter().filter(|(_, shut)| shut.try_at > now);
        shut.map(|(kind, _)| *kind).collect()
    }

    /// When the next call of a kind that is shut may try.
    #[must_use]
    pub fn shut_until(&self, now: UnixMicros) -> Option<UnixMicros> {
        self.shut.values().map(|shut| shut.try_at).filter(|at| *at > now).min()
    }

    /// A call of this kind leaves: of one that is shut no other does for a while, whatever becomes of it. Tells whether it is
    /// shut.
    pub fn leaves(&mut self, kind: CallKind, now: UnixMicros) -> bool {
        let Some(shut) = self.shut.get_mut(&kind) else { return false };
        shut.try_at = now.plus(SHUT_TRIED_EVERY);
        true
    }

    /// Somebody ordered it: one call of each kind that is shut may try now.
    pub(super) fn try_shut_kinds_at_once(&mut self, now: UnixMicros) {
        for shut in self.shut.values_mut() {
            shut.try_at = shut.try_at.min(now);
        }
    }

    pub(super) fn shut(&mut self, kind: CallKind, reason: &str, now: UnixMicros) {
        let since = self.shut.get(&kind).map_or(now, |shut| shut.since);
        let try_at = now.plus(SHUT_TRIED_EVERY);
        self.shut.insert(kind, Shut { since, try_at, reason: reason.to_owned() });
    }

    pub(super) fn open(&mut self, kind: CallKind) {
        self.shut.remove(&kind);
    }
}
