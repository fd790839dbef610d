//! An erasure over a store that is closed and opened again after every step.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::clock::{ManualClock, UnixMicros};
use crate::deal::{Birth, Deal};
use crate::decision::{Outcome, Settings, test_settings};
use crate::delivery::{DealKey, State};
use crate::event::{Email, Kind, SourceName, Trust};
use crate::mapping::Preset;
use crate::process::Processor;
use crate::store::sqlite::SqliteStore;
use crate::store::{
    DealQuery, Failed, Journal, NewRecord, Progress, PutDeal, StateStore, StoreSettings as Limits, Totals,
    Trail, Upkeep, Versioned, Walks,
};
use crate::turn::put_aside;

const NOW: UnixMicros = UnixMicros(1_900_000_000_000_000);

struct Bench {
    folder: tempfile::TempDir,
    clock: ManualClock,
    store: Arc<SqliteStore>,
    settings: Arc<Settings>,
}

fn open(folder: &Path, clock: &ManualClock) -> Arc<SqliteStore> {
    let limits = Limits { lock_wait: Duration::ZERO, free_bytes_min: 0, ..Limits::default() };
    SqliteStore::open(folder, limits, Arc::new(clock.clone())).unwrap()
}

impl Bench {
    fn new() -> Self {
        Self::with(test_settings())
    }

    fn with(settings: Settings) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(NOW));
        let store = open(folder.path(), &clock);
        Self { folder, clock, store, settings: Arc::new(settings) }
    }

    /// The process ends without a word and another begins.
    fn reopen(&mut self) {
        self.store.shut();
        self.store = open(self.folder.path(), &self.clock);
    }

    fn eraser(&self) -> Eraser {
        Eraser {
            store: Arc::clone(&self.store) as SharedStore,
            settings: watch::Sender::new(Arc::clone(&self.settings)).subscribe(),
            clock: Arc::new(self.clock.clone()),
            ordered: Arc::default(),
            owed: Arc::default(),
            done: watch::Sender::new(0),
            stalls: Stalls::default(),
        }
    }

    async fn accept(&self, events: impl Iterator<Item = Value>) {
        self.append(events, false).await;
        self.process().await;
    }

    async fn append(&self, events: impl Iterator<Item = Value>, backfill: bool) {
        let records = events.enumerate().map(|(nth, event)| NewRecord {
            source: SourceName("website".to_owned()),
            people: "default".to_owned(),
            kind: Kind::parse(event["type"].as_str().unwrap()).unwrap(),
            received_at: UnixMicros(NOW.0 - 1_000_000 + i64::try_from(nth).unwrap()),
            at: UnixMicros(NOW.0 - 1_000_000 + i64::try_from(nth).unwrap()),
            message_id: format!("{}-message-{nth}", event["userId"].as_str().unwrap()),
            backfill,
            trust: Trust::Server,
            raw: event.to_string(),
        });
        let end = self.store.append(records.collect()).await.unwrap().0;
        assert!(end <= self.store.journal_end().borrow().0);
    }

    async fn process(&self) {
        let mut processed = self.store.processed_end();
        let (stop, last) = (CancellationToken::new(), self.store.journal_end().borrow().0);
        let processor = Processor {
            store: Arc::clone(&self.store) as SharedStore,
            settings: watch::Sender::new(Arc::clone(&self.settings)).subscribe(),
            clock: Arc::new(self.clock.clone()),
            owed: Arc::default(),
            decide: Arc::new(decision::decide),
            trouble: watch::Sender::new(None),
            consent: crate::consent::SharedTally::default(),
            senders: Arc::default(),
            stalls: Stalls::default(),
            traces: crate::traces::Traces::default(),
        };
        let running = tokio::spawn(processor.run(stop.clone()));
        processed.wait_for(|processed| processed.events >= last).await.unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    async fn order(&self, subject: ErasureSubject) {
        let id = self.store.erasures().await.unwrap().next_id;
        let order = Erasure::order(id, subject, false);
        let puts = vec![Put::Privacy(Privacy::Erasure(Box::new(order)))];
        self.store.apply(Plan { puts, ..Plan::default() }).await.unwrap();
    }

    async fn totals(&self) -> Totals {
        self.store.totals(test_settings().account).await.unwrap()
    }

    /// How often a text stands in the files.
    fn stands(&self, text: &str) -> usize {
        let files = fs::read_dir(self.folder.path()).unwrap();
        let bytes = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        bytes.map(|bytes| bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()).sum()
    }
}

fn life_of(name: &str) -> [Value; 3] {
    let user = format!("user-{name}");
    [
        json!({"type": "identify", "userId": user, "anonymousId": format!("device-{name}"),
            "traits": {"email": format!("{name}@example.com"), "name": format!("Trace {name}")}}),
        json!({"type": "track", "event": "Lead Generated", "userId": user}),
        json!({"type": "page", "userId": user, "properties": {"title": format!("Trace {name}")}}),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_any_step_an_erasure_goes_on_where_it_stopped() {
    let mut bench = Bench::new();
    let names: Vec<String> = (100..400).map(|nth| format!("somebody{nth}")).collect();
    bench.accept(names.iter().flat_map(|name| life_of(name))).await;
    let before = bench.totals().await;
    assert!(bench.stands("somebody250") > 5);
    bench.order(ErasureSubject::Email(Email::parse("somebody250@example.com").unwrap())).await;
    let mut steps = 0;
    while let Some(order) = bench.store.erasures().await.unwrap().orders.pop() {
        bench.eraser().step(order).await.unwrap();
        bench.reopen();
        steps += 1;
        assert!(steps < 100, "it comes to no end");
    }
    assert!(steps >= 6, "{steps}");
    assert_eq!(bench.stands("somebody250"), 0);
    assert!(bench.stands("somebody251") > 5);
    let (done, _) = bench.store.erasure(1).await.unwrap().unwrap();
    assert_eq!((done.receipt.people, done.receipt.journal_events, done.receipt.trail_events), (1, 3, 3));
    let after = bench.totals().await;
    assert_eq!(
        (after.accepted, &after.outcomes, after.queued),
        (before.accepted, &before.outcomes, before.queued)
    );
    assert_eq!(after.ended, BTreeMap::from([(State::Erased, 1)]));
    assert_eq!(after.open.values().sum::<u64>() + 1, before.open.values().sum::<u64>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_wait_when_somebody_is_erased_take_effect_as_erased() {
    let bench = Bench::new();
    bench.accept(life_of("early").into_iter()).await;
    bench.order(ErasureSubject::Email(Email::parse("early@example.com").unwrap())).await;
    let order = bench.store.erasures().await.unwrap().orders.remove(0);
    bench.eraser().step(order).await.unwrap();
    bench.accept(life_of("early").into_iter()).await;
    bench.eraser().work_off().await.unwrap();
    assert_eq!(bench.totals().await.outcomes[&Outcome::Erased], 3);
    assert_eq!(
        ["early@", "Trace early", "device-early", "user-early"].map(|text| bench.stands(text)),
        [0; 4]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_failed_and_speaks_of_an_erased_person_ends_as_erased_and_leaves_no_byte() {
    let mut bench = Bench::new();
    bench.accept(life_of("aside").into_iter()).await;
    let record = NewRecord {
        source: SourceName("website".into()),
        people: "default".into(),
        kind: Kind::Identify,
        received_at: NOW,
        at: NOW,
        message_id: "failed-1".into(),
        backfill: false,
        trust: Trust::Server,
        raw: json!({"type": "identify", "userId": "user-aside", "traits": {"name": "Trace aside"}})
            .to_string(),
    };
    let from = bench.store.append(vec![record]).await.unwrap();
    let record = bench.store.record(from).await.unwrap().unwrap();
    let mut plan = put_aside(Failed { record, error: "a defect".to_owned(), at: NOW });
    plan.progress = Some(Progress { stream: Stream::Live, from: Position(from.0 - 1), to: from, events: 1 });
    bench.store.apply(plan).await.unwrap();
    bench.order(ErasureSubject::Email(Email::parse("aside@example.com").unwrap())).await;
    bench.eraser().work_off().await.unwrap();
    assert_eq!(bench.store.failed(Position(0), 10).await.unwrap(), []);
    let totals = bench.totals().await;
    assert_eq!((totals.outcomes[&Outcome::Erased], totals.outcomes.get(&Outcome::Failed)), (1, None));
    assert_eq!(bench.store.event("failed-1".to_owned(), None).await.unwrap(), None);
    bench.reopen();
    assert_eq!(bench.stands("Trace aside"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_does_not_wait_for_old_data_and_what_it_blanked_of_it_takes_effect_as_erased() {
    let mut bench = Bench::new();
    bench.accept(life_of("early").into_iter()).await;
    let import = life_of("early").into_iter().chain(life_of("other"));
    bench.append(import, true).await;
    bench.order(ErasureSubject::Email(Email::parse("early@example.com").unwrap())).await;
    while let Some(order) = bench.store.erasures().await.unwrap().orders.pop() {
        bench.eraser().step(order).await.unwrap();
        bench.reopen();
    }
    let traces = ["early@", "Trace early", "device-early", "user-early"];
    assert_eq!(traces.map(|text| bench.stands(text)), [0; 4]);
    let (done, _) = bench.store.erasure(1).await.unwrap().unwrap();
    assert_eq!(done.receipt.journal_events, 6);
    let totals = bench.totals().await;
    assert_eq!((totals.accepted, totals.processed), (9, 3), "the import waits all the while");
    bench.process().await;
    let totals = bench.totals().await;
    assert_eq!(totals.outcomes[&Outcome::Erased], 3);
    assert_eq!(totals.outcomes.values().sum::<u64>(), 9);
    assert_eq!(traces.map(|text| bench.stands(text)), [0; 4]);
    assert!(bench.stands("other@") > 0);
}

const ORDERS: &str = r#"
[deals.order]
key = ["properties.order_id"]
name = "{person.name|email} order"
forward_only = true
[deals.subscription]
key = "person"
name = "{email}"
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[events."Trial Started".deal]
kind = "subscription"
[company]
name = ["traits.company"]
link = "never"
[fields.company_name]
from = []
"#;

fn orders_of(name: &str, order: &str) -> Vec<Value> {
    let user = format!("user-{name}");
    let bought = |event: &str, order: &str| {
        json!({"type": "track", "event": event, "userId": user, "properties": {"order_id": order,
            "gift_text": format!("Trace {name}")}})
    };
    let mut said = life_of(name).to_vec();
    said[0]["traits"]["company"] = json!("Acme");
    said.extend([
        bought("Order Completed", order),
        bought("Trial Started", ""),
        bought("Order Completed", "shared"),
    ]);
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_deals_of_an_erased_person_nothing_is_left_but_that_freshsales_has_them() {
    let settings = Settings { preset: Preset::parse(Some(ORDERS)).unwrap(), ..test_settings() };
    let mut bench = Bench::with(settings);
    bench.accept(orders_of("erika", "A-1").into_iter().chain(orders_of("ann", "A-2"))).await;
    let key = |kind: &str, key: &str| DealKey::of("default", kind, key).unwrap();
    let all = DealQuery { after: None, found_by: None, held: None, limit: 9 };
    let keys = bench.store.deals(all.clone()).await.unwrap();
    let of_ann = [key("order", "A-2"), key("order", "shared"), key("subscription", "user-ann")];
    assert_eq!(keys.len(), 5);
    // Freshsales has both orders.
    let found =
        bench.store.load(Keys { deals: keys.into_iter().collect(), ..Keys::default() }).await.unwrap();
    for (key, Versioned { revision, mut document }) in found.deals {
        let standing = document.standing.entry(bench.settings.account.clone()).or_default();
        standing.birth = Birth::Told { id: 7 };
        let hers = document.persons.keys().any(|person| person.to_string() == "user:user-erika");
        let name = if hers { "Trace erika order" } else { "Trace ann order" };
        standing.accepted.insert("name".to_owned(), name.into());
        let put = PutDeal::new(key, revision, document, &bench.settings.account);
        let plan = Plan { puts: vec![Put::Deal(Box::new(put))], ..Plan::default() };
        bench.store.apply(plan).await.unwrap();
    }
    assert!(bench.stands("erika") > 10);
    bench.order(ErasureSubject::Email(Email::parse("erika@example.com").unwrap())).await;
    while let Some(order) = bench.store.erasures().await.unwrap().orders.pop() {
        bench.eraser().step(order).await.unwrap();
        bench.reopen();
    }
    assert_eq!(bench.store.erasure(1).await.unwrap().unwrap().0.receipt.deals, 3);
    assert_eq!(bench.stands("erika"), 0);
    let left = bench.store.deals(all).await.unwrap();
    assert_eq!(left, [[key("order", "A-1")].as_slice(), of_ann.as_slice()].concat());
    let left = bench.store.load(Keys { deals: left.into_iter().collect(), ..Keys::default() }).await.unwrap();
    assert!(left.deals[&key("order", "A-1")].document.persons.is_empty());
    let shared = &left.deals[&key("order", "shared")].document;
    assert_eq!(shared.persons.keys().map(ToString::to_string).collect::<Vec<_>>(), ["user:user-ann"]);
    let born =
        |deal: &Versioned<Deal>| deal.document.standing.values().all(|it| it.birth == Birth::Told { id: 7 });
    assert!(left.deals.values().all(born));
}
