//! The allowance: how many calls fit into any hour and any minute.
//!
//! A sliding log of slots, exact by construction: a call takes a slot before it leaves and holds it until an
//! hour (a minute) after its answer, so no window of that length anywhere holds more calls than the limit.
//! Times are monotonic, so a wall clock that jumps grants nothing.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longer window: 3,600 seconds.
pub const HOUR: Duration = Duration::from_hours(1);
/// The shorter window: 60 seconds.
pub const MINUTE: Duration = Duration::from_mins(1);

/// Names a slot in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub u64);

/// How many calls fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
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

/// The slots taken and not free again.
#[derive(Clone, Debug)]
pub struct Ledger {
    limits: Limits,
    /// Calls that have left and are not answered.
    open: BTreeSet<SlotId>,
    /// When calls were answered, oldest first.
    answered: VecDeque<Duration>,
    next: u64,
}

impl Ledger {
    /// A ledger that begins with what the store remembers: the moments (monotonic) at which earlier calls
    /// were answered, and the id the next slot gets.
    #[must_use]
    pub fn new(limits: Limits, answered: impl IntoIterator<Item = Duration>, next: u64) -> Self {
        let mut answered: Vec<Duration> = answered.into_iter().collect();
        answered.sort_unstable();
        Self { limits, open: BTreeSet::new(), answered: answered.into(), next }
    }

    /// Takes a slot if both windows have room for `share_percent` of their limit.
    pub fn take(&mut self, now: Duration, share_percent: u32) -> Option<SlotId> {
        if !self.has_room(now, share_percent) {
            return None;
        }
        let slot = SlotId(self.next);
        self.next += 1;
        self.open.insert(slot);
        Some(slot)
    }

    /// Whether [`Ledger::take`] would give a slot.
    pub fn has_room(&mut self, now: Duration, share_percent: u32) -> bool {
        let usage = self.usage(now);
        let room = |window: Window| {
            u64::from(window.used) * 100 < u64::from(window.limit) * u64::from(share_percent)
        };
        room(usage.hour) && room(usage.minute)
    }

    /// The call of a slot was answered or timed out; from now the slot ages.
    pub fn answer(&mut self, slot: SlotId, now: Duration) {
        if self.open.remove(&slot) {
            self.answered.push_back(now);
        }
    }

    /// Gives back a slot whose call never left.
    pub fn give_back(&mut self, slot: SlotId) {
        self.open.remove(&slot);
    }

    /// What is used now.
    pub fn usage(&mut self, now: Duration) -> Usage {
        while self.answered.front().is_some_and(|at| at.saturating_add(HOUR) <= now) {
            self.answered.pop_front();
        }
        let last_minute = self.answered.iter().rev().take_while(|at| at.saturating_add(MINUTE) > now).count();
        let used = |answered: usize| u32::try_from(self.open.len() + answered).unwrap_or(u32::MAX);
        Usage {
            hour: Window { limit: self.limits.per_hour, used: used(self.answered.len()) },
            minute: Window { limit: self.limits.per_minute, used: used(last_minute) },
        }
    }

    /// When the next slot inside the share is free at the latest, if time alone frees one.
    pub fn free_at(&mut self, now: Duration, share_percent: u32) -> Option<Duration> {
        if self.has_room(now, share_percent) {
            return Some(now);
        }
        let wait = |limit: u32, window: Duration, answered: &VecDeque<Duration>, open: usize| {
            // The largest number of used slots that still leaves room for one more.
            let below = (u64::from(limit) * u64::from(share_percent)).div_ceil(100).checked_sub(1)?;
            let may_stay = usize::try_from(below).ok()?.checked_sub(open)?;
            let must_go = answered.len().saturating_sub(may_stay);
            match must_go.checked_sub(1) {
                Some(last) => answered.get(last).map(|at| at.saturating_add(window).max(now)),
                None => Some(now),
            }
        };
        let hour = wait(self.limits.per_hour, HOUR, &self.answered, self.open.len());
        let minute = wait(self.limits.per_minute, MINUTE, &self.answered, self.open.len());
        Some(hour?.max(minute?))
    }

    /// Other limits from now on, as after a reload.
    pub fn limit_to(&mut self, limits: Limits) {
        self.limits = limits;
    }
}
