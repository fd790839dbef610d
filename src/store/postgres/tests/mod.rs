//! Tests of the engine for several nodes: those that any engine has to pass, and its own.
//!
//! They run against a private cluster of Debian's package `postgresql`. Where that is not installed they say so and run on the
//! embedded engine once more.

#![allow(clippy::duplicate_mod, reason = "every engine passes the same tests")]

#[allow(dead_code, reason = "tests of the whole service use the rest")]
#[path = "../../../../tests/it/support/cluster.rs"]
mod cluster;
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
mod moving;
#[path = "../../tests/names.rs"]
mod names;
mod own;
#[path = "../../tests/retention.rs"]
mod retention;
mod rolling;
#[path = "../../tests/state.rs"]
mod state;
#[path = "../../tests/streams.rs"]
mod streams;
#[path = "../../tests/subjects.rs"]
mod subjects;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use self::cluster::Cluster;
use self::common::*;
use super::{OpenError, PostgresSettings, PostgresStore};
use crate::clock::{Clock, ManualClock, UnixMicros};
use crate::decision::Outcome;
use crate::delivery::{Account, Delivery, DeliveryId, Lane};
use crate::event::{Email, Kind, Position, SourceName, Trust};
use crate::store::sqlite::SqliteStore;
use crate::store::{
    DueOrder, DueQuery, Durability, NewRecord, Store, StoreError, StoreSettings, Stream, Tls,
};

/// The store that the tests are about.
type TestStore = dyn Store;

/// How the store of a folder opens: its schema is named after the folder.
fn of_folder(cluster: &Cluster, path: &Path, limits: StoreSettings) -> PostgresSettings {
    let name = path.to_string_lossy().bytes().fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
    let tail = name.len().saturating_sub(56);
    PostgresSettings {
        url: SecretString::from(cluster.url().to_owned()),
        schema: format!("t{}", &name[tail..]),
        tls: Tls::Off,
        authorities: String::new(),
        durability: Durability::Single,
        append_deadline: Duration::from_secs(20),
        lease: Duration::from_mins(5),
        call_lasts: Duration::ZERO,
        by_database_clock: false,
        node: "test".to_owned(),
        limits,
    }
}

fn open_by(path: &Path, limits: StoreSettings, clock: Arc<dyn Clock>) -> Arc<TestStore> {
    let Some(cluster) = cluster::private() else {
        return SqliteStore::open(path, limits, clock).unwrap();
    };
    PostgresStore::open_leading(of_folder(cluster, path, limits), clock).unwrap()
}

fn open_with(path: &Path, settings: StoreSettings, at: UnixMicros) -> Arc<TestStore> {
    open_by(path, settings, Arc::new(ManualClock::at(at)))
}

fn open(path: &Path) -> Arc<TestStore> {
    open_with(path, settings(), NOW)
}
