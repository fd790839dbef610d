//! The status: one snapshot of the store, and whether the process lives and accepts.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{rfc3339, rfc3339_or_null};
use super::query::Params;
use crate::admin::{Asked, Debugger};
use crate::allowance::{Quota, Usage};
use crate::clock::UnixMicros;
use crate::decision::{Outcome, RedriveAll, Review};
use crate::delivery::{Account, Bound, CallKind, Lane, State as Stage};
use crate::destination::Destination;
use crate::event::SourceName;
use crate::freshsales::Mode;
use crate::health::{Around, Risk, Snapshot, Standing, Tone, Way, risks, standings};
use crate::http::ApiError;
use crate::store::Work;

/// The status as it is shown.
#[derive(Serialize)]
pub(in crate::admin) struct StatusView {
    version: &'static str,
    account: Account,
    mode: &'static str,
    /// How this node stands among several; null where there is one alone.
    node: Option<NodeView>,
    /// How it stands, the worst first.
    standings: Vec<StandingView>,
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
    /// Those of `open` that are owed to accounts that are not called now.
    other_accounts: BTreeMap<Account, u64>,
    ended: Map<String, Value>,
    /// Deals that wait for something else than their turn, by cause.
    held_deals: BTreeMap<String, u64>,
    /// Notes, activities and tasks by how they stand.
    happenings: BTreeMap<String, u64>,
    /// Those that wait for something else, by cause.
    held_happenings: BTreeMap<String, u64>,
    dead_letters: u64,
    failed_events: FailedView,
    set_aside: u64,
    opened_last_hour: u64,
    new_contacts: Map<String, Value>,
    withdrawals: Map<String, Value>,
    risks: Vec<Risk>,
    /// The oldest event of which the trail is kept, by what it is worth.
    trail_since: TrailSince,
    review: Option<ReviewView>,
    redrive: Option<RedriveView>,
}

/// How this node stands among others.
#[derive(Serialize)]
struct NodeView {
    /// `works`, `stands_by` or `other_settings`.
    state: &'static str,
    /// The node that works; null where none does.
    works: Option<String>,
    /// How often the work changed hands.
    epoch: u64,
    /// Sections in which the settings are others than those of the node that works.
    apart: Vec<String>,
}

impl NodeView {
    fn of(work: &Work) -> Option<Self> {
        let works = Some(work.holder.clone()).filter(|holder| !holder.is_empty());
        (!work.is_alone()).then(|| Self {
            state: work.word(),
            works,
            epoch: work.epoch,
            apart: work.apart.clone(),
        })
    }
}

/// How far back the trail goes.
#[derive(Serialize)]
struct TrailSince {
    #[serde(serialize_with = "rfc3339_or_null")]
    conversions: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    refreshes: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    anonymous: Option<UnixMicros>,
}

/// Events that could not be processed: kept aside, and given up because there were too many or too old ones.
#[derive(Serialize)]
struct FailedView {
    kept: u64,
    lost: u64,
}

/// How far the review of all contacts came.
#[derive(Serialize)]
struct ReviewView {
    state: &'static str,
    because: &'static str,
    done: u64,
    total: u64,
    opened: u64,
    taken_apart: u64,
    #[serde(serialize_with = "rfc3339")]
    began_at: UnixMicros,
    #[serde(serialize_with = "rfc3339_or_null")]
    ended_at: Option<UnixMicros>,
}

impl ReviewView {
    fn of(review: &Review) -> Self {
        Self {
            state: walk_state(review.goes_on()),
            because: review.because.as_str(),
            done: review.done,
            total: review.total,
            opened: review.opened,
            taken_apart: review.taken_apart,
            began_at: review.began_at,
            ended_at: review.ended_at,
        }
    }
}

/// How far the order to send all dead letters again came.
#[derive(Serialize)]
struct RedriveView {
    state: &'static str,
    done: u64,
    total: u64,
    #[serde(serialize_with = "rfc3339")]
    ordered_at: UnixMicros,
    #[serde(serialize_with = "rfc3339_or_null")]
    ended_at: Option<UnixMicros>,
}

impl RedriveView {
    fn of(redrive: &RedriveAll) -> Self {
        Self {
            state: walk_state(redrive.goes_on()),
            done: redrive.done,
            total: redrive.total,
            ordered_at: redrive.ordered_at,
            ended_at: redrive.ended_at,
        }
    }
}

/// What a source has used of a quota.
fn quota((source, quota): (&SourceName, &Quota)) -> (String, Value) {
    let Quota { limit, used, until } = quota;
    let until = until.map(UnixMicros::to_rfc3339);
    (source.0.clone(), json!({ "limit": limit, "used": used, "until": until }))
}

fn walk_state(goes_on: bool) -> &'static str {
    if goes_on { "running" } else { "done" }
}

/// How the destination stands, as it is shown.
#[derive(Serialize)]
pub(in crate::admin) struct DestinationView {
    pub state: &'static str,
    reason: Option<String>,
    #[serde(serialize_with = "rfc3339_or_null")]
    until: Option<UnixMicros>,
    /// Kinds of records that the key's user may not edit, while calls of other kinds are made.
    shut: Vec<ShutView>,
}

/// A kind of records that waits.
#[derive(Serialize)]
struct ShutView {
    kind: CallKind,
    reason: String,
    #[serde(serialize_with = "rfc3339")]
    since: UnixMicros,
    #[serde(serialize_with = "rfc3339")]
    next_try_at: UnixMicros,
}

/// `GET /api/status`
pub(in crate::admin) async fn status(Asked(app): Asked, uri: Uri) -> Result<Json<StatusView>, ApiError> {
    Params::read(&uri, &[])?;
    view(&app).await.map(Json)
}

/// The status as it is now.
pub(in crate::admin) async fn view(app: &Debugger) -> Result<StatusView, ApiError> {
    let account = app.settings().account.clone();
    let reading = app.reading().await?;
    let snapshot = app.snapshot(&reading);
    let totals = snapshot.totals();
    let new_contacts = reading.quotas.iter().filter_map(|(bound, used)| match bound {
        Bound::NewContacts(source) => Some(quota((source, used))),
        Bound::Withdrawals(_) => None,
    });
    // Every source has such a quota; those that use none of it say nothing.
    let withdrawals = reading.quotas.iter().filter_map(|(bound, used)| match bound {
        Bound::Withdrawals(source) => Some(quota((source, used))).filter(|_| used.used > 0),
        Bound::NewContacts(_) => None,
    });
    let count = |name: &str, number: Option<&u64>| (name.to_owned(), json!(number.copied().unwrap_or(0)));
    let outcomes = Outcome::ALL.map(|outcome| count(outcome.as_str(), totals.outcomes.get(&outcome)));
    let (open, ended) = Stage::ALL.into_iter().partition::<Vec<_>, _>(|state| state.is_open());
    let open = open.into_iter().map(|state| count(state.as_str(), totals.open.get(&state)));
    let ended = ended.into_iter().map(|state| count(state.as_str(), totals.ended.get(&state)));
    let owed = Lane::BY_PRECEDENCE.map(|lane| (lane.as_str().to_owned(), json!(snapshot.owed_in(lane))));
    let pressure = *app.live.vitals.pressure.borrow();
    let work = app.store.work().borrow().clone();
    Ok(StatusView {
        version: env!("CARGO_PKG_VERSION"),
        account,
        mode: match app.live.mode {
            Mode::Live => "live",
            Mode::DryRun => "dry_run",
        },
        node: NodeView::of(&work),
        standings: standing_of(app, snapshot),
        destination: DestinationView::of(&totals.destination),
        owed: owed.into_iter().collect(),
        oldest_owed_seconds: snapshot.oldest_owed_seconds(),
        drain_seconds: snapshot.drain_seconds(),
        allowance: snapshot.usage(),
        journal_lag_events: snapshot.journal_lag_events(),
        accepted: totals.accepted,
        outcomes: outcomes.into_iter().collect(),
        queued: totals.queued,
        open: open.collect(),
        other_accounts: totals.other_accounts.clone(),
        ended: ended.collect(),
        rejected: app.live.refused.count(),
        held_deals: totals.held_deals.clone(),
        happenings: totals.happenings.clone(),
        held_happenings: totals.held_happenings.clone(),
        dead_letters: totals.dead_letters,
        failed_events: FailedView { kept: totals.failed, lost: totals.failed_lost },
        set_aside: totals.set_aside,
        opened_last_hour: pressure.opened_last_hour,
        new_contacts: new_contacts.collect(),
        withdrawals: withdrawals.collect(),
        risks: risks(snapshot, app.store.as_ref()),
        trail_since: TrailSince {
            conversions: totals.trail_since.conversion,
            refreshes: totals.trail_since.refresh,
            anonymous: totals.trail_since.anonymous,
        },
        review: totals.review.as_ref().map(ReviewView::of),
        redrive: totals.redrive.as_ref().map(RedriveView::of),
    })
}

/// How it stands in one respect, as it is shown.
#[derive(Serialize)]
pub(in crate::admin) struct StandingView {
    state: Way,
    word: &'static str,
    tone: Tone,
    message: String,
    #[serde(serialize_with = "rfc3339_or_null")]
    until: Option<UnixMicros>,
}

/// How it stands, the worst first.
pub(in crate::admin) fn standing_of(app: &Debugger, snapshot: Snapshot<'_>) -> Vec<StandingView> {
    let dry_run = app.live.mode == Mode::DryRun;
    let around = Around { refusing: app.store.refusing(), away: app.store.away(), dry_run };
    let view = |Standing { way, message, until }: Standing| StandingView {
        state: way,
        word: way.words(),
        tone: way.tone(),
        message,
        until,
    };
    standings(snapshot, &around).into_iter().map(view).collect()
}

impl DestinationView {
    /// How the destination stands.
    pub fn of(destination: &Destination) -> Self {
        let reason = destination.reason().map(str::to_owned);
        let shut = destination.shut.iter().map(|(kind, shut)| ShutView {
            kind: *kind,
            reason: shut.reason.clone(),
            since: shut.since,
            next_try_at: shut.try_at,
        });
        let (state, until) = (destination.state().as_str(), destination.until());
        Self { state, reason, until, shut: shut.collect() }
    }
}

/// `GET /healthz`: the process lives. `?deep=1`: nothing asks for a person, so that an alarm can hang on it.
pub(in crate::admin) async fn alive(Asked(app): Asked, uri: Uri) -> Result<Response, ApiError> {
    let deep = Params::read(&uri, &["deep"])?.get("deep", "1 or 0", flag)?.unwrap_or(false);
    if !deep {
        return Ok(ok());
    }
    let reading = app.reading().await?;
    let mut alarms = risks(app.snapshot(&reading), &*app.store);
    alarms.retain(|risk| risk.kind.is_alarm());
    // A folder whose settings were lost comes up as on a first day: whoever counts on it is told.
    let not_set_up = app.commands.setup.stands().is_unfinished().then_some("not_set_up");
    if alarms.is_empty() && not_set_up.is_none() {
        return Ok(ok());
    }
    let mut words: Vec<&str> = alarms.iter().map(|risk| risk.kind.as_str()).collect();
    words.extend(not_set_up);
    // Who has no token learns the words alone; what they say is behind it, in the status.
    let body = Json(json!({ "status": "alarm", "risks": words }));
    Ok((StatusCode::SERVICE_UNAVAILABLE, body).into_response())
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

fn ok() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// What whoever routes to a service is told where it is ready.
#[derive(Serialize)]
struct Ready {
    status: &'static str,
    /// Of several nodes, what this one does. Events are taken by every node, whether or not it could work.
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<&'static str>,
    /// `unfinished`, while its page is still to say what it is for. It is ready all the same: whoever routes to what is ready alone
    /// would never reach that page, and whoever restarts what is not would do so for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    setup: Option<&'static str>,
}

/// `GET /readyz`
pub(in crate::admin) async fn ready(Asked(app): Asked) -> Response {
    let work = app.store.work().borrow().clone();
    match app.store.refusing() {
        None => {
            let setup = app.commands.setup.stands().is_unfinished().then_some("unfinished");
            let work = (!work.is_alone()).then(|| work.word());
            Json(Ready { status: "ok", work, setup }).into_response()
        }
        Some(reason) => {
            let body = Json(json!({ "status": "unavailable", "reasons": [reason] }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}
