//! Processing: the journal, in batches, takes effect on people, contacts and deliveries, exactly once.
//!
//! A thin loop around the decision: read, load, decide, apply. The position moves in the same transaction as the
//! effect, so a crash repeats nothing and loses nothing. An event that can't be processed is put aside, and all others
//! take effect. Must not make calls.

mod rest;
mod search;
mod share;

#[cfg(test)]
mod crowd_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::rest::Rest;
use self::search::Search;
use self::share::Share;
use crate::clock::{Clock, UnixMicros};
use crate::consent::SharedTally;
use crate::decision::{Decided, Outcome, Reading, Settings, World};
use crate::event::{Position, SourceName};
use crate::senders::{Sighting, Watch};
use crate::store::{
    ErrorClass, Failed, JournalEnd, Keys, Plan, Progress, Put, Record, SharedStore, StoreError, Stream, Turn,
};
use crate::telemetry::{Panicked, caught};
use crate::traces::Traces;
use crate::trail::{EventTrail, Tallies, tally};
use crate::turn::{
    self, Batch, Decide, Next, Pace, Stage, Stalls, Undecided, decide_on, put_aside, reading_of, trail_of,
};

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
    /// Counts events whose consent was not understood.
    pub consent: SharedTally,
    /// What senders do that costs contacts.
    pub senders: Arc<Watch>,
    /// Where it is noted when nothing comes of it.
    pub stalls: Stalls,
    /// Who is told of what took effect.
    pub traces: Traces,
}

impl Processor {
    /// Processes the journal until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let (clock, stalls) = (Arc::clone(&self.clock), self.stalls.clone());
        let batches = Batches {
            end: self.store.journal_end(),
            pace: Pace::new(BATCH_WORK, BATCH_EVENTS_MIN, BATCH_EVENTS_MAX),
            share: Share::default(),
            rest: Rest::default(),
            ahead: None,
            searches: BTreeMap::new(),
            conflicts: 0,
            suspect: None,
            processor: self,
        };
        turn::run(batches, &stalls, &*clock, &stop).await
    }

    /// Reads events of a stream after a position, at most so many.
    async fn read(
        &self,
        stream: Stream,
        from: Position,
        events_max: usize,
        by: &Arc<Settings>,
    ) -> Result<Read, StoreError> {
        let records = self.store.read(stream, from, events_max, BATCH_BYTES_MAX).await?;
        let positions = records.iter().map(|record| record.position).collect();
        let reading = |(nth, record)| caught(|| reading_of(record, by)).map_err(|panicked| (nth, panicked));
        let readings = records.into_iter().enumerate().map(reading).collect();
        Ok(Read { place: Place { stream, from, positions }, by: Arc::clone(by), readings })
    }

    /// Counts what events that took effect show of their senders.
    fn note(&self, not_understood: BTreeMap<SourceName, u64>, seen: Vec<Seen>, now: UnixMicros) {
        for (source, events) in not_understood {
            self.consent.add(&source, events, now);
            let counter = metrics::counter!("freshsignal_consent_not_understood_total", "source" => source.0);
            counter.increment(events);
        }
        for (source, at, sighting) in seen {
            self.senders.see(&source, at, sighting);
        }
    }
}

/// What the loop remembers between batches.
struct Batches {
    processor: Processor,
    end: JournalEnd,
    pace: Pace,
    share: Share,
    rest: Rest,
    /// What was read while the batch before was written.
    ahead: Option<Read>,
    /// What is known of an event that can't be processed, by stream.
    searches: BTreeMap<Stream, Search>,
    conflicts: u32,
    /// The event that was alone when it failed, while everything that all events need was there.
    suspect: Option<Position>,
}

/// Events that wait, as they are read by settings.
struct Read {
    place: Place,
    by: Arc<Settings>,
    /// What they say; or which one, by its number, can't be read, and why.
    readings: Result<Vec<Reading>, (usize, Panicked)>,
}

/// A batch that came to nothing.
enum Stopped {
    /// The store failed, whatever the events are.
    Store(StoreError),
    /// The settings were changed meanwhile: the events are read again by the new ones, at once.
    OtherSettings,
    /// One of these events can't be processed: which one, where that is known, and why.
    Event { place: Place, nth: Option<usize>, why: String },
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Where events stand that were read.
#[derive(Clone)]
struct Place {
    stream: Stream,
    /// What had taken effect of the stream before.
    from: Position,
    positions: Vec<Position>,
}

impl Place {
    fn stopped(&self, nth: Option<usize>, why: &impl ToString) -> Stopped {
        Stopped::Event { place: self.clone(), nth, why: why.to_string() }
    }

    fn undecided(&self, undecided: Undecided) -> Stopped {
        match undecided {
            Undecided::Panicked(nth, panicked) => self.stopped(nth, &panicked),
            Undecided::Store(error) => match error.class() {
                ErrorClass::Document => self.stopped(None, &error),
                ErrorClass::Ends | ErrorClass::Passes | ErrorClass::Again => Stopped::Store(error),
            },
        }
    }

    fn reached(&self) -> Position {
        self.positions.last().copied().unwrap_or(self.from)
    }

    fn progress(&self) -> Progress {
        let events = self.positions.len() as u64;
        Progress { stream: self.stream, from: self.from, to: self.reached(), events }
    }
}

/// The trail that is put, where one is.
fn trail_in(put: &Put) -> Option<&EventTrail> {
    if let Put::Trail(trail) = put { Some(trail) } else { None }
}

impl Stage for Batches {
    const NAME: &'static str = "process";

    async fn work(&mut self) -> Result<Next, StoreError> {
        let Processor { store, clock, .. } = &self.processor;
        while let Some(wait) = self.rest.next(store.appended()) {
            clock.sleep_until(clock.monotonic() + wait).await;
        }
        match self.batch().await {
            Ok(None) => Ok(Next::Rung),
            Ok(Some(done)) => {
                self.conflicts = 0;
                let search = self.searches.get(&done.stream);
                let search = search.and_then(|search| search.widened(done.reached(), self.pace.items()));
                self.look_on(done.stream, search);
                self.processor.owed.notify_one();
                Ok(Next::AtOnce)
            }
            Err(Stopped::Store(error)) => Err(error),
            Err(Stopped::OtherSettings) => Ok(Next::AtOnce),
            Err(Stopped::Event { place, nth, why }) => self.narrow(place, nth, why).await,
        }
    }

    async fn rung(&mut self) {
        // The sender lives as long as the store.
        let _ = self.end.changed().await;
    }

    fn went(&mut self, failed: Option<&str>) {
        let trouble = failed.map(str::to_owned);
        self.processor.trouble.send_if_modified(|shown| std::mem::replace(shown, trouble.clone()) != trouble);
    }
}

impl Batches {
    /// The events that are next, and whose turn it is: live ones, unless old data is owed its share.
    async fn next(&mut self, by: &Arc<Settings>) -> Result<Option<Read>, StoreError> {
        let processed = self.processor.store.processed().await?;
        let order = self.share.order();
        let [first, _] = order;
        let ahead = self.ahead.take().filter(|ahead| Arc::ptr_eq(&ahead.by, by));
        let mut ahead = ahead.filter(|ahead| ahead.place.from == processed.of(ahead.place.stream));
        for stream in order {
            let from = processed.of(stream);
            let read = match ahead.take_if(|ahead| ahead.place.stream == stream) {
                Some(read) => read,
                None => self.processor.read(stream, from, self.events_max(stream), by).await?,
            };
            let waits = !read.place.positions.is_empty();
            if stream == first && waits {
                self.share.chose(stream);
            } else {
                self.share.alone();
            }
            if waits {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    /// How many events the next batch may have.
    fn events_max(&self, stream: Stream) -> usize {
        self.searches.get(&stream).map_or(usize::MAX, |search| search.limit).min(self.pace.items())
    }

    /// Applies a plan, which ends the turn, and reads meanwhile what follows it.
    async fn apply(
        &mut self,
        plan: Plan,
        turn: Turn,
        place: &Place,
        by: &Arc<Settings>,
    ) -> Result<(), StoreError> {
        let (stream, from) = (place.stream, place.reached());
        let applied = async {
            let applied = self.processor.store.apply(plan).await;
            drop(turn);
            applied
        };
        // While an event is looked for, the next batch depends on how this one ends.
        if self.searches.contains_key(&stream) {
            return applied.await;
        }
        let read = self.processor.read(stream, from, self.events_max(stream), by);
        let (applied, read) = tokio::join!(applied, read);
        // What can't be read now is read in its turn.
        self.ahead = read.ok().filter(|read| applied.is_ok() && !read.place.positions.is_empty());
        applied
    }

    /// Processes what waits, as much as one turn takes; answers what that was.
    async fn batch(&mut self) -> Result<Option<Place>, Stopped> {
        self.end.mark_unchanged();
        let started = self.processor.clock.monotonic();
        let by = Arc::clone(&self.processor.settings.borrow());
        let Some(Read { place, readings, .. }) = self.next(&by).await? else { return Ok(None) };
        let count = place.positions.len();
        let readings = readings.map_err(|(nth, panicked)| place.stopped(Some(nth), &panicked))?;
        let Processor { store, settings, clock, decide, .. } = &self.processor;
        let turn = store.turn().await;
        if !Arc::ptr_eq(&by, &settings.borrow()) {
            // Decided by settings that are gone, a contact that the walk has looked at would stay behind.
            return Err(Stopped::OtherSettings);
        }
        let worked = store.worked();
        let now = clock.wall();
        let decide = |reading: &Reading, world: &mut World| decide(reading, world, &by, now);
        let batch = decide_on(store, &readings, &by, decide, &**clock).await;
        let batch = batch.map_err(|undecided| place.undecided(undecided))?;
        let Batch { mut world, decided: trails, took: mut decided_in } = batch;
        let began = clock.monotonic();
        let (mut seen, mut tallies) = (Vec::new(), Tallies::default());
        let trails = caught(|| {
            world.contribute(&by);
            seen = sightings(&readings, &trails);
            for (reading, decided) in readings.iter().zip(&trails) {
                tally(&mut tallies, reading, decided, &by);
            }
            let decided = trails.into_iter().zip(readings);
            decided.map(|(decided, reading)| Put::Trail(trail_of(reading, decided))).collect()
        });
        let trails: Vec<Put> = trails.map_err(|panicked| place.stopped(None, &panicked))?;
        let effects = self.processor.traces.effects(trails.iter().filter_map(trail_in));
        let not_understood = std::mem::take(&mut world.consent_not_understood);
        let mut plan = plan(world, trails, place.progress(), &by);
        plan.counts.count(tallies);
        decided_in += clock.monotonic().saturating_sub(began);
        let applied = self.apply(plan, turn, &place, &by).await;
        let again = applied.as_ref().is_err_and(|error| error.class() == ErrorClass::Again);
        self.conflicts = if again { self.conflicts + 1 } else { 0 };
        let Processor { store, clock, .. } = &self.processor;
        match applied {
            Ok(()) => {
                self.processor.note(not_understood, seen, now);
                self.processor.traces.took_effect(effects, now, self.processor.clock.wall());
                let work = decided_in + store.worked().saturating_sub(worked);
                self.pace.took(count, work);
                self.rest.worked(work);
                self.share.took(clock.monotonic().saturating_sub(started));
                Ok(Some(place))
            }
            Err(error) if error.class() == ErrorClass::Document || self.conflicts >= CONFLICTS_MAX => {
                Err(place.stopped(None, &error))
            }
            Err(error) => Err(Stopped::Store(error)),
        }
    }

    /// Looks for the event that can't be processed in fewer events than before, and puts it aside once it is alone.
    async fn narrow(&mut self, place: Place, nth: Option<usize>, why: String) -> Result<Next, StoreError> {
        match Search::narrowed(&place.positions, nth) {
            Some(search) => self.look_on(place.stream, Some(search)),
            None => self.put_aside(&place, why).await?,
        }
        Ok(Next::AtOnce)
    }

    fn look_on(&mut self, stream: Stream, search: Option<Search>) {
        match search {
            Some(search) => self.searches.insert(stream, search),
            None => self.searches.remove(&stream),
        };
    }

    /// Puts the event after a position aside. What is needed for every event is looked at first: where that fails, no
    /// event is the cause.
    async fn put_aside(&mut self, place: &Place, why: String) -> Result<(), StoreError> {
        let Processor { store, settings, clock, .. } = &self.processor;
        let _turn = store.turn().await;
        let account = settings.borrow().account.clone();
        store.load(Keys { destination: Some(account), ..Keys::default() }).await?;
        let Some(record) = store.read(place.stream, place.from, 1, 0).await?.pop() else { return Ok(()) };
        let Record { position: to, .. } = record;
        // What all events need may have come back only now: put aside is what fails once more after that was seen.
        if self.suspect.replace(to) != Some(to) {
            return Ok(());
        }
        tracing::error!(
            position = to.0,
            code = "event_failed",
            why,
            "an event could not be processed and was put aside; all others go on. \
             Report the place, and try it again with POST /api/events/{{message_id}}/retry"
        );
        let mut plan = put_aside(Failed { record, error: why, at: clock.wall() });
        plan.progress = Some(Progress { stream: place.stream, from: place.from, to, events: 1 });
        store.apply(plan).await?;
        self.conflicts = 0;
        self.look_on(place.stream, Some(Search::after_one()));
        Ok(())
    }
}

/// What senders are watched by: where an event came from, when, and what it shows of its sender.
type Seen = (SourceName, UnixMicros, Sighting);

/// What the events that count show of their senders.
fn sightings(readings: &[Reading], decided: &[Decided]) -> Vec<Seen> {
    let counts = |decided: &Decided| !matches!(decided.outcome, Outcome::Duplicate | Outcome::Erased);
    let counting = readings.iter().zip(decided).filter(|(_, decided)| counts(decided));
    counting.map(|(reading, _)| (reading.source.clone(), reading.received_at, reading.sighting())).collect()
}

fn plan(world: World, trails: Vec<Put>, progress: Progress, settings: &Settings) -> Plan {
    let mut plan = Plan::of(world, &settings.account);
    // Trails first: a message that comes twice in a batch counts on the trail of its first.
    plan.puts.splice(0..0, trails);
    plan.progress = Some(progress);
    plan
}
