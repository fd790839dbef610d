//! Lists of contacts: whoever waits to be put on the same list, or taken off it, goes in one call.
//!
//! How many one call takes is not known of any account, so a call that is refused is tried again with half as many: one contact
//! that is refused stops nobody but itself. Must not decide what a call says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::aside::{Readable, Stopped, each, set_aside};
use super::worker::{self, ListCall, ListFinished};
use super::{Deliverer, Round, log};
use crate::allowance::HOUR;
use crate::contact::Place;
use crate::decision::{self, CallOrder, Settlement};
use crate::delivery::{CallKind, DeliveryId, LIST_CONTACTS_MAX, Lane, ListKey, Subject, Verdict};
use crate::destination::Gate;
use crate::selectors::Kind;
use crate::store::{Due, Plan, Put, StoreError};
use crate::telemetry::caught;

/// After so many calls in a row that were accepted and full, twice as many contacts are tried in one.
const ACCEPTED_IN_A_ROW: u32 = 10;
/// After so many contacts of a list in a row that were refused by themselves, the list rests.
const REFUSED_IN_A_ROW: u32 = 5;
const RESTS_FOR: Duration = HOUR;

/// How many contacts go in one call, list by list.
#[derive(Default)]
pub(super) struct Listings {
    paces: BTreeMap<ListKey, ListPace>,
    /// A call is on its way: the next one learns from it how many may go.
    calling: bool,
}

impl Listings {
    /// Whether no other call may leave now.
    pub fn is_calling(&self) -> bool {
        self.calling
    }
}

/// How many contacts of one list go in one call.
struct ListPace {
    most: usize,
    /// The largest call that was accepted since the process began.
    worked: usize,
    /// How many went in one before calls began to be refused.
    before: Option<usize>,
    accepted_in_a_row: u32,
    refused_in_a_row: u32,
    /// Nothing is called before this moment of the monotonic clock.
    rests_until: Duration,
}

impl Default for ListPace {
    fn default() -> Self {
        Self {
            most: LIST_CONTACTS_MAX,
            worked: 1,
            before: None,
            accepted_in_a_row: 0,
            refused_in_a_row: 0,
            rests_until: Duration::ZERO,
        }
    }
}

impl ListPace {
    /// A call with so many contacts was accepted.
    fn accepted(&mut self, contacts: usize) {
        self.worked = self.worked.max(contacts);
        self.refused_in_a_row = 0;
        if contacts >= self.most {
            self.accepted_in_a_row += 1;
        }
        if self.accepted_in_a_row >= ACCEPTED_IN_A_ROW {
            self.most = self.most.saturating_mul(2).min(LIST_CONTACTS_MAX);
            self.accepted_in_a_row = 0;
            self.before = None;
        }
    }

    /// A call with so many contacts was refused; tells whether the list rests from now on.
    fn refused(&mut self, contacts: usize, now: Duration) -> bool {
        self.accepted_in_a_row = 0;
        if contacts > 1 {
            self.before.get_or_insert(self.most);
            self.most = contacts / 2;
            return false;
        }
        // It was this contact: the others go as they went before. Where none ever did, with fewer each time.
        let before = self.before.take().unwrap_or(self.most);
        self.most = if self.worked > 1 { self.worked } else { (before / 2).max(1) };
        self.refused_in_a_row += 1;
        let rests = self.refused_in_a_row >= REFUSED_IN_A_ROW;
        if rests {
            self.rests_until = now.saturating_add(RESTS_FOR);
        }
        rests
    }
}

impl Deliverer {
    /// Sorts the places on lists out of what may leave, and lets a call leave for the first of them, with others of its list.
    pub(super) async fn claim_lists(
        &self,
        chosen: Vec<Due>,
        gate: &Gate,
        round: &mut Round,
    ) -> Result<Vec<Due>, StoreError> {
        let (of_lists, others): (Vec<Due>, Vec<Due>) =
            chosen.into_iter().partition(|due| due.subject.member().is_some());
        let first = of_lists.into_iter().next();
        if let Some(due) = first
            && let Some(list) = due.subject.member().map(|key| key.list.clone())
        {
            let batch = self.batch_of(&list, due, gate, round).await?;
            if let Err(stopped) = self.claim_list(&list, &batch, gate, round).await {
                self.set_aside_bad(&batch, stopped).await?;
            }
            // There may be more than went along.
            self.owed.notify_one();
        }
        Ok(others)
    }

    /// Who goes along in the call of one.
    async fn batch_of(
        &self,
        list: &ListKey,
        first: Due,
        gate: &Gate,
        round: &mut Round,
    ) -> Result<Vec<Due>, StoreError> {
        let pace = round.listings.paces.entry(list.clone()).or_default();
        let rests = pace.rests_until > self.clock.monotonic();
        let most = match gate {
            // What is only to show whether calls are answered carries no more than it has to.
            Gate::OneContact => 1,
            Gate::Open | Gate::AskAccount | Gate::Shut(_) if rests => LIST_CONTACTS_MAX,
            Gate::Open | Gate::AskAccount | Gate::Shut(_) => pace.most,
        };
        // Some may have to say the opposite, or nothing.
        let limit = most.saturating_mul(2);
        let others = self.store.due_in_list(self.account(), list.clone(), self.clock.wall(), limit).await?;
        let others = others.into_iter().filter(|due| due.id != first.id);
        Ok([first.clone()].into_iter().chain(others.take(limit)).collect())
    }

    /// Claims those of a batch that say the same in one transaction with its slot, then lets the call leave.
    async fn claim_list(
        &self,
        list: &ListKey,
        batch: &[Due],
        gate: &Gate,
        round: &mut Round,
    ) -> Result<(), Stopped> {
        let Some(first) = batch.first() else { return Ok(()) };
        let _turn = self.store.turn().await;
        // The settings of the turn: a review by them sees what leaves.
        let settings = Arc::clone(&self.settings.borrow());
        let now = self.clock.wall();
        let subjects = batch.iter().map(|due| due.subject.clone()).collect();
        let mut world = self.load(subjects, batch.iter().map(|due| due.id.clone()).collect()).await?;
        if world.destination.document.gate(now) != *gate {
            // Somebody ordered a pause meanwhile.
            return Err(StoreError::Conflict.into());
        }
        let pace = round.listings.paces.entry(list.clone()).or_default();
        if let Some(rest) =
            pace.rests_until.checked_sub(self.clock.monotonic()).filter(|rest| !rest.is_zero())
        {
            for due in batch {
                decision::wait_for_list(&due.id, now.plus(rest), &mut world);
            }
            return Ok(self.store.apply(Plan::of(world, &settings.account)).await?);
        }
        let most = if *gate == Gate::OneContact { 1 } else { pace.most };
        let (mut orders, mut said): (Vec<CallOrder>, Option<Place>) = (Vec::new(), None);
        for due in batch {
            let Subject::Member(key) = &due.subject else { continue };
            let wanted = caught(|| decision::place_of(key, &world, &settings))?;
            let alike = |one: Place, other: Place| (one.list, one.on) == (other.list, other.on);
            if wanted.zip(said).is_some_and(|(one, other)| !alike(one, other)) || orders.len() >= most {
                continue;
            }
            let order = caught(|| (self.decide)(&due.id, &mut world, &settings, now))?;
            if let Some(order) = order {
                said = said.or(wanted);
                orders.push(order);
            }
        }
        let (mut puts, claimed) =
            (Vec::new(), worker::Claimed::now(&*self.clock, self.store.calls_leave_within()));
        let mut call = None;
        if let Some(said) = said {
            let Some(slot) = round.schedule.take(first.lane.min(Lane::Refresh), self.clock.monotonic())
            else {
                // The lane is shut: nothing of this is written.
                return Ok(());
            };
            puts.push(Put::SlotTaken(self.account(), slot, now));
            world.destination.changed |= world.destination.document.leaves(CallKind::List, now);
            let probe = *gate == Gate::OneContact;
            call = Some(ListCall { list: list.clone(), place: said, orders, slot, probe, claimed });
        }
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.extend(puts);
        if let Err(error) = self.store.apply(plan).await {
            if let Some(call) = call {
                round.schedule.give_back(call.slot);
            }
            return Err(error.into());
        }
        if let Some(call) = call {
            round.listings.calling = true;
            round.calls.spawn(worker::call_for_list(Arc::clone(&self.crm), Arc::clone(&self.clock), call));
        }
        Ok(())
    }

    /// A call for contacts of a list has ended.
    pub(super) async fn finish_listed(
        &self,
        finished: &ListFinished,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        round.listings.calling = false;
        round.schedule.answer(finished.call.slot, now);
        worker::count_call(&finished.result);
        let throttled = loop {
            match self.settle_listed(finished, round).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&finished.result, throttled, round);
        let contacts = finished.call.orders.len();
        let pace = round.listings.paces.entry(finished.call.list.clone()).or_default();
        match finished.result.verdict {
            Verdict::Stored(_) => {
                pace.accepted(contacts);
                round.pace.answered();
            }
            Verdict::Gone { .. } | Verdict::Refused { .. } => {
                if pace.refused(contacts, now) {
                    tracing::warn!(
                        code = "list_rests",
                        "Freshsales refused one contact of a list after another; the others of that list wait an hour, \
                         /api/dead-letters shows why"
                    );
                }
                if matches!(finished.result.verdict, Verdict::Gone { .. }) {
                    round.lists.doubt(Kind::Lists, now);
                }
                round.pace.answered();
            }
            Verdict::Passing { .. } => round.pace.failed(),
            Verdict::Throttled { .. } | Verdict::Blocked { .. } | Verdict::Shut { .. } => {}
        }
        Ok(())
    }

    /// Tells whether the answer begins a throttle.
    async fn settle_listed(&self, finished: &ListFinished, round: &Round) -> Result<bool, StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let ids: BTreeSet<DeliveryId> =
            finished.call.orders.iter().map(|order| order.delivery.clone()).collect();
        let _turn = self.store.turn().await;
        let Readable { mut world, bad } = self.readable(&ids).await?;
        let before = world.destination.document.clone();
        let now = self.clock.wall();
        let others_answered = round.answered.iter().flatten().next().is_some();
        let settlements: Vec<Vec<Settlement>> = vec![finished.settlements(others_answered)];
        let defects = each(&mut world, &settlements, |settlements, world| {
            decision::settle_members(settlements.clone(), world, &settings, now);
        });
        for id in &ids {
            log::refusal(world.deliveries.get(id));
        }
        let after = world.destination.document.clone();
        let traced = self.traces.of_calls(world.deliveries.ended_calls(), now);
        let erased = !world.erased_calls.is_empty();
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::SlotAnswered(self.account(), finished.call.slot, now));
        plan.puts.extend(bad.into_iter().map(|(id, why)| set_aside(id, &why)));
        let defect = defects.into_iter().next().map(|(_, why)| why);
        plan.puts.extend(defect.iter().flat_map(|why| ids.iter().map(|id| set_aside(id.clone(), why))));
        self.store.apply(plan).await?;
        self.traces.tell(traced);
        if erased {
            self.settled.notify_one();
        }
        log::change(&before, &after);
        Ok(after.is_throttled_anew(&before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(9);

    /// Plays calls until every contact has gone or was refused; answers how many calls that took, and how many were refused.
    fn play(contacts: usize, takes: impl Fn(&[usize]) -> bool) -> (usize, Vec<usize>) {
        let mut pace = ListPace::default();
        let mut waiting: Vec<usize> = (0..contacts).collect();
        let (mut calls, mut refused) = (0, Vec::new());
        while !waiting.is_empty() && pace.rests_until < NOW {
            let batch: Vec<usize> = waiting.iter().take(pace.most).copied().collect();
            calls += 1;
            if takes(&batch) {
                pace.accepted(batch.len());
                waiting.drain(..batch.len());
            } else {
                pace.refused(batch.len(), NOW);
                if let [one] = batch.as_slice() {
                    refused.push(*one);
                    waiting.remove(0);
                }
            }
        }
        (calls, refused)
    }

    #[test]
    fn five_hundred_are_five_calls() {
        assert_eq!(play(500, |_| true), (5, vec![]));
    }

    #[test]
    fn an_account_that_takes_fewer_gets_fewer() {
        let (calls, refused) = play(500, |batch| batch.len() <= 40);
        assert!(refused.is_empty());
        assert!(calls <= 24, "{calls}");
    }

    #[test]
    fn one_contact_that_is_refused_stops_nobody_but_itself() {
        for poison in [0, 1, 57, 99, 250, 499] {
            let (calls, refused) = play(500, |batch| !batch.contains(&poison));
            assert_eq!(refused, [poison]);
            assert!(calls <= 30, "{poison}: {calls}");
        }
    }

    #[test]
    fn a_list_that_refuses_everybody_rests() {
        let (calls, refused) = play(500, |_| false);
        assert_eq!(refused.len(), 5);
        assert!(calls <= 32, "{calls}");
    }
}
