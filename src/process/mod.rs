//! Processing: the journal, in batches, takes effect on people, contacts and deliveries, exactly once.
//!
//! A thin loop around the decision: read, load, decide, apply. The position moves in the same transaction as the
//! effect, so a crash repeats nothing and loses nothing. An event that can't be processed is put aside, and all others
//! take effect. Must not make calls.

#[cfg(test)]
mod crowd_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::decision::{Outcome, Reading, Settings, World};
use crate::event::Position;
use crate::senders::Watch;
use crate::store::{
    ErrorClass, Failed, JournalEnd, Keys, Plan, Progress, Put, Record, SharedStore, StoreError,
};
use crate::telemetry::caught;
use crate::turn::{self, Decide, Next, Pace, Stage, put_aside, reading_of, trail_of, world_for};

/// Work of one batch: with a usual sync others get their turn within 50 ms.
const BATCH_WORK: Duration = Duration::from_millis(30);
/// Events of one batch, whatever they cost.
const BATCH_EVENTS_MIN: usize = 32;
/// Events of one batch, however little they cost.
const BATCH_EVENTS_MAX: usize = 5_000;
/// Bytes of one batch.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nobody else changes documents while the turn is held: after so many conflicts in a row an event is the cause.
const CONFLICTS_MAX: u32 = 3;

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
    /// The decision.
    pub decide: Decide,
    /// Why nothing takes effect now, where that is so.
    pub trouble: watch::Sender<Option<String>>,
    /// What senders do that costs contacts.
    pub senders: Arc<Watch>,
}

impl Processor {
    /// Processes the journal until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let clock = Arc::clone(&self.clock);
        let batches = Batches {
            end: self.store.journal_end(),
            pace: Pace::new(BATCH_WORK, BATCH_EVENTS_MIN, BATCH_EVENTS_MAX),
            limit: None,
            suspect: None,
            conflicts: 0,
            processor: self,
        };
        turn::run(batches, &*clock, &stop).await
    }
}

/// What the loop remembers between batches.
struct Batches {
    processor: Processor,
    end: JournalEnd,
    pace: Pace,
    /// Events of a batch while it is looked for the one that can't be processed.
    limit: Option<usize>,
    /// It is not behind this position.
    suspect: Option<Position>,
    conflicts: u32,
}

/// A batch that came to nothing.
enum Stopped {
    /// The store failed, whatever the events are.
    Store(StoreError),
    /// One of so many events from a position on can't be processed: which one, where that is known, and why.
    Event { from: Position, count: usize, nth: Option<usize>, why: String },
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Events that were read.
struct Batch {
    from: Position,
    readings: Vec<Reading>,
}

impl Batch {
    fn stopped(&self, nth: Option<usize>, why: &impl ToString) -> Stopped {
        Stopped::Event { from: self.from, count: self.readings.len(), nth, why: why.to_string() }
    }
}

impl Stage for Batches {
    const NAME: &'static str = "process";

    async fn work(&mut self) -> Result<Next, StoreError> {
        match self.batch().await {
            Ok(None) => Ok(Next::Rung),
            Ok(Some(reached)) => {
                self.conflicts = 0;
                self.widen(reached);
                self.processor.owed.notify_one();
                Ok(Next::AtOnce)
            }
            Err(Stopped::Store(error)) => Err(error),
            Err(Stopped::Event { from, count, nth, why }) => self.narrow(from, count, nth, why).await,
        }
    }

    async fn rung(&mut self) {
        // The sender lives as long as the store.
        let _ = self.end.changed().await;
    }

    fn went(&mut self, failed: Option<&StoreError>) {
        let trouble = failed.map(ToString::to_string);
        self.processor.trouble.send_if_modified(|shown| std::mem::replace(shown, trouble.clone()) != trouble);
    }
}

impl Batches {
    /// Processes what waits, as much as one turn takes; answers how far it came.
    async fn batch(&mut self) -> Result<Option<Position>, Stopped> {
        self.end.mark_unchanged();
        let Processor { store, settings, clock, decide, senders, .. } = &self.processor;
        let from = store.processed().await?;
        let events_max = self.limit.unwrap_or(usize::MAX).min(self.pace.items());
        let records = store.read(from, events_max, BATCH_BYTES_MAX).await?;
        let Some(to) = records.last().map(|record| record.position) else { return Ok(None) };
        let by = Arc::clone(&settings.borrow());
        let mut batch = Batch { from, readings: Vec::with_capacity(records.len()) };
        let count = records.len();
        for (nth, record) in records.into_iter().enumerate() {
            let reading = caught(|| reading_of(record, &by));
            let stopped = |why| Stopped::Event { from, count, nth: Some(nth), why };
            batch.readings.push(reading.map_err(|panicked| stopped(panicked.to_string()))?);
        }
        let _turn = store.turn().await;
        if !Arc::ptr_eq(&by, &settings.borrow()) {
            // Decided by settings that are gone, a contact that the walk has looked at would stay behind.
            return Err(StoreError::Conflict.into());
        }
        let worked = store.worked();
        let loaded = world_for(store, &batch.readings, &by).await;
        let mut world = loaded.map_err(|error| match error.class() {
            ErrorClass::Document => batch.stopped(None, &error),
            ErrorClass::Ends | ErrorClass::Passes | ErrorClass::Again => Stopped::Store(error),
        })?;
        let (now, began) = (clock.wall(), clock.monotonic());
        let mut trails = Vec::with_capacity(count);
        for (nth, reading) in batch.readings.iter().enumerate() {
            // A working set that a decision left half changed goes with the batch.
            let decided = caught(|| decide(reading, &mut world, &by, now));
            trails.push(decided.map_err(|panicked| batch.stopped(Some(nth), &panicked))?);
        }
        world.contribute(&by);
        let seen = batch
            .readings
            .iter()
            .zip(&trails)
            .filter(|(_, decided)| !matches!(decided.outcome, Outcome::Duplicate | Outcome::Erased));
        let seen: Vec<_> = seen
            .map(|(reading, _)| (reading.source.clone(), reading.received_at, reading.sighting()))
            .collect();
        let decided = trails.into_iter().zip(batch.readings.drain(..));
        let trails = decided.map(|(decided, reading)| Put::Trail(trail_of(reading, decided))).collect();
        let plan = plan(world, trails, Progress { from, to }, &by);
        let decided_in = clock.monotonic().saturating_sub(began);
        let applied = store.apply(plan).await;
        let again = applied.as_ref().is_err_and(|error| error.class() == ErrorClass::Again);
        self.conflicts = if again { self.conflicts + 1 } else { 0 };
        match applied {
            Ok(()) => {
                for (source, at, sighting) in seen {
                    senders.see(&source, at, sighting);
                }
                self.pace.took(count, decided_in + store.worked().saturating_sub(worked));
                Ok(Some(to))
            }
            Err(error) if error.class() == ErrorClass::Document || self.conflicts >= CONFLICTS_MAX => {
                Err(Stopped::Event { from, count, nth: None, why: error.to_string() })
            }
            Err(error) => Err(Stopped::Store(error)),
        }
    }

    /// Looks for the event that can't be processed in fewer events than before, and puts it aside once it is alone.
    async fn narrow(
        &mut self,
        from: Position,
        count: usize,
        nth: Option<usize>,
        why: String,
    ) -> Result<Next, StoreError> {
        match nth.unwrap_or(count / 2) {
            0 => self.put_aside(from, why).await?,
            before => {
                self.limit = Some(before);
                self.suspect = Some(Position(from.0 + nth.map_or(count, |nth| nth + 1) as u64));
            }
        }
        Ok(Next::AtOnce)
    }

    /// After a success: half of what is left up to where the search began, then twice as much each time.
    fn widen(&mut self, reached: Position) {
        self.suspect = self.suspect.filter(|suspect| reached < *suspect);
        self.limit = match (self.suspect, self.limit) {
            (Some(suspect), _) => usize::try_from((suspect.0 - reached.0) / 2).ok().map(|half| half.max(1)),
            (None, limit) => {
                limit.map(|limit| limit.saturating_mul(2)).filter(|limit| *limit < self.pace.items())
            }
        };
    }

    /// Puts the event after a position aside. What is needed for every event is looked at first: where that fails, no
    /// event is the cause.
    async fn put_aside(&mut self, from: Position, why: String) -> Result<(), StoreError> {
        let Processor { store, settings, clock, .. } = &self.processor;
        let _turn = store.turn().await;
        let account = settings.borrow().account.clone();
        store.load(Keys { destination: Some(account), ..Keys::default() }).await?;
        let Some(record) = store.read(from, 1, 0).await?.pop() else { return Ok(()) };
        let Record { position: to, .. } = record;
        tracing::error!(
            position = to.0,
            code = "event_failed",
            why,
            "an event could not be processed and was put aside; all others go on. \
             Report the place, and try it again with POST /api/events/{{message_id}}/retry"
        );
        let mut plan = put_aside(Failed { record, error: why, at: clock.wall() });
        plan.progress = Some(Progress { from, to });
        store.apply(plan).await?;
        (self.limit, self.suspect, self.conflicts) = (Some(1), None, 0);
        Ok(())
    }
}

fn plan(world: World, trails: Vec<Put>, progress: Progress, settings: &Settings) -> Plan {
    let mut plan = Plan::of(world, &settings.account);
    // Trails first: a message that comes twice in a batch counts on the trail of its first.
    plan.puts.splice(0..0, trails);
    plan.progress = Some(progress);
    plan
}
