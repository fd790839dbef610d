//! Tests of opening: lock, rights, pragmas, versions.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::sqlite::files::{FileAccess, connect};
use crate::store::sqlite::{OpenError, SqliteStore};

fn fails(path: &Path) -> OpenError {
    match SqliteStore::open(path, settings(), Arc::new(ManualClock::at(NOW))) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn one_process_has_the_folder_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let error = fails(folder.path());
    assert!(matches!(error, OpenError::InUse(_)));
    assert_eq!(error.exit_code(), 75);
    drop(store);
    open(folder.path());
}

#[tokio::test]
async fn who_waits_gets_the_folder_when_the_other_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let path = folder.path().to_owned();
    let patient = StoreSettings { lock_wait: Duration::from_secs(30), ..settings() };
    let waiting = std::thread::spawn(move || drop(open_with(&path, patient, NOW)));
    drop(store);
    waiting.join().unwrap();
}

#[tokio::test]
async fn folder_and_files_are_ours_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let store = open(&path);
    append(&store, "a").await.unwrap();
    state::put(&store, []).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|file| file.unwrap()).collect();
    assert!(files.len() >= 5, "lock, two files, their WALs");
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_folder_open_to_others_is_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _store = open(folder.path());
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn every_connection_syncs_in_full_and_deletes_securely() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(folder.path());
    for file in ["journal.db", "state.db"] {
        for access in [FileAccess::Read, FileAccess::Write] {
            let connection = connect(&folder.path().join(file), access).unwrap();
            let pragma = |name| -> String {
                connection
                    .pragma_query_value(None, name, |row| {
                        row.get_ref(0).map(|value| match value {
                            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                            other => other.as_str().unwrap().to_owned(),
                        })
                    })
                    .unwrap()
            };
            assert_eq!(pragma("journal_mode"), "wal");
            assert_eq!(pragma("synchronous"), "2");
            assert_eq!(pragma("secure_delete"), "1");
            assert_eq!(pragma("temp_store"), "2");
            assert_eq!(pragma("query_only"), if access == FileAccess::Read { "1" } else { "0" });
        }
    }
}

#[test]
fn a_file_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(fails(&file), OpenError::NotAFolder(_)));
    assert!(matches!(fails(&file.join("below")), OpenError::NotAFolder(_)));
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let file = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    let error = fails(folder.path());
    let newest = i64::try_from(migrations::STATE.len()).unwrap();
    assert!(matches!(error, OpenError::Newer { found: 99, known, .. } if known == newest));
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_file_that_is_no_database_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("journal.db"), "x".repeat(5000)).unwrap();
    let error = fails(folder.path());
    assert!(matches!(error, OpenError::Disk(_)));
    assert_eq!(error.exit_code(), 74);
}

#[tokio::test]
async fn a_state_ahead_of_its_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    append(&store, "a").await.unwrap();
    state::progress(&store, 0, 1).await;
    drop(store);
    fs::remove_file(folder.path().join("journal.db")).unwrap();
    assert!(matches!(fails(folder.path()), OpenError::Disk(_)));
}

#[tokio::test]
async fn the_wal_is_empty_after_the_store_was_shut() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    append(&store, "a").await.unwrap();
    state::put(&store, []).await.unwrap();
    store.shut();
    for file in ["journal.db-wal", "state.db-wal"] {
        let bytes = fs::metadata(folder.path().join(file)).map_or(0, |found| found.len());
        assert_eq!(bytes, 0, "{file}");
    }
}

#[test]
fn a_statement_keeps_its_plan_whatever_values_it_is_executed_with() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).shut();
    let connection = connect(&folder.path().join(STATE_FILE), FileAccess::Read).unwrap();
    let mut statement = connection
        .prepare("SELECT id FROM deliveries INDEXED BY deliveries_by_time WHERE account = ?1 AND next_attempt_at <= ?2 AND state IN (0, 2)")
        .unwrap();
    for now in [1_i64, 1_000, 1_000_000] {
        let found: Vec<String> =
            statement.query_map(("acme", now), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(found.len(), 0);
    }
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

#[test]
fn a_folder_that_holds_other_files_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("payroll.csv"), "1").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(fails(folder.path()), OpenError::NotOurs(_)));
    let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "nor are its rights changed");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_with_settings_of_the_page_that_were_brought_there_is_ours() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("settings")).unwrap();
    assert!(matches!(fails(folder.path()), OpenError::NotOurs(_)));
    fs::write(folder.path().join("settings/managed.json"), "{}").unwrap();
    drop(open(folder.path()));
}

#[test]
fn a_folder_is_made_only_where_the_one_above_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not-mounted").join("data");
    let error = fails(&path);
    assert!(matches!(error, OpenError::NoParent(..)), "{error}");
    assert!(error.to_string().contains("not-mounted does not exist. Is its disk mounted?"), "{error}");
    assert!(!folder.path().join("not-mounted").exists());
}
