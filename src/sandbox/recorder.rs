//! The calls the sandbox has received, newest last. Must not keep the API key.

use std::collections::{BTreeMap, VecDeque};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clock::UnixMicros;

/// The oldest calls are dropped beyond this many…
const REQUESTS_MAX: usize = 10_000;
/// …and when their bodies take more room than this.
const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A call as it was received, and what became of it.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, names in lower case; of `authorization` only the scheme is kept.
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// The status of the answer; `None` when the call gets none.
    pub status: Option<u16>,
    /// When it arrived.
    pub at: UnixMicros,
}

impl RecordedRequest {
    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl Serialize for RecordedRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shown {
            method: &self.method,
            path: &self.path,
            headers: &self.headers,
            body: ShownBody::of(&self.body),
            status: self.status,
            at: self.at.to_rfc3339(),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    method: &'a str,
    path: &'a str,
    headers: &'a BTreeMap<String, String>,
    body: ShownBody<'a>,
    status: Option<u16>,
    at: String,
}

/// A body as JSON when it is JSON, as text when it is not, null when there is none.
#[derive(Serialize)]
#[serde(untagged)]
enum ShownBody<'a> {
    None,
    // Not a `Value`: that takes a hundred times the room of some bodies, and loses how numbers were written.
    Json(&'a RawValue),
    Text(String),
}

impl<'a> ShownBody<'a> {
    fn of(body: &'a [u8]) -> Self {
        if body.is_empty() {
            return Self::None;
        }
        match serde_json::from_slice(body) {
            Ok(json) => Self::Json(json),
            Err(_) => Self::Text(String::from_utf8_lossy(body).into_owned()),
        }
    }
}

/// The calls that are kept.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    requests: VecDeque<RecordedRequest>,
    bodies_bytes: usize,
    calls: u64,
}

impl Recorder {
    /// Keeps a call, and drops the oldest where there is no room.
    pub(super) fn keep(&mut self, request: RecordedRequest) {
        self.calls += 1;
        self.bodies_bytes += request.body.len();
        self.requests.push_back(request);
        while self.requests.len() > REQUESTS_MAX || self.bodies_bytes > BODIES_BYTES_MAX {
            let Some(dropped) = self.requests.pop_front() else {
                break;
            };
            self.bodies_bytes -= dropped.body.len();
        }
    }

    /// The calls that are kept, oldest first.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &RecordedRequest> {
        self.requests.iter()
    }

    /// How many calls there were, also those that are not kept any more.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// Forgets all calls.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The headers as they are kept.
pub(super) fn shown_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let text = if name == AUTHORIZATION { without_key(&text) } else { text.into_owned() };
        shown
            .entry(name.as_str().to_owned())
            .and_modify(|before| {
                before.push_str(", ");
                before.push_str(&text);
            })
            .or_insert(text);
    }
    shown
}

/// `Token token=KEY` becomes `Token token=***`, `Bearer KEY` becomes `Bearer ***`.
fn without_key(authorization: &str) -> String {
    if authorization.starts_with("Token token=") {
        return "Token token=***".to_owned();
    }
    authorization.split_once(' ').map_or_else(|| "***".to_owned(), |(scheme, _)| format!("{scheme} ***"))
}
