//! How an engine beside the process does, as it was seen last.

use std::time::Duration;

/// What is seen of an engine of several nodes. What its user may not see is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineReading {
    /// How long events have been refused because it is away; zero while it is there.
    pub away: Duration,
    /// Commits of which it was not known at first whether they hold.
    pub uncertain: u64,
    /// Standbys that a commit waits for, where it must wait for one.
    pub standbys: Option<u64>,
    /// Bytes of its log that the standby furthest behind has not applied.
    pub replication_lag_bytes: Option<u64>,
    /// The age of the oldest transaction that is open, in seconds: what it may still see is not cleaned up.
    pub oldest_transaction_seconds: Option<u64>,
    /// Rows that are dead and not cleaned up.
    pub dead_tuples: Option<u64>,
}
