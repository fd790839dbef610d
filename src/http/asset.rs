//! A file that is part of the program, as it is served: compressed for whoever takes that, and not sent again to whoever
//! has it.
//!
//! Must not read files: the content comes in as a value. Who may see it is for the route to say.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// A file with its fixed headers. Clones share the content.
#[derive(Clone, Debug)]
pub struct Asset {
    plain: Bytes,
    gzipped: Option<Bytes>,
    etag: HeaderValue,
    headers: HeaderMap,
}

impl Asset {
    /// A file of this type. It is asked for again each time until [`Asset::with`] gives it another `Cache-Control`.
    #[must_use]
    pub fn new(content_type: &'static str, content: impl Into<Bytes>) -> Self {
        let plain: Bytes = content.into();
        let mut hasher = DefaultHasher::new();
        plain.hash(&mut hasher);
        // Weak, because the same tag is on the plain and the compressed form.
        let etag = format!("W/\"{:016x}\"", hasher.finish());
        let etag = HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("W/\"\""));
        let asset = Self { gzipped: gzip(&plain), plain, etag, headers: HeaderMap::new() };
        asset
            .with(header::CONTENT_TYPE, content_type)
            .with(header::CACHE_CONTROL, "no-cache")
            .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .with(header::VARY, "accept-encoding")
    }

    /// Sent with this header; in place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// The answer to a request with these headers.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap) -> Response {
        let (status, encoding, content) = if self.is_had(request) {
            (StatusCode::NOT_MODIFIED, None, Bytes::new())
        } else {
            match &self.gzipped {
                Some(gzipped) if takes_gzip(request) => (StatusCode::OK, Some("gzip"), gzipped.clone()),
                Some(_) | None => (StatusCode::OK, None, self.plain.clone()),
            }
        };
        let mut response = Response::new(Body::from(content));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(header::ETAG, self.etag.clone());
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }

    fn is_had(&self, request: &HeaderMap) -> bool {
        let own = self.etag.to_str().unwrap_or_default().trim_start_matches("W/");
        words(request, &header::IF_NONE_MATCH).any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
    }
}

/// The comma-separated words of a header, over all its lines.
fn words<'a>(request: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = request.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn takes_gzip(request: &HeaderMap) -> bool {
    words(request, &header::ACCEPT_ENCODING).any(|word| {
        let (name, weight) = word.split_once(';').unwrap_or((word, "q=1"));
        let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// `None` where it would gain nothing.
fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let gzipped = encoder.finish().ok()?;
    (gzipped.len() < plain.len()).then(|| gzipped.into())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn asking(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    async fn got(asset: &Asset, request: &HeaderMap) -> (u16, Option<String>, Vec<u8>) {
        let answer = asset.answer(request);
        let encoding = answer.headers().get(header::CONTENT_ENCODING);
        let encoding = encoding.map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        (status, encoding, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn whoever_takes_gzip_gets_it_and_it_unpacks_to_the_same() {
        let text = "freshsignal ".repeat(100);
        let asset = Asset::new("text/plain", text.clone());
        for accepts in ["gzip", "br, gzip;q=0.5, *;q=0.1", "GZIP"] {
            let (status, encoding, body) = got(&asset, &asking(&[(header::ACCEPT_ENCODING, accepts)])).await;
            assert_eq!((status, encoding.as_deref()), (200, Some("gzip")), "{accepts}");
            let mut plain = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&body[..]);
            std::io::Read::read_to_string(&mut decoder, &mut plain).unwrap();
            assert_eq!(plain, text);
        }
        for accepts in ["", "br", "gzip;q=0", "x-gzip", "gzip;q=none"] {
            let (status, encoding, body) = got(&asset, &asking(&[(header::ACCEPT_ENCODING, accepts)])).await;
            assert_eq!((status, encoding, body), (200, None, text.clone().into_bytes()), "{accepts}");
        }
    }

    #[tokio::test]
    async fn what_gains_nothing_is_not_compressed() {
        let gzip = asking(&[(header::ACCEPT_ENCODING, "gzip")]);
        assert_eq!(got(&Asset::new("text/plain", "x"), &gzip).await, (200, None, b"x".to_vec()));
    }

    #[tokio::test]
    async fn whoever_has_it_is_told_so_and_a_change_is_another_tag() {
        let asset = Asset::new("text/plain", "one");
        let tag = |asset: &Asset| asset.answer(&HeaderMap::new()).headers()[header::ETAG].clone();
        let own = tag(&asset);
        assert_ne!(own, tag(&Asset::new("text/plain", "two")));
        let mut request = HeaderMap::new();
        for (sent, status) in [
            (own.to_str().unwrap().to_owned(), 304),
            (format!("\"other\", {}", own.to_str().unwrap()), 304),
            (own.to_str().unwrap().trim_start_matches("W/").to_owned(), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            request.insert(header::IF_NONE_MATCH, sent.parse().unwrap());
            let answer = asset.answer(&request);
            assert_eq!(answer.status().as_u16(), status, "{sent}");
            assert_eq!(answer.headers()[header::ETAG], own);
        }
        request.insert(header::IF_NONE_MATCH, own);
        assert_eq!(got(&asset, &request).await, (304, None, Vec::new()));
    }

    #[test]
    fn it_has_its_headers_and_the_last_one_of_a_name_counts() {
        let asset = Asset::new("text/plain", "x").with(header::CACHE_CONTROL, "max-age=60");
        let answer = asset.answer(&HeaderMap::new());
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/plain");
        assert_eq!(header("cache-control"), "max-age=60");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("vary"), "accept-encoding");
    }
}
