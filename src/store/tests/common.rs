//! What tests of a store are made of, whatever its engine.

use std::sync::Arc;
use std::time::Duration;

use super::TestStore;
use crate::clock::UnixMicros;
use crate::contact::{Contact, InFlight, Standing};
use crate::decision::Outcome;
use crate::delivery::{Account, Delivery, DeliveryId, Lane};
use crate::event::{Email, Kind, Position, SourceName, Trust};
#[allow(unused_imports, reason = "an engine that is one of several is asked by its trait object")]
use crate::store::Journal;
use crate::store::{DueOrder, DueQuery, NewRecord, StoreError, StoreSettings};
use crate::trail::{EventTrail, Worth};

/// The moment at which the clock of these tests stands.
pub(super) const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

pub(super) fn settings() -> StoreSettings {
    StoreSettings { lock_wait: Duration::ZERO, free_bytes_min: 0, ..StoreSettings::default() }
}

pub(super) fn event(raw: &str) -> NewRecord {
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

pub(super) fn account() -> Account {
    Account("acme.myfreshworks.com".to_owned())
}

/// Everything that is due now.
pub(super) fn due_query() -> DueQuery {
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

pub(super) fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

pub(super) fn delivery(id: &str, name: &str, lane: Lane, opened_at: i64) -> Delivery {
    Delivery::open(DeliveryId(id.to_owned()), account(), email(name), lane, UnixMicros(opened_at))
}

pub(super) fn trail(position: u64, outcome: Outcome) -> EventTrail {
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
pub(super) fn calling(id: &str, open: Option<&str>) -> Contact {
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

pub(super) async fn append(store: &Arc<TestStore>, raw: &str) -> Result<Position, StoreError> {
    store.append(vec![event(raw)]).await
}
