//! Routes beside the HTTP API that SDKs ask for: their own names, pixels, settings, what is ignored.

use axum::http::HeaderValue;

use super::*;

async fn get(bench: &Bench, method: &str, uri: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_kind_is_taken_under_every_name_of_its_route() {
    let bench = Bench::with("path_prefix = '/relay'", SOURCES);
    let mut expected = Vec::new();
    for kind in Kind::ALL {
        let (word, letter) = (kind.as_str(), &kind.as_str()[..1]);
        for path in [
            format!("/v1/{word}"),
            format!("/v1/{letter}"),
            format!("/{letter}"),
            format!("/api/s/{word}"),
            format!("/api/s/s2s/{word}"),
            format!("/relay/{letter}/"),
            format!("//api/s/{word}"),
            format!("/relay//{letter}"),
        ] {
            let body = r#"{"type":"nonsense","event":"E","userId":"u"}"#;
            assert_eq!(bench.post(&path, body).await, (200, ONE.to_owned()), "{path}");
            expected.push(kind);
        }
    }
    let kinds: Vec<_> = bench.records().iter().map(|record| record.kind).collect();
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_batch_is_taken_under_every_name_of_its_route() {
    let bench = Bench::new();
    for path in ["/v1/batch", "/v1/b", "/batch", "/b/", "/api/s/batch", "/api/s/s2s/batch"] {
        assert_eq!(
            bench.post(path, format!(r#"{{"batch":[{PAGE}]}}"#)).await,
            (200, ONE.to_owned()),
            "{path}"
        );
    }
    let beacon = Request::post("/beacon/v1/batch?writeKey=srv").header("content-type", "text/plain");
    let body = format!(r#"{{"batch":[{PAGE}],"sentAt":"2020-01-01T00:00:00Z"}}"#);
    assert_eq!(bench.send(beacon.body(body.into()).unwrap()).await.status(), 200);
    assert_eq!(bench.records().len(), 7);
}

#[tokio::test]
async fn what_is_ignored_is_200_without_a_key_and_keeps_nothing() {
    let bench = Bench::new();
    for path in ["/v1/m", "/m", "/v1/merge", "/merge/"] {
        let request = Request::post(path).header("origin", "https://shop.example.com");
        let response = bench.send(request.body(r#"{"series":[]}"#.into()).unwrap()).await;
        assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example.com");
        let nothing = r#"{"success":true,"ok":true,"accepted":0,"rejected":[]}"#;
        assert_eq!(read(response).await, (200, nothing.to_owned()), "{path}");
    }
    assert_eq!(bench.records(), []);
    assert_eq!(bench.refused(), []);
}

#[tokio::test]
async fn a_pixel_is_an_event_and_an_image() {
    let bench = Bench::new();
    for (uri, status) in [
        ("/pixel/v1/track?writeKey=srv&userId=u&event=Email+Opened&properties.plan=pro", 200),
        ("/pixel/v1/page/?writeKey=srv&anonymousId=a", 200),
        // {"writeKey":"srv","userId":"u","event":"E"}
        ("/v1/pixel/track?data=eyJ3cml0ZUtleSI6InNydiIsInVzZXJJZCI6InUiLCJldmVudCI6IkUifQ", 200),
        ("/pixel/v1/track?writeKey=srv&userId=u", 400),
        ("/pixel/v1/page?writeKey=nobody&userId=u", 401),
        ("/pixel/v1/page?writeKey=srv&data=!", 400),
    ] {
        let response = get(&bench, "GET", uri, &[]).await;
        assert_eq!(response.status(), status, "{uri}");
        assert_eq!(response.headers()["content-type"], "image/gif");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let image = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!((&image[..6], image.len()), (&b"GIF89a"[..], 43));
    }
    let records = bench.records();
    let raw: Vec<_> = records.iter().map(|record| (record.kind, record.raw.as_str())).collect();
    assert_eq!(
        raw,
        [
            (Kind::Track, r#"{"userId":"u","event":"Email Opened","properties":{"plan":"pro"}}"#),
            (Kind::Page, r#"{"anonymousId":"a"}"#),
            (Kind::Track, r#"{"userId":"u","event":"E"}"#),
        ]
    );
    let reasons: Vec<_> = bench.refused().iter().map(|refused| refused.code).collect();
    assert_eq!(reasons, ["malformed_body", "unknown_write_key", "invalid_event"]);
}

#[tokio::test]
async fn a_pixel_that_is_only_looked_at_is_no_event() {
    let bench = Bench::new();
    let uri = "/pixel/v1/page?writeKey=srv&userId=u";
    assert_eq!(get(&bench, "HEAD", uri, &[]).await.status(), 200);
    assert_eq!(bench.records(), []);
}

const SEGMENT: &str = concat!(
    r#"{"integrations":{"Segment.io":{"apiKey":"web","apiHost":"HOST/v1","protocol":"SCHEME","#,
    r#""deliveryStrategy":{"strategy":"batching"},"httpConfig":{"backoffConfig":{"maxRetryCount":100}}}},"#,
    r#""metrics":{"sampleRate":0}}"#
);

#[tokio::test]
async fn segments_settings_name_the_address_they_were_asked_under() {
    let origin = ("origin", "https://shop.example.com");
    for (public_url, path, headers, scheme, host) in [
        ("", "/v1/projects/web/settings", vec![("host", "127.0.0.1:80")], "http", "127.0.0.1:80"),
        ("", "/projects/web/settings/", vec![("host", "e.example"), origin], "https", "e.example"),
        ("", "/relay/v1/projects/web/settings", vec![("host", "e.example")], "http", "e.example/relay"),
        (
            "https://events.example.com",
            "/relay/projects/web%3Asecret/settings",
            vec![],
            "https",
            "events.example.com/relay",
        ),
    ] {
        let bench = Bench::with(&format!("path_prefix = '/relay'\npublic_url = '{public_url}'"), SOURCES);
        let response = get(&bench, "GET", path, &headers).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        // What a request says of the address is told to nobody else.
        let kept = response.headers().get("cache-control").map(|value| value.to_str().unwrap());
        assert_eq!(kept, public_url.is_empty().then_some("no-store, private"), "{public_url} {path}");
        let expected = SEGMENT.replace("HOST", host).replace("SCHEME", scheme);
        assert_eq!(read(response).await, (200, expected), "{public_url} {path} {headers:?}");
    }
}

#[tokio::test]
async fn settings_name_the_address_that_a_trusted_proxy_says() {
    let bench = Bench::new();
    let request = Request::get("/v1/projects/web/settings")
        .header("host", "inner:8080")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "e.example");
    let asked = request.extension(FromTrustedProxy).body(Body::empty()).unwrap();
    let expected = SEGMENT.replace("HOST", "e.example").replace("SCHEME", "https");
    assert_eq!(read(bench.send(asked).await).await, (200, expected));
}

#[tokio::test]
async fn rudderstacks_settings_are_told_to_who_has_a_key_in_either_place() {
    let bench = Bench::new();
    let document = r#"{"source":{"id":"freshsignal","config":{},"destinations":[]}}"#;
    let host = ("host", "e.example");
    for (uri, headers) in [
        ("/sourceConfig/?p=npm&v=3.34.1&build=modern&writeKey=web", vec![host]),
        ("/sourceConfig", vec![host, ("authorization", "Basic d2ViOg==")]),
    ] {
        let response = get(&bench, "GET", uri, &headers).await;
        assert_eq!(read(response).await, (200, document.to_owned()), "{uri}");
    }
    // The look for ad-blockers.
    let page = ("origin", "https://shop.example.com");
    let response = get(&bench, "HEAD", "/sourceConfig/?view=ad", &[page]).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["access-control-allow-origin"]),
        (200, &HeaderValue::from_static(page.1))
    );
}

#[tokio::test]
async fn settings_are_refused_like_events() {
    let bench = Bench::new();
    let page = ("origin", "https://elsewhere.example");
    let host = ("host", "e.example");
    for (uri, headers, status, code) in [
        ("/v1/projects/nobody/settings", vec![host], 401, "unknown_write_key"),
        ("/v1/projects/%ff/settings", vec![host], 401, "unknown_write_key"),
        ("/v1/projects/***/settings", vec![host], 401, "unknown_write_key"),
        ("/sourceConfig/", vec![host], 401, "unknown_write_key"),
        ("/v1/projects/web/settings", vec![host, page], 403, "origin_not_allowed"),
        ("/v1/projects/web/settings", vec![], 400, "unknown_host"),
        ("/v1/projects/web/settings", vec![("host", "a b")], 400, "unknown_host"),
    ] {
        let response = get(&bench, "GET", uri, &headers).await;
        assert_eq!(refusal(read(response).await), said(status, code, ""), "{uri} {headers:?}");
    }
}

#[tokio::test]
async fn a_success_has_no_key_error_and_a_preflight_passes_everywhere() {
    let bench = Bench::new();
    for path in ["/b", "/m", "/pixel/v1/page", "/sourceConfig", "/v1/projects/web/settings", "/api/s/track"] {
        let asked = [("origin", "https://shop.example.com"), ("access-control-request-method", "GET")];
        let response = get(&bench, "OPTIONS", path, &asked).await;
        assert_eq!(response.status(), 204, "{path}");
        assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example.com");
    }
    for body in [ONE, SEGMENT] {
        let body: Value = serde_json::from_str(body).unwrap();
        assert!(body.get("error").is_none());
    }
}
