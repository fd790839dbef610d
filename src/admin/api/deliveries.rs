//! Deliveries: the list, newest first, and one delivery with every attempt that is kept.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{failed, nothing, rfc3339, rfc3339_or_null};
use super::query::{Cursor, Params, invalid, one_more, page};
use crate::admin::{Asked, Looked};
use crate::clock::UnixMicros;
use crate::delivery::{
    Account, Attempt, AttemptRequest, AttemptResponse, Delivery, DeliveryId, Lane, State as Stage, Subject,
};
use crate::event::Email;
use crate::http::ApiError;
use crate::store::DeliveryQuery;

/// How much of a delivery is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Detail {
    /// Attempts without headers and bodies.
    Summary,
    /// All that is kept.
    Whole,
}

/// A delivery as it is shown.
#[derive(Serialize)]
pub(in crate::admin) struct DeliveryView {
    id: DeliveryId,
    account: Account,
    subject: Subject,
    email: Option<Email>,
    lane: Lane,
    state: Stage,
    reason: Option<String>,
    notes: Vec<String>,
    events: u64,
    #[serde(serialize_with = "rfc3339")]
    opened_at: UnixMicros,
    #[serde(serialize_with = "rfc3339_or_null")]
    ended_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    next_attempt_at: Option<UnixMicros>,
    attempts_made: u32,
    attempts: Vec<AttemptView>,
}

#[derive(Serialize)]
struct AttemptView {
    attempt: u32,
    #[serde(serialize_with = "rfc3339")]
    started_at: UnixMicros,
    duration_ms: u64,
    request: RequestView,
    response: Option<ResponseView>,
    error: Option<String>,
}

#[derive(Serialize)]
struct RequestView {
    method: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

#[derive(Serialize)]
struct ResponseView {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl DeliveryView {
    /// A delivery in this much detail.
    pub fn of(delivery: Delivery, detail: Detail) -> Self {
        let waits = matches!(delivery.state, Stage::Waiting | Stage::Retrying);
        let view = |attempt| AttemptView::of(attempt, detail);
        Self {
            next_attempt_at: waits.then_some(delivery.next_attempt_at),
            id: delivery.id,
            account: delivery.account,
            email: delivery.subject.contact().cloned().or(delivery.person),
            subject: delivery.subject,
            lane: delivery.lane,
            state: delivery.state,
            reason: delivery.reason,
            notes: delivery.notes,
            events: delivery.events,
            opened_at: delivery.opened_at,
            ended_at: delivery.ended_at,
            attempts_made: delivery.attempts_made,
            attempts: delivery.attempts.into_iter().map(view).collect(),
        }
    }
}

impl AttemptView {
    fn of(attempt: Attempt, detail: Detail) -> Self {
        let whole = detail == Detail::Whole;
        let Attempt { attempt, started_at, duration_ms, request, response, error } = attempt;
        let AttemptRequest { method, url, headers, body } = request;
        let headers = headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let request =
            RequestView { method, url, headers: whole.then_some(headers), body: whole.then_some(body) };
        let response = response
            .map(|AttemptResponse { status, body }| ResponseView { status, body: whole.then_some(body) });
        Self { attempt, started_at, duration_ms, request, response, error }
    }
}

/// A page of deliveries.
#[derive(Serialize)]
pub(in crate::admin) struct DeliveryPage {
    deliveries: Vec<DeliveryView>,
    next: Option<String>,
}

const STATE: &str = "one of waiting, in_flight, retrying, delivered, superseded, dead, discarded, erased";

/// `GET /api/deliveries`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<DeliveryPage>, ApiError> {
    let params = Params::read(&uri, &["limit", "before", "email", "subject", "state"])?;
    let limit = params.limit()?;
    let query = DeliveryQuery {
        limit: one_more(limit),
        before: params.before(Cursor::Deliveries)?,
        email: params.email()?,
        subject: params.subject()?,
        state: params.get("state", STATE, Stage::parse)?,
        account: None,
        reason: None,
    };
    let rows = app.store.deliveries(query).await.map_err(failed)?;
    let (rows, next) = page(rows, limit, Cursor::Deliveries, |row| row.sequence);
    let deliveries = rows.into_iter().map(|row| DeliveryView::of(row.delivery, Detail::Summary)).collect();
    Ok(Json(DeliveryPage { deliveries, next }))
}

/// `GET /api/deliveries/{id}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<(Extension<Looked>, Json<DeliveryView>), ApiError> {
    let Path(id) = path.map_err(|_| invalid("id", "the id of a delivery"))?;
    Params::read(&uri, &[])?;
    let delivery = app.store.delivery(DeliveryId(id)).await.map_err(failed)?;
    let delivery = delivery.ok_or_else(|| nothing("no delivery of this id is kept"))?;
    let view = DeliveryView::of(delivery, Detail::Whole);
    let looked = Looked(view.email.as_ref().map(|email| email.as_str().to_owned()));
    Ok((Extension(looked), Json(view)))
}
