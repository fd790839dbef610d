//! The status: one snapshot of the store, and whether the process lives and accepts.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Debugger;
use super::answer::{failed, rfc3339_or_null};
use super::query::Params;
use crate::clock::UnixMicros;
use crate::decision::Outcome;
use crate::delivery::{
    Account, Destination, DestinationState, HOUR, Lane, MINUTE, State as Stage, Usage, Window,
};
use crate::freshsales::Mode;
use crate::http::ApiError;
use crate::store::Totals;

/// The status as it is shown.
#[derive(Serialize)]
pub(super) struct StatusView {
    version: &'static str,
    account: Account,
    mode: &'static str,
    destination: DestinationView,
    owed: Map<String, Value>,
    oldest_owed_seconds: u64,
    drain_seconds: Option<u64>,
    allowance: Usage,
    journal_lag_events: u64,
    accepted: u64,
    /// Requests and events refused since the process began.
    rejected: u64,
    outcomes: Map<String, Value>,
    queued: u64,
    open: Map<String, Value>,
    ended: Map<String, Value>,
}

#[derive(Serialize)]
struct DestinationView {
    state: &'static str,
    reason: Option<String>,
    #[serde(serialize_with = "rfc3339_or_null")]
    until: Option<UnixMicros>,
}

/// `GET /api/status`
pub(super) async fn status(State(app): State<Debugger>, uri: Uri) -> Result<Json<StatusView>, ApiError> {
    Params::read(&uri, &[])?;
    view(&app).await.map(Json)
}

/// The status as it is now.
pub(super) async fn view(app: &Debugger) -> Result<StatusView, ApiError> {
    let account = app.settings().account.clone();
    let totals = app.store.totals(account.clone()).await.map_err(failed)?;
    let snapshot = Snapshot { totals: &totals, usage: app.usage(), now: app.now() };
    let count = |name: &str, number: Option<&u64>| (name.to_owned(), json!(number.copied().unwrap_or(0)));
    let outcomes = Outcome::ALL.map(|outcome| count(outcome.as_str(), totals.outcomes.get(&outcome)));
    let (open, ended) = Stage::ALL.into_iter().partition::<Vec<_>, _>(|state| state.is_open());
    let open = open.into_iter().map(|state| count(state.as_str(), totals.open.get(&state)));
    let ended = ended.into_iter().map(|state| count(state.as_str(), totals.ended.get(&state)));
    let owed = Lane::BY_PRECEDENCE.map(|lane| (lane.as_str().to_owned(), json!(snapshot.owed_in(lane))));
    Ok(StatusView {
        version: env!("CARGO_PKG_VERSION"),
        account,
        mode: match app.live.mode {
            Mode::Live => "live",
            Mode::DryRun => "dry_run",
        },
        destination: DestinationView::of(&totals.destination),
        owed: owed.into_iter().collect(),
        oldest_owed_seconds: snapshot.oldest_owed_seconds(),
        drain_seconds: snapshot.drain_seconds(),
        allowance: snapshot.usage,
        journal_lag_events: snapshot.journal_lag_events(),
        accepted: totals.accepted,
        outcomes: outcomes.into_iter().collect(),
        queued: totals.queued,
        open: open.collect(),
        ended: ended.collect(),
        rejected: app.live.refused.count(),
    })
}

impl DestinationView {
    fn of(destination: &Destination) -> Self {
        let reason = destination.reason().map(str::to_owned);
        Self { state: destination.state().as_str(), reason, until: destination.until() }
    }
}

/// `GET /healthz`
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`
pub(super) async fn ready(State(app): State<Debugger>) -> Response {
    match app.store.refusing() {
        None => alive().await.into_response(),
        Some(reason) => {
            let body = Json(json!({ "status": "unavailable", "reasons": [reason] }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

/// What the status and the metrics derive from one look at the store.
#[derive(Clone, Copy)]
pub(super) struct Snapshot<'a> {
    /// The counters and what is owed.
    pub totals: &'a Totals,
    /// How much of the allowance is used.
    pub usage: Usage,
    /// The present.
    pub now: UnixMicros,
}

impl Snapshot<'_> {
    /// Deliveries waiting, in flight or retrying in a lane.
    pub fn owed_in(&self, lane: Lane) -> u64 {
        self.totals.owed.get(&lane).map_or(0, |owed| owed.count)
    }

    /// How long the longest owed has been owed; 0 when nothing is.
    pub fn oldest_owed_seconds(&self) -> u64 {
        let oldest = self.totals.owed.values().filter_map(|owed| owed.oldest).min();
        oldest.map_or(0, |oldest| self.now.since(oldest).as_secs())
    }

    /// Events accepted whose effect is not yet there.
    pub fn journal_lag_events(&self) -> u64 {
        self.totals.accepted.saturating_sub(self.totals.processed)
    }

    /// How long what is owed takes at the rate of the allowance: what is free now goes at once, the rest at the
    /// pace of the slower window. Lane shares and retries may make it longer. `None` while nothing can be said.
    pub fn drain_seconds(&self) -> Option<u64> {
        let owed: u64 = self.totals.owed.values().map(|owed| owed.count).sum();
        if owed == 0 {
            return Some(0);
        }
        let destination = &self.totals.destination;
        match destination.state() {
            DestinationState::Paused | DestinationState::Blocked => None,
            DestinationState::Running | DestinationState::Throttled | DestinationState::Unreachable => {
                let wait = destination.until().map_or(0, |until| until.since(self.now).as_secs());
                let hour = seconds_for(owed, self.usage.hour, HOUR)?;
                let minute = seconds_for(owed, self.usage.minute, MINUTE)?;
                Some(wait.saturating_add(hour.max(minute)).max(1))
            }
        }
    }
}

/// How long `calls` take in one window.
fn seconds_for(calls: u64, window: Window, length: Duration) -> Option<u64> {
    let free = u64::from(window.limit.saturating_sub(window.used));
    let waiting = calls.saturating_sub(free);
    let limit = u64::from(window.limit);
    (limit > 0).then(|| waiting.saturating_mul(length.as_secs()).div_ceil(limit))
}
