//! What look-ups answer when they fail, and the forms that several answers share.

use axum::http::StatusCode;
use serde::Serializer;

use crate::clock::UnixMicros;
use crate::http::ApiError;
use crate::store::{ErrorClass, StoreError};

/// A look-up failed: said once in the log, without the documents' content.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err` by name")]
pub(in crate::admin) fn failed(error: StoreError) -> ApiError {
    match error {
        StoreError::TooSlow => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_slow",
            "the query took too long; ask for fewer rows or narrow it down",
        )
        .retry_after_seconds(1),
        StoreError::Unreadable(kind, _) => {
            tracing::error!(kind, "a stored document can't be read");
            ApiError::internal()
        }
        StoreError::Overloaded
        | StoreError::Full(_)
        | StoreError::Away(_)
        | StoreError::Unavailable(_)
        | StoreError::Conflict
        | StoreError::Fatal(_)
        | StoreError::Elsewhere
        | StoreError::Shut => {
            tracing::error!(%error, "a query of the private listener failed");
            ApiError::internal()
        }
    }
}

/// Nothing was done: the store can't take it now, or has failed.
pub(in crate::admin) fn not_done(error: StoreError) -> ApiError {
    if matches!(error, StoreError::Elsewhere) {
        let message = "another node has just taken over the work; order it once more";
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message)
            .retry_after_seconds(1);
    }
    match error.class() {
        ErrorClass::Passes | ErrorClass::Again => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "storage_unavailable",
            "nothing was changed: the store is busy or full; retry later",
        )
        .retry_after_seconds(1),
        ErrorClass::Ends | ErrorClass::Document => failed(error),
    }
}

/// Nothing is known under this name.
pub(in crate::admin) fn nothing(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
}

/// A moment as RFC 3339.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(in crate::admin) fn rfc3339<S: Serializer>(
    moment: &UnixMicros,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.to_rfc3339())
}

/// A moment as RFC 3339, or null.
#[expect(clippy::ref_option, reason = "serde asks for a reference")]
pub(in crate::admin) fn rfc3339_or_null<S: Serializer>(
    moment: &Option<UnixMicros>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => rfc3339(moment, serializer),
        None => serializer.serialize_none(),
    }
}
