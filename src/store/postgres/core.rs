//! What all parts of the engine share: connections, the fence, and transactions that hold or do not, and never perhaps.
//!
//! A plan is written in one transaction that begins by locking the account's row and comparing the epoch of the lease, so that
//! whoever lost the lease can't commit anything, whatever it believes and however late it wakes.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, watch};
use tokio_postgres::Row;

use super::dial::{Dial, Purpose, within};
use super::link::{Link, Step};
use super::settings::PostgresSettings;
use super::value::{int, uint, values};
use crate::clock::{Clock, UnixMicros};
use crate::event::Position;
use crate::store::failing::Fatal;
use crate::store::{EngineReading, Fingerprint, Herald, Processed, StoreError, Work};

/// Between two tries to reach a database that is away.
pub(super) const TRY_AGAIN: Duration = Duration::from_millis(250);
/// A look-up's own deadline is the server's; this one is for a server that does not answer at all.
const LOOKUP_GRACE: Duration = Duration::from_secs(3);

/// What all parts share.
pub(super) struct Core {
    pub(super) settings: PostgresSettings,
    pub(super) dial: Dial,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fatal: Fatal,
    /// The key of the hashes of whom must not come back.
    pub(super) key: hmac::Key,
    /// The epoch of the lease that this process holds; 0: none.
    pub(super) epoch: AtomicI64,
    /// The epoch in which what its last holder left was taken over.
    pub(super) took_over: AtomicI64,
    /// It is about to be shut, so it takes over nothing any more.
    pub(super) ending: AtomicBool,
    pub(super) shut: AtomicBool,
    /// Who works, as it was last seen.
    pub(super) work: watch::Sender<Work>,
    /// What was seen of the database.
    pub(super) watched: watch::Sender<EngineReading>,
    /// By which settings this process works, or would.
    pub(super) settings_now: watch::Sender<Fingerprint>,
    pub(super) processed: watch::Sender<Processed>,
    pub(super) outputs_made: watch::Sender<u64>,
    pub(super) herald: Herald,
    /// Counts looks that saw orders that had not ended.
    pub(super) orders_given: watch::Sender<u64>,
    /// Counts what was changed otherwise than by a plan of this process.
    pub(super) beside: watch::Sender<u64>,
    /// Commits of which it was not known whether they hold.
    pub(super) uncertain: AtomicU64,
    state: Arc<tokio::sync::Mutex<Option<Arc<Link>>>>,
    idle: Mutex<Vec<Arc<Link>>>,
    places: Arc<Semaphore>,
    plans: AtomicI64,
    worked_nanos: AtomicU64,
}

/// Names a plan that is written: which one, and of which epoch of the lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlanId {
    nth: i64,
    epoch: i64,
}

/// The connection that writes the state, held by one at a time.
pub(super) struct Held {
    slot: OwnedMutexGuard<Option<Arc<Link>>>,
    link: Arc<Link>,
    /// A transaction was begun.
    open: bool,
}

impl Deref for Held {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closed, the server takes back what was not committed.
        if self.open || self.link.is_closed() {
            *self.slot = None;
        }
    }
}

/// A connection for look-ups.
pub(super) struct Reader {
    core: Arc<Core>,
    link: Arc<Link>,
    snapshot: AtomicBool,
    _place: OwnedSemaphorePermit,
}

impl Deref for Reader {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Reader {
    /// All that is asked from now on is of one moment, until [`Reader::end`].
    pub(super) async fn snapshot(&self) -> Result<(), StoreError> {
        self.snapshot.store(true, Ordering::Relaxed);
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    pub(super) async fn end(&self) -> Result<(), StoreError> {
        self.batch("COMMIT").await?;
        self.snapshot.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let whole = !self.snapshot.load(Ordering::Relaxed) && !self.link.is_closed();
        if whole && !self.core.shut.load(Ordering::Relaxed) {
            self.core.idle().push(Arc::clone(&self.link));
        }
    }
}

impl Core {
    pub(super) fn new(
        settings: PostgresSettings,
        dial: Dial,
        clock: Arc<dyn Clock>,
        (key, processed): (hmac::Key, Processed),
    ) -> Self {
        let places = Arc::new(Semaphore::new(settings.limits.readers_max.max(1)));
        Self {
            settings,
            dial,
            clock,
            fatal: Fatal::none(),
            key,
            epoch: AtomicI64::new(0),
            took_over: AtomicI64::new(0),
            ending: AtomicBool::new(false),
            shut: AtomicBool::new(false),
            work: watch::Sender::new(Work { here: false, ..Work::default() }),
            watched: watch::Sender::new(EngineReading::default()),
            settings_now: watch::Sender::new(Fingerprint::default()),
            processed: watch::Sender::new(processed),
            outputs_made: watch::Sender::new(0),
            herald: Herald::default(),
            orders_given: watch::Sender::new(0),
            beside: watch::Sender::new(0),
            uncertain: AtomicU64::new(0),
            state: Arc::default(),
            idle: Mutex::default(),
            places,
            plans: AtomicI64::new(0),
            worked_nanos: AtomicU64::new(0),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Link>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more questions and closes what is open.
    pub(super) async fn close(&self) {
        self.shut.store(true, Ordering::Release);
        self.places.close();
        self.idle().clear();
        *self.state.lock().await = None;
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.shut.load(Ordering::Acquire) {
            return Err(StoreError::Shut);
        }
        self.fatal.check()
    }

    /// A connection for look-ups; waits while all are in use.
    pub(super) async fn reader(self: Arc<Self>) -> Result<Reader, StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Shut)?;
        self.check()?;
        let idle = self.idle().pop();
        let link = match idle.filter(|link| !link.is_closed()) {
            Some(link) => link,
            None => Arc::new(self.dial.connect(Purpose::Read).await?),
        };
        Ok(Reader { core: self, link, snapshot: AtomicBool::new(false), _place: place })
    }

    /// How long a look-up may take at most.
    pub(super) fn lookup_deadline(&self) -> Duration {
        self.settings.limits.lookup_timeout + LOOKUP_GRACE
    }

    /// The connection that writes the state; waits until nobody has it.
    pub(super) async fn hold(&self) -> Result<Held, StoreError> {
        let mut slot = Arc::clone(&self.state).lock_owned().await;
        self.check()?;
        let link = if let Some(link) = slot.take().filter(|link| !link.is_closed()) {
            link
        } else {
            let link = Arc::new(self.dial.connect(Purpose::Write).await?);
            // It may be another server now, and the one that was left must not be asked any more.
            self.idle().clear();
            link
        };
        *slot = Some(Arc::clone(&link));
        Ok(Held { slot, link, open: false })
    }

    /// Begins a transaction with some statements: nothing of it is done where the lease was lost.
    pub(super) async fn begin(&self, held: &mut Held, steps: Vec<Step>) -> Result<PlanId, StoreError> {
        let epoch = self.epoch.load(Ordering::Acquire);
        if epoch == 0 {
            return Err(StoreError::Elsewhere);
        }
        let id = PlanId { nth: self.plans.fetch_add(1, Ordering::Relaxed) + 1, epoch };
        held.open = true;
        let fence = "UPDATE turns SET last_plan = $1 WHERE tenant = 1 AND epoch = $2";
        let mut all = vec![Step::any("BEGIN", values![]), Step::must(1, fence, values![id.nth, epoch])];
        all.extend(steps);
        match held.steps(all).await {
            Ok(()) => Ok(id),
            Err(error) => Err(self.undo(held, id, error).await),
        }
    }

    /// Takes a transaction back after an error; a conflict may mean that the lease was lost.
    pub(super) async fn undo(&self, held: &mut Held, id: PlanId, error: StoreError) -> StoreError {
        if held.link.is_closed() || held.batch("ROLLBACK").await.is_err() {
            return error;
        }
        held.open = false;
        if !matches!(error, StoreError::Conflict) {
            return error;
        }
        match held.row("SELECT epoch FROM turns WHERE tenant = 1", values![]).await {
            Ok(Some(row)) if int(&row, 0).is_ok_and(|epoch| epoch != id.epoch) => self.lost(id.epoch),
            Ok(_) | Err(_) => error,
        }
    }

    /// The lease of an epoch is another node's now. This process stands by; what it does under that epoch can't be committed.
    pub(super) fn lost(&self, epoch: i64) -> StoreError {
        let ours = self.epoch.compare_exchange(epoch, 0, Ordering::AcqRel, Ordering::Acquire);
        if ours.is_ok() {
            self.work.send_modify(|work| work.here = false);
            tracing::warn!(
                epoch,
                "another node has taken over the work; this one takes events, makes no call any more, and stands by"
            );
        }
        StoreError::Elsewhere
    }

    /// Commits; once this has answered it is known whether the plan holds.
    pub(super) async fn commit(&self, mut held: Held, id: PlanId) -> Result<(), StoreError> {
        let (warned, began) = (held.warnings(), self.clock.monotonic());
        let done = held.batch("COMMIT").await;
        self.committed("plan", began);
        match done {
            Ok(()) if held.warnings() == warned => {
                held.open = false;
                Ok(())
            }
            // These alone say for certain that nothing was kept: a server that ends may have committed before it says so.
            Err(error @ (StoreError::Conflict | StoreError::Full(_))) => {
                held.open = false;
                Err(error)
            }
            Ok(()) | Err(_) => {
                self.uncertain.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("it is not known whether a plan was committed: the database is asked");
                self.resolve(held, id).await
            }
        }
    }

    /// Finds out whether a plan holds, by a commit of its own: what can only be read may still be lost with the server.
    async fn resolve(&self, mut held: Held, id: PlanId) -> Result<(), StoreError> {
        held.open = true;
        loop {
            self.check()?;
            match self.confirm(id).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(StoreError::Unavailable("the plan was not kept".to_owned())),
                Err(error @ (StoreError::Fatal(_) | StoreError::Elsewhere | StoreError::Shut)) => {
                    return Err(error);
                }
                Err(_) => self.clock.sleep_until(self.clock.monotonic() + TRY_AGAIN).await,
            }
        }
    }

    async fn confirm(&self, id: PlanId) -> Result<bool, StoreError> {
        let link = self.dial.connect(Purpose::Write).await?;
        let sql = "UPDATE turns SET confirmed = confirmed + 1 WHERE tenant = 1 RETURNING epoch, last_plan";
        link.batch("BEGIN").await?;
        let Some(row) = link.row(sql, values![]).await? else { return Err(self.lost(id.epoch)) };
        let ours = int(&row, 0)? == id.epoch;
        let last = int(&row, 1)?;
        link.batch("COMMIT").await?;
        if link.warnings() > 0 {
            return Err(StoreError::Unavailable("a commit was cancelled".to_owned()));
        }
        if ours { Ok(last == id.nth) } else { Err(self.lost(id.epoch)) }
    }

    /// How long slots have been lasting: `None` is the clock of the database.
    pub(super) fn ran(&self) -> Option<i64> {
        let process = || i64::try_from(self.clock.boottime().as_micros()).unwrap_or(i64::MAX);
        (!self.settings.by_database_clock).then(process)
    }

    /// Notes how long a commit took.
    pub(super) fn committed(&self, what: &'static str, began: Duration) {
        let took = self.clock.monotonic().saturating_sub(began);
        metrics::histogram!("freshsignal_store_commit_seconds", "of" => what).record(took.as_secs_f64());
    }

    /// Counts how long documents were worked on.
    pub(super) fn worked(&self, began: Duration) {
        let took = self.clock.monotonic().saturating_sub(began);
        self.worked_nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long that was.
    pub(super) fn has_worked(&self) -> Duration {
        Duration::from_nanos(self.worked_nanos.load(Ordering::Relaxed))
    }

    /// The present.
    pub(super) fn now(&self) -> UnixMicros {
        self.clock.wall()
    }
}

/// How far the journal has taken effect.
pub(super) async fn processed(link: &Link) -> Result<Processed, StoreError> {
    let sql = "SELECT position, old_position, events FROM turns WHERE tenant = 1";
    let row =
        link.row(sql, values![]).await?.ok_or_else(|| StoreError::Fatal("a row is missing".to_owned()))?;
    processed_in(&row)
}

/// The same from the first columns of a row.
pub(super) fn processed_in(row: &Row) -> Result<Processed, StoreError> {
    Ok(Processed { live: Position(uint(row, 0)?), old: Position(uint(row, 1)?), events: uint(row, 2)? })
}

/// Looks something up within its time.
pub(super) async fn looked_up<T>(
    core: &Core,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let found = within(core.lookup_deadline(), work).await;
    if let Err(error) = &found {
        core.fatal.note(error);
        if matches!(error, StoreError::Unavailable(_)) {
            // A connection that did not answer must not be used again.
            core.idle().clear();
        }
    }
    found
}
