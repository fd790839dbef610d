//! Tests of the two streams of the journal: old data waits, and what happens now does not.

use super::retention::{ALL, NONE, prune};
use super::*;
use crate::store::{Keep, Plan, Processed, Progress};

pub(super) fn old(raw: &str) -> NewRecord {
    NewRecord { backfill: true, ..event(raw) }
}

pub(super) async fn of(store: &Arc<TestStore>, stream: Stream) -> Vec<(u64, String)> {
    let records = store.read(stream, Position(0), 1_000, usize::MAX).await.unwrap();
    records.into_iter().map(|record| (record.position.0, record.event.raw)).collect()
}

async fn progress(store: &Arc<TestStore>, stream: Stream, from: u64, to: u64, events: u64) {
    let progress = Progress { stream, from: Position(from), to: Position(to), events };
    store.apply(Plan { progress: Some(progress), ..Plan::default() }).await.unwrap();
}

pub(super) fn row(position: u64, raw: &str) -> (u64, String) {
    (position, raw.to_owned())
}

#[tokio::test]
async fn an_append_that_mixes_keeps_each_stream_by_itself_under_one_numbering() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = store.append(vec![old("a"), event("b"), old("c"), event("d")]).await.unwrap();
    assert_eq!(first, Position(1));
    assert_eq!(store.append(vec![old("e")]).await.unwrap(), Position(5));
    assert_eq!(store.append(vec![event("f")]).await.unwrap(), Position(6));
    drop(store);
    let store = open(folder.path());
    assert_eq!(of(&store, Stream::Live).await, [row(1, "b"), row(2, "d"), row(6, "f")]);
    assert_eq!(of(&store, Stream::Old).await, [row(3, "a"), row(4, "c"), row(5, "e")]);
    assert_eq!(*store.journal_end().borrow(), Position(6));
    for (position, raw) in [(1, "b"), (3, "a"), (5, "e"), (6, "f")] {
        assert_eq!(store.record(Position(position)).await.unwrap().unwrap().event.raw, raw);
    }
    let after = store.read(Stream::Old, Position(3), 1, usize::MAX).await.unwrap();
    assert_eq!(after[0].position, Position(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appends_of_both_streams_are_answered_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let tasks: Vec<_> = (0..200)
        .map(|nth| {
            let (store, raw) = (Arc::clone(&store), nth.to_string());
            let record = if nth % 3 == 0 { old(&raw) } else { event(&raw) };
            tokio::spawn(async move { store.append(vec![record]).await.unwrap() })
        })
        .collect();
    let mut places = Vec::new();
    for (nth, task) in tasks.into_iter().enumerate() {
        places.push((task.await.unwrap().0, nth.to_string()));
    }
    let mut stored = of(&store, Stream::Live).await;
    stored.extend(of(&store, Stream::Old).await);
    places.sort();
    stored.sort();
    assert_eq!(places, stored);
    assert_eq!(
        stored.iter().map(|(position, _)| *position).collect::<Vec<_>>(),
        (1..=200).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn each_stream_has_its_cursor_and_what_waits_is_the_sum() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![old("a"), event("b"), old("c"), event("d")]).await.unwrap();
    progress(&store, Stream::Live, 0, 2, 2).await;
    progress(&store, Stream::Old, 0, 3, 1).await;
    let expected = Processed { live: Position(2), old: Position(3), events: 3 };
    assert_eq!(store.processed().await.unwrap(), expected);
    assert_eq!(*store.processed_end().borrow(), expected);
    let totals = store.totals(account()).await.unwrap();
    assert_eq!((totals.accepted, totals.processed), (4, 3));
    let stale = Progress { stream: Stream::Old, from: Position(0), to: Position(4), events: 1 };
    let refused = store.apply(Plan { progress: Some(stale), ..Plan::default() }).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    drop(store);
    assert_eq!(open(folder.path()).processed().await.unwrap(), expected);
}

#[tokio::test]
async fn groups_go_by_the_cursor_of_their_stream_and_positions_are_never_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![event("a"), old("b")]).await.unwrap();
    store.append(vec![event("c"), old("d")]).await.unwrap();
    progress(&store, Stream::Live, 0, 3, 2).await;
    assert_eq!(prune(&store, NONE).await, 2, "old data that waits stays");
    assert_eq!(of(&store, Stream::Live).await, []);
    assert_eq!(of(&store, Stream::Old).await, [row(2, "b"), row(4, "d")]);
    progress(&store, Stream::Old, 0, 4, 2).await;
    assert_eq!(prune(&store, NONE).await, 2);
    drop(store);
    assert_eq!(append(&open(folder.path()), "e").await.unwrap(), Position(5));
}

#[tokio::test]
async fn messages_are_remembered_while_old_data_waits_that_may_repeat_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let early = NewRecord { received_at: UnixMicros(5), ..old("a") };
    store.append(vec![event("b"), early]).await.unwrap();
    let key = (SourceName("website".to_owned()), "m1".to_owned());
    let seen = crate::store::Put::Seen(key.0.clone(), key.1.clone(), Position(1), UnixMicros(6));
    let progress_live = Progress { stream: Stream::Live, from: Position(0), to: Position(1), events: 1 };
    store.apply(Plan { progress: Some(progress_live), puts: vec![seen], ..Plan::default() }).await.unwrap();
    let keep = Keep { seen_since: UnixMicros(10), ..ALL };
    assert_eq!(prune(&store, keep).await, 0, "the old event waits since before");
    progress(&store, Stream::Old, 0, 2, 1).await;
    assert_eq!(prune(&store, keep).await, 1);
}

#[tokio::test]
async fn old_data_holds_half_of_the_journal_and_beyond_it_waits_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bytes_max = 200 * 4096;
    let small = StoreSettings { journal_bytes_max: bytes_max, ..settings() };
    let store = open_with(folder.path(), small.clone(), NOW);
    let big = "x".repeat(20_000);
    let mut kept = 0;
    let refused = loop {
        match store.append(vec![old(&big)]).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    let StoreError::Full(why) = refused else { panic!("{refused:?}") };
    assert!(why.starts_with("old data holds"), "{why}");
    assert_eq!(kept, 20);
    assert_eq!(store.refusing_old().as_deref(), Some(why.as_str()));
    assert_eq!(store.refusing(), None);
    // What happens now is taken, with a little that is old among it.
    append(&store, &big).await.unwrap();
    store.append(vec![event(&big), old("a little")]).await.unwrap();
    drop(store);
    let store = open_with(folder.path(), small, NOW);
    assert!(store.append(vec![old(&big)]).await.is_err(), "a restart does not forget what waits");
    // Once it took effect it goes, young as it is, and more is taken.
    let last = of(&store, Stream::Old).await.last().unwrap().0;
    progress(&store, Stream::Old, 0, last, kept + 1).await;
    assert!(prune(&store, Keep { journal_bytes_max: bytes_max, ..ALL }).await > 0);
    assert_eq!(store.refusing_old(), None);
    store.append(vec![old(&big)]).await.unwrap();
}

#[tokio::test]
async fn the_content_of_old_data_can_be_blanked_before_it_takes_effect() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![event("live"), old("to go"), old("to stay")]).await.unwrap();
    let blank = crate::store::Put::Privacy(crate::store::Privacy::Blank(Position(2)));
    state::put(&store, [blank]).await.unwrap();
    assert_eq!(store.blank().await.unwrap(), 1);
    assert_eq!(of(&store, Stream::Old).await, [row(2, ""), row(3, "to stay")]);
    assert_eq!(of(&store, Stream::Live).await, [row(1, "live")]);
}
