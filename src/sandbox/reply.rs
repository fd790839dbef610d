//! How an answer goes out: late, whole, cut, endless or never. Must not decide what it says.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;

use super::answer::Answer;
use crate::clock::Clock;

/// What becomes of the connection while the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The whole answer arrives.
    Whole,
    /// Nothing ever arrives.
    Hang,
    /// The connection is closed before the first byte.
    Reset,
    /// The connection is closed in the middle of the body.
    Truncated,
    /// The body goes on for ever.
    Endless,
}

/// An answer and the way it goes out.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) ending: Ending,
    /// When it goes out, on the monotonic clock.
    pub(super) due: Duration,
}

impl Reply {
    /// The status the caller sees; `None` when it sees none.
    pub(super) fn status_seen(&self) -> Option<u16> {
        match self.ending {
            Ending::Whole | Ending::Truncated | Ending::Endless => Some(self.answer.status.as_u16()),
            Ending::Hang | Ending::Reset => None,
        }
    }

    /// Waits until the answer is due, then hands it over.
    pub(super) async fn send(self, clock: &dyn Clock) -> Response {
        clock.sleep_until(self.due).await;
        let Answer { status, mut headers, body } = self.answer;
        let body = match self.ending {
            Ending::Whole => Body::from(body),
            Ending::Hang => std::future::pending().await,
            Ending::Reset => Body::from_stream(stream::iter([Err::<Bytes, _>(closed())])),
            Ending::Truncated => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
                cut(&body)
            }
            Ending::Endless => endless(body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// The first half of a body, then a closed connection.
fn cut(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    Body::from_stream(stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) if !half.is_empty() => Some((Ok(half), Some(Bytes::new()))),
            Some(_) => {
                // The server writes what it has only when the body makes it wait; without this the caller
                // would not even see the head.
                tokio::task::yield_now().await;
                Some((Err(closed()), None))
            }
            None => None,
        }
    }))
}

/// The body, then white space for as long as the caller reads.
fn endless(body: Bytes) -> Body {
    const SPACES: Bytes = Bytes::from_static(&[b' '; 8_192]);
    Body::from_stream(stream::unfold(body, |chunk| async move { Some((Ok::<_, Infallible>(chunk), SPACES)) }))
}

fn closed() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}
