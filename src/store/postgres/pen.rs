//! What plans are written with. Must not write.

use ring::hmac;

use super::core::Core;
use crate::clock::UnixMicros;

/// What a plan is written with.
pub(super) struct Pen<'a> {
    pub(super) now: UnixMicros,
    /// How long slots have been lasting, where not the database's clock says so.
    pub(super) ran: Option<i64>,
    pub(super) key: &'a hmac::Key,
    /// How long a call may be on its way.
    pub(super) call_seconds: f64,
}

impl<'a> Pen<'a> {
    /// What plans are written with at a moment.
    pub(super) fn at(core: &'a Core, now: UnixMicros) -> Self {
        Self { now, ran: core.ran(), key: &core.key, call_seconds: core.settings.call_lasts.as_secs_f64() }
    }
}
