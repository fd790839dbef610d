//! What an engine does, a small trait for each kind of use. An engine that lacks one is none; a test that needs one alone
//! stands in for that alone.
//!
//! No rule stands here and none in an engine: what is to be stored was decided before.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Answer, Appended, DeadLetter, DealQuery, DeliveryQuery, DeliveryStands, DeliverySummary, Destination,
    Documents, Due, DueQuery, EngineReading, EventQuery, ExportRows, Failed, Fingerprint, HappeningQuery,
    JournalEnd, Keep, Keys, NewRecord, News, OpenErasures, Order, OrderId, OrderStands, OutputQuery, Place,
    Plan, Processed, ProcessedEnd, Record, RecordQuery, Room, Silent, Slot, StoreError, Stream, Suppressed,
    Totals, Turn, Versioned, WonQuery, Work,
};
use tokio::sync::watch;

use crate::cause::Alert;
use crate::clock::UnixMicros;
use crate::delivery::{
    Account, Bound, BulkJob, CompanyKey, DealKey, Delivery, DeliveryId, HappeningId, ListKey, MarkerKey,
    Subject,
};
use crate::erasure::{Erasure, ForgetOrder, Forgetting};
use crate::event::{Email, Position, SourceName};
use crate::export::{Export, Row};
use crate::output::{Gate, Output};
use crate::person::PersonKey;
use crate::selectors::Selectors;
use crate::trail::{Act, EventTrail, Look, Span, Tallied};

/// What ingest and processing need of the journal: events in, durable once answered; events out, in order.
pub trait Journal: Send + Sync + 'static {
    /// Appends events to the journal, all or none, those of each stream in order; durable once answered. Answers the
    /// position of the first, that of the first live one where there are both.
    ///
    /// `Overloaded` and `Full` mean that nothing was kept and that it may be tried again; after `Away` and anything else it
    /// is not known what was kept.
    fn append(&self, records: Vec<NewRecord>) -> Answer<Position>;

    /// The position of the last durable event, and a signal whenever it moves.
    fn journal_end(&self) -> JournalEnd;

    /// What was appended since the store was opened. An engine that does not count has nothing to tell.
    fn appended(&self) -> Appended {
        Appended::default()
    }

    /// Events of a stream after a position, oldest first: at most `events_max`, and no more once `bytes_max` is passed.
    fn read(
        &self,
        stream: Stream,
        after: Position,
        events_max: usize,
        bytes_max: usize,
    ) -> Answer<Vec<Record>>;

    /// One event of the journal, while it is kept.
    fn record(&self, position: Position) -> Answer<Option<Record>>;

    /// Why events can't be accepted now, if they can't.
    fn refusing(&self) -> Option<String>;

    /// Which file of the store was renamed, removed or replaced while it is open, if one was. An engine without files has
    /// none.
    fn away(&self) -> Option<String> {
        None
    }

    /// How much room there is for what comes. An engine that does not know has no answer.
    fn room(&self) -> Option<Room> {
        None
    }

    /// Why old data can't be accepted now, if it can't: so much of it waits.
    fn refusing_old(&self) -> Option<String>;
}

/// Documents, and the only way to change them: load, decide, apply, one turn at a time.
pub trait StateStore: Send + Sync + 'static {
    /// How far the journal has taken effect.
    fn processed(&self) -> Answer<Processed>;

    /// How far the journal has taken effect, and a signal whenever it moves.
    fn processed_end(&self) -> ProcessedEnd;

    /// Waits for the turn to load, decide and apply. Between processes the lease of [`Life::lead`] does
    /// the same, and a plan of whoever lost it does not hold.
    fn turn(&self) -> Pin<Box<dyn Future<Output = Turn> + Send>>;

    /// Loads documents; what does not exist is not in the answer.
    fn load(&self, keys: Keys) -> Answer<Documents>;

    /// Applies a plan whole or not at all, durable once answered; a plan [of events alone](Plan::is_of_events_alone) with the
    /// next that is not, or before anything it rests on goes from the journal. A power cut before that takes it back whole, and
    /// the events take effect again. `Conflict` means that something the plan rests on has changed: load and decide again.
    fn apply(&self, plan: Plan) -> Answer<()>;

    /// How long the engine has worked on loading and writing documents since it was opened. How long it waited for the
    /// disk to make them durable does not count, and neither does how long an order waited for others.
    fn worked(&self) -> Duration;

    /// What applied plans change from now on.
    fn news(&self) -> News;
}

/// What is owed to Freshsales: deliveries, slots of the allowance, and who is to be forgotten there.
pub trait Outbox: Send + Sync + 'static {
    /// Deliveries that may be tried: lane after lane as they are named, in each the longest owed first, or the newest; none
    /// of a record with a call on its way. Beside them the moment when the next of all others is due.
    fn due(&self, query: DueQuery) -> Answer<(Vec<Due>, Option<UnixMicros>)>;

    /// Deliveries of places on one list that may go along in a call at `now`, of no contact with such a call on its way. Those
    /// that were never tried go before their time.
    fn due_in_list(&self, account: Account, list: ListKey, now: UnixMicros, limit: usize)
    -> Answer<Vec<Due>>;

    /// The first calls of contacts that left after a moment: whose contact each was, in the order of time.
    fn bounded(&self, account: Account, since: UnixMicros) -> Answer<Vec<(Bound, UnixMicros)>>;

    /// Slots of an account that may not be free yet at `now`, and the id that the next slot may have.
    fn slots(&self, account: Account, now: UnixMicros) -> Answer<(Vec<Slot>, u64)>;

    /// The lists of an account, as they were answered last. One that can't be read counts as never asked for.
    fn selectors(&self, account: Account) -> Answer<Selectors>;

    /// Bulk calls of an account whose jobs have not ended.
    fn bulk_jobs(&self, account: Account) -> Answer<Vec<BulkJob>>;

    /// Calls on their way that withdrawals of the same contacts wait for.
    fn held_withdrawals(&self, account: Account) -> Answer<BTreeSet<DeliveryId>>;

    /// Dead letters of an account after a place, oldest first.
    fn dead_letters(&self, account: Account, after: u64, limit: usize) -> Answer<Vec<DeadLetter>>;

    /// The contact of an account that the CRM is to be told to forget now, or else when one is.
    fn forgets(&self, account: Account, now: UnixMicros)
    -> Answer<(Option<ForgetOrder>, Option<UnixMicros>)>;

    /// How the destinations of all accounts stand that were ever called.
    fn destinations(&self) -> Answer<BTreeMap<Account, Versioned<Destination>>>;

    /// Orders to forget a contact that hold its address, because its id is not known.
    fn look_ups(&self) -> Answer<Vec<ForgetOrder>>;
}

/// Everything there is of a kind, a page at a time.
pub trait Walks: Send + Sync + 'static {
    /// The addresses of contacts after an address, in order.
    fn contacts(&self, after: Option<Email>, limit: usize) -> Answer<Vec<Email>>;

    /// How many contacts there are.
    fn contacts_count(&self) -> Answer<u64>;

    /// The keys of deals, in order.
    fn deals(&self, query: DealQuery) -> Answer<Vec<DealKey>>;

    /// The keys of companies after one, in order.
    fn companies(&self, after: Option<CompanyKey>, limit: usize) -> Answer<Vec<CompanyKey>>;

    /// The ids of notes, activities and tasks of an account that are still to be told, after one, in order.
    fn open_happenings(&self, query: HappeningQuery) -> Answer<Vec<HappeningId>>;

    /// Deals, companies or happenings, the newest first, each with its place.
    fn listed(&self, query: RecordQuery) -> Answer<Vec<(u64, Subject)>>;

    /// The persons of a contact that is a crowd, after one, in the order of their keys as text.
    fn members(&self, email: Email, after: Option<PersonKey>, limit: usize) -> Answer<Vec<PersonKey>>;

    /// Addresses of which nothing is ever sent, before a place, the newest first.
    fn suppressed(&self, before: Option<u64>, limit: usize) -> Answer<Vec<Suppressed>>;

    /// Documents in which one of some texts stands, from a place on; and the place to go on from, while there is more.
    /// Texts are compared as documents are written: addresses in lower case, other texts as JSON.
    fn find(&self, texts: Vec<String>, from: Place) -> Answer<(Keys, Option<Place>)>;

    /// People in whose names all of some words stand, which are in lower case; some of them, where there are more.
    fn called(&self, words: Vec<String>, limit: usize) -> Answer<Vec<PersonKey>>;

    /// People and time lines that were silent, and contacts without anybody, from a place on; and the place to go on from.
    fn silent(&self, silent: Silent, from: Place) -> Answer<(Keys, Option<Place>)>;
}

/// What other systems are told: rows that wait for a receiver, and the gate of each.
pub trait Outgoing: Send + Sync + 'static {
    /// Outputs of a receiver that may be told now, the oldest first, of each record the oldest alone; beside them the moment when
    /// the next of all others is due.
    fn outputs_due(
        &self,
        receiver: String,
        now: UnixMicros,
        limit: usize,
    ) -> Answer<(Vec<Output>, Option<UnixMicros>)>;

    /// Outputs, the newest first, each with its place.
    fn outputs(&self, query: OutputQuery) -> Answer<Vec<(u64, Output)>>;

    /// How a receiver does. One that can't be read counts as one that was never called.
    fn gate(&self, receiver: String) -> Answer<Versioned<Gate>>;

    /// Deals that are won, the one that was won first first, each with that moment.
    fn won(&self, query: WonQuery) -> Answer<Vec<(DealKey, UnixMicros)>>;

    /// All exports, the oldest first.
    fn exports(&self) -> Answer<Vec<Export>>;

    /// Rows of an export, in the order of the ids of deals.
    fn export_rows(&self, query: ExportRows) -> Answer<Vec<Row>>;

    /// How many rows an export has, and of how many not everything is known.
    fn export_counts(&self, export: u64) -> Answer<(u64, u64)>;

    /// A signal whenever there may be something to tell.
    fn outputs_made(&self) -> watch::Receiver<u64>;
}

/// What became of events and deliveries, for whoever looks.
pub trait Trail: Send + Sync + 'static {
    /// Events of the trail, newest first.
    fn events(&self, query: EventQuery) -> Answer<Vec<EventTrail>>;

    /// The first event with a message id, in one source or in any.
    fn event(&self, message_id: String, source: Option<SourceName>) -> Answer<Option<EventTrail>>;

    /// Events after a position that could not be processed and were put aside, oldest first.
    fn failed(&self, after: Position, limit: usize) -> Answer<Vec<Failed>>;

    /// Deliveries, newest first.
    fn deliveries(&self, query: DeliveryQuery) -> Answer<Vec<DeliverySummary>>;

    /// One delivery whole.
    fn delivery(&self, id: DeliveryId) -> Answer<Option<Delivery>>;

    /// How deliveries stand, those of these that are kept: at most [`LIMIT_MAX`](super::LIMIT_MAX) and one more are asked for.
    fn stands(&self, ids: BTreeSet<DeliveryId>) -> Answer<BTreeMap<DeliveryId, DeliveryStands>>;

    /// The counters and what is owed, one snapshot.
    fn totals(&self, account: Account) -> Answer<Totals>;

    /// How long the deliveries that ended as delivered since a moment took from being owed: the latest `limit`.
    fn delivered_since(&self, account: Account, since: UnixMicros, limit: usize) -> Answer<Vec<Duration>>;

    /// What was counted from a half hour on and before another.
    fn tallies(&self, from: Span, to: Span) -> Answer<Vec<(Tallied, u64)>>;

    /// The reasons with the most dead letters of an account, those first, each with how many.
    fn refusals(&self, account: Account, limit: usize) -> Answer<Vec<(String, u64)>>;

    /// What was ordered or done lately, the last first.
    fn acts(&self, limit: usize) -> Answer<Vec<Act>>;

    /// Who was shown a person lately, the last first; only looks at one, where a hash is given.
    fn looks(&self, whom: Option<String>, limit: usize) -> Answer<Vec<Look>>;

    /// What became of the causes that a person is told of. Rows of causes that this version does not know are left out.
    fn alerts(&self) -> Answer<Vec<Alert>>;
}

/// What has had its time goes, and what is erased leaves no trace.
pub trait Upkeep: Send + Sync + 'static {
    /// Deletes a part of what has had its time, small enough that nothing else waits long. Counters stay as
    /// they are and no position is given twice. Answers how many rows and groups went; 0 is the end.
    fn prune(&self, keep: Keep) -> Answer<u64>;

    /// Orders to erase somebody that are not carried out.
    fn erasures(&self) -> Answer<OpenErasures>;

    /// One order to erase somebody, or its receipt; and how far it is in the CRM.
    fn erasure(&self, id: u64) -> Answer<Option<(Erasure, Forgetting)>>;

    /// Deletes a part of the rows that an erasure in [`ErasureStage::Rows`](crate::erasure::ErasureStage::Rows) reaches; answers how
    /// far it is then.
    fn erase_rows(&self, erasure: Erasure) -> Answer<Erasure>;

    /// Blanks a part of the events whose content is to go from the journal; answers how many. 0 is the end.
    fn blank(&self) -> Answer<u64>;

    /// Makes sure that nothing that was deleted is left in any file that the engine reaches; answers whether that was possible
    /// now.
    fn wipe(&self) -> Answer<bool>;

    /// What stays of whoever was erased where the engine does not reach, if anything does.
    fn remains(&self) -> Option<&'static str> {
        None
    }
}

/// Orders of a person that were given on a node that does not work. An engine of one process keeps none: whoever is asked carries
/// them out.
pub trait Orders: Send + Sync + 'static {
    /// Keeps an order for the process that works; durable once answered, and kept once however often it had to be tried.
    /// `Overloaded` where too many wait.
    fn leave_order(&self, order: Order) -> Answer<OrderId> {
        drop(order);
        Box::pin(ready(Err(StoreError::Shut)))
    }

    /// Orders that have not ended, the oldest first.
    fn orders_left(&self, limit: usize) -> Answer<Vec<(OrderId, OrderStands)>> {
        let _ = limit;
        Box::pin(ready(Ok(Vec::new())))
    }

    /// How an order stands, while it is kept.
    fn order_left(&self, id: OrderId) -> Answer<Option<OrderStands>> {
        let _ = id;
        Box::pin(ready(Ok(None)))
    }

    /// Whoever asked knows what came of an order, so it need not be kept.
    fn forget_order(&self, id: OrderId) -> Answer<()> {
        let _ = id;
        Box::pin(ready(Ok(())))
    }

    /// A signal whenever there may be orders that have not ended. It ends where there never are any.
    fn orders_given(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

/// How the engine itself is: whether it works here, whether it has failed, and its end.
pub trait Life: Send + Sync + 'static {
    /// The failure after which nothing is acknowledged any more, once there is one: the process has to end with 74 and recover
    /// by starting again.
    fn fatal(&self) -> watch::Receiver<Option<String>>;

    /// The latest moment that was seen before the store opened; a clock that shows an earlier one was set back.
    fn latest_moment(&self) -> UnixMicros;

    /// The key of this store under which the ids of happenings are made. It never changes.
    fn marker_key(&self) -> Answer<MarkerKey>;

    /// Looks after what the store rests on as long as it is open.
    fn look_after(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Waits until this process is the one that works: that applies plans. Claims and slots of whoever worked before are void
    /// and spent by then, or waited for. An engine of one process answers at once.
    fn lead(&self) -> Answer<()>;

    /// Whether this process is the one that works, and a signal whenever that changes. Once it is not any more, whoever works
    /// here has to end before [`Life::lead`] is waited for again. An engine of one process always works.
    fn work(&self) -> watch::Receiver<Work> {
        watch::Sender::new(Work::default()).subscribe()
    }

    /// How the engine beside the process does. An engine in the process has nothing to tell.
    fn engine(&self) -> Option<EngineReading> {
        None
    }

    /// By which settings this process works from now on: where several share a store, one that would work by others than the one
    /// that does is not to take over from it, but for when it stops in order or stays away.
    fn works_by(&self, settings: Fingerprint) {
        drop(settings);
    }

    /// A signal whenever something was changed in another way than by a plan of this process: deliveries may be due, or a person
    /// may have ordered something. An engine of one process never gives it.
    fn changed_beside(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }

    /// How soon after its claim a call has to leave, where another process may take over from one that sleeps.
    fn calls_leave_within(&self) -> Option<Duration> {
        None
    }

    /// Writes what was accepted and leaves the store to others. Blocks meanwhile.
    fn shut(&self);
}

/// A place to keep everything.
pub trait Store: Journal + StateStore + Outbox + Walks + Outgoing + Trail + Upkeep + Orders + Life {}

impl<E: Journal + StateStore + Outbox + Walks + Outgoing + Trail + Upkeep + Orders + Life> Store for E {}

/// A store shared by the stages.
pub type SharedStore = Arc<dyn Store>;
