//! The bulk lane: a backlog drains through calls of up to a hundred contacts, whose jobs report later.
//!
//! A job is on disk before it is asked for, and its claims live until it has reported, restarts included. Whatever a bulk
//! call does not bring goes by itself. Must not decide what a call carries or what its end changes about a contact.

mod end;
mod pace;
mod settle;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub(super) use pace::Bulk;

use end::{BulkEnd, Why};
use pace::CONTACTS_MIN;

use super::aside::Stopped;
use super::worker::{self, Done};
use super::{Deliverer, Round};
use crate::allowance::SlotId;
use crate::clock::{Clock, UnixMicros};
use crate::contact::bulk_body;
use crate::decision::{self, CallOrder};
use crate::delivery::{BULK_CONTACTS_MAX, BulkJob, BulkRow, DeliveryId, Verdict};
use crate::destination::{Destination, Gate};
use crate::freshsales::{BulkResult, Crm, JobResult};
use crate::store::{self, Due, DueOrder, DueQuery, Plan, Put, StoreError};
use crate::telemetry::caught;

/// A body grows no further than this.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// Where the allowance does not say when it has room for a question.
const NO_ROOM: Duration = Duration::from_secs(10);

/// A bulk call to make.
pub(super) struct BulkCall {
    orders: Vec<CallOrder>,
    slot: SlotId,
    claimed: worker::Claimed,
}

impl BulkCall {
    fn rows(&self) -> Vec<BulkRow> {
        let row = |order: &CallOrder| BulkRow { delivery: order.delivery.clone(), attempt: order.attempt };
        self.orders.iter().map(row).collect()
    }
}

/// A bulk call that has ended.
pub(super) struct BulkFinished {
    call: BulkCall,
    result: BulkResult,
    started_at: UnixMicros,
    took: Duration,
}

/// A job that was asked for.
pub(super) struct JobAnswered {
    job: BulkJob,
    slot: SlotId,
    /// It left alone, to see whether calls are answered.
    probe: bool,
    result: JobResult,
}

/// What bulk calls took of the free places.
#[derive(Default)]
pub(super) struct InBulk {
    /// How many calls have left.
    pub places: usize,
    /// While a backlog drains in bulk: those that can't share a call. All others wait for a bulk call.
    pub alone: Option<Vec<Due>>,
    /// When there is something to do again.
    pub wait: Option<Duration>,
}

impl Deliverer {
    /// The jobs that earlier processes left; each is asked for soon.
    pub(super) async fn bulk(&self) -> Result<Bulk, StoreError> {
        let jobs = self.store.bulk_jobs(self.account()).await?;
        Ok(Bulk::restored(self.bulk.mode, jobs, self.clock.monotonic()))
    }

    /// Asks for jobs that are due; where there is a backlog, lets a bulk call leave.
    pub(super) async fn fill_in_bulk(
        &self,
        free: usize,
        gate: &Gate,
        destination: &Destination,
        round: &mut Round,
    ) -> Result<InBulk, StoreError> {
        self.hurry(round).await?;
        let mut used = InBulk { places: self.ask_for_jobs(free, gate, round).await?, ..InBulk::default() };
        let may_open = used.places < free && *gate == Gate::Open;
        if may_open && round.bulk.is_ready(self.clock.monotonic()) && self.has_backlog(round).await? {
            let batch = self.batch(destination, round).await?;
            match self.claim_batch(batch, gate, round).await? {
                Batch::Left(alone) => {
                    used.places += 1;
                    used.alone = Some(alone);
                    // There may be more than were carried.
                    self.owed.notify_one();
                }
                Batch::Stopped(batch, stopped) => {
                    self.set_aside_bad(&batch, stopped).await?;
                    used.alone = Some(Vec::new());
                    self.owed.notify_one();
                }
                Batch::Waits => used.alone = Some(Vec::new()),
                Batch::Few(batch) => used.alone = Some(batch),
            }
        }
        used.wait = round.bulk.next_due(self.clock.monotonic());
        Ok(used)
    }

    /// Who withdrew consent, or is erased, ought not to wait for a job longer than it takes.
    async fn hurry(&self, round: &mut Round) -> Result<(), StoreError> {
        if !round.bulk.has_jobs() {
            return Ok(());
        }
        let mut waited_for: BTreeSet<DeliveryId> = self.store.held_withdrawals(self.account()).await?;
        let erasures = self.store.erasures().await?.orders;
        waited_for.extend(erasures.into_iter().flat_map(|erasure| erasure.waits.calls));
        round.bulk.hurry(&waited_for, self.clock.monotonic());
        Ok(())
    }

    /// Asks for jobs that are due, at most so many; answers how many.
    async fn ask_for_jobs(&self, free: usize, gate: &Gate, round: &mut Round) -> Result<usize, StoreError> {
        let mut asked = 0;
        while asked < free {
            let now = self.clock.monotonic();
            let Some(job) = round.bulk.due(now).cloned() else { break };
            let slot = match round.schedule.take_for_question(now) {
                Ok(slot) => slot,
                Err(free_at) => {
                    round.bulk.no_room_before(free_at.unwrap_or(now + NO_ROOM));
                    break;
                }
            };
            self.note_slot(slot, self.clock.wall(), None, round).await?;
            round.bulk.asked(&job.id);
            let (crm, probe) = (Arc::clone(&self.crm), *gate == Gate::OneContact);
            round.calls.spawn(async move {
                let result = worker::asked_for_job(&*crm, job.id.clone()).await;
                Done::Job(Box::new(JobAnswered { job, slot, probe, result }))
            });
            asked += 1;
        }
        Ok(asked)
    }

    async fn has_backlog(&self, round: &mut Round) -> Result<bool, StoreError> {
        let totals = self.store.totals(self.account()).await?;
        let owed: u64 =
            totals.owed.iter().filter(|(lane, _)| lane.shares_calls()).map(|(_, owed)| owed.count).sum();
        Ok(round.bulk.has_backlog(owed, self.bulk.backlog_contacts_min))
    }

    /// What may leave in the next bulk call; `None` while none may be opened or no lane has room.
    async fn batch(
        &self,
        destination: &Destination,
        round: &mut Round,
    ) -> Result<Option<Vec<Due>>, StoreError> {
        let mut lanes = round.schedule.open_lanes(self.clock.monotonic());
        lanes.retain(|lane| lane.shares_calls());
        if lanes.is_empty() || round.bulk.is_full(self.clock.monotonic()) {
            return Ok(None);
        }
        let now = self.clock.wall();
        let limits = self.settings.borrow().per_hour.clone();
        let held = store::quotas(&self.store, self.account(), &limits, now).await?.held();
        let (order, shut) = (DueOrder::LongestFirst, destination.shut_kinds(now));
        let limit = BULK_CONTACTS_MAX;
        let query = DueQuery { account: self.account(), now, lanes, order, held, shut, limit };
        let (due, _) = self.store.due(query).await?;
        Ok(Some(due))
    }

    /// Claims what may share a call in one transaction with its slot, then lets the call leave.
    async fn claim_batch(
        &self,
        batch: Option<Vec<Due>>,
        gate: &Gate,
        round: &mut Round,
    ) -> Result<Batch, StoreError> {
        let Some(batch) = batch else { return Ok(Batch::Waits) };
        let Some(first) = batch.first() else { return Ok(Batch::Waits) };
        let turn = self.store.turn().await;
        // The settings of the turn: a review by them sees what leaves.
        let settings = Arc::clone(&self.settings.borrow());
        let now = self.clock.wall();
        let subjects = batch.iter().map(|due| due.subject.clone()).collect();
        let loaded = self.load(subjects, batch.iter().map(|due| due.id.clone()).collect()).await;
        let mut world = match loaded.map_err(Stopped::from) {
            Ok(world) => world,
            Err(stopped) => return Ok(Batch::Stopped(batch, stopped)),
        };
        if world.destination.document.gate(now) != *gate {
            // Somebody ordered a pause meanwhile.
            return Err(StoreError::Conflict);
        }
        let (mut orders, mut alone, mut bytes) = (Vec::new(), Vec::new(), 0);
        for due in &batch {
            if bytes >= BODY_BYTES_MAX {
                break;
            }
            // A call that counts for the quota of a source counts for one contact.
            let counted = due.bound.as_ref().is_some_and(|bound| settings.per_hour.contains_key(bound));
            if counted || !decision::may_share(&due.id, &world, &settings) {
                alone.push(due.clone());
            } else {
                match caught(|| (self.decide)(&due.id, &mut world, &settings, now)) {
                    Ok(Some(order)) => {
                        bytes += order.request.body().map_or(0, |body| body.to_string().len());
                        orders.push(order);
                    }
                    Ok(None) => {}
                    Err(panicked) => return Ok(Batch::Stopped(batch, panicked.into())),
                }
            }
        }
        if orders.len() < CONTACTS_MIN {
            // Nothing was written: the claims go with the working set.
            return Ok(Batch::Few(batch));
        }
        let Some(slot) = round.schedule.take(first.lane, self.clock.monotonic()) else {
            return Ok(Batch::Waits);
        };
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::SlotTaken(self.account(), slot, now));
        let claimed = worker::Claimed::now(&*self.clock, self.store.calls_leave_within());
        let applied = self.store.apply(plan).await;
        drop(turn);
        if let Err(error) = applied {
            round.schedule.give_back(slot);
            return Err(error);
        }
        round.bulk.left(orders.len());
        let call = BulkCall { orders, slot, claimed };
        round.calls.spawn(leave(Arc::clone(&self.crm), Arc::clone(&self.clock), call));
        Ok(Batch::Left(alone))
    }

    /// A bulk call has ended.
    pub(super) async fn finish_bulk(
        &self,
        finished: &BulkFinished,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        round.schedule.answer(finished.call.slot, now);
        round.bulk.ended(finished.call.orders.len());
        worker::count_call(&finished.result.call);
        let throttled = loop {
            match self.settle_bulk(finished).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&finished.result.call, throttled, round);
        match finished.end() {
            BulkEnd::Taken(job) => {
                round.pace.answered();
                round.bulk.open(job, now);
            }
            BulkEnd::NotTaken(Why::AccountHeld) => {}
            BulkEnd::NotTaken(Why::Busy) => round.bulk.busy(now),
            BulkEnd::NotTaken(Why::Refused) => round.bulk.rest(now),
            BulkEnd::NotTaken(Why::Unanswered) => {
                round.pace.failed();
                round.bulk.rest(now);
            }
        }
        Ok(())
    }

    /// A question for a job has ended.
    pub(super) async fn finish_job(
        &self,
        answered: &JobAnswered,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        round.schedule.answer(answered.slot, now);
        worker::count_call(&answered.result.call);
        let end = round.bulk.end_of(&answered.job.id, &answered.result.state, now);
        let throttled = loop {
            match self.settle_job(answered, &end).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&answered.result.call, throttled, round);
        match answered.result.call.verdict {
            Verdict::Stored(_) => round.pace.answered(),
            Verdict::Passing { .. } => round.pace.failed(),
            Verdict::Refused { .. }
            | Verdict::Throttled { .. }
            | Verdict::Blocked { .. }
            | Verdict::Gone { .. }
            | Verdict::Shut { .. } => {}
        }
        Ok(())
    }
}

/// What became of a batch.
enum Batch {
    /// The call has left; these of the batch can't share one.
    Left(Vec<Due>),
    /// No bulk call may leave now; the backlog waits for the next.
    Waits,
    /// One of these stands in the way.
    Stopped(Vec<Due>, Stopped),
    /// Too few may share a call: all of these go by themselves.
    Few(Vec<Due>),
}

/// Makes the call.
async fn leave(crm: Arc<dyn Crm>, clock: Arc<dyn Clock>, call: BulkCall) -> Done {
    let (started_at, began) = (clock.wall(), clock.monotonic());
    let body = bulk_body(call.orders.iter().filter_map(|order| order.request.body()));
    let result = worker::made_in_bulk(&*crm, &*clock, call.claimed, body).await;
    let took = clock.monotonic().saturating_sub(began);
    Done::Bulk(Box::new(BulkFinished { call, result, started_at, took }))
}
