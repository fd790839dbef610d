//! The client against small servers that behave well, badly or not at all.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::clock::{Clock, ManualClock, Sleep, UnixMicros};
use crate::delivery::{BODY_KEPT_BYTES_MAX, BlockCause, Request, RetryAfter, Verdict};
use crate::freshsales::{ApiKey, CallResult, Client, Config, Crm, Timeouts, Transport};

pub(super) const KEY: &str = "k3y-for-tests";
const DOCUMENTED: &str = r#"{"unique_identifier":{"emails":"sam.lee@example.com"},"contact":{"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","subscription_status":"subscribed"}}"#;

fn upsert() -> Request {
    Request::UpsertContact { body: body(), shows_companies: false }
}

fn body() -> Value {
    serde_json::from_str(DOCUMENTED).unwrap()
}

pub(super) fn client(base_url: String, attempt: Duration) -> Client {
    let config = Config { bundle_alias: "acme".to_owned(), base_url, ..Config::default() };
    let clock = ManualClock::at(UnixMicros::parse("2026-03-03T12:00:00Z").unwrap());
    let timeouts = Timeouts { connect: Duration::from_secs(1), attempt };
    let endpoint = config.endpoint().unwrap();
    Client::new(endpoint, ApiKey::parse(KEY).unwrap(), &Transport::default(), timeouts, Arc::new(clock))
        .unwrap()
}

/// Notes what it hears.
#[derive(Clone, Default)]
struct Listening(Arc<std::sync::Mutex<Vec<UnixMicros>>>);

impl Clock for Listening {
    fn wall(&self) -> UnixMicros {
        UnixMicros(0)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep_until(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }

    fn hears(&self, other: UnixMicros) {
        self.0.lock().unwrap().push(other);
    }
}

#[tokio::test]
async fn the_date_of_an_answer_is_told_to_the_clock() {
    let heard = Listening::default();
    for head in ["date: Tue, 03 Mar 2026 12:00:00 GMT\r\n", "date: soon\r\n", ""] {
        let (base_url, _server) = server(answer("200 OK", head, "{}"), Then::Close).await;
        let config = Config { bundle_alias: "acme".to_owned(), base_url, ..Config::default() };
        let timeouts = Timeouts { connect: Duration::from_secs(1), attempt: Duration::from_secs(5) };
        let key = ApiKey::parse(KEY).unwrap();
        let client = Client::new(
            config.endpoint().unwrap(),
            key,
            &Transport::default(),
            timeouts,
            Arc::new(heard.clone()),
        )
        .unwrap();
        client.call(upsert()).await;
    }
    assert_eq!(*heard.0.lock().unwrap(), [UnixMicros::parse("2026-03-03T12:00:00Z").unwrap()]);
}

/// What a server does once it has read a request and written its answer.
enum Then {
    Close,
    Hang,
    WriteOn,
}

/// Answers one request; ends with the bytes of that request, and the door at which a second one would wait.
async fn server(answer: Vec<u8>, then: Then) -> (String, JoinHandle<(String, TcpListener)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(&answer).await.unwrap();
        match then {
            Then::Close => drop(stream),
            // The client goes away by itself.
            Then::Hang => drop(stream.read(&mut [0; 1]).await),
            Then::WriteOn => while stream.write_all(&[b'x'; 4096]).await.is_ok() {},
        }
        (request, listener)
    });
    (base_url, task)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"}}") {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.unwrap();
        assert_ne!(read, 0, "the request ended early");
        request.extend(&chunk[..read]);
    }
    String::from_utf8(request).unwrap()
}

pub(super) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// One upsert against a server of that behaviour, with whether it was called a second time.
async fn call(answer: Vec<u8>, then: Then) -> (CallResult, String, bool) {
    let (base_url, server) = server(answer, then).await;
    let result = client(base_url, Duration::from_millis(400)).call(upsert()).await;
    let (request, listener) = server.await.unwrap();
    let another = listener.into_std().unwrap().accept().is_ok();
    let shown = format!("{result:?}");
    assert!(!shown.contains(KEY), "{shown}");
    (result, request, another)
}

fn passing(result: &CallResult) -> &str {
    let Verdict::Passing { reason } = &result.verdict else {
        panic!("not passing: {:?}", result.verdict);
    };
    assert_eq!(result.error.as_ref(), Some(reason));
    reason
}

#[tokio::test]
async fn the_documented_call_has_exactly_these_bytes() {
    let created =
        answer("201 Created", "content-type: application/json\r\n", r#"{"contact":{"id":70054866612}}"#);
    let (result, request, _) = call(created, Then::Close).await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, DOCUMENTED);
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /crm/sales/api/contacts/upsert HTTP/1.1");
    lines.retain(|line| !line.starts_with("host: "));
    lines.sort_unstable();
    let agent = format!("user-agent: freshsignal/{}", env!("CARGO_PKG_VERSION"));
    let length = format!("content-length: {}", DOCUMENTED.len());
    let expected = [
        "accept: */*",
        "authorization: Token token=k3y-for-tests",
        &length,
        "content-type: application/json",
        &agent,
        "x-bundle-alias: acme",
    ];
    assert_eq!(lines, expected);
    let Verdict::Stored(stored) = result.verdict else {
        panic!("not stored");
    };
    assert_eq!((stored.id, stored.created), (Some(70_054_866_612), true));
    assert_eq!((result.status_label, result.error), ("201", None));
    assert_eq!(result.response.unwrap().body, r#"{"contact":{"id":70054866612}}"#);
}

#[tokio::test]
async fn what_is_described_is_what_is_sent_less_the_key() {
    let (base_url, server) = server(answer("200 OK", "", "{}"), Then::Close).await;
    let client = client(base_url.clone(), Duration::from_secs(1));
    let described = client.describe(&upsert());
    assert_eq!(described, client.call(upsert()).await.request);
    server.await.unwrap();
    assert_eq!(described.method, "POST");
    assert_eq!(described.url, format!("{base_url}/crm/sales/api/contacts/upsert"));
    assert_eq!(described.body, body());
    assert_eq!(
        described.headers,
        [
            ("Authorization".to_owned(), "Token token=[redacted]".to_owned()),
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("User-Agent".to_owned(), format!("freshsignal/{}", env!("CARGO_PKG_VERSION"))),
            ("X-Bundle-Alias".to_owned(), "acme".to_owned()),
        ]
    );
    assert!(!format!("{client:?}").contains(KEY));
}

#[test]
fn the_account_s_own_host_needs_no_alias_header() {
    let config = Config { bundle_alias: "acme".to_owned(), ..Config::default() };
    let described = config
        .endpoint()
        .unwrap()
        .describe(&Request::UpsertContact { body: json!({}), shows_companies: false });
    assert_eq!(described.url, "https://acme.myfreshworks.com/crm/sales/api/contacts/upsert");
    assert!(described.headers.iter().all(|(name, _)| name != "X-Bundle-Alias"));
}

#[tokio::test]
async fn a_server_that_never_answers_will_pass() {
    let (result, _, _) = call(Vec::new(), Then::Hang).await;
    assert_eq!(passing(&result), "no whole answer within 0.4 s");
    assert_eq!((result.status_label, result.response), ("timeout", None));
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_will_pass() {
    let (result, _, another) = call(Vec::new(), Then::Close).await;
    assert!(passing(&result).starts_with("the connection broke off: "));
    assert_eq!((result.status_label, result.response, another), ("error", None, false));
}

#[tokio::test]
async fn half_a_stored_contact_is_not_stored() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"contact\":".to_vec();
    let (result, _, _) = call(half, Then::Close).await;
    assert!(passing(&result).starts_with("the connection broke off: "));
    assert_eq!(result.status_label, "error");
    assert_eq!(result.response.unwrap().body, "{\"contact\":");
}

#[tokio::test]
async fn half_a_body_that_hangs_will_pass() {
    let half = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 99\r\n\r\n{\"errors\":".to_vec();
    let (result, _, _) = call(half, Then::Hang).await;
    assert_eq!(passing(&result), "no whole answer within 0.4 s");
    assert_eq!(result.status_label, "timeout");
}

#[tokio::test]
async fn half_a_throttle_is_a_throttle() {
    let half = b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 99\r\n\r\n{".to_vec();
    let (result, _, _) = call(half, Then::Close).await;
    let Verdict::Throttled { retry_after, .. } = result.verdict else {
        panic!("not throttled");
    };
    assert_eq!(retry_after, RetryAfter::For(Duration::from_secs(7)));
}

#[tokio::test]
async fn an_endless_body_is_read_to_a_limit() {
    let head = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let (result, _, _) = call(head, Then::WriteOn).await;
    let Verdict::Refused { reason, .. } = result.verdict else {
        panic!("not refused");
    };
    assert_eq!(reason, format!("{}…", "x".repeat(299)));
    assert_eq!(result.response.unwrap().body, "x".repeat(BODY_KEPT_BYTES_MAX));
    assert_eq!(result.status_label, "400");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let away = answer("302 Found", "location: /crm/sales/login?token=secret\r\n", "");
    let (result, _, another) = call(away, Then::Close).await;
    let Verdict::Blocked { cause, reason } = result.verdict else {
        panic!("not blocked");
    };
    assert_eq!(cause, BlockCause::NoSuchAccount);
    assert!(!reason.contains("login"));
    assert_eq!((result.status_label, another), ("3xx", false));
}

#[tokio::test]
async fn a_page_with_200_will_pass() {
    let (result, _, _) =
        call(answer("200 OK", "content-type: text/html\r\n", "<html>Sign in"), Then::Close).await;
    assert!(passing(&result).contains("a proxy stands before Freshsales"));
    assert_eq!(result.response.unwrap().body, "<html>Sign in");
    assert_eq!(result.status_label, "200");
}

#[tokio::test]
async fn an_answer_that_echoes_the_key_is_shown_without_it() {
    let echo = answer("400 Bad Request", "", r#"{"message":"Token token=k3y-for-tests is odd"}"#);
    let (result, _, _) = call(echo, Then::Close).await;
    let Verdict::Refused { reason, .. } = result.verdict else {
        panic!("not refused");
    };
    assert_eq!(reason, "Token token=[redacted] is odd");
    assert_eq!(result.response.unwrap().body, r#"{"message":"Token token=[redacted] is odd"}"#);
}

#[tokio::test]
async fn an_answer_that_is_not_http_will_pass() {
    let (result, _, _) = call(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), Then::Close).await;
    assert!(passing(&result).starts_with("the connection broke off: "));
    assert_eq!(result.status_label, "error");
}

#[tokio::test]
async fn a_closed_port_will_pass_and_its_address_is_not_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let result = client(format!("http://{address}"), Duration::from_secs(1)).call(upsert()).await;
    assert_eq!(passing(&result), "no connection: Connection refused (os error 111)");
    assert_eq!(result.status_label, "error");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 1024];
        let read = stream.read(&mut hello).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&hello[..read]).into_owned()
    });
    let result = client(base_url, Duration::from_secs(1)).call(upsert()).await;
    assert!(passing(&result).starts_with("no connection: "), "{result:?}");
    let hello = server.await.unwrap();
    assert!(!hello.contains(KEY) && !hello.contains("sam.lee"));
}
