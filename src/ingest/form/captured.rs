//! A form that the tag saw being sent: `{"type":"form","fields":[["email","…"],…]}` among its events.
//!
//! It becomes the same event as a posted one, by the same rules, with what the tag knows of the visitor. Must not know how
//! events are answered.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::fields::{FIELDS_MAX, Fields};
use super::lead::{self, FormRules, Missing, Read};
use crate::clock::UnixMicros;
use crate::event::{moment, parse_body};

/// What a form that was seen comes to.
#[derive(Debug)]
pub enum Captured {
    /// The event it is.
    Lead(Box<RawValue>),
    /// A robot filled it.
    Robot,
    /// Something was not filled.
    Incomplete(Missing),
}

/// Reads what the tag saw; `None` for what is no form.
pub fn read(raw: &RawValue, rules: &FormRules, source: &str, now: UnixMicros) -> Option<Captured> {
    if !raw.get().contains("\"form\"") {
        return None;
    }
    let mut known = parse_body(raw.get());
    if known.get("type").and_then(Value::as_str) != Some("form") {
        return None;
    }
    let fields = fields_of(&mut known);
    // The service names it by what it says, so that a double click is one lead.
    known.shift_remove("messageId");
    // What waited in a browser was filled in when it was sent there.
    let at = known.get("timestamp").and_then(moment).unwrap_or(now);
    Some(match lead::read(&fields, rules, known, source, at) {
        Read::Lead(event) => Captured::Lead(to_raw_value(&event).ok()?),
        Read::Robot => Captured::Robot,
        Read::Incomplete(missing) => Captured::Incomplete(missing),
    })
}

fn fields_of(known: &mut Map<String, Value>) -> Fields {
    let Some(Value::Array(fields)) = known.shift_remove("fields") else { return Fields::new() };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let fields = fields.iter().filter_map(|field| Some((text(field.get(0))?, text(field.get(1))?)));
    fields.filter(|(name, _)| !name.is_empty()).take(FIELDS_MAX).collect()
}
