//! Who may send: write keys and origins.

use super::*;

fn keyed(uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::post(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned().into()).unwrap()
}

// base64 of "srv:", "web:", "nobody:", "srv", "srv:password"
const BASIC_SRV: (&str, &str) = ("authorization", "Basic c3J2Og==");
const BASIC_WEB: (&str, &str) = ("authorization", "basic d2ViOg==");
const BASIC_NOBODY: (&str, &str) = ("authorization", "Basic bm9ib2R5Og==");

#[tokio::test]
async fn the_key_is_taken_from_the_first_place_that_has_one() {
    let in_body = r#"{"type":"page","userId":"u","writeKey":"srv"}"#;
    for (uri, headers, body, source) in [
        ("/ingest", vec![BASIC_SRV], PAGE, "server"),
        ("/ingest", vec![("authorization", "Basic c3J2")], PAGE, "server"),
        ("/ingest", vec![("authorization", "Basic c3J2OnBhc3N3b3Jk")], PAGE, "server"),
        ("/ingest", vec![("x-write-key", " srv ")], PAGE, "server"),
        ("/ingest?writeKey=srv", vec![], PAGE, "server"),
        ("/ingest?a=%ff&writeKey=%73rv&writeKey=x", vec![], PAGE, "server"),
        ("/ingest", vec![], in_body, "server"),
        ("/ingest", vec![], r#"{"batch":[{"type":"page","userId":"u"}],"writeKey":"srv"}"#, "server"),
        ("/ingest", vec![], r#"[{"type":"page","userId":"u","writeKey":"srv"}]"#, "server"),
        ("/v1/batch", vec![], r#"{"batch":[{"type":"page","userId":"u","writeKey":"srv"}]}"#, "server"),
        // A key with a secret behind it, wherever it stands; one that is masked is none.
        ("/ingest", vec![("x-write-key", "srv:secret")], PAGE, "server"),
        ("/ingest?writeKey=srv:secret", vec![], PAGE, "server"),
        ("/ingest", vec![], r#"{"type":"page","userId":"u","writeKey":"srv:***"}"#, "server"),
        ("/ingest?writeKey=***", vec![("x-write-key", "***")], in_body, "server"),
        (
            "/b",
            vec![],
            r#"{"batch":[{"type":"page","userId":"u","writeKey":"srv"}],"writeKey":"***"}"#,
            "server",
        ),
        // Precedence, place by place.
        ("/ingest?writeKey=srv", vec![BASIC_WEB, ("x-write-key", "srv")], in_body, "website"),
        ("/ingest?writeKey=srv", vec![("x-write-key", "web")], in_body, "website"),
        ("/ingest?writeKey=web", vec![], in_body, "website"),
        // What holds no key is passed over.
        ("/ingest?writeKey=", vec![("authorization", "Bearer web"), ("x-write-key", "")], in_body, "server"),
        ("/ingest", vec![("authorization", "Basic !!!"), ("x-write-key", "web")], in_body, "website"),
        ("/ingest", vec![("authorization", "Basic Og==")], in_body, "server"),
    ] {
        let bench = Bench::new();
        let (status, answer) = read(bench.send(keyed(uri, &headers, body)).await).await;
        assert_eq!(status, 200, "{uri} {headers:?} {body}: {answer}");
        assert_eq!(bench.records()[0].source.0, source, "{uri} {headers:?} {body}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_even_if_a_right_one_follows_and_so_is_none() {
    let bench = Bench::new();
    for (uri, headers, body) in [
        ("/ingest", vec![], PAGE),
        ("/ingest?writeKey=srv", vec![BASIC_NOBODY], PAGE),
        ("/ingest", vec![("x-write-key", "sr")], PAGE),
        ("/ingest", vec![("x-write-key", "srv2")], PAGE),
        ("/ingest", vec![], r#"{"type":"page","userId":"u","writeKey":"x"}"#),
        ("/ingest", vec![], r#"{"type":"page","userId":"u","writeKey":""}"#),
        ("/ingest", vec![], r#"{"type":"page","userId":"u","writeKey":"***"}"#),
        ("/ingest", vec![], "[]"),
    ] {
        let answer = read(bench.send(keyed(uri, &headers, body)).await).await;
        assert_eq!(refusal(answer), said(401, "unknown_write_key", ""), "{uri} {headers:?} {body}");
        assert_eq!(bench.refused()[0].source, None);
    }
    assert_eq!(bench.records(), []);
}

#[tokio::test]
async fn keys_rotate_and_a_reload_revokes_them() {
    let bench = Bench::new();
    let status =
        async |key| bench.send(keyed("/ingest", &[("x-write-key", key)], PAGE)).await.status().as_u16();
    assert_eq!((status("web").await, status("web-old").await), (200, 200));
    bench.ingest.replace_sources(&toml::from_str("website = { write_key = 'web-new' }").unwrap());
    assert_eq!((status("web").await, status("web-old").await, status("web-new").await), (401, 401, 200));
}

#[tokio::test]
async fn a_page_may_send_when_its_own_source_allows_the_origin() {
    for (key, origin, status) in [
        ("web", "https://shop.example.com", 200),
        ("web", "https://a.b.example.org", 200),
        ("srv", "https://anywhere.example", 200),
        ("srv", "null", 200),
        ("web", "http://shop.example.com", 403),
        ("web", "https://shop.example.com:8443", 403),
        ("web", "https://shop.example.com.evil.example", 403),
        ("web", "https://example.org", 403),
        ("web", "https://.example.org", 403),
        ("web", "null", 403),
        ("nobody", "https://shop.example.com", 401),
    ] {
        let bench = Bench::new();
        let response = bench.send(keyed("/ingest", &[("x-write-key", key), ("origin", origin)], PAGE)).await;
        let headers = response.headers().clone();
        assert_eq!(headers.get("vary").unwrap(), "origin");
        // The other source allows every page, so this one may always read why.
        assert_eq!(headers["access-control-allow-origin"], origin, "{key}");
        assert_eq!(headers["access-control-expose-headers"], "retry-after");
        assert!(!headers.contains_key("access-control-allow-credentials"));
        let answer = read(response).await;
        assert_eq!(answer.0, status, "{key} {origin}");
        if status == 403 {
            assert_eq!(refusal(answer), said(403, "origin_not_allowed", ""));
            assert_eq!(bench.refused()[0].source, Some(SourceName("website".to_owned())));
        }
    }
}

#[tokio::test]
async fn an_origin_that_no_source_allows_can_not_read_the_answer() {
    let bench = Bench::with("", "website = { write_key = 'web', allowed_origins = ['https://a.example'] }");
    let response =
        bench.send(keyed("/ingest", &[("x-write-key", "web"), ("origin", "https://b.example")], PAGE)).await;
    assert_eq!(response.status(), 403);
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_preflight_passes_when_any_source_that_is_on_allows_the_origin() {
    let sources = "a = { write_key = 'a', allowed_origins = ['https://a.example:443'] }
        b = { write_key = 'b', allowed_origins = ['http://localhost:3000'] }
        off = { allowed_origins = ['*'] }";
    let bench = Bench::with("", sources);
    for (origin, status) in
        [("https://a.example", 204), ("http://localhost:3000", 204), ("https://c.example", 403)]
    {
        let request = Request::options("/v1/track")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,RSA-Test,rsa-\"x,x-other");
        let response = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), status, "{origin}");
        assert_eq!(response.headers()["vary"], "origin");
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), status == 204);
        assert!(!response.headers().contains_key("access-control-allow-private-network"));
        if status == 204 {
            assert_eq!(response.headers()["access-control-allow-methods"], "GET, HEAD, POST, OPTIONS");
            assert_eq!(
                response.headers()["access-control-allow-headers"],
                "authorization, content-type, content-encoding, x-write-key, x-retry-count, x-enable-debug, \
                 x-ip-policy, anonymousid, sentat, rsa-test"
            );
            assert_eq!(response.headers()["access-control-max-age"], "7200");
        } else {
            assert_eq!(refusal(read(response).await), said(403, "origin_not_allowed", ""));
        }
    }
}

#[tokio::test]
async fn a_public_page_may_send_to_a_private_address_where_its_origin_is_allowed() {
    let bench = Bench::with("", "a = { write_key = 'a', allowed_origins = ['https://preview.example'] }");
    for (origin, allowed) in [("https://preview.example", Some("true")), ("https://c.example", None)] {
        let request = Request::options("/ingest")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-private-network", "true");
        let response = bench.send(request.body(Body::empty()).unwrap()).await;
        let said = response.headers().get("access-control-allow-private-network");
        assert_eq!(said.map(|said| said.to_str().unwrap()), allowed, "{origin}");
    }
}
