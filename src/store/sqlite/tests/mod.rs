//! Tests of the embedded engine.

mod clocks;
mod counted;
mod deals;
mod forget;
mod happenings;
mod in_place;
mod journal;
mod lookups;
mod model;
mod opening;
mod retention;
mod state;
mod streams;
mod subjects;
mod unreadable;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::files::STATE_FILE;
use super::{SqliteStore, migrations};
use crate::clock::{ManualClock, UnixMicros};
use crate::contact::{Contact, InFlight, Standing};
use crate::decision::Outcome;
use crate::delivery::{Account, Delivery, DeliveryId, Lane};
use crate::event::{Email, Kind, Position, SourceName, Trust};
use crate::store::{
    DueOrder, DueQuery, Journal, NewRecord, Outbox, StateStore, StoreError, StoreSettings, Stream, Trail,
    Upkeep, Walks,
};
use crate::trail::{EventTrail, Worth};

/// The moment at which the clock of these tests stands.
const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

fn settings() -> StoreSettings {
    StoreSettings { lock_wait: Duration::ZERO, free_bytes_min: 0, ..StoreSettings::default() }
}

fn open_with(path: &Path, settings: StoreSettings, at: UnixMicros) -> Arc<SqliteStore> {
    SqliteStore::open(path, settings, Arc::new(ManualClock::at(at))).unwrap()
}

/// The state as it was before the step of its schema that has these words.
fn file_from_before(folder: &Path, words: &str) -> rusqlite::Connection {
    let path = folder.join(STATE_FILE);
    let before = migrations::STATE.iter().position(|step| step.contains(words)).unwrap();
    let mut file = rusqlite::Connection::open(&path).unwrap();
    migrations::migrate(&mut file, &migrations::STATE[..before], &path).unwrap();
    file
}

fn open(path: &Path) -> Arc<SqliteStore> {
    open_with(path, settings(), NOW)
}

fn event(raw: &str) -> NewRecord {
    NewRecord {
        source: SourceName("website".to_owned()),
        people: "default".to_owned(),
        kind: Kind::Track,
        received_at: NOW,
        at: UnixMicros(-5),
        message_id: "m1".to_owned(),
        backfill: false,
        trust: Trust::Server,
        raw: raw.to_owned(),
    }
}

fn account() -> Account {
    Account("acme.myfreshworks.com".to_owned())
}

/// Everything that is due now.
fn due_query() -> DueQuery {
    DueQuery {
        account: account(),
        now: NOW,
        lanes: Lane::BY_PRECEDENCE.into(),
        order: DueOrder::LongestFirst,
        held: Vec::new(),
        shut: Vec::new(),
        limit: 10,
    }
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

fn delivery(id: &str, name: &str, lane: Lane, opened_at: i64) -> Delivery {
    Delivery::open(DeliveryId(id.to_owned()), account(), email(name), lane, UnixMicros(opened_at))
}

fn trail(position: u64, outcome: Outcome) -> EventTrail {
    EventTrail {
        position: Position(position),
        message_id: format!("m{position}"),
        source: SourceName("website".to_owned()),
        kind: Kind::Track,
        event: "Lead Generated".to_owned(),
        received_at: NOW,
        at: NOW,
        person: Some("user:42".to_owned()),
        email: Some(email("jo")),
        page: None,
        outcome,
        worth: Worth::Conversion,
        reason: "it says so".to_owned(),
        delivery_id: Some(DeliveryId("d1-0".to_owned())),
        duplicates: 0,
        notes: vec!["a note".to_owned()],
        actions: Vec::new(),
    }
}

/// A contact with a call on its way, and perhaps a delivery opened meanwhile.
fn calling(id: &str, open: Option<&str>) -> Contact {
    let mut standing = Standing::default();
    standing.leave(InFlight {
        delivery: DeliveryId(id.to_owned()),
        attempt: 1,
        sent: [("city".to_owned(), "Oslo".into())].into(),
        whole: true,
        asks: false,
        renames: None,
        kept_back: std::collections::BTreeMap::new(),
        exempt: None,
        left_at: None,
    });
    standing.open = open.map(|id| DeliveryId(id.to_owned()));
    Contact { standing: [(account(), standing)].into(), ..Contact::default() }
}

async fn append(store: &SqliteStore, raw: &str) -> Result<Position, StoreError> {
    store.append(vec![event(raw)]).await
}
