//! What an event would do: decided on a world that knows nobody, nothing stored, nothing sent.

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;

use crate::admin::Asked;
use crate::decision::{DryRun, DryRunLine, DryRunRefusal};
use crate::event::broken;
use crate::http::{ApiError, BodyLimits, read_whole};

/// An event is smaller; one that is too large is still refused as such up to here.
const LIMITS: BodyLimits = BodyLimits { bytes_max: 65_536, deadline: Duration::from_secs(10) };

/// `POST /api/map`
pub(in crate::admin) async fn map(Asked(app): Asked, request: Request) -> Result<Json<DryRunLine>, ApiError> {
    let (parts, body) = request.into_parts();
    let body = read_whole(&parts, body, LIMITS).await?;
    let text = std::str::from_utf8(&body.bytes);
    let text = text.map_err(|_| refused(&DryRunRefusal::NotJson(broken(&body.bytes))))?;
    let played = DryRun::default().play(text, &app.settings(), app.live.event_limits, app.now());
    played.map(Json).map_err(|refusal| refused(&refusal))
}

fn refused(refusal: &DryRunRefusal) -> ApiError {
    match refusal {
        DryRunRefusal::NotText { .. } => {
            ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", "the body is not JSON")
        }
        DryRunRefusal::NotJson(place) => {
            let message = format!("the body is not JSON: look at {place}");
            ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", message)
        }
        DryRunRefusal::Event(refusal) => {
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_event", refusal.to_string())
                .because(refusal.reason())
        }
    }
}
