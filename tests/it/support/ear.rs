//! Somebody who is told: an address on this machine that keeps what was posted to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use freshsignal::http::{ServeLimits, serve};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// The headers of Standard Webhooks by their names, where it had them.
    pub headers: BTreeMap<String, String>,
    pub text: String,
    pub body: Value,
}

#[derive(Clone)]
struct Heard {
    messages: Arc<Mutex<Vec<Message>>>,
    status: Arc<AtomicU16>,
}

/// Listens until it is dropped, and takes everything, unless it is told to answer otherwise.
pub struct Ear {
    heard: Heard,
    address: SocketAddr,
    _stop: DropGuard,
}

async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let of_webhooks = headers.iter().filter(|(name, _)| name.as_str().starts_with("webhook-"));
    let headers = of_webhooks.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let message = Message {
        headers: headers.collect(),
        text: String::from_utf8_lossy(&body).into_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    heard.messages.lock().unwrap().push(message);
    StatusCode::from_u16(heard.status.load(Ordering::Relaxed)).unwrap()
}

impl Ear {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let heard = Heard { messages: Arc::default(), status: Arc::new(AtomicU16::new(200)) };
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let router = Router::new().fallback(hear).with_state(heard.clone());
        tokio::spawn(serve(listener, router, ServeLimits::default(), stop.clone()));
        Self { heard, address, _stop: stop.drop_guard() }
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers so from now on.
    pub fn answer(&self, status: u16) {
        self.heard.status.store(status, Ordering::Relaxed);
    }

    /// Everything that it was told.
    pub fn messages(&self) -> Vec<Message> {
        self.heard.messages.lock().unwrap().clone()
    }

    /// The texts of all messages in Slack's form.
    pub fn texts(&self) -> Vec<String> {
        let heard = self.messages();
        heard.iter().map(|message| message.body["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
