//! Tests of files that are renamed, removed or replaced while the store is open.

use std::fs;

use super::*;
use crate::clock::Clock;

const FILES: [&str; 4] = ["journal.db", "journal.db-wal", "state.db", "state.db-wal"];

#[tokio::test]
async fn nothing_is_acknowledged_while_a_file_is_away_and_all_is_once_it_is_back() {
    for file in FILES {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        assert_eq!(append(&store, "before").await.unwrap(), Position(1));
        let (here, there) = (folder.path().join(file), folder.path().join("elsewhere"));
        fs::rename(&here, &there).unwrap();
        for _ in 0..2 {
            let refused = append(&store, "meanwhile").await.unwrap_err();
            assert!(matches!(&refused, StoreError::Away(name) if name == file), "{file}: {refused}");
        }
        assert_eq!(store.away().as_deref(), Some(file));
        let words = format!("{file} of the data folder was renamed, removed or replaced; put it back");
        assert_eq!(store.refusing(), Some(words));
        fs::rename(&there, &here).unwrap();
        // The first that was refused was written before it was noticed, which its sender was not told.
        assert_eq!(append(&store, "after").await.unwrap(), Position(3), "{file}");
        assert_eq!((store.away(), store.refusing()), (None, None), "{file}");
        assert_eq!(*store.journal_end().borrow(), Position(3));
    }
}

#[tokio::test]
async fn another_file_in_its_place_is_noticed_and_so_is_a_folder_that_was_renamed() {
    for file in FILES {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let (here, copy) = (folder.path().join(file), folder.path().join("copy"));
        fs::copy(&here, &copy).unwrap();
        fs::rename(&copy, &here).unwrap();
        assert!(matches!(append(&store, "a").await, Err(StoreError::Away(_))), "{file}");
    }
    let parent = tempfile::tempdir().unwrap();
    let (here, there) = (parent.path().join("data"), parent.path().join("moved"));
    let store = open(&here);
    fs::rename(&here, &there).unwrap();
    assert!(matches!(append(&store, "a").await, Err(StoreError::Away(_))));
    fs::rename(&there, &here).unwrap();
    append(&store, "b").await.unwrap();
}

#[tokio::test]
async fn a_file_that_stays_away_for_a_minute_ends_the_store_though_nobody_sends() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let store = SqliteStore::open(folder.path(), settings(), Arc::new(clock.clone())).unwrap();
    let watched = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.look_after().await }
    });
    let file = folder.path().join("journal.db");
    fs::rename(&file, folder.path().join("elsewhere")).unwrap();
    // Whoever asks whether events are accepted notices.
    assert!(store.refusing().is_some());
    while !watched.is_finished() {
        tokio::task::yield_now().await;
        let _ = clock.advance_to_next_wake();
    }
    assert_eq!(clock.monotonic(), Duration::from_mins(1));
    let why = "journal.db was renamed, removed or replaced while the service ran";
    assert_eq!(store.fatal().borrow().as_deref(), Some(why));
    assert!(matches!(append(&store, "a").await, Err(StoreError::Fatal(_))));
    assert_eq!(store.away(), None, "it is not a matter of a minute any more");
}
