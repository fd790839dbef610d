//! Processing: the journal, in batches, takes effect on people, contacts and deliveries, exactly once.
//!
//! A thin loop around the decision: read, load, decide, apply. The position moves in the same transaction as the
//! effect, so a crash repeats nothing and loses nothing. Must not make calls.

mod load;

#[cfg(test)]
mod crowd_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::decision::{Decided, Outcome, Reading, Settings, World, decide};
use crate::event::{Event, Stamp, parse_body};
use crate::store::{Plan, Progress, Put, Record, SharedStore, StoreError};
use crate::trail::EventTrail;
use crate::turn::Pace;

/// Work of one batch: with a usual sync others get their turn within 50 ms.
const BATCH_WORK: Duration = Duration::from_millis(30);
/// Events of one batch, whatever they cost.
const BATCH_EVENTS_MIN: usize = 32;
/// Events of one batch, however little they cost.
const BATCH_EVENTS_MAX: usize = 5_000;
/// Bytes of one batch.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// One turn at a time leaves nothing to conflict with: this many in a row are a defect, and spinning would hide it.
const CONFLICTS_MAX: u32 = 3;
/// After a passing failure of the store.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The processing stage.
pub struct Processor {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What deciding depends on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung when deliveries may have been opened.
    pub owed: Arc<Notify>,
}

impl Processor {
    /// Processes the journal until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut end = self.store.journal_end();
        let mut pace = Pace::new(BATCH_WORK, BATCH_EVENTS_MIN, BATCH_EVENTS_MAX);
        let mut conflicts = 0_u32;
        loop {
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                done = self.batch(&mut pace) => done,
            };
            match done {
                Ok(0) => tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    moved = end.changed() => moved.map_err(|_| StoreError::Shut)?,
                },
                Ok(_) => {
                    conflicts = 0;
                    self.owed.notify_one();
                }
                Err(StoreError::Conflict) => {
                    conflicts += 1;
                    if conflicts >= CONFLICTS_MAX {
                        tracing::error!(
                            conflicts,
                            "events could not be applied after several attempts; retrying in 1 s (this is a bug, please report it)"
                        );
                        self.clock.sleep_until(self.clock.monotonic() + RETRY_AFTER).await;
                    }
                }
                Err(fatal @ (StoreError::Fatal(_) | StoreError::Shut | StoreError::Unreadable(..))) => {
                    return Err(fatal);
                }
                Err(
                    passing @ (StoreError::Overloaded
                    | StoreError::Full(_)
                    | StoreError::Away(_)
                    | StoreError::TooSlow),
                ) => {
                    tracing::warn!(error = %passing, "processing paused: the store cannot apply events; retrying in 1 s, nothing is lost");
                    self.clock.sleep_until(self.clock.monotonic() + RETRY_AFTER).await;
                }
            }
        }
    }

    /// Processes what waits, as much as one turn takes; answers how many events.
    async fn batch(&self, pace: &mut Pace) -> Result<usize, StoreError> {
        let from = self.store.processed().await?;
        let records = self.store.read(from, pace.items(), BATCH_BYTES_MAX).await?;
        let Some(to) = records.last().map(|record| record.position) else { return Ok(0) };
        let count = records.len();
        let settings = Arc::clone(&self.settings.borrow());
        let events: Vec<Reading> =
            records.into_iter().map(|record| Reading::of(&event_of(record), &settings)).collect();

        let _turn = self.store.turn().await;
        if !Arc::ptr_eq(&settings, &self.settings.borrow()) {
            // Decided by settings that are gone, a contact that the review has looked at would stay behind.
            return Err(StoreError::Conflict);
        }
        let worked = self.store.worked();
        let mut world = load::world_for(&self.store, &events, &settings).await?;
        let now = self.clock.wall();
        let began = self.clock.monotonic();
        let trails = events.into_iter().map(|reading| {
            let decided = decide(&reading, &mut world, &settings, now);
            Put::Trail(trail_of(reading, decided))
        });
        let trails: Vec<Put> = trails.collect();
        world.contribute(&settings);
        let plan = plan(world, trails, Progress { from, to }, &settings);
        let decided_in = self.clock.monotonic().saturating_sub(began);
        self.store.apply(plan).await?;
        pace.took(count, decided_in + self.store.worked().saturating_sub(worked));
        Ok(count)
    }
}

fn plan(world: World, trails: Vec<Put>, progress: Progress, settings: &Settings) -> Plan {
    let mut plan = Plan::of(world, &settings.account);
    // Trails first: a message that comes twice in a batch counts on the trail of its first.
    plan.puts.splice(0..0, trails);
    plan.progress = Some(progress);
    plan
}

fn event_of(record: Record) -> Event {
    let Record { position, event } = record;
    Event {
        position,
        source: event.source,
        people: event.people,
        received_at: event.received_at,
        stamp: Stamp { at: event.at, message_id: event.message_id },
        kind: event.kind,
        backfill: event.backfill,
        body: parse_body(&event.raw),
    }
}

fn trail_of(mut reading: Reading, decided: Decided) -> EventTrail {
    if decided.outcome == Outcome::Erased {
        // Ids of messages and names of events may say who somebody is.
        reading.stamp.message_id = format!("erased-{}", reading.position.0);
        reading.kind.as_str().clone_into(&mut reading.name);
    }
    EventTrail {
        position: reading.position,
        message_id: reading.stamp.message_id,
        source: reading.source,
        kind: reading.kind,
        event: reading.name,
        received_at: reading.received_at,
        at: reading.stamp.at,
        person: decided.person,
        email: decided.email,
        outcome: decided.outcome,
        reason: decided.reason,
        delivery_id: decided.delivery_id,
        duplicates: 0,
        notes: decided.notes,
    }
}
