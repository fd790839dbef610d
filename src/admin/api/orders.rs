//! What came of an order that was given on a node that does not work.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::{failed, nothing, rfc3339, rfc3339_or_null};
use super::query::{Params, invalid};
use crate::admin::Asked;
use crate::clock::UnixMicros;
use crate::http::ApiError;
use crate::store::{Order, OrderId, OrderStands};

/// How an order stands.
#[derive(Serialize)]
pub(in crate::admin) struct OrderView {
    order: u64,
    /// The method and the route, which name nobody.
    what: String,
    /// The name of the token of who ordered it; empty for the one of `admin.token`.
    who: String,
    #[serde(serialize_with = "rfc3339")]
    ordered_at: UnixMicros,
    done: bool,
    #[serde(serialize_with = "rfc3339_or_null")]
    done_at: Option<UnixMicros>,
    /// The status of its answer.
    status: Option<u16>,
    /// Its answer; null where that is not kept.
    answer: Option<Box<RawValue>>,
}

/// `GET /api/orders/{order}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<u64>, PathRejection>,
    uri: Uri,
) -> Result<Json<OrderView>, ApiError> {
    let Path(order) = path.map_err(|_| invalid("order", "the number of an order"))?;
    Params::read(&uri, &[])?;
    let found = app.store.order_left(OrderId(order)).await.map_err(failed)?;
    let why = "no order of this number is kept: one that was carried out is kept for an hour; /api/acts says what was ordered";
    let OrderStands { order: Order { at, who, method, route, .. }, end, .. } =
        found.ok_or_else(|| nothing(why))?;
    let answer = end.as_ref().and_then(|end| RawValue::from_string(end.answer.clone()).ok());
    let (done_at, status) = end.map(|end| (end.at, end.status)).unzip();
    let what = format!("{method} {route}");
    Ok(Json(OrderView { order, what, who, ordered_at: at, done: status.is_some(), done_at, status, answer }))
}
