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
    let beside =
        ["/debug/nothing.js", "/debug/..%2fmod.rs", "/debug/index.html", "/debug/%ff", "/debug/%ff/main.js"];
    let below =
        ["/debug/ui/nothing.js", "/debug/ui/..%2fmod.rs", "/debug/ui/index.html", "/debug/ui/ui/main.js"];
    for path in beside.into_iter().chain(below) {
        assert_eq!(lab.get(path).await.status, 404, "{path}");
    }
}

#[test]
fn every_order_that_the_page_offers_names_a_route() {
    let there: Vec<String> =
        ROUTES.iter().map(|route| format!("{} {}", guard::method(route), route.path)).collect();
    let mut named = 0;
    for script in crate::admin::page::scripts() {
        for marker in ["\"data-needs\": \"", "decision(\n    \""] {
            for after in script.split(marker).skip(1) {
                let route = after.split('"').next().unwrap();
                assert!(there.iter().any(|one| one == route), "{route} is no route");
                named += 1;
            }
        }
    }
    assert!(named > 12, "{named}");
}

/// Relative luminance of `#rrggbb`, as WCAG 2 defines it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn text_and_its_ground_have_the_contrast_that_wcag_asks_for() {
    let sheet = include_str!("../page/ui/style.css");
    let colour = |name: &str| {
        let value = sheet.split_once(&format!("--{name}: light-dark(")).unwrap().1;
        let (light, rest) = value.split_once(", ").unwrap();
        [light, rest.split_once(')').unwrap().0].map(luminance)
    };
    let grounds = ["ground", "card", "sunk", "calm-ground", "good-ground", "wait-ground", "stop-ground"];
    let text =
        ["text", "faint", "link"].into_iter().flat_map(|text| grounds.map(|ground| (text, ground, 4.5)));
    let words = [
        ("good", "good-ground", 4.5),
        ("wait", "wait-ground", 4.5),
        ("stop", "stop-ground", 4.5),
        ("calm", "calm-ground", 4.5),
    ];
    let lines = ["strong-line", "focus", "line-0", "line-1"];
    let lines =
        lines.into_iter().flat_map(|line| ["ground", "card", "sunk"].map(|ground| (line, ground, 3.0)));
    let others = [("accent-text", "accent", 4.5), ("stop", "card", 4.5), ("accent", "calm-ground", 3.0)];
    for (over, under, least) in text.chain(words).chain(lines).chain(others) {
        for (one, other) in colour(over).into_iter().zip(colour(under)) {
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= least, "{over} on {under}: {contrast:.2} is less than {least}");
        }
    }
}
