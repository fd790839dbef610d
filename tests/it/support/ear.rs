//! Somebody who is told: an address on this machine that keeps what was posted to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use freshsignal::http::{ServeLimits, serve};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

type Heard = Arc<Mutex<Vec<Value>>>;

/// Listens until it is dropped, and takes everything.
pub struct Ear {
    heard: Heard,
    address: SocketAddr,
    _stop: DropGuard,
}

async fn hear(State(heard): State<Heard>, body: Bytes) -> &'static str {
    heard.lock().unwrap().push(serde_json::from_slice(&body).unwrap_or_default());
    "ok"
}

impl Ear {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, heard, stop) =
            (listener.local_addr().unwrap(), Heard::default(), CancellationToken::new());
        let router = Router::new().fallback(hear).with_state(Arc::clone(&heard));
        tokio::spawn(serve(listener, router, ServeLimits::default(), stop.clone()));
        Self { heard, address, _stop: stop.drop_guard() }
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The texts of all messages in Slack's form.
    pub fn texts(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|body| body["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
