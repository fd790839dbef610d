//! Stage 5, Freshsales: makes one call, a finished write or a question, and says what the answer means.
//!
//! It must not decide what is sent, when, or how often: one order from outside is one HTTP request.

mod account;
mod bulk;
mod by_hand;
mod check;
mod client;
mod config;
mod dry_run;
mod fields;
mod key;
mod lookup;
mod transport;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use crate::allowance::RateHint;
use crate::delivery::{Account, AttemptRequest, AttemptResponse, JobId, Request, Verdict};
use crate::event::Email;
use crate::telemetry::Panicked;

pub use account::{AccountKind, AccountProblem, BundleAlias, Endpoint, in_browser, lead_in_browser};
pub use bulk::{BulkResult, JobAnswer, JobReport, JobResult, JobState, RowEnd, SentRow, job_of, job_state};
pub use by_hand::{AskedByHand, ByHand, ToldByHand, WAITING_MAX};
pub use check::{CALLS_MAX, CONTACT_ATTRIBUTES, Expected, Finding, Level, Report, TestContact, check};
pub use client::{
    Client, ClientError, PROBE_NOTE, Question, RESPONSE_BYTES_MAX, Reply, Timeouts, Unanswered, hardened,
    http_client,
};
pub use config::{ATTEMPT_TIMEOUT_SECONDS_MAX, Config, Mode, NewPeople};
pub use dry_run::DryRunCrm;
pub use key::{ApiKey, ApiKeyProblem, Key};
pub use lookup::{LookupResult, found, own_among};
pub use transport::{Transport, TransportProblem};
pub use verdict::{RETRY_AFTER_SECONDS_MAX, read_retry_after, verdict};
pub use words::REASON_CHARS_MAX;

/// What a call to the CRM ends with, some day.
pub type CrmAnswer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The full story of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct CallResult {
    /// What it means for us.
    pub verdict: Verdict,
    /// What was sent, the key redacted. Holds personal data: for the debugger, never for a log.
    pub request: AttemptRequest,
    /// What came back, cut and without the key. May echo personal data: for the debugger, never for a log.
    pub response: Option<AttemptResponse>,
    /// Why nothing, or nothing usable, came back, for a person. Without key, address or personal data.
    pub error: Option<String>,
    /// What the answer says about the allowance.
    pub rate: RateHint,
    /// One of a few words, for a metric: `200`, `201`, `2xx`, `3xx`, `400`, `401`, `403`, `404`, `422`, `429`,
    /// `4xx`, `5xx`, `timeout`, `error`.
    pub status_label: &'static str,
}

impl CallResult {
    /// Nobody knows what became of a call: making it, or reading its answer, met a defect in the code. It counts as one that
    /// was not answered, so it costs its own record tries and no other record anything.
    #[must_use]
    pub fn defect(request: AttemptRequest, panicked: &Panicked) -> Self {
        Self {
            verdict: Verdict::Passing { reason: panicked.to_string() },
            request,
            response: None,
            error: Some(panicked.to_string()),
            rate: RateHint::default(),
            status_label: "error",
        }
    }

    /// A call that was not made, and why; it counts as one that was not answered.
    #[must_use]
    pub fn not_made(request: AttemptRequest, why: &str) -> Self {
        Self {
            verdict: Verdict::Passing { reason: why.to_owned() },
            request,
            response: None,
            error: Some(why.to_owned()),
            rate: RateHint::default(),
            status_label: "error",
        }
    }
}

/// A CRM that is kept current. Tests and simulations bring their own.
pub trait Crm: Send + Sync + 'static {
    /// Whose records these are: accepted state, allowance and blocks belong to it.
    fn account(&self) -> &Account;
    /// Whether the account is asked and answers, so that its lists can be read: not in a dry run.
    fn answers_questions(&self) -> bool {
        true
    }
    /// Makes one call. A verdict of `Stored` to a question means that it was answered.
    fn call(&self, request: Request) -> CrmAnswer<CallResult>;
    /// What [`Crm::call`] would send for this request; sends nothing.
    fn describe(&self, request: &Request) -> AttemptRequest;
    /// Asks which contact has an address. The default answers that nothing was answered: for implementations without the endpoint.
    fn look_up(&self, _email: Email) -> CrmAnswer<LookupResult> {
        Box::pin(std::future::ready(LookupResult::not_known(self.describe(&Request::Probe))))
    }
    /// Sends many upserts of contacts in one call; `body` is the finished body. The default refuses: for implementations
    /// without the endpoint.
    fn bulk_upsert(&self, body: Value) -> CrmAnswer<BulkResult> {
        let request = self.describe(&Request::UpsertContact { body, shows_companies: false });
        Box::pin(std::future::ready(BulkResult::not_known(request)))
    }
    /// Asks where the job of a bulk call stands.
    fn job(&self, _id: JobId) -> CrmAnswer<JobResult> {
        Box::pin(std::future::ready(JobResult::not_known(self.describe(&Request::Probe))))
    }
}
