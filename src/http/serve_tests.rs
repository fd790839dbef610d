//! Tests of serving over real sockets, with small real time-outs.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::forwarded::TrustedProxies;
use super::*;

const SMALL: Duration = Duration::from_millis(200);
const ALL_TOO_LONG: Duration = Duration::from_secs(5);

#[expect(clippy::disallowed_methods, reason = "the sockets under test have real timers")]
async fn within<F: Future>(deadline: Duration, future: F) -> F::Output {
    tokio::time::timeout(deadline, future).await.expect("still waiting")
}

struct Server {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    done: JoinHandle<usize>,
}

impl Server {
    async fn start(router: Router, change: impl FnOnce(&mut ServeLimits)) -> Self {
        let mut limits = ServeLimits {
            header_timeout: SMALL,
            idle_timeout: Duration::from_mins(1),
            shutdown_timeout: SMALL,
            ..ServeLimits::default()
        };
        change(&mut limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let done = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        Self { address, shutdown, done }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends text, then reads until the server closes.
    async fn say(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        rest_of(&mut stream).await
    }
}

async fn rest_of(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    within(ALL_TOO_LONG, stream.read_to_end(&mut heard)).await.unwrap();
    String::from_utf8(heard).unwrap()
}

async fn one_answer(stream: &mut TcpStream) -> String {
    let mut heard = vec![0; 4096];
    let length = stream.read(&mut heard).await.unwrap();
    String::from_utf8_lossy(&heard[..length]).into_owned()
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_silent_connection_and_slow_headers_are_closed() {
    let server = Server::start(hello(), |_| {}).await;
    assert_eq!(server.say("").await, "");
    assert_eq!(server.say("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await, "");
}

#[tokio::test]
async fn every_answer_has_an_id_and_a_trusted_proxys_is_its_own() {
    let asked = |path: &str, id: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: {id}\r\n\r\n")
    };
    let server = Server::start(hello(), |_| {}).await;
    for path in ["/", "/nothing"] {
        let heard = server.say(&asked(path, "of-a-stranger")).await;
        assert!(heard.contains("\r\nx-request-id: ") && !heard.contains("of-a-stranger"), "{heard}");
    }
    let trusted = TrustedProxies::of(&["127.0.0.1".to_owned()]);
    let server = Server::start(hello(), |limits| limits.trusted_proxies = Arc::new(trusted)).await;
    let heard = server.say(&asked("/", "of-the-proxy.1")).await;
    assert!(heard.contains("\r\nx-request-id: of-the-proxy.1\r\n"), "{heard}");
}

#[tokio::test]
async fn the_header_timer_does_not_run_between_requests_but_does_for_the_second() {
    let server = Server::start(hello(), |limits| limits.header_timeout = Duration::from_millis(100)).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(one_answer(&mut stream).await.ends_with("hello"));
    #[expect(clippy::disallowed_methods, reason = "the socket's timers are real")]
    let idle = tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await;
    assert!(idle.is_err(), "closed while idle");
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(one_answer(&mut stream).await.ends_with("hello"));
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest_of(&mut stream).await, "");
}

#[tokio::test]
async fn a_kept_connection_that_stays_idle_is_closed() {
    let server = Server::start(hello(), |limits| limits.idle_timeout = SMALL).await;
    let heard = server.say(REQUEST).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && heard.ends_with("hello"), "{heard}");
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let server = Server::start(hello(), |limits| limits.header_bytes_max = 1024).await;
    let request = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(2000));
    assert!(server.say(&request).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_refused_large_body_still_gets_its_answer_and_no_reset() {
    let limits = BodyLimits { bytes_max: 1_300_000, deadline: ALL_TOO_LONG };
    let refuse = move |request: Request| async move {
        let (parts, body) = request.into_parts();
        read_whole(&parts, body, limits).await.map(|_| ()).map_err(ApiError::from)
    };
    let server = Server::start(Router::new().route("/", post(refuse)), |_| {}).await;
    let body = "x".repeat(5_000_000);
    for head in [
        "content-length: 5000000\r\nconnection: close\r\n\r\n",
        "connection: close\r\ntransfer-encoding: chunked\r\n\r\n4c4b40\r\n",
    ] {
        let end = if head.contains("chunked") { "\r\n0\r\n\r\n" } else { "" };
        let heard = server.say(&format!("POST / HTTP/1.1\r\nhost: x\r\n{head}{body}{end}")).await;
        assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
        assert!(heard.contains(r#""code":"body_too_large""#), "{heard}");
    }
}

#[tokio::test]
async fn who_asks_before_sending_a_large_body_is_refused_at_once() {
    let limits = BodyLimits { bytes_max: 1000, deadline: Duration::from_mins(1) };
    let refuse = move |request: Request| async move {
        let (parts, body) = request.into_parts();
        read_whole(&parts, body, limits).await.map(|_| ()).map_err(ApiError::from)
    };
    let server = Server::start(Router::new().route("/", post(refuse)), |_| {}).await;
    let heard = server
        .say("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5000\r\n\r\n")
        .await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
}

#[tokio::test]
async fn a_body_byte_by_byte_meets_the_deadline_of_the_whole() {
    let limits = BodyLimits { bytes_max: 1000, deadline: SMALL };
    let read = move |request: Request| async move {
        let (parts, body) = request.into_parts();
        read_whole(&parts, body, limits).await.map(|_| ()).map_err(ApiError::from)
    };
    let server = Server::start(Router::new().route("/", post(read)), |_| {}).await;
    let heard = server.say("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\nx").await;
    assert!(heard.starts_with("HTTP/1.1 503 "), "{heard}");
    assert!(heard.contains("retry-after: 1") && heard.contains("request_timeout"), "{heard}");
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so() {
    let server = Server::start(hello(), |limits| limits.connections_per_peer_max = 1).await;
    let mut first = server.connect().await;
    first.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(one_answer(&mut first).await.ends_with("hello"));
    let answer = server.say(REQUEST).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 1"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    assert!(body.contains(r#""code":"overloaded""#), "{body}");
}

fn behind_a_proxy(limits: &mut ServeLimits) {
    limits.connections_per_peer_max = 1;
    limits.body_bytes_per_peer_max = 10;
    limits.trusted_proxies = Arc::new(TrustedProxies::of(&["127.0.0.0/8".to_owned()]));
}

fn forwarded_for(client: &str, request: &str) -> String {
    request.replacen("\r\n", &format!("\r\nx-forwarded-for: 198.51.100.1, {client}, 127.0.0.9\r\n"), 1)
}

/// A route that answers once it is told to, and says when it was asked.
fn waiting() -> (Router, mpsc::Receiver<()>, Arc<tokio::sync::Semaphore>) {
    let (asked, was_asked) = mpsc::channel(9);
    let told = Arc::new(tokio::sync::Semaphore::new(0));
    let go = Arc::clone(&told);
    let wait = move || async move {
        asked.send(()).await.unwrap();
        go.acquire().await.unwrap().forget();
        "waited"
    };
    (hello().route("/wait", get(wait)), was_asked, told)
}

#[tokio::test]
async fn behind_a_proxy_requests_are_counted_by_client_and_connections_are_not() {
    let (router, mut was_asked, told) = waiting();
    let server = Server::start(router, behind_a_proxy).await;
    let mut first = server.connect().await;
    let wait = forwarded_for("203.0.113.9", "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    first.write_all(wait.as_bytes()).await.unwrap();
    was_asked.recv().await.unwrap();

    let mut second = server.connect().await;
    second.write_all(forwarded_for("203.0.113.9", REQUEST).as_bytes()).await.unwrap();
    let refused = one_answer(&mut second).await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("access-control-allow-origin: *\r\n"), "{refused}");
    assert!(refused.contains(r#""code":"too_many_requests""#), "{refused}");
    // The same connection carries the requests of others, and theirs are answered.
    second.write_all(forwarded_for("203.0.113.10", REQUEST).as_bytes()).await.unwrap();
    assert!(one_answer(&mut second).await.ends_with("hello"));

    told.add_permits(1);
    assert!(one_answer(&mut first).await.ends_with("waited"));
    second.write_all(forwarded_for("203.0.113.9", REQUEST).as_bytes()).await.unwrap();
    assert!(one_answer(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn what_anybody_else_says_of_its_address_does_not_count() {
    let server = Server::start(hello(), |limits| {
        behind_a_proxy(limits);
        limits.trusted_proxies = Arc::new(TrustedProxies::of(&["10.0.0.0/8".to_owned()]));
    })
    .await;
    let _kept = server.connect().await;
    let answer = server.say(&forwarded_for("203.0.113.9", REQUEST)).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

#[tokio::test]
async fn behind_a_proxy_bytes_of_bodies_are_counted_by_client() {
    let limits = BodyLimits { bytes_max: 1000, deadline: ALL_TOO_LONG };
    let read = move |request: Request| async move {
        let (parts, body) = request.into_parts();
        read_whole(&parts, body, limits).await.map(|_| "read").map_err(ApiError::from)
    };
    let server = Server::start(Router::new().route("/", post(read)), behind_a_proxy).await;
    let sends = |client: &str, bytes: usize| {
        let body = "x".repeat(bytes);
        let request = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {bytes}\r\n\r\n{body}");
        forwarded_for(client, &request)
    };
    // One that holds all it may, and waits for the rest.
    let mut slow = server.connect().await;
    let begun = sends("203.0.113.9", 10);
    slow.write_all(&begun.as_bytes()[..begun.len() - 1]).await.unwrap();
    let mut other = server.connect().await;
    for (client, bytes, answer) in [
        ("203.0.113.10", 10, "HTTP/1.1 200 "),
        ("203.0.113.10", 11, "HTTP/1.1 429 "),
        ("203.0.113.11", 1, "HTTP/1.1 200 "),
    ] {
        other.write_all(sends(client, bytes).as_bytes()).await.unwrap();
        let heard = one_answer(&mut other).await;
        assert!(heard.starts_with(answer), "{client} {bytes}: {heard}");
        assert_eq!(heard.contains("retry-after: 1\r\n"), answer.contains("429"), "{heard}");
    }
    slow.write_all(b"x").await.unwrap();
    assert!(one_answer(&mut slow).await.ends_with("read"));
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_connection_goes_on() {
    let router = hello().route("/panic", get(|| async { panic!("for the test") as StatusCode }));
    let server = Server::start(router, |_| {}).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = one_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains(r#""code":"internal""#), "{answer}");
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(one_answer(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_closed() {
    let (ended, mut wait_for_end) = mpsc::channel::<()>(1);
    let only_one = Arc::new(std::sync::Mutex::new(Some(ended)));
    let flood = move || {
        let held_while_sending = only_one.lock().unwrap().take();
        async move {
            let piece = axum::body::Bytes::from(vec![b'x'; 65_536]);
            let endless = futures_util::stream::repeat_with(move || {
                let _ = &held_while_sending;
                Ok::<_, std::io::Error>(piece.clone())
            });
            Body::from_stream(endless).into_response()
        }
    };
    let router = Router::new().route("/", get(flood));
    let server = Server::start(router, |limits| limits.write_timeout = SMALL).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    // The channel closes when the answer is dropped.
    assert_eq!(within(ALL_TOO_LONG, wait_for_end.recv()).await, None);
}

#[tokio::test]
async fn a_shutdown_answers_the_request_in_flight_and_closes_the_idle() {
    let (entered, mut wait_for_entry) = mpsc::channel::<()>(1);
    let (release, wait_for_release) = tokio::sync::watch::channel(false);
    let slow = move || {
        let (entered, mut release) = (entered.clone(), wait_for_release.clone());
        async move {
            entered.send(()).await.unwrap();
            release.wait_for(|released| *released).await.unwrap();
            "done"
        }
    };
    let server = Server::start(hello().route("/slow", get(slow)), |limits| {
        limits.shutdown_timeout = Duration::from_secs(5);
        limits.header_timeout = Duration::from_mins(1);
        limits.idle_timeout = Duration::from_mins(1);
    })
    .await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HT").await.unwrap();
    let mut kept = server.connect().await;
    kept.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(one_answer(&mut kept).await.ends_with("hello"));
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    wait_for_entry.recv().await.unwrap();
    server.shutdown.cancel();
    assert_eq!(rest_of(&mut kept).await, "");
    assert_eq!(rest_of(&mut silent).await, "");
    assert_eq!(rest_of(&mut half).await, "");
    assert!(TcpStream::connect(server.address).await.is_err(), "still accepting");
    release.send(true).unwrap();
    let heard = rest_of(&mut busy).await;
    assert!(heard.starts_with("HTTP/1.1 200 ") && heard.ends_with("done"), "{heard}");
    assert_eq!(server.done.await.unwrap(), 0);
}

#[tokio::test]
async fn a_shutdown_cuts_what_is_not_done_in_time() {
    let (entered, mut wait_for_entry) = mpsc::channel::<()>(1);
    let never = move || {
        let entered = entered.clone();
        async move {
            entered.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
    };
    let server = Server::start(Router::new().route("/", get(never)), |_| {}).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    wait_for_entry.recv().await.unwrap();
    server.shutdown.cancel();
    assert_eq!(server.done.await.unwrap(), 1);
}

/// Requests that have reached the machine but that nobody has read when the shutdown begins: the runtime of the test
/// has one thread, so the server does not run in between.
#[tokio::test]
async fn a_shutdown_answers_requests_that_lie_in_the_socket_unread() {
    let server = Server::start(hello(), |limits| limits.shutdown_timeout = Duration::from_secs(5)).await;
    let mut kept = server.connect().await;
    kept.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(one_answer(&mut kept).await.ends_with("hello"));
    let mut half = server.connect().await;
    half.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(one_answer(&mut half).await.ends_with("hello"));
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    tokio::task::yield_now().await;
    let mut silent = server.connect().await;
    tokio::task::yield_now().await;

    // Plain sockets: nothing here gives way to the server.
    let mut waiting = std::net::TcpStream::connect(server.address).unwrap();
    std::io::Write::write_all(&mut waiting, REQUEST.as_bytes()).unwrap();
    assert_eq!(kept.try_write(REQUEST.as_bytes()).unwrap(), REQUEST.len());
    assert_eq!(silent.try_write(REQUEST.as_bytes()).unwrap(), REQUEST.len());
    server.shutdown.cancel();

    half.write_all(b"host: x\r\n\r\n").await.unwrap();
    waiting.set_nonblocking(true).unwrap();
    let mut waiting = TcpStream::from_std(waiting).unwrap();
    for (stream, which) in
        [(&mut kept, "kept"), (&mut silent, "silent"), (&mut half, "half"), (&mut waiting, "waiting")]
    {
        let heard = rest_of(stream).await;
        assert!(heard.starts_with("HTTP/1.1 200 ") && heard.ends_with("hello"), "{which}: {heard:?}");
        assert!(heard.contains("connection: close\r\n"), "{which}: {heard:?}");
    }
    assert_eq!(server.done.await.unwrap(), 0);
}
