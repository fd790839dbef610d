//! The moment of a call to the sandbox.

use std::time::Duration;

use crate::clock::UnixMicros;

/// The time of a call, on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) wall: UnixMicros,
    pub(super) monotonic: Duration,
}
