//! The event: what a site, an SDK or a server said happened, and how it is named, timed and checked.
//!
//! Pure data. Must not know people, contacts or storage.

mod age;
mod body;
mod crm;
mod email;
mod header;
mod mend;
mod missing;
mod moment;
mod name;
mod stamp;
mod time;
mod trust;

#[cfg(test)]
mod tests;

pub use age::{Arrival, is_backfill};
pub use body::{parse_body, put_first};
pub use crm::{CRM, CrmRecord, CrmSaid, DOUBTED};
pub use email::{Email, EmailProblem};
pub use header::{EventLimits, EventRefusal, Header, NESTING_MAX};
pub use mend::{Broken, broken, mend};
pub use missing::{is_missing_word, is_text_of_missing, without_tags};
pub use moment::{day, moment, moment_in, moment_in_json};
pub use name::fold_name;
pub use stamp::{Fww, Lww, Rank, Stamp, Stamped};
pub use time::{Claimed, corrected, is_old_data};
pub use trust::Trust;

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
    /// Says what Freshsales has of a record. It comes by the hook of Freshsales alone: no sender may say so.
    Crm,
}

impl Kind {
    /// All kinds that may be sent, in the order of the documentation.
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
            Self::Crm => "crm",
        }
    }

    /// The kind of a record of the journal.
    #[must_use]
    pub fn of_record(word: &str) -> Option<Self> {
        if word == Self::Crm.as_str() { Some(Self::Crm) } else { Self::parse(word) }
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
    /// Old data that is being loaded (see [`is_backfill`]).
    pub backfill: bool,
    /// The event as it was sent.
    pub body: Map<String, Value>,
}

impl Event {
    /// The name of a track event as sent; what changed in Freshsales; the word of the kind for all others.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.kind {
            Kind::Track => self.body.get("event").and_then(Value::as_str).unwrap_or_default(),
            Kind::Crm => crm::name_of(&self.body),
            Kind::Identify | Kind::Page | Kind::Screen | Kind::Group | Kind::Alias => self.kind.as_str(),
        }
    }

    /// An id of the event (`userId`, `anonymousId`, `previousId`); null, empty and absent are the same.
    #[must_use]
    pub fn id(&self, field: &str) -> Option<String> {
        id_in(&self.body, field)
    }

    /// What stands at a dotted path (`traits.address.city`). `traits` means the event's own and, where that
    /// says nothing, `context.traits`; `group` means the traits of a group event. Null, empty text and the text of a
    /// missing value (`undefined`) count as nothing.
    #[must_use]
    pub fn at_path(&self, path: &str) -> Option<&Value> {
        self.find(path).value()
    }

    /// As [`Event::at_path`], and tells whether it was the text of a missing value that stood there.
    #[must_use]
    pub fn find(&self, path: &str) -> Found<'_> {
        self.roots().find(path)
    }

    /// Where all paths begin, looked up once for many.
    #[must_use]
    pub fn roots(&self) -> Roots<'_> {
        let object = |name: &str| self.body.get(name).and_then(Value::as_object);
        let (traits, context) = (object("traits"), object("context"));
        // The traits of a group event are the company's: its name must not become the person's.
        let is_group = self.kind == Kind::Group;
        Roots {
            traits: traits.filter(|_| !is_group),
            context_traits: context.and_then(|context| context.get("traits")).and_then(Value::as_object),
            group: traits.filter(|_| is_group),
            properties: object("properties"),
            context,
        }
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

/// The objects of an event that paths lead into.
#[derive(Clone, Copy, Debug)]
pub struct Roots<'a> {
    traits: Option<&'a Map<String, Value>>,
    context_traits: Option<&'a Map<String, Value>>,
    group: Option<&'a Map<String, Value>>,
    properties: Option<&'a Map<String, Value>>,
    context: Option<&'a Map<String, Value>>,
}

impl<'a> Roots<'a> {
    /// As [`Event::find`].
    #[must_use]
    pub fn find(&self, path: &str) -> Found<'a> {
        let Some((root, rest)) = path.split_once('.') else { return Found::Nothing };
        let within = |object: Option<&'a Map<String, Value>>| {
            object.map_or(Found::Nothing, |object| walk(object, rest))
        };
        match root {
            "traits" => match within(self.traits) {
                found @ Found::Value(_) => found,
                own => match within(self.context_traits) {
                    Found::Nothing => own,
                    other => other,
                },
            },
            "group" => within(self.group),
            "properties" => within(self.properties),
            "context" => within(self.context),
            _ => Found::Nothing,
        }
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// Nothing, null or empty.
    Nothing,
    /// The text of a missing value.
    Missing,
    /// A value.
    Value(&'a Value),
}

impl<'a> Found<'a> {
    /// The value, if one was said.
    #[must_use]
    pub fn value(self) -> Option<&'a Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Nothing | Self::Missing => None,
        }
    }
}

fn walk<'a>(from: &'a Map<String, Value>, path: &str) -> Found<'a> {
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    match from.get(head) {
        None => Found::Nothing,
        Some(value) if rest.is_empty() => says(value),
        Some(Value::Object(inner)) => walk(inner, rest),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Found::Nothing
        }
    }
}

fn says(value: &Value) -> Found<'_> {
    let any = |found: &mut dyn Iterator<Item = Found<'_>>| {
        let mut missing = false;
        for found in found {
            match found {
                Found::Value(_) => return Found::Value(value),
                Found::Missing => missing = true,
                Found::Nothing => {}
            }
        }
        if missing { Found::Missing } else { Found::Nothing }
    };
    match value {
        Value::Null => Found::Nothing,
        Value::String(text) if text.trim().is_empty() => Found::Nothing,
        Value::String(text) if is_text_of_missing(text) => Found::Missing,
        Value::Array(items) => any(&mut items.iter().map(says)),
        Value::Object(fields) => any(&mut fields.values().map(says)),
        Value::String(_) | Value::Bool(_) | Value::Number(_) => Found::Value(value),
    }
}
