//! Tests of what only the embedded engine has: files, their older versions, its deadlines.

use std::collections::BTreeSet;
use std::fs;

use super::lookups::all;
use super::retention::{ALL, NONE, journal, prune, seen_of, trail_since};
use super::streams::{of, old, row};
use super::subjects::{due, pairs};
use super::*;
use crate::allowance::LaneLoad;
use crate::clock::Sleep;
use crate::delivery::{Bound, Subject};
use crate::erasure::Target;
use crate::store::sqlite::files::JOURNAL_FILE;
use crate::store::sqlite::retention as pruning;
use crate::store::{EventQuery, Keep, Limited, Plan, Processed, Progress, Put};

#[tokio::test]
async fn after_a_plan_of_events_alone_the_next_commit_waits_for_the_disk_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![event("{}"), event("{}")]).await.unwrap();
    let progress =
        |from, to| Progress { stream: Stream::Live, from: Position(from), to: Position(to), events: 1 };
    let waits = || async {
        let asked = |state: &mut rusqlite::Connection| {
            Ok(state.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
        };
        store.state.order(asked).await.unwrap() == 2
    };
    store.apply(Plan { progress: Some(progress(0, 1)), ..Plan::default() }).await.unwrap();
    assert!(waits().await);
    let twice = store.apply(Plan { progress: Some(progress(0, 1)), ..Plan::default() }).await;
    assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");
    assert!(waits().await);
}

/// A clock that runs a second whenever it is looked at.
struct Hurried(std::sync::atomic::AtomicU64);

impl Clock for Hurried {
    fn wall(&self) -> UnixMicros {
        NOW
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_look_up_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hurried(0.into()));
    let store = open_by(folder.path(), settings(), clock);
    let events = (1..20_000).map(|position| Put::Trail(trail(position, Outcome::Queued)));
    state::put(&store, events).await.unwrap();
    let rare = EventQuery { source: Some(SourceName("silent".to_owned())), ..all() };
    assert!(matches!(store.events(rare).await, Err(StoreError::TooSlow)));
    let quick = EventQuery { limit: Limited::to(1), ..all() };
    assert_eq!(store.events(quick).await.unwrap().len(), 1);
    assert_eq!(*store.fatal().borrow(), None);
}

#[tokio::test]
async fn a_store_from_before_learns_how_what_is_owed_may_leave() {
    let folder = tempfile::tempdir().unwrap();
    let old = file_from_before(folder.path(), "ADD COLUMN alone");
    old.execute_batch(
        r#"INSERT INTO deliveries (id, account, email, lane, state, opened_at, next_attempt_at, revision, new_contact_of, body)
               VALUES ('a', 'acme.myfreshworks.com', 'a@x.com', 4, 0, 1, 1, 1, 'shop', '{}'),
                      ('b', 'acme.myfreshworks.com', 'b@x.com', 4, 2, 1, 1, 1, NULL, '{"alone":true}'),
                      ('c', 'acme.myfreshworks.com', 'c@x.com', 4, 0, 1, 1, 1, NULL, '{}'),
                      ('d', 'acme.myfreshworks.com', 'd@x.com', 4, 5, 1, 1, 1, NULL, '{}');"#,
    )
    .unwrap();
    drop(old);
    let store = open(folder.path());
    let totals = store.totals(account()).await.unwrap();
    let load = LaneLoad {
        shared: 1,
        single: 1,
        listed: 0,
        first: [(Bound::NewContacts(SourceName("shop".to_owned())), 1)].into(),
    };
    assert_eq!((&totals.owed[&Lane::Refresh].load, totals.dead_letters), (&load, 1));
}

#[tokio::test]
async fn dead_letters_of_before_are_counted_when_an_older_folder_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let old = file_from_before(folder.path(), "CREATE TABLE refusals");
    let dead = delivery("a", "jo", Lane::Login, 1).die("no name".to_owned(), NOW);
    let body = serde_json::to_string(&dead).unwrap();
    let insert = "INSERT INTO deliveries (id, account, email, lane, state, opened_at, next_attempt_at, revision, body, subject)
                  VALUES (?1, ?2, 'jo@example.com', 3, 5, 1, 1, 1, ?3, 'contact:jo@example.com')";
    for (id, body) in [("a", body.as_str()), ("b", body.as_str()), ("c", "not json")] {
        old.execute(insert, (id, &account().0, body)).unwrap();
    }
    drop(old);
    let store = open(folder.path());
    let most = store.refusals(account(), 9).await.unwrap();
    assert_eq!(most, [("no name".to_owned(), 2), (String::new(), 1)]);
}

#[tokio::test]
async fn a_disk_without_the_free_space_asked_for_refuses_events_alone() {
    let folder = tempfile::tempdir().unwrap();
    let all = StoreSettings { free_bytes_min: u64::MAX, ..settings() };
    let store = open_with(folder.path(), all, NOW);
    let why = store.refusing().unwrap_or_default();
    assert!(why.starts_with("there is no room to store events"), "known before an event comes: {why}");
    assert!(matches!(append(&store, "a").await, Err(StoreError::Full(_))));
    state::put(&store, []).await.unwrap();
}

#[tokio::test]
async fn a_damaged_group_is_fatal_and_ends_acknowledging() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    append(&store, "a").await.unwrap();
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    file.execute("UPDATE groups SET bytes = x'ffffff'", ()).unwrap();
    drop(file);
    let store = open(folder.path());
    let read = store.read(Stream::Live, Position(0), 1, 1).await;
    assert!(matches!(read, Err(StoreError::Fatal(_))));
    assert!(matches!(append(&store, "b").await, Err(StoreError::Fatal(_))));
    assert!(store.fatal().borrow().is_some());
    assert!(store.refusing().is_some());
}

#[tokio::test]
async fn a_journal_full_of_waiting_events_takes_more_once_they_took_effect() {
    let folder = tempfile::tempdir().unwrap();
    let bytes_max = 100 * 4096;
    let small = StoreSettings { journal_bytes_max: bytes_max, ..settings() };
    let store = open_with(folder.path(), small, NOW);
    let keep = Keep { journal_bytes_max: bytes_max, ..ALL };
    let big = "x".repeat(10_000);
    let mut end = 0;
    while let Ok(position) = append(&store, &big).await {
        end = position.0;
    }
    assert_eq!(prune(&store, keep).await, 0, "all of it waits");
    assert!(store.refusing().is_some());
    assert!(matches!(append(&store, "small").await, Err(StoreError::Full(_))));
    state::progress(&store, 0, end).await;
    assert!(prune(&store, keep).await >= 5);
    assert_eq!(store.refusing(), None);
    // From now on the events take effect in time, and none is refused.
    for _ in 0..100 {
        assert_eq!(append(&store, &big).await.unwrap(), Position(end + 1));
        state::progress(&store, end, end + 1).await;
        end += 1;
        prune(&store, keep).await;
    }
    assert!(journal(&store).await.len() >= 20);
    drop(store);
    // Pages were used again: three times as much went through as the file may hold.
    assert!(fs::metadata(folder.path().join("journal.db")).unwrap().len() <= bytes_max);
}

#[tokio::test]
async fn a_store_from_before_there_was_retention_learns_when_its_rows_are_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut old = rusqlite::Connection::open(&path).unwrap();
    migrations::migrate(&mut old, &migrations::STATE[..1], &path).unwrap();
    old.execute_batch(
        r#"INSERT INTO events VALUES (1, 'm1', 'website', 'page', NULL, NULL, 'queued', 0,
               '{"kind":"page","event":"page","received_at":7,"at":5,"reason":"","delivery_id":null,"notes":[]}');
           INSERT INTO seen VALUES ('website', 'm1', 1), ('website', 'm2', 2);
           INSERT INTO deliveries (id, account, email, lane, state, opened_at, next_attempt_at, revision, body)
               VALUES ('a', '', '', 0, 3, 1, 1, 1, '{"ended_at":9}'), ('b', '', '', 0, 0, 1, 1, 1, '{}');"#,
    )
    .unwrap();
    drop(old);
    let store = open(folder.path());
    let trail = store.event("m1".to_owned(), None).await.unwrap().unwrap();
    assert_eq!((trail.received_at, trail.at), (UnixMicros(7), UnixMicros(5)));
    assert_eq!(prune(&store, Keep { seen_since: UnixMicros(7), ..ALL }).await, 1);
    assert_eq!(seen_of(&store, &["m1", "m2"]).await, ["m1"]);
    assert_eq!(prune(&store, Keep { trail: trail_since(9), ..ALL }).await, 1, "the trail");
    assert_eq!(prune(&store, NONE).await, 2, "the delivery and what was seen");
}

#[tokio::test]
async fn what_has_had_its_time_is_found_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let file = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    let ended = Worth::ALL.into_iter().filter_map(pruning::ended).map(pruning::delete_ended);
    let all = [pruning::SEEN, pruning::TRAIL].map(str::to_owned).into_iter().chain(ended);
    for sql in all {
        let mut statement = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let bound = rusqlite::params_from_iter((0..statement.parameter_count()).map(|_| 1));
        let steps = statement.query_map(bound, |row| row.get::<_, String>(3)).unwrap();
        let scans: BTreeSet<String> =
            steps.map(Result::unwrap).filter(|step| step.starts_with("SCAN")).collect();
        assert_eq!(scans, BTreeSet::new());
    }
    drop(store);
}

/// A folder of a version with one stream: both files without the last steps, with events of both kinds of which the
/// first took effect.
fn of_one_stream(folder: &Path) {
    let state = file_from_before(folder, "ADD COLUMN old_position");
    state.execute("UPDATE progress SET position = 1", ()).unwrap();
    let path = folder.join(JOURNAL_FILE);
    let mut journal = rusqlite::Connection::open(&path).unwrap();
    migrations::migrate(&mut journal, &migrations::JOURNAL[..1], &path).unwrap();
    let records = [event("a"), old("b"), event("c")];
    let bytes = crate::store::sqlite::records::encode(records.iter()).unwrap();
    journal.execute("INSERT INTO groups VALUES (1, 3, ?1)", [bytes]).unwrap();
}

#[tokio::test]
async fn what_waits_in_a_journal_of_one_stream_is_read_to_its_end_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    of_one_stream(folder.path());
    let store = open(folder.path());
    assert_eq!(
        store.processed().await.unwrap(),
        Processed { live: Position(1), old: Position(0), events: 1 }
    );
    assert_eq!(store.append(vec![old("d")]).await.unwrap(), Position(4));
    assert_eq!(of(&store, Stream::Live).await, [row(1, "a"), row(2, "b"), row(3, "c")]);
    assert_eq!(of(&store, Stream::Old).await, [row(4, "d")]);
    let totals = store.totals(account()).await.unwrap();
    assert_eq!((totals.accepted, totals.processed), (4, 1));
}

#[tokio::test]
async fn killed_between_the_two_files_a_folder_of_one_stream_opens_all_the_same() {
    // Each file changes in a transaction of its own: either may be ahead.
    for (journal_first, name) in [(true, JOURNAL_FILE), (false, STATE_FILE)] {
        let folder = tempfile::tempdir().unwrap();
        of_one_stream(folder.path());
        let steps = if journal_first { migrations::JOURNAL } else { migrations::STATE };
        let path = folder.path().join(name);
        let mut file = rusqlite::Connection::open(&path).unwrap();
        migrations::migrate(&mut file, steps, &path).unwrap();
        drop(file);
        let store = open(folder.path());
        assert_eq!(store.processed().await.unwrap().events, 1);
        assert_eq!(of(&store, Stream::Live).await.len(), 3);
    }
}

#[tokio::test]
async fn orders_of_an_older_file_go_on() {
    let folder = tempfile::tempdir().unwrap();
    // As it was before orders could look for an address.
    let old = file_from_before(folder.path(), "CREATE TABLE forget_orders");
    let id = 70_054_866_612_i64;
    old.execute("INSERT INTO forgets VALUES (?1, ?2, ?3, 2)", (account().0, id, NOW.0)).unwrap();
    drop(old);
    let store = open(folder.path());
    let (due, _) = store.forgets(account(), NOW).await.unwrap();
    let due = due.expect("the order goes on");
    assert_eq!((&due.target, due.failures), (&Target::Contact(70_054_866_612, [].into()), 2));
}

#[tokio::test]
async fn deliveries_from_before_there_were_other_records_are_contacts_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut old = rusqlite::Connection::open(&path).unwrap();
    let before = migrations::STATE.iter().position(|step| step.contains("COLUMN subject")).unwrap();
    migrations::migrate(&mut old, &migrations::STATE[..before], &path).unwrap();
    let waits = delivery("waits", "jo", Lane::Login, 1);
    let flies = delivery("flies", "al", Lane::Login, 1).claim();
    let dead = delivery("dead", "mo", Lane::Login, 1).die("refused".to_owned(), NOW);
    old.execute_batch(&[old_row(&waits, 0), old_row(&flies, 1), old_row(&dead, 5)].concat()).unwrap();
    drop(old);
    let store = open(folder.path());
    let contacts = [("waits", "contact:jo@example.com"), ("flies", "contact:al@example.com")];
    assert_eq!(due(&store, due_query()).await, pairs(&contacts));
    let letters = store.dead_letters(account(), 0, 9).await.unwrap();
    let subjects: Vec<Subject> = letters.into_iter().map(|letter| letter.subject).collect();
    assert_eq!(subjects, [Subject::Contact(email("mo"))]);
    assert_eq!(store.delivery(waits.id.clone()).await.unwrap(), Some(waits.clone()));
    // Written again it is written as deliveries are now.
    let next = waits.claim();
    store.apply(Plan { puts: vec![Put::Delivery(1, next.clone())], ..Plan::default() }).await.unwrap();
    assert_eq!(store.delivery(next.id.clone()).await.unwrap(), Some(next));
}

/// A delivery as it was written when there were contacts alone.
fn old_row(delivery: &Delivery, state: u8) -> String {
    let address = delivery.email().unwrap().as_str();
    let mut body = serde_json::to_value(delivery).unwrap();
    let fields = body.as_object_mut().unwrap();
    fields.remove("subject");
    fields.insert("email".to_owned(), address.into());
    format!(
        "INSERT INTO deliveries (id, account, email, lane, state, opened_at, next_attempt_at, revision, body)
         VALUES ('{}', '{}', '{address}', 3, {state}, 1, 1, 1, '{body}');",
        delivery.id, delivery.account.0
    )
}

#[tokio::test]
async fn what_was_kept_before_trails_had_a_worth_counts_as_worth_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut old = rusqlite::Connection::open(&path).unwrap();
    let before = migrations::STATE.iter().position(|step| *step == pruning::STEP).unwrap();
    migrations::migrate(&mut old, &migrations::STATE[..before], &path).unwrap();
    old.execute_batch(
        r#"INSERT INTO events (position, message_id, source, name, outcome, duplicates, received_at, body)
               VALUES (1, 'm1', 'website', 'page', 'no_email', 0, 7,
               '{"kind":"page","event":"page","at":5,"reason":"","delivery_id":null,"notes":[]}');
           INSERT INTO deliveries (id, account, email, lane, state, opened_at, next_attempt_at, revision, body, ended_at)
               VALUES ('a', '', '', 4, 3, 1, 1, 1, '{}', 9), ('b', '', '', 2, 3, 1, 1, 1, '{}', 9);"#,
    )
    .unwrap();
    drop(old);
    let store = open(folder.path());
    let file = rusqlite::Connection::open(&path).unwrap();
    let size = |name: &str| -> i64 {
        file.query_row("SELECT size FROM sizes WHERE name = ?1", [name], |row| row.get(0)).unwrap()
    };
    assert_eq!(store.event("m1".to_owned(), None).await.unwrap().unwrap().worth, Worth::Conversion);
    assert_eq!(size("trail 1"), 202, "a refresh that ended");
    assert!(size("trail 2") > 404, "{}", size("trail 2"));
    assert_eq!(prune(&store, NONE).await, 3);
    assert_eq!((size("trail 0"), size("trail 1"), size("trail 2")), (0, 0, 0));
}

#[tokio::test]
async fn people_of_before_there_were_names_are_found_by_what_they_said() {
    let folder = tempfile::tempdir().unwrap();
    let old = file_from_before(folder.path(), "CREATE TABLE person_names");
    let said = |value: &str| format!(r#"{{"value":{value},"stamp":{{"at":1,"message_id":"m"}}}}"#);
    let body = format!(
        r#"{{"own":{{"values":{{"traits.city":{},"traits.firstName":{},"traits.last_name":{},"traits.name":{}}}}}}}"#,
        said("\"Miller\""),
        said("\"Jane\""),
        said("\"O'Hara\""),
        said("7")
    );
    for (key, body) in [("user:1", body.as_str()), ("user:2", r#"{"own":{}}"#), ("user:3", "{}")] {
        old.execute("INSERT INTO people (key, revision, body) VALUES (?1, 1, ?2)", (key, body)).unwrap();
    }
    drop(old);
    let store = open(folder.path());
    let find = async |words: &[&str]| {
        store.called(words.iter().map(|word| (*word).to_owned()).collect(), 9).await.unwrap()
    };
    assert_eq!(find(&["jane", "o'hara"]).await, ["user:1".parse().unwrap()]);
    assert_eq!((find(&["miller"]).await.len(), find(&["7"]).await.len()), (0, 0));
}
