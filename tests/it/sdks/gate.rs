//! Stands before the service the way a bad network does: the first events are turned away, of the next the answer is
//! lost, then all goes well. Keeps what came. Must not read events.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use freshsignal::http::{ServeLimits, serve};
use reqwest::Client;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The first requests with events that get a 503.
pub const REFUSED: usize = 2;
/// What a test lets through at most.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A request with events as it came.
#[derive(Clone)]
pub struct Sent {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A gate that stands until it is dropped.
pub struct Gate {
    address: SocketAddr,
    inner: Arc<Inner>,
    _stop: DropGuard,
}

struct Inner {
    target: String,
    client: Client,
    sent: Mutex<Vec<Sent>>,
    answered: AtomicUsize,
}

impl Gate {
    /// Lets through to this origin.
    pub async fn before(target: String, client: Client) -> Self {
        let inner = Arc::new(Inner { target, client, sent: Mutex::default(), answered: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let there = Arc::clone(&inner);
        let router = Router::new().fallback(async move |request: Request| there.answer(request).await);
        let stop = CancellationToken::new();
        let limits = ServeLimits { shutdown_timeout: Duration::ZERO, ..ServeLimits::default() };
        tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self { address, inner, _stop: stop.drop_guard() }
    }

    /// Its origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether every request with events has got its answer.
    pub fn rests(&self) -> bool {
        self.inner.answered.load(Ordering::SeqCst) == self.sent().len()
    }

    /// The requests with events, in their order.
    pub fn sent(&self) -> Vec<Sent> {
        self.inner.sent.lock().unwrap().clone()
    }
}

impl Inner {
    async fn answer(&self, request: Request) -> Response {
        let with_events = request.method() == Method::POST;
        let response = self.pass(request).await;
        self.answered.fetch_add(usize::from(with_events), Ordering::SeqCst);
        response
    }

    async fn pass(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
        let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap();
        let nth = if parts.method == Method::POST {
            let mut sent = self.sent.lock().unwrap();
            sent.push(Sent { path: path.clone(), headers: parts.headers.clone(), body: body.clone() });
            sent.len()
        } else {
            usize::MAX
        };
        if nth < REFUSED {
            return away(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        let url = format!("{}{path}", self.target);
        let asked = self.client.request(parts.method, url).headers(parts.headers).body(body);
        let answer = asked.send().await.unwrap();
        let mut response = Response::new(Body::empty());
        (*response.status_mut(), *response.headers_mut()) = (answer.status(), answer.headers().clone());
        *response.body_mut() = Body::from(answer.bytes().await.unwrap());
        if nth == REFUSED { away(response) } else { response }
    }
}

/// What somebody between them answers.
fn away(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
