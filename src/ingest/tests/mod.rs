//! Tests of ingest: requests go through the router, accepted events into a store in memory.

mod accepting;
mod captcha;
mod captured;
mod configuration;
mod doors;
mod forms;
mod hook_rules;
mod hooks;
mod openapi;
mod rates;
mod refusing;
mod sdks;
mod senders;
mod tag;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::clock::{ManualClock, UnixMicros};
use crate::event::{Kind, Position, Trust};
use crate::store::{Answer, JournalEnd, Record, StoreError, Stream};

const NOW: UnixMicros = UnixMicros(1_790_000_000_000_000);
const PAGE: &str = r#"{"type":"page","userId":"u-1","messageId":"m-1"}"#;
const ONE: &str = r#"{"success":true,"ok":true,"accepted":1,"rejected":[]}"#;

/// Keeps what is appended, or answers as it is told; can do nothing else.
#[derive(Default)]
struct Memory {
    records: Mutex<Vec<NewRecord>>,
    fails: Mutex<Option<StoreError>>,
    hangs: Mutex<bool>,
    refuses: Mutex<Option<String>>,
}

fn shut<T: Send + 'static>() -> Answer<T> {
    Box::pin(async { Err(StoreError::Shut) })
}

impl Journal for Memory {
    fn append(&self, records: Vec<NewRecord>) -> Answer<Position> {
        if *self.hangs.lock().unwrap() {
            return Box::pin(std::future::pending());
        }
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Box::pin(async { Err(error) });
        }
        assert!(!records.is_empty(), "an append of nothing");
        self.records.lock().unwrap().extend(records);
        Box::pin(async { Ok(Position(1)) })
    }

    fn journal_end(&self) -> JournalEnd {
        tokio::sync::watch::channel(Position(0)).1
    }

    fn read(&self, _: Stream, _: Position, _: usize, _: usize) -> Answer<Vec<Record>> {
        shut()
    }

    fn record(&self, _: Position) -> Answer<Option<Record>> {
        shut()
    }

    fn refusing(&self) -> Option<String> {
        self.refuses.lock().unwrap().clone()
    }

    fn refusing_old(&self) -> Option<String> {
        None
    }
}

/// An ingest with its store and clock.
struct Bench {
    ingest: Ingest,
    store: Arc<Memory>,
    clock: ManualClock,
}

const SOURCES: &str = r#"
    [website]
    write_key = "web"
    write_keys = ["web-old"]
    allowed_origins = ["https://shop.example.com", "https://*.example.org"]
    [server]
    write_key = "srv"
    people = "staff"
    [off]
    allowed_origins = ["https://off.example.com"]
"#;

impl Bench {
    fn new() -> Self {
        Self::with("", SOURCES)
    }

    fn with(server: &str, sources: &str) -> Self {
        let store = Arc::new(Memory::default());
        let clock = ManualClock::at(NOW);
        let server: ServerConfig = toml::from_str(server).unwrap();
        let sources: Sources = toml::from_str(sources).unwrap();
        let ingest =
            Ingest::new(&server, &sources, store.clone(), Arc::new(clock.clone()), Traces::default());
        Self { ingest, store, clock }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.ingest.router().oneshot(request).await.unwrap()
    }

    /// Posts with the key of the source `server`; answers status and body.
    async fn post(&self, path: &str, body: impl Into<Body>) -> (u16, String) {
        let request = Request::post(path).header("x-write-key", "srv").body(body.into()).unwrap();
        read(self.send(request).await).await
    }

    /// What was refused, newest first.
    fn refused(&self) -> Vec<Refused> {
        let log = self.ingest.refused();
        log.newest_first(None, usize::MAX, |_| true).into_iter().map(|(_, refused)| refused).collect()
    }

    fn records(&self) -> Vec<NewRecord> {
        self.store.records.lock().unwrap().clone()
    }
}

async fn read(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Status, code and reason of a refusal, after a look at its shape.
fn refusal((status, body): (u16, String)) -> (u16, String, String) {
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["success"], false);
    assert!(!body["message"].as_str().unwrap().is_empty());
    let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (status, word("code"), word("reason"))
}

fn said(status: u16, code: &str, reason: &str) -> (u16, String, String) {
    (status, code.to_owned(), reason.to_owned())
}
