//! What the embedded engine answers and is told: each question to a reader, each order to the thread that writes.
//!
//! Must not hold SQL: that is in the files beside it, a table or two each.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::{
    SqliteStore, acts, alerts, blank, crowds, deals, erase, exports, failed, files, forget, happenings,
    listed, listings, looks, names, outbox, outputs, records, refusals, retention, search, selectors, state,
    suppressed, tallies, tombstones, trail, walks, won,
};
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
use crate::store::{
    Answer, Appended, DeadLetter, DealQuery, DeliveryQuery, DeliveryStands, DeliverySummary, Destination,
    Documents, Due, DueQuery, EventQuery, ExportRows, Failed, HappeningQuery, Journal, JournalEnd, Keep,
    Keys, Life, NewRecord, News, OpenErasures, Orders, Outbox, Outgoing, OutputQuery, Place, Plan, Processed,
    ProcessedEnd, Record, RecordQuery, Room, Silent, Slot, StateStore, StoreError, Stream, Suppressed,
    Totals, Trail, Turn, Upkeep, Versioned, Walks, WonQuery,
};
use crate::trail::{Act, EventTrail, Look, Span, Tallied};

impl Journal for SqliteStore {
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

    fn appended(&self) -> Appended {
        self.journal.appended()
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

    fn record(&self, position: Position) -> Answer<Option<Record>> {
        self.journal_readers.ask(move |journal| records::record(journal, position))
    }

    fn room(&self) -> Option<Room> {
        let (folder, free_bytes_min) = &self.space;
        let free_bytes = files::free_bytes(folder).ok()?;
        Some(Room { free_bytes, free_bytes_min: *free_bytes_min })
    }

    fn refusing(&self) -> Option<String> {
        let fatal = self.fatal.check().and_then(|()| self.in_place.check()).err();
        let known = fatal.map(|error| error.to_string()).or_else(|| self.journal.refusing());
        // The disk may have become full since the last event: whoever asks whether events can go here is not to wait for one.
        known.or_else(|| {
            let Room { free_bytes, free_bytes_min } = self.room()?;
            let error = || StoreError::no_disk(free_bytes).to_string();
            (free_bytes < free_bytes_min).then(error)
        })
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

impl StateStore for SqliteStore {
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
        let (withdrawn, outputs_made) = (self.withdrawn.clone(), self.outputs_made.clone());
        self.state.order(move |state| {
            withdrawn.note(state, &plan, now)?;
            let write =
                |state: &mut Connection| Ok(worked.on(|| state::write(state, &plan, now))?.commit()?);
            if plan.is_of_events_alone() {
                files::without_sync(state, write)?;
            } else {
                write(state)?;
            }
            if plan.progress.is_some() {
                processed.send_replace(state::processed(state)?);
            }
            if outputs::may_be_due(&plan) {
                outputs_made.send_modify(|times| *times += 1);
            }
            herald.tell(&plan);
            Ok(())
        })
    }

    fn worked(&self) -> Duration {
        self.worked.so_far()
    }

    fn news(&self) -> News {
        self.herald.news()
    }
}

impl Outbox for SqliteStore {
    fn due(&self, query: DueQuery) -> Answer<(Vec<Due>, Option<UnixMicros>)> {
        self.state_readers.ask(move |state| outbox::due(state, &query))
    }

    fn due_in_list(
        &self,
        account: Account,
        list: ListKey,
        now: UnixMicros,
        limit: usize,
    ) -> Answer<Vec<Due>> {
        self.state_readers.ask(move |state| listings::due(state, &account, &list, now, limit))
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

    fn dead_letters(&self, account: Account, after: u64, limit: usize) -> Answer<Vec<DeadLetter>> {
        self.state_readers.ask(move |state| walks::dead_letters(state, &account, after, limit))
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
}

impl Walks for SqliteStore {
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

    fn open_happenings(&self, query: HappeningQuery) -> Answer<Vec<HappeningId>> {
        self.state_readers.ask(move |state| happenings::open(state, &query))
    }

    fn listed(&self, query: RecordQuery) -> Answer<Vec<(u64, Subject)>> {
        self.state_readers.ask(move |state| listed::page(state, &query))
    }

    fn members(&self, email: Email, after: Option<PersonKey>, limit: usize) -> Answer<Vec<PersonKey>> {
        self.state_readers.ask(move |state| crowds::members(state, &email, after.as_ref(), limit))
    }

    fn find(&self, texts: Vec<String>, from: Place) -> Answer<(Keys, Option<Place>)> {
        self.state_readers.ask(move |state| search::named(state, &texts, from))
    }

    fn silent(&self, silent: Silent, from: Place) -> Answer<(Keys, Option<Place>)> {
        self.state_readers.ask(move |state| search::silent(state, silent, from))
    }

    fn called(&self, words: Vec<String>, limit: usize) -> Answer<Vec<PersonKey>> {
        self.state_readers.ask(move |state| names::called(state, &words, limit))
    }

    fn suppressed(&self, before: Option<u64>, limit: usize) -> Answer<Vec<Suppressed>> {
        self.state_readers.ask(move |state| suppressed::listed(state, before, limit))
    }
}

impl Outgoing for SqliteStore {
    fn outputs_due(
        &self,
        receiver: String,
        now: UnixMicros,
        limit: usize,
    ) -> Answer<(Vec<Output>, Option<UnixMicros>)> {
        self.state_readers.ask(move |state| outputs::due(state, &receiver, now, limit))
    }

    fn outputs(&self, query: OutputQuery) -> Answer<Vec<(u64, Output)>> {
        self.state_readers.ask(move |state| outputs::page(state, &query))
    }

    fn gate(&self, receiver: String) -> Answer<Versioned<Gate>> {
        self.state_readers.ask(move |state| outputs::gate(state, &receiver))
    }

    fn won(&self, query: WonQuery) -> Answer<Vec<(DealKey, UnixMicros)>> {
        self.state_readers.ask(move |state| won::page(state, &query))
    }

    fn exports(&self) -> Answer<Vec<Export>> {
        self.state_readers.ask(exports::all)
    }

    fn export_rows(&self, query: ExportRows) -> Answer<Vec<Row>> {
        self.state_readers.ask(move |state| exports::rows(state, query))
    }

    fn export_counts(&self, export: u64) -> Answer<(u64, u64)> {
        self.state_readers.ask(move |state| exports::counts(state, export))
    }

    fn outputs_made(&self) -> watch::Receiver<u64> {
        self.outputs_made.subscribe()
    }
}

impl Trail for SqliteStore {
    fn events(&self, query: EventQuery) -> Answer<Vec<EventTrail>> {
        self.state_readers.ask(move |state| trail::events(state, query))
    }

    fn event(&self, message_id: String, source: Option<SourceName>) -> Answer<Option<EventTrail>> {
        self.state_readers.ask(move |state| trail::event(state, &message_id, source.as_ref()))
    }

    fn failed(&self, after: Position, limit: usize) -> Answer<Vec<Failed>> {
        self.state_readers.ask(move |state| failed::after(state, after, limit))
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

    fn delivered_since(&self, account: Account, since: UnixMicros, limit: usize) -> Answer<Vec<Duration>> {
        self.state_readers.ask(move |state| trail::delivered_since(state, &account, since, limit))
    }

    fn tallies(&self, from: Span, to: Span) -> Answer<Vec<(Tallied, u64)>> {
        self.state_readers.ask(move |state| tallies::between(state, (from, to)))
    }

    fn refusals(&self, account: Account, limit: usize) -> Answer<Vec<(String, u64)>> {
        self.state_readers.ask(move |state| refusals::most(state, &account, limit))
    }

    fn acts(&self, limit: usize) -> Answer<Vec<Act>> {
        self.state_readers.ask(move |state| acts::latest(state, limit))
    }

    fn looks(&self, whom: Option<String>, limit: usize) -> Answer<Vec<Look>> {
        self.state_readers.ask(move |state| looks::latest(state, whom.as_deref(), limit))
    }

    fn alerts(&self) -> Answer<Vec<Alert>> {
        self.state_readers.ask(alerts::all)
    }
}

impl Upkeep for SqliteStore {
    fn prune(&self, keep: Keep) -> Answer<u64> {
        let (processed, pruner) = (self.processed(), self.journal.keeper());
        let (journal_readers, state) = (self.journal_readers.clone(), Arc::clone(&self.state));
        let (withdrawn, now) = (self.withdrawn.clone(), self.clock.wall());
        self.under_way.until_taken(async move {
            let processed = processed.await?;
            // After a power cut the journal must still have what the state has lost.
            state.order(|state| files::sync_log(state)).await?;
            // The journal first: its room is what events wait for.
            let groups = pruner.prune(keep, processed).await.unwrap_or(Err(StoreError::Shut))?;
            let waiting_since =
                journal_readers.ask(move |journal| records::waiting_since(journal, processed)).await?;
            withdrawn.write_again();
            let now = Span::of(now);
            let rows =
                state.order(move |state| retention::prune_state(state, keep, (waiting_since, now))).await?;
            Ok(groups + rows)
        })
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
            let blanks = |state: &mut Connection| {
                let positions = erase::blanks(state, blank::EVENTS_MAX)?;
                files::sync_log(state).map(|()| positions)
            };
            let positions = state.order(blanks).await?;
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
}

impl Orders for SqliteStore {}

impl Life for SqliteStore {
    fn fatal(&self) -> watch::Receiver<Option<String>> {
        Self::fatal(self)
    }

    fn latest_moment(&self) -> UnixMicros {
        self.latest
    }

    fn marker_key(&self) -> Answer<MarkerKey> {
        self.state_readers.ask(|state| Ok(MarkerKey::of(&tombstones::key(state)?)))
    }

    fn look_after(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let in_place = self.in_place.clone();
        Box::pin(async move { in_place.watch().await })
    }

    fn lead(&self) -> Answer<()> {
        Box::pin(ready(Ok(())))
    }

    fn shut(&self) {
        Self::shut(self);
    }
}
