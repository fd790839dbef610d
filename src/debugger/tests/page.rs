//! The files of the page.

use super::*;

#[tokio::test]
async fn the_page_and_its_files_come_with_their_kind_and_a_policy_that_allows_nothing_else() {
    let lab = Lab::with_token();
    for (path, kind) in [
        ("/debug", "text/html; charset=utf-8"),
        ("/debug/style.css", "text/css; charset=utf-8"),
        ("/debug/main.js", "text/javascript; charset=utf-8"),
        ("/debug/icon.svg", "image/svg+xml"),
    ] {
        let reply = lab.get(path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.headers["content-type"].to_str().unwrap()),
            (200, kind),
            "{path}"
        );
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(reply.headers["cache-control"], "no-cache");
        assert!(!reply.text.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let lab = Lab::new();
    let first = lab.get("/debug/main.js").await;
    let tag = first.headers["etag"].to_str().unwrap();
    let other = lab.get("/debug/style.css").await;
    assert_ne!(other.headers["etag"], tag);
    let again = async |tags: &str| {
        let builder = request("GET", "/debug/main.js").header("if-none-match", tags);
        let reply = lab.send(builder.body(Body::empty()).unwrap()).await;
        (reply.status.as_u16(), reply.text.len(), reply.headers["etag"].to_str().unwrap() == tag)
    };
    assert_eq!(again(tag).await, (304, 0, true));
    assert_eq!(again(&format!("\"other\", {tag}")).await, (304, 0, true));
    assert_eq!(again("\"other\"").await, (200, first.text.len(), true));
}

#[tokio::test]
async fn no_other_file_can_be_asked_for() {
    let lab = Lab::new();
    for path in
        ["/debug/nothing.js", "/debug/..%2fmod.rs", "/debug/index.html", "/debug/%ff", "/debug/ui/main.js"]
    {
        assert_eq!(lab.get(path).await.status, 404, "{path}");
    }
}
