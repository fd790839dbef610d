//! What the public listener refuses, over real HTTP: every code and reason, and what it takes all the same.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, WRITE_KEY, said};
use crate::support::events::{ann, identify_ann, lead_of_ann};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An object with this many more inside each other.
fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

fn bad_events() -> Vec<(String, &'static str)> {
    let large = "x".repeat(33_000);
    let deep = nested(32);
    vec![
        (json!({"type": "shout", "userId": "u"}).to_string(), "unknown_type"),
        (json!({"userId": "u"}).to_string(), "unknown_type"),
        (json!({"type": "track", "userId": "u"}).to_string(), "missing_event_name"),
        (json!({"type": "track", "userId": "u", "event": " "}).to_string(), "missing_event_name"),
        (json!({"type": "page"}).to_string(), "missing_identity"),
        (json!({"type": "page", "userId": null, "anonymousId": ""}).to_string(), "missing_identity"),
        ("42".to_owned(), "not_an_object"),
        (json!({"type": "page", "userId": "u", "context": {"x": large}}).to_string(), "event_too_large"),
        (format!(r#"{{"type":"page","userId":"u","context":{deep}}}"#), "too_deep"),
        (
            json!({"type": "page", "userId": "u", "messageId": "m".repeat(101)}).to_string(),
            "message_id_too_long",
        ),
    ]
}

#[tokio::test]
async fn each_bad_event_is_a_400_with_its_reason() {
    let service = Service::start().await;
    for (event, reason) in bad_events() {
        let (status, answer) = said(service.post("/ingest").body(event)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{reason}: {answer}");
        assert_eq!(answer["success"], false, "{reason}: {answer}");
        assert_eq!(
            (&answer["code"], &answer["reason"]),
            (&json!("invalid_event"), &json!(reason)),
            "{answer}"
        );
        assert!(!answer["message"].as_str().unwrap().is_empty(), "{reason}: {answer}");
    }
    assert_eq!(service.status().await["accepted"], 0);
    service.finish().await;
}

#[tokio::test]
async fn a_batch_keeps_its_good_events_and_names_the_bad_ones() {
    let service = Service::start().await;
    let mut items = vec![identify_ann(1).to_string()];
    items.extend(bad_events().into_iter().map(|(event, _)| event));
    items.push(lead_of_ann(1).to_string());
    let batch = format!(r#"{{"batch":[{}]}}"#, items.join(","));
    let (status, answer) = said(service.post("/v1/batch").body(batch)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        (&answer["success"], &answer["ok"], &answer["accepted"]),
        (&json!(true), &json!(true), &json!(2))
    );
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), bad_events().len());
    for (nth, ((_, reason), item)) in bad_events().iter().zip(rejected).enumerate() {
        assert_eq!(item["index"], nth + 1, "{item}");
        assert_eq!((&item["code"], &item["reason"]), (&json!("invalid_event"), &json!(reason)), "{item}");
    }
    service.settled().await;
    assert!(service.crm.contact(&ann(1)).is_some());
    service.finish().await;
}

#[tokio::test]
async fn a_batch_of_none_or_of_bad_events_alone_is_a_200() {
    let service = Service::start().await;
    for (body, rejected) in [("[]", 0), (r#"{"batch":[]}"#, 0), (r#"[{"type":"page"}]"#, 1)] {
        let (status, answer) = said(service.post("/ingest").body(body)).await;
        assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(0)), "{body}: {answer}");
        assert_eq!(answer["rejected"].as_array().unwrap().len(), rejected, "{body}: {answer}");
    }
    service.finish().await;
}

#[tokio::test]
async fn a_body_that_is_none_is_malformed() {
    let service = Service::start().await;
    let bodies: [(&str, &[u8]); 6] = [
        ("/ingest", b""),
        ("/ingest", b"{\"type\":"),
        ("/ingest", b"name=value&other=1"),
        ("/ingest", b"{\"type\":\"page\",\"userId\":\"\xff\"}"),
        ("/v1/batch", b"{\"events\":[]}"),
        ("/v1/import", b"{}"),
    ];
    for (path, body) in bodies {
        let (status, answer) = said(service.post(path).body(body.to_vec())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {answer}");
        assert_eq!(
            (&answer["success"], &answer["code"]),
            (&json!(false), &json!("malformed_body")),
            "{answer}"
        );
    }
    let torn = service.post("/ingest").header("content-encoding", "gzip").body("no gzip");
    let (status, answer) = said(torn).await;
    assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_body")), "{answer}");
    service.finish().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_as_sent_and_as_unpacked() {
    let service = Setup::new().with("SERVER__BODY_BYTES_MAX", "65536").start().await;
    let large = vec![b' '; 65_537];
    let bomb = gzip(&vec![b' '; 10_000_000]);
    assert!(bomb.len() < 65_536);
    let requests = [
        service.post("/ingest").body(large),
        service.post("/ingest").header("content-encoding", "gzip").body(bomb),
    ];
    for request in requests {
        let (status, answer) = said(request).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large")),
            "{answer}"
        );
    }
    service.finish().await;
}

#[tokio::test]
async fn a_batch_of_too_many_is_a_413_and_keeps_nothing() {
    let service = Setup::new().with("SERVER__BATCH_EVENTS_MAX", "2").start().await;
    let three = json!([identify_ann(1), identify_ann(2), identify_ann(3)]);
    let (status, answer) = said(service.post("/ingest").json(&three)).await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large")),
        "{answer}"
    );
    assert_eq!(service.status().await["accepted"], 0);
    service.finish().await;
}

#[tokio::test]
async fn the_write_key_is_found_in_each_of_its_places_and_nowhere_else() {
    let service = Service::start().await;
    let in_query = format!("/ingest?writeKey={WRITE_KEY}");
    let mut in_body = identify_ann(1);
    in_body["writeKey"] = json!(WRITE_KEY);
    let post = |path: &str, body: &Value| service.post_without_key(path).json(body);
    let event = identify_ann(2);
    let known = [
        post("/ingest", &event).basic_auth(WRITE_KEY, Some("")),
        post("/ingest", &event).header("x-write-key", WRITE_KEY),
        post(&in_query, &event),
        post("/ingest", &in_body),
    ];
    for request in known {
        let (status, answer) = said(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let unknown = [
        post("/ingest", &event),
        post("/ingest", &event).basic_auth("another", Some("")),
        post("/ingest", &event).basic_auth("", Some(WRITE_KEY)),
        post("/ingest", &event).bearer_auth(WRITE_KEY),
        post("/ingest?writeKey=", &event),
        post("/ingest", &event).header("x-write-key", WRITE_KEY.to_uppercase()),
    ];
    for request in unknown {
        let (status, answer) = said(request).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::UNAUTHORIZED, &json!("unknown_write_key")),
            "{answer}"
        );
    }
    service.settled().await;
    service.finish().await;
}

#[tokio::test]
async fn text_and_gzip_are_taken_as_browsers_and_sdks_send_them() {
    let service = Service::start().await;
    // As `sendBeacon` sends: no preflight, the key in the query.
    let beacon = service
        .post_without_key(&format!("/ingest?writeKey={WRITE_KEY}"))
        .header("content-type", "text/plain;charset=UTF-8")
        .header("origin", "https://www.example.com")
        .body(identify_ann(1).to_string());
    let answer = beacon.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://www.example.com");
    assert!(!answer.headers().contains_key("access-control-allow-credentials"));

    let packed = gzip(json!({"batch": [lead_of_ann(1)]}).to_string().as_bytes());
    let sdk = service.post("/v1/batch").header("content-encoding", "gzip").body(packed);
    let (status, answer) = said(sdk).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(1)), "{answer}");
    service.settled().await;
    assert!(service.crm.contact(&ann(1)).is_some());
    service.finish().await;
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send_and_no_others() {
    let allowed = "https://shop.example.com,https://*.example.org";
    let service = Setup::new().with("SOURCES__WEBSITE__ALLOWED_ORIGINS", allowed).start().await;
    let cases = [
        ("https://shop.example.com", true),
        ("https://a.example.org", true),
        ("https://example.org", false),
        ("http://shop.example.com", false),
        ("https://shop.example.com.evil.example", false),
        ("null", false),
    ];
    for (origin, may) in cases {
        let ask = service
            .public(Method::OPTIONS, "/ingest")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status().is_success(), may, "preflight of {origin}: {}", answer.status());
        let told = answer.headers().get("access-control-allow-origin");
        assert_eq!(told.is_some_and(|told| told == origin), may, "{origin}: {told:?}");

        let (status, answer) =
            said(service.post("/ingest").header("origin", origin).json(&identify_ann(1))).await;
        if may {
            assert_eq!(status, StatusCode::OK, "{origin}: {answer}");
        } else {
            assert_eq!(
                (status, &answer["code"]),
                (StatusCode::FORBIDDEN, &json!("origin_not_allowed")),
                "{origin}"
            );
        }
    }
    service.settled().await;
    service.finish().await;
}

#[tokio::test]
async fn routes_that_do_not_exist_and_methods_that_are_not_taken_are_named() {
    let service = Service::start().await;
    let (status, answer) = said(service.post("/v2/batch").body("{}")).await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let (status, answer) = said(service.public(Method::GET, "/ingest")).await;
    assert_eq!((status, &answer["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed")));
    for path in ["/healthz", "/health", "/readyz"] {
        let (status, answer) = said(service.public(Method::GET, path)).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({"status": "ok"})), "{path}");
    }
    service.finish().await;
}

#[tokio::test]
async fn each_route_of_segments_api_takes_its_kind_whatever_the_body_says() {
    let service = Service::start().await;
    for kind in ["identify", "track", "page", "screen", "group", "alias"] {
        let event = json!({"type": "nonsense", "event": "Something", "userId": "u", "previousId": "v",
            "messageId": kind});
        let (status, answer) = said(service.post(&format!("/v1/{kind}")).json(&event)).await;
        assert_eq!(status, StatusCode::OK, "{kind}: {answer}");
    }
    let old = json!({"batch": [{"type": "page", "userId": "u", "messageId": "old"}]});
    let (status, answer) = said(service.post("/v1/import").json(&old)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    service.settled().await;
    for kind in ["identify", "track", "page", "screen", "group", "alias"] {
        assert_eq!(service.get(&format!("/api/events/{kind}")).await["type"], kind);
    }
    service.finish().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_journal_is_away() {
    let service = Setup::new().driven_clock().start().await;
    let (here, there) = (service.data_folder().join("journal.db"), service.data_folder().join("moved.db"));
    std::fs::rename(&here, &there).unwrap();
    let page = json!({"type": "page", "userId": "u", "messageId": "m"});
    for _ in 0..2 {
        let answer = service.post("/ingest").json(&page).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &HeaderValue::from_static("10"))
        );
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["code"], "storage_unavailable");
    }
    assert_eq!(said(service.private("/readyz")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let risks = service.status().await["risks"].clone();
    assert!(risks.as_array().unwrap().iter().any(|risk| risk["risk"] == "journal_away"), "{risks}");
    let metrics = service.private("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains(r#"freshsignal_risk{risk="journal_away"} 1"#), "{metrics}");
    std::fs::rename(&there, &here).unwrap();
    service.send(page).await;
    service.processed().await;
    assert_eq!(service.status().await["risks"], json!([]));
    service.finish().await;
}

#[tokio::test]
async fn a_journal_that_stays_away_for_a_minute_ends_the_service_as_a_failed_disk_does() {
    let service = Setup::new().driven_clock().start().await;
    std::fs::rename(service.data_folder().join("journal.db"), service.data_folder().join("moved.db"))
        .unwrap();
    assert_eq!(said(service.private("/readyz")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let why = service.failed_after(Duration::from_mins(1)).await;
    assert!(why.contains("journal.db was renamed, removed or replaced while the service ran"), "{why}");
}
