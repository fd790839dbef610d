//! Tests of what only this engine has: the lease, the fence, texts with any character.

use std::net::TcpListener;

use secrecy::ExposeSecret;

use super::*;
use crate::allowance::SlotId;
use crate::event::Position;
use crate::store::postgres::dial::Purpose;
use crate::store::postgres::lease;
use crate::store::{
    Fingerprint, Keys, Life, Order, OrderEnd, OrderStands, Orders, Plan, Progress, Put, PutOrder,
};
use crate::trail::{Act, ActKind};

fn settings_of(path: &Path) -> Option<PostgresSettings> {
    Some(of_folder(cluster::private()?, path, settings()))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

#[tokio::test]
async fn one_process_works_at_a_time_and_the_next_as_soon_as_it_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    let first = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    let second = PostgresStore::open_leading(settings.clone(), clock());
    assert!(matches!(second, Err(OpenError::InUse(_))));
    drop(first);
    PostgresStore::open_leading(settings, clock()).unwrap();
}

#[tokio::test]
async fn whoever_lost_the_lease_commits_nothing_stands_by_and_may_take_over_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    // A lease of no length has run out at once.
    let settings = PostgresSettings { lease: Duration::ZERO, ..settings };
    let first: Arc<TestStore> = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    append(&first, "{}").await.unwrap();
    let second: Arc<TestStore> = PostgresStore::open_leading(settings, clock()).unwrap();
    let progress = Progress { stream: Stream::Live, from: Position(0), to: Position(1), events: 1 };
    let plan = || Plan { progress: Some(progress), ..Plan::default() };
    let refused = first.apply(plan()).await;
    assert!(matches!(refused, Err(StoreError::Elsewhere)), "{refused:?}");
    assert!(first.fatal().borrow().is_none());
    assert!(!first.work().borrow().here && second.work().borrow().here);
    second.apply(plan()).await.unwrap();
    assert_eq!(second.processed().await.unwrap().live, Position(1));
    // It takes events all the same, and works again when the other one is gone.
    append(&first, "{}").await.unwrap();
    drop(second);
    first.lead().await.unwrap();
    assert!(first.work().borrow().here);
    assert_eq!(first.processed_end().borrow().live, Position(1));
    let progress = Progress { from: Position(1), to: Position(2), ..progress };
    first.apply(Plan { progress: Some(progress), ..Plan::default() }).await.unwrap();
}

#[tokio::test]
async fn servers_that_take_connections_and_answer_nothing_keep_nobody_from_the_one_that_does() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    // As servers that are frozen: the system takes their connections.
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, other] = silent.each_ref().map(|silent| silent.local_addr().unwrap());
    let url = settings.url.expose_secret();
    let servers = format!("port={},{},5432 host=127.0.0.1,127.0.0.1,", one.port(), other.port());
    let url = SecretString::from(url.replacen("host=", &servers, 1));
    let store: Arc<TestStore> =
        PostgresStore::open_leading(PostgresSettings { url, ..settings }, clock()).unwrap();
    append(&store, "{}").await.unwrap();
}

#[tokio::test]
async fn the_time_that_a_call_of_another_is_given_moves_no_clock() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    let settings = PostgresSettings { call_lasts: Duration::from_secs(25), ..settings };
    let first: Arc<TestStore> = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    let taken = Put::SlotTaken(account(), SlotId(1), NOW);
    first.apply(Plan { puts: vec![taken], ..Plan::default() }).await.unwrap();
    drop(first);
    // What was on its way counts as answered when its time is over, and that is to come.
    let second: Arc<TestStore> = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    let (slots, _) = second.slots(account(), NOW).await.unwrap();
    assert_eq!(slots[0].answered_at, Some(NOW.plus(Duration::from_secs(25))));
    drop(second);
    let third: Arc<TestStore> = PostgresStore::open_leading(settings, clock()).unwrap();
    assert_eq!(third.latest_moment(), NOW, "whoever starts then goes on from what was");
}

#[tokio::test]
async fn where_a_promoted_server_lacks_what_was_seen_the_next_event_rings_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    let works = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    let store: Arc<TestStore> = works.clone();
    for raw in ["a", "b", "c"] {
        append(&store, raw).await.unwrap();
    }
    // As on a standby that had the first alone: commits of which nobody was told were seen, and are gone.
    let link = works.core.dial.connect(Purpose::Write).await.unwrap();
    link.batch("DELETE FROM groups WHERE first > 1; UPDATE heads SET last = 1").await.unwrap();
    let look = async || lease::look_once(&works.core, &works.journal, &mut None, false).await.unwrap();
    let mut end = store.journal_end();
    look().await;
    assert_eq!(*end.borrow_and_update(), Position(1));
    let beside: Arc<TestStore> = PostgresStore::open(settings, clock()).unwrap();
    assert_eq!(append(&beside, "d").await.unwrap(), Position(2));
    look().await;
    assert!(end.has_changed().unwrap());
    assert_eq!(*end.borrow(), Position(2));
}

#[tokio::test]
async fn who_does_not_work_takes_events_and_shows_all_and_applies_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    let works: Arc<TestStore> = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    let beside: Arc<TestStore> = PostgresStore::open(settings, clock()).unwrap();
    assert_eq!(append(&beside, "a").await.unwrap(), Position(1));
    assert_eq!(append(&works, "b").await.unwrap(), Position(2));
    assert_eq!(append(&beside, "c").await.unwrap(), Position(3));
    let read = works.read(Stream::Live, Position(0), 9, usize::MAX).await.unwrap();
    let raw: Vec<&str> = read.iter().map(|record| record.event.raw.as_str()).collect();
    assert_eq!(raw, ["a", "b", "c"]);
    assert_eq!(beside.totals(account()).await.unwrap().accepted, 3);
    let refused = beside.apply(Plan::default()).await;
    assert!(matches!(refused, Err(StoreError::Elsewhere)), "{refused:?}");
}

fn settings_named(name: &str) -> Fingerprint {
    let sections = [("consent".to_owned(), name.to_owned()), ("mapping".to_owned(), "same".to_owned())];
    Fingerprint { version: "1".to_owned(), sections: sections.into() }
}

#[tokio::test]
async fn a_node_with_other_settings_takes_over_from_one_that_was_stopped_in_order_or_is_away_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    let open = |name: &str| {
        let store = PostgresStore::open(settings.clone(), clock()).unwrap();
        store.works_by(settings_named(name));
        store
    };
    let lead = async |store: &PostgresStore| {
        // On the threads of the store, as ever: those of the test stand still while one is shut.
        let tried = lease::try_lead(Arc::clone(&store.core), Arc::clone(&store.turn));
        store.tasks.spawn(tried).await.unwrap().unwrap()
    };
    let look = async |store: &PostgresStore, renew: bool| {
        let looked = lease::look_once(&store.core, &store.journal, &mut None, renew).await;
        assert!(matches!(looked, Ok(()) | Err(StoreError::Elsewhere)), "{looked:?}");
        store.work().borrow().clone()
    };
    let (first, same, other) = (open("a"), open("a"), open("b"));
    assert!(lead(&first).await);
    assert_eq!(look(&same, false).await.word(), "stands_by");
    let stands = look(&other, false).await;
    assert_eq!((stands.word(), stands.apart), ("other_settings", vec!["consent".to_owned()]));
    // It reloads, and so does the one that works: the other one is apart then.
    first.works_by(settings_named("b"));
    look(&first, true).await;
    assert_eq!(look(&other, false).await.word(), "stands_by");
    assert_eq!(look(&same, false).await.word(), "other_settings");
    // As if it had been killed, and its lease had just run out.
    let link = other.core.dial.connect(Purpose::Write).await.unwrap();
    link.batch("UPDATE turns SET expires_at = clock_timestamp() - interval '1 s'").await.unwrap();
    assert!(!lead(&same).await, "it may come back");
    assert_eq!(look(&same, false).await.vacant_since, Some(NOW));
    assert!(lead(&other).await, "its settings are the same");
    assert!(look(&first, true).await.word() == "stands_by" && first.work().borrow().vacant_since.is_none());
    link.batch("UPDATE turns SET expires_at = clock_timestamp() - interval '1 d'").await.unwrap();
    assert!(lead(&same).await, "nobody came back");
    // One that is stopped in order hands over to whoever is there.
    drop(same);
    first.works_by(settings_named("c"));
    assert_eq!(look(&first, false).await.word(), "stands_by");
    assert!(lead(&first).await);
}

fn ordered(body: &str) -> Order {
    let [who, role, method, route] = ["anna", "act", "POST", "/api/pause"].map(str::to_owned);
    let (target, body) = ("/api/pause?a=b".to_owned(), body.as_bytes().to_vec());
    Order { at: NOW, who, role, method, route, target, body }
}

#[tokio::test]
async fn an_order_of_a_node_that_stands_by_takes_effect_once_and_ends_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    let works = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    let beside: Arc<TestStore> = PostgresStore::open(settings, clock()).unwrap();
    let first = beside.leave_order(ordered("a\0b")).await.unwrap();
    let second = beside.leave_order(ordered("2")).await.unwrap();
    let mut given = works.orders_given();
    lease::look_once(&works.core, &works.journal, &mut None, false).await.unwrap();
    assert!(given.has_changed().unwrap());
    given.mark_unchanged();
    let left = works.orders_left(9).await.unwrap();
    let waits = |body: &str| OrderStands { order: ordered(body), taken: false, end: None };
    assert_eq!(left, [(first, waits("a\0b")), (second, waits("2"))]);
    // What it changes and that it did are one plan, which does not hold a second time.
    let act = |about: &str| {
        let about = about.to_owned();
        Put::Act(Act { at: NOW, kind: ActKind::Paused, who: "anna".to_owned(), about })
    };
    let plan =
        |about: &str| Plan { puts: vec![act(about), Put::Order(PutOrder::Taken(first))], ..Plan::default() };
    let works: Arc<TestStore> = works;
    works.apply(plan("once")).await.unwrap();
    assert!(matches!(works.apply(plan("twice")).await, Err(StoreError::Conflict)));
    assert!(matches!(beside.apply(plan("elsewhere")).await, Err(StoreError::Elsewhere)));
    assert_eq!(works.acts(9).await.unwrap().len(), 1);
    assert!(beside.order_left(first).await.unwrap().unwrap().taken);
    let end = OrderEnd { at: NOW, status: 200, answer: r#"{"a":"b@example.com"}"#.to_owned() };
    let ends = |end: &OrderEnd| Plan {
        puts: vec![Put::Order(PutOrder::Ended(first, end.clone()))],
        ..Plan::default()
    };
    works.apply(ends(&end)).await.unwrap();
    assert!(matches!(works.apply(ends(&end)).await, Err(StoreError::Conflict)));
    assert!(matches!(works.apply(plan("late")).await, Err(StoreError::Conflict)));
    let stands = beside.order_left(first).await.unwrap().unwrap();
    assert_eq!((stands.end, stands.order.target, stands.order.body), (Some(end), String::new(), Vec::new()));
    assert_eq!(works.orders_left(9).await.unwrap().len(), 1);
    beside.forget_order(first).await.unwrap();
    assert_eq!(beside.order_left(first).await.unwrap(), None);
    // One that has not ended is not forgotten.
    beside.forget_order(second).await.unwrap();
    assert_eq!(works.orders_left(9).await.unwrap().len(), 1);
    // Notes of who did what rest on nothing.
    beside.apply(Plan { puts: vec![act("beside")], ..Plan::default() }).await.unwrap();
    assert_eq!(works.acts(9).await.unwrap()[0].about, "beside");
}

#[tokio::test]
async fn texts_hold_any_character_and_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings_of(folder.path()) else { return };
    let store: Arc<TestStore> = PostgresStore::open_leading(settings, clock()).unwrap();
    let long = "x".repeat(30_000);
    for (position, text) in (1..).zip(["a\0b", "\u{1}\0", long.as_str()]) {
        let mut event = trail(position, Outcome::Queued);
        event.event = text.to_owned();
        event.person = Some(format!("user:{text}"));
        let key: crate::person::PersonKey = format!("user:{text}").parse().unwrap();
        let person = Put::Person(key.clone(), 0, crate::person::Person::default());
        let message = format!("m{}", text.get(..3).unwrap_or(text));
        let seen = Put::Seen(SourceName("s\0".to_owned()), message.clone(), Position(position), NOW);
        let puts = vec![Put::Trail(event.clone()), person, seen];
        store.apply(Plan { puts, ..Plan::default() }).await.unwrap();
        let keys = Keys {
            people: [key.clone()].into(),
            seen: [(SourceName("s\0".to_owned()), message)].into(),
            ..Keys::default()
        };
        let found = store.load(keys).await.unwrap();
        assert!(found.people.contains_key(&key) && found.seen.len() == 1);
        let mut query = crate::store::EventQuery::newest(crate::store::Limited::to(9));
        query.event = Some(text.to_owned());
        query.person.clone_from(&event.person);
        assert_eq!(store.events(query).await.unwrap(), [event]);
    }
}
