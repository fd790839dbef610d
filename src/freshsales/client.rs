//! The client: one call out over HTTPS, one answer in, within fixed limits.
//!
//! It must not follow a redirect, use a proxy that is not configured, retry, or let the API key out of the one header that needs it.

mod ask;
mod bulk;
mod lookup;
mod rate;
mod route;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use serde_json::Value;

use super::account::{AccountKind, Endpoint};
use super::config::Config;
use super::key::Key;
use super::transport::Transport;
use super::verdict::{unix_micros, verdict};
use super::words::fit_to_show;
use super::{BulkResult, CallResult, Crm, CrmAnswer, JobResult, LookupResult};
use crate::allowance::RateHint;
use crate::clock::Clock;
use crate::delivery::{Account, AttemptRequest, AttemptResponse, JobId, Request, Verdict};
use crate::event::Email;

use rate::rate_hint;
use route::Route;

pub use ask::{PROBE_NOTE, Question, Reply, Unanswered};

/// Of an answer's body, this much is read; a stored contact has a few KiB.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// Idle connections are closed before the other side does it, which would cost an attempt.
const POOL_IDLE: Duration = Duration::from_secs(20);
const POOL_IDLE_CONNECTIONS_MAX: usize = 16;
const USER_AGENT: &str = concat!("freshsignal/", env!("CARGO_PKG_VERSION"));
const BUNDLE_ALIAS: HeaderName = HeaderName::from_static("x-bundle-alias");
const JSON: &str = "application/json";
const REDACTED: &str = "[redacted]";

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection, the TLS handshake included.
    pub connect: Duration,
    /// From the start of the call to the last byte of its answer.
    pub attempt: Duration,
}

impl Timeouts {
    /// As configured.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { connect: Duration::from_secs(5), attempt: Duration::from_secs(config.attempt_timeout_seconds) }
    }
}

/// Why there is no client. None of these holds the key.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The key or the alias can't stand in a header.
    #[error("the API key or the bundle alias cannot be sent as a header")]
    Header,
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up: {0}")]
    Http(#[from] reqwest::Error),
}

/// The live client of one account. Clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    key: Key,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("account", self.0.endpoint.account()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that is ready to call; nothing is called yet.
    ///
    /// # Errors
    /// When TLS or the HTTP client can't be set up.
    pub fn new(
        endpoint: Endpoint,
        key: impl Into<Key>,
        transport: &Transport,
        timeouts: Timeouts,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let key = key.into();
        key.header().ok_or(ClientError::Header)?;
        let http = hardened(timeouts, transport)?
            .https_only(endpoint.upsert_url().scheme() == "https")
            .default_headers(headers(&endpoint)?)
            .build()
            .map_err(reqwest::Error::without_url)?;
        Ok(Self(Arc::new(Inner { endpoint, key, timeouts, clock, http })))
    }

    /// Which product the account is of.
    #[must_use]
    pub(super) fn account_kind(&self) -> AccountKind {
        self.0.endpoint.kind()
    }
}

/// A client with a limit on everything, without redirects, and without a proxy that is not configured.
///
/// # Errors
/// The TLS library refused its own defaults.
pub fn hardened(timeouts: Timeouts, transport: &Transport) -> Result<reqwest::ClientBuilder, ClientError> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(transport)?)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        // A second request that nobody counted would break the allowance.
        .retry(reqwest::retry::never())
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.attempt)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_CONNECTIONS_MAX)
        .user_agent(USER_AGENT);
    Ok(match transport.proxy()? {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    })
}

/// The same hardened client without an account's headers, for the demo to speak to its own service.
///
/// # Errors
/// The TLS library refused its own defaults.
pub fn http_client(timeouts: Timeouts) -> Result<reqwest::Client, ClientError> {
    Ok(hardened(timeouts, &Transport::default())?.build().map_err(reqwest::Error::without_url)?)
}

impl Crm for Client {
    fn account(&self) -> &Account {
        self.0.endpoint.account()
    }

    fn call(&self, request: Request) -> CrmAnswer<CallResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.call(&request).await })
    }

    fn look_up(&self, email: Email) -> CrmAnswer<LookupResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.look_up(email).await })
    }

    fn bulk_upsert(&self, body: Value) -> CrmAnswer<BulkResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.bulk_upsert(body).await })
    }

    fn job(&self, id: JobId) -> CrmAnswer<JobResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.job(id).await })
    }

    fn describe(&self, request: &Request) -> AttemptRequest {
        self.0.endpoint.describe(request)
    }
}

/// The image has no certificates of its own, so the roots are compiled in; configured ones come beside them.
fn tls(transport: &Transport) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots: rustls::RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    for root in transport.roots() {
        roots.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn headers(endpoint: &Endpoint) -> Result<HeaderMap, ClientError> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| ClientError::Header);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    if let Some(alias) = endpoint.named_alias() {
        headers.insert(BUNDLE_ALIAS, value(alias.as_str())?);
    }
    Ok(headers)
}

impl Endpoint {
    fn bulk_url(&self) -> Url {
        self.url("contacts/bulk_upsert")
    }

    fn job_url(&self, id: &JobId) -> Url {
        self.url(&format!("job_statuses/{}", id.as_str()))
    }

    /// A call as people are shown it, the key redacted.
    fn shown(&self, method: &str, url: &Url, body: Value) -> AttemptRequest {
        let mut headers = vec![
            ("Authorization".to_owned(), format!("Token token={REDACTED}")),
            ("Content-Type".to_owned(), JSON.to_owned()),
            ("User-Agent".to_owned(), USER_AGENT.to_owned()),
        ];
        if let Some(alias) = self.named_alias() {
            headers.push(("X-Bundle-Alias".to_owned(), alias.to_string()));
        }
        AttemptRequest { method: method.to_owned(), url: url.to_string(), headers, body }
    }
}

/// An answer as far as it came.
struct Received {
    status: u16,
    retry_after: Option<String>,
    content_type: Option<String>,
    rate: RateHint,
    body: Vec<u8>,
    /// Why the body is not whole.
    broken: Option<Failure>,
}

/// Why no answer came, in words for a person.
struct Failure {
    words: String,
    label: &'static str,
}

impl Inner {
    /// Sends a call with the key that is in use.
    async fn send(&self, call: reqwest::RequestBuilder) -> reqwest::Result<Response> {
        self.key.look().await;
        let call = match self.key.header() {
            Some(header) => call.header(AUTHORIZATION, header),
            None => call,
        };
        let response = call.send().await?;
        self.key.refused(matches!(response.status().as_u16(), 401 | 403));
        Ok(response)
    }

    async fn call(&self, request: &Request) -> CallResult {
        let Route { method, url } = self.endpoint.route(request);
        let call = self.http.request(method, url);
        let call = match request.rules().as_ref().or_else(|| request.body()) {
            Some(body) => call.body(body.to_string().into_bytes()),
            None => call,
        };
        let described = self.endpoint.describe(request);
        match self.send(call).await {
            Ok(response) => {
                let received = self.receive(response, request.answer_bytes_max()).await;
                self.judge(request, &received, described)
            }
            Err(error) => self.unanswered(error, described),
        }
    }

    fn unanswered(&self, error: reqwest::Error, request: AttemptRequest) -> CallResult {
        let failure = self.failure(error);
        CallResult {
            verdict: Verdict::Passing { reason: failure.words.clone() },
            request,
            response: None,
            error: Some(failure.words),
            rate: RateHint::default(),
            status_label: failure.label,
        }
    }

    async fn receive(&self, mut response: Response, bytes_max: usize) -> Received {
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()).and_then(unix_micros) {
            self.clock.hears(date);
        }
        let header = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let mut received = Received {
            status: response.status().as_u16(),
            // A header that is no text is still a header: it is judged as one without sense.
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .map(|value| value.to_str().unwrap_or("?").to_owned()),
            content_type: header(CONTENT_TYPE),
            rate: rate_hint(response.headers(), self.clock.wall()),
            body: Vec::new(),
            broken: None,
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = bytes_max - received.body.len();
                    received.body.extend(chunk.iter().take(room));
                    if chunk.len() >= room {
                        return received;
                    }
                }
                Ok(None) => return received,
                Err(error) => {
                    received.broken = Some(self.failure(error));
                    return received;
                }
            }
        }
    }

    fn judge(&self, request: &Request, received: &Received, described: AttemptRequest) -> CallResult {
        // An answer that echoes the request must not carry the key to the debugger. A stored record is judged as
        // it is: what is compared with what was sent must not have been touched.
        let shown = self.shown(&received.body);
        let is_success = (200..=299).contains(&received.status);
        let judged = if is_success { received.body.as_slice() } else { shown.as_bytes() };
        let retry_after = received.retry_after.as_deref();
        let content_type = received.content_type.as_deref();
        let now = self.clock.wall();
        let judgement = verdict(request, received.status, retry_after, content_type, judged, now);
        let (verdict, status_label) = match &received.broken {
            Some(failure) => (broken_off(judgement, failure.words.clone()), failure.label),
            None => (judgement, label(received.status)),
        };
        let error = match &verdict {
            Verdict::Passing { reason } => Some(reason.clone()),
            Verdict::Stored(_)
            | Verdict::Refused { .. }
            | Verdict::Throttled { .. }
            | Verdict::Blocked { .. }
            | Verdict::Gone { .. }
            | Verdict::Shut { .. } => None,
        };
        CallResult {
            verdict,
            request: described,
            response: Some(AttemptResponse::cut(received.status, shown)),
            error,
            rate: received.rate,
            status_label,
        }
    }

    /// The text of an answer without the key, should it repeat that.
    fn shown(&self, body: &[u8]) -> String {
        self.key.taken_out_of(&String::from_utf8_lossy(body))
    }

    /// A transport error in words: what failed and the deepest cause, which names no address.
    fn failure(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let words = match (error.is_connect(), error.is_timeout()) {
            (true, true) => format!("no connection within {} s", self.timeouts.connect.as_secs_f32()),
            (false, true) => format!("no whole answer within {} s", self.timeouts.attempt.as_secs_f32()),
            (true, false) if error.is_dns() => format!("the host was not found: {}", deepest(&error)),
            (true, false) => format!("no connection: {}", deepest(&error)),
            (false, false) => format!("the connection broke off: {}", deepest(&error)),
        };
        let words = self.key.taken_out_of(&words);
        let label = if error.is_timeout() { "timeout" } else { "error" };
        Failure { words: fit_to_show(&words), label }
    }
}

fn deepest(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Half an answer proves no success and explains no refusal, so it counts as none; what the
/// status alone says of the account stands.
fn broken_off(judgement: Verdict, words: String) -> Verdict {
    match judgement {
        Verdict::Stored(_) | Verdict::Refused { .. } | Verdict::Passing { .. } => {
            Verdict::Passing { reason: words }
        }
        Verdict::Throttled { .. } | Verdict::Blocked { .. } | Verdict::Gone { .. } | Verdict::Shut { .. } => {
            judgement
        }
    }
}

fn label(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        202..=299 => "2xx",
        300..=399 => "3xx",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        422 => "422",
        429 => "429",
        402..=499 => "4xx",
        500..=599 => "5xx",
        _ => "error",
    }
}
