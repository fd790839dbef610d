//! Under which address browsers reach this service: `server.public_url`, else what their request says.
//!
//! Must not answer anything. What a request says of the address is believed for the answer to that request alone.

use axum::http::{HeaderMap, header};

use super::cors::is_host;
use crate::http::forwarded;

/// An address without a slash at its end, taken apart the way some SDKs want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Host, port where it is not the usual one, and path.
    pub host_and_path: String,
}

impl Address {
    /// `https://events.example.com`, as browsers name where a page is from.
    pub fn origin(&self) -> String {
        let host = self.host_and_path.split('/').next().unwrap_or_default();
        format!("{}://{host}", self.scheme)
    }

    /// The address of the routes under `prefix`, by which they were asked for. `None` when the request does not name
    /// a host. `proxied`: a trusted proxy forwards it, so what that says counts.
    pub fn of(public_url: &str, prefix: &str, headers: &HeaderMap, proxied: bool) -> Option<Self> {
        if let Some((scheme, rest)) = split(public_url) {
            let rest = rest.trim_end_matches('/');
            let prefix = if rest.ends_with(prefix) { "" } else { prefix };
            return Some(Self { scheme, host_and_path: format!("{rest}{prefix}") });
        }
        let forwarded = if proxied { forwarded::host(headers) } else { None };
        let named = || headers.get(header::HOST)?.to_str().ok();
        let host = forwarded.or_else(named).filter(|host| is_host(host))?;
        let scheme = if proxied { forwarded::scheme(headers) } else { None };
        let guessed = if asked_by_tls(host, headers) { "https" } else { "http" };
        let scheme = scheme.unwrap_or(guessed);
        Some(Self { scheme, host_and_path: format!("{host}{prefix}") })
    }
}

/// A page that was loaded by https can't ask by plain http, this machine excepted. So whoever ends TLS before us is
/// recognised without being named.
fn asked_by_tls(host: &str, headers: &HeaderMap) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let here =
        name == "localhost" || name.ends_with(".localhost") || name.starts_with("127.") || name == "[::1]";
    let says = |name| headers.get(name).is_some_and(|page| page.as_bytes().starts_with(b"https://"));
    !here && (says(header::ORIGIN) || says(header::REFERER))
}

fn split(url: &str) -> Option<(&'static str, &str)> {
    let https = url.strip_prefix("https://").map(|rest| ("https", rest));
    https.or_else(|| url.strip_prefix("http://").map(|rest| ("http", rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_configured_one_else_that_of_the_request() {
        for (public_url, prefix, headers, address) in [
            ("https://events.example.com", "", vec![], Some("https://events.example.com")),
            ("https://events.example.com/", "/relay", vec![], Some("https://events.example.com/relay")),
            ("https://example.com/relay", "/relay", vec![("host", "x")], Some("https://example.com/relay")),
            ("http://localhost:8080", "", vec![], Some("http://localhost:8080")),
            ("", "", vec![("host", "127.0.0.1:8080")], Some("http://127.0.0.1:8080")),
            ("", "/relay", vec![("host", "e.example:81")], Some("http://e.example:81/relay")),
            (
                "",
                "",
                vec![("host", "e.example"), ("origin", "https://shop.example")],
                Some("https://e.example"),
            ),
            (
                "",
                "",
                vec![("host", "e.example"), ("referer", "https://shop.example/a")],
                Some("https://e.example"),
            ),
            (
                "",
                "",
                vec![("host", "e.example"), ("origin", "http://shop.example")],
                Some("http://e.example"),
            ),
            (
                "",
                "",
                vec![("host", "localhost:8080"), ("origin", "https://shop.example")],
                Some("http://localhost:8080"),
            ),
            ("", "", vec![("host", "e.example/\"")], None),
            ("", "", vec![], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.insert(*name, value.parse().unwrap());
            }
            let found = Address::of(public_url, prefix, &map, false);
            let found = found.map(|address| format!("{}://{}", address.scheme, address.host_and_path));
            assert_eq!(found.as_deref(), address, "{public_url} {prefix} {headers:?}");
        }
    }

    #[test]
    fn what_a_proxy_says_of_the_address_counts_where_it_is_trusted() {
        let said =
            [("host", "inner:8080"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "e.example")];
        let by_rfc = [("host", "inner:8080"), ("forwarded", "for=203.0.113.9;proto=https;host=e.example")];
        let no_host = [("host", "e.example"), ("x-forwarded-proto", "https")];
        let plain =
            [("host", "e.example"), ("x-forwarded-proto", "http"), ("origin", "https://shop.example")];
        let nonsense = [("host", "e.example"), ("x-forwarded-host", "e.example/\"><script>")];
        for (headers, public_url, trusted, others) in [
            (&said[..], "", Some("https://e.example"), Some("http://inner:8080")),
            (&by_rfc, "", Some("https://e.example"), Some("http://inner:8080")),
            (&no_host, "", Some("https://e.example"), Some("http://e.example")),
            (&plain, "", Some("http://e.example"), Some("https://e.example")),
            (&nonsense, "", None, Some("http://e.example")),
            (&said, "https://p.example", Some("https://p.example"), Some("https://p.example")),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let found = |proxied| {
                let address = Address::of(public_url, "", &map, proxied)?;
                Some(format!("{}://{}", address.scheme, address.host_and_path))
            };
            assert_eq!((found(true).as_deref(), found(false).as_deref()), (trusted, others), "{headers:?}");
        }
    }
}
