//! The embedded engine: two `SQLite` files in the data folder, a thread that writes each, readers beside them.
//!
//! The journal takes events, the state everything else, so that applying a plan never holds up an
//! acknowledgement. The only SQL of the project is in this folder. Must not decide anything.

mod alerts;
mod append;
mod blank;
mod change;
mod columns;
mod copies;
mod crm_ids;
mod crowds;
mod deals;
mod erase;
mod failed;
mod failure;
mod files;
mod forget;
mod happenings;
mod in_place;
mod journal;
mod listed;
mod migrations;
mod old_data;
mod outbox;
mod present;
mod readers;
mod records;
mod recovery;
mod retention;
mod search;
mod selectors;
mod state;
mod suppressed;
mod tombstones;
mod trail;
mod under_way;
mod walks;
mod withdrawn;
mod worked;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, ready};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub use copies::{
    Applied, CopyError, Entry, Manifest, RestoreOrder, Restored, Verified, back_up, restore, verify,
};
pub use failure::OpenError;
pub use files::Places;

use self::failure::Fatal;
use self::files::{FileAccess, Folder, JOURNAL_FILE, STATE_FILE};
use self::in_place::InPlace;
use self::journal::Journal;
use self::readers::Readers;
use self::state::StateThread;
use self::under_way::UnderWay;
use self::withdrawn::Withdrawn;
use self::worked::Worked;
use crate::cause::Alert;
use crate::clock::{Clock, UnixMicros};
use crate::delivery::{Account, Bound, BulkJob, CompanyKey, DealKey, Delivery, DeliveryId, Subject};
use crate::erasure::{Erasure, ForgetOrder, Forgetting};
use crate::event::{Email, Position, SourceName};
use crate::person::PersonKey;
use crate::selectors::Selectors;
use crate::store::{
    Answer, DeadLetter, DealQuery, DeliveryQuery, DeliveryStands, DeliverySummary, Destination, Documents,
    Due, DueQuery, EventQuery, Failed, HappeningQuery, Herald, JournalEnd, Keep, Keys, NewRecord, News,
    OpenErasures, Place, Plan, Processed, ProcessedEnd, Record, RecordQuery, Room, Silent, Slot, Store,
    StoreError, StoreSettings, Stream, Suppressed, Totals, Turn, Versioned,
};
use crate::trail::EventTrail;

/// The store in a data folder.
pub struct SqliteStore {
    journal: Journal,
    state: Arc<StateThread>,
    journal_readers: Readers,
    state_readers: Readers,
    turn: Arc<tokio::sync::Mutex<()>>,
    processed: watch::Sender<Processed>,
    clock: Arc<dyn Clock>,
    herald: Herald,
    fatal: Fatal,
    in_place: InPlace,
    under_way: UnderWay,
    worked: Worked,
    withdrawn: Withdrawn,
    latest: UnixMicros,
    /// Where the disk is that has to have so many bytes free.
    space: (PathBuf, u64),
    /// Held until everything is written.
    folder: Mutex<Option<Folder>>,
}

impl SqliteStore {
    /// Opens a data folder, making it where it does not exist. Blocks while another process has it, for
    /// `settings.lock_wait` at most. Claims and slots of an earlier process are void and spent afterwards.
    ///
    /// # Errors
    /// Says why it can't be used; [`OpenError::exit_code`] is the exit code for it.
    pub fn open(path: &Path, settings: StoreSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let folder = Folder::open(path, Places::of(&settings), settings.lock_wait)?;
        let (journal_file, state_file) = (folder.file(JOURNAL_FILE), folder.file(STATE_FILE));
        let mut journal = files::connect(&journal_file, FileAccess::Write)?;
        migrations::migrate(&mut journal, migrations::JOURNAL, &journal_file)?;
        let mut state = files::connect(&state_file, FileAccess::Write)?;
        migrations::migrate(&mut state, migrations::STATE, &state_file)?;
        present::tell(&state, &clock)?;
        if let Some(known) = present::last(&state, clock.boot_id())? {
            clock.go_on_from(known);
        }
        let latest = recovery::latest(&journal, journal::end(&journal)?, &state)?;
        recovery::recover(&mut state, clock.wall().max(latest))?;
        // Of what was deleted before a kill, the WAL may still hold what it was.
        for file in [&journal, &state] {
            files::checkpoint(file, files::Checkpoint::Truncate)?;
        }
        let processed = state::processed(&state)?;
        let space = (path.to_owned(), settings.free_bytes_min);
        let record = settings.withdrawn_file.clone().unwrap_or_else(|| path.join(withdrawn::FILE));
        let withdrawn = Withdrawn::open(record, &state)?;

        let fatal = Fatal::none();
        let under_way = UnderWay::default();
        let readers = |file: &Path| {
            Readers::open(file, &settings, Arc::clone(&clock), fatal.clone(), under_way.clone())
        };
        let (journal_readers, state_readers) = (readers(&journal_file)?, readers(&state_file)?);
        // All connections are open by now, and the logs with them.
        let in_place = InPlace::remember(&[journal_file, state_file], Arc::clone(&clock), fatal.clone());
        let journal = Journal::start(
            journal,
            path.to_owned(),
            settings,
            Arc::clone(&clock),
            fatal.clone(),
            in_place.clone(),
        )?;
        let end = *journal.end().borrow();
        let seen = processed.live.max(processed.old);
        if seen > end {
            journal.shut();
            return Err(OpenError::Disk(format!(
                "{JOURNAL_FILE} ends at {}, but {STATE_FILE} has seen it up to {}: they do not belong together",
                end.0, seen.0
            )));
        }
        Ok(Arc::new(Self {
            journal,
            state: Arc::new(StateThread::start(state, fatal.clone(), under_way.clone())?),
            journal_readers,
            state_readers,
            turn: Arc::default(),
            processed: watch::Sender::new(processed),
            worked: Worked::by(Arc::clone(&clock)),
            withdrawn,
            clock,
            herald: Herald::default(),
            fatal,
            in_place,
            under_way,
            latest,
            space,
            folder: Mutex::new(Some(folder)),
        }))
    }

    /// The failure after which nothing is acknowledged any more, once there is one: the process has to end
    /// with 74 and recover by starting again.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.fatal.watch()
    }

    /// Looks every second whether a file that is away was put back, once one is; after a minute [`SqliteStore::fatal`] says
    /// so. Waits for ever otherwise.
    pub async fn watch_files(&self) {
        self.in_place.watch().await;
    }

    /// The latest moment that was seen before the store opened; a clock that shows an earlier one was set back.
    #[must_use]
    pub fn latest_moment(&self) -> UnixMicros {
        self.latest
    }

    /// How many answers of this store are still waited for. At 0 nothing happens in it by itself: a simulation may let
    /// time pass then.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.count()
    }

    /// Leaves the state no more room than so many pages.
    #[cfg(test)]
    pub(crate) async fn limit_state(&self, pages_max: u32) {
        let limit = move |state: &mut rusqlite::Connection| {
            let sql = format!("PRAGMA max_page_count = {pages_max}");
            Ok(state.query_row(&sql, (), |_| Ok(()))?)
        };
        self.state.order(limit).await.unwrap();
    }

    /// Writes what was accepted, ends the threads and leaves the data folder to others. Blocks meanwhile.
    pub fn shut(&self) {
        self.journal_readers.shut();
        self.state_readers.shut();
        self.journal.shut();
        self.in_place.close();
        self.state.shut();
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Store for SqliteStore {
    fn append(&self, records: Vec<NewRecord>) -> Answer<Position> {
        match self.journal.append(&records) {
            Ok(answered) => {
                self.under_way.until_taken(async move { answered.await.unwrap_or(Err(StoreError::Shut)) })
            }
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn journal_end(&self) -> JournalEnd {
        self.journal.end()
    }

    fn read(
        &self,
        stream: Stream,
        after: Position,
        events_max: usize,
        bytes_max: usize,
    ) -> Answer<Vec<Record>> {
        self.journal_readers.ask(move |journal| records::read(journal, stream, after, events_max, bytes_max))
    }

    fn processed(&self) -> Answer<Processed> {
        self.state_readers.ask(state::processed)
    }

    fn processed_end(&self) -> ProcessedEnd {
        self.processed.subscribe()
    }

    fn turn(&self) -> Pin<Box<dyn Future<Output = Turn> + Send>> {
        Box::pin(Arc::clone(&self.turn).lock_owned())
    }

    fn load(&self, keys: Keys) -> Answer<Documents> {
        let worked = self.worked.clone();
        self.state.order(move |state| worked.on(|| state::load(state, keys)))
    }

    fn apply(&self, plan: Plan) -> Answer<()> {
        let (now, processed) = (self.clock.wall(), self.processed.clone());
        let (herald, worked) = (self.herald.clone(), self.worked.clone());
        let withdrawn = self.withdrawn.clone();
        self.state.order(move |state| {
            withdrawn.note(state, &plan, now)?;
            worked.on(|| state::write(state, &plan, now))?.commit()?;
            if plan.progress.is_some() {
                processed.send_replace(state::processed(state)?);
            }
            herald.tell(&plan);
            Ok(())
        })
    }

    fn worked(&self) -> Duration {
        self.worked.so_far()
    }

    fn due(&self, query: DueQuery) -> Answer<(Vec<Due>, Option<UnixMicros>)> {
        self.state_readers.ask(move |state| outbox::due(state, &query))
    }

    fn bounded(&self, account: Account, since: UnixMicros) -> Answer<Vec<(Bound, UnixMicros)>> {
        self.state_readers.ask(move |state| outbox::bounded(state, &account, since))
    }

    fn slots(&self, account: Account, now: UnixMicros) -> Answer<(Vec<Slot>, u64)> {
        let present = self.clock.moment();
        self.state_readers.ask(move |state| outbox::slots(state, &account, now, present))
    }

    fn selectors(&self, account: Account) -> Answer<Selectors> {
        self.state_readers.ask(move |state| selectors::of(state, &account))
    }

    fn bulk_jobs(&self, account: Account) -> Answer<Vec<BulkJob>> {
        self.state_readers.ask(move |state| outbox::bulk_jobs(state, &account))
    }

    fn events(&self, query: EventQuery) -> Answer<Vec<EventTrail>> {
        self.state_readers.ask(move |state| trail::events(state, query))
    }

    fn event(&self, message_id: String, source: Option<SourceName>) -> Answer<Option<EventTrail>> {
        self.state_readers.ask(move |state| trail::event(state, &message_id, source.as_ref()))
    }

    fn failed(&self, after: Position, limit: usize) -> Answer<Vec<Failed>> {
        self.state_readers.ask(move |state| failed::after(state, after, limit))
    }

    fn record(&self, position: Position) -> Answer<Option<Record>> {
        self.journal_readers.ask(move |journal| records::record(journal, position))
    }

    fn deliveries(&self, query: DeliveryQuery) -> Answer<Vec<DeliverySummary>> {
        self.state_readers.ask(move |state| trail::deliveries(state, query))
    }

    fn delivery(&self, id: DeliveryId) -> Answer<Option<Delivery>> {
        self.state_readers.ask(move |state| trail::delivery(state, &id))
    }

    fn stands(&self, ids: BTreeSet<DeliveryId>) -> Answer<BTreeMap<DeliveryId, DeliveryStands>> {
        self.state_readers.ask(move |state| trail::stands(state, &ids))
    }

    fn totals(&self, account: Account) -> Answer<Totals> {
        let (end, present) = (self.journal.end(), self.clock.moment());
        self.state_readers.ask(move |state| outbox::totals(state, &account, present, || *end.borrow()))
    }

    fn contacts(&self, after: Option<Email>, limit: usize) -> Answer<Vec<Email>> {
        self.state_readers.ask(move |state| walks::contacts(state, after.as_ref(), limit))
    }

    fn contacts_count(&self) -> Answer<u64> {
        self.state_readers.ask(walks::contacts_count)
    }

    fn deals(&self, query: DealQuery) -> Answer<Vec<DealKey>> {
        self.state_readers.ask(move |state| deals::deals(state, &query))
    }

    fn companies(&self, after: Option<CompanyKey>, limit: usize) -> Answer<Vec<CompanyKey>> {
        self.state_readers.ask(move |state| deals::companies(state, after.as_ref(), limit))
    }

    fn open_happenings(&self, query: HappeningQuery) -> Answer<Vec<crate::delivery::HappeningId>> {
        self.state_readers.ask(move |state| happenings::open(state, &query))
    }

    fn listed(&self, query: RecordQuery) -> Answer<Vec<(u64, Subject)>> {
        self.state_readers.ask(move |state| listed::page(state, &query))
    }

    fn members(&self, email: Email, after: Option<PersonKey>, limit: usize) -> Answer<Vec<PersonKey>> {
        self.state_readers.ask(move |state| crowds::members(state, &email, after.as_ref(), limit))
    }

    fn dead_letters(&self, account: Account, after: u64, limit: usize) -> Answer<Vec<DeadLetter>> {
        self.state_readers.ask(move |state| walks::dead_letters(state, &account, after, limit))
    }

    fn delivered_since(&self, account: Account, since: UnixMicros, limit: usize) -> Answer<Vec<Duration>> {
        self.state_readers.ask(move |state| trail::delivered_since(state, &account, since, limit))
    }

    fn news(&self) -> News {
        self.herald.news()
    }

    fn prune(&self, keep: Keep) -> Answer<u64> {
        let (processed, pruner) = (self.processed(), self.journal.keeper());
        let (journal_readers, state) = (self.journal_readers.clone(), Arc::clone(&self.state));
        let withdrawn = self.withdrawn.clone();
        self.under_way.until_taken(async move {
            let processed = processed.await?;
            // The journal first: its room is what events wait for.
            let groups = pruner.prune(keep, processed).await.unwrap_or(Err(StoreError::Shut))?;
            let waiting_since =
                journal_readers.ask(move |journal| records::waiting_since(journal, processed)).await?;
            withdrawn.write_again();
            let rows = state.order(move |state| retention::prune_state(state, keep, waiting_since)).await?;
            Ok(groups + rows)
        })
    }

    fn find(&self, texts: Vec<String>, from: Place) -> Answer<(Keys, Option<Place>)> {
        self.state_readers.ask(move |state| search::named(state, &texts, from))
    }

    fn silent(&self, silent: Silent, from: Place) -> Answer<(Keys, Option<Place>)> {
        self.state_readers.ask(move |state| search::silent(state, silent, from))
    }

    fn forgets(
        &self,
        account: Account,
        now: UnixMicros,
    ) -> Answer<(Option<ForgetOrder>, Option<UnixMicros>)> {
        self.state_readers.ask(move |state| forget::due(state, &account, now))
    }

    fn held_withdrawals(&self, account: Account) -> Answer<BTreeSet<DeliveryId>> {
        self.state_readers.ask(move |state| outbox::held_withdrawals(state, &account))
    }

    fn destinations(&self) -> Answer<BTreeMap<Account, Versioned<Destination>>> {
        self.state_readers.ask(outbox::destinations)
    }

    fn look_ups(&self) -> Answer<Vec<ForgetOrder>> {
        self.state_readers.ask(forget::look_ups)
    }

    fn erasures(&self) -> Answer<OpenErasures> {
        self.state_readers.ask(erase::open)
    }

    fn erasure(&self, id: u64) -> Answer<Option<(Erasure, Forgetting)>> {
        self.state_readers.ask(move |state| erase::one(state, id))
    }

    fn erase_rows(&self, erasure: Erasure) -> Answer<Erasure> {
        self.state.order(move |state| erase::rows(state, erasure))
    }

    fn blank(&self) -> Answer<u64> {
        let (state, keeper) = (Arc::clone(&self.state), self.journal.keeper());
        Box::pin(async move {
            let positions = state.order(|state| erase::blanks(state, blank::EVENTS_MAX)).await?;
            if positions.is_empty() {
                return Ok(0);
            }
            let done = keeper.blank(positions).await.unwrap_or(Err(StoreError::Shut))?;
            let count = done.len() as u64;
            // Killed in between, they are blanked once more.
            state.order(move |state| erase::blanked(state, &done)).await?;
            Ok(count)
        })
    }

    fn wipe(&self) -> Answer<bool> {
        let (state, keeper) = (Arc::clone(&self.state), self.journal.keeper());
        Box::pin(async move {
            let journal = keeper.wipe().await.unwrap_or(Err(StoreError::Shut))?;
            Ok(state.order(|state| state::wipe(state)).await? && journal)
        })
    }

    fn suppressed(&self, before: Option<u64>, limit: usize) -> Answer<Vec<Suppressed>> {
        self.state_readers.ask(move |state| suppressed::listed(state, before, limit))
    }

    fn alerts(&self) -> Answer<Vec<Alert>> {
        self.state_readers.ask(alerts::all)
    }

    fn room(&self) -> Option<Room> {
        let (folder, free_bytes_min) = &self.space;
        let free_bytes = files::free_bytes(folder).ok()?;
        Some(Room { free_bytes, free_bytes_min: *free_bytes_min })
    }

    fn refusing(&self) -> Option<String> {
        let fatal = self.fatal.check().and_then(|()| self.in_place.check()).err();
        fatal.map(|error| error.to_string()).or_else(|| self.journal.refusing())
    }

    fn away(&self) -> Option<String> {
        match self.in_place.check() {
            Err(StoreError::Away(file)) => Some(file),
            Err(_) | Ok(()) => None,
        }
    }

    fn refusing_old(&self) -> Option<String> {
        self.journal.refusing_old()
    }
}
