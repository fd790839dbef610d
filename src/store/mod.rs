//! The store: where events are kept safe, and where people, contacts and deliveries live.
//!
//! [`Store`] is shaped for more than one engine, as nine small traits: batches, documents with revisions, plans that apply
//! whole or not at all. No SQL, no clock and no id made up shows here. Must not decide anything.

mod bodies;
mod coding;
mod columns;
mod config;
mod counters;
mod documents;
mod engine;
mod error;
mod exports;
mod failed;
mod failing;
mod journal;
mod keep;
mod listed;
mod lookup;
mod marks;
#[cfg(feature = "postgres")]
pub mod moving;
mod named;
mod news;
mod orders;
mod outputs;
mod plan;
mod priority;
mod reach;
mod reading;
mod records;
mod work;
mod working;

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sqlite;

use std::future::Future;
use std::pin::Pin;

use tokio::sync::{OwnedMutexGuard, watch};

pub use config::{Config, Durability, Engine, StoreSettings, Tls};
pub use documents::{DEALS_OF_MAX, Documents, HAPPENINGS_OF_MAX, Keys, Place, Revision, Versioned};
pub use engine::{
    Journal, Life, Orders, Outbox, Outgoing, SharedStore, StateStore, Store, Trail, Upkeep, Walks,
};
pub use error::{ErrorClass, StoreError};
pub use exports::{ExportRows, PutExport};
pub use failed::Failed;
pub use journal::{NewRecord, Processed, Record, Stream};
pub use keep::{Keep, KeepTrail, Silent, Worths};
pub use listed::{RecordQuery, RecordState, RecordsOf};
pub use lookup::{
    DeadLetter, DealQuery, DeliveryQuery, DeliveryStands, DeliverySummary, Due, DueOrder, DueQuery,
    EventQuery, HappeningQuery, LIMIT_MAX, Limited, OpenErasures, OutputTotals, OwedInLane, Slot, Sought,
    Totals,
};
pub use news::{Change, Herald, NEWS_KEPT_MAX, News};
pub use orders::{Order, OrderEnd, OrderId, OrderStands, PutOrder};
pub use outputs::{OutputKey, OutputQuery, OutputsOf, PutOutput, WonQuery};
pub use plan::{Counts, Gone, Plan, Privacy, Progress, Put, PutDeal};

pub use priority::give_way;
pub use reach::reach;
pub use reading::EngineReading;
pub use records::{load_beside, load_records};
pub use work::{Fingerprint, Work};
pub use working::{For, load_contacts, quotas};

pub use crate::destination::{Destination, DestinationState};

use crate::clock::UnixMicros;
use crate::event::{Email, Position};

/// What a store answers, some time.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Held while somebody loads, decides and applies, so that one does so at a time.
pub type Turn = OwnedMutexGuard<()>;

/// How far the journal reaches and whether it takes more.
pub type JournalEnd = watch::Receiver<Position>;

/// How far the journal has taken effect, and a signal whenever it moves.
pub type ProcessedEnd = watch::Receiver<Processed>;

/// Appends, and the commits that made them durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Requests whose events were kept.
    pub appends: u64,
    /// Commits that kept them: several in one where they came at the same time.
    pub commits: u64,
}

impl Appended {
    /// What came after an earlier count.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            appends: self.appends.saturating_sub(earlier.appends),
            commits: self.commits.saturating_sub(earlier.commits),
        }
    }
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
