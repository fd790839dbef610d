//! The allowance: how many calls fit into any hour and any minute.
//!
//! A sliding log of slots, exact by construction: a call takes a slot before it leaves and holds it until an
//! hour (a minute) after its answer, so no window of that length anywhere holds more calls than the limit, which may be
//! lower than configured while others use the account.
//! Times are monotonic, so a wall clock that jumps grants nothing.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::adapt::{Adaptive, Limit, RateHint};
use super::limits::{AllowanceLimits, HOUR, Usage, Window};

/// What is left of the hour once a slot is free again in the minute.
const HOUR_LESS_MINUTE: Duration = Duration::from_mins(59);

/// Names a slot in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub u64);

/// The slots taken and not free again.
#[derive(Clone, Debug)]
pub struct Ledger {
    limits: Adaptive,
    /// Calls that have left and are not answered.
    open: BTreeSet<SlotId>,
    /// When slots of answered calls are free again in the hour, soonest first.
    free_again: VecDeque<Duration>,
    next: u64,
}

impl Ledger {
    /// A ledger that begins with what the store remembers: how long ago earlier calls were answered, and the id
    /// the next slot gets.
    #[must_use]
    pub fn restored(
        limits: AllowanceLimits,
        ages: impl IntoIterator<Item = Duration>,
        now: Duration,
        next: u64,
    ) -> Self {
        let left = ages.into_iter().map(|age| HOUR.saturating_sub(age)).filter(|left| !left.is_zero());
        let mut free_again: Vec<Duration> = left.map(|left| now.saturating_add(left)).collect();
        free_again.sort_unstable();
        Self { limits: Adaptive::new(limits), open: BTreeSet::new(), free_again: free_again.into(), next }
    }

    /// The slot that the next call takes.
    #[must_use]
    pub fn next_slot(&self) -> SlotId {
        SlotId(self.next)
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
            self.free_again.push_back(now.saturating_add(HOUR));
        }
    }

    /// Gives back a slot whose call never left.
    pub fn give_back(&mut self, slot: SlotId) {
        self.open.remove(&slot);
    }

    /// What is used now.
    pub fn usage(&mut self, now: Duration) -> Usage {
        while self.free_again.front().is_some_and(|free| *free <= now) {
            self.free_again.pop_front();
        }
        let in_minute = |free: &&Duration| **free > now.saturating_add(HOUR_LESS_MINUTE);
        let last_minute = self.free_again.iter().rev().take_while(in_minute).count();
        let used = |answered: usize| u32::try_from(self.open.len() + answered).unwrap_or(u32::MAX);
        Usage {
            hour: Window { limit: self.limits.hour().at(now), used: used(self.free_again.len()) },
            minute: Window { limit: self.limits.minute().at(now), used: used(last_minute) },
        }
    }

    /// When the next slot inside the share is free at the latest, if time alone frees one.
    pub fn free_at(&mut self, now: Duration, share_percent: u32) -> Option<Duration> {
        if self.has_room(now, share_percent) {
            return Some(now);
        }
        let in_use = self.usage(now);
        let wait = |limit: &Limit, used: u32, sooner: Duration| {
            // A lowered limit may come back before a slot is free.
            let needed = u64::from(used) * 100 / u64::from(share_percent.max(1)) + 1;
            let back = limit.reaches(needed, now);
            let freed = self.slot_free_at(limit.at(now), share_percent, sooner, now);
            back.into_iter().chain(freed).min()
        };
        let hour = wait(self.limits.hour(), in_use.hour.used, Duration::ZERO);
        let minute = wait(self.limits.minute(), in_use.minute.used, HOUR_LESS_MINUTE);
        Some(hour?.max(minute?))
    }

    /// When enough slots are free again for one more inside the share; slots of a shorter window are so much `sooner`.
    fn slot_free_at(
        &self,
        limit: u32,
        share_percent: u32,
        sooner: Duration,
        now: Duration,
    ) -> Option<Duration> {
        // The largest number of used slots that still leaves room for one more.
        let below = (u64::from(limit) * u64::from(share_percent)).div_ceil(100).checked_sub(1)?;
        let may_stay = usize::try_from(below).ok()?.checked_sub(self.open.len())?;
        match self.free_again.len().saturating_sub(may_stay).checked_sub(1) {
            Some(last) => self.free_again.get(last).map(|free| free.saturating_sub(sooner).max(now)),
            None => Some(now),
        }
    }

    /// The account was throttled for this long, as far as it said: others use it too, so less is used from now on.
    pub fn throttled(&mut self, wait: Option<Duration>, now: Duration) {
        let used = self.usage(now);
        self.limits.throttled(wait, used, now);
    }

    /// An answer says how much of the allowance is left.
    pub fn told(&mut self, hint: RateHint, now: Duration) {
        let used = self.usage(now);
        self.limits.told(hint, used, now);
    }
}
