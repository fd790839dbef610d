//! Calls that belong to no delivery: questions, lists of the account, orders to forget, exports, the reports of jobs. Each takes a
//! slot like any other, and its answer says how the account does.
//!
//! Must not decide what is asked or what follows for whoever asked.

use std::collections::BTreeSet;

use super::{Deliverer, Round};
use crate::allowance::SlotId;
use crate::clock::UnixMicros;
use crate::delivery::Verdict;
use crate::store::{Plan, Put, StoreError};

impl Deliverer {
    /// Has the slot of a call on disk, with whatever else is written before the call leaves; where that fails the slot is given
    /// back.
    pub(super) async fn note_slot(
        &self,
        slot: SlotId,
        at: UnixMicros,
        beside: Option<Put>,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let puts = [Put::SlotTaken(self.account(), slot, at)].into_iter().chain(beside).collect();
        let noted = self.store.apply(Plan { puts, ..Plan::default() }).await;
        if noted.is_err() {
            round.schedule.give_back(slot);
        }
        noted
    }

    /// What an answer changes of the destination and of its slot, as a plan to which whoever asked adds; and whether it begins a
    /// throttle of the account. The turn must be held.
    pub(super) async fn answered(
        &self,
        verdict: &Verdict,
        probe: bool,
        slot: SlotId,
        now: UnixMicros,
    ) -> Result<(Plan, bool), StoreError> {
        let mut world = self.load(BTreeSet::new(), BTreeSet::new()).await?;
        let held = &mut world.destination;
        let before = held.document.clone();
        held.document = before.after_order(verdict, probe, now);
        held.changed = held.document != before;
        let throttled = held.document.is_throttled_anew(&before);
        let mut plan = Plan::of(world, &self.account());
        plan.puts.push(Put::SlotAnswered(self.account(), slot, now));
        Ok((plan, throttled))
    }
}
