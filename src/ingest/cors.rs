//! Which pages may send: origins per source, and the headers that tell a browser so. Never with credentials.
//!
//! A preflight carries no write key, so it passes when any source allows the origin; the request itself passes when its
//! own source does. Must not know events.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::key::KnownSources;

/// An entry of `allowed_origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every page.
    Any,
    /// One origin, in the form browsers send it.
    Exact(String),
    /// Every origin below a host (`https://*.example.com`).
    Below {
        /// `https://` or `http://`.
        scheme: &'static str,
        /// The end of the origin, from the dot on.
        suffix: String,
    },
}

impl AllowedOrigin {
    /// Reads an entry; `None` when it is none of the forms.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::Any);
        }
        let (scheme, default_port) = match text.split_once("://")?.0 {
            "https" => ("https://", ":443"),
            "http" => ("http://", ":80"),
            _ => return None,
        };
        let host = text.strip_prefix(scheme)?;
        // Browsers leave the default port out.
        let host = host.strip_suffix(default_port).unwrap_or(host);
        match host.strip_prefix("*.") {
            Some(parent) if is_host(parent) => Some(Self::Below { scheme, suffix: format!(".{parent}") }),
            None if is_host(host) => Some(Self::Exact(format!("{scheme}{host}"))),
            Some(_) | None => None,
        }
    }

    fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => origin == exact,
            Self::Below { scheme, suffix } => origin
                .strip_prefix(scheme)
                .and_then(|host| host.strip_suffix(suffix.as_str()))
                .is_some_and(|below| !below.is_empty()),
        }
    }
}

/// A host with or without a port: `example.com`, `localhost:3000`, `[::1]:3000`.
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        Some(_) | None => (text, None),
    };
    let bracketed = name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let good_name = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
    };
    good_name && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Whether one of the entries allows the origin of a request.
pub fn allows(allowed: &[AllowedOrigin], origin: &HeaderValue) -> bool {
    let origin = origin.to_str().unwrap_or("?");
    allowed.iter().any(|entry| entry.allows(origin))
}

/// Whether one of the entries names the origin of a request: not `*`, which names nobody.
pub fn names(allowed: &[AllowedOrigin], origin: &HeaderValue) -> bool {
    let origin = origin.to_str().unwrap_or("?");
    allowed.iter().any(|entry| *entry != AllowedOrigin::Any && entry.allows(origin))
}

/// Lets the page that sent a request read its answer, if any source allows its origin.
pub fn let_read(answer: &mut Response, origin: &HeaderValue, sources: &KnownSources) {
    let headers = answer.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if sources.any_allows(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
}

/// What pages send: `x-retry-count` is `@segment/analytics-next` 1.84's; `anonymousid` and `sentat` are
/// `@rudderstack/analytics-js` 3.34's; `x-write-key`, `x-enable-debug` and `x-ip-policy` are `@jitsu/js` 1.11's.
const HEADERS: &str = "authorization, content-type, content-encoding, x-write-key, x-retry-count, \
    x-enable-debug, x-ip-policy, anonymousid, sentat";
/// Headers of `@rudderstack/analytics-js` (`Rsa-Retry-Attempt`, `Rsa-Recovered`…); their names change between versions.
const HEADER_FAMILY: &str = "rsa-";
const METHODS: &str = "GET, HEAD, POST, OPTIONS";
const PRIVATE_NETWORK_ASKED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_NETWORK_ALLOWED: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// As long as browsers allow (two hours).
const MAX_AGE_SECONDS: u32 = 7200;

/// The answer to a preflight of an allowed origin.
pub fn preflight(request: &HeaderMap) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(request));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_SECONDS));
    // A page of a public address asks so before it sends to a private one, such as the machine it is developed on.
    if request.contains_key(PRIVATE_NETWORK_ASKED) {
        headers.insert(PRIVATE_NETWORK_ALLOWED, HeaderValue::from_static("true"));
    }
    answer
}

/// A family can't be named in the answer, so its members are repeated from the question.
fn allowed_headers(request: &HeaderMap) -> HeaderValue {
    let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok());
    let mut allowed = HEADERS.to_owned();
    let family = asked.unwrap_or_default().split(',').map(|name| name.trim().to_ascii_lowercase());
    let is_token = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    for name in family.filter(|name| name.starts_with(HEADER_FAMILY)).filter(is_token).take(20) {
        allowed.push_str(", ");
        allowed.push_str(&name);
    }
    HeaderValue::from_str(&allowed).unwrap_or(HeaderValue::from_static(HEADERS))
}
