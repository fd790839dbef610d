//! Alerts: the causes that a person is told of, since when each is or was, and whether they were told.

use axum::Json;
use axum::http::Uri;
use serde::Serialize;

use super::answer::{rfc3339, rfc3339_or_null};
use super::query::Params;
use crate::admin::Asked;
use crate::cause::{Alert, Beat, Board};
use crate::clock::UnixMicros;
use crate::http::ApiError;

/// All of them, and how their receivers do.
#[derive(Serialize)]
pub(in crate::admin) struct AlertsView {
    /// The form that the receiver takes; null where none is configured.
    receiver: Option<&'static str>,
    receiver_error: Option<String>,
    heartbeat: Option<BeatView>,
    alerts: Vec<AlertView>,
}

/// How the heartbeat goes.
#[derive(Serialize)]
struct BeatView {
    /// All is well, so it is asked.
    beats: bool,
    #[serde(serialize_with = "rfc3339_or_null")]
    answered_at: Option<UnixMicros>,
    error: Option<String>,
}

/// One cause that is or was there.
#[derive(Serialize)]
struct AlertView {
    cause: &'static str,
    title: &'static str,
    open: bool,
    #[serde(serialize_with = "rfc3339")]
    began_at: UnixMicros,
    #[serde(serialize_with = "rfc3339_or_null")]
    told_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    ended_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    end_told_at: Option<UnixMicros>,
    error: Option<String>,
}

impl AlertView {
    fn of(alert: &Alert) -> Option<Self> {
        let course = alert.course.as_ref()?;
        Some(Self {
            cause: alert.cause.as_str(),
            title: alert.cause.title(),
            open: alert.is_open(),
            began_at: course.began_at,
            told_at: course.told.map(|(at, _)| at),
            ended_at: course.ended_at,
            end_told_at: course.end_told_at,
            error: course.error.clone(),
        })
    }
}

/// `GET /api/alerts`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<AlertsView>, ApiError> {
    Params::read(&uri, &[])?;
    let Board { format, receiver_error, heartbeat, alerts } = app.live.board.borrow().clone();
    let beat = |Beat { answered_at, error, beats }| BeatView { beats, answered_at, error };
    let mut alerts: Vec<AlertView> = alerts.iter().filter_map(AlertView::of).collect();
    // Those that are there first, of each kind the newest.
    alerts.sort_by_key(|alert| (!alert.open, std::cmp::Reverse(alert.began_at)));
    Ok(Json(AlertsView { receiver: format, receiver_error, heartbeat: heartbeat.map(beat), alerts }))
}
