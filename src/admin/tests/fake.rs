//! A store in memory with just the look-ups that the debugger makes.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Mutex;

use super::*;
use crate::delivery::{
    Account, Bound, BulkJob, CompanyKey, DealKey, Delivery, DeliveryId, HappeningId, ListKey, Subject,
};
use crate::erasure::{Erasure, ForgetOrder, Forgetting};
use crate::event::Position;
use crate::output::{Gate, Output};
use crate::person::PersonKey;
use crate::selectors::Selectors;
use crate::store::{
    Answer, DeadLetter, DealQuery, DeliveryQuery, DeliveryStands, DeliverySummary, Destination, Documents,
    Due, DueQuery, EventQuery, Failed, HappeningQuery, Herald, Journal, JournalEnd, Keep, Keys, NewRecord,
    News, OpenErasures, Outbox, Outgoing, OutputQuery, Place, Plan, Processed, ProcessedEnd, Record,
    RecordQuery, Silent, Slot, StateStore, StoreError, Stream, Totals, Trail, Turn, Upkeep, Versioned, Walks,
    WonQuery,
};
use crate::trail::{Act, EventTrail, Span, Tallied};

/// What the store holds.
#[derive(Default)]
pub struct Held {
    pub trails: Vec<EventTrail>,
    pub records: Vec<Record>,
    /// In the order in which they were stored: the first has sequence 1.
    pub deliveries: Vec<Delivery>,
    pub world: World,
    pub totals: Totals,
    pub bounded: Vec<(Bound, UnixMicros)>,
    pub due: Vec<Due>,
    pub refusing: Option<String>,
    pub away: Option<String>,
    pub refusing_old: Option<String>,
    /// What every look-up answers in place of what is held.
    pub error: Option<StoreError>,
    /// What people are called.
    pub called: Vec<(PersonKey, String)>,
    pub event_queries: Vec<EventQuery>,
    pub delivery_queries: Vec<DeliveryQuery>,
    /// How often it was asked how deliveries stand.
    pub stands_queries: usize,
}

/// A store that answers look-ups from memory.
#[derive(Default)]
pub struct FakeStore(pub Mutex<Held>, pub Herald);

impl FakeStore {
    fn answer<T: Send + 'static>(&self, look: impl FnOnce(&mut Held) -> T) -> Answer<T> {
        let mut held = self.0.lock().unwrap();
        let answer = match held.error.clone() {
            Some(error) => Err(error),
            None => Ok(look(&mut held)),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn shut<T: Send + 'static>() -> Answer<T> {
    Box::pin(std::future::ready(Err(StoreError::Shut)))
}

fn none<T: Send + 'static>() -> Answer<Vec<T>> {
    Box::pin(std::future::ready(Ok(Vec::new())))
}

fn known<K: Clone + Ord, V: Clone>(
    keys: &BTreeSet<K>,
    get: impl Fn(&K) -> Option<V>,
) -> BTreeMap<K, Versioned<V>> {
    let versioned = |key: &K| Some((key.clone(), Versioned { revision: 1, document: get(key)? }));
    keys.iter().filter_map(versioned).collect()
}

impl Journal for FakeStore {
    fn append(&self, _: Vec<NewRecord>) -> Answer<Position> {
        shut()
    }

    fn journal_end(&self) -> JournalEnd {
        watch::Sender::new(Position(0)).subscribe()
    }

    fn read(&self, _: Stream, _: Position, _: usize, _: usize) -> Answer<Vec<Record>> {
        shut()
    }

    fn record(&self, position: Position) -> Answer<Option<Record>> {
        self.answer(|held| held.records.iter().find(|record| record.position == position).cloned())
    }

    fn refusing(&self) -> Option<String> {
        self.0.lock().unwrap().refusing.clone()
    }

    fn away(&self) -> Option<String> {
        self.0.lock().unwrap().away.clone()
    }

    fn refusing_old(&self) -> Option<String> {
        self.0.lock().unwrap().refusing_old.clone()
    }
}

impl StateStore for FakeStore {
    fn processed(&self) -> Answer<Processed> {
        shut()
    }

    fn turn(&self) -> Pin<Box<dyn Future<Output = Turn> + Send>> {
        Box::pin(async { Arc::new(tokio::sync::Mutex::new(())).lock_owned().await })
    }

    fn worked(&self) -> Duration {
        Duration::ZERO
    }

    fn load(&self, keys: Keys) -> Answer<Documents> {
        self.answer(|held| Documents {
            people: known(&keys.people, |key| held.world.people.get(key).cloned()),
            contacts: known(&keys.contacts, |key| held.world.contacts.get(key).cloned()),
            deliveries: known(&keys.deliveries, |key| held.world.deliveries.get(key).cloned()),
            destination: keys
                .destination
                .map(|_| Versioned { revision: 1, document: held.world.destination.document.clone() }),
            ..Documents::default()
        })
    }

    fn apply(&self, _: Plan) -> Answer<()> {
        shut()
    }

    fn news(&self) -> News {
        self.1.news()
    }

    fn processed_end(&self) -> ProcessedEnd {
        watch::Sender::new(Processed::default()).subscribe()
    }
}

impl Outbox for FakeStore {
    fn due(&self, _: DueQuery) -> Answer<(Vec<Due>, Option<UnixMicros>)> {
        self.answer(|held| (held.due.clone(), None))
    }

    fn due_in_list(&self, _: Account, _: ListKey, _: UnixMicros, _: usize) -> Answer<Vec<Due>> {
        none()
    }

    fn bounded(&self, _: Account, _: UnixMicros) -> Answer<Vec<(Bound, UnixMicros)>> {
        self.answer(|held| held.bounded.clone())
    }

    fn slots(&self, _: Account, _: UnixMicros) -> Answer<(Vec<Slot>, u64)> {
        shut()
    }

    fn selectors(&self, _: Account) -> Answer<Selectors> {
        shut()
    }

    fn bulk_jobs(&self, _: Account) -> Answer<Vec<BulkJob>> {
        none()
    }

    fn dead_letters(&self, _: Account, _: u64, _: usize) -> Answer<Vec<DeadLetter>> {
        shut()
    }

    fn forgets(&self, _: Account, _: UnixMicros) -> Answer<(Option<ForgetOrder>, Option<UnixMicros>)> {
        shut()
    }

    fn held_withdrawals(&self, _: Account) -> Answer<BTreeSet<DeliveryId>> {
        shut()
    }

    fn destinations(&self) -> Answer<BTreeMap<Account, Versioned<Destination>>> {
        shut()
    }

    fn look_ups(&self) -> Answer<Vec<ForgetOrder>> {
        none()
    }
}

impl Walks for FakeStore {
    fn suppressed(&self, _: Option<u64>, _: usize) -> Answer<Vec<crate::store::Suppressed>> {
        none()
    }

    fn contacts(&self, _: Option<Email>, _: usize) -> Answer<Vec<Email>> {
        none()
    }

    fn deals(&self, _: DealQuery) -> Answer<Vec<DealKey>> {
        shut()
    }

    fn companies(&self, _: Option<CompanyKey>, _: usize) -> Answer<Vec<CompanyKey>> {
        shut()
    }

    fn open_happenings(&self, _: HappeningQuery) -> Answer<Vec<HappeningId>> {
        shut()
    }

    fn listed(&self, _: RecordQuery) -> Answer<Vec<(u64, Subject)>> {
        shut()
    }

    fn members(&self, _: Email, _: Option<PersonKey>, _: usize) -> Answer<Vec<PersonKey>> {
        shut()
    }

    fn contacts_count(&self) -> Answer<u64> {
        shut()
    }

    fn find(&self, _: Vec<String>, _: Place) -> Answer<(Keys, Option<Place>)> {
        shut()
    }

    fn called(&self, words: Vec<String>, _: usize) -> Answer<Vec<PersonKey>> {
        self.answer(|held| {
            let all = held.called.iter().filter(|(_, name)| words.iter().all(|word| name.contains(word)));
            all.map(|(key, _)| key.clone()).collect()
        })
    }

    fn silent(&self, _: Silent, _: Place) -> Answer<(Keys, Option<Place>)> {
        shut()
    }
}

impl Outgoing for FakeStore {
    fn outputs_due(&self, _: String, _: UnixMicros, _: usize) -> Answer<(Vec<Output>, Option<UnixMicros>)> {
        shut()
    }

    fn outputs(&self, _: OutputQuery) -> Answer<Vec<(u64, Output)>> {
        none()
    }

    fn gate(&self, _: String) -> Answer<Versioned<Gate>> {
        shut()
    }

    fn won(&self, _: WonQuery) -> Answer<Vec<(DealKey, UnixMicros)>> {
        none()
    }

    fn exports(&self) -> Answer<Vec<crate::export::Export>> {
        none()
    }

    fn export_rows(&self, _: crate::store::ExportRows) -> Answer<Vec<crate::export::Row>> {
        none()
    }

    fn export_counts(&self, _: u64) -> Answer<(u64, u64)> {
        shut()
    }

    fn outputs_made(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

impl Trail for FakeStore {
    fn tallies(&self, _: Span, _: Span) -> Answer<Vec<(Tallied, u64)>> {
        none()
    }

    fn refusals(&self, _: Account, _: usize) -> Answer<Vec<(String, u64)>> {
        none()
    }

    fn acts(&self, _: usize) -> Answer<Vec<Act>> {
        none()
    }

    fn looks(&self, _: Option<String>, _: usize) -> Answer<Vec<crate::trail::Look>> {
        none()
    }

    fn alerts(&self) -> Answer<Vec<crate::cause::Alert>> {
        none()
    }

    fn events(&self, query: EventQuery) -> Answer<Vec<EventTrail>> {
        self.answer(|held| {
            held.event_queries.push(query.clone());
            let before = |trail: &&EventTrail| query.before.is_none_or(|before| trail.position < before);
            let newest_first = held.trails.iter().rev().filter(before);
            newest_first.take(query.limit.rows()).cloned().collect()
        })
    }

    fn event(&self, message_id: String, source: Option<SourceName>) -> Answer<Option<EventTrail>> {
        self.answer(|held| {
            let of_source = |trail: &EventTrail| source.as_ref().is_none_or(|name| trail.source == *name);
            held.trails.iter().find(|trail| trail.message_id == message_id && of_source(trail)).cloned()
        })
    }

    fn failed(&self, _: Position, _: usize) -> Answer<Vec<Failed>> {
        none()
    }

    fn deliveries(&self, query: DeliveryQuery) -> Answer<Vec<DeliverySummary>> {
        self.answer(|held| {
            held.delivery_queries.push(query.clone());
            let all = (1..).zip(held.deliveries.iter().cloned());
            let rows = all.map(|(sequence, delivery)| DeliverySummary { sequence, delivery });
            let mut rows: Vec<_> =
                rows.filter(|row| query.before.is_none_or(|before| row.sequence < before)).collect();
            rows.reverse();
            rows.truncate(query.limit.rows());
            rows
        })
    }

    fn delivery(&self, id: DeliveryId) -> Answer<Option<Delivery>> {
        self.answer(|held| held.deliveries.iter().find(|delivery| delivery.id == id).cloned())
    }

    fn stands(&self, ids: BTreeSet<DeliveryId>) -> Answer<BTreeMap<DeliveryId, DeliveryStands>> {
        self.answer(|held| {
            held.stands_queries += 1;
            let kept = held.deliveries.iter().filter(|delivery| ids.contains(&delivery.id));
            let stands = |it: &Delivery| {
                DeliveryStands::new(
                    it.account.clone(),
                    it.subject.clone(),
                    it.state,
                    it.reason.clone(),
                    it.ended_at,
                    it.next_attempt_at,
                )
            };
            kept.map(|delivery| (delivery.id.clone(), stands(delivery))).collect()
        })
    }

    fn totals(&self, _: Account) -> Answer<Totals> {
        self.answer(|held| held.totals.clone())
    }

    fn delivered_since(&self, _: Account, since: UnixMicros, limit: usize) -> Answer<Vec<Duration>> {
        self.answer(|held| {
            let delivered = held.deliveries.iter().filter(|delivery| delivery.ended_at > Some(since));
            let took = |delivery: &Delivery| Some(delivery.ended_at?.since(delivery.opened_at));
            delivered.filter_map(took).take(limit).collect()
        })
    }
}

impl Upkeep for FakeStore {
    fn prune(&self, _: Keep) -> Answer<u64> {
        Box::pin(std::future::ready(Err(StoreError::Shut)))
    }

    fn erasures(&self) -> Answer<OpenErasures> {
        shut()
    }

    fn erasure(&self, _: u64) -> Answer<Option<(Erasure, Forgetting)>> {
        shut()
    }

    fn erase_rows(&self, _: Erasure) -> Answer<Erasure> {
        shut()
    }

    fn blank(&self) -> Answer<u64> {
        shut()
    }

    fn wipe(&self) -> Answer<bool> {
        shut()
    }
}

impl crate::store::Orders for FakeStore {}

impl crate::store::Life for FakeStore {
    fn fatal(&self) -> watch::Receiver<Option<String>> {
        watch::Sender::new(None).subscribe()
    }

    fn latest_moment(&self) -> UnixMicros {
        UnixMicros(0)
    }

    fn marker_key(&self) -> Answer<crate::delivery::MarkerKey> {
        shut()
    }

    fn look_after(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn lead(&self) -> Answer<()> {
        shut()
    }

    fn shut(&self) {}
}
