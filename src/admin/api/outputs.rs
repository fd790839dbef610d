//! Outputs: how each receiver does, what it is to be told, and what a person orders of it.
//!
//! No address of a receiver is known here. What is told holds personal data.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::{failed, nothing, rfc3339, rfc3339_or_null};
use super::order::{MANY_NAMES, not_an_order, order_in};
use super::query::{Cursor, Params, invalid, one_more, page};
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::delivery::Subject;
use crate::event::Email;
use crate::http::ApiError;
use crate::output::{CLOSES_AFTER, Gate, Output, OutputState, Topic};
use crate::store::{LIMIT_MAX, OutputQuery, OutputTotals, OutputsOf, Plan, Put, PutOutput, Versioned};
use crate::trail::ActKind;

/// What the body of an order must be.
const ORDERS: &str = r#"{"ids":["…"]} or {"all":true}"#;

/// All receivers.
#[derive(Serialize)]
pub(in crate::admin) struct OutputsView {
    outputs: Vec<ReceiverView>,
}

/// How one receiver does.
#[derive(Serialize)]
struct ReceiverView {
    name: String,
    state: &'static str,
    events: BTreeSet<Topic>,
    waiting: u64,
    waiting_bytes: u64,
    #[serde(serialize_with = "rfc3339_or_null")]
    oldest_waiting_at: Option<UnixMicros>,
    dead_letters: u64,
    taken: u64,
    crowded_out: u64,
    lost: u64,
    error: Option<String>,
    #[serde(serialize_with = "rfc3339_or_null")]
    failing_since: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    next_attempt_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    last_taken_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    off_since: Option<UnixMicros>,
}

impl ReceiverView {
    fn of(name: String, events: Option<BTreeSet<Topic>>, totals: OutputTotals) -> Self {
        let OutputTotals { waiting, waiting_bytes, oldest, dead, taken, crowded_out, lost, gate } = totals;
        let state = match (&events, &gate) {
            (None, _) => "not_configured",
            (Some(_), Gate { off: Some(_), .. }) => "off",
            (Some(_), Gate { failures, .. }) if *failures >= CLOSES_AFTER => "failing",
            (Some(_), _) => "running",
        };
        Self {
            name,
            state,
            events: events.unwrap_or_default(),
            waiting,
            waiting_bytes,
            oldest_waiting_at: oldest,
            dead_letters: dead,
            taken,
            crowded_out,
            lost,
            error: gate.error,
            failing_since: gate.failing_since,
            next_attempt_at: gate.opens_at.filter(|_| gate.off.is_none()),
            last_taken_at: gate.took_at,
            off_since: gate.off.map(|off| off.at),
        }
    }
}

/// `GET /api/outputs`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<OutputsView>, ApiError> {
    Params::read(&uri, &[])?;
    let settings = app.settings();
    let mut totals = app.store.totals(settings.account.clone()).await.map_err(failed)?.outputs;
    let configured = settings.receivers.iter().map(|(name, receiver)| {
        let known = totals.remove(name).unwrap_or_default();
        ReceiverView::of(name.clone(), Some(receiver.topics.clone()), known)
    });
    let mut outputs: Vec<ReceiverView> = configured.collect();
    outputs.extend(totals.into_iter().map(|(name, known)| ReceiverView::of(name, None, known)));
    Ok(Json(OutputsView { outputs }))
}

/// A message of one receiver.
#[derive(Serialize)]
struct MessageView {
    id: String,
    event: Topic,
    subject: Subject,
    email: Option<Email>,
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    state: OutputState,
    attempts: u32,
    #[serde(serialize_with = "rfc3339_or_null")]
    last_attempt_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    next_attempt_at: Option<UnixMicros>,
    error: Option<String>,
    data: Map<String, Value>,
}

impl MessageView {
    fn of(output: Output) -> Self {
        let Output { message, state, attempts, tried_at, next_attempt_at, error } = output;
        Self {
            id: message.id,
            event: message.topic,
            subject: message.subject,
            email: message.person,
            at: message.at,
            state,
            attempts,
            last_attempt_at: tried_at,
            next_attempt_at: (state == OutputState::Waiting).then_some(next_attempt_at),
            error,
            data: message.data,
        }
    }
}

/// A page of messages.
#[derive(Serialize)]
pub(in crate::admin) struct MessagePage {
    messages: Vec<MessageView>,
    next: Option<String>,
}

/// `GET /api/outputs/{name}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<MessagePage>, ApiError> {
    let params = Params::read(&uri, &["limit", "before", "state", "email"])?;
    let receiver = app.receiver(path).await?;
    let limit = params.limit()?;
    let state = params.get("state", "`waiting` or `dead`", |word| {
        [OutputState::Waiting, OutputState::Dead].into_iter().find(|state| state.as_str() == word)
    })?;
    let query = OutputQuery {
        limit: one_more(limit),
        before: params.before(Cursor::Outputs)?,
        receiver: Some(receiver),
        state,
        person: params.email()?,
    };
    let rows = app.store.outputs(query).await.map_err(failed)?;
    let (rows, next) = page(rows, limit, Cursor::Outputs, |(place, _)| *place);
    Ok(Json(MessagePage {
        messages: rows.into_iter().map(|(_, output)| MessageView::of(output)).collect(),
        next,
    }))
}

/// The body of an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    all: bool,
}

/// `POST /api/outputs/{name}/redrive`
pub(in crate::admin) async fn redrive(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let now = app.now();
    app.order_outputs(path, request, |of| PutOutput::Redriven(of, now)).await
}

/// `POST /api/outputs/{name}/discard`
pub(in crate::admin) async fn discard(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    app.order_outputs(path, request, PutOutput::Discarded).await
}

/// `POST /api/outputs/{name}/resume`
pub(in crate::admin) async fn resume(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let receiver = app.receiver(path).await?;
    let Versioned { revision, mut document } = app.store.gate(receiver.clone()).await.map_err(failed)?;
    document.resume();
    app.apply_outputs(&receiver, vec![PutOutput::Gate(receiver.clone(), revision, document)]).await?;
    tracing::info!(output = receiver, "a receiver is called again, by hand");
    Ok(Json(json!({ "success": true })))
}

impl Debugger {
    /// The receiver that a path names: one that is configured, or of which something is kept.
    async fn receiver(&self, path: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
        let name = path.ok().map(|Path(name)| name);
        let settings = self.settings();
        let kept = self.store.totals(settings.account.clone()).await.map_err(failed)?.outputs;
        let known = |name: &String| settings.receivers.contains_key(name) || kept.contains_key(name);
        name.filter(known).ok_or_else(|| nothing("there is no output of this name"))
    }

    async fn order_outputs(
        &self,
        path: Result<Path<String>, PathRejection>,
        request: Request,
        order: impl Fn(OutputsOf) -> PutOutput,
    ) -> Result<Json<Value>, ApiError> {
        let (parts, body) = request.into_parts();
        Params::read(&parts.uri, &[])?;
        let receiver = self.receiver(path).await?;
        let named: Order = order_in(&parts, body, MANY_NAMES, ORDERS).await?;
        if named.all != named.ids.is_empty() {
            return Err(not_an_order(ORDERS));
        }
        if named.ids.len() > LIMIT_MAX {
            return Err(invalid("ids", &format!("at most {LIMIT_MAX} ids, or `all`")));
        }
        let of = |id| OutputsOf { receiver: receiver.clone(), id };
        let puts = if named.all {
            vec![order(of(None))]
        } else {
            named.ids.into_iter().map(|id| order(of(Some(id)))).collect()
        };
        self.apply_outputs(&receiver, puts).await?;
        let account = self.settings().account.clone();
        let left = self.store.totals(account).await.map_err(failed)?.outputs.remove(&receiver);
        tracing::info!(
            output = receiver,
            "dead letters of an output were ordered to be told again, or discarded"
        );
        Ok(Json(json!({ "success": true, "dead_letters": left.unwrap_or_default().dead })))
    }

    async fn apply_outputs(&self, receiver: &str, puts: Vec<PutOutput>) -> Result<(), ApiError> {
        let puts = puts.into_iter().map(Put::Output).collect();
        self.carry_out_noted(Plan { puts, ..Plan::default() }, ActKind::Outputs, receiver).await
    }
}
