//! What the SDKs really sent, kept as cases: every request of `tests/fixtures/sdk/*.json` is sent again as it was.
//!
//! The cases of an SDK with a stand-in were recorded from the library by hand. The stand-in is held against them, so what it
//! sent itself must not take their place.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};

use super::gate::{REFUSED, Sent};
use super::{CALLS, OTHERS, SDKS, contact, installed, people};
use crate::support::app::{Setup, said, sum};

/// Headers that say something to the service; the others are the HTTP client's.
const HEADERS: [&str; 10] = [
    "authorization",
    "x-write-key",
    "x-retry-count",
    "x-enable-debug",
    "content-type",
    "content-encoding",
    "sentat",
    "anonymousid",
    "rsa-retry-attempt",
    "rsa-retry-reason",
];

#[tokio::test]
async fn what_the_sdks_sent_ends_as_the_right_contacts() {
    for sdk in &SDKS {
        let service = Setup::new().with("MAPPING__IDENTIFY", "create").start().await;
        for request in &requests(&fixtures(), sdk.short) {
            let mut asked = service.post_without_key(request["path"].as_str().unwrap());
            for (name, value) in request["headers"].as_object().unwrap() {
                asked = asked.header(name, value.as_str().unwrap());
            }
            let (status, answer) = said(asked.body(bytes(request))).await;
            assert_eq!((status.as_u16(), &answer["rejected"]), (200, &json!([])), "{}: {answer}", sdk.name);
            assert!(answer.get("error").is_none());
        }
        service.settled().await;
        let status = service.status().await;
        assert_eq!(sum(&status["outcomes"]), CALLS as u64, "{}", sdk.name);
        for person in people(sdk.short) {
            let email = person["traits"]["email"].as_str().unwrap();
            assert_eq!(service.crm.contact(email), Some(contact(&person)), "{}", sdk.name);
        }
        assert_eq!(service.crm.sandbox.contacts().len(), 1 + OTHERS);
        service.finish().await;
    }
}

/// Keeps what was accepted, as `target/sdks/recorded/{sdk}.json`: that is what the fixtures are made of.
pub fn keep(sdk: &str, sent: &[Sent]) {
    let folder = kept();
    std::fs::create_dir_all(&folder).unwrap();
    let mut seen = BTreeSet::new();
    let fresh = sent.iter().skip(REFUSED - 1).filter(|sent| seen.insert(message_ids(&event_json(sent))));
    let requests: Vec<Value> = fresh.map(request).collect();
    std::fs::write(
        folder.join(format!("{sdk}.json")),
        serde_json::to_string_pretty(&requests).unwrap() + "\n",
    )
    .unwrap();
}

/// What was kept of a stand-in, without what differs from run to run.
pub fn shapes(sdk: &str) -> Vec<Value> {
    requests(&kept(), sdk).into_iter().map(shape).collect()
}

/// What the fixture of its SDK has, without what differs from run to run.
pub fn wanted_shapes(sdk: &str) -> Vec<Value> {
    requests(&fixtures(), sdk).into_iter().map(shape).collect()
}

/// Ids and moments keep their length and their form, and lose their digits.
fn shape(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(shape).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| match (name.as_str(), &value) {
                ("messageId" | "timestamp" | "sentAt", Value::String(text)) => {
                    let text = text.replace(|letter: char| letter.is_ascii_hexdigit(), "0");
                    (name, Value::String(text))
                }
                _ => (name, shape(value)),
            })
            .collect(),
        other => other,
    }
}

fn requests(folder: &Path, sdk: &str) -> Vec<Value> {
    let text = std::fs::read(folder.join(format!("{sdk}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// How many of the refused requests came again, with the same events.
pub fn sent_again(sent: &[Sent]) -> usize {
    let ids: Vec<_> = sent.iter().map(|sent| message_ids(&event_json(sent))).collect();
    let came_again = |nth: &usize| ids[nth + 1..].iter().any(|later| ids[*nth].is_subset(later));
    (0..REFUSED).filter(came_again).count()
}

fn request(sent: &Sent) -> Value {
    let mut headers = Map::new();
    for name in HEADERS {
        if let Some(value) = sent.headers.get(name) {
            headers.insert(name.to_owned(), value.to_str().unwrap().into());
        }
    }
    json!({"path": sent.path, "headers": headers, "body": event_json(sent)})
}

fn event_json(sent: &Sent) -> Value {
    let mut plain = sent.body.to_vec();
    if sent.headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        plain.clear();
        GzDecoder::new(&sent.body[..]).read_to_end(&mut plain).unwrap();
    }
    serde_json::from_slice(&plain).unwrap()
}

/// The ids of the events of a body.
fn message_ids(body: &Value) -> BTreeSet<String> {
    let events = body["batch"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
    events.iter().map(|event| event["messageId"].as_str().unwrap().to_owned()).collect()
}

fn bytes(request: &Value) -> Vec<u8> {
    let plain = request["body"].to_string().into_bytes();
    if request["headers"]["content-encoding"] != "gzip" {
        return plain;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).unwrap();
    encoder.finish().unwrap()
}

fn kept() -> PathBuf {
    installed().join("recorded")
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sdk")
}
