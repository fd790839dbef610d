//! What of trails and of failed events has no column of its own: the same bytes in every engine.

use serde::{Deserialize, Serialize};

use super::coding;
use super::columns::{email, from_text, to_text, worth};
use crate::clock::UnixMicros;
use crate::decision::{Action, Outcome};
use crate::delivery::DeliveryId;
use crate::event::{Kind, Position, SourceName};
use crate::store::{Failed, StoreError};
use crate::trail::EventTrail;

/// What of a trail has no column of its own.
#[derive(Serialize, Deserialize)]
struct Rest {
    kind: Kind,
    event: String,
    at: UnixMicros,
    reason: String,
    delivery_id: Option<DeliveryId>,
    notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
}

/// The body of a trail.
pub(in crate::store) fn of_trail(event: &EventTrail) -> Result<String, StoreError> {
    let rest = Rest {
        kind: event.kind,
        event: event.event.clone(),
        at: event.at,
        reason: event.reason.clone(),
        delivery_id: event.delivery_id.clone(),
        notes: event.notes.clone(),
        actions: event.actions.clone(),
        page: event.page.clone(),
    };
    to_text("trail", &rest)
}

/// The columns of a trail.
pub(in crate::store) struct TrailColumns {
    pub(in crate::store) position: u64,
    pub(in crate::store) message_id: String,
    pub(in crate::store) source: String,
    pub(in crate::store) person: Option<String>,
    pub(in crate::store) email: Option<String>,
    pub(in crate::store) outcome: String,
    pub(in crate::store) duplicates: u64,
    pub(in crate::store) received_at: i64,
    pub(in crate::store) worth: i64,
}

impl TrailColumns {
    /// The trail that they make with its body.
    pub(in crate::store) fn with(self, body: &str) -> Result<EventTrail, StoreError> {
        let rest: Rest = from_text("trail", body)?;
        Ok(EventTrail {
            position: Position(self.position),
            message_id: self.message_id,
            source: SourceName(self.source),
            kind: rest.kind,
            event: rest.event,
            received_at: UnixMicros(self.received_at),
            at: rest.at,
            person: self.person,
            email: self.email.as_deref().map(email).transpose()?,
            page: rest.page,
            outcome: Outcome::parse(&self.outcome).ok_or(StoreError::Unreadable("outcome", self.outcome))?,
            worth: worth(self.worth)?,
            reason: rest.reason,
            delivery_id: rest.delivery_id,
            duplicates: self.duplicates,
            notes: rest.notes,
            actions: rest.actions,
        })
    }
}

/// How many are kept.
pub(in crate::store) const FAILED_MAX: u64 = 10_000;
/// Bytes of all of them.
pub(in crate::store) const FAILED_BYTES_MAX: u64 = 64 << 20;

/// An event as a row holds it: the form of the journal, and what stood in its way.
#[derive(Serialize, Deserialize)]
struct Row {
    record: Vec<u8>,
    error: String,
    at: i64,
}

/// The body of an event that was put aside.
pub(in crate::store) fn of_failed(failed: &Failed) -> Result<Vec<u8>, StoreError> {
    let Failed { record, error, at } = failed;
    let row = Row { record: coding::encode(std::iter::once(&record.event))?, error: error.clone(), at: at.0 };
    postcard::to_stdvec(&row).map_err(|error| unreadable(&error))
}

/// An event that was put aside.
pub(in crate::store) fn failed(position: Position, body: &[u8]) -> Result<Failed, StoreError> {
    let row: Row = postcard::from_bytes(body).map_err(|error| unreadable(&error))?;
    let record = coding::decode_one(position, &row.record)?;
    Ok(Failed { record, error: row.error, at: UnixMicros(row.at) })
}

fn unreadable(error: &postcard::Error) -> StoreError {
    StoreError::Unreadable("failed event", error.to_string())
}
