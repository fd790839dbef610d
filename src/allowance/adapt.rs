//! What the account seems to allow now: never more than is configured, less while others use it up.
//!
//! The allowance of an account is shared with its other integrations. A throttle before our own limit is used says that
//! they took a part, so our limit goes down to what we had used then and comes back bit by bit. Where answers say how
//! many calls are left, that counts. Pure: the time is an argument.

use std::time::Duration;

use super::limits::{AllowanceLimits, HOUR, MINUTE, Usage};

/// After a throttle this much of what was used is used again.
const KEPT_PERCENT: u64 = 90;
/// A limit never falls below this part of what is configured.
const FLOOR_PERCENT: u64 = 10;
/// From nothing to what is configured a limit comes back in this time.
const HOUR_RECOVERS_IN: Duration = HOUR;
const MINUTE_RECOVERS_IN: Duration = Duration::from_mins(10);

/// What an answer says about the allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateHint {
    /// Calls that the account has in a window.
    pub limit: Option<u32>,
    /// How many of them are left.
    pub remaining: Option<u32>,
    /// When the window begins anew.
    pub reset: Option<Duration>,
}

/// The limits that hold now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adaptive {
    hour: Limit,
    minute: Limit,
}

impl Adaptive {
    pub fn new(configured: AllowanceLimits) -> Self {
        Self {
            hour: Limit::new(configured.per_hour, HOUR_RECOVERS_IN),
            minute: Limit::new(configured.per_minute, MINUTE_RECOVERS_IN),
        }
    }

    pub fn hour(&self) -> &Limit {
        &self.hour
    }

    pub fn minute(&self) -> &Limit {
        &self.minute
    }

    /// The account was throttled for this long, as far as it said, when so much was used.
    pub fn throttled(&mut self, wait: Option<Duration>, used: Usage, now: Duration) {
        if wait.is_some_and(|wait| wait <= MINUTE) {
            self.minute.lower(used.minute.used, now);
        } else {
            self.hour.lower(used.hour.used, now);
        }
    }

    /// An answer says how much is left.
    pub fn told(&mut self, hint: RateHint, used: Usage, now: Duration) {
        let (limit, window) = if self.is_of_a_minute(hint) {
            (&mut self.minute, used.minute)
        } else {
            (&mut self.hour, used.hour)
        };
        let left = hint.remaining.map(|remaining| window.used.saturating_add(remaining));
        if let Some(told) = [hint.limit, left].into_iter().flatten().min() {
            limit.set(told, now);
        }
    }

    /// Nobody knows which window the headers speak of. A limit that does not reach what is configured for an hour, and
    /// fits into a minute, or one that begins anew within a minute, is a minute's.
    fn is_of_a_minute(&self, hint: RateHint) -> bool {
        let fits = |limit: u32| limit < self.hour.configured && limit <= self.minute.configured;
        hint.reset.is_some_and(|reset| reset <= MINUTE) || hint.limit.is_some_and(fits)
    }
}

/// One limit, and how far it is lowered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    configured: u32,
    recovers_in: Duration,
    /// What it was lowered to, and when.
    lowered: Option<(u32, Duration)>,
}

impl Limit {
    fn new(configured: u32, recovers_in: Duration) -> Self {
        Self { configured, recovers_in, lowered: None }
    }

    /// What it is now.
    pub fn at(&self, now: Duration) -> u32 {
        let Some((to, since)) = self.lowered else { return self.configured };
        let passed = now.saturating_sub(since).as_millis();
        let back = u128::from(self.configured) * passed / self.recovers_in.as_millis().max(1);
        to.saturating_add(u32::try_from(back).unwrap_or(u32::MAX)).min(self.configured)
    }

    /// When it is at least so much, if ever.
    pub fn reaches(&self, limit: u64, now: Duration) -> Option<Duration> {
        if u64::from(self.at(now)) >= limit {
            return Some(now);
        }
        let (to, since) = self.lowered.filter(|_| limit <= u64::from(self.configured))?;
        let missing = u128::from(limit.saturating_sub(u64::from(to)));
        let millis = (missing * self.recovers_in.as_millis()).div_ceil(u128::from(self.configured.max(1)));
        Some(since.saturating_add(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))).max(now))
    }

    fn lower(&mut self, used: u32, now: Duration) {
        let kept = u64::from(used) * KEPT_PERCENT / 100;
        self.set(u32::try_from(kept).unwrap_or(u32::MAX).min(self.at(now)), now);
    }

    fn set(&mut self, to: u32, now: Duration) {
        let floor = u64::from(self.configured) * FLOOR_PERCENT / 100;
        let floor = u32::try_from(floor).unwrap_or(1).max(1);
        self.lowered = (to < self.configured).then_some((to.max(floor), now));
    }
}
