//! Spans as OTLP has them in JSON.
//!
//! Pure. The protocol names a field `traceId`, writes ids in hexadecimal and 64-bit numbers as text.

use serde_json::{Value, json};

use super::span::{Attribute, Role, Span};
use crate::clock::UnixMicros;

/// What is posted to a collector.
pub(super) fn body(spans: &[Span]) -> Value {
    let resource = [
        attribute("service.name", &Attribute::Word("freshsignal".to_owned())),
        attribute("service.version", &Attribute::Word(env!("CARGO_PKG_VERSION").to_owned())),
    ];
    let spans: Vec<Value> = spans.iter().map(written).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "freshsignal" }, "spans": spans }],
    }] })
}

fn written(span: &Span) -> Value {
    let role = match span.role {
        Role::Internal => 1,
        Role::Server => 2,
        Role::Client => 3,
    };
    let link =
        |of: &super::ids::SpanRef| json!({ "traceId": of.trace.to_string(), "spanId": of.span.to_string() });
    let attributes: Vec<Value> = span.attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    let mut written = json!({
        "traceId": span.of.trace.to_string(),
        "spanId": span.of.span.to_string(),
        "name": span.name,
        "kind": role,
        "startTimeUnixNano": nanos(span.began),
        "endTimeUnixNano": nanos(span.ended.max(span.began)),
        "attributes": attributes,
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        // 2 is an error; 0 says nothing.
        "status": { "code": if span.failed { 2 } else { 0 } },
    });
    if let Some(parent) = span.parent {
        written["parentSpanId"] = json!(parent.to_string());
    }
    written
}

fn attribute(key: &str, value: &Attribute) -> Value {
    let value = match value {
        Attribute::Word(word) => json!({ "stringValue": word }),
        Attribute::Number(number) => json!({ "intValue": number.to_string() }),
    };
    json!({ "key": key, "value": value })
}

fn nanos(at: UnixMicros) -> String {
    (i128::from(at.0) * 1000).to_string()
}
