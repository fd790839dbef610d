//! The engine for several nodes: tables in a PostgreSQL database that replicates synchronously.
//!
//! Every node takes events and shows everything; one of them, the holder of a lease in the database, works. What it commits
//! is fenced by the lease's epoch, so that nobody works who lost it. The only SQL beside the embedded engine's is in this
//! folder. Must not decide anything.

mod apply;
mod away;
mod core;
mod counted;
mod deliveries;
mod dial;
mod documents;
mod erase;
mod face;
mod failure;
mod groups;
mod journal;
mod lease;
mod link;
mod lists;
mod load;
mod migrate;
pub(in crate::store) mod moving;
mod names;
mod orders;
mod outbox;
mod outputs;
mod pen;
mod plan;
mod privacy;
mod recovery;
mod retention;
mod rows;
mod same;
mod settings;
mod slots;
mod tables;
mod trail;
mod value;
mod watched;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use settings::{PostgresSettings, SettingsProblem};

use self::core::Core;
use self::dial::{Dial, Purpose};
use self::journal::Journal;
use self::migrate::NotMigrated;
use self::value::{column, values};
use crate::clock::{Clock, UnixMicros};
use crate::store::{Answer, StoreError};

/// Threads for the connections: they wait most of the time.
const THREADS: usize = 2;
/// How long what is under way may take when the store is shut.
const SHUT_DEADLINE: Duration = Duration::from_secs(5);

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings are not enough.
    #[error("the database of the store can't be used: {0}")]
    Settings(#[from] SettingsProblem),
    /// Its clock shows another time.
    #[error(
        "the clock of this machine and that of the database are {0} s apart, which nodes must not be: have both set by a time \
         server"
    )]
    Clock(u64),
    /// It does not do what is demanded of it.
    #[error("the database of the store is not safe enough: {0}")]
    Durability(String),
    /// A version after the next made its schema.
    #[error(
        "the schema {schema} is too far ahead of this version (it is {found}, this one knows {known} and bears one more): start the \
         version that made it, or the one before"
    )]
    Newer {
        /// Which.
        schema: String,
        /// Its version.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// It can't be reached or failed.
    #[error("the database of the store can't be opened: {0}")]
    Store(#[from] StoreError),
    /// Another process does the work.
    #[error("another process works with the schema {0}")]
    InUse(String),
}

impl OpenError {
    /// The exit code of a process that could not open its store.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Clock(_) | Self::Durability(_) | Self::Newer { .. } => 2,
            Self::InUse(_) => 75,
            Self::Store(_) => 74,
        }
    }
}

/// The store in a database.
pub struct PostgresStore {
    core: Arc<Core>,
    journal: Arc<Journal>,
    turn: Arc<tokio::sync::Mutex<()>>,
    tasks: Handle,
    latest: UnixMicros,
    /// What a 200 means here.
    meaning: String,
    threads: Mutex<Option<Threads>>,
}

/// The threads for the connections, and the task that writes the journal.
struct Threads {
    runtime: Option<Runtime>,
    journal: Option<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Threads {
    fn start() -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Fatal(error.to_string()))?;
        Ok(Self { runtime: Some(runtime), journal: None })
    }

    /// Runs something to its end from wherever it is called, also from within another runtime.
    fn run<T: Send>(&self, work: impl Future<Output = T> + Send) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Shut)?;
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(work)).join())
            .map_err(|_| StoreError::Fatal("a thread of the store ended".to_owned()))
    }
}

impl PostgresStore {
    /// Opens a database, making the tables where they do not exist. Nobody works with it until [`lead`] has answered.
    ///
    /// [`lead`]: crate::store::Life::lead
    ///
    /// # Errors
    /// Says why it can't be used; [`OpenError::exit_code`] is the exit code for it.
    pub fn open(settings: PostgresSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let dial = Dial::new(&settings)?;
        let mut threads = Threads::start()?;
        let opened = threads.run(prepared(&settings, &dial, &*clock))??;
        let Opened { key, head, processed, latest, meaning } = opened;
        tracing::info!(schema = settings.schema, "{meaning}");
        let (limits, deadline) = (settings.limits.clone(), settings.append_deadline);
        let core = Arc::new(Core::new(settings, dial, clock, (key, processed)));
        let journal = Arc::new(Journal::new(limits, deadline, head));
        let tasks = threads.runtime.as_ref().ok_or(StoreError::Shut)?.handle().clone();
        threads.journal = Some(tasks.spawn(journal::run(Arc::clone(&journal), Arc::clone(&core))));
        tasks.spawn(lease::look(Arc::clone(&core), Arc::clone(&journal)));
        let turn = Arc::default();
        Ok(Arc::new(Self { core, journal, turn, tasks, latest, meaning, threads: Mutex::new(Some(threads)) }))
    }

    /// Connects, reads back what is demanded of the server, and says what a 200 means with it. Changes nothing.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub fn look_at(settings: &PostgresSettings) -> Result<String, OpenError> {
        let dial = Dial::new(settings)?;
        let threads = Threads::start()?;
        threads.run(async {
            let link = dial.connect(Purpose::Write).await?;
            dial::durability(&link, settings.durability).await.map_err(OpenError::Durability)
        })?
    }

    /// The same as [`PostgresStore::open`], and works with it at once.
    ///
    /// # Errors
    /// As [`PostgresStore::open`]; also where another process works with it.
    pub fn open_leading(settings: PostgresSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let schema = settings.schema.clone();
        let store = Self::open(settings, clock)?;
        let led = {
            let threads = store.threads.lock().unwrap_or_else(PoisonError::into_inner);
            let threads = threads.as_ref().ok_or(StoreError::Shut)?;
            threads.run(lease::try_lead(Arc::clone(&store.core), Arc::clone(&store.turn)))??
        };
        if led { Ok(store) } else { Err(OpenError::InUse(schema)) }
    }

    /// The failure after which nothing is acknowledged any more, once there is one.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.core.fatal.watch()
    }

    /// What a 200 means with this database.
    #[must_use]
    pub fn meaning(&self) -> &str {
        &self.meaning
    }

    /// Writes what was accepted, gives the lease back and closes all connections. Blocks meanwhile.
    pub fn shut(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut threads) = threads else { return };
        self.core.ending.store(true, Ordering::Release);
        self.journal.shut();
        let (core, journal) = (Arc::clone(&self.core), threads.journal.take());
        // What can't be given back is taken over when it has run out.
        let _ = threads.run(async move {
            if let Some(journal) = journal {
                let written = async { journal.await.map_err(|_| StoreError::Shut) };
                let _ = dial::within(SHUT_DEADLINE, written).await;
            }
            lease::give_back(&core).await;
            core.close().await;
        });
    }

    /// Runs something on the threads of the store, to its end even where nobody waits for it any more.
    fn answer<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Answer<T> {
        let (tasks, core) = (self.tasks.clone(), Arc::clone(&self.core));
        Box::pin(async move {
            core.check()?;
            tasks.spawn(work).await.unwrap_or(Err(StoreError::Shut))
        })
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.shut();
    }
}

/// What is known of a database once it is open.
struct Opened {
    key: hmac::Key,
    head: journal::Head,
    processed: crate::store::Processed,
    latest: UnixMicros,
    meaning: String,
}

async fn prepared(settings: &PostgresSettings, dial: &Dial, clock: &dyn Clock) -> Result<Opened, OpenError> {
    let link = dial.connect(Purpose::Write).await?;
    if settings.by_database_clock {
        dial::same_time(&link, clock).await?;
    }
    let mut key = vec![0; 32];
    getrandom::fill(&mut key).map_err(|error| StoreError::Fatal(error.to_string()))?;
    migrate::migrate(&link, dial.schema(), key).await.map_err(|error| match error {
        NotMigrated::Newer(found, known) => {
            OpenError::Newer { schema: dial.schema().to_owned(), found, known }
        }
        NotMigrated::Store(error) => OpenError::Store(error),
    })?;
    let meaning = dial::durability(&link, settings.durability).await.map_err(OpenError::Durability)?;
    let row = link.row("SELECT key FROM store_key WHERE tenant = 1", values![]).await?;
    let row = row.ok_or_else(|| StoreError::Fatal("the key of the store is missing".to_owned()))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &column::<Vec<u8>>(&row, 0)?);
    let head = journal::head(&link).await?;
    let processed = core::processed(&link).await?;
    let latest = groups::latest(&link).await?;
    Ok(Opened { key, head, processed, latest, meaning })
}
