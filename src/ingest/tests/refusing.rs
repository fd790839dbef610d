//! What is refused: every code and every reason.

use std::io::Write;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_single_bad_event_is_a_400_with_its_reason() {
    let bench = Bench::new();
    let long_id = format!(r#"{{"type":"page","userId":"u","messageId":"{}"}}"#, "x".repeat(101));
    let deep = format!(r#"{{"type":"page","userId":"u","x":{}{}}}"#, "[".repeat(10_001), "]".repeat(10_001));
    let large = format!(r#"{{"type":"page","userId":"u","x":"{}"}}"#, "x".repeat(32_768));
    for (body, reason) in [
        (r#"{"type":"purchase","userId":"u"}"#, "unknown_type"),
        (r#"{"type":"track","userId":"u"}"#, "missing_event_name"),
        (r#"{"type":"page"}"#, "missing_identity"),
        ("7", "not_an_object"),
        ("null", "not_an_object"),
        (&large, "event_too_large"),
        (&deep, "too_deep"),
        (&long_id, "message_id_too_long"),
    ] {
        let refused = refusal(bench.post("/ingest", body.to_owned()).await);
        assert_eq!(refused, said(400, "invalid_event", reason));
        let noted = &bench.refused()[0];
        let expected = Refused {
            at: NOW,
            source: Some(SourceName("server".to_owned())),
            door: Door::Events,
            route: "/ingest",
            code: "invalid_event",
            reason: Some(reason),
        };
        assert_eq!(*noted, expected);
    }
    assert_eq!(bench.records(), []);
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let bench = Bench::new();
    for body in [
        b"".as_slice(),
        b"  \n",
        b"{",
        b"{\"type\":\"page\",}",
        b"[{}",
        b"[] []",
        b"{} {}",
        b"type=page",
        b"\"\xff\"",
        b"{\"type\":\"page\",\"userId\":\"\xc3\x28\"}",
        b"{\"batch\":[1,]}",
    ] {
        let refused = refusal(bench.post("/ingest", body).await);
        assert_eq!(refused, said(400, "malformed_body", ""), "{}", String::from_utf8_lossy(body));
    }
}

#[tokio::test]
async fn what_is_not_json_is_told_by_its_byte_and_its_item() {
    let bench = Bench::new();
    let body = r#"{"batch":[{"type":"page","userId":"u","x":NaN},{"type":"page","userId":u}]}"#;
    let (status, answer) = bench.post("/v1/batch", body).await;
    assert_eq!(status, 400);
    let place =
        "the body is not JSON in UTF-8: look at byte 25 of item 1 (counted from 0; byte 72 of the body)";
    assert!(answer.contains(place), "{answer}");
}

#[tokio::test]
async fn a_batch_route_wants_a_batch_and_an_event_route_an_event() {
    let bench = Bench::new();
    for body in [PAGE, r#"{"batch":{}}"#, "7"] {
        let refused = refusal(bench.post("/v1/batch", body).await);
        assert_eq!(refused, said(400, "malformed_body", ""), "{body}");
    }
    let refused = refusal(bench.post("/v1/page", format!(r#"{{"batch":[{PAGE}]}}"#)).await);
    assert_eq!(refused, said(400, "invalid_event", "missing_identity"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_packed_or_not() {
    let bench = Bench::with("body_bytes_max = 2000", SOURCES);
    let large = "x".repeat(2001);
    assert_eq!(refusal(bench.post("/ingest", large.clone()).await), said(413, "body_too_large", ""));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; 1_000_000]).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 2000);
    for (sent, status, code) in
        [(packed, 413, "body_too_large"), (b"no gzip".to_vec(), 400, "malformed_body")]
    {
        let request =
            Request::post("/ingest").header("x-write-key", "srv").header("content-encoding", "gzip");
        let response = bench.send(request.body(sent.into()).unwrap()).await;
        assert_eq!(refusal(read(response).await), said(status, code, ""));
    }
}

#[tokio::test]
async fn a_batch_of_too_many_events_is_refused_whole() {
    let bench = Bench::with("batch_events_max = 2", SOURCES);
    let (status, body) = bench.post("/ingest", format!("[{PAGE},{PAGE},{PAGE}]")).await;
    assert!(body.contains("more than 2 events (server.batch_events_max)"), "{body}");
    assert_eq!(refusal((status, body)), said(413, "body_too_large", ""));
    assert_eq!(bench.records(), []);
    assert_eq!(bench.post("/ingest", format!("[{PAGE},{PAGE}]")).await.0, 200);
}

#[tokio::test]
async fn a_store_that_can_not_take_events_is_a_503_that_says_when_to_come_again() {
    for (error, code, retry_after) in [
        (StoreError::Overloaded, "overloaded", "1"),
        (StoreError::Full("/secret/path".to_owned()), "storage_unavailable", "10"),
        (StoreError::Fatal("/secret/path".to_owned()), "storage_unavailable", "10"),
        (StoreError::Conflict, "storage_unavailable", "10"),
        (StoreError::Unreadable("x", "y".to_owned()), "storage_unavailable", "10"),
        (StoreError::TooSlow, "storage_unavailable", "10"),
        (StoreError::Shut, "storage_unavailable", "10"),
    ] {
        let bench = Bench::new();
        *bench.store.fails.lock().unwrap() = Some(error);
        for body in [PAGE.to_owned(), format!("[{PAGE}]")] {
            let request = Request::post("/ingest").header("x-write-key", "srv").body(body.into()).unwrap();
            let response = bench.send(request).await;
            assert_eq!(response.headers()["retry-after"], retry_after);
            let answer = read(response).await;
            assert!(!answer.1.contains("secret"), "{}", answer.1);
            assert_eq!(refusal(answer), said(503, code, ""));
        }
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_given_up_after_the_request_timeout() {
    let bench = Bench::new();
    *bench.store.hangs.lock().unwrap() = true;
    let (answer, ()) = tokio::join!(bench.post("/ingest", PAGE), async {
        while bench.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.clock.next_wake(), Some(Duration::from_secs(10)));
        bench.clock.advance(Duration::from_secs(10));
    });
    assert_eq!(refusal(answer), said(503, "storage_unavailable", ""));
}

#[tokio::test]
async fn other_routes_and_methods_answer_in_the_same_shape() {
    let bench = Bench::new();
    for (method, path, status, code) in [
        ("GET", "/ingest", 405, "method_not_allowed"),
        ("PUT", "/v1/track", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("POST", "/v1/purchase", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("POST", "/relay/ingest", 404, "not_found"),
    ] {
        let request = Request::builder().method(method).uri(path).body(PAGE.into()).unwrap();
        let answer = read(bench.send(request).await).await;
        assert_eq!(refusal(answer), said(status, code, ""), "{method} {path}");
    }
}
