//! The forecast: how long what is owed takes within the allowance, when no lane uses more than its share.
//!
//! Plays the calls ahead as they will leave: one by one, shared where a backlog goes in bulk, held by the quota of a source.
//! What it can't know it leaves out: events to come, retries, and how long answers take. Must not know what a call carries.

mod play;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{AllowanceLimits, Quotas};
use crate::delivery::{Bound, Lane, State};
use play::Play;

/// How a delivery leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// In a call that others may share, where the lane shares any.
    Shared,
    /// In a call of its own.
    Alone,
    /// In a call with others of its list.
    WithItsList,
}

/// What is to leave in one lane, by how it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneLoad {
    /// Contacts that may share calls where the lane shares any.
    pub shared: u64,
    /// Contacts that go in calls of their own.
    pub single: u64,
    /// Contacts that are put on lists or taken off them, of which many go in one call.
    pub listed: u64,
    /// First calls of contacts, by the source whose contacts they are.
    pub first: BTreeMap<Bound, u64>,
}

impl LaneLoad {
    /// How many contacts that is.
    #[must_use]
    pub fn contacts(&self) -> u64 {
        self.first.values().sum::<u64>() + self.shared + self.single + self.listed
    }

    /// Adds deliveries of a lane that are open in one state. Beside old data a contact that Freshsales does not have shares no
    /// call; one that is in flight has left.
    pub fn add(&mut self, lane: Lane, state: State, how: Leaves, source: Option<Bound>, count: u64) {
        match (state, source) {
            (State::Waiting | State::Retrying, _) if how == Leaves::WithItsList => self.listed += count,
            (State::Waiting, Some(source)) => *self.first.entry(source).or_default() += count,
            (State::Waiting | State::Retrying, _) if how == Leaves::Alone => self.single += count,
            (State::Retrying, Some(_)) if lane != Lane::Backfill => self.single += count,
            (State::Waiting | State::Retrying, _) => self.shared += count,
            (
                State::InFlight
                | State::Delivered
                | State::Superseded
                | State::Dead
                | State::Discarded
                | State::Erased,
                _,
            ) => {}
        }
    }

    /// How many more there are than before, in the same lane.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let first = |(source, now): (&Bound, &u64)| {
            let before = before.first.get(source).copied().unwrap_or(0);
            (source.clone(), now.saturating_sub(before))
        };
        Self {
            shared: self.shared.saturating_sub(before.shared),
            single: self.single.saturating_sub(before.single),
            listed: self.listed.saturating_sub(before.listed),
            first: self.first.iter().map(first).collect(),
        }
    }
}

/// What is to leave in one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneOwed {
    /// Which lane.
    pub lane: Lane,
    /// Up to how much of the limits it may use.
    pub share_percent: u32,
    /// How much, by how it leaves.
    pub load: LaneLoad,
}

/// How contacts share calls, while a backlog goes in bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// From so many waiting contacts on.
    pub contacts_min: u64,
    /// Until fewer than so many wait.
    pub until_fewer_than: u64,
    /// The job of a call is asked for after this long; that is a call too.
    pub asked_after: Duration,
    /// Jobs that may be open at one time.
    pub jobs_max: usize,
    /// Jobs that are open.
    pub jobs_open: usize,
}

/// What calls are made within.
#[derive(Clone, Debug)]
pub struct Means<'a> {
    /// How many calls fit.
    pub limits: AllowanceLimits,
    /// How long ago the calls of the last hour were answered.
    pub ages: Vec<Duration>,
    /// How contacts share calls, if they do.
    pub sharing: Option<Sharing>,
    /// How many contacts each source may make.
    pub quotas: &'a Quotas,
}

/// What is to be expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// How long until each of the lanes, in the order in which they were given, has nothing owed any more.
    pub ends: Vec<Duration>,
    /// How long until the last call has left.
    pub end: Duration,
    /// How many calls leave for it.
    pub calls: u64,
}

/// The lanes by precedence, each with its share and what is to leave in it.
#[must_use]
pub fn lanes_with(shares: &BTreeMap<Lane, u32>, load: impl Fn(Lane) -> LaneLoad) -> Vec<LaneOwed> {
    let lane = |lane| {
        let share_percent = shares.get(&lane).copied().unwrap_or(100);
        LaneOwed { lane, share_percent, load: load(lane) }
    };
    Lane::BY_PRECEDENCE.map(lane).into()
}

/// Plays ahead what leaves of the lanes, given in their order of precedence. `None` where the limits let something of it
/// never leave.
#[must_use]
pub fn forecast(lanes: &[LaneOwed], means: &Means<'_>) -> Option<Forecast> {
    Some(Play::of(lanes, means)?.run())
}
