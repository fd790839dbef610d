//! One call: made beside the loop, so that a slow answer holds nobody up, and neither does one that meets a defect.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::bulk::{BulkFinished, JobAnswered};
use crate::allowance::SlotId;
use crate::clock::{Clock, UnixMicros};
use crate::contact::Place;
use crate::decision::{CallOrder, Settlement};
use crate::delivery::{Attempt, AttemptRequest, CallKind, JobId, ListKey, Request, Verdict};
use crate::erasure::{ForgetOrder, Found, Target};
use crate::freshsales::{AskedByHand, BulkResult, CallResult, Crm, JobResult, JobState, LookupResult};
use crate::selectors::Kind;
use crate::telemetry::{Panicked, caught, caught_in};

/// What is said of one that did not leave.
const SLEPT: &str = "the call was not made: this process slept after it had claimed it";

/// Until when the call of a claim may leave, by how long the machine has been running, which goes on while it sleeps: a process
/// that slept longer may have been replaced. Where nobody else can take over, whenever it is ready: a disk may be slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimed(Option<Duration>);

impl Claimed {
    /// Now, in a store whose calls have so long to leave.
    pub fn now(clock: &dyn Clock, leaves_within: Option<Duration>) -> Self {
        Self(leaves_within.map(|within| clock.boottime().saturating_add(within)))
    }

    /// Whether it is too late for its call to leave.
    pub fn is_late(self, clock: &dyn Clock) -> bool {
        self.0.is_some_and(|until| clock.boottime() > until)
    }
}

/// A call to make.
pub(super) struct Job {
    pub order: CallOrder,
    pub slot: SlotId,
    pub opened_at: UnixMicros,
    /// It leaves alone, to see whether calls are answered.
    pub probe: bool,
    /// When it was claimed.
    pub claimed: Claimed,
}

/// A call that has ended.
pub(super) struct Finished {
    pub job: Job,
    result: CallResult,
    started_at: UnixMicros,
    took: Duration,
}

/// What ended.
pub(super) enum Done {
    /// The call of a delivery.
    Call(Box<Finished>),
    /// A question to the account.
    Question(Box<Answered>),
    /// An order to forget a contact.
    Forget(Box<Forgotten>),
    /// A question for a list of the account.
    List(Box<Listed>),
    /// A call of an export.
    Export(Box<Exported>),
    /// A call of many contacts.
    Bulk(Box<BulkFinished>),
    /// A question for the job of one.
    Job(Box<JobAnswered>),
    /// A question that a person asks.
    ByHand(Box<HandFinished>),
    /// A call for contacts of a list.
    Listed(Box<ListFinished>),
}

/// The answer to one call of an order to forget a contact.
pub(super) struct Forgotten {
    pub slot: SlotId,
    pub order: ForgetOrder,
    /// It left alone, where nobody else was owed a call.
    pub probe: bool,
    /// Who was found, where the address was looked up.
    pub found: Option<Found>,
    pub result: CallResult,
}

/// Makes a call in the name of a claim, if it is not too late for that.
async fn made_in_time(crm: &dyn Crm, clock: &dyn Clock, claimed: Claimed, request: Request) -> CallResult {
    if claimed.is_late(clock) {
        return CallResult::not_made(crm.describe(&request), SLEPT);
    }
    made(crm, request).await
}

/// Makes a call.
async fn made(crm: &dyn Crm, request: Request) -> CallResult {
    let called = caught_in(async { crm.call(request.clone()).await }).await;
    called.unwrap_or_else(|panicked| defect(crm, &request, &panicked))
}

/// What a call ended with that met a defect.
fn defect(crm: &dyn Crm, request: &Request, panicked: &Panicked) -> CallResult {
    // What it would have sent may be what met the defect.
    let described = caught(|| crm.describe(request)).unwrap_or_else(|_| AttemptRequest {
        method: String::new(),
        url: String::new(),
        headers: Vec::new(),
        body: Value::Null,
    });
    CallResult::defect(described, panicked)
}

/// Makes a call of many contacts.
pub(super) async fn made_in_bulk(
    crm: &dyn Crm,
    clock: &dyn Clock,
    claimed: Claimed,
    body: Value,
) -> BulkResult {
    let request = Request::UpsertContact { body: Value::Null, shows_companies: false };
    if claimed.is_late(clock) {
        return BulkResult { call: CallResult::not_made(crm.describe(&request), SLEPT), job: None };
    }
    let called = caught_in(async { crm.bulk_upsert(body).await }).await;
    called.unwrap_or_else(|panicked| BulkResult { call: defect(crm, &request, &panicked), job: None })
}

/// Asks for the job of one.
pub(super) async fn asked_for_job(crm: &dyn Crm, id: JobId) -> JobResult {
    let called = caught_in(async { crm.job(id).await }).await;
    called.unwrap_or_else(|panicked| JobResult {
        call: defect(crm, &Request::Probe, &panicked),
        state: JobState::Running,
        answer: None,
    })
}

/// Tells the account to forget a contact, or asks which one it is.
pub(super) async fn forget(crm: Arc<dyn Crm>, slot: SlotId, order: ForgetOrder, probe: bool) -> Done {
    let (result, found) = match &order.target {
        Target::Contact(id, _) => (made(&*crm, Request::Forget { id: *id }).await, None),
        Target::Lead(id, _) => (made(&*crm, Request::ForgetLead { id: *id }).await, None),
        Target::Told(what, id) => (made(&*crm, Request::DeleteTold { what: *what, id: *id }).await, None),
        Target::Address(email) => {
            let looked_up = caught_in(async { crm.look_up(email.clone()).await }).await;
            let looked_up = looked_up.unwrap_or_else(|panicked| LookupResult {
                call: defect(&*crm, &Request::Probe, &panicked),
                found: Found::NoAnswer,
            });
            (looked_up.call, Some(looked_up.found))
        }
    };
    Done::Forget(Box::new(Forgotten { slot, order, probe, found, result }))
}

/// The answer to a question that only asks whether the account answers.
pub(super) struct Answered {
    pub slot: SlotId,
    pub result: CallResult,
}

/// Asks whether the account answers.
pub(super) async fn ask(crm: Arc<dyn Crm>, slot: SlotId) -> Done {
    Done::Question(Box::new(Answered { slot, result: made(&*crm, Request::Probe).await }))
}

/// The answer to a question for a list of the account.
pub(super) struct Listed {
    pub slot: SlotId,
    pub asked: AskedFor,
    pub result: CallResult,
}

/// A list of the account, or the part of one that a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedFor {
    Whole(Kind),
    /// A page of the lists of contacts, from 1.
    PageOfLists(u64),
    /// The outcomes of a type of activities.
    OutcomesOf(u64),
}

impl AskedFor {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Whole(kind) => kind,
            Self::PageOfLists(_) => Kind::Lists,
            Self::OutcomesOf(_) => Kind::SalesActivityOutcomes,
        }
    }

    fn request(self) -> Request {
        match self {
            Self::Whole(kind) => Request::Selector(kind.name()),
            Self::PageOfLists(page) => Request::Lists { page },
            Self::OutcomesOf(activity_type) => Request::Outcomes { activity_type },
        }
    }
}

/// Asks the account for one of its lists, or a part of it.
pub(super) async fn list(crm: Arc<dyn Crm>, slot: SlotId, asked: AskedFor) -> Done {
    let result = made(&*crm, asked.request()).await;
    Done::List(Box::new(Listed { slot, asked, result }))
}

/// The answer to a question that a person asks.
pub(super) struct HandFinished {
    pub slot: SlotId,
    pub asked: AskedByHand,
    pub result: CallResult,
}

/// Asks what a person asks.
pub(super) async fn ask_by_hand(crm: Arc<dyn Crm>, slot: SlotId, asked: AskedByHand) -> Done {
    let result = made(&*crm, Request::FindContact { email: asked.email.clone() }).await;
    Done::ByHand(Box::new(HandFinished { slot, asked, result }))
}

/// The answer to a call of an export.
pub(super) struct Exported {
    pub slot: SlotId,
    pub export: u64,
    /// The deal that was asked for, where it was one.
    pub deal: Option<u64>,
    pub result: CallResult,
}

/// Asks for deals.
pub(super) async fn export(
    crm: Arc<dyn Crm>,
    slot: SlotId,
    export: u64,
    deal: Option<u64>,
    request: Request,
) -> Done {
    let result = made(&*crm, request).await;
    Done::Export(Box::new(Exported { slot, export, deal, result }))
}

/// Makes the call.
pub(super) async fn call(crm: Arc<dyn Crm>, clock: Arc<dyn Clock>, job: Job) -> Done {
    let started_at = clock.wall();
    let began = clock.monotonic();
    let result = made_in_time(&*crm, &*clock, job.claimed, job.order.request.clone()).await;
    let took = clock.monotonic().saturating_sub(began);
    Done::Call(Box::new(Finished { job, result, started_at, took }))
}

impl Finished {
    /// How it is settled.
    pub fn settlement(&self, others_answered: bool) -> Settlement {
        let attempt = Attempt {
            attempt: self.job.order.attempt,
            started_at: self.started_at,
            duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            request: self.result.request.clone(),
            response: self.result.response.clone(),
            error: self.result.error.clone(),
        };
        Settlement {
            order: self.job.order.clone(),
            verdict: self.result.verdict.clone(),
            attempt,
            jitter: rand::random_range(0.0..1.0),
            others_answered,
            probe: self.job.probe,
        }
    }

    /// What the whole call ended with.
    pub fn result(&self) -> &CallResult {
        &self.result
    }

    /// Whether it failed for a reason that will pass.
    pub fn failed(&self) -> bool {
        matches!(self.result.verdict, Verdict::Passing { .. })
    }

    /// Whether the CRM answered for this record.
    pub fn answered(&self) -> bool {
        match self.result.verdict {
            Verdict::Stored(_) | Verdict::Refused { .. } | Verdict::Gone { .. } | Verdict::Shut { .. } => {
                true
            }
            Verdict::Throttled { .. } | Verdict::Passing { .. } | Verdict::Blocked { .. } => false,
        }
    }
}

/// Counts a call in the metrics.
pub(super) fn count_call(result: &CallResult) {
    metrics::counter!("freshsignal_calls_total", "status" => result.status_label).increment(1);
}

/// Counts the call of a delivery in the metrics.
pub(super) fn count(finished: &Finished, now: UnixMicros) {
    count_call(&finished.result);
    let of_contact = finished.job.order.request.kind() == CallKind::Contact;
    if of_contact && matches!(finished.result.verdict, Verdict::Stored(_)) {
        count_stored(now.since(finished.job.opened_at));
    }
}

/// Counts a contact that Freshsales stored, by how long it was owed.
pub(super) fn count_stored(waited: Duration) {
    metrics::histogram!("freshsignal_event_to_crm_seconds").record(waited.as_secs_f64());
}

/// A call for contacts of one list.
pub(super) struct ListCall {
    pub list: ListKey,
    /// What it says of all of them.
    pub place: Place,
    pub orders: Vec<CallOrder>,
    pub slot: SlotId,
    /// It leaves alone, to see whether calls are answered.
    pub probe: bool,
    /// When its places were claimed.
    pub claimed: Claimed,
}

/// One that has ended.
pub(super) struct ListFinished {
    pub call: ListCall,
    pub result: CallResult,
    started_at: UnixMicros,
    took: Duration,
}

impl ListFinished {
    /// How each of its contacts is settled. What is kept with one names no other.
    pub fn settlements(&self, others_answered: bool) -> Vec<Settlement> {
        let result = &self.result;
        let settlement = |order: &CallOrder| {
            let mut request = result.request.clone();
            request.body = order.request.body().cloned().unwrap_or(Value::Null);
            let attempt = Attempt {
                attempt: order.attempt,
                started_at: self.started_at,
                duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
                request,
                response: result.response.clone(),
                error: result.error.clone(),
            };
            Settlement {
                order: order.clone(),
                verdict: result.verdict.clone(),
                attempt,
                jitter: rand::random_range(0.0..1.0),
                others_answered,
                probe: self.call.probe,
            }
        };
        self.call.orders.iter().map(settlement).collect()
    }
}

/// Makes a call for contacts of a list.
pub(super) async fn call_for_list(crm: Arc<dyn Crm>, clock: Arc<dyn Clock>, call: ListCall) -> Done {
    let (started_at, began) = (clock.wall(), clock.monotonic());
    let ids = call.orders.iter().filter_map(|order| order.request.body()?.get("ids")?.as_array()).flatten();
    let ids: Vec<&Value> = ids.collect();
    let body = json!({ "ids": ids });
    let request = Request::ListContacts { list: call.place.list, on: call.place.on, body };
    let result = made_in_time(&*crm, &*clock, call.claimed, request).await;
    let took = clock.monotonic().saturating_sub(began);
    Done::Listed(Box::new(ListFinished { call, result, started_at, took }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixMicros};

    #[test]
    fn a_call_is_late_only_where_somebody_else_may_have_taken_over() {
        let clock = ManualClock::at(UnixMicros(0));
        let alone = Claimed::now(&clock, None);
        let shared = Claimed::now(&clock, Some(Duration::from_secs(5)));
        clock.advance(Duration::from_secs(5));
        assert!(!alone.is_late(&clock) && !shared.is_late(&clock));
        clock.advance(Duration::from_mins(1));
        assert!(!alone.is_late(&clock), "its disk was slow");
        assert!(shared.is_late(&clock));
    }
}
