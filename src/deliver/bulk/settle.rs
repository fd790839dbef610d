//! The end of a bulk call and of its job, written down contact by contact.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::end::BulkEnd;
use super::pace::JobEnd;
use super::{BulkFinished, JobAnswered};
use crate::clock::UnixMicros;
use crate::contact::{Attributes, bulk_body, upsert_body};
use crate::decision::{self, CallOrder, Settings, Settlement, Undone, World};
use crate::deliver::{Deliverer, log, worker};
use crate::delivery::{Attempt, AttemptRequest, BlockCause, BulkJob, BulkRow, Request, Verdict};
use crate::destination::Destination;
use crate::event::Email;
use crate::freshsales::{JobAnswer, JobReport, RowEnd};
use crate::store::{Keys, Plan, Put, StoreError};

impl Deliverer {
    /// Writes down what a bulk call ended with: its job before anything is asked of it, or its claims given back. Tells
    /// whether the answer begins a throttle of the account.
    pub(super) async fn settle_bulk(&self, finished: &BulkFinished) -> Result<bool, StoreError> {
        let now = self.clock.wall();
        let answered = Put::SlotAnswered(self.account(), finished.call.slot, now);
        let why = match finished.end() {
            BulkEnd::Taken(job) => {
                let puts = vec![answered, Put::BulkJob(self.account(), job)];
                self.store.apply(Plan { puts, ..Plan::default() }).await?;
                return Ok(false);
            }
            BulkEnd::NotTaken(why) => why,
        };
        let rows = finished.call.rows();
        let _turn = self.store.turn().await;
        let settings = Arc::clone(&self.settings.borrow());
        let mut world = self.world_of_rows(&rows).await?;
        let before = world.destination.document.clone();
        if let Some(first) = rows.first().filter(|_| why.concerns_the_account()) {
            let verdict = &finished.result.call.verdict;
            decision::bulk_failed(verdict, first, false, &mut world, &settings, now);
        }
        for (row, order) in rows.iter().zip(&finished.call.orders) {
            decision::give_back(row, why.undone(), finished.attempt(order), &mut world, &settings, now);
        }
        self.write(world, &before, vec![answered], &settings).await
    }

    /// Writes down what a question for a job ended with. Tells whether the answer begins a throttle of the account.
    pub(super) async fn settle_job(&self, answered: &JobAnswered, end: &JobEnd) -> Result<bool, StoreError> {
        let now = self.clock.wall();
        let JobAnswered { job, slot, probe, result } = answered;
        let mut puts = vec![Put::SlotAnswered(self.account(), *slot, now)];
        let _turn = self.store.turn().await;
        let settings = Arc::clone(&self.settings.borrow());
        let mut world = match end {
            JobEnd::Running => self.load(BTreeSet::new(), BTreeSet::new()).await?,
            JobEnd::Done(_) | JobEnd::Lost(_) => {
                puts.push(Put::BulkJobEnded(self.account(), job.id.clone()));
                self.world_of_rows(&job.rows).await?
            }
        };
        let before = world.destination.document.clone();
        let answer = result.answer.as_ref();
        let ending = Ending { job, answer, probe: *probe, settings: &settings, now };
        match end {
            JobEnd::Running => {
                let verdict = &result.call.verdict;
                if let Some(first) = job.rows.first().filter(|_| concerns_the_account(verdict)) {
                    decision::bulk_failed(verdict, first, *probe, &mut world, &settings, now);
                }
            }
            JobEnd::Done(report) => ending.settle(report, &mut world),
            JobEnd::Lost(why) => {
                let contacts = job.rows.len();
                tracing::warn!(
                    contacts,
                    "gave up on a bulk call: {why}; its contacts will be sent one by one"
                );
                ending.lose(why, &mut world);
            }
        }
        self.write(world, &before, puts, &settings).await
    }

    async fn world_of_rows(&self, rows: &[BulkRow]) -> Result<World, StoreError> {
        let ids: BTreeSet<_> = rows.iter().map(|row| row.delivery.clone()).collect();
        let keys = Keys { deliveries: ids.clone(), ..Keys::default() };
        let found = self.store.load(keys).await?.deliveries;
        // What was erased meanwhile is not there any more.
        let subjects = found.into_values().map(|found| found.document.subject).collect();
        self.load(subjects, ids).await
    }

    async fn write(
        &self,
        world: World,
        before: &Destination,
        puts: Vec<Put>,
        settings: &Settings,
    ) -> Result<bool, StoreError> {
        let after = world.destination.document.clone();
        let erased = !world.erased_calls.is_empty();
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.extend(puts);
        self.store.apply(plan).await?;
        if erased {
            self.settled.notify_one();
        }
        log::change(before, &after);
        Ok(after.is_throttled_anew(before))
    }
}

/// Whether an answer to a question for a job says something of the account. Who may not ask for jobs, or asks for one
/// that is gone, may still write contacts.
fn concerns_the_account(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Throttled { .. }
        | Verdict::Passing { .. }
        | Verdict::Blocked { cause: BlockCause::Unauthorized, .. } => true,
        Verdict::Stored(_)
        | Verdict::Refused { .. }
        | Verdict::Blocked { .. }
        | Verdict::Gone { .. }
        | Verdict::Shut { .. } => false,
    }
}

/// A job that has ended, and what deciding about its contacts needs.
struct Ending<'a> {
    job: &'a BulkJob,
    /// The last answer to a question for it.
    answer: Option<&'a JobAnswer>,
    probe: bool,
    settings: &'a Settings,
    now: UnixMicros,
}

/// A claim of the job that still holds.
struct Claimed<'a> {
    row: &'a BulkRow,
    email: Email,
    body: Value,
    opened_at: UnixMicros,
}

impl Ending<'_> {
    fn claimed(&self, world: &World) -> Vec<Claimed<'_>> {
        self.job.rows.iter().filter_map(|row| self.claim(row, world)).collect()
    }

    fn claim<'r>(&self, row: &'r BulkRow, world: &World) -> Option<Claimed<'r>> {
        let delivery = world.deliveries.get(&row.delivery)?;
        let email = delivery.subject.contact()?;
        let sent = if delivery.erasure.is_some() {
            // Nothing of it is left but that its answer is waited for.
            Attributes::default()
        } else {
            let standing = world.contacts.get(email)?.with(&self.settings.account);
            decision::carried(row, &standing)?
        };
        let body = upsert_body(email, &sent);
        Some(Claimed { row, email: email.clone(), body, opened_at: delivery.opened_at })
    }

    fn settle(&self, report: &JobReport, world: &mut World) {
        let claimed = self.claimed(world);
        let none = Map::new();
        let rows: Vec<_> = claimed
            .iter()
            .map(|claim| {
                (&claim.email, claim.body.get("contact").and_then(Value::as_object).unwrap_or(&none))
            })
            .collect();
        let ends = report.ends(&rows, self.job.rows.len(), self.now);
        for (claim, end) in claimed.iter().zip(ends) {
            match end {
                RowEnd::Answered(verdict) => self.answered(claim, verdict, world),
                RowEnd::Unknown(why) => {
                    let attempt = self.attempt(claim, Some(why));
                    decision::give_back(claim.row, Undone::Unknown, attempt, world, self.settings, self.now);
                }
            }
        }
    }

    fn lose(&self, why: &'static str, world: &mut World) {
        for claim in self.claimed(world) {
            let attempt = self.attempt(&claim, Some(why));
            decision::give_back(claim.row, Undone::Unknown, attempt, world, self.settings, self.now);
        }
    }

    /// As if a call of its own had been answered so.
    fn answered(&self, claim: &Claimed<'_>, verdict: Verdict, world: &mut World) {
        if matches!(verdict, Verdict::Stored(_)) {
            worker::count_stored(self.now.since(claim.opened_at));
        }
        let BulkRow { delivery, attempt } = claim.row.clone();
        let settlement = Settlement {
            order: CallOrder {
                delivery,
                subject: claim.email.clone().into(),
                attempt,
                request: Request::UpsertContact { body: claim.body.clone(), shows_companies: false },
            },
            verdict,
            attempt: self.attempt(claim, None),
            jitter: rand::random_range(0.0..1.0),
            others_answered: false,
            probe: self.probe,
        };
        decision::settle(settlement, world, self.settings, self.now);
        log::refusal(world.deliveries.get(&claim.row.delivery));
    }

    /// The part of the call and of the report that concerns one contact.
    fn attempt(&self, claim: &Claimed<'_>, error: Option<&str>) -> Attempt {
        Attempt {
            attempt: claim.row.attempt,
            started_at: self.job.started_at,
            duration_ms: u64::try_from(self.now.since(self.job.started_at).as_millis()).unwrap_or(u64::MAX),
            request: AttemptRequest { body: bulk_body([&claim.body]), ..self.job.call.clone() },
            response: self.answer.map(|answer| answer.about(&claim.email)),
            error: error.map(str::to_owned),
        }
    }
}
