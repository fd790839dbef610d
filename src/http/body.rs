//! Reads a whole body within its limits: bytes before and after decompression, time, and memory of its sender.
//!
//! A refused body is read on for a while and thrown away, because a client that is still sending when the connection
//! closes sees a reset in place of the answer. Must not know what a body means.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;

use super::error::ApiError;
use super::peers::{HeldBytes, Peer};

/// The rest of a refused body is read up to this many times the limit.
pub const DISCARD_FACTOR: usize = 4;

/// The limits a body has to keep.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes, as sent and after decompression.
    pub bytes_max: usize,
    /// From the end of the headers to the last byte of the body.
    pub deadline: Duration,
}

/// A body in memory, counted as held by its sender until dropped.
#[derive(Debug)]
pub struct Whole {
    /// The bytes after decompression.
    pub bytes: Bytes,
    _held: HeldBytes,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Over the limit, as sent or after decompression.
    #[error("the body is larger than {bytes_max} bytes (as sent, or after decompression)")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection broke or the framing is wrong.
    #[error("the body ended before it was complete")]
    Broken,
    /// An encoding other than gzip and deflate, or several.
    #[error("`Content-Encoding` must be gzip, deflate or identity")]
    UnknownEncoding,
    /// It does not decompress.
    #[error("the body does not decompress")]
    Corrupt,
    /// Its sender holds as much memory as one client may.
    #[error("too many bytes of this client are in flight; send fewer at once")]
    TooManyBytes,
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let (status, code) = match error {
            BodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            // Not 408: RudderStack's SDKs delete what was refused with any 4xx but 429, and the slow part may be ours.
            BodyError::TooSlow => (StatusCode::SERVICE_UNAVAILABLE, "request_timeout"),
            BodyError::Broken | BodyError::UnknownEncoding | BodyError::Corrupt => {
                (StatusCode::BAD_REQUEST, "malformed_body")
            }
            BodyError::TooManyBytes => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        };
        let answer = Self::new(status, code, error.to_string());
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => answer.retry_after_seconds(1),
            _ => answer,
        }
    }
}

/// Reads the whole body of a request and decompresses it.
///
/// # Errors
/// The first limit it breaks; by then its rest has been read and thrown away as far as is reasonable.
pub async fn read_whole(parts: &Parts, mut body: Body, limits: BodyLimits) -> Result<Whole, BodyError> {
    let outcome = match Encoding::of(&parts.headers) {
        Err(error) => Err(error),
        Ok(encoding) => {
            let mut held = HeldBytes::nothing(parts.extensions.get::<Arc<Peer>>().cloned());
            let collected = within(limits.deadline, collect(&mut body, &mut held, limits.bytes_max)).await;
            collected
                .unwrap_or(Err(BodyError::TooSlow))
                .and_then(|sent| encoding.decode(sent, &mut held, limits.bytes_max))
                .map(|bytes| Whole { bytes, _held: held })
        }
    };
    match outcome {
        Err(BodyError::TooLarge { .. } | BodyError::UnknownEncoding | BodyError::TooManyBytes) => {
            discard(&parts.headers, body, limits).await;
        }
        Ok(_) | Err(BodyError::TooSlow | BodyError::Broken | BodyError::Corrupt) => {}
    }
    outcome
}

/// Reads what is left of a refused body and throws it away, up to four times the limit.
pub async fn discard(headers: &HeaderMap, mut body: Body, limits: BodyLimits) {
    // Who asks before sending gets the answer at once; reading would make it send.
    if headers.contains_key(header::EXPECT) || body.is_end_stream() {
        return;
    }
    let mut left = limits.bytes_max.saturating_mul(DISCARD_FACTOR);
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Whether it ended in time or not, the answer is the same.
    let _ = within(limits.deadline, rest).await;
}

#[expect(clippy::disallowed_methods, reason = "the deadline guards a socket")]
async fn within<F: Future>(deadline: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(deadline, future).await.ok()
}

/// A body of one frame, the usual one, is not copied.
async fn collect(body: &mut Body, held: &mut HeldBytes, bytes_max: usize) -> Result<Bytes, BodyError> {
    let too_large = BodyError::TooLarge { bytes_max };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large);
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers are of no interest.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.len() + joined.len() + data.len() > bytes_max {
            return Err(too_large);
        }
        if !held.grow(data.len()) {
            return Err(BodyError::TooManyBytes);
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

#[derive(Clone, Copy)]
enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, BodyError> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Self::Identity) };
        let word = value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match word.as_str() {
            _ if values.next().is_some() => Err(BodyError::UnknownEncoding),
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            _ => Err(BodyError::UnknownEncoding),
        }
    }

    fn decode(self, sent: Bytes, held: &mut HeldBytes, bytes_max: usize) -> Result<Bytes, BodyError> {
        let plain = match self {
            Self::Identity => return Ok(sent),
            Self::Gzip => inflate(MultiGzDecoder::new(&sent[..]), bytes_max)?,
            Self::Deflate if is_zlib(&sent) => inflate(ZlibDecoder::new(&sent[..]), bytes_max)?,
            // The standard says zlib; some clients send the bare stream.
            Self::Deflate => inflate(DeflateDecoder::new(&sent[..]), bytes_max)?,
        };
        if held.grow(plain.len()) { Ok(Bytes::from(plain)) } else { Err(BodyError::TooManyBytes) }
    }
}

/// The limit is on what comes out of the decompressor, so a small bomb stays small.
fn inflate(decoder: impl Read, bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    let mut plain = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut plain).map_err(|_| BodyError::Corrupt)?;
    if plain.len() > bytes_max { Err(BodyError::TooLarge { bytes_max }) } else { Ok(plain) }
}

/// RFC 1950: method 8, and the first two bytes are a multiple of 31.
fn is_zlib(sent: &[u8]) -> bool {
    match sent {
        [first, second, ..] => first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0,
        [] | [_] => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use axum::http::Request;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const LIMITS: BodyLimits = BodyLimits { bytes_max: 1000, deadline: Duration::from_millis(200) };

    async fn read(encoding: &str, sent: impl Into<Body>) -> Result<Bytes, BodyError> {
        let request = Request::builder().header("content-encoding", encoding).body(sent.into()).unwrap();
        let (parts, body) = request.into_parts();
        read_whole(&parts, body, LIMITS).await.map(|whole| whole.bytes)
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn pieces(pieces: Vec<&'static [u8]>) -> Body {
        let frames = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece)));
        Body::from_stream(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn plain_gzip_zlib_and_bare_deflate_give_the_same_bytes() {
        let plain = b"{\"type\":\"page\"}";
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(plain).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(plain).unwrap();
        for (encoding, sent) in [
            ("identity", plain.to_vec()),
            ("gzip", gzip(plain)),
            ("X-GZIP", gzip(plain)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", deflate.finish().unwrap()),
        ] {
            assert_eq!(read(encoding, sent).await.unwrap(), &plain[..], "{encoding}");
        }
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order() {
        assert_eq!(read("", pieces(vec![b"a", b"", b"b", b"c"])).await.unwrap(), "abc");
        assert_eq!(read("", Body::empty()).await.unwrap(), "");
    }

    #[tokio::test]
    async fn the_limit_counts_bytes_as_sent_and_as_decompressed() {
        let too_large = BodyError::TooLarge { bytes_max: 1000 };
        assert_eq!(read("", vec![b'x'; 1001]).await.unwrap_err(), too_large);
        assert_eq!(read("", pieces(vec![&[b'x'; 600], &[b'x'; 600]])).await.unwrap_err(), too_large);
        assert_eq!(read("", vec![b'x'; 1000]).await.unwrap().len(), 1000);
        assert_eq!(read("gzip", gzip(&[b'x'; 1000])).await.unwrap().len(), 1000);
        assert_eq!(read("gzip", gzip(&[b'x'; 1001])).await.unwrap_err(), too_large);
    }

    #[tokio::test]
    async fn a_bomb_is_too_large_and_never_unpacked() {
        let bomb = gzip(&vec![0; 400_000]);
        assert!(bomb.len() < 1000);
        assert_eq!(read("gzip", bomb).await.unwrap_err(), BodyError::TooLarge { bytes_max: 1000 });
    }

    #[tokio::test]
    async fn what_does_not_decompress_is_corrupt_and_other_encodings_are_unknown() {
        let mut cut = gzip(b"hello");
        cut.truncate(12);
        assert_eq!(read("gzip", cut).await.unwrap_err(), BodyError::Corrupt);
        assert_eq!(read("gzip", "plain").await.unwrap_err(), BodyError::Corrupt);
        assert_eq!(read("deflate", "\u{1}").await.unwrap_err(), BodyError::Corrupt);
        assert_eq!(read("br", "x").await.unwrap_err(), BodyError::UnknownEncoding);
        assert_eq!(read("gzip, gzip", "x").await.unwrap_err(), BodyError::UnknownEncoding);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_too_slow() {
        let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(read("", Body::from_stream(endless)).await.unwrap_err(), BodyError::TooSlow);
    }

    #[tokio::test]
    async fn a_client_that_holds_all_it_may_is_refused_until_it_lets_go() {
        let admitted = crate::http::peers::Peers::new(1, 10).admit([127, 0, 0, 1].into()).unwrap();
        let read = async |text: &'static str| {
            let request = Request::builder().extension(Arc::clone(&admitted.peer)).body(()).unwrap();
            read_whole(&request.into_parts().0, Body::from(text), LIMITS).await
        };
        let held = read("12345678").await.unwrap();
        assert_eq!(read("123").await.unwrap_err(), BodyError::TooManyBytes);
        drop(held);
        assert_eq!(read("123").await.unwrap().bytes, "123");
    }

    #[test]
    fn each_refusal_has_its_status_and_code() {
        for (error, status, code) in [
            (BodyError::TooLarge { bytes_max: 1 }, 413, "body_too_large"),
            (BodyError::TooSlow, 503, "request_timeout"),
            (BodyError::Broken, 400, "malformed_body"),
            (BodyError::UnknownEncoding, 400, "malformed_body"),
            (BodyError::Corrupt, 400, "malformed_body"),
            (BodyError::TooManyBytes, 429, "too_many_requests"),
        ] {
            let answer = ApiError::from(error);
            assert_eq!((answer.status().as_u16(), answer.code()), (status, code));
        }
    }
}
