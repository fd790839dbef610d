//! Something that looks like the service to the tag, answers as a test says, and keeps what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use freshsignal::http::{ServeLimits, serve};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::app::Service;
use crate::support::wait::eventually;

/// What came to anything but `/tag.js`.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    /// The names of the events it carries.
    pub fn events(&self) -> Vec<String> {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let name = |event: &Value| event["event"].as_str().or(event["type"].as_str()).unwrap().to_owned();
        body["batch"].as_array().unwrap().iter().map(name).collect()
    }
}

/// A status, and a `Retry-After` where it has one.
pub type Answer = (u16, Option<&'static str>);

#[derive(Default)]
struct Seen {
    tag: String,
    /// A body with this in it is answered as by a firewall that knows nothing of CORS.
    refused: Option<&'static str>,
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

/// A recorder that runs until it is dropped.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Seen>,
    _stop: DropGuard,
}

impl Recorder {
    /// Serves the tag of a service, and answers in this order, then with 200.
    pub async fn start(service: &Service, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::refusing(service, answers, None).await
    }

    /// Lets no body through that has this in it.
    pub async fn refusing(
        service: &Service,
        answers: impl IntoIterator<Item = Answer>,
        refused: Option<&'static str>,
    ) -> Self {
        let tag = service.public(Method::GET, "/tag.js").send().await.unwrap().text().await.unwrap();
        let answers = Mutex::new(answers.into_iter().collect());
        let seen = Arc::new(Seen { tag, refused, answers, asked: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router =
            Router::new().route("/tag.js", get(tag_js)).fallback(record).with_state(Arc::clone(&seen));
        let stop = CancellationToken::new();
        let limits = ServeLimits { shutdown_timeout: Duration::ZERO, ..ServeLimits::default() };
        tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self { address, seen, _stop: stop.drop_guard() }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// What was asked, as soon as it is so much.
    pub async fn asked_for(&self, count: usize) -> Vec<Asked> {
        eventually(&format!("{count} requests"), async || {
            let asked = self.asked();
            if asked.len() >= count { Ok(asked) } else { Err(format!("{asked:?}")) }
        })
        .await
    }
}

async fn tag_js(State(seen): State<Arc<Seen>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], seen.tag.clone())
}

async fn record(
    State(seen): State<Arc<Seen>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let is_refused = seen.refused.is_some_and(|refused| body.contains(refused));
    seen.asked.lock().unwrap().push(Asked { method, path: uri.to_string(), headers, body });
    if is_refused {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (status, retry_after) = seen.answers.lock().unwrap().pop_front().unwrap_or((200, None));
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".parse().unwrap());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after".parse().unwrap());
    if let Some(retry_after) = retry_after {
        headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
    }
    response
}
