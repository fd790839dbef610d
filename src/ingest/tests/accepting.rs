//! What is accepted, and what of it reaches the journal.

use std::io::Write;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_good_event_is_stored_as_sent_and_answered_in_the_exact_words() {
    let bench = Bench::new();
    let sent =
        "  {\"type\":\"track\", \"event\":\"Lead Generated\",\n \"anonymousId\":\"a\",\"messageId\":\"m\"}\n";
    assert_eq!(bench.post("/ingest", sent).await, (200, ONE.to_owned()));
    let expected = NewRecord {
        source: SourceName("server".to_owned()),
        people: "staff".to_owned(),
        kind: Kind::Track,
        received_at: NOW,
        at: NOW,
        message_id: "m".to_owned(),
        backfill: false,
        trust: Trust::Server,
        raw: sent.trim().to_owned(),
    };
    assert_eq!(bench.records(), [expected]);
}

#[tokio::test]
async fn content_type_and_a_slash_at_the_end_do_not_matter() {
    let bench = Bench::with("path_prefix = '/relay'", SOURCES);
    for path in ["/ingest", "/ingest/", "/v1/page/", "/relay/ingest", "/relay/v1/page/"] {
        for content_type in ["text/plain", "application/json; charset=utf-8", "nonsense"] {
            let request =
                Request::post(path).header("x-write-key", "srv").header("content-type", content_type);
            let (status, body) = read(bench.send(request.body(PAGE.into()).unwrap()).await).await;
            assert_eq!((status, body.as_str()), (200, ONE), "{path} {content_type}");
        }
    }
}

#[tokio::test]
async fn an_array_and_a_batch_keep_their_good_events_and_name_the_bad_ones() {
    let items = format!(r#"[{PAGE},{{"type":"track","userId":"u","messageId":"bad-1"}},7,{PAGE}]"#);
    let rejected = concat!(
        r#"{"success":true,"ok":true,"accepted":2,"rejected":["#,
        r#"{"index":1,"messageId":"bad-1","code":"invalid_event","reason":"missing_event_name","#,
        r#""message":"a track event needs its name in `event`"},"#,
        r#"{"index":2,"messageId":null,"code":"invalid_event","reason":"not_an_object","#,
        r#""message":"an event must be a JSON object"}]}"#
    );
    for (path, body) in [
        ("/ingest", items.clone()),
        ("/ingest", format!(r#"{{"batch":{items}}}"#)),
        ("/ingest", format!(r#"{{"b\u0061tch":{items}}}"#)),
        ("/v1/batch", format!(r#"{{"batch":{items}}}"#)),
        ("/v1/import", items.clone()),
    ] {
        let bench = Bench::new();
        assert_eq!(bench.post(path, body).await, (200, rejected.to_owned()), "{path}");
        let times: Vec<_> = bench.records().iter().map(|record| record.received_at.0 - NOW.0).collect();
        assert_eq!(times, [0, 3], "{path}");
        let reasons: Vec<_> = bench.refused().iter().map(|refused| refused.reason.unwrap()).collect();
        assert_eq!(reasons, ["not_an_object", "missing_event_name"]);
    }
}

#[tokio::test]
async fn an_array_or_batch_is_200_whatever_its_items() {
    let bench = Bench::new();
    let nothing = r#"{"success":true,"ok":true,"accepted":0,"rejected":[]}"#;
    assert_eq!(bench.post("/ingest", "[]").await, (200, nothing.to_owned()));
    assert_eq!(bench.post("/v1/batch", r#"{"batch":[]}"#).await, (200, nothing.to_owned()));
    let (status, body) = bench.post("/ingest", "[{}]").await;
    assert_eq!(status, 200);
    assert!(body.contains(r#""accepted":0,"rejected":[{"index":0"#), "{body}");
}

#[tokio::test]
async fn an_event_with_a_batch_that_is_no_array_is_one_event() {
    let bench = Bench::new();
    let event = r#"{"type":"page","userId":"u","batch":7}"#;
    assert_eq!(bench.post("/ingest", event).await, (200, ONE.to_owned()));
}

#[tokio::test]
async fn the_route_beats_the_type_in_the_body() {
    let bench = Bench::new();
    for kind in Kind::ALL {
        let body = r#"{"type":"page","event":"E","userId":"u","batch":[]}"#;
        let (status, _) = bench.post(&format!("/v1/{}", kind.as_str()), body).await;
        assert_eq!(status, 200);
    }
    let kinds: Vec<_> = bench.records().iter().map(|record| record.kind).collect();
    assert_eq!(kinds, Kind::ALL);
}

#[tokio::test]
async fn a_message_id_is_kept_or_made() {
    let bench = Bench::new();
    bench
        .post("/ingest", r#"[{"type":"page","userId":"u","messageId":" M é "},{"type":"page","userId":"u"}]"#)
        .await;
    let records = bench.records();
    assert_eq!(records[0].message_id, " M é ");
    let made = uuid::Uuid::parse_str(&records[1].message_id).unwrap();
    assert_eq!(made.get_version_num(), 7);
    let (seconds, nanos) = made.get_timestamp().unwrap().to_unix();
    assert_eq!(seconds * 1000 + u64::from(nanos) / 1_000_000, u64::try_from(NOW.0).unwrap() / 1000);
}

#[tokio::test]
async fn a_batch_shares_its_context_and_integrations_with_its_events() {
    let bench = Bench::new();
    let body = r#"{"context":{"ip":"1.2.3.4","backfill":true},"integrations":{"All":true},"batch":[
        {"type":"page","userId":"u"},
        {"type":"page","userId":"u","context":{"ip":"::1","backfill":false}}]}"#;
    let (status, _) = bench.post("/v1/batch", body).await;
    assert_eq!(status, 200);
    let records = bench.records();
    let raw: Vec<_> = records.iter().map(|record| record.raw.as_str()).collect();
    assert_eq!(
        raw,
        [
            r#"{"type":"page","userId":"u","context":{"ip":"1.2.3.4","backfill":true},"integrations":{"All":true}}"#,
            r#"{"type":"page","userId":"u","context":{"ip":"::1","backfill":false},"integrations":{"All":true}}"#,
        ]
    );
    assert_eq!((records[0].backfill, records[1].backfill), (true, false));
}

#[tokio::test]
async fn what_a_batch_shares_counts_for_each_event_and_may_not_blow_it_up() {
    let bench = Bench::with("event_bytes_max = 1000\nbody_bytes_max = 2000", SOURCES);
    let batch = |bytes: usize, events: usize| {
        let events = vec![PAGE; events].join(",");
        format!(r#"{{"context":{{"x":"{}"}},"batch":[{events}]}}"#, "x".repeat(bytes))
    };
    let (status, body) = bench.post("/v1/batch", batch(1000, 1)).await;
    assert!(status == 200 && body.contains("event_too_large"), "{status} {body}");
    assert_eq!(bench.post("/v1/batch", batch(400, 20)).await.0, 200);
    let refused = refusal(bench.post("/v1/batch", batch(800, 20)).await);
    assert_eq!(refused, said(413, "body_too_large", ""));
    assert_eq!(bench.records().len(), 20);
}

#[tokio::test]
async fn a_header_says_when_it_was_sent_where_the_body_does_not() {
    let bench = Bench::new();
    let events = [
        r#"{"type":"page","userId":"u","originalTimestamp":"2020-01-01T00:00:00+00:00"}"#,
        r#"{"type":"page","userId":"u","timestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:20Z"}"#,
    ];
    for event in events {
        let request = Request::post("/v1/page").header("x-write-key", "srv");
        let request = request.header("SentAt", "2020-01-01T00:01:00.000Z").body(event.into()).unwrap();
        assert_eq!(bench.send(request).await.status(), 200);
    }
    let ago: Vec<_> = bench.records().iter().map(|record| NOW.0 - record.at.0).collect();
    assert_eq!(ago, [60_000_000, 20_000_000]);
}

#[tokio::test]
async fn times_are_corrected_by_the_events_own_sent_at_else_by_the_batchs() {
    let bench = Bench::new();
    // The sender's clock is years behind; the events happened 60 s and 20 s before they were sent.
    let body = r#"{"sentAt":"2020-01-01T00:01:00Z","batch":[
        {"type":"page","userId":"u","timestamp":"2020-01-01T00:00:00Z"},
        {"type":"page","userId":"u","timestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:20Z"}]}"#;
    bench.post("/v1/batch", body).await;
    let ago: Vec<_> = bench.records().iter().map(|record| NOW.0 - record.at.0).collect();
    assert_eq!(ago, [60_000_000, 20_000_000 - 1]);
    assert!(bench.records().iter().all(|record| !record.backfill));
}

#[tokio::test]
async fn backfill_is_an_event_older_than_a_day_one_imported_without_a_time_or_what_the_context_says() {
    let at = |ago: Duration| NOW.minus(ago).to_rfc3339();
    let old = format!(r#"{{"type":"page","userId":"u","timestamp":"{}"}}"#, at(Duration::from_hours(25)));
    let recent = format!(r#"{{"type":"page","userId":"u","timestamp":"{}"}}"#, at(Duration::from_hours(23)));
    let told = r#"{"type":"page","userId":"u","context":{"backfill":true}}"#.to_owned();
    for (path, body, backfill) in [
        ("/ingest", &old, true),
        ("/ingest", &recent, false),
        ("/ingest", &told, true),
        ("/v1/batch", &format!("[{recent}]"), false),
        ("/v1/import", &format!("[{recent}]"), false),
        ("/v1/import", &format!("[{PAGE}]"), true),
        ("/v1/import", &format!(r#"{{"context":{{"backfill":false}},"batch":[{PAGE}]}}"#), false),
        ("/ingest", &old.replace('}', r#","context":{"backfill":false}}"#), false),
    ] {
        let bench = Bench::new();
        bench.post(path, body.clone()).await;
        assert_eq!(bench.records()[0].backfill, backfill, "{path} {body}");
    }
}

#[tokio::test]
async fn one_number_that_json_does_not_have_costs_no_batch_and_a_byte_order_mark_no_event() {
    let bench = Bench::new();
    let batch = r#"{"batch":[{"type":"page","userId":"a","properties":{"load":NaN,"why":"NaN"}},
        {"type":"page","userId":"b","properties":{"load":-Infinity}}],"sentAt":"2030-01-01T00:00:00Z"}"#;
    let (status, answer) = bench.post("/v1/batch", batch).await;
    assert!(status == 200 && answer.contains(r#""accepted":2"#), "{status} {answer}");
    let raw: Vec<_> = bench.records().iter().map(|record| record.raw.clone()).collect();
    let kept = r#"{"type":"page","userId":"a","properties":{"load":null,"why":"NaN"}}"#;
    assert_eq!(raw, [kept, r#"{"type":"page","userId":"b","properties":{"load":null}}"#]);
    assert_eq!(bench.post("/ingest", format!("\u{feff}{PAGE}")).await, (200, ONE.to_owned()));
}

#[tokio::test]
async fn gzip_is_unpacked() {
    let bench = Bench::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(PAGE.as_bytes()).unwrap();
    let request = Request::post("/ingest").header("x-write-key", "srv").header("content-encoding", "gzip");
    let response = bench.send(request.body(encoder.finish().unwrap().into()).unwrap()).await;
    assert_eq!(read(response).await, (200, ONE.to_owned()));
    assert_eq!(bench.records()[0].raw, PAGE);
}

#[tokio::test]
async fn of_a_key_that_stands_twice_the_last_counts() {
    let bench = Bench::new();
    let event = r#"{"type":"nonsense","userId":"u","messageId":"a","type":"page","messageId":"b"}"#;
    assert_eq!(bench.post("/ingest", event).await.0, 200);
    let record = &bench.records()[0];
    assert_eq!((record.kind, record.message_id.as_str()), (Kind::Page, "b"));
}

#[tokio::test]
async fn the_process_lives_and_is_ready_while_the_store_takes_events() {
    let bench = Bench::new();
    let get =
        async |path: &str| read(bench.send(Request::get(path).body(Body::empty()).unwrap()).await).await;
    let ok = (200, r#"{"status":"ok"}"#.to_owned());
    for path in ["/healthz", "/health", "/readyz"] {
        assert_eq!(get(path).await, ok, "{path}");
    }
    *bench.store.refuses.lock().unwrap() = Some("the disk is full".to_owned());
    assert_eq!(get("/healthz").await, ok);
    let not_ready = r#"{"status":"unavailable","reasons":["the disk is full"]}"#;
    assert_eq!(get("/readyz").await, (503, not_ready.to_owned()));
}
