//! Ingest: who is it, is it well-formed; then into the journal, and only then the answer.
//!
//! Parses just enough to accept or refuse. Serves the script that sends from a page, too. Must not decide what an event
//! means.

mod address;
mod answer;
mod batch;
pub mod config;
mod cors;
mod discreet;
mod form;
mod hook;
mod key;
mod pixel;
mod rate;
mod route;
mod router;
mod settings;
mod shared;
mod squeeze;
mod tag;
mod ways;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::Histogram;
use serde::Serialize;

pub use config::{ServerConfig, SourceConfig, SourceMode, Sources, source_problems};
pub use form::usual_path;
pub use hook::{HookConfig, Hooks, Kind as HookKind, hook_problems};
pub use router::is_taken;
pub use ways::ways;

use crate::clock::{Clock, UnixMicros};
use crate::doors::{Door, Refused, RefusedLog, Traffic};
use crate::event::{Arrival, EventLimits, SourceName, moment_in};
use crate::http::forwarded::FromTrustedProxy;
use crate::http::{self, ApiError, BodyLimits};
use crate::senders::Rates;
use crate::store::{Journal, NewRecord};
use crate::traces::{Received, Traces};
use address::Address;
use answer::{
    ACCEPTED_ONE, OK, json, malformed, origin_not_allowed, storage_unavailable, taken, unavailable,
};
use batch::{Intake, Items, Malformed, Parsed, Rejected};
use form::captcha::Verifier;
use hook::KnownHooks;
use key::{KnownSources, Source};
use route::Route;
use settings::SdkSettings;
use shared::Shared;

/// The public side for events. Clones share everything.
#[derive(Clone)]
pub struct Ingest(Arc<Inner>);

struct Inner {
    server: ServerConfig,
    sources: RwLock<Arc<KnownSources>>,
    hooks: RwLock<Arc<KnownHooks>>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    refused: Arc<RefusedLog>,
    rates: Arc<Rates>,
    traffic: Arc<Traffic>,
    captchas: Verifier,
    traces: Traces,
    seconds: Histogram,
}

/// A refused request, and whose it was as far as that is known.
struct Denied {
    source: Option<SourceName>,
    error: ApiError,
}

impl From<ApiError> for Denied {
    fn from(error: ApiError) -> Self {
        Self { source: None, error }
    }
}

impl Ingest {
    /// Takes events for these sources into a journal. The recorder of metrics has to be in place before.
    pub fn new(
        config: &ServerConfig,
        sources: &Sources,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        traces: Traces,
    ) -> Self {
        Self(Arc::new(Inner {
            server: config.clone(),
            sources: RwLock::new(Arc::new(KnownSources::new(sources))),
            hooks: RwLock::default(),
            journal,
            clock,
            refused: Arc::default(),
            rates: Arc::default(),
            traffic: Arc::default(),
            captchas: Verifier::default(),
            traces,
            seconds: metrics::histogram!("freshsignal_ingest_seconds"),
        }))
    }

    /// Replaces the sources; requests that were already let in finish with the old ones.
    pub fn replace_sources(&self, sources: &Sources) {
        let known = Arc::new(KnownSources::new(sources));
        *self.0.sources.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Replaces the hooks, which start as none; messages that were already let in finish with the old ones.
    pub fn replace_hooks(&self, hooks: &Hooks, sources: &Sources) {
        let known = Arc::new(KnownHooks::new(hooks, sources));
        *self.0.hooks.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// The last refusals, without personal data.
    #[must_use]
    pub fn refused(&self) -> Arc<RefusedLog> {
        Arc::clone(&self.0.refused)
    }

    /// How many events the sources sent lately, and which of them were refused some.
    #[must_use]
    pub fn rates(&self) -> Arc<Rates> {
        Arc::clone(&self.0.rates)
    }

    /// How much came by each door lately.
    #[must_use]
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.0.traffic)
    }
}

impl Inner {
    fn sources(&self) -> Arc<KnownSources> {
        Arc::clone(&self.sources.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hooks(&self) -> Arc<KnownHooks> {
        Arc::clone(&self.hooks.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn body_limits(&self) -> BodyLimits {
        BodyLimits { bytes_max: self.server.body_bytes_max, deadline: self.server.request_timeout() }
    }

    async fn events(&self, route: Route, parts: Parts, body: Body) -> Response {
        let started = self.clock.monotonic();
        let sources = self.sources();
        let response = self.take(route, &parts, body, &sources).await;
        let response = self.finished(route.path(), &parts.headers, response);
        self.seconds.record(self.clock.monotonic().saturating_sub(started));
        response
    }

    /// The settings of an SDK, for who has a key that is known. Another is a 401: both SDKs then say so on the page's
    /// console, send nothing, and ask again when the page is loaded again.
    fn settings(
        &self,
        settings: SdkSettings,
        prefix: &str,
        named: Option<String>,
        parts: &Parts,
    ) -> Response {
        let sources = self.sources();
        let key = match named {
            Some(key) => key::in_text(key.into()),
            None => key::in_head(parts),
        };
        let document = || {
            admit(&sources, key.as_deref(), &parts.headers)?;
            let proxied = parts.extensions.get::<FromTrustedProxy>().is_some();
            let address = Address::of(&self.server.public_url, prefix, &parts.headers, proxied);
            let address = address.ok_or_else(answer::unknown_host)?;
            let document = settings.document(key.as_deref().unwrap_or_default(), &address);
            Ok(json(StatusCode::OK, document.to_string()))
        };
        let mut response = self.finished(settings.paths()[0], &parts.headers, document());
        if self.server.public_url.is_empty() {
            // It repeats what this request said of the address: kept by a cache, it would be told to others.
            let kept_by_nobody = HeaderValue::from_static("no-store, private");
            response.headers_mut().insert(header::CACHE_CONTROL, kept_by_nobody);
        }
        response
    }

    /// The answer, as the page that asked may read it; a refusal is noted.
    fn finished(&self, route: &'static str, asked: &HeaderMap, answer: Result<Response, Denied>) -> Response {
        let mut response = answer.unwrap_or_else(|Denied { source, error }| {
            self.note_refused(route, source, error.code(), error.reason());
            error.into_response()
        });
        if let Some(origin) = asked.get(header::ORIGIN) {
            cors::let_read(&mut response, origin, &self.sources());
        }
        tracing::debug!(route, status = response.status().as_u16(), "answered");
        response
    }

    /// From the head of a request to its answer.
    async fn take(
        &self,
        route: Route,
        parts: &Parts,
        body: Body,
        sources: &KnownSources,
    ) -> Result<Response, Denied> {
        let head_key = key::in_head(parts);
        let by_head = match head_key.as_deref().map(|key| admit(sources, Some(key), &parts.headers)) {
            Some(Err(denied)) => {
                http::discard(&parts.headers, body, self.body_limits()).await;
                return Err(denied);
            }
            Some(Ok(source)) => Some(source),
            None => None,
        };
        let named = |error: ApiError| Denied { source: by_head.map(|source| source.name.clone()), error };
        let whole =
            http::read_whole(parts, body, self.body_limits()).await.map_err(|error| named(error.into()))?;
        let events_max = self.server.batch_events_max;
        let mended;
        let parse = |body| batch::parse(body, route.form(), events_max, by_head.is_none());
        let parsed = match parse(&whole.bytes) {
            // Whatever else is wrong is told of the body as it was sent.
            Err(not_json @ Malformed::NotJson(_)) => {
                mended = batch::mended(&whole.bytes).ok_or_else(|| named(malformed(not_json)))?;
                let parsed = parse(mended.as_bytes()).map_err(|_| named(malformed(not_json)))?;
                metrics::counter!("freshsignal_bodies_mended_total").increment(1);
                parsed
            }
            parsed => parsed.map_err(|error| named(malformed(error)))?,
        };
        let source = match by_head {
            Some(source) => source,
            None => admit(sources, parsed.write_key.as_deref(), &parts.headers)?,
        };
        let sent_at = parsed.sent_at.or_else(|| sent_at_in(&parts.headers));
        let answer = match self.let_in(source, &Door::Events, parts, parsed.items.count()) {
            Ok(()) => self.append(route, source, parsed, sent_at).await,
            Err(too_many) => Err(too_many),
        };
        answer.map_err(|error| Denied { source: Some(source.name.clone()), error })
    }

    /// What all events of a request that comes now share: live, of the kind that each names.
    fn intake<'s>(&self, source: &'s Source) -> Intake<'s> {
        Intake {
            source,
            by_route: None,
            arrival: Arrival::Live,
            limits: EventLimits { event_bytes_max: self.server.event_bytes_max },
            received_at: self.clock.wall(),
            trust: source.trust,
            proven: self.clock.is_proven(),
            sent_at: None,
        }
    }

    /// Accepts or refuses each event; answers once the accepted ones are on disk.
    async fn append(
        &self,
        route: Route,
        source: &Source,
        parsed: Parsed<'_>,
        sent_at: Option<UnixMicros>,
    ) -> Result<Response, ApiError> {
        let intake =
            Intake { by_route: route.kind(), arrival: route.arrival(), sent_at, ..self.intake(source) };
        let items = match parsed.items {
            Items::One(raw) => {
                let record = intake.accept_item(0, &parsed.shared.add_to(raw)).map_err(|why| {
                    ApiError::new(StatusCode::BAD_REQUEST, why.code, why.message).because(why.reason)
                })?;
                if record.is_none() {
                    self.note_refused(route.path(), Some(source.name.clone()), form::ROBOT, None);
                }
                self.store(source, &Door::Events, record.into_iter().collect()).await?;
                return Ok(json(StatusCode::OK, ACCEPTED_ONE));
            }
            Items::Many(items) => items,
        };
        self.check_count(items.len(), &parsed.shared)?;
        let mut records = Vec::with_capacity(items.len());
        let mut rejected = Vec::new();
        let mut robots = 0;
        for (index, raw) in items.into_iter().enumerate() {
            match intake.accept_item(index, &parsed.shared.add_to(raw)) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => robots += 1,
                Err(why) => rejected.push(Rejected::new(index, raw, why)),
            }
        }
        // A robot is not told that it was seen.
        let accepted = records.len() + robots;
        self.store(source, &Door::Events, records).await?;
        for _ in 0..robots {
            self.note_refused(route.path(), Some(source.name.clone()), form::ROBOT, None);
        }
        for item in &rejected {
            self.note_refused(route.path(), Some(source.name.clone()), item.code, Some(item.reason));
        }
        taken(accepted, &rejected)
    }

    fn check_count(&self, events: usize, shared: &Shared<'_>) -> Result<(), ApiError> {
        let events_max = self.server.batch_events_max;
        if events > events_max {
            let message = format!("the batch has more than {events_max} events (server.batch_events_max)");
            return Err(answer::too_large(message));
        }
        if shared.bytes().saturating_mul(events) > self.server.body_bytes_max.saturating_mul(SHARED_FACTOR) {
            let message =
                "the batch's shared `context` and `integrations` are too large for this many events";
            return Err(answer::too_large(message));
        }
        Ok(())
    }

    async fn store(&self, source: &Source, door: &Door, records: Vec<NewRecord>) -> Result<(), ApiError> {
        let accepted = records.len() as u64;
        if accepted == 0 {
            return Ok(());
        }
        // Live ones follow each other, and so do old ones behind them.
        let live = records.iter().filter(|record| !record.backfill).count() as u64;
        let at = records.first().map_or_else(|| self.clock.wall(), |record| record.received_at);
        let deadline = self.clock.monotonic().saturating_add(self.server.request_timeout());
        let first = tokio::select! {
            biased;
            appended = self.journal.append(records) => appended.map_err(|error| unavailable(&error))?,
            () = self.clock.sleep_until(deadline) => {
                let message = "the events were not stored in time; send them again with the same messageId";
                return Err(storage_unavailable(message));
            }
        };
        let events = if live > 0 { live } else { accepted };
        let now = self.clock.wall();
        self.traces.received(&Received { door, source: &source.name, first, events, at, now });
        source.accepted.increment(accepted);
        self.traffic.accepted(&source.name, door, accepted, self.clock.wall());
        Ok(())
    }

    /// Notes that something was refused which had, or should have had, a write key, or was a form.
    fn note_refused(
        &self,
        route: &'static str,
        source: Option<SourceName>,
        code: &'static str,
        reason: Option<&'static str>,
    ) {
        let door = if route == form::ROUTE { Door::Form } else { Door::Events };
        self.note_refused_at(door, route, source, (code, reason));
    }

    fn note_refused_at(
        &self,
        door: Door,
        route: &'static str,
        source: Option<SourceName>,
        (code, reason): (&'static str, Option<&'static str>),
    ) {
        metrics::counter!("freshsignal_events_rejected_total", "code" => code).increment(1);
        let at = self.clock.wall();
        self.traffic.refused(source.as_ref(), &door, at);
        self.refused.add(Refused { at, source, door, route, code, reason });
    }

    fn preflight(&self, headers: &HeaderMap) -> Response {
        let Some(origin) = headers.get(header::ORIGIN) else { return cors::preflight(headers) };
        let sources = self.sources();
        let mut response = if sources.any_allows(origin) {
            cors::preflight(headers)
        } else {
            origin_not_allowed().into_response()
        };
        cors::let_read(&mut response, origin, &sources);
        response
    }

    fn ready(&self) -> Response {
        #[derive(Serialize)]
        struct NotReady {
            status: &'static str,
            reasons: [String; 1],
        }
        match self.journal.refusing() {
            None => json(StatusCode::OK, OK),
            Some(reason) => {
                let answer = NotReady { status: "unavailable", reasons: [reason] };
                json(StatusCode::SERVICE_UNAVAILABLE, serde_json::to_vec(&answer).unwrap_or_default())
            }
        }
    }

    /// Refuses a request that no route takes, after reading what it sends.
    async fn turn_down(&self, request: Request, error: ApiError) -> Response {
        let (parts, body) = request.into_parts();
        http::discard(&parts.headers, body, self.body_limits()).await;
        error.into_response()
    }
}

/// What a batch shares may make it larger up to this many times the limit of a body.
const SHARED_FACTOR: usize = 8;

/// `@rudderstack/analytics-js` 3.34 says in a header of this name when it sent.
fn sent_at_in(headers: &HeaderMap) -> Option<UnixMicros> {
    headers.get("sentat")?.to_str().ok().and_then(moment_in)
}

/// The source of a key, if it lets the page that sends.
fn admit<'a>(
    sources: &'a KnownSources,
    key: Option<&str>,
    headers: &HeaderMap,
) -> Result<&'a Source, Denied> {
    let unknown = |message: &'static str| {
        Denied::from(ApiError::new(StatusCode::UNAUTHORIZED, "unknown_write_key", message))
    };
    let key = key.ok_or_else(|| {
        unknown("no write key: send it as Basic user name, X-Write-Key, ?writeKey= or writeKey in the body")
    })?;
    let source = sources.by_key(key).ok_or_else(|| unknown("no source has this write key"))?;
    match headers.get(header::ORIGIN) {
        Some(origin) if !source.allows(origin) => {
            Err(Denied { source: Some(source.name.clone()), error: origin_not_allowed() })
        }
        Some(_) | None => Ok(source),
    }
}
