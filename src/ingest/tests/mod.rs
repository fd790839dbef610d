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
use crate::delivery::{
    Account, Bound, BulkJob, CompanyKey, DealKey, Delivery, DeliveryId, HappeningId, Subject,
};
use crate::erasure::{Erasure, ForgetOrder, Forgetting};
use crate::event::{Email, Kind, Position, Trust};
use crate::person::PersonKey;
use crate::store::{
    Answer, DeadLetter, DealQuery, DeliveryQuery, DeliveryStands, DeliverySummary, Destination, Documents,
    Due, DueQuery, EventQuery, Failed, HappeningQuery, Herald, JournalEnd, Keep, Keys, News, OpenErasures,
    Place, Plan, Processed, ProcessedEnd, Record, RecordQuery, Silent, Slot, Store, StoreError, Stream,
    Totals, Turn, Versioned,
};
use crate::trail::EventTrail;

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

impl Store for Memory {
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
    fn processed(&self) -> Answer<Processed> {
        shut()
    }
    fn turn(&self) -> std::pin::Pin<Box<dyn Future<Output = Turn> + Send>> {
        Box::pin(std::future::pending())
    }
    fn load(&self, _: Keys) -> Answer<Documents> {
        shut()
    }
    fn apply(&self, _: Plan) -> Answer<()> {
        shut()
    }
    fn worked(&self) -> Duration {
        Duration::ZERO
    }
    fn contacts(&self, _: Option<Email>, _: usize) -> Answer<Vec<Email>> {
        shut()
    }
    fn deals(&self, _: DealQuery) -> Answer<Vec<DealKey>> {
        shut()
    }
    fn open_happenings(&self, _: HappeningQuery) -> Answer<Vec<HappeningId>> {
        shut()
    }
    fn companies(&self, _: Option<CompanyKey>, _: usize) -> Answer<Vec<CompanyKey>> {
        shut()
    }
    fn listed(&self, _: RecordQuery) -> Answer<Vec<(u64, Subject)>> {
        shut()
    }
    fn members(&self, _: Email, _: Option<PersonKey>, _: usize) -> Answer<Vec<PersonKey>> {
        shut()
    }
    fn contacts_count(&self) -> Answer<u64> {
        shut()
    }
    fn dead_letters(&self, _: Account, _: u64, _: usize) -> Answer<Vec<DeadLetter>> {
        shut()
    }
    fn due(&self, _: DueQuery) -> Answer<(Vec<Due>, Option<UnixMicros>)> {
        shut()
    }
    fn bounded(&self, _: Account, _: UnixMicros) -> Answer<Vec<(Bound, UnixMicros)>> {
        shut()
    }
    fn slots(&self, _: Account, _: UnixMicros) -> Answer<(Vec<Slot>, u64)> {
        shut()
    }
    fn selectors(&self, _: Account) -> Answer<crate::selectors::Selectors> {
        shut()
    }
    fn bulk_jobs(&self, _: Account) -> Answer<Vec<BulkJob>> {
        shut()
    }
    fn events(&self, _: EventQuery) -> Answer<Vec<EventTrail>> {
        shut()
    }
    fn event(&self, _: String, _: Option<SourceName>) -> Answer<Option<EventTrail>> {
        shut()
    }
    fn failed(&self, _: Position, _: usize) -> Answer<Vec<Failed>> {
        shut()
    }
    fn record(&self, _: Position) -> Answer<Option<Record>> {
        shut()
    }
    fn deliveries(&self, _: DeliveryQuery) -> Answer<Vec<DeliverySummary>> {
        shut()
    }
    fn delivery(&self, _: DeliveryId) -> Answer<Option<Delivery>> {
        shut()
    }
    fn stands(&self, _: BTreeSet<DeliveryId>) -> Answer<BTreeMap<DeliveryId, DeliveryStands>> {
        shut()
    }
    fn totals(&self, _: Account) -> Answer<Totals> {
        shut()
    }
    fn delivered_since(&self, _: Account, _: UnixMicros, _: usize) -> Answer<Vec<Duration>> {
        shut()
    }
    fn news(&self) -> News {
        Herald::default().news()
    }
    fn prune(&self, _: Keep) -> Answer<u64> {
        shut()
    }
    fn processed_end(&self) -> ProcessedEnd {
        tokio::sync::watch::channel(Processed::default()).1
    }
    fn find(&self, _: Vec<String>, _: Place) -> Answer<(Keys, Option<Place>)> {
        shut()
    }
    fn silent(&self, _: Silent, _: Place) -> Answer<(Keys, Option<Place>)> {
        shut()
    }
    fn forgets(&self, _: Account, _: UnixMicros) -> Answer<(Option<ForgetOrder>, Option<UnixMicros>)> {
        shut()
    }
    fn outputs_due(
        &self,
        _: String,
        _: UnixMicros,
        _: usize,
    ) -> Answer<(Vec<crate::output::Output>, Option<UnixMicros>)> {
        shut()
    }
    fn outputs(&self, _: crate::store::OutputQuery) -> Answer<Vec<(u64, crate::output::Output)>> {
        shut()
    }
    fn gate(&self, _: String) -> Answer<Versioned<crate::output::Gate>> {
        shut()
    }
    fn outputs_made(&self) -> tokio::sync::watch::Receiver<u64> {
        tokio::sync::watch::channel(0).1
    }
    fn alerts(&self) -> Answer<Vec<crate::cause::Alert>> {
        shut()
    }
    fn suppressed(&self, _: Option<u64>, _: usize) -> Answer<Vec<crate::store::Suppressed>> {
        shut()
    }
    fn held_withdrawals(&self, _: Account) -> Answer<BTreeSet<DeliveryId>> {
        shut()
    }

    fn destinations(&self) -> Answer<BTreeMap<Account, Versioned<Destination>>> {
        shut()
    }

    fn look_ups(&self) -> Answer<Vec<ForgetOrder>> {
        shut()
    }

    fn erasures(&self) -> Answer<OpenErasures> {
        shut()
    }
    fn erasure(&self, _: u64) -> Answer<Option<(Erasure, Forgetting)>> {
        shut()
    }
    fn erase_rows(&self, _: Erasure) -> Answer<Erasure> {
        shut()
    }
    fn blank(&self) -> Answer<u64> {
        shut()
    }
    fn wipe(&self) -> Answer<bool> {
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
        let ingest = Ingest::new(&server, &sources, store.clone(), Arc::new(clock.clone()));
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
