//! The records of the journal: events as they were accepted.

use crate::clock::UnixMicros;
use crate::event::{Kind, Position, SourceName};

/// An accepted event on its way into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// The source whose write key it came with.
    pub source: SourceName,
    /// The source's name space of people.
    pub people: String,
    /// What kind it is; the route's where the route names one.
    pub kind: Kind,
    /// When it was received; the nth of a request counts n microseconds later.
    pub received_at: UnixMicros,
    /// When it happened, corrected.
    pub at: UnixMicros,
    /// The sender's message id, or one we made.
    pub message_id: String,
    /// It is old data being loaded.
    pub backfill: bool,
    /// The event as it was sent.
    pub raw: String,
}

/// An event in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub position: Position,
    /// What was appended.
    pub event: NewRecord,
}
