//! The store: where events are kept safe, and where people, contacts and deliveries live.
//!
//! [`Store`] is shaped for more than one engine: batches, documents with revisions, plans that apply whole or
//! not at all. No SQL, no clock and no id made up shows here. Must not decide anything.

mod config;
mod documents;
mod error;
mod failed;
mod journal;
mod keep;
mod listed;
mod lookup;
mod news;
mod outputs;
mod plan;
mod priority;
mod reach;
mod records;
mod working;

pub mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};

pub use config::{Config, Engine, StoreSettings};
pub use documents::{DEALS_OF_MAX, Documents, HAPPENINGS_OF_MAX, Keys, Place, Revision, Versioned};
pub use error::{ErrorClass, StoreError};
pub use failed::Failed;
pub use journal::{NewRecord, Processed, Record, Stream};
pub use keep::{Keep, Silent};
pub use listed::{RecordQuery, RecordState, RecordsOf};
pub use lookup::{
    DeadLetter, DealQuery, DeliveryQuery, DeliveryStands, DeliverySummary, Due, DueOrder, DueQuery,
    EventQuery, HappeningQuery, LIMIT_MAX, Limited, OpenErasures, OutputTotals, OwedInLane, Slot, Totals,
};
pub use news::{Change, Herald, NEWS_KEPT_MAX, News};
pub use outputs::{OutputKey, OutputQuery, OutputsOf, PutOutput};
pub use plan::{Counts, Gone, Plan, Privacy, Progress, Put, PutDeal};

pub use priority::give_way;
pub use reach::reach;
pub use records::{load_beside, load_records};
pub use working::{For, load_contacts, quotas};

pub use crate::destination::{Destination, DestinationState};

use crate::cause::Alert;
use crate::clock::UnixMicros;
use crate::delivery::{
    Account, Bound, BulkJob, CompanyKey, DealKey, Delivery, DeliveryId, HappeningId, Subject,
};
use crate::erasure::{Erasure, ForgetOrder, Forgetting};
use crate::event::{Email, Position, SourceName};
use crate::output::{Gate, Output};
use crate::person::PersonKey;
use crate::selectors::Selectors;
use crate::trail::EventTrail;

/// What a store answers, some time.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Held while somebody loads, decides and applies, so that one does so at a time.
pub type Turn = OwnedMutexGuard<()>;

/// How far the journal reaches and whether it takes more.
pub type JournalEnd = watch::Receiver<Position>;

/// How far the journal has taken effect, and a signal whenever it moves.
pub type ProcessedEnd = watch::Receiver<Processed>;

/// A place to keep everything.
pub trait Store: Send + Sync + 'static {
    /// Appends events to the journal, all or none, those of each stream in order; durable once answered. Answers the
    /// position of the first, that of the first live one where there are both.
    ///
    /// `Overloaded` and `Full` mean that nothing was kept and that it may be tried again; after `Away` and anything else it
    /// is not known what was kept.
    fn append(&self, records: Vec<NewRecord>) -> Answer<Position>;

    /// The position of the last durable event, and a signal whenever it moves.
    fn journal_end(&self) -> JournalEnd;

    /// Events of a stream after a position, oldest first: at most `events_max`, and no more once `bytes_max` is passed.
    fn read(
        &self,
        stream: Stream,
        after: Position,
        events_max: usize,
        bytes_max: usize,
    ) -> Answer<Vec<Record>>;

    /// How far the journal has taken effect.
    fn processed(&self) -> Answer<Processed>;

    /// How far the journal has taken effect, and a signal whenever it moves.
    fn processed_end(&self) -> ProcessedEnd;

    /// Waits for the turn to load, decide and apply. An engine with real conflicts may give it at once.
    fn turn(&self) -> Pin<Box<dyn Future<Output = Turn> + Send>>;

    /// Loads documents; what does not exist is not in the answer.
    fn load(&self, keys: Keys) -> Answer<Documents>;

    /// Applies a plan whole or not at all, durable once answered. `Conflict` means that something the plan
    /// rests on has changed: load and decide again.
    fn apply(&self, plan: Plan) -> Answer<()>;

    /// How long the engine has worked on loading and writing documents since it was opened. How long it waited for the
    /// disk to make them durable does not count, and neither does how long an order waited for others.
    fn worked(&self) -> Duration;

    /// Deliveries that may be tried: lane after lane as they are named, in each the longest owed first, or the newest; none
    /// of a record with a call on its way. Beside them the moment when the next of all others is due.
    fn due(&self, query: DueQuery) -> Answer<(Vec<Due>, Option<UnixMicros>)>;

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

    /// Events of the trail, newest first.
    fn events(&self, query: EventQuery) -> Answer<Vec<EventTrail>>;

    /// The first event with a message id, in one source or in any.
    fn event(&self, message_id: String, source: Option<SourceName>) -> Answer<Option<EventTrail>>;

    /// Events after a position that could not be processed and were put aside, oldest first.
    fn failed(&self, after: Position, limit: usize) -> Answer<Vec<Failed>>;

    /// One event of the journal, while it is kept.
    fn record(&self, position: Position) -> Answer<Option<Record>>;

    /// Deliveries, newest first.
    fn deliveries(&self, query: DeliveryQuery) -> Answer<Vec<DeliverySummary>>;

    /// One delivery whole.
    fn delivery(&self, id: DeliveryId) -> Answer<Option<Delivery>>;

    /// How deliveries stand, those of these that are kept: at most [`LIMIT_MAX`] and one more are asked for.
    fn stands(&self, ids: BTreeSet<DeliveryId>) -> Answer<BTreeMap<DeliveryId, DeliveryStands>>;

    /// The counters and what is owed, one snapshot.
    fn totals(&self, account: Account) -> Answer<Totals>;

    /// How long the deliveries that ended as delivered since a moment took from being owed: the latest `limit`.
    fn delivered_since(&self, account: Account, since: UnixMicros, limit: usize) -> Answer<Vec<Duration>>;

    /// What applied plans change from now on.
    fn news(&self) -> News;

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

    /// Dead letters of an account after a place, oldest first.
    fn dead_letters(&self, account: Account, after: u64, limit: usize) -> Answer<Vec<DeadLetter>>;

    /// Addresses of which nothing is ever sent, before a place, the newest first.
    fn suppressed(&self, before: Option<u64>, limit: usize) -> Answer<Vec<Suppressed>>;

    /// What became of the causes that a person is told of. Rows of causes that this version does not know are left out.
    fn alerts(&self) -> Answer<Vec<Alert>>;

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

    /// A signal whenever there may be something to tell.
    fn outputs_made(&self) -> watch::Receiver<u64>;

    /// Deletes a part of what has had its time, small enough that nothing else waits long. Counters stay as
    /// they are and no position is given twice. Answers how many rows and groups went; 0 is the end.
    fn prune(&self, keep: Keep) -> Answer<u64>;

    /// Documents in which one of some texts stands, from a place on; and the place to go on from, while there is more.
    /// Texts are compared as documents are written: addresses in lower case, other texts as JSON.
    fn find(&self, texts: Vec<String>, from: Place) -> Answer<(Keys, Option<Place>)>;

    /// People and time lines that were silent, and contacts without anybody, from a place on; and the place to go on from.
    fn silent(&self, silent: Silent, from: Place) -> Answer<(Keys, Option<Place>)>;

    /// The contact of an account that the CRM is to be told to forget now, or else when one is.
    fn forgets(&self, account: Account, now: UnixMicros)
    -> Answer<(Option<ForgetOrder>, Option<UnixMicros>)>;

    /// How the destinations of all accounts stand that were ever called.
    fn destinations(&self) -> Answer<BTreeMap<Account, Versioned<Destination>>>;

    /// Orders to forget a contact that hold its address, because its id is not known.
    fn look_ups(&self) -> Answer<Vec<ForgetOrder>>;

    /// Orders to erase somebody that are not carried out.
    fn erasures(&self) -> Answer<OpenErasures>;

    /// One order to erase somebody, or its receipt; and how far it is in the CRM.
    fn erasure(&self, id: u64) -> Answer<Option<(Erasure, Forgetting)>>;

    /// Deletes a part of the rows that an erasure in [`ErasureStage::Rows`](crate::erasure::ErasureStage::Rows) reaches; answers how
    /// far it is then.
    fn erase_rows(&self, erasure: Erasure) -> Answer<Erasure>;

    /// Blanks a part of the events whose content is to go from the journal; answers how many. 0 is the end.
    fn blank(&self) -> Answer<u64>;

    /// Makes sure that nothing that was deleted is left in any file; answers whether that was possible now.
    fn wipe(&self) -> Answer<bool>;

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

/// An address of which nothing is ever sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Its place in the list of them.
    pub place: u64,
    /// Since when.
    pub at: UnixMicros,
    /// The address; none once it was erased, or where a restore knows its hash alone.
    pub email: Option<Email>,
}

/// Room for what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that are free.
    pub free_bytes: u64,
    /// With fewer free bytes events are refused.
    pub free_bytes_min: u64,
}

/// A store shared by the stages.
pub type SharedStore = Arc<dyn Store>;
