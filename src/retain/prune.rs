//! Retention: what has had its time is deleted, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Patience, RetentionConfig};
use crate::clock::{Clock, UnixMicros};
use crate::store::{Keep, KeepTrail, SharedStore, StoreError};
use crate::turn::{self, Next, Stage, Stalls};

/// Often enough that a journal near its limit gets room before events are refused.
const EVERY: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_hours(24);

/// How long people and devices may be silent.
#[must_use]
pub fn patience(config: &RetentionConfig) -> Patience {
    Patience {
        person: days(config.person_days_max),
        device: days(config.anonymous_days_max),
        dedup: Duration::from_hours(config.dedup_hours),
        told: days(config.trail_days_max).max(Duration::from_hours(config.dedup_hours)),
    }
}

fn days(days: u64) -> Duration {
    DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX))
}

/// Deletes what is too old until it is told to stop.
///
/// # Errors
/// The store failed for good; the process has to end and recover by starting again.
pub async fn run(
    store: SharedStore,
    config: RetentionConfig,
    clock: Arc<dyn Clock>,
    stalls: Stalls,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    turn::run(Prune { store, config, clock: Arc::clone(&clock) }, &stalls, &*clock, &stop).await
}

struct Prune {
    store: SharedStore,
    config: RetentionConfig,
    clock: Arc<dyn Clock>,
}

impl Stage for Prune {
    const NAME: &'static str = "retention";

    async fn work(&mut self) -> Result<Next, StoreError> {
        // By a time of day that may be wrong nothing is old.
        let now = if self.clock.is_proven() { self.clock.wall() } else { UnixMicros::default() };
        let config = &self.config;
        let keep = Keep {
            journal_since: now.minus(days(config.journal_days_max)),
            journal_bytes_max: config.journal_bytes_max,
            trail: config
                .trail()
                .map(|limits| KeepTrail { since: now.minus(days(limits.days)), bytes_max: limits.bytes }),
            won_since: now.minus(days(config.person_days_max)),
            seen_since: now.minus(Duration::from_hours(config.dedup_hours)),
            seen_max: config.dedup_entries_max,
        };
        let rows = self.store.prune(keep).await?;
        if rows > 0 {
            tracing::debug!(rows, "deleted what has had its time");
        }
        Ok(if rows > 0 { Next::AtOnce } else { Next::After(EVERY) })
    }

    async fn rung(&mut self) {
        std::future::pending::<()>().await;
    }
}
