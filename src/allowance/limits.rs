//! The two windows that the allowance counts in, and how they stand.

use std::time::Duration;

use serde::Serialize;

/// The longer window: 3,600 seconds.
pub const HOUR: Duration = Duration::from_hours(1);
/// The shorter window: 60 seconds.
pub const MINUTE: Duration = Duration::from_mins(1);

/// How many calls fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AllowanceLimits {
    /// Calls in any 3,600 seconds.
    pub per_hour: u32,
    /// Calls in any 60 seconds.
    pub per_minute: u32,
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Calls that may be made in it now.
    pub limit: u32,
    /// Slots taken in it.
    pub used: u32,
}

/// Both windows at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The last 3,600 seconds.
    pub hour: Window,
    /// The last 60 seconds.
    pub minute: Window,
}
