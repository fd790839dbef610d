//! The JavaScript tag as browsers get it: `GET /tag.js`.
//!
//! The script itself is in `js`, a file a topic. Must not know sources: a page's write key stands in the page.

use axum::http::{HeaderMap, HeaderName, header};

use super::address::Address;
use super::config::ServerConfig;
use super::discreet;
use super::squeeze::squeezed;
use crate::http::Asset;

/// In this order, inside one function.
const PARTS: [&str; 6] = [
    include_str!("js/tag.js"),
    include_str!("js/queue.js"),
    include_str!("js/consent.js"),
    include_str!("js/calls.js"),
    include_str!("js/forms.js"),
    include_str!("js/pages.js"),
];
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// A change reaches every browser within an hour; until then, and while it is asked for again, nobody waits for it.
const CACHE_CONTROL: &str = "public, max-age=3600, stale-while-revalidate=604800";

/// The script that sends to `server.public_url` (empty: to where it was loaded from). It may be used on pages of every
/// origin.
pub(super) fn asset(server: &ServerConfig, prefix: &str) -> Asset {
    Asset::new("text/javascript; charset=utf-8", script(server, prefix))
        .with(header::CACHE_CONTROL, CACHE_CONTROL)
        .with(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .with(CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")
}

fn script(server: &ServerConfig, prefix: &str) -> String {
    // Without a host in a request there is no address but the configured one.
    let base = Address::of(&server.public_url, prefix, &HeaderMap::new(), false);
    let base = base
        .map_or_else(String::new, |Address { scheme, host_and_path }| format!("{scheme}://{host_and_path}"));
    let base = serde_json::Value::String(base).to_string();
    squeezed(&format!("(() => {{\n\"use strict\";\n{}\n}})();", PARTS.concat()))
        .replace("\"%PUBLIC_URL%\"", &base)
        .replace("\"%EVENT_BYTES_MAX%\"", &server.event_bytes_max.to_string())
        .replace("%SECRET%", &discreet::expression())
        .replace("%VERSION%", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use http_body_util::BodyExt;

    use super::*;

    fn at(public_url: &str) -> ServerConfig {
        ServerConfig { public_url: public_url.to_owned(), ..ServerConfig::default() }
    }

    #[tokio::test]
    async fn it_is_under_six_kilobytes_as_browsers_get_it() {
        let mut request = HeaderMap::new();
        request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, br"));
        let answer = asset(&at("https://events.example.com"), "/relay").answer(&request);
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        let bytes = answer.into_body().collect().await.unwrap().to_bytes().len();
        assert!((2_000..6_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn it_sends_to_the_public_url_under_the_prefix_it_was_asked_for_under() {
        let endpoint = |public_url, prefix| {
            let script = script(&at(public_url), prefix);
            let before = script.split("||").find(|part| part.ends_with('"')).unwrap();
            before.rsplit('=').next().unwrap().to_owned()
        };
        assert_eq!(endpoint("", "/relay"), "\"\"");
        assert_eq!(endpoint("https://events.example.com", ""), "\"https://events.example.com\"");
        assert_eq!(endpoint("https://events.example.com/", "/relay"), "\"https://events.example.com/relay\"");
        assert_eq!(endpoint("https://example.com/relay", "/relay"), "\"https://example.com/relay\"");
        assert!(!script(&at(""), "").contains("%P") && !script(&at(""), "").contains("%V"));
    }

    #[test]
    fn its_source_is_written_to_be_squeezed() {
        for line in
            PARTS.iter().flat_map(|part| part.lines()).map(str::trim).filter(|line| !line.starts_with("//"))
        {
            assert!(!line.contains(" // ") && !line.contains('`'), "{line}");
        }
    }
}
