//! The account that is kept current: the sandbox without a network, whose connection can be bad.
//!
//! Everybody calls it through [`Crm`], so that the service and its peers meet the same account. Answers are read by the
//! client's own rules. It keeps what the comparison needs of each call.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Request;
use axum::http::response::Parts;
use axum::http::{Method, Uri, header};
use bytes::Bytes;
use freshsignal::allowance::RateHint;
use freshsignal::clock::{Clock, ManualClock};
use freshsignal::config::Config;
use freshsignal::delivery::{self, Account, AttemptRequest, AttemptResponse, CallKind, JobId, Verdict};
use freshsignal::freshsales::{
    BulkResult, CallResult, Crm, CrmAnswer, Endpoint, JobAnswer, JobResult, job_of, job_state, verdict,
};
use freshsignal::sandbox::{CustomField, CustomFieldKind, Sandbox, SandboxOptions};
use serde_json::Value;
use tower::ServiceExt as _;

use super::chance::Chance;

/// The custom field that says which conversion of a person was the last.
pub const CONVERSION: &str = "cf_last_conversion";
/// How long an answer takes.
pub const LATENCY: Duration = Duration::from_millis(250);
/// How long it takes to see that there is no connection.
pub const NO_CONNECTION: Duration = Duration::from_secs(5);
/// The longest answer: the report of a bulk job.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long an answer is waited for.
const NO_ANSWER: Duration = Duration::from_secs(20);

/// What may go wrong between us and the account.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// When there is no connection.
    pub outages: Vec<Range<Duration>>,
    /// Of a thousand calls, so many take effect and are not answered in time.
    pub lost_answers: u64,
    /// Of a thousand calls, so many do not get there, which is not known before it is waited in vain for an answer.
    pub lost_calls: u64,
    /// Of a thousand calls, so many are answered with a 429 although there is room.
    pub throttled: u64,
}

impl Weather {
    pub fn is_outage(&self, now: Duration) -> bool {
        self.outages.iter().any(|outage| outage.contains(&now))
    }
}

/// What is kept of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it left.
    pub left: Duration,
    /// When its end was known.
    pub ended: Duration,
    /// Which contact it wrote, by number; a call about something else wrote none.
    pub person: Option<u64>,
    /// The conversion it told.
    pub conversion: Option<u64>,
    /// What it was about.
    pub kind: CallKind,
    /// The status of the answer; 0 for none.
    pub status: u16,
}

impl Call {
    pub fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The account behind a connection.
pub struct SimulatedAccount {
    pub sandbox: Sandbox,
    router: Router,
    endpoint: Endpoint,
    authorization: String,
    clock: ManualClock,
    weather: Weather,
    chance: Mutex<Chance>,
    calls: Mutex<Vec<Call>>,
    left: AtomicU64,
}

/// How many calls the account allows.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub per_hour: u32,
    pub per_minute: u32,
}

impl SimulatedAccount {
    pub fn new(config: &Config, allowed: Allowed, weather: Weather, clock: &ManualClock, seed: u64) -> Self {
        let mut options = SandboxOptions {
            per_hour: Some(allowed.per_hour),
            per_minute: Some(allowed.per_minute),
            latency: LATENCY,
            ..SandboxOptions::default()
        };
        options.custom_fields.push(CustomField::new(CONVERSION, CustomFieldKind::Number));
        let authorization = format!("Token token={}", options.api_key);
        let sandbox = Sandbox::new(options, Arc::new(clock.clone()));
        Self {
            router: sandbox.router(),
            sandbox,
            endpoint: config.freshsales.endpoint().unwrap(),
            authorization,
            clock: clock.clone(),
            weather,
            chance: Mutex::new(Chance::from(seed)),
            calls: Mutex::default(),
            left: AtomicU64::new(0),
        }
    }

    /// Every call so far, in the order in which they ended.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// How many calls have left, answered or not.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// One call through the weather.
    pub async fn call(&self, request: delivery::Request) -> CallResult {
        self.left.fetch_add(1, Ordering::Relaxed);
        let left = self.clock.monotonic();
        let written = request.body().filter(|_| matches!(request, delivery::Request::UpsertContact { .. }));
        let (person, conversion) = (written.map(person_of), written.and_then(conversion_of));
        let result = self.through_the_weather(&request, left).await;
        let status = match &result.response {
            Some(response) => response.status,
            None => 0,
        };
        let ended = self.clock.monotonic();
        self.calls.lock().unwrap().push(Call {
            left,
            ended,
            person,
            conversion,
            kind: request.kind(),
            status,
        });
        result
    }

    async fn through_the_weather(&self, request: &delivery::Request, left: Duration) -> CallResult {
        if self.weather.is_outage(left) {
            self.clock.sleep_until(left + NO_CONNECTION).await;
            return self.unanswered(request, "no connection within 5 s");
        }
        let (answer_lost, call_lost, throttled) = {
            let mut chance = self.chance.lock().unwrap();
            let Weather { lost_answers, lost_calls, throttled, .. } = &self.weather;
            (chance.happens(*lost_answers), chance.happens(*lost_calls), chance.happens(*throttled))
        };
        if throttled {
            self.clock.sleep_until(left + LATENCY).await;
            return self.judged(request, 429, Some("5"), b"{}");
        }
        if call_lost {
            self.clock.sleep_until(left + NO_ANSWER).await;
            return self.unanswered(request, "no whole answer within 20 s");
        }
        let answered = self.exchange(request).await.0;
        if answer_lost {
            self.clock.sleep_until(left + NO_ANSWER).await;
            return self.unanswered(request, "no whole answer within 20 s");
        }
        answered
    }

    /// A call as the sandbox takes it, with the whole answer.
    async fn exchange(&self, request: &delivery::Request) -> (CallResult, Bytes) {
        let AttemptRequest { method, url, .. } = self.endpoint.describe(request);
        let uri: Uri = url.parse().unwrap();
        let path = uri.path_and_query().unwrap().as_str();
        let body = request.body().cloned().unwrap_or(Value::Null);
        let (head, bytes) = self.ask_sandbox(method.parse().unwrap(), path, &body).await;
        let retry_after = head.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
        (self.judged(request, head.status.as_u16(), retry_after, &bytes), bytes)
    }

    /// A call of many contacts, or a question for its job, with the whole answer; the weather does not meet it.
    async fn exchange_bulk(&self, method: Method, path: &str, body: Value) -> (CallResult, Bytes) {
        let path = format!("/crm/sales/api/{path}");
        let (head, bytes) = self.ask_sandbox(method.clone(), &path, &body).await;
        let retry_after = head.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
        let request = delivery::Request::UpsertContact { body, shows_companies: false };
        let mut call = self.judged(&request, head.status.as_u16(), retry_after, &bytes);
        call.request.url = call.request.url.replace(self.endpoint.upsert_url().path(), &path);
        call.request.method = method.to_string();
        (call, bytes)
    }

    /// A call by hand: the answer's head and body.
    pub async fn ask_sandbox(&self, method: Method, path: &str, body: &Value) -> (Parts, Bytes) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(alias) = self.endpoint.named_alias() {
            request = request.header("X-Bundle-Alias", alias.as_str());
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let (head, answer) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        (head, to_bytes(answer, ANSWER_BYTES_MAX).await.unwrap())
    }

    fn judged(
        &self,
        call: &delivery::Request,
        status: u16,
        retry_after: Option<&str>,
        bytes: &[u8],
    ) -> CallResult {
        let json = Some("application/json");
        let verdict = verdict(call, status, retry_after, json, bytes, self.clock.wall());
        let response = AttemptResponse { status, body: String::from_utf8_lossy(bytes).into_owned() };
        CallResult {
            verdict,
            request: self.endpoint.describe(call),
            response: Some(response),
            error: None,
            rate: RateHint::default(),
            status_label: "simulated",
        }
    }

    fn unanswered(&self, request: &delivery::Request, words: &str) -> CallResult {
        CallResult {
            verdict: Verdict::Passing { reason: words.to_owned() },
            request: self.endpoint.describe(request),
            response: None,
            error: Some(words.to_owned()),
            rate: RateHint::default(),
            status_label: "simulated",
        }
    }
}

/// The service's way to the account.
pub struct Connection(pub Arc<SimulatedAccount>);

impl Crm for Connection {
    fn account(&self) -> &Account {
        self.0.endpoint.account()
    }

    fn call(&self, request: delivery::Request) -> CrmAnswer<CallResult> {
        let account = Arc::clone(&self.0);
        Box::pin(async move { account.call(request).await })
    }

    fn bulk_upsert(&self, body: Value) -> CrmAnswer<BulkResult> {
        let account = Arc::clone(&self.0);
        Box::pin(async move {
            let (call, answer) = account.exchange_bulk(Method::POST, "contacts/bulk_upsert", body).await;
            BulkResult { job: job_of(&answer), call }
        })
    }

    fn job(&self, id: JobId) -> CrmAnswer<JobResult> {
        let account = Arc::clone(&self.0);
        Box::pin(async move {
            let path = format!("job_statuses/{}", id.as_str());
            let (call, answer) = account.exchange_bulk(Method::GET, &path, Value::Null).await;
            let status = call.response.as_ref().map_or(0, |response| response.status);
            let text = String::from_utf8_lossy(&answer).into_owned();
            JobResult { state: job_state(status, &answer), answer: Some(JobAnswer::new(status, text)), call }
        })
    }

    fn describe(&self, request: &delivery::Request) -> AttemptRequest {
        self.0.endpoint.describe(request)
    }
}

/// The number in `person-17@shop.example`.
pub fn person_of(body: &Value) -> u64 {
    let email = body["unique_identifier"]["emails"].as_str().unwrap();
    email.strip_prefix("person-").and_then(|rest| rest.split('@').next()).unwrap().parse().unwrap()
}

fn conversion_of(body: &Value) -> Option<u64> {
    body["contact"]["custom_field"][CONVERSION].as_u64()
}
