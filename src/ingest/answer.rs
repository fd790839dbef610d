//! What ingest answers: the bodies of a success, and the words of each refusal.
//!
//! A success is exactly 200 (`rudder-sdk-python` 2.1 sends again after any other 2xx) and has no top-level key `error`,
//! which a sender could take for a failure. Must not decide who is answered what.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::batch::{Malformed, Rejected};
use crate::http::ApiError;
use crate::store::StoreError;

/// Alive, ready.
pub const OK: &[u8] = br#"{"status":"ok"}"#;
/// The answer to one good event, by far the most common.
pub const ACCEPTED_ONE: &[u8] = br#"{"success":true,"ok":true,"accepted":1,"rejected":[]}"#;

/// The answer to several events.
#[derive(Serialize)]
struct Taken<'a> {
    success: bool,
    ok: bool,
    accepted: usize,
    rejected: &'a [Rejected],
}

/// How many events were accepted, and which were not.
pub fn taken(accepted: usize, rejected: &[Rejected]) -> Result<Response, ApiError> {
    let answer = Taken { success: true, ok: true, accepted, rejected };
    let body = serde_json::to_vec(&answer).map_err(|_| ApiError::internal())?;
    Ok(json(StatusCode::OK, body))
}

/// A JSON answer.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The refusal of a body that can't be taken apart.
pub fn malformed(error: Malformed) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", error.to_string())
}

/// The refusal of what is more than may be sent at once.
pub fn too_large(message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

/// The refusal of a question for an address that nobody named.
pub fn unknown_host() -> ApiError {
    let message =
        "the request names no host; server.public_url says under which address this service is reached";
    ApiError::new(StatusCode::BAD_REQUEST, "unknown_host", message)
}

/// The refusal of a page.
pub fn origin_not_allowed() -> ApiError {
    let message = "pages of this origin may not send here (allowed_origins of the source)";
    ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message)
}

/// A moment, for what passes by itself; the disk takes longer.
const OVERLOADED_RETRY_SECONDS: u32 = 1;
const STORAGE_RETRY_SECONDS: u32 = 10;

/// The refusal while nothing can be stored.
pub fn storage_unavailable(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message)
        .retry_after_seconds(STORAGE_RETRY_SECONDS)
}

/// What a client may know of a failed append; the details are the log's.
pub fn unavailable(error: &StoreError) -> ApiError {
    match error {
        StoreError::Overloaded => {
            let message = "more events arrive than can be stored; nothing of this request was kept";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
                .retry_after_seconds(OVERLOADED_RETRY_SECONDS)
        }
        StoreError::Full(_) => {
            storage_unavailable("there is no room to store events; nothing of this request was kept")
        }
        StoreError::Unavailable(_) => {
            let message = "events cannot be stored right now; send them again with the same messageId";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message)
                .retry_after_seconds(OVERLOADED_RETRY_SECONDS)
        }
        StoreError::Away(_)
        | StoreError::Fatal(_)
        | StoreError::Conflict
        | StoreError::Unreadable(..)
        | StoreError::TooSlow
        | StoreError::Elsewhere
        | StoreError::Shut => {
            tracing::error!(%error, "events could not be stored");
            storage_unavailable("events cannot be stored right now; send them again with the same messageId")
        }
    }
}
