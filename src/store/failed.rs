//! Events that could not be processed: put aside, so that all others take effect.

use crate::clock::UnixMicros;
use crate::store::Record;

/// An event that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The event, at its place in the journal.
    pub record: Record,
    /// What stood in its way; no value of the event is in it.
    pub error: String,
    /// When it was put aside.
    pub at: UnixMicros,
}
