//! Tests of the debugger: its router against a store in memory.

mod alerts;
mod config;
mod connect;
mod contacts;
mod deliveries;
mod events;
mod fake;
mod guard;
mod history;
mod map;
mod openapi;
mod page;
mod people;
mod rejected;
mod roles;
mod sqlite;
mod status;
mod stream;

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::allowance::{Pressure, Sharing, Window};
use crate::clock::ManualClock;
use crate::config_problem::Problem;
use crate::consent::SharedTally;
use crate::decision::{World, test_settings};
use crate::delivery::{Account, DeliveryId, Lane};
use crate::doors::{Door, Refused};
use crate::event::{Email, SourceName};
use crate::senders::{Rates, Watch};
use crate::store::StoreError;
use crate::turn::{Flow, Stalls};
use fake::{FakeStore, Held};

/// 2030-03-17T17:46:40Z
const START: UnixMicros = UnixMicros(1_900_000_000_000_000);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn settings() -> Settings {
    Settings { account: Account("acme.myfreshworks.com".into()), ..test_settings() }
}

fn window(limit: u32, used: u32) -> Window {
    Window { limit, used }
}

/// Settings that are not changed on the page.
struct NoEditor;

impl Editor for NoEditor {
    fn seen(&self) -> Result<Seen, EditRefused> {
        Err(EditRefused::Off)
    }

    fn preview(&self, _: &Draft, _: (&str, UnixMicros)) -> Result<Previewed, EditRefused> {
        Err(EditRefused::Off)
    }

    fn apply(&self, _: u64, _: UnixMicros) -> Result<Applied, EditRefused> {
        Err(EditRefused::Off)
    }
}

/// Nothing is set up on the page.
impl Setup for NoEditor {
    fn stands(&self) -> Stands {
        Stands { account: NamedAccount::Live, unasked: Some(String::new()), ..Stands::default() }
    }

    fn name_account(self: Arc<Self>, _: NewAccount, _: (String, UnixMicros)) -> Tested {
        Box::pin(async { Err(AccountRefused::Closed) })
    }

    fn start_again(&self) {}
}

impl Owner for NoEditor {
    fn owned(&self) -> Result<Owned, EditRefused> {
        Err(EditRefused::Off)
    }

    fn change(self: Arc<Self>, _: OwnedWish, _: (String, UnixMicros)) -> Ordered {
        Box::pin(async { Err(AccountRefused::Edit(EditRefused::Off)) })
    }

    fn revoke(&self) -> Result<bool, EditRefused> {
        Err(EditRefused::Off)
    }
}

/// A debugger over a store in memory.
struct Lab {
    store: Arc<FakeStore>,
    admin: Admin,
    usage: Usage,
    refused: Arc<RefusedLog>,
    traffic: Arc<Traffic>,
    ways: Ways,
    consent: SharedTally,
    pressure: Pressure,
    flow: Flow,
    stalls: Stalls,
    sharing: Option<Sharing>,
    senders: Arc<Watch>,
    rates: Arc<Rates>,
    board: Board,
    settings: Settings,
}

impl Lab {
    /// On loopback without a token.
    fn new() -> Self {
        let people = watch::Sender::new(Arc::default()).subscribe();
        let admin = Admin { token: None, people, allowed_hosts: Vec::new(), loopback: true, public: false };
        let usage = Usage { hour: window(900, 100), minute: window(90, 10) };
        let (refused, consent, pressure) = (Arc::default(), SharedTally::default(), Pressure::default());
        Self {
            store: Arc::default(),
            admin,
            usage,
            refused,
            traffic: Arc::default(),
            ways: Ways::default(),
            consent,
            pressure,
            flow: Flow::default(),
            stalls: Stalls::default(),
            sharing: None,
            senders: Arc::default(),
            rates: Arc::default(),
            board: Board::default(),
            settings: settings(),
        }
    }

    fn with_token() -> Self {
        let admin = Admin { token: Some(SecretString::from(TOKEN)), ..Self::new().admin };
        Self { admin, ..Self::new() }
    }

    /// Puts something into the store.
    fn holding(self, put: impl FnOnce(&mut Held)) -> Self {
        put(&mut self.store.0.lock().unwrap());
        self
    }

    fn debugger(&self, metrics: PrometheusHandle) -> Debugger {
        self.debugger_over(Arc::clone(&self.store) as SharedStore, metrics)
    }

    fn refuse(&self, at: UnixMicros, source: Option<&str>, code: &'static str, reason: Option<&'static str>) {
        let source = source.map(|name| SourceName(name.into()));
        self.refuse_at(Door::Events, at, source, (code, reason));
    }

    fn refuse_at(
        &self,
        door: Door,
        at: UnixMicros,
        source: Option<SourceName>,
        (code, reason): (&'static str, Option<&'static str>),
    ) {
        self.traffic.refused(source.as_ref(), &door, at);
        self.refused.add(Refused { at, source, door, route: "/ingest", code, reason });
    }

    fn debugger_over(&self, store: SharedStore, metrics: PrometheusHandle) -> Debugger {
        let settings = watch::Sender::new(Arc::new(self.settings.clone())).subscribe();
        let live = Live {
            vitals: Vitals {
                usage: watch::Sender::new(self.usage).subscribe(),
                sharing: watch::Sender::new(self.sharing).subscribe(),
                shares: [(Lane::Refresh, 60)].into(),
                dead_letters_max: 100,
                pressure: watch::Sender::new(self.pressure).subscribe(),
                flow: watch::Sender::new(self.flow.clone()).subscribe(),
                stalls: self.stalls.clone(),
                senders: Arc::clone(&self.senders),
                rates: Arc::clone(&self.rates),
                consent: self.consent.clone(),
                settings: settings.clone(),
            },
            board: watch::Sender::new(self.board.clone()).subscribe(),
            mode: Mode::Live,
            event_limits: EventLimits { event_bytes_max: 1000 },
            erasures: Erasures { ordered: Arc::default(), done: watch::Sender::new(0).subscribe() },
            refused: Arc::clone(&self.refused),
            traffic: Arc::clone(&self.traffic),
            ways: watch::Sender::new(Arc::new(self.ways.clone())).subscribe(),
        };
        let clock = Arc::new(ManualClock::at(START));
        let commands = Commands {
            owed: Arc::default(),
            by_hand: crate::freshsales::ByHand::default(),
            ordered: Arc::default(),
            decide: Arc::new(crate::decision::decide),
            editor: Arc::new(NoEditor),
            setup: Arc::new(NoEditor),
            owner: Arc::new(NoEditor),
            plan: Arc::new(|_: &Given| Err(vec![Problem::new("mapping.file", "m.toml", "a readable file")])),
            reload: Arc::new(|| Err(vec![Problem::new("mapping.file", "m.toml", "a readable file")])),
        };
        Debugger::new(store, settings, clock, self.admin.clone(), live, commands, metrics)
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let response = self.debugger(metrics).router().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = response.into_body();
        let text = if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            // It has no end: what comes first is enough.
            let frame = body.frame().await.unwrap().unwrap();
            frame.into_data().unwrap()
        } else {
            body.collect().await.unwrap().to_bytes()
        };
        Reply { status, headers, text: String::from_utf8(text.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(request("GET", path).body(Body::empty()).unwrap()).await
    }

    async fn map(&self, body: impl Into<Body>) -> Reply {
        self.send(request("POST", "/api/map").body(body.into()).unwrap()).await
    }

    /// What a route answers that succeeds.
    async fn json(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        reply.json()
    }
}

/// An answer.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Status, code, and the detail behind the code.
    fn refusal(&self) -> (u16, String, Value) {
        let body = self.json();
        assert_eq!(body["success"], false);
        (self.status.as_u16(), body["code"].as_str().unwrap().to_owned(), body["reason"].clone())
    }
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "127.0.0.1:8081")
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn seconds_later(seconds: u64) -> UnixMicros {
    START.plus(Duration::from_secs(seconds))
}

fn seconds_earlier(seconds: u64) -> UnixMicros {
    START.minus(Duration::from_secs(seconds))
}
