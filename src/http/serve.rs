//! Serves a router on a bound socket: slow, silent and too many connections are closed, and a shutdown answers what is
//! in flight.
//!
//! Must not know routes. Its time-outs are real ones, not the injected clock's: they guard sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONNECTION};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::Instrument;

use super::body::{BodyLimits, discard};
use super::error::ApiError;
use super::forwarded::{FromTrustedProxy, TrustedProxies};
use super::guard::{Guarded, Traffic};
use super::peers::{Admitted, Peer, Peers};
use super::request_id::RequestId;

/// The limits of a listener.
#[derive(Clone, Debug)]
pub struct ServeLimits {
    /// From the first byte of a request (of a fresh connection: from its start) to the end of its headers.
    pub header_timeout: Duration,
    /// How long a kept connection may be silent; longer than load balancers reuse theirs (60 s is common).
    pub idle_timeout: Duration,
    /// How long an answer may wait for a client that does not read.
    pub write_timeout: Duration,
    /// Request line and headers.
    pub header_bytes_max: usize,
    /// Connections in all.
    pub connections_max: usize,
    /// Connections of one address, and requests under way of one client behind a trusted proxy.
    pub connections_per_peer_max: usize,
    /// Proxies: their connections count in all and not by address, their requests by the client they name.
    pub trusted_proxies: Arc<TrustedProxies>,
    /// Bytes of bodies that all requests of one address may hold in memory.
    pub body_bytes_per_peer_max: usize,
    /// How long a shutdown waits for requests in flight.
    pub shutdown_timeout: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(10),
            header_bytes_max: 16 * 1024,
            connections_max: 10_000,
            connections_per_peer_max: 1_000,
            trusted_proxies: Arc::default(),
            body_bytes_per_peer_max: 16 * 1024 * 1024,
            shutdown_timeout: Duration::from_secs(8),
        }
    }
}

/// hyper's read buffer of one connection; it must hold the headers.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
/// Connections over the limit that are told so at the same time; more are just closed.
const TURNED_AWAY_MAX: usize = 256;
/// After a failed accept (no file descriptor left, mostly) trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After a shutdown began, a connection without a request gets this long to finish sending one, and what has been sent
/// already to be read.
const LAST_CALL: Duration = Duration::from_millis(250);

/// The body of a request that is one too many is read so far, so that its sender sees the answer.
const REFUSED_BODY: BodyLimits = BodyLimits { bytes_max: 128 * 1024, deadline: Duration::from_secs(1) };

const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 79\r\n\r\n\
    {\"success\":false,\"code\":\"overloaded\",\"message\":\"too many connections are open\"}";

/// Serves until `shutdown`, then answers the requests in flight. Answers how many connections had to be cut because
/// they were not done in time.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    shutdown: CancellationToken,
) -> usize {
    let listening = Arc::new(Listening::new(router, limits, shutdown.clone()));
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => listening.take(stream, address),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    pause(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    listening.take_waiting(listener);
    listening.drain().await
}

/// All connections of a listener.
struct Listening {
    router: Router,
    limits: ServeLimits,
    builder: http1::Builder,
    /// Who connects, by address.
    peers: Arc<Peers>,
    /// Whose requests trusted proxies forward.
    clients: Arc<Peers>,
    /// A trusted proxy did not say whose request it forwards.
    nameless: AtomicBool,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    connections: TaskTracker,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Listening {
    fn new(router: Router, limits: ServeLimits, shutdown: CancellationToken) -> Self {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle_timeout)
            .max_header_size(limits.header_bytes_max)
            .max_buf_size(BUFFER_BYTES_MAX.max(limits.header_bytes_max));
        Self {
            router,
            builder,
            peers: Peers::new(limits.connections_per_peer_max, limits.body_bytes_per_peer_max),
            clients: Peers::new(limits.connections_per_peer_max, limits.body_bytes_per_peer_max),
            nameless: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            connections: TaskTracker::new(),
            shutdown,
            cut: CancellationToken::new(),
            limits,
        }
    }

    /// Takes the connections that nobody has accepted yet: closing the listener would reset them, with the requests
    /// that some have sent.
    fn take_waiting(self: &Arc<Self>, listener: TcpListener) {
        // It does not block: an error is the end of the queue, or as good as that.
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, address)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                self.take(stream, address);
            }
        }
    }

    fn take(self: &Arc<Self>, stream: TcpStream, address: SocketAddr) {
        // Small answers must not wait for more to send; a socket that refuses the option still works.
        let _ = stream.set_nodelay(true);
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let caller = if self.limits.trusted_proxies.trusts(address.ip()) {
            Some(Caller::Proxy)
        } else {
            self.peers.admit(address.ip()).map(Caller::Client)
        };
        match place.zip(caller) {
            Some((place, caller)) => {
                let listening = Arc::clone(self);
                self.connections.spawn(listening.answer(stream, address, place, caller));
            }
            None => {
                if let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() {
                    tokio::spawn(turn_away(stream, permit));
                }
            }
        }
    }

    /// One connection, from accept to close.
    async fn answer(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        _place: OwnedSemaphorePermit,
        caller: Caller,
    ) {
        let traffic = Arc::new(Traffic::default());
        let io =
            Guarded::new(stream, Arc::clone(&traffic), self.limits.header_timeout, self.limits.write_timeout);
        let service = service_fn(|request| {
            let in_flight = traffic.begin();
            let answered = self.answer_one(request, address, &caller);
            let shutdown = &self.shutdown;
            answered.map(move |answer| {
                drop(in_flight);
                answer.map(|answer| if shutdown.is_cancelled() { last(answer) } else { answer })
            })
        });
        let mut connection = std::pin::pin!(self.builder.serve_connection(TokioIo::new(io), service));
        tokio::select! {
            // A client that goes away or breaks the protocol is no news.
            _ = connection.as_mut() => return,
            () = self.shutdown.cancelled() => {}
        }
        // A request may lie in the socket, unread or in part: hyper would close such a connection at once if told now.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.cut.cancelled() => return,
            () = pause(LAST_CALL) => {}
        }
        if traffic.is_idle() {
            return;
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = self.cut.cancelled() => {}
        }
    }

    /// Answers one request. Its id stands in the answer and in the lines that it leads to.
    async fn answer_one(
        &self,
        request: Request<Incoming>,
        address: SocketAddr,
        caller: &Caller,
    ) -> Result<Response, Infallible> {
        let proxied = match caller {
            Caller::Client(_) => false,
            Caller::Proxy => true,
        };
        let id = RequestId::of(request.headers(), proxied);
        // Of the highest level, so that it is there whatever is logged.
        let span = tracing::error_span!("request", id = id.as_str());
        let mut answer = self.admitted(request, address, caller).instrument(span).await;
        id.name_in(&mut answer);
        Ok(answer)
    }

    /// Answers one request, if whoever sent it has not too many under way already.
    async fn admitted(&self, request: Request<Incoming>, address: SocketAddr, caller: &Caller) -> Response {
        let mut request = request.map(Body::new);
        match caller {
            Caller::Client(admitted) => routed(&self.router, request, address, &admitted.peer).await,
            Caller::Proxy => {
                let client = self.limits.trusted_proxies.client_of(request.headers());
                if client.is_none() && !self.nameless.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "a proxy of server.trusted_proxies sends no X-Forwarded-For and no Forwarded: all that it \
                         forwards counts as the requests of one client"
                    );
                }
                let client = client.unwrap_or(address.ip());
                let Some(admitted) = self.clients.admit(client) else { return too_many(request).await };
                request.extensions_mut().insert(FromTrustedProxy);
                let address = SocketAddr::new(client, address.port());
                routed(&self.router, request, address, &admitted.peer).await
            }
        }
    }

    async fn drain(&self) -> usize {
        self.connections.close();
        let all_done = within(self.limits.shutdown_timeout, self.connections.wait()).await;
        let cut = if all_done.is_some() { 0 } else { self.connections.len() };
        self.cut.cancel();
        self.connections.wait().await;
        cut
    }
}

/// Who holds a connection.
enum Caller {
    /// Whoever sends.
    Client(Admitted),
    /// One that forwards for others.
    Proxy,
}

/// A panic costs one request, not its connection.
async fn routed(
    router: &Router,
    mut request: Request<Body>,
    address: SocketAddr,
    peer: &Arc<Peer>,
) -> Response {
    request.extensions_mut().insert(ConnectInfo(address));
    request.extensions_mut().insert(Arc::clone(peer));
    match AssertUnwindSafe(router.clone().oneshot(request)).catch_unwind().await {
        Ok(Ok(answer)) => answer,
        Err(_panic) => ApiError::internal().into_response(),
    }
}

/// Refuses a request of a client that has as many under way as it may.
async fn too_many(request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    discard(&parts.headers, body, REFUSED_BODY).await;
    let message = "too many requests of this client are under way; send the same again a moment later";
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
    metrics::counter!("freshsignal_events_rejected_total", "code" => error.code()).increment(1);
    let mut answer = error.retry_after_seconds(1).into_response();
    // A page that may not read the answer would not know when to come again. There is nothing else in it.
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    answer
}

/// The last answer of a connection says so, and hyper closes after it.
fn last(mut answer: Response) -> Response {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Says why, then reads what was sent for a moment, so that the client sees the answer and no reset.
async fn turn_away(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let farewell = async {
        stream.write_all(TURNED_AWAY).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 1024];
        for _ in 0..64 {
            if stream.read(&mut ignored).await? == 0 {
                break;
            }
        }
        Ok::<(), std::io::Error>(())
    };
    // Best effort: the client is one too many.
    let _ = within(Duration::from_millis(500), farewell).await;
}

#[expect(clippy::disallowed_methods, reason = "the deadline guards a socket")]
async fn within<F: Future>(deadline: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(deadline, future).await.ok()
}

#[expect(clippy::disallowed_methods, reason = "the pause guards a socket")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
