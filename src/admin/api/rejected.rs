//! Requests and events that ingest refused: the last ones, without anything that was sent.

use serde::Serialize;

use super::answer::rfc3339;
use super::query::{Cursor, Params, invalid, page};
use crate::clock::UnixMicros;
use crate::doors::{Door, Refused, RefusedLog, in_words};
use crate::event::SourceName;
use crate::http::ApiError;

/// The word of the filter and the outcome.
pub(in crate::admin) const REJECTED: &str = "rejected";
const DOOR: &str = "one of events, form, hook, or hook:NAME";

/// By which way: any of a kind, or one hook.
#[derive(Debug)]
struct AtDoor {
    word: &'static str,
    hook: Option<String>,
}

impl AtDoor {
    fn read(text: &str) -> Option<Self> {
        let (word, hook) = text.split_once(':').map_or((text, None), |(word, hook)| (word, Some(hook)));
        let doors = [Door::Events, Door::Form, Door::Hook(None)];
        let word = doors.iter().map(Door::as_str).find(|known| *known == word)?;
        let is_one = |name: &&str| !name.is_empty() && word == Door::Hook(None).as_str();
        match hook {
            None => Some(Self { word, hook: None }),
            Some(name) => Some(name).filter(is_one).map(|name| Self { word, hook: Some(name.to_owned()) }),
        }
    }

    fn admits(&self, door: &Door) -> bool {
        door.as_str() == self.word && (self.hook.is_none() || self.hook.as_deref() == door.hook())
    }
}

/// Which refusals.
#[derive(Debug, Default)]
pub(in crate::admin) struct Narrow {
    source: Option<SourceName>,
    door: Option<AtDoor>,
    since: Option<UnixMicros>,
    until: Option<UnixMicros>,
}

impl Narrow {
    /// Reads it. Who was meant is not kept of a refused request, so nobody can ask for that.
    pub fn read(params: &Params) -> Result<Self, ApiError> {
        for name in ["email", "person", "event", "search"] {
            if params.text(name).is_some() {
                return Err(invalid(
                    name,
                    "absent with `outcome=rejected`: of a refused request nothing that was sent is kept",
                ));
            }
        }
        let (since, until) = params.times()?;
        let door = params.get("door", DOOR, AtDoor::read)?;
        Ok(Self { source: params.text("source").map(SourceName), door, since, until })
    }

    /// Whether a refusal fits.
    pub fn admits(&self, refused: &Refused) -> bool {
        self.source.as_ref().is_none_or(|source| refused.source.as_ref() == Some(source))
            && self.door.as_ref().is_none_or(|door| door.admits(&refused.door))
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
    door: &'static str,
    hook: Option<String>,
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
            door: refused.door.as_str(),
            hook: refused.door.hook().map(str::to_owned),
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
