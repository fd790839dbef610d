//! The end of a bulk call and of its job, written down contact by contact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::end::BulkEnd;
use super::pace::JobEnd;
use super::{BulkFinished, JobAnswered};
use crate::clock::UnixMicros;
use crate::contact::{Attributes, bulk_body, upsert_body};
use crate::decision::{self, CallOrder, Settings, Settlement, Undone, World};
use crate::deliver::aside::{Readable, each, set_aside};
use crate::deliver::{Deliverer, log, worker};
use crate::delivery::{Attempt, AttemptRequest, BlockCause, BulkJob, BulkRow, DeliveryId, Request, Verdict};
use crate::destination::Destination;
use crate::event::Email;
use crate::freshsales::{JobAnswer, JobReport, RowEnd};
use crate::store::{Plan, Put, StoreError};
use crate::telemetry::caught;

/// What is noted of a contact whose bulk call has a report that can't be read.
const NOT_READ: &str = "the report of the bulk job could not be read because of a defect in the code";

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
        let Readable { mut world, bad } = self.readable(&deliveries(&rows)).await?;
        let before = world.destination.document.clone();
        if let Some(first) = rows.first().filter(|_| why.concerns_the_account()) {
            let verdict = &finished.result.call.verdict;
            decision::bulk_failed(verdict, first, false, &mut world, &settings, now);
        }
        let given_back: Vec<_> = rows.iter().zip(&finished.call.orders).collect();
        let defects = each(&mut world, &given_back, |(row, order), world| {
            decision::give_back(row, why.undone(), finished.attempt(order), world, &settings, now);
        });
        let mut puts = vec![answered];
        puts.extend(aside(&rows, bad, defects));
        self.write(world, &before, puts, &settings).await
    }

    /// Writes down what a question for a job ended with. Tells whether the answer begins a throttle of the account.
    pub(super) async fn settle_job(&self, answered: &JobAnswered, end: &JobEnd) -> Result<bool, StoreError> {
        let now = self.clock.wall();
        let JobAnswered { job, slot, probe, result } = answered;
        let mut puts = vec![Put::SlotAnswered(self.account(), *slot, now)];
        let _turn = self.store.turn().await;
        let settings = Arc::clone(&self.settings.borrow());
        let of_end = match end {
            JobEnd::Running => BTreeSet::new(),
            JobEnd::Done(_) | JobEnd::Lost(_) => {
                puts.push(Put::BulkJobEnded(self.account(), job.id.clone()));
                deliveries(&job.rows)
            }
        };
        let Readable { mut world, bad } = self.readable(&of_end).await?;
        let before = world.destination.document.clone();
        let answer = result.answer.as_ref();
        let ending = Ending { job, answer, probe: *probe, settings: &settings, now };
        let defects = match end {
            JobEnd::Running => {
                let verdict = &result.call.verdict;
                if let Some(first) = job.rows.first().filter(|_| concerns_the_account(verdict)) {
                    decision::bulk_failed(verdict, first, *probe, &mut world, &settings, now);
                }
                Vec::new()
            }
            JobEnd::Done(report) => ending.settle(report, &mut world),
            JobEnd::Lost(why) => {
                let contacts = job.rows.len();
                tracing::warn!(
                    contacts,
                    "gave up on a bulk call: {why}; its contacts will be sent one by one"
                );
                ending.lose(why, &mut world)
            }
        };
        puts.extend(aside(&job.rows, bad, defects));
        self.write(world, &before, puts, &settings).await
    }

    async fn write(
        &self,
        world: World,
        before: &Destination,
        puts: Vec<Put>,
        settings: &Settings,
    ) -> Result<bool, StoreError> {
        let after = world.destination.document.clone();
        let traced = self.traces.of_calls(world.deliveries.ended_calls(), self.clock.wall());
        let erased = !world.erased_calls.is_empty();
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.extend(puts);
        self.store.apply(plan).await?;
        self.traces.tell(traced);
        if erased {
            self.settled.notify_one();
        }
        log::change(before, &after);
        Ok(after.is_throttled_anew(before))
    }
}

fn deliveries(rows: &[BulkRow]) -> BTreeSet<DeliveryId> {
    rows.iter().map(|row| row.delivery.clone()).collect()
}

/// Sets aside what can't be read of some rows, and what met a defect: all others are settled.
fn aside(rows: &[BulkRow], unreadable: Vec<(DeliveryId, String)>, defects: Vec<(usize, String)>) -> Vec<Put> {
    let defects = defects.into_iter().filter_map(|(nth, why)| Some((rows.get(nth)?.delivery.clone(), why)));
    unreadable.into_iter().chain(defects).map(|(id, why)| set_aside(id, &why)).collect()
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

    /// Settles each contact by what the report says of it; answers which met a defect.
    fn settle(&self, report: &JobReport, world: &mut World) -> Vec<(usize, String)> {
        let ends = caught(|| self.ends(report, world));
        let ends = ends.unwrap_or_else(|panicked| {
            tracing::error!(
                place = panicked.place,
                code = "report_defect",
                "the report of a bulk call met a defect in the code; its contacts will be sent one by one. Report the place"
            );
            BTreeMap::new()
        });
        each(world, &self.job.rows, |row, world| {
            let Some(claim) = self.claim(row, world) else { return };
            match ends.get(&row.delivery) {
                Some(RowEnd::Answered(verdict)) => self.answered(&claim, verdict.clone(), world),
                Some(RowEnd::Unknown(why)) => self.give_back(&claim, why, world),
                None => self.give_back(&claim, NOT_READ, world),
            }
        })
    }

    /// What the report says of each claim that still holds.
    fn ends(&self, report: &JobReport, world: &World) -> BTreeMap<DeliveryId, RowEnd> {
        let claimed: Vec<_> = self.job.rows.iter().filter_map(|row| self.claim(row, world)).collect();
        let none = Map::new();
        let rows: Vec<_> = claimed
            .iter()
            .map(|claim| {
                (&claim.email, claim.body.get("contact").and_then(Value::as_object).unwrap_or(&none))
            })
            .collect();
        let ends = report.ends(&rows, self.job.rows.len(), self.now);
        claimed.iter().map(|claim| claim.row.delivery.clone()).zip(ends).collect()
    }

    /// Gives every claim back; answers which met a defect.
    fn lose(&self, why: &'static str, world: &mut World) -> Vec<(usize, String)> {
        each(world, &self.job.rows, |row, world| {
            if let Some(claim) = self.claim(row, world) {
                self.give_back(&claim, why, world);
            }
        })
    }

    fn give_back(&self, claim: &Claimed<'_>, why: &str, world: &mut World) {
        let attempt = self.attempt(claim, Some(why));
        decision::give_back(claim.row, Undone::Unknown, attempt, world, self.settings, self.now);
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
