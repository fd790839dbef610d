//! How fast a source may send: every door counts, and what is too much is refused before anything is stored.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header::RETRY_AFTER;

use super::*;
use crate::http::forwarded::FromTrustedProxy;
use crate::senders::Refusing;

const RATES: &str = r#"
    [server]
    write_key = "srv"
    events_per_minute_max = 6
    form = true
    [other]
    write_key = "other"
    [forms]
    write_key = "forms"
    form = true
"#;

const TRACK: &str = r#"{"type":"track","event":"E","userId":"u-1"}"#;

fn bench() -> Bench {
    let bench = Bench::with("", RATES);
    let hooks: Hooks = toml::from_str(
        "[in]\nkind = 'generic'\nsource = 'server'\ntoken_header = 'x-token'\nsecret = '0123456789abcdef0123456789abcdef'",
    )
    .unwrap();
    bench.ingest.replace_hooks(&hooks, &toml::from_str(RATES).unwrap());
    bench
}

fn form(source: &str) -> Request<Body> {
    Request::post(format!("/form/{source}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("email=jane%40example.com&name=Jane"))
        .unwrap()
}

/// A request of the source `server`, as a trusted proxy forwards it for a client.
fn of(client: &str, events: usize) -> Request<Body> {
    let batch = format!("[{}]", vec![TRACK; events].join(","));
    let mut request = Request::post("/ingest").header("x-write-key", "srv").body(batch.into()).unwrap();
    let address: SocketAddr = client.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    request.extensions_mut().insert(FromTrustedProxy);
    request
}

#[tokio::test]
async fn what_is_more_than_a_source_may_send_is_refused_and_nothing_of_it_is_stored() {
    let bench = bench();
    assert_eq!(bench.post("/v1/batch", format!("{{\"batch\":[{TRACK},{TRACK}]}}")).await.0, 200);
    assert_eq!(bench.post("/v1/track", TRACK).await.0, 200);
    let query = "/pixel/v1/track?writeKey=srv&userId=u&event=E";
    assert_eq!(bench.send(Request::get(query).body(Body::empty()).unwrap()).await.status(), 200);
    assert_eq!(bench.send(form("server")).await.status(), 200);
    let hook = |token: &str| {
        let request = Request::post("/hooks/in").header("x-token", token);
        request.body(Body::from(r#"{"email":"sam@example.com"}"#)).unwrap()
    };
    let token = "0123456789abcdef0123456789abcdef";
    assert_eq!(bench.send(hook("wrong")).await.status(), 401, "a stranger counts for nobody");
    assert_eq!(bench.send(hook(token)).await.status(), 200);
    assert_eq!(bench.records().len(), 6);

    let request = Request::post("/ingest").header("x-write-key", "srv").body(Body::from(TRACK)).unwrap();
    let refused = bench.send(request).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()[RETRY_AFTER]), (429, &"10".parse().unwrap()));
    assert_eq!(refusal(read(refused).await), said(429, "too_many_events", ""));
    let refused = bench.send(hook(token)).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key(RETRY_AFTER)), (429, true));
    let refused = bench.send(form("server")).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key(RETRY_AFTER)), (429, true));
    let (_, page) = read(refused).await;
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let refused = bench.send(Request::get(query).body(Body::empty()).unwrap()).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["content-type"]),
        (429, &"image/gif".parse().unwrap())
    );
    assert_eq!(bench.records().len(), 6);
    let request = Request::post("/ingest").header("x-write-key", "other").body(Body::from(TRACK)).unwrap();
    assert_eq!(bench.send(request).await.status(), 200, "another source has its own");

    let refused = bench.refused();
    let codes: Vec<_> = refused.iter().filter(|refused| refused.code == "too_many_events").collect();
    assert_eq!(codes.len(), 4);
    assert!(codes.iter().all(|refused| refused.source == Some(SourceName("server".into()))));
    let refusing = Refusing { source: SourceName("server".into()), events: 4, over_share: 0 };
    assert_eq!(bench.ingest.rates().refusing(NOW), [refusing]);
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(bench.post("/ingest", TRACK).await.0, 200);
}

#[tokio::test]
async fn a_batch_that_never_fits_is_refused_for_good() {
    let bench = bench();
    let batch = format!("[{}]", [TRACK; 7].join(","));
    assert_eq!(refusal(bench.post("/ingest", batch).await), said(413, "body_too_large", ""));
    assert_eq!(bench.post("/ingest", format!("[{}]", [TRACK; 6].join(","))).await.0, 200);
}

#[tokio::test]
async fn forms_have_a_limit_where_nothing_is_said_and_other_doors_have_none() {
    let bench = bench();
    for _ in 0..300 {
        assert_eq!(bench.send(form("forms")).await.status(), 200);
    }
    assert_eq!(bench.send(form("forms")).await.status(), 429);
    let request = Request::post("/ingest").header("x-write-key", "forms").body(Body::from(TRACK)).unwrap();
    assert_eq!(bench.send(request).await.status(), 200);
}

#[tokio::test]
async fn one_visitor_behind_a_trusted_proxy_does_not_use_a_source_up() {
    let bench = bench();
    assert_eq!(bench.send(of("203.0.113.9:1", 1)).await.status(), 200);
    assert_eq!(bench.send(of("203.0.113.9:2", 1)).await.status(), 429);
    assert_eq!(bench.send(of("[2001:db8::1]:1", 1)).await.status(), 200);
    assert_eq!(bench.send(of("[2001:db8::2]:1", 1)).await.status(), 429, "one /64 is one visitor");
    assert_eq!(bench.send(of("203.0.113.10:1", 1)).await.status(), 200);
    let refusing = Refusing { source: SourceName("server".into()), events: 2, over_share: 2 };
    assert_eq!(bench.ingest.rates().refusing(NOW), [refusing]);
}

#[tokio::test]
async fn servers_that_are_said_to_be_servers_are_not_divided() {
    let bench = Bench::with("", "[server]\nwrite_key = 'srv'\ntrust = 'server'\nevents_per_minute_max = 6");
    assert_eq!(bench.send(of("203.0.113.9:1", 6)).await.status(), 200);
    assert_eq!(bench.send(of("203.0.113.9:1", 1)).await.status(), 429);
}
