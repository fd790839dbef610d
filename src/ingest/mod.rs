//! Ingest: who is it, is it well-formed; then into the journal, and only then the answer.
//!
//! Parses just enough to accept or refuse. Serves the script that sends from a page, too. Must not decide what an event
//! means.

mod answer;
mod batch;
pub mod config;
mod cors;
mod key;
mod refused;
mod route;
mod tag;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics::Histogram;
use serde::Serialize;

pub use config::{ServerConfig, SourceConfig, Sources, source_problems};
pub use refused::Refused;

use crate::clock::Clock;
use crate::event::{Limits, SourceName};
use crate::http::{self, ApiError, BodyLimits};
use crate::store::{NewRecord, SharedStore};
use answer::{
    ACCEPTED_ONE, OK, json, malformed, origin_not_allowed, storage_unavailable, taken, unavailable,
};
use batch::{INVALID_EVENT, Intake, Items, Parsed, Rejected};
use key::{KnownSources, Source};
use refused::RefusedLog;
use route::Route;

/// The public side for events. Clones share everything.
#[derive(Clone)]
pub struct Ingest(Arc<Inner>);

struct Inner {
    server: ServerConfig,
    sources: RwLock<Arc<KnownSources>>,
    store: SharedStore,
    clock: Arc<dyn Clock>,
    refused: RefusedLog,
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
    /// Takes events for these sources into a store. The recorder of metrics has to be in place before.
    pub fn new(config: &ServerConfig, sources: &Sources, store: SharedStore, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            server: config.clone(),
            sources: RwLock::new(Arc::new(KnownSources::new(sources))),
            store,
            clock,
            refused: RefusedLog::default(),
            seconds: metrics::histogram!("freshsignal_ingest_seconds"),
        }))
    }

    /// The routes, each also with a slash at its end and under `server.path_prefix`. What else the public listener
    /// serves can be merged in, as long as it brings no fallback.
    pub fn router(&self) -> Router {
        let prefix = self.0.server.path_prefix.as_str();
        let prefixed = (!prefix.is_empty() && config::is_path_prefix(prefix)).then_some(prefix);
        let mut router = Router::new();
        for prefix in [Some(""), prefixed].into_iter().flatten() {
            for route in Route::all() {
                for (path, slash) in route.paths().iter().flat_map(|path| [(path, ""), (path, "/")]) {
                    router = router.route(&format!("{prefix}{path}{slash}"), self.events(route));
                }
            }
            for path in ["/healthz", "/health"] {
                router = router.route(&format!("{prefix}{path}"), get(async || json(StatusCode::OK, OK)));
            }
            let tag = tag::asset(&self.0.server.public_url, prefix);
            router = router.route(
                &format!("{prefix}/tag.js"),
                get(async move |headers: HeaderMap| tag.answer(&headers)),
            );
            let inner = Arc::clone(&self.0);
            let ready = get(async move || inner.ready());
            router = router.route(&format!("{prefix}/readyz"), ready);
        }
        let (here, there) = (Arc::clone(&self.0), Arc::clone(&self.0));
        router
            .method_not_allowed_fallback(async move |request| {
                here.turn_down(request, ApiError::method_not_allowed()).await
            })
            .fallback(async move |request| there.turn_down(request, ApiError::not_found()).await)
    }

    fn events(&self, route: Route) -> axum::routing::MethodRouter {
        let (poster, asker) = (Arc::clone(&self.0), Arc::clone(&self.0));
        post(move |request: Request| {
            let inner = Arc::clone(&poster);
            async move { inner.post(route, request).await }
        })
        .options(async move |headers: HeaderMap| asker.preflight(&headers))
    }

    /// Replaces the sources; requests that were already let in finish with the old ones.
    pub fn replace_sources(&self, sources: &Sources) {
        let known = Arc::new(KnownSources::new(sources));
        *self.0.sources.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// The last 1,000 refusals, newest first, without personal data.
    #[must_use]
    pub fn refused(&self) -> Vec<Refused> {
        self.0.refused.newest_first()
    }
}

impl Inner {
    fn sources(&self) -> Arc<KnownSources> {
        Arc::clone(&self.sources.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn body_limits(&self) -> BodyLimits {
        BodyLimits { bytes_max: self.server.body_bytes_max, deadline: self.server.request_timeout() }
    }

    async fn post(&self, route: Route, request: Request) -> Response {
        let started = self.clock.monotonic();
        let (parts, body) = request.into_parts();
        let sources = self.sources();
        let mut response = match self.take(route, &parts, body, &sources).await {
            Ok(response) => response,
            Err(Denied { source, error }) => {
                self.note_refused(route, source, error.code(), error.reason());
                error.into_response()
            }
        };
        if let Some(origin) = parts.headers.get(header::ORIGIN) {
            cors::let_read(&mut response, origin, &sources);
        }
        self.seconds.record(self.clock.monotonic().saturating_sub(started));
        tracing::debug!(route = route.path(), status = response.status().as_u16(), "answered");
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
        let parsed = batch::parse(&whole.bytes, route.form(), events_max, by_head.is_none())
            .map_err(|error| named(malformed(error)))?;
        let source = match by_head {
            Some(source) => source,
            None => admit(sources, parsed.write_key.as_deref(), &parts.headers)?,
        };
        let answer = self.append(route, source, parsed).await;
        answer.map_err(|error| Denied { source: Some(source.name.clone()), error })
    }

    /// Accepts or refuses each event; answers once the accepted ones are on disk.
    async fn append(&self, route: Route, source: &Source, parsed: Parsed<'_>) -> Result<Response, ApiError> {
        let intake = Intake {
            source,
            by_route: route.kind(),
            backfill: route == Route::Import,
            limits: Limits { event_bytes_max: self.server.event_bytes_max },
            received_at: self.clock.wall(),
            sent_at: parsed.sent_at,
        };
        let items = match parsed.items {
            Items::One(raw) => {
                let record = intake.accept(0, raw).map_err(|refusal| {
                    ApiError::new(StatusCode::BAD_REQUEST, INVALID_EVENT, refusal.to_string())
                        .because(refusal.reason())
                })?;
                self.store(source, vec![record]).await?;
                return Ok(json(StatusCode::OK, ACCEPTED_ONE));
            }
            Items::Many(items) => items,
        };
        self.check_count(items.len())?;
        let mut records = Vec::with_capacity(items.len());
        let mut rejected = Vec::new();
        for (index, raw) in items.into_iter().enumerate() {
            match intake.accept(index, raw) {
                Ok(record) => records.push(record),
                Err(refusal) => rejected.push(Rejected::new(index, raw, refusal)),
            }
        }
        let accepted = records.len();
        self.store(source, records).await?;
        for item in &rejected {
            self.note_refused(route, Some(source.name.clone()), item.code, Some(item.reason));
        }
        taken(accepted, &rejected)
    }

    fn check_count(&self, events: usize) -> Result<(), ApiError> {
        let events_max = self.server.batch_events_max;
        if events <= events_max {
            return Ok(());
        }
        let message = format!("the batch has more than {events_max} events (server.batch_events_max)");
        Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message))
    }

    async fn store(&self, source: &Source, records: Vec<NewRecord>) -> Result<(), ApiError> {
        let accepted = records.len() as u64;
        if accepted == 0 {
            return Ok(());
        }
        let deadline = self.clock.monotonic().saturating_add(self.server.request_timeout());
        tokio::select! {
            biased;
            appended = self.store.append(records) => appended.map_err(|error| unavailable(&error))?,
            () = self.clock.sleep_until(deadline) => {
                let message = "the events were not stored in time; send them again with the same messageId";
                return Err(storage_unavailable(message));
            }
        };
        source.accepted.increment(accepted);
        Ok(())
    }

    fn note_refused(
        &self,
        route: Route,
        source: Option<SourceName>,
        code: &'static str,
        reason: Option<&'static str>,
    ) {
        metrics::counter!("freshsignal_events_rejected_total", "code" => code).increment(1);
        let (at, route) = (self.clock.wall(), route.path());
        self.refused.add(Refused { at, source, route, code, reason });
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
        match self.store.refusing() {
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
