//! Requests and events that ingest refused: the last ones, without anything that was sent.

use serde::Serialize;

use super::answer::rfc3339;
use super::query::{Cursor, Params, invalid, page};
use crate::clock::UnixMicros;
use crate::event::SourceName;
use crate::http::ApiError;
use crate::http::{Refused, RefusedLog};

/// The word of the filter and the outcome.
pub(in crate::admin) const REJECTED: &str = "rejected";

/// Which refusals.
#[derive(Debug, Default)]
pub(in crate::admin) struct Narrow {
    source: Option<SourceName>,
    since: Option<UnixMicros>,
    until: Option<UnixMicros>,
}

impl Narrow {
    /// Reads it. Who was meant is not kept of a refused request, so nobody can ask for that.
    pub fn read(params: &Params) -> Result<Self, ApiError> {
        for name in ["email", "person", "event"] {
            if params.text(name).is_some() {
                return Err(invalid(
                    name,
                    "absent with `outcome=rejected`: of a refused request nothing that was sent is kept",
                ));
            }
        }
        let (since, until) = params.times()?;
        Ok(Self { source: params.text("source").map(SourceName), since, until })
    }

    /// Whether a refusal fits.
    pub fn admits(&self, refused: &Refused) -> bool {
        self.source.as_ref().is_none_or(|source| refused.source.as_ref() == Some(source))
            && self.since.is_none_or(|since| refused.at >= since)
            && self.until.is_none_or(|until| refused.at <= until)
    }
}

/// A refusal as it is shown: the shape of an event, with what is not known left null.
#[derive(Serialize)]
pub(in crate::admin) struct RejectedView {
    message_id: Option<String>,
    source: Option<SourceName>,
    r#type: Option<&'static str>,
    event: Option<String>,
    #[serde(serialize_with = "rfc3339")]
    received_at: UnixMicros,
    outcome: &'static str,
    reason: &'static str,
    code: &'static str,
    detail: Option<&'static str>,
    route: &'static str,
}

impl From<Refused> for RejectedView {
    fn from(refused: Refused) -> Self {
        Self {
            message_id: None,
            source: refused.source,
            r#type: None,
            event: None,
            received_at: refused.at,
            outcome: REJECTED,
            reason: in_words(refused.code, refused.reason),
            code: refused.code,
            detail: refused.reason,
            route: refused.route,
        }
    }
}

/// A page of refusals and the cursor of the next one.
pub(in crate::admin) fn list(
    log: &RefusedLog,
    narrow: &Narrow,
    before: Option<u64>,
    limit: usize,
) -> (Vec<RejectedView>, Option<String>) {
    let found = log.newest_first(before, limit.saturating_add(1), |refused| narrow.admits(refused));
    let (found, next) = page(found, limit, Cursor::Rejected, |(number, _)| *number);
    (found.into_iter().map(|(_, refused)| RejectedView::from(refused)).collect(), next)
}

/// What was wrong, and what the sender can do about it.
fn in_words(code: &str, reason: Option<&str>) -> &'static str {
    match (code, reason) {
        (_, Some("unknown_type")) => "`type` is none of identify, track, page, screen, group, alias",
        (_, Some("missing_event_name")) => "a track event without its name in `event`",
        (_, Some("missing_identity")) => "neither `userId` nor `anonymousId` nor an email says who it is",
        (_, Some("not_an_object")) => "an event that is no JSON object",
        (_, Some("event_too_large")) => "an event larger than server.event_bytes_max",
        (_, Some("too_deep")) => "an event nested deeper than 32 levels",
        (_, Some("message_id_too_long")) => "a `messageId` of more than 100 characters",
        ("malformed_body", _) => "the body was not the JSON that the route takes",
        ("unknown_write_key", _) => "no write key, or one that no source has",
        ("origin_not_allowed", _) => "a page that is not in allowed_origins of the source",
        ("body_too_large", _) => {
            "the body was over server.body_bytes_max, or had more than server.batch_events_max events"
        }
        ("request_timeout", _) => "the body took longer than server.request_timeout_seconds",
        ("too_many_events", _) => {
            "its source sends more than events_per_minute_max, or one address more than its share; the sender was told to retry"
        }
        ("overloaded", _) => "more arrived than could be written; the sender was told to retry",
        ("storage_unavailable", _) => "events could not be stored; the sender was told to retry",
        _ => "refused; the code says why",
    }
}
