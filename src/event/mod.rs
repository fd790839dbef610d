//! The event: what a site, an SDK or a server said happened, and how it is named, timed and checked.
//!
//! Pure data. Must not know people, contacts or storage.

mod body;
mod email;
mod header;
mod stamp;
mod time;

#[cfg(test)]
mod tests;

pub use body::parse_body;
pub use email::{Email, EmailProblem};
pub use header::{Header, Limits, NESTING_MAX, Refusal};
pub use stamp::{Fww, Lww, Rank, Stamp, Stamped};
pub use time::{Claimed, corrected, is_old_data};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::UnixMicros;

/// The kinds of Segment's HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Says who somebody is.
    Identify,
    /// Says that something named happened.
    Track,
    /// A page was viewed.
    Page,
    /// A screen of an app was viewed.
    Screen,
    /// Says which company somebody belongs to.
    Group,
    /// Says that two ids are one person.
    Alias,
}

impl Kind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Identify, Self::Track, Self::Page, Self::Screen, Self::Group, Self::Alias];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }

    /// The kind of a word on the wire, whatever its case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }
}

/// The name of a source, as in the configuration (`[sources.website]`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(pub String);

/// Where an event stands in the journal: 1 for the first ever accepted, dense, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

/// An accepted event, read for deciding. All times are corrected already.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the journal.
    pub position: Position,
    /// The source whose write key it came with.
    pub source: SourceName,
    /// The name space of the source's user ids and anonymous ids.
    pub people: String,
    /// When it was received.
    pub received_at: UnixMicros,
    /// When it happened and which message said so; orders statements.
    pub stamp: Stamp,
    /// What kind it is; the route it came by wins over its body.
    pub kind: Kind,
    /// Old data that is being loaded (`/v1/import`, `context.backfill`, older than a day).
    pub backfill: bool,
    /// The event as it was sent.
    pub body: Map<String, Value>,
}

impl Event {
    /// The name of a track event as sent; the word of the kind for all others.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.kind {
            Kind::Track => self.body.get("event").and_then(Value::as_str).unwrap_or_default(),
            Kind::Identify | Kind::Page | Kind::Screen | Kind::Group | Kind::Alias => self.kind.as_str(),
        }
    }

    /// An id of the event (`userId`, `anonymousId`, `previousId`); null, empty and absent are the same.
    #[must_use]
    pub fn id(&self, field: &str) -> Option<String> {
        id_in(&self.body, field)
    }

    /// What stands at a dotted path (`traits.address.city`). `traits` means the event's own and, where that
    /// says nothing, `context.traits`; `group` means the traits of a group event. Null and empty text count as nothing.
    #[must_use]
    pub fn at_path(&self, path: &str) -> Option<&Value> {
        if let Some(of_company) = path.strip_prefix("group.") {
            let traits = self.body.get("traits").filter(|_| self.kind == Kind::Group);
            return walk(traits?.as_object()?, of_company);
        }
        let of_person = path.starts_with("traits.");
        // The traits of a group event are the company's: its name must not become the person's.
        let own = if of_person && self.kind == Kind::Group { None } else { walk(&self.body, path) };
        if of_person { own.or_else(|| walk(self.context()?, path)) } else { own }
    }

    fn context(&self) -> Option<&Map<String, Value>> {
        self.body.get("context")?.as_object()
    }
}

/// An id that stands in the body of an event; null, empty and absent are the same.
#[must_use]
pub fn id_in(body: &Map<String, Value>, field: &str) -> Option<String> {
    body.get(field).and_then(id_text)
}

/// Ids are text; numbers are taken as their digits, anything else is no id.
fn id_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn walk<'a>(from: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = from.get(head)?;
    if rest.is_empty() {
        return says_something(value).then_some(value);
    }
    match value {
        Value::Object(inner) => walk(inner, rest),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(fields) => fields.values().any(says_something),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
