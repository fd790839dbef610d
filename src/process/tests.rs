//! Tests of processing over the embedded store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::Processor;
use crate::clock::{Clock, ManualClock, Sleep, UnixMicros};
use crate::decision::{Outcome, decide, test_settings};
use crate::event::{Kind, Position, SourceName, Trust};
use crate::person::{DEFAULT_PEOPLE, Person, PersonId, PersonKey};
use crate::store::sqlite::SqliteStore;
use crate::store::{
    Change, Destination, Journal, Keys, NewRecord, Plan, ProcessedEnd, Put, SharedStore, StateStore,
    StoreSettings, Trail, Versioned,
};
use crate::turn::{Decide, Stalls, Undecided, retry};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

/// A clock to which every step of the journal's effect takes 25 ms: what a slow disk needs for a sync.
struct SlowDisk {
    manual: ManualClock,
    processed: OnceLock<Mutex<ProcessedEnd>>,
}

impl Clock for SlowDisk {
    fn wall(&self) -> UnixMicros {
        self.manual.wall()
    }

    fn monotonic(&self) -> Duration {
        if let Some(processed) = self.processed.get() {
            let mut processed = processed.lock().unwrap();
            if processed.has_changed().unwrap_or(false) {
                processed.mark_unchanged();
                self.manual.advance(Duration::from_millis(25));
            }
        }
        self.manual.monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        self.manual.sleep_until(deadline)
    }
}

fn says(nth: usize) -> NewRecord {
    let at = NOW.plus(Duration::from_micros(nth as u64));
    NewRecord {
        source: SourceName("website".to_owned()),
        people: DEFAULT_PEOPLE.to_owned(),
        kind: Kind::Identify,
        received_at: at,
        at,
        message_id: format!("m{nth}"),
        backfill: false,
        trust: Trust::Server,
        raw: json!({"type": "identify", "userId": "jo", "traits": {"city": format!("Oslo {nth}")}})
            .to_string(),
    }
}

/// Processing over a store of its own.
struct Bench {
    store: Arc<SqliteStore>,
    clock: Arc<dyn Clock>,
    decide: Decide,
    trouble: watch::Sender<Option<String>>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn with(clock: Arc<dyn Clock>, decide: Decide) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), Arc::clone(&clock));
        Self { store, clock, decide, trouble: watch::Sender::new(None), folder }
    }

    /// Processing that meets a defect at some messages.
    fn that_panics_at(bad: fn(&str) -> bool) -> Self {
        let decide: Decide = Arc::new(move |reading, world, settings, now| {
            let decided = decide(reading, world, settings, now);
            assert!(!bad(&reading.stamp.message_id), "a defect of the test");
            decided
        });
        Self::with(Arc::new(ManualClock::at(NOW)), decide)
    }

    fn processor(&self) -> Processor {
        Processor {
            store: self.shared(),
            settings: watch::Sender::new(Arc::new(test_settings())).subscribe(),
            clock: Arc::clone(&self.clock),
            owed: Arc::new(Notify::new()),
            decide: Arc::clone(&self.decide),
            trouble: self.trouble.clone(),
            consent: crate::consent::SharedTally::default(),
            senders: Arc::default(),
            stalls: Stalls::default(),
            traces: crate::traces::Traces::default(),
        }
    }

    fn shared(&self) -> SharedStore {
        Arc::clone(&self.store) as SharedStore
    }

    async fn append(&self, events: usize) {
        self.store.append((0..events).map(says).collect()).await.unwrap();
    }

    /// Runs until everything has taken effect or was put aside.
    async fn process(&self) {
        let stop = CancellationToken::new();
        let running = tokio::spawn(self.processor().run(stop.clone()));
        let end = *self.store.journal_end().borrow();
        self.store.processed_end().wait_for(|processed| processed.events == end.0).await.unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    async fn outcomes(&self) -> BTreeMap<Outcome, u64> {
        self.store.totals(test_settings().account).await.unwrap().outcomes
    }

    async fn jo(&self) -> Versioned<Person> {
        let jo = PersonKey { people: DEFAULT_PEOPLE.to_owned(), id: PersonId::User("jo".to_owned()) };
        let keys = Keys { people: [jo.clone()].into(), ..Keys::default() };
        self.store.load(keys).await.unwrap().people.remove(&jo).unwrap()
    }

    async fn city(&self) -> Value {
        self.jo().await.document.facts().values.get("traits.city").unwrap().value.clone()
    }

    async fn failed(&self) -> Vec<String> {
        let kept = self.store.failed(Position(0), 100).await.unwrap();
        kept.into_iter().map(|failed| failed.record.event.message_id).collect()
    }

    /// Tries again what was put aside first.
    async fn retry(&self, decide: Decide) -> Result<Outcome, Undecided> {
        let failed = self.store.failed(Position(0), 1).await.unwrap().remove(0);
        let _turn = self.store.turn().await;
        retry(&self.shared(), &failed, (0, Vec::new()), (&decide, &test_settings(), &ManualClock::at(NOW)))
            .await
    }
}

fn open(folder: &Path, clock: Arc<dyn Clock>) -> Arc<SqliteStore> {
    SqliteStore::open(folder, StoreSettings { free_bytes_min: 0, ..StoreSettings::default() }, clock).unwrap()
}

#[tokio::test]
async fn a_slow_disk_makes_no_batch_smaller() {
    let clock = Arc::new(SlowDisk { manual: ManualClock::at(NOW), processed: OnceLock::new() });
    let bench = Bench::with(Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(decide));
    bench.append(2_000).await;
    clock.processed.set(Mutex::new(bench.store.processed_end())).unwrap();
    bench.process().await;
    // Each batch writes her once: one to learn what an event costs, one that was read meanwhile, one for all the others.
    assert_eq!(bench.jo().await.revision, 3);
}

#[tokio::test]
async fn events_that_meet_a_defect_are_put_aside_and_all_others_take_effect() {
    let bench = Bench::that_panics_at(|message| ["m0", "m77", "m78", "m299"].contains(&message));
    bench.append(300).await;
    bench.process().await;
    assert_eq!(bench.outcomes().await, [(Outcome::Failed, 4), (Outcome::PersonUpdated, 296)].into());
    assert_eq!(bench.failed().await, ["m0", "m77", "m78", "m299"]);
    let trail = bench.store.event("m77".to_owned(), None).await.unwrap().unwrap();
    assert_eq!((trail.outcome, trail.position, trail.person), (Outcome::Failed, Position(78), None));
    // What m299 said has no effect.
    assert_eq!(bench.city().await, "Oslo 298");
}

#[tokio::test]
async fn the_message_of_an_event_that_was_put_aside_counts_as_seen() {
    let bench = Bench::that_panics_at(|message| message == "m0");
    bench.append(1).await;
    bench.process().await;
    let bench = Bench { decide: Arc::new(decide), ..bench };
    bench.append(1).await;
    bench.process().await;
    assert_eq!(bench.outcomes().await, [(Outcome::Failed, 1), (Outcome::Duplicate, 1)].into());
}

#[tokio::test]
async fn an_event_that_was_put_aside_takes_effect_at_its_old_place_when_it_is_tried_again() {
    let bench = Bench::that_panics_at(|message| message == "m1");
    bench.append(3).await;
    bench.process().await;
    let still: Decide = Arc::clone(&bench.decide);
    assert!(matches!(bench.retry(still).await, Err(Undecided::Panicked(..))));
    assert_eq!(bench.failed().await, ["m1"], "it stays");
    assert_eq!(bench.retry(Arc::new(decide)).await.unwrap(), Outcome::PersonUpdated);
    assert_eq!(bench.outcomes().await, [(Outcome::PersonUpdated, 3)].into());
    assert_eq!(bench.failed().await, [""; 0]);
    let trail = bench.store.event("m1".to_owned(), None).await.unwrap().unwrap();
    assert_eq!((trail.outcome, trail.position), (Outcome::PersonUpdated, Position(2)));
    // What it says is older than what took effect meanwhile.
    assert_eq!(bench.city().await, "Oslo 2");
}

#[tokio::test]
async fn the_first_event_that_reads_a_damaged_document_is_put_aside_and_the_others_of_that_person_with_it() {
    let bench = Bench::with(Arc::new(ManualClock::at(NOW)), Arc::new(decide));
    bench.append(1).await;
    bench.process().await;
    bench.store.shut();
    let file = rusqlite::Connection::open(bench.folder.path().join("state.db")).unwrap();
    file.execute("UPDATE people SET body = '{'", ()).unwrap();
    drop(file);
    let bench = Bench { store: open(bench.folder.path(), Arc::clone(&bench.clock)), ..bench };
    let other = |nth| NewRecord { raw: says(nth).raw.replace("jo", "kim"), ..says(nth) };
    bench.store.append(vec![other(1), says(2), other(3), other(4)]).await.unwrap();
    bench.process().await;
    assert_eq!(bench.outcomes().await, [(Outcome::Failed, 1), (Outcome::PersonUpdated, 4)].into());
    assert_eq!(bench.failed().await, ["m2"]);
}

#[tokio::test]
async fn a_damaged_document_that_every_event_needs_is_the_fault_of_none() {
    let bench = Bench::with(Arc::new(ManualClock::at(NOW)), Arc::new(decide));
    let account = test_settings().account;
    let paused = vec![Put::Destination(account, 0, Destination::default())];
    bench.store.apply(Plan { puts: paused, ..Plan::default() }).await.unwrap();
    bench.store.shut();
    let file = rusqlite::Connection::open(bench.folder.path().join("state.db")).unwrap();
    file.execute("UPDATE destinations SET body = '{'", ()).unwrap();
    drop(file);
    let bench = Bench { store: open(bench.folder.path(), Arc::clone(&bench.clock)), ..bench };
    bench.append(3).await;
    let stop = CancellationToken::new();
    let mut trouble = bench.trouble.subscribe();
    let running = tokio::spawn(bench.processor().run(stop.clone()));
    let why = trouble.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(why.starts_with("a stored destination can't be read"), "{why}");
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(bench.store.processed_end().borrow().events, 0, "they wait");
    assert_eq!(bench.failed().await, [""; 0]);
}

#[tokio::test]
async fn a_full_disk_is_the_fault_of_no_event() {
    let clock = ManualClock::at(NOW);
    let bench = Bench::with(Arc::new(clock.clone()), Arc::new(decide));
    bench.append(500).await;
    bench.store.limit_state(1).await;
    let stop = CancellationToken::new();
    let mut trouble = bench.trouble.subscribe();
    let running = tokio::spawn(bench.processor().run(stop.clone()));
    for _ in 0..20 {
        let why = trouble.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(why.starts_with("there is no room"), "{why}");
        trouble.mark_unchanged();
        while !clock.advance_to_next_wake() {
            tokio::task::yield_now().await;
        }
    }
    bench.store.limit_state(1_000_000).await;
    let mut processed = bench.store.processed_end();
    let all = processed.wait_for(|processed| processed.events == 500);
    let again = async {
        loop {
            let _ = clock.advance_to_next_wake();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = all => {}
        () = again => {}
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(bench.outcomes().await, [(Outcome::PersonUpdated, 500)].into());
}

/// The places of the events that the news tell of, in the order in which they took effect.
fn order_of(mut news: crate::store::News) -> Vec<u64> {
    let mut order = Vec::new();
    while let Ok(change) = news.try_recv() {
        if let Change::Event(event) = change {
            order.push(event.position.0);
        }
    }
    order
}

fn old(nth: usize) -> NewRecord {
    NewRecord { backfill: true, ..says(nth) }
}

#[tokio::test]
async fn what_happens_now_takes_effect_before_an_import_that_came_earlier() {
    let bench = Bench::that_panics_at(|_| false);
    bench.store.append((0..300).map(old).collect()).await.unwrap();
    bench.store.append(vec![says(300), says(301)]).await.unwrap();
    let news = bench.store.news();
    bench.process().await;
    // The news of a batch are told after its effect: once the store is shut all of them are.
    bench.store.shut();
    assert_eq!(order_of(news), [301, 302].into_iter().chain(1..=300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_defect_in_old_data_is_found_among_its_own_while_live_events_go_on() {
    let bench = Bench::that_panics_at(|message| message == "m57" || message == "m140");
    bench.store.append((0..120).map(old).collect()).await.unwrap();
    bench.store.append((120..200).map(says).collect()).await.unwrap();
    bench.store.append((200..260).map(old).collect()).await.unwrap();
    bench.process().await;
    assert_eq!(bench.failed().await, ["m57", "m140"]);
    let outcomes = bench.outcomes().await;
    assert_eq!((outcomes[&Outcome::Failed], outcomes.values().sum::<u64>()), (2, 260));
}
