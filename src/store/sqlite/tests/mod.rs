//! Tests of the embedded engine: those that any engine has to pass, and its own.

#![allow(clippy::duplicate_mod, reason = "every engine passes the same tests")]

mod clocks;
mod embedded;
mod in_place;
mod opening;
mod unreadable;

#[path = "../../tests/common.rs"]
mod common;
#[path = "../../tests/counted.rs"]
mod counted;
#[path = "../../tests/deals.rs"]
mod deals;
#[path = "../../tests/forget.rs"]
mod forget;
#[path = "../../tests/happenings.rs"]
mod happenings;
#[path = "../../tests/journal.rs"]
mod journal;
#[path = "../../tests/lookups.rs"]
mod lookups;
#[path = "../../tests/model.rs"]
mod model;
#[path = "../../tests/names.rs"]
mod names;
#[path = "../../tests/retention.rs"]
mod retention;
#[path = "../../tests/state.rs"]
mod state;
#[path = "../../tests/streams.rs"]
mod streams;
#[path = "../../tests/subjects.rs"]
mod subjects;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::common::*;
use super::files::STATE_FILE;
use super::{SqliteStore, migrations};
use crate::clock::{Clock, ManualClock, UnixMicros};
use crate::decision::Outcome;
use crate::delivery::{Account, Delivery, DeliveryId, Lane};
use crate::event::{Email, Kind, Position, SourceName, Trust};
use crate::store::{
    DueOrder, DueQuery, Journal, Life, NewRecord, Outbox, Outgoing, StateStore, StoreError, StoreSettings,
    Stream, Trail, Upkeep, Walks,
};
use crate::trail::Worth;

/// The store that the tests are about.
type TestStore = SqliteStore;

fn open_by(path: &Path, settings: StoreSettings, clock: Arc<dyn Clock>) -> Arc<TestStore> {
    SqliteStore::open(path, settings, clock).unwrap()
}

fn open_with(path: &Path, settings: StoreSettings, at: UnixMicros) -> Arc<TestStore> {
    open_by(path, settings, Arc::new(ManualClock::at(at)))
}

/// The state as it was before the step of its schema that has these words.
fn file_from_before(folder: &Path, words: &str) -> rusqlite::Connection {
    let path = folder.join(STATE_FILE);
    let before = migrations::STATE.iter().position(|step| step.contains(words)).unwrap();
    let mut file = rusqlite::Connection::open(&path).unwrap();
    migrations::migrate(&mut file, &migrations::STATE[..before], &path).unwrap();
    file
}

fn open(path: &Path) -> Arc<TestStore> {
    open_with(path, settings(), NOW)
}
