//! Claiming: chooses what may leave now, claims it together with its slots, and lets the calls leave.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::aside::Stopped;
use super::bulk::InBulk;
use super::selectors::Names;
use super::worker::{self, Claimed, Job};
use super::{Deliverer, Next, Round};
use crate::allowance::Quotas;
use crate::clock::UnixMicros;
use crate::delivery::{CallKind, Lane};
use crate::destination::{Destination, Gate};
use crate::store::{self, Due, DueOrder, DueQuery, Plan, Put, StoreError};
use crate::telemetry::caught;

/// Rows asked for beside the free places: claims that turn out to owe nothing leave places to others, and a probe finds
/// one that did not try lately.
const SPARE_ROWS: usize = 16;

/// What was found to call, and when there may be more.
struct Found {
    chosen: Vec<Due>,
    wait: Option<Duration>,
}

/// Of a kind that is shut one call leaves, to see whether it still is; it counts then.
fn may_try(due: &Due, destination: &Destination, trying: &mut BTreeSet<CallKind>) -> bool {
    let kind = due.subject.kind();
    !destination.shut.contains_key(&kind) || trying.insert(kind)
}

/// Whether a call may leave by the quota of its source; it counts then.
fn may_be_made(due: &Due, quotas: &mut Quotas) -> bool {
    due.bound.as_ref().is_none_or(|bound| quotas.take(bound))
}

impl Deliverer {
    /// Claims and sends as much as may leave now.
    pub(super) async fn fill(&self, round: &mut Round) -> Result<Next, StoreError> {
        self.answer_by_hand(round).await?;
        let now = self.clock.wall();
        let destination = self.destination().await?;
        if !destination.redrive.is_empty() {
            self.redrive(&destination.redrive).await?;
        }
        let gate = destination.gate(now);
        match gate {
            Gate::Shut(until) => {
                round.pace.start_over();
                if self.newcomer(&destination, now).await? {
                    self.change_destination(|destination| destination.newcomer_tries(now)).await?;
                    self.owed.notify_one();
                }
                return Ok(until.map_or(Next::News, |until| self.at(until)));
            }
            Gate::AskAccount => {
                round.pace.start_over();
                return self.ask(round).await;
            }
            Gate::OneContact => round.pace.start_over(),
            Gate::Open => {}
        }
        let mut forget_at = if gate == Gate::Open { self.forget(false, round).await? } else { None };
        if gate == Gate::Open {
            match self.ask_for_lists(round).await? {
                Names::Awaited(next) => return Ok(next),
                Names::Known(due_at) => forget_at = forget_at.into_iter().chain(due_at).min(),
            }
        }
        let free = round.pace.places().saturating_sub(round.calls.len());
        if free == 0 {
            return Ok(Next::News);
        }
        let InBulk { places, alone, wait: bulk_wait } =
            self.fill_in_bulk(free, &gate, &destination, round).await?;
        let free = free.saturating_sub(places);
        if free == 0 {
            let wait = forget_at.into_iter().chain(bulk_wait).min();
            return Ok(wait.map_or(Next::News, Next::At));
        }
        let Found { chosen, wait } = self.look(&destination, alone, free, round).await?;
        let wait = wait.into_iter().chain(forget_at).chain(bulk_wait).min();
        let full = chosen.len() == free;
        if chosen.is_empty() {
            let export_at = if gate == Gate::Open { self.export(round).await? } else { None };
            let wait = wait.into_iter().chain(export_at).min();
            return self.fill_with_nobody_due(&destination, &gate, wait, round).await;
        }
        let chosen = self.claim_lists(chosen, &gate, round).await?;
        self.claim(chosen, &gate, round).await?;
        let export_at = if gate == Gate::Open && !full { self.export(round).await? } else { None };
        let wait = wait.into_iter().chain(export_at).min();
        // There may be more than were asked for.
        Ok(if full { Next::News } else { wait.map_or(Next::News, Next::At) })
    }

    /// Whether somebody became owed a call since the CRM stopped answering who may try before the next probe is due.
    async fn newcomer(&self, destination: &Destination, now: UnixMicros) -> Result<bool, StoreError> {
        let Some(since) = destination.lets_newcomers_try() else { return Ok(false) };
        for lane in Lane::BY_PRECEDENCE {
            let query = DueQuery {
                account: self.account(),
                now,
                lanes: vec![lane],
                order: DueOrder::NewestFirst,
                held: Vec::new(),
                shut: destination.shut_kinds(now),
                limit: 1,
            };
            let (newest, _) = self.store.due(query).await?;
            let is_new = |due: &Due| due.opened_at > since && destination.tried_lately(&due.id).is_none();
            if newest.first().is_some_and(is_new) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// No contact is due. Where one was to show whether calls are answered, something else has to.
    async fn fill_with_nobody_due(
        &self,
        destination: &Destination,
        gate: &Gate,
        wait: Option<Duration>,
        round: &mut Round,
    ) -> Result<Next, StoreError> {
        if *gate != Gate::OneContact || !round.calls.is_empty() {
            return Ok(wait.map_or(Next::News, Next::At));
        }
        let forget_at = self.forget(true, round).await?;
        let refused = destination.probe_among_refused();
        if let Some(refused) = refused.filter(|_| wait.is_none() && round.calls.is_empty()) {
            self.probe_by(refused).await?;
        }
        Ok(wait.into_iter().chain(forget_at).min().map_or(Next::News, Next::At))
    }

    /// Looks for what is due in the lanes that may make a call.
    async fn look(
        &self,
        destination: &Destination,
        alone: Option<Vec<Due>>,
        free: usize,
        round: &mut Round,
    ) -> Result<Found, StoreError> {
        let (now, monotonic) = (self.clock.wall(), self.clock.monotonic());
        let mut lanes = round.schedule.open_lanes(monotonic);
        if alone.is_some() {
            // The others share calls; of them only these go by themselves.
            lanes.retain(|lane| !lane.shares_calls());
        }
        let order =
            if destination.tries_the_newest() { DueOrder::NewestFirst } else { DueOrder::LongestFirst };
        let limits = self.settings.borrow().per_hour.clone();
        let mut quotas = store::quotas(&self.store, self.account(), &limits, now).await?;
        let held = quotas.held();
        let (mut shut, limit) = (destination.shut_kinds(now), free + SPARE_ROWS);
        shut.extend(round.listings.is_calling().then_some(CallKind::List));
        let query = DueQuery { account: self.account(), now, lanes: lanes.clone(), order, held, shut, limit };
        let (mut due, later) = self.due(&query, destination).await?;
        due.extend(alone.unwrap_or_default());
        // A probe tries another contact each time: the one before may be what fails.
        due.sort_by_key(|due| destination.tried_lately(&due.id));
        let ages = destination.obstacle.is_none() && round.schedule.ages_within(free);
        let longest = if ages { self.longest_owed(&query).await? } else { None };
        let mut trying = BTreeSet::new();
        let may_leave = |due: &Due| may_try(due, destination, &mut trying) && may_be_made(due, &mut quotas);
        let chosen = round.schedule.choose(due, longest, free, monotonic, may_leave);
        let others = quotas.room_at().into_iter().chain(destination.shut_until(now));
        let mut wait = later.into_iter().chain(others).min().map(|at| self.monotonic_at(at));
        if chosen.len() < free {
            for (lane, at) in round.schedule.shut_lanes(monotonic) {
                if self.is_due(lane, &query).await? {
                    wait = Some(wait.map_or(at, |known| known.min(at)));
                }
            }
        }
        Ok(Found { chosen, wait })
    }

    /// What is due. Where a contact is to show whether calls are answered, other records come only where none is due.
    async fn due(
        &self,
        query: &DueQuery,
        destination: &Destination,
    ) -> Result<(Vec<Due>, Option<UnixMicros>), StoreError> {
        if destination.is_probed_by_contacts() {
            let shut = CallKind::ALL.into_iter().filter(|kind| *kind != CallKind::Contact).collect();
            let of_contacts = self.store.due(DueQuery { shut, ..query.clone() }).await?;
            if !of_contacts.0.is_empty() || destination.probe_among_refused().is_some() {
                return Ok(of_contacts);
            }
        }
        self.store.due(query.clone()).await
    }

    async fn longest_owed(&self, query: &DueQuery) -> Result<Option<Due>, StoreError> {
        let mut longest: Option<Due> = None;
        for lane in &query.lanes {
            let found = self.first_of(*lane, query).await?;
            longest = longest.into_iter().chain(found).min_by_key(|due| due.opened_at);
        }
        Ok(longest)
    }

    async fn is_due(&self, lane: Lane, query: &DueQuery) -> Result<bool, StoreError> {
        Ok(self.first_of(lane, query).await?.is_some())
    }

    /// The longest owed of a lane.
    async fn first_of(&self, lane: Lane, query: &DueQuery) -> Result<Option<Due>, StoreError> {
        let first = DueQuery { lanes: vec![lane], order: DueOrder::LongestFirst, limit: 1, ..query.clone() };
        Ok(self.store.due(first).await?.0.pop())
    }

    /// Claims deliveries in one transaction with their slots, then lets the calls leave. A contact whose call can't be made
    /// up is set aside; the others are claimed the next time.
    async fn claim(&self, chosen: Vec<Due>, gate: &Gate, round: &mut Round) -> Result<(), StoreError> {
        match self.try_claim(&chosen, gate, round).await {
            Ok(jobs) => {
                for job in jobs {
                    round.calls.spawn(worker::call(Arc::clone(&self.crm), Arc::clone(&self.clock), job));
                }
            }
            Err(stopped) => self.set_aside_bad(&chosen, stopped).await?,
        }
        // Claims that turned out to owe nothing left places free.
        self.owed.notify_one();
        Ok(())
    }

    async fn try_claim(&self, chosen: &[Due], gate: &Gate, round: &mut Round) -> Result<Vec<Job>, Stopped> {
        let mut jobs = Vec::new();
        let claimed = self.write_claims(chosen, gate, round, &mut jobs).await;
        if claimed.is_err() {
            for job in jobs.drain(..) {
                round.schedule.give_back(job.slot);
            }
        }
        claimed.map(|()| jobs)
    }

    async fn write_claims(
        &self,
        chosen: &[Due],
        gate: &Gate,
        round: &mut Round,
        jobs: &mut Vec<Job>,
    ) -> Result<(), Stopped> {
        let _turn = self.store.turn().await;
        // The settings of the turn: a review by them sees what leaves.
        let settings = Arc::clone(&self.settings.borrow());
        let now = self.clock.wall();
        let subjects = chosen.iter().map(|due| due.subject.clone()).collect();
        let mut world = self.load(subjects, chosen.iter().map(|due| due.id.clone()).collect()).await?;
        if world.destination.document.gate(now) != *gate {
            // Somebody ordered a pause meanwhile.
            return Err(StoreError::Conflict.into());
        }
        let (mut slots, claimed_at) =
            (Vec::new(), Claimed::now(&*self.clock, self.store.calls_leave_within()));
        for due in chosen {
            let Some(slot) = round.schedule.take(due.lane, self.clock.monotonic()) else { break };
            let claimed = caught(|| (self.decide)(&due.id, &mut world, &settings, now));
            let Ok(Some(order)) = claimed else {
                round.schedule.give_back(slot);
                claimed?;
                continue;
            };
            slots.push(Put::SlotTaken(self.account(), slot, now));
            for kind in [order.subject.kind(), order.request.kind()] {
                world.destination.changed |= world.destination.document.leaves(kind, now);
            }
            let bound = due.bound.clone();
            slots.extend(bound.map(|bound| Put::Bounded(self.account(), slot, bound)));
            let probe = *gate == Gate::OneContact;
            jobs.push(Job { order, slot, opened_at: due.opened_at, probe, claimed: claimed_at });
        }
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.extend(slots);
        Ok(self.store.apply(plan).await?)
    }

    /// Asks whether the account answers; one call at a time, which takes a slot like any other.
    async fn ask(&self, round: &mut Round) -> Result<Next, StoreError> {
        if !round.calls.is_empty() {
            return Ok(Next::News);
        }
        let slot = match round.schedule.take_for_question(self.clock.monotonic()) {
            Ok(slot) => slot,
            Err(free_at) => return Ok(free_at.map_or(Next::News, Next::At)),
        };
        self.note_slot(slot, self.clock.wall(), None, round).await?;
        round.calls.spawn(worker::ask(Arc::clone(&self.crm), slot));
        Ok(Next::News)
    }
}
