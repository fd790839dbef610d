//! The body of a webhook as a tree: JSON, or fields as a form posts them (`fields[email][value]=…`).
//!
//! Read only after its signature was found right. Must not know what a field means.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

/// Fields of one form.
const FIELDS_MAX: usize = 1_000;
/// Names in brackets inside each other.
const NESTING_MAX: usize = 8;

/// Reads a body; `None` for what is neither.
#[must_use]
pub fn read(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // Tools that say nothing of it, such as `curl -d`, call JSON a form. No field of one begins so.
    let is_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    if !is_json && kind.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Some(fields(body));
    }
    match serde_json::from_slice(body).ok()? {
        // Text that is JSON itself: whoever writes a template in quotes sends it so.
        Value::String(inner) => serde_json::from_str(&inner).ok().or(Some(Value::String(inner))),
        read => Some(read),
    }
}

fn fields(body: &[u8]) -> Value {
    let mut whole = Map::new();
    for (name, value) in form_urlencoded::parse(body).take(FIELDS_MAX) {
        let (first, rest) = name.split_once('[').unwrap_or((&name, ""));
        let inner = rest.split('[').map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty());
        let names: Vec<&str> = std::iter::once(first).chain(inner).take(NESTING_MAX).collect();
        put(&mut whole, &names, value.into_owned());
    }
    Value::Object(whole)
}

fn put(place: &mut Map<String, Value>, names: &[&str], value: String) {
    match names {
        [] => {}
        [last] => {
            place.entry(*last).or_insert(Value::String(value));
        }
        [first, rest @ ..] => {
            let inner = place.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
