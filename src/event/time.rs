//! Time correction: device clocks are wrong by a constant, and `sentAt` shows by how much.

use std::time::Duration;

use crate::clock::UnixMicros;

/// The times an event claims, as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// `originalTimestamp`, else `timestamp`: when it happened by the sender's clock.
    pub timestamp: Option<UnixMicros>,
    /// `sentAt`: when it was sent by the same clock.
    pub sent_at: Option<UnixMicros>,
}

/// Events older than this are old data being loaded.
const OLD_AFTER: Duration = Duration::from_hours(24);

/// Whether an event that happened at `at` and was received at `received_at` is old data being loaded.
#[must_use]
pub fn is_old_data(at: UnixMicros, received_at: UnixMicros) -> bool {
    received_at.since(at) > OLD_AFTER
}

/// When the event happened by our clock, never later than it was received.
///
/// With both times the sender's clock error cancels out (Segment's rule): received − (sent − happened).
#[must_use]
pub fn corrected(claimed: Claimed, received_at: UnixMicros) -> UnixMicros {
    let happened = match (claimed.timestamp, claimed.sent_at) {
        (Some(timestamp), Some(sent_at)) => {
            UnixMicros(received_at.0.saturating_sub(sent_at.0.saturating_sub(timestamp.0)))
        }
        (Some(timestamp), None) => timestamp,
        (None, Some(_) | None) => received_at,
    };
    happened.min(received_at)
}
