//! Bulk upserts: what their answers and the reports of their jobs mean. Pure.
//!
//! A report may leave a contact out, or count otherwise than it lists. Then nobody knows what became of some contacts,
//! and that is said of each of them: nothing is taken as stored that was not reported so.

use serde_json::{Map, Value, json};

use super::{CallResult, verdict};
use crate::allowance::RateHint;
use crate::clock::UnixMicros;
use crate::delivery::{AttemptRequest, AttemptResponse, JobId, Request, Verdict};
use crate::event::Email;

/// How deep an entry of a report is searched for its contact.
const DEPTH_MAX: usize = 4;
/// Where a report lists what was refused.
const FAILURES: &str = "detailed_failure_report";
const NOT_REPORTED: &str = "the report of the bulk job does not say what became of this contact";

/// What a bulk call ended with.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkResult {
    /// The call. A verdict of `Stored` means that it was taken.
    pub call: CallResult,
    /// The job that reports on it.
    pub job: Option<JobId>,
}

/// What a question for a job ended with.
#[derive(Clone, Debug, PartialEq)]
pub struct JobResult {
    /// The call. A verdict of `Stored` means that it was answered.
    pub call: CallResult,
    /// Where the job stands.
    pub state: JobState,
    /// What was answered, if anything.
    pub answer: Option<JobAnswer>,
}

const NOT_KNOWN: &str = "such calls are not known here";

impl BulkResult {
    /// No such call is known: nothing was sent, every contact is to be sent by itself.
    pub(super) fn not_known(request: AttemptRequest) -> Self {
        Self { call: not_known(request), job: None }
    }
}

impl JobResult {
    /// No such call is known.
    pub(super) fn not_known(request: AttemptRequest) -> Self {
        Self { call: not_known(request), state: JobState::Gone, answer: None }
    }
}

pub(super) fn not_known(request: AttemptRequest) -> CallResult {
    CallResult {
        verdict: Verdict::Refused {
            reason: NOT_KNOWN.to_owned(),
            attribute: None,
            demanded: false,
            again: false,
        },
        request,
        response: None,
        error: Some(NOT_KNOWN.to_owned()),
        rate: RateHint::default(),
        status_label: "error",
    }
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum JobState {
    /// It was not said, or it is not done.
    Running,
    /// It is done.
    Done(JobReport),
    /// There is no such job (any more).
    Gone,
}

/// What a job reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobReport {
    succeeded: Option<usize>,
    failed: Option<usize>,
    failures: Vec<Value>,
}

/// A contact of a bulk call: its address and the attributes that were sent.
pub type SentRow<'a> = (&'a Email, &'a Map<String, Value>);

/// What became of one contact of a bulk call.
#[derive(Clone, Debug, PartialEq)]
pub enum RowEnd {
    /// It is as if a call of its own had been answered so.
    Answered(Verdict),
    /// Nobody knows.
    Unknown(&'static str),
}

/// The job that an accepted bulk call names. Of the address only the id counts: where it points is not followed.
#[must_use]
pub fn job_of(answer: &[u8]) -> Option<JobId> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let url = answer.get("job_status_url")?.as_str()?;
    let path = url.split(['?', '#']).next()?.trim_end_matches('/');
    JobId::parse(path.rsplit('/').next()?)
}

/// Where a job stands, by the answer to a question for it.
#[must_use]
pub fn job_state(status: u16, answer: &[u8]) -> JobState {
    if matches!(status, 404 | 410) {
        return JobState::Gone;
    }
    let answer: Option<Value> = serde_json::from_slice(answer).ok();
    let Some(answer) = answer.filter(|_| (200..=299).contains(&status)) else { return JobState::Running };
    let done =
        answer.get("status").and_then(Value::as_str).is_some_and(|word| word.eq_ignore_ascii_case("SUCCESS"));
    if done { JobState::Done(JobReport::read(answer.get("data"))) } else { JobState::Running }
}

impl JobReport {
    /// Reads `data`: JSON as text, or JSON. What can't be read reports nothing.
    fn read(data: Option<&Value>) -> Self {
        let Some(data) = data.and_then(unwrapped) else { return Self::default() };
        let count = |name: &str| usize::try_from(data.get("record_status")?.get(name)?.as_u64()?).ok();
        let failures = data.get(FAILURES).and_then(Value::as_array);
        Self {
            succeeded: count("succeeded"),
            failed: count("failed"),
            failures: failures.cloned().unwrap_or_default(),
        }
    }

    /// What became of each of these contacts, in their order. The call carried `in_call` of them; fewer are asked for
    /// where some were erased meanwhile.
    #[must_use]
    pub fn ends(&self, rows: &[SentRow<'_>], in_call: usize, now: UnixMicros) -> Vec<RowEnd> {
        let failure_of = |email: &Email| self.failures.iter().find(|entry| names(entry, email, DEPTH_MAX));
        let found: Vec<Option<&Value>> = rows.iter().map(|(email, _)| failure_of(email)).collect();
        let gone = in_call.saturating_sub(rows.len());
        let rest = self.rest(in_call, found.iter().flatten().count(), gone);
        rows.iter()
            .zip(found)
            .map(|((_, sent), failure)| match failure {
                Some(entry) => RowEnd::Answered(refused(entry, sent, now)),
                None => rest.clone(),
            })
            .collect()
    }

    /// What became of those that no failure names: stored, where the counts add up.
    fn rest(&self, in_call: usize, traced: usize, gone: usize) -> RowEnd {
        let failed = self.failed.unwrap_or(self.failures.len());
        let counted = self.succeeded.or(self.failed).is_some();
        let adds_up = self.succeeded.is_none_or(|succeeded| succeeded.checked_add(failed) == Some(in_call));
        // A failure of somebody who is gone can't be traced.
        let all_traced = traced <= failed && failed <= traced.saturating_add(gone);
        if counted && adds_up && all_traced {
            return RowEnd::Answered(Verdict::Stored(crate::delivery::Stored::default()));
        }
        RowEnd::Unknown(NOT_REPORTED)
    }
}

/// The answer to a question for a job, for people to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct JobAnswer {
    status: u16,
    text: String,
    failures: Vec<Value>,
}

impl JobAnswer {
    /// An answer as it came; secrets are redacted already.
    #[must_use]
    pub fn new(status: u16, text: String) -> Self {
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        let report = answer.map(|answer| JobReport::read(answer.get("data"))).unwrap_or_default();
        Self { status, text, failures: report.failures }
    }

    /// The answer as it came, less what it says of other contacts: that belongs to them.
    #[must_use]
    pub fn about(&self, email: &Email) -> AttemptResponse {
        let own: Vec<&Value> = self.failures.iter().filter(|entry| names(entry, email, DEPTH_MAX)).collect();
        let without_others = (own.len() < self.failures.len()).then(|| self.with_failures(&own)).flatten();
        AttemptResponse::cut(self.status, without_others.unwrap_or_else(|| self.text.clone()))
    }

    fn with_failures(&self, failures: &[&Value]) -> Option<String> {
        let mut answer: Value = serde_json::from_str(&self.text).ok()?;
        let data = answer.get_mut("data")?;
        let mut report = unwrapped(data)?;
        *report.get_mut(FAILURES)? = json!(failures);
        *data = if data.is_string() { Value::String(report.to_string()) } else { report };
        Some(answer.to_string())
    }
}

/// `data` of an answer: JSON, or JSON as text.
fn unwrapped(data: &Value) -> Option<Value> {
    match data {
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(data.clone())
        }
    }
}

/// Whether an entry of the report is about a contact: its address stands there as a value of its own.
fn names(entry: &Value, email: &Email, depth: usize) -> bool {
    match entry {
        Value::String(text) => text.trim().eq_ignore_ascii_case(email.as_str()),
        Value::Array(items) if depth > 0 => items.iter().any(|item| names(item, email, depth - 1)),
        Value::Object(fields) if depth > 0 => fields.values().any(|field| names(field, email, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A failure is judged as the answer to a call of its own: a refusal, or a rate limit in its words.
fn refused(entry: &Value, sent: &Map<String, Value>, now: UnixMicros) -> Verdict {
    let code = entry.pointer("/errors/code").and_then(Value::as_u64);
    let status = if code == Some(422) { 422 } else { 400 };
    let call = Request::UpsertContact { body: json!({ "contact": sent }), shows_companies: false };
    verdict(&call, status, None, Some("application/json"), entry.to_string().as_bytes(), now)
}
