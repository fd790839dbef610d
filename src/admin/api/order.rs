//! Orders of a person: the body of a request, read whole and within a bound, or an answer that shows what it must be.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::{ApiError, BodyLimits, read_whole};

/// Bytes of an order of a few words.
pub(super) const FEW_WORDS: usize = 4096;
/// Bytes of an order that names many.
pub(in crate::admin) const MANY_NAMES: usize = 262_144;

/// Reads an order; `shape` is what its body must be.
pub(super) async fn order_in<T: DeserializeOwned>(
    parts: &Parts,
    body: Body,
    bytes_max: usize,
    shape: &str,
) -> Result<T, ApiError> {
    let limits = BodyLimits { bytes_max, deadline: Duration::from_secs(10) };
    let whole = read_whole(parts, body, limits).await?;
    serde_json::from_slice(&whole.bytes).map_err(|_| not_an_order(shape))
}

/// The answer to a body that is no order.
pub(super) fn not_an_order(shape: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", format!("the body must be {shape}"))
}
