//! The trail: what happened to an event, in words a person understands.
//!
//! Pure data for the debugger, with what is counted of it by the half hour ([`Tallied`]) and what people and the service did
//! meanwhile ([`Act`], [`Look`]). Must not decide anything.

mod act;
mod look;
mod tally;
mod worth;

pub use act::{Act, ActKind};
pub use look::Look;
pub use tally::{SPAN, Said, Span, Tallied, Tallies, tally};
pub use worth::Worth;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::decision::{Action, Outcome};
use crate::delivery::DeliveryId;
use crate::event::{Email, Kind, Position, SourceName};

/// One event from receipt to outcome. What it said itself stays in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventTrail {
    /// Its place in the journal.
    pub position: Position,
    /// The sender's id of the message, or ours where it gave none.
    pub message_id: String,
    /// The source it came from.
    pub source: SourceName,
    /// Its kind.
    pub kind: Kind,
    /// Its name: that of a track event, else the word of the kind.
    pub event: String,
    /// When it was received.
    pub received_at: UnixMicros,
    /// When it happened, corrected for the sender's clock.
    pub at: UnixMicros,
    /// Whose it is, as text of a person's key.
    pub person: Option<String>,
    /// The contact it counts for.
    pub email: Option<Email>,
    /// The page of the site that it came from, without its query.
    #[serde(default)]
    pub page: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// How long that is worth keeping.
    #[serde(default)]
    pub worth: Worth,
    /// Why, in one sentence.
    pub reason: String,
    /// The delivery it opened or joined; for `unchanged` the last delivered one.
    pub delivery_id: Option<DeliveryId>,
    /// How often the same message came again.
    pub duplicates: u64,
    /// Details for who looks closer: what was left out and why, which statement decided consent.
    pub notes: Vec<String>,
    /// What it did to deals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
}
