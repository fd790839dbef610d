//! Tests of the journal: what is appended is read back, dense, and never lost or given twice.

use std::collections::BTreeSet;

use super::retention::{NONE, prune};
use super::*;
use crate::store::Record;

#[tokio::test]
async fn what_is_appended_is_read_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let odd = NewRecord {
        source: SourceName("quo'te\0".to_owned()),
        people: "ünï".to_owned(),
        kind: Kind::Alias,
        received_at: UnixMicros(i64::MIN),
        at: UnixMicros(i64::MAX),
        message_id: String::new(),
        backfill: false,
        trust: Trust::Visitor,
        raw: "{\"a\":\"\\u0000\0\u{1}\u{fffd}🦀\r\n\"}".to_owned(),
    };
    let first = store.append(vec![odd.clone(), event("")]).await.unwrap();
    let next = append(&store, &"x".repeat(100_000)).await.unwrap();
    assert_eq!((first, next), (Position(1), Position(3)));
    let read = store.read(Stream::Live, Position(0), 10, usize::MAX).await.unwrap();
    let expected = [odd, event(""), event(&"x".repeat(100_000))];
    let expected: Vec<Record> =
        (1..).zip(expected).map(|(position, event)| Record { position: Position(position), event }).collect();
    assert_eq!(read, expected);
    assert_eq!(store.record(Position(2)).await.unwrap().as_ref(), expected.get(1));
    assert_eq!(store.record(Position(0)).await.unwrap(), None);
    assert_eq!(store.record(Position(4)).await.unwrap(), None);
    assert_eq!(*store.journal_end().borrow(), Position(3));
}

#[tokio::test]
async fn reading_stops_at_the_number_and_once_the_bytes_are_passed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![event("1234567890"); 5]).await.unwrap();
    store.append(vec![event("1234567890"); 5]).await.unwrap();
    let read = async |after, events, bytes| {
        let records = store.read(Stream::Live, Position(after), events, bytes).await.unwrap();
        records.iter().map(|record| record.position.0).collect::<Vec<_>>()
    };
    assert_eq!(read(3, 4, 1000).await, [4, 5, 6, 7]);
    assert_eq!(read(3, 100, 11).await, [4, 5]);
    assert_eq!(read(8, 100, 1000).await, [9, 10]);
    assert_eq!(read(10, 100, 1000).await, [0_u64; 0]);
    assert_eq!(read(u64::MAX, 100, 1000).await, [0_u64; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appends_get_dense_positions() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let tasks: Vec<_> = (0..400)
        .map(|nth| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.append(vec![event("{}"); nth % 3 + 1]).await.unwrap() })
        })
        .collect();
    let mut taken = BTreeSet::new();
    for (nth, task) in tasks.into_iter().enumerate() {
        let first = task.await.unwrap().0;
        assert!((first..=first + nth as u64 % 3).all(|position| taken.insert(position)));
    }
    let all = taken.len() as u64;
    assert_eq!(taken, (1..=all).collect());
    assert_eq!(store.read(Stream::Live, Position(0), 10_000, usize::MAX).await.unwrap().len() as u64, all);
}

#[tokio::test]
async fn appending_nothing_is_answered_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.append(Vec::new()).await.unwrap(), Position(1));
    assert_eq!(append(&store, "a").await.unwrap(), Position(1));
}

#[tokio::test]
async fn an_append_nobody_waits_for_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    drop(store.append(vec![event("kept")]));
    store.shut();
    assert!(matches!(append(&store, "late").await, Err(StoreError::Shut)));
    assert_eq!(store.refusing().unwrap(), "the store is closed");
    let store = open(folder.path());
    let read = store.read(Stream::Live, Position(0), 10, 1000).await.unwrap();
    assert_eq!(read.iter().map(|record| record.event.raw.as_str()).collect::<Vec<_>>(), ["kept"]);
}

#[tokio::test]
async fn more_than_may_wait_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let few = StoreSettings { queue_events_max: 3, queue_bytes_max: 1000, ..settings() };
    let store = open_with(folder.path(), few, NOW);
    let many = store.append(vec![event("{}"); 4]).await;
    assert!(matches!(many, Err(StoreError::Overloaded)));
    assert!(matches!(append(&store, &"x".repeat(2000)).await, Err(StoreError::Overloaded)));
    assert_eq!(store.append(vec![event("{}"); 3]).await.unwrap(), Position(1));
}

#[tokio::test]
async fn positions_go_on_after_everything_was_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![event("a"); 3]).await.unwrap();
    append(&store, "b").await.unwrap();
    assert_eq!(prune(&store, NONE).await, 0, "nothing took effect yet");
    state::progress(&store, 0, 3).await;
    assert_eq!(prune(&store, NONE).await, 1);
    state::progress(&store, 3, 4).await;
    assert_eq!(prune(&store, NONE).await, 1);
    assert_eq!(store.read(Stream::Live, Position(0), 9, 9).await.unwrap(), []);
    drop(store);
    let store = open(folder.path());
    assert_eq!(*store.journal_end().borrow(), Position(4));
    assert_eq!(append(&store, "c").await.unwrap(), Position(5));
    assert_eq!(store.read(Stream::Live, Position(0), 9, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_journal_refuses_events_while_plans_apply_and_takes_them_again_after_pruning() {
    let folder = tempfile::tempdir().unwrap();
    let small = StoreSettings { journal_bytes_max: 40 * 4096, ..settings() };
    let store = open_with(folder.path(), small.clone(), NOW);
    let mut kept = 0;
    let refused = loop {
        match append(&store, &"x".repeat(10_000)).await {
            Ok(position) => kept = position.0,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full(_)));
    assert!(kept > 5);
    assert_eq!(*store.journal_end().borrow(), Position(kept));
    assert!(store.refusing().unwrap().starts_with("there is no room to store events"));
    assert!(matches!(append(&store, "small").await, Err(StoreError::Full(_))));
    state::progress(&store, 0, kept - 1).await;
    assert_eq!(prune(&store, NONE).await, kept - 1);
    assert_eq!(store.refusing(), None);
    assert_eq!(append(&store, "small").await.unwrap(), Position(kept + 1));
    drop(store);
    let store = open_with(folder.path(), small, NOW);
    assert_eq!(store.read(Stream::Live, Position(0), 100, usize::MAX).await.unwrap().len(), 2);
    assert_eq!(*store.fatal().borrow(), None);
}
