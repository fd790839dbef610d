//! What to keep: the moments and the size beyond which things have had their time. Must not delete anything.

use crate::clock::UnixMicros;
use crate::trail::Worth;

/// What to keep. Beyond it things go, oldest first; never what has not taken effect or is still owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Events of the journal that were received before go, once they took effect.
    pub journal_since: UnixMicros,
    /// At 80 % of this size the oldest events that took effect go, whatever their age, so that events are not
    /// refused before there is no other way.
    pub journal_bytes_max: u64,
    /// What to keep of the trail, by what it is worth.
    pub trail: Worths<KeepTrail>,
    /// Deals that were won before are noted no more.
    pub won_since: UnixMicros,
    /// Messages first received before may count again.
    pub seen_since: UnixMicros,
    /// Beyond so many the messages first received longest ago go, whatever their age.
    pub seen_max: u64,
}

/// What to keep of a part of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepTrail {
    /// Trails of events that were received before go, and deliveries that ended before; never dead ones.
    pub since: UnixMicros,
    /// At this size the oldest trails and ended deliveries go, whatever their age.
    pub bytes_max: u64,
}

/// One thing for each worth of a part of the trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worths<T> {
    /// Of events that name no address.
    pub anonymous: T,
    /// Of what may have refreshed contacts.
    pub refresh: T,
    /// Of leads, orders, withdrawals, and of what is worth as much.
    pub conversion: T,
}

impl<T: Copy> Worths<T> {
    /// The one of a worth.
    #[must_use]
    pub fn of(&self, worth: Worth) -> T {
        match worth {
            Worth::Anonymous => self.anonymous,
            Worth::Refresh => self.refresh,
            Worth::Conversion => self.conversion,
        }
    }

    /// The same thing for each.
    #[must_use]
    pub const fn all(thing: T) -> Self {
        Self { anonymous: thing, refresh: thing, conversion: thing }
    }

    /// Another for each.
    #[must_use]
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Worths<U> {
        Worths {
            anonymous: make(self.anonymous),
            refresh: make(self.refresh),
            conversion: make(self.conversion),
        }
    }

    /// Made for each.
    ///
    /// # Errors
    /// The first one.
    pub fn try_each<E>(mut make: impl FnMut(Worth) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            anonymous: make(Worth::Anonymous)?,
            refresh: make(Worth::Refresh)?,
            conversion: make(Worth::Conversion)?,
        })
    }
}

/// Since when somebody was not heard who counts as silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent {
    /// People.
    pub people: UnixMicros,
    /// Anonymous ids.
    pub devices: UnixMicros,
    /// Notes, activities and tasks that were told, or are not to be told any more.
    pub told: UnixMicros,
}
