//! What to keep: the moments and the size beyond which things have had their time. Must not delete anything.

use crate::clock::UnixMicros;

/// What to keep. Beyond it things go, oldest first; never what has not taken effect or is still owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Events of the journal that were received before go, once they took effect.
    pub journal_since: UnixMicros,
    /// At 80 % of this size the oldest events that took effect go, whatever their age, so that events are not
    /// refused before there is no other way.
    pub journal_bytes_max: u64,
    /// Trails of events that were received before go, and deliveries that ended before; never dead ones.
    pub trail_since: UnixMicros,
    /// Deals that were won before are noted no more.
    pub won_since: UnixMicros,
    /// Messages first received before may count again.
    pub seen_since: UnixMicros,
    /// At this size the oldest trails and ended deliveries go, whatever their age.
    pub trail_bytes_max: u64,
    /// Beyond so many the messages first received longest ago go, whatever their age.
    pub seen_max: u64,
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
