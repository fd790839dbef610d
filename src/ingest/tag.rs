//! The JavaScript tag as browsers get it: `GET /tag.js`.
//!
//! The script itself is `js/tag.js`. Must not know sources: a page's write key stands in the page.

use axum::http::{HeaderMap, HeaderName, header};

use super::address::Address;
use crate::http::Asset;

const SOURCE: &str = include_str!("js/tag.js");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// A change reaches every browser within an hour; until then, and while it is asked for again, nobody waits for it.
const CACHE_CONTROL: &str = "public, max-age=3600, stale-while-revalidate=604800";

/// The script that sends to `public_url` (empty: to where it was loaded from). It may be used on pages of every origin.
pub(super) fn asset(public_url: &str, prefix: &str) -> Asset {
    Asset::new("text/javascript; charset=utf-8", script(public_url, prefix))
        .with(header::CACHE_CONTROL, CACHE_CONTROL)
        .with(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .with(CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")
}

fn script(public_url: &str, prefix: &str) -> String {
    // Without a host in a request there is no address but the configured one.
    let base = Address::of(public_url, prefix, &HeaderMap::new(), false);
    let base = base
        .map_or_else(String::new, |Address { scheme, host_and_path }| format!("{scheme}://{host_and_path}"));
    let base = serde_json::Value::String(base).to_string();
    squeezed(SOURCE).replace("\"%PUBLIC_URL%\"", &base).replace("%VERSION%", env!("CARGO_PKG_VERSION"))
}

/// Without comments, indentation and empty lines: the script keeps each of them to lines of their own. Every other line
/// end stays, so that nothing can change its meaning.
fn squeezed(source: &str) -> String {
    let kept = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    kept.fold(String::with_capacity(source.len()), |script, line| script + line + "\n")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn it_is_under_five_kilobytes_as_browsers_get_it() {
        let mut request = HeaderMap::new();
        request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, br"));
        let answer = asset("https://events.example.com", "/relay").answer(&request);
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        let bytes = answer.into_body().collect().await.unwrap().to_bytes().len();
        assert!((2_000..5_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn it_sends_to_the_public_url_under_the_prefix_it_was_asked_for_under() {
        let endpoint = |public_url, prefix| {
            let script = script(public_url, prefix);
            let line = script.lines().find(|line| line.starts_with("const base = ")).unwrap().to_owned();
            line.split(' ').nth(3).unwrap().to_owned()
        };
        assert_eq!(endpoint("", "/relay"), "\"\"");
        assert_eq!(endpoint("https://events.example.com", ""), "\"https://events.example.com\"");
        assert_eq!(endpoint("https://events.example.com/", "/relay"), "\"https://events.example.com/relay\"");
        assert_eq!(endpoint("https://example.com/relay", "/relay"), "\"https://example.com/relay\"");
        assert!(!script("", "").contains("%PUBLIC_URL%") && !script("", "").contains("%VERSION%"));
    }

    #[test]
    fn squeezing_takes_lines_of_their_own_and_nothing_else() {
        let source = "// why\n  a(\"// not a comment\");\n\n    // more\n  b(); // stays\n";
        assert_eq!(squeezed(source), "a(\"// not a comment\");\nb(); // stays\n");
        let plain = |line: &str| !line.contains(" // ") && !line.contains('`');
        let everywhere = squeezed(SOURCE).lines().all(plain);
        assert!(everywhere, "a comment has a line to itself, and a text ends on its line");
    }
}
