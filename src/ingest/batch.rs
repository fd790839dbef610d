//! Takes a body apart: one event, an array, or `{"batch":[…]}`; then accepts or refuses each item.
//!
//! Works on borrowed slices: a tree of a hostile body costs many times its size. Must not wait or store anything.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::{NoContext, Timestamp, Uuid};

use super::form::{self, Captured};
use super::key::{self, Source};
use super::shared::Shared;
use crate::clock::UnixMicros;
use crate::event::{
    Arrival, Broken, EventLimits, EventRefusal, Header, Kind, Trust, broken, corrected, is_backfill,
    is_old_data, mend, moment_in_json,
};
use crate::store::NewRecord;

/// What a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One event, an array, or an object with a `batch` array.
    Any,
    /// One event or an array; an object is always an event.
    Events,
    /// An object with a `batch` array, or a bare array.
    Batch,
}

/// A body that is not JSON, or not of the form that the route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing was sent.
    #[error("the body is empty; it must be one event, an array of events, or {{\"batch\":[…]}}, as JSON")]
    Empty,
    /// Not JSON in UTF-8, from this place on.
    #[error("the body is not JSON in UTF-8: look at {0}")]
    NotJson(Broken),
    /// A batch route without a batch.
    #[error("the body must be {{\"batch\":[…]}} or an array of events")]
    NoBatch,
}

/// The events of a body, unread.
#[derive(Debug)]
pub enum Items<'a> {
    /// A single event: it is accepted or the request is refused.
    One(&'a RawValue),
    /// An array or batch: each is accepted or refused by itself.
    Many(Vec<&'a RawValue>),
}

/// A body taken apart.
#[derive(Debug)]
pub struct Parsed<'a> {
    /// Its events.
    pub items: Items<'a>,
    /// When the whole was sent, by the sender's clock; for items that do not say.
    pub sent_at: Option<UnixMicros>,
    /// The write key in the body, where one was looked for.
    pub write_key: Option<Cow<'a, str>>,
    /// What all its events share.
    pub shared: Shared<'a>,
}

impl<'a> Parsed<'a> {
    fn only(items: Items<'a>) -> Self {
        Self { items, sent_at: None, write_key: None, shared: Shared::default() }
    }
}

/// A body with what its writer got wrong mended, where that is worth another try.
pub fn mended(body: &[u8]) -> Option<String> {
    mend(std::str::from_utf8(body).ok()?)
}

/// Takes a body apart. An array stops being kept one item after `events_max`: the caller refuses it then.
///
/// # Errors
/// When it is not JSON, or not what the route takes.
pub fn parse(body: &[u8], form: Form, events_max: usize, find_key: bool) -> Result<Parsed<'_>, Malformed> {
    let not_json = || Malformed::NotJson(broken(body));
    let text = std::str::from_utf8(body).map_err(|_| not_json())?.trim_ascii();
    let first = text.bytes().next().ok_or(Malformed::Empty)?;
    let mut parsed = if first == b'[' {
        let items = several(text, events_max).ok_or_else(not_json)?;
        Parsed::only(Items::Many(items))
    } else {
        let parts = Parts { form, events_max, find_key };
        object(text, parts).unwrap_or_else(|| Err(not_json()))?
    };
    if find_key && parsed.write_key.is_none() {
        parsed.write_key = parsed.items.first_write_key();
    }
    Ok(parsed)
}

/// What of an object is looked for.
#[derive(Clone, Copy)]
struct Parts {
    form: Form,
    events_max: usize,
    find_key: bool,
}

/// `None` for what is not JSON.
fn object(text: &str, Parts { form, events_max, find_key }: Parts) -> Option<Result<Parsed<'_>, Malformed>> {
    let whole: &RawValue = serde_json::from_str(text).ok()?;
    // Most bodies are one event and say so at a glance; an escape may hide the word.
    let may_be_batch = form != Form::Events && (text.contains("\"batch\"") || text.contains("\\u"));
    let envelope = if may_be_batch || find_key { Envelope::of(whole) } else { Envelope::default() };
    let batch = envelope.batch.filter(|batch| form != Form::Events && batch.get().starts_with('['));
    Some(match batch {
        Some(batch) => Ok(Parsed {
            items: Items::Many(several(batch.get(), events_max)?),
            sent_at: envelope.sent_at.and_then(|value| moment_in_json(value.get())),
            write_key: string(envelope.write_key).and_then(key::in_text),
            shared: Shared::new(envelope.context, envelope.integrations),
        }),
        None if form == Form::Batch => Err(Malformed::NoBatch),
        None => Ok(Parsed::only(Items::One(whole))),
    })
}

impl<'a> Items<'a> {
    /// Some SDKs put the key into each event: the first speaks for all.
    fn first_write_key(&self) -> Option<Cow<'a, str>> {
        let first = match self {
            Self::One(event) => event,
            Self::Many(events) => events.first()?,
        };
        string(Envelope::of(first).write_key).and_then(key::in_text)
    }
}

fn several(array: &str, events_max: usize) -> Option<Vec<&RawValue>> {
    let mut reader = serde_json::Deserializer::from_str(array);
    let items = UpTo(events_max.saturating_add(1)).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(items)
}

/// Reads an array, keeping no more than this many items: `[0,0,0…` must not cost eight times its size.
struct UpTo(usize);

impl<'de> DeserializeSeed<'de> for UpTo {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for UpTo {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < self.0 {
            match seq.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(items),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(items)
    }
}

/// What may stand around a batch, and the id of an item. A key that stands twice counts the last time, as in JavaScript.
#[derive(Default)]
struct Envelope<'a> {
    batch: Option<&'a RawValue>,
    sent_at: Option<&'a RawValue>,
    write_key: Option<&'a RawValue>,
    message_id: Option<&'a RawValue>,
    context: Option<&'a RawValue>,
    integrations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EnvelopeField {
    Batch,
    SentAt,
    WriteKey,
    MessageId,
    Context,
    Integrations,
    #[serde(other)]
    Other,
}

impl<'a> Envelope<'a> {
    /// Empty for what is no object.
    fn of(value: &'a RawValue) -> Self {
        serde_json::Deserializer::from_str(value.get()).deserialize_map(EnvelopeVisitor).unwrap_or_default()
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(field) = map.next_key()? {
            let slot = match field {
                EnvelopeField::Batch => &mut envelope.batch,
                EnvelopeField::SentAt => &mut envelope.sent_at,
                EnvelopeField::WriteKey => &mut envelope.write_key,
                EnvelopeField::MessageId => &mut envelope.message_id,
                EnvelopeField::Context => &mut envelope.context,
                EnvelopeField::Integrations => &mut envelope.integrations,
                EnvelopeField::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = Some(map.next_value()?);
        }
        Ok(envelope)
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn string(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let Text(text) = serde_json::from_str(value?.get()).ok()?;
    (!text.is_empty()).then_some(text)
}

/// A refused item of an array or batch, as the answer names it.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the array, from 0.
    pub index: usize,
    /// Its id, where it has a usable one.
    #[serde(rename = "messageId")]
    pub message_id: Option<String>,
    /// `invalid_event` or `invalid_form`.
    pub code: &'static str,
    /// The detail.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// The code of a refused event.
pub const INVALID_EVENT: &str = "invalid_event";
const MESSAGE_ID_SHOWN_CHARS_MAX: usize = 100;

impl Rejected {
    /// Names an item and why it is refused.
    #[must_use]
    pub fn new(index: usize, raw: &RawValue, why: NotTaken) -> Self {
        let message_id = string(Envelope::of(raw).message_id)
            .map(|id| id.chars().take(MESSAGE_ID_SHOWN_CHARS_MAX).collect());
        let NotTaken { code, reason, message } = why;
        Self { index, message_id, code, reason, message }
    }
}

/// Why an item is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// `invalid_event`; of a form that the tag saw, `invalid_form`.
    pub code: &'static str,
    /// The detail.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl From<EventRefusal> for NotTaken {
    fn from(refusal: EventRefusal) -> Self {
        Self { code: INVALID_EVENT, reason: refusal.reason(), message: refusal.to_string() }
    }
}

/// What all items of a request share.
pub struct Intake<'a> {
    /// Who sends.
    pub source: &'a Source,
    /// The kind that the route names.
    pub by_route: Option<Kind>,
    /// Whether the route is the one for old data.
    pub arrival: Arrival,
    /// The limits of one event.
    pub limits: EventLimits,
    /// When the request was received.
    pub received_at: UnixMicros,
    /// How far the door lets it be believed.
    pub trust: Trust,
    /// The time of day is known to be right enough to call an event old.
    pub proven: bool,
    /// When the request was sent, by the sender's clock.
    pub sent_at: Option<UnixMicros>,
}

impl Intake<'_> {
    /// Accepts an item of a request, which may be a form that the tag saw. `None` for one that a robot filled.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn accept_item(&self, index: usize, raw: &RawValue) -> Result<Option<NewRecord>, NotTaken> {
        let is_small = raw.get().len() <= self.limits.event_bytes_max && self.by_route.is_none();
        let form = || form::captured(raw, self.source, self.received_at);
        match is_small.then(form).flatten() {
            None => Ok(Some(self.accept(index, raw)?)),
            // Whoever fills in a form may name anybody, whoever sends it on.
            Some(Captured::Lead(event)) => {
                Ok(Some(NewRecord { trust: Trust::Visitor, ..self.accept(index, &event)? }))
            }
            Some(Captured::Robot) => Ok(None),
            Some(Captured::Incomplete(missing)) => {
                let message = missing.to_string();
                Err(NotTaken { code: form::INVALID_FORM, reason: missing.reason(), message })
            }
        }
    }

    /// Accepts an event, or tells why not. The nth counts n microseconds later, so that a batch keeps its order.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn accept(&self, index: usize, raw: &RawValue) -> Result<NewRecord, EventRefusal> {
        let header = Header::read(raw, self.by_route, self.limits)?;
        let later = Duration::from_micros(u64::try_from(index).unwrap_or(u64::MAX));
        let received_at = self.received_at.plus(later);
        let mut claimed = header.claimed;
        claimed.sent_at = claimed.sent_at.or(self.sent_at);
        let at = corrected(claimed, received_at);
        let message_id = header.message_id.map_or_else(|| new_message_id(self.received_at), Cow::into_owned);
        Ok(NewRecord {
            source: self.source.name.clone(),
            people: self.source.people.clone(),
            kind: header.kind,
            received_at,
            at,
            message_id,
            backfill: is_backfill(
                self.arrival,
                header.backfill,
                claimed,
                self.proven && is_old_data(at, received_at),
            ),
            trust: self.trust,
            raw: self.source.kept_names.clean(raw, header.kind).unwrap_or_else(|| raw.get().to_owned()),
        })
    }
}

fn new_message_id(now: UnixMicros) -> String {
    let micros = u64::try_from(now.0).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, micros / 1_000_000, nanos)).to_string()
}
