//! The id of a request: in its answer, and in every log line that it leads to.
//!
//! Must not take one over from whoever sends: it would stand in the log, whatever it says. A trusted proxy's is taken where it
//! looks like an id, so that its log and ours name a request alike.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of an id that is taken over.
const CHARS_MAX: usize = 128;

/// The id of one request.
pub struct RequestId(HeaderValue);

impl RequestId {
    /// That of the proxy that forwards the request, where it is one; else a new one.
    pub fn of(headers: &HeaderMap, proxied: bool) -> Self {
        let brought = headers.get(HEADER).filter(|id| proxied && is_id(id.as_bytes()));
        let made = || HeaderValue::from_str(&format!("{:032x}", rand::random::<u128>()));
        Self(brought.cloned().or_else(|| made().ok()).unwrap_or(HeaderValue::from_static("none")))
    }

    /// For a log line.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// Names it in the answer.
    pub fn name_in(self, answer: &mut Response) {
        answer.headers_mut().insert(HEADER, self.0);
    }
}

/// Letters, digits and what stands between them in the ids that proxies make.
fn is_id(text: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(byte);
    (1..=CHARS_MAX).contains(&text.len()) && text.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_over_from_a_proxy_alone_and_only_where_it_looks_like_one() {
        let long = "x".repeat(CHARS_MAX + 1);
        for (brought, proxied, taken) in [
            ("7b5fc1a2-0000-4000-8000-1234567890ab", true, true),
            ("Root=1-67891233-abcdef012345678912345678", true, true),
            ("7b5fc1a2", false, false),
            ("", true, false),
            ("a b", true, false),
            ("ann@example.com", true, false),
            ("a\u{e9}", true, false),
            (long.as_str(), true, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(brought.as_bytes()).unwrap());
            let id = RequestId::of(&headers, proxied);
            assert_eq!(id.as_str() == brought, taken, "{brought}");
            let made = id.as_str().len() == 32 && id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(taken || made, "{}", id.as_str());
        }
        let another = || RequestId::of(&HeaderMap::new(), true).as_str().to_owned();
        assert_ne!(another(), another());
    }
}
