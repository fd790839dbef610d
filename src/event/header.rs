//! Reads of an event just what accepting or refusing it takes, without building a tree.
//!
//! A tree of a hostile megabyte costs a hundred; borrowed slices of it cost nothing.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Claimed, Kind, moment_in_json};
use crate::clock::UnixMicros;

/// The limits one event has to keep.
#[derive(Clone, Copy, Debug)]
pub struct EventLimits {
    /// Bytes of one event.
    pub event_bytes_max: usize,
}

/// Objects and arrays inside each other.
pub const NESTING_MAX: usize = 32;
/// Characters of a message id.
pub const MESSAGE_ID_CHARS_MAX: usize = 100;

/// Why an event is refused (`invalid_event`); the word is its `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventRefusal {
    /// The type is missing or none of the six.
    #[error("`type` must be one of identify, track, page, screen, group, alias")]
    UnknownType,
    /// A track event without a name.
    #[error("a track event needs its name in `event`")]
    MissingEventName,
    /// Nothing says who it is.
    #[error("an event needs `userId`, `anonymousId` or an email in its traits or properties")]
    MissingIdentity,
    /// Not a JSON object.
    #[error("an event must be a JSON object")]
    NotAnObject,
    /// Over `event_bytes_max`.
    #[error("the event is larger than `server.event_bytes_max`")]
    EventTooLarge,
    /// Nested deeper than 32.
    #[error("the event is nested deeper than 32 levels")]
    TooDeep,
    /// The message id is over 100 characters.
    #[error("`messageId` is longer than 100 characters")]
    MessageIdTooLong,
}

impl EventRefusal {
    /// The stable word for machines.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::UnknownType => "unknown_type",
            Self::MissingEventName => "missing_event_name",
            Self::MissingIdentity => "missing_identity",
            Self::NotAnObject => "not_an_object",
            Self::EventTooLarge => "event_too_large",
            Self::TooDeep => "too_deep",
            Self::MessageIdTooLong => "message_id_too_long",
        }
    }
}

/// What accepting an event needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The kind; the route's, where it names one.
    pub kind: Kind,
    /// The sender's id of the message, where it gave one.
    pub message_id: Option<Cow<'a, str>>,
    /// The times it claims.
    pub claimed: Claimed,
    /// What `context.backfill` says: whether it is old data.
    pub backfill: Option<bool>,
}

impl<'a> Header<'a> {
    /// Reads and checks one event. `by_route` is the kind that `/v1/{type}` names.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn read(
        raw: &'a RawValue,
        by_route: Option<Kind>,
        limits: EventLimits,
    ) -> Result<Self, EventRefusal> {
        let text = raw.get();
        if !text.starts_with('{') {
            return Err(EventRefusal::NotAnObject);
        }
        if text.len() > limits.event_bytes_max {
            return Err(EventRefusal::EventTooLarge);
        }
        if nests_deeper_than(text, NESTING_MAX) {
            return Err(EventRefusal::TooDeep);
        }
        let fields: Fields<'a> = serde_json::from_str(text).map_err(|_| EventRefusal::NotAnObject)?;
        Self::from_fields(&fields, by_route)
    }

    fn from_fields(fields: &Fields<'a>, by_route: Option<Kind>) -> Result<Self, EventRefusal> {
        let by_body = || text(fields.kind).as_deref().and_then(|word| Kind::parse(word.trim()));
        let kind = by_route.or_else(by_body).ok_or(EventRefusal::UnknownType)?;
        if kind == Kind::Track && text(fields.event).is_none_or(|name| name.trim().is_empty()) {
            return Err(EventRefusal::MissingEventName);
        }
        let message_id = id(fields.message_id);
        if message_id.as_deref().is_some_and(|id| id.chars().count() > MESSAGE_ID_CHARS_MAX) {
            return Err(EventRefusal::MessageIdTooLong);
        }
        // A record of Freshsales may be known by its id there alone.
        if kind != Kind::Crm && !fields.name_somebody() {
            return Err(EventRefusal::MissingIdentity);
        }
        let claimed = Claimed {
            timestamp: time(fields.original_timestamp).or_else(|| time(fields.timestamp)),
            sent_at: time(fields.sent_at),
        };
        let backfill = match inside(fields.context, "backfill").map(RawValue::get) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) | None => None,
        };
        Ok(Self { kind, message_id, claimed, backfill })
    }
}

/// The slices of an event that matter here. A key that stands twice counts the last time, as in JavaScript.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<&'a RawValue>,
    event: Option<&'a RawValue>,
    user_id: Option<&'a RawValue>,
    anonymous_id: Option<&'a RawValue>,
    message_id: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    original_timestamp: Option<&'a RawValue>,
    sent_at: Option<&'a RawValue>,
    traits: Option<&'a RawValue>,
    properties: Option<&'a RawValue>,
    context: Option<&'a RawValue>,
}

impl Fields<'_> {
    /// Whether it tries to say who somebody is. Whether it does so is seen when it takes effect: an id or an address of
    /// no use is accepted, so that its sender can find out what became of it.
    fn name_somebody(&self) -> bool {
        let email_in = |object| is_said(inside(object, "email"));
        let an_email =
            || email_in(self.traits) || email_in(self.properties) || email_in(inside(self.context, "traits"));
        is_said(self.user_id) || is_said(self.anonymous_id) || an_email()
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum FieldName {
    Type,
    Event,
    UserId,
    AnonymousId,
    MessageId,
    Timestamp,
    OriginalTimestamp,
    SentAt,
    Traits,
    Properties,
    Context,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key()? {
            let slot = match name {
                FieldName::Type => &mut fields.kind,
                FieldName::Event => &mut fields.event,
                FieldName::UserId => &mut fields.user_id,
                FieldName::AnonymousId => &mut fields.anonymous_id,
                FieldName::MessageId => &mut fields.message_id,
                FieldName::Timestamp => &mut fields.timestamp,
                FieldName::OriginalTimestamp => &mut fields.original_timestamp,
                FieldName::SentAt => &mut fields.sent_at,
                FieldName::Traits => &mut fields.traits,
                FieldName::Properties => &mut fields.properties,
                FieldName::Context => &mut fields.context,
                FieldName::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = Some(map.next_value()?);
        }
        Ok(fields)
    }
}

/// One field of an object, unread.
struct Inside<'k>(&'k str);

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let value = map.next_value()?;
            if key.0 == self.0 {
                found = Some(value);
            }
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn inside<'a>(object: Option<&'a RawValue>, key: &str) -> Option<&'a RawValue> {
    let mut reader = serde_json::Deserializer::from_str(object?.get());
    reader.deserialize_map(Inside(key)).ok().flatten()
}

fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let Key(text) = serde_json::from_str(value?.get()).ok()?;
    Some(text)
}

/// Whether a field holds anything; null, empty text and absent are the same.
fn is_said(value: Option<&RawValue>) -> bool {
    match value.map(RawValue::get) {
        None | Some("null") => false,
        Some(raw) if raw.starts_with('"') => text(value).is_none_or(|text| !text.trim().is_empty()),
        Some(_) => true,
    }
}

fn time(value: Option<&RawValue>) -> Option<UnixMicros> {
    moment_in_json(value?.get())
}

/// Text or a number, not empty.
fn id(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let raw = value?.get();
    let id = match raw.as_bytes().first()? {
        b'"' => text(value)?,
        b'-' | b'0'..=b'9' => Cow::Borrowed(raw),
        _ => return None,
    };
    (!id.trim().is_empty()).then_some(id)
}

fn nests_deeper_than(json: &str, max: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > max {
            return true;
        }
    }
    false
}
