//! What the engine answers and is told: each question to a connection that reads, each order to the one that writes.
//!
//! Must not hold SQL: that is in the files beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::core::{Core, Reader, looked_up, processed};
use super::dial::Purpose;
use super::{
    PostgresStore, apply, erase, groups, lease, lists, load, names, orders, outbox, outputs, privacy,
    retention, slots, trail,
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
    Documents, Due, DueQuery, EngineReading, EventQuery, ExportRows, Failed, Fingerprint, HappeningQuery,
    Journal, JournalEnd, Keep, Keys, Life, NewRecord, News, OpenErasures, Order, OrderId, OrderStands,
    Orders, Outbox, Outgoing, OutputQuery, Place, Plan, Processed, ProcessedEnd, Record, RecordQuery, Silent,
    Slot, StateStore, StoreError, Stream, Suppressed, Totals, Trail, Turn, Upkeep, Versioned, Walks,
    WonQuery, Work,
};
use crate::trail::{Act, EventTrail, Look, Span, Tallied};

/// What an erasure leaves in the data files of the server is cleared in these tables.
const WIPED: &str = "VACUUM people; VACUUM person_names; VACUUM timelines; VACUUM contacts; VACUUM contributions; VACUUM deals;
    VACUUM happenings; VACUUM deliveries; VACUUM events; VACUUM seen; VACUUM outputs; VACUUM failed; VACUUM groups";

impl PostgresStore {
    /// Looks something up, within its time.
    fn ask<T, Q, F>(&self, question: Q) -> Answer<T>
    where
        T: Send + 'static,
        Q: FnOnce(Reader) -> F + Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let core = Arc::clone(&self.core);
        self.answer(async move {
            let reader = Arc::clone(&core).reader().await?;
            looked_up(&core, question(reader)).await
        })
    }

    /// Has something done that changes what is stored.
    fn order<T, Q, F>(&self, work: Q) -> Answer<T>
    where
        T: Send + 'static,
        Q: FnOnce(Arc<Core>) -> F + Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let core = Arc::clone(&self.core);
        self.answer(async move {
            let done = work(Arc::clone(&core)).await;
            if let Err(error) = &done {
                core.fatal.note(error);
            }
            done
        })
    }
}

impl Journal for PostgresStore {
    fn append(&self, records: Vec<NewRecord>) -> Answer<Position> {
        let queued = self.core.check().and_then(|()| self.journal.append(&records));
        match queued {
            Ok(answered) => Box::pin(async move { answered.await.unwrap_or(Err(StoreError::Shut)) }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn journal_end(&self) -> JournalEnd {
        self.journal.end.subscribe()
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
        self.ask(
            move |reader| async move { groups::read(&reader, stream, after, (events_max, bytes_max)).await },
        )
    }

    fn record(&self, position: Position) -> Answer<Option<Record>> {
        self.ask(move |reader| async move { groups::record(&reader, position).await })
    }

    fn refusing(&self) -> Option<String> {
        self.core.check().err().map(|error| error.to_string()).or_else(|| self.journal.refusing())
    }

    fn refusing_old(&self) -> Option<String> {
        self.journal.refusing_old()
    }
}

impl StateStore for PostgresStore {
    fn processed(&self) -> Answer<Processed> {
        self.ask(move |reader| async move { processed(&reader).await })
    }

    fn processed_end(&self) -> ProcessedEnd {
        self.core.processed.subscribe()
    }

    fn turn(&self) -> Pin<Box<dyn Future<Output = Turn> + Send>> {
        Box::pin(Arc::clone(&self.turn).lock_owned())
    }

    fn load(&self, keys: Keys) -> Answer<Documents> {
        self.order(move |core| async move {
            let began = core.clock.monotonic();
            let held = core.hold().await?;
            let found = load::load(&held, &core, keys).await;
            core.worked(began);
            found
        })
    }

    fn apply(&self, plan: Plan) -> Answer<()> {
        self.order(move |core| async move { apply::apply(&core, plan).await })
    }

    fn worked(&self) -> Duration {
        self.core.has_worked()
    }

    fn news(&self) -> News {
        self.core.herald.news()
    }
}

impl Outbox for PostgresStore {
    fn due(&self, query: DueQuery) -> Answer<(Vec<Due>, Option<UnixMicros>)> {
        self.ask(move |reader| async move { outbox::due(&reader, &query).await })
    }

    fn due_in_list(
        &self,
        account: Account,
        list: ListKey,
        now: UnixMicros,
        limit: usize,
    ) -> Answer<Vec<Due>> {
        self.ask(
            move |reader| async move { outbox::due_in_list(&reader, (&account, &list), now, limit).await },
        )
    }

    fn bounded(&self, account: Account, since: UnixMicros) -> Answer<Vec<(Bound, UnixMicros)>> {
        self.ask(move |reader| async move { slots::bounded(&reader, &account, since).await })
    }

    fn slots(&self, account: Account, now: UnixMicros) -> Answer<(Vec<Slot>, u64)> {
        let core = Arc::clone(&self.core);
        self.ask(move |reader| async move { slots::slots(&reader, &core, &account, now).await })
    }

    fn selectors(&self, account: Account) -> Answer<Selectors> {
        self.ask(move |reader| async move { outbox::selectors(&reader, &account).await })
    }

    fn bulk_jobs(&self, account: Account) -> Answer<Vec<BulkJob>> {
        self.ask(move |reader| async move { outbox::bulk_jobs(&reader, &account).await })
    }

    fn dead_letters(&self, account: Account, after: u64, limit: usize) -> Answer<Vec<DeadLetter>> {
        self.ask(move |reader| async move { outbox::dead_letters(&reader, &account, after, limit).await })
    }

    fn forgets(
        &self,
        account: Account,
        now: UnixMicros,
    ) -> Answer<(Option<ForgetOrder>, Option<UnixMicros>)> {
        self.ask(move |reader| async move { privacy::forgets(&reader, &account, now).await })
    }

    fn held_withdrawals(&self, account: Account) -> Answer<BTreeSet<DeliveryId>> {
        self.ask(move |reader| async move { outbox::held_withdrawals(&reader, &account).await })
    }

    fn destinations(&self) -> Answer<BTreeMap<Account, Versioned<Destination>>> {
        self.ask(move |reader| async move { outbox::destinations(&reader).await })
    }

    fn look_ups(&self) -> Answer<Vec<ForgetOrder>> {
        self.ask(move |reader| async move { privacy::look_ups(&reader).await })
    }
}

impl Walks for PostgresStore {
    fn contacts(&self, after: Option<Email>, limit: usize) -> Answer<Vec<Email>> {
        self.ask(move |reader| async move { lists::contacts(&reader, after.as_ref(), limit).await })
    }

    fn contacts_count(&self) -> Answer<u64> {
        self.ask(move |reader| async move { lists::contacts_count(&reader).await })
    }

    fn deals(&self, query: DealQuery) -> Answer<Vec<DealKey>> {
        self.ask(move |reader| async move { lists::deals(&reader, &query).await })
    }

    fn companies(&self, after: Option<CompanyKey>, limit: usize) -> Answer<Vec<CompanyKey>> {
        self.ask(move |reader| async move { lists::companies(&reader, after.as_ref(), limit).await })
    }

    fn open_happenings(&self, query: HappeningQuery) -> Answer<Vec<HappeningId>> {
        self.ask(move |reader| async move { lists::open_happenings(&reader, &query).await })
    }

    fn listed(&self, query: RecordQuery) -> Answer<Vec<(u64, Subject)>> {
        self.ask(move |reader| async move { lists::listed(&reader, &query).await })
    }

    fn members(&self, email: Email, after: Option<PersonKey>, limit: usize) -> Answer<Vec<PersonKey>> {
        self.ask(move |reader| async move { lists::members(&reader, &email, after.as_ref(), limit).await })
    }

    fn find(&self, texts: Vec<String>, from: Place) -> Answer<(Keys, Option<Place>)> {
        self.ask(move |reader| async move { lists::find(&reader, &texts, from).await })
    }

    fn silent(&self, silent: Silent, from: Place) -> Answer<(Keys, Option<Place>)> {
        self.ask(move |reader| async move { lists::silent(&reader, silent, from).await })
    }

    fn called(&self, words: Vec<String>, limit: usize) -> Answer<Vec<PersonKey>> {
        self.ask(move |reader| async move { names::called(&reader, &words, limit).await })
    }

    fn suppressed(&self, before: Option<u64>, limit: usize) -> Answer<Vec<Suppressed>> {
        self.ask(move |reader| async move { privacy::suppressed_list(&reader, before, limit).await })
    }
}

impl Outgoing for PostgresStore {
    fn outputs_due(
        &self,
        receiver: String,
        now: UnixMicros,
        limit: usize,
    ) -> Answer<(Vec<Output>, Option<UnixMicros>)> {
        self.ask(move |reader| async move { outputs::due(&reader, &receiver, now, limit).await })
    }

    fn outputs(&self, query: OutputQuery) -> Answer<Vec<(u64, Output)>> {
        self.ask(move |reader| async move { outputs::page(&reader, &query).await })
    }

    fn gate(&self, receiver: String) -> Answer<Versioned<Gate>> {
        self.ask(move |reader| async move { outputs::gate(&reader, &receiver).await })
    }

    fn won(&self, query: WonQuery) -> Answer<Vec<(DealKey, UnixMicros)>> {
        self.ask(move |reader| async move { lists::won(&reader, &query).await })
    }

    fn exports(&self) -> Answer<Vec<Export>> {
        self.ask(move |reader| async move { lists::exports(&reader).await })
    }

    fn export_rows(&self, query: ExportRows) -> Answer<Vec<Row>> {
        self.ask(move |reader| async move { lists::export_rows(&reader, query).await })
    }

    fn export_counts(&self, export: u64) -> Answer<(u64, u64)> {
        self.ask(move |reader| async move { lists::export_counts(&reader, export).await })
    }

    fn outputs_made(&self) -> watch::Receiver<u64> {
        self.core.outputs_made.subscribe()
    }
}

impl Trail for PostgresStore {
    fn events(&self, query: EventQuery) -> Answer<Vec<EventTrail>> {
        self.ask(move |reader| async move { trail::events(&reader, query).await })
    }

    fn event(&self, message_id: String, source: Option<SourceName>) -> Answer<Option<EventTrail>> {
        self.ask(move |reader| async move { trail::event(&reader, &message_id, source.as_ref()).await })
    }

    fn failed(&self, after: Position, limit: usize) -> Answer<Vec<Failed>> {
        self.ask(move |reader| async move { trail::failed(&reader, after, limit).await })
    }

    fn deliveries(&self, query: DeliveryQuery) -> Answer<Vec<DeliverySummary>> {
        self.ask(move |reader| async move { trail::deliveries(&reader, query).await })
    }

    fn delivery(&self, id: DeliveryId) -> Answer<Option<Delivery>> {
        self.ask(move |reader| async move { trail::delivery(&reader, &id).await })
    }

    fn stands(&self, ids: BTreeSet<DeliveryId>) -> Answer<BTreeMap<DeliveryId, DeliveryStands>> {
        self.ask(move |reader| async move { trail::stands(&reader, &ids).await })
    }

    fn totals(&self, account: Account) -> Answer<Totals> {
        let core = Arc::clone(&self.core);
        self.ask(move |reader| async move { outbox::totals(&reader, &core, &account).await })
    }

    fn delivered_since(&self, account: Account, since: UnixMicros, limit: usize) -> Answer<Vec<Duration>> {
        self.ask(move |reader| async move { trail::delivered_since(&reader, &account, since, limit).await })
    }

    fn tallies(&self, from: Span, to: Span) -> Answer<Vec<(Tallied, u64)>> {
        self.ask(move |reader| async move { trail::tallies(&reader, from, to).await })
    }

    fn refusals(&self, account: Account, limit: usize) -> Answer<Vec<(String, u64)>> {
        self.ask(move |reader| async move { trail::refusals(&reader, &account, limit).await })
    }

    fn acts(&self, limit: usize) -> Answer<Vec<Act>> {
        self.ask(move |reader| async move { trail::acts(&reader, limit).await })
    }

    fn looks(&self, whom: Option<String>, limit: usize) -> Answer<Vec<Look>> {
        self.ask(move |reader| async move { trail::looks(&reader, whom, limit).await })
    }

    fn alerts(&self) -> Answer<Vec<Alert>> {
        self.ask(move |reader| async move { trail::alerts(&reader).await })
    }
}

impl Upkeep for PostgresStore {
    fn prune(&self, keep: Keep) -> Answer<u64> {
        let journal = Arc::clone(&self.journal);
        self.order(move |core| async move {
            let pruned = retention::prune(&core, keep).await?;
            if pruned > 0 {
                journal.knows(super::journal::head(&*core.hold().await?).await?);
            }
            Ok(pruned)
        })
    }

    fn erasures(&self) -> Answer<OpenErasures> {
        self.ask(move |reader| async move { privacy::open(&reader).await })
    }

    fn erasure(&self, id: u64) -> Answer<Option<(Erasure, Forgetting)>> {
        self.ask(move |reader| async move { privacy::one(&reader, id).await })
    }

    fn erase_rows(&self, erasure: Erasure) -> Answer<Erasure> {
        self.order(move |core| async move { erase::rows(&core, erasure).await })
    }

    fn blank(&self) -> Answer<u64> {
        self.order(move |core| async move { retention::blank(&core).await })
    }

    fn wipe(&self) -> Answer<bool> {
        self.order(move |core| async move {
            let link = core.dial.connect(Purpose::Write).await?;
            for statement in WIPED.split(';') {
                link.batch(statement).await?;
            }
            Ok(true)
        })
    }

    fn remains(&self) -> Option<&'static str> {
        Some(
            "copies stay in the data files of the database until their place is used again, in its log and on its standbys until \
             that is recycled, and in its backups until they expire",
        )
    }
}

impl Orders for PostgresStore {
    fn leave_order(&self, order: Order) -> Answer<OrderId> {
        self.order(move |core| async move { orders::leave(&core, order).await })
    }

    fn orders_left(&self, limit: usize) -> Answer<Vec<(OrderId, OrderStands)>> {
        self.ask(move |reader| async move { orders::left(&reader, limit).await })
    }

    fn order_left(&self, id: OrderId) -> Answer<Option<OrderStands>> {
        self.ask(move |reader| async move { orders::one(&reader, id).await })
    }

    fn forget_order(&self, id: OrderId) -> Answer<()> {
        self.order(move |core| async move { orders::forget(&core, id).await })
    }

    fn orders_given(&self) -> watch::Receiver<u64> {
        self.core.orders_given.subscribe()
    }
}

impl Life for PostgresStore {
    fn fatal(&self) -> watch::Receiver<Option<String>> {
        Self::fatal(self)
    }

    fn latest_moment(&self) -> UnixMicros {
        self.latest
    }

    fn marker_key(&self) -> Answer<MarkerKey> {
        Box::pin(ready(Ok(MarkerKey::of(&self.core.key))))
    }

    fn look_after(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn lead(&self) -> Answer<()> {
        let turn = Arc::clone(&self.turn);
        self.order(move |core| async move { lease::lead(core, turn).await })
    }

    fn work(&self) -> watch::Receiver<Work> {
        self.core.work.subscribe()
    }

    fn engine(&self) -> Option<EngineReading> {
        let away = self.journal.away.lasts(self.core.clock.monotonic());
        let uncertain = self.core.uncertain.load(Ordering::Relaxed);
        Some(EngineReading { away, uncertain, ..*self.core.watched.borrow() })
    }

    fn works_by(&self, settings: Fingerprint) {
        self.core.settings_now.send_replace(settings);
    }

    fn changed_beside(&self) -> watch::Receiver<u64> {
        self.core.beside.subscribe()
    }

    fn calls_leave_within(&self) -> Option<Duration> {
        // What a claim says of how long its call lasts leaves room for these.
        Some(Duration::from_secs(5))
    }

    fn shut(&self) {
        Self::shut(self);
    }
}
