//! Time correction: device clocks are wrong by a constant, and `sentAt` shows by how much.

use crate::clock::UnixMicros;

/// The times an event claims, as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// `originalTimestamp`, else `timestamp`: when it happened by the sender's clock.
    pub timestamp: Option<UnixMicros>,
    /// `sentAt`: when it was sent by the same clock.
    pub sent_at: Option<UnixMicros>,
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
