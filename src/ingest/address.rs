//! Under which address browsers reach this service: `server.public_url`, else what their request says.
//!
//! Must not answer anything. What a request says of the address is believed for the answer to that request alone.

use axum::http::{HeaderMap, header};

use super::cors::is_host;

/// An address without a slash at its end, taken apart the way some SDKs want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Host, port where it is not the usual one, and path.
    pub host_and_path: String,
}

impl Address {
    /// The address of the routes under `prefix`, by which they were asked for. `None` when the request does not name
    /// a host.
    pub fn of(public_url: &str, prefix: &str, headers: &HeaderMap) -> Option<Self> {
        if let Some((scheme, rest)) = split(public_url) {
            let rest = rest.trim_end_matches('/');
            let prefix = if rest.ends_with(prefix) { "" } else { prefix };
            return Some(Self { scheme, host_and_path: format!("{rest}{prefix}") });
        }
        let host = headers.get(header::HOST)?.to_str().ok().filter(|host| is_host(host))?;
        let scheme = if asked_by_tls(host, headers) { "https" } else { "http" };
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
            let found = Address::of(public_url, prefix, &map);
            let found = found.map(|address| format!("{}://{}", address.scheme, address.host_and_path));
            assert_eq!(found.as_deref(), address, "{public_url} {prefix} {headers:?}");
        }
    }
}
