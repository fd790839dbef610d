//! The tag as the public listener serves it.

use super::*;

async fn asked(bench: &Bench, path: &str, etag: &str) -> Response {
    let request =
        Request::get(path).header("if-none-match", etag).header("origin", "https://any.example.net");
    bench.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_page_may_load_it_and_keeps_it_for_a_while() {
    let bench = Bench::new();
    let answer = asked(&bench, "/tag.js", "").await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(header("cache-control"), "public, max-age=3600, stale-while-revalidate=604800");
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("cross-origin-resource-policy"), "cross-origin");
    let etag = header("etag").to_owned();
    let (status, script) = read(answer).await;
    assert_eq!(status, 200);
    assert!(script.starts_with("(()=>{\"use strict\";"), "{script}");
    let again = asked(&bench, "/tag.js", &etag).await;
    assert_eq!(again.headers()["access-control-allow-origin"], "*");
    assert_eq!(read(again).await, (304, String::new()));
}

#[tokio::test]
async fn it_is_also_under_the_prefix_and_says_where_to_send() {
    let server = "path_prefix = \"/relay\"\npublic_url = \"https://events.example.com\"";
    let bench = Bench::with(server, SOURCES);
    for (path, base) in
        [("/tag.js", "https://events.example.com"), ("/relay/tag.js", "https://events.example.com/relay")]
    {
        let (status, script) = read(asked(&bench, path, "").await).await;
        assert_eq!(status, 200);
        assert!(script.contains(&format!("=\"{base}\"||")), "{script}");
    }
}

#[tokio::test]
async fn it_takes_nothing() {
    let bench = Bench::new();
    let answer = read(bench.send(Request::post("/tag.js").body(Body::empty()).unwrap()).await).await;
    assert_eq!(refusal(answer), said(405, "method_not_allowed", ""));
}
