//! Requests to a receiver that a user named: with a limit on everything, no redirect followed, to addresses that were
//! checked.
//!
//! The address may be a secret, so nothing here says it, and no words of a library that might.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response, Url};

use super::address::{AddressProblem, NotReached, Reach};
use crate::clock::UnixMicros;
use crate::delivery::RetryAfter;
use crate::freshsales::{ClientError, Timeouts, Transport, hardened, read_retry_after};

/// How long one request may take.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(5), attempt: Duration::from_secs(10) };
/// Of an answer's body, this much is read.
const ANSWER_BYTES_MAX: usize = 2048;
/// And this much shown.
const ANSWER_CHARS_MAX: usize = 200;
/// A receiver that asks for a pause that makes no sense is left alone for so long.
const ABSURD_WAIT: Duration = Duration::from_hours(1);

/// Why there is nobody to call.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// Its address can't be used.
    #[error(transparent)]
    Address(#[from] AddressProblem),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The library refused what it was given.
    #[error("the HTTP client could not be set up")]
    Library,
}

/// A 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub status: u16,
    /// The beginning of what was answered, on one line.
    pub words: String,
}

/// Why a request had no success, in words without an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Another status than 2xx, the beginning of what was answered, and how long to wait where that was said.
    Answered(u16, String, Option<Duration>),
    /// The name stands for addresses alone that are not allowed.
    NotReached,
    /// The certificate is not to be trusted.
    Certificate,
    /// The name was not found.
    NoName,
    /// No connection.
    NoConnection,
    /// No answer in time.
    TooSlow,
    /// The connection broke off.
    BrokeOff,
}

impl Failed {
    /// Whether the receiver is there and did not like what it was sent, so that something else may be taken.
    #[must_use]
    pub fn is_of_the_message(&self) -> bool {
        matches!(self, Self::Answered(400 | 409 | 413 | 415 | 422, ..))
    }

    /// How long the receiver asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered(_, _, wait) => *wait,
            Self::NotReached
            | Self::Certificate
            | Self::NoName
            | Self::NoConnection
            | Self::TooSlow
            | Self::BrokeOff => None,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered(status @ 300..=399, ..) => {
                return write!(f, "the receiver answered {status}: a redirect is not followed");
            }
            Self::Answered(status, ..) => return write!(f, "the receiver answered {status}"),
            Self::NotReached => {
                "the receiver's name stands for a private address (allow_private = true allows that)"
            }
            Self::Certificate => "the certificate of the receiver is not to be trusted",
            Self::NoName => "the receiver's name was not found",
            Self::NoConnection => "there is no connection to the receiver",
            Self::TooSlow => "the receiver did not answer within 10 s",
            Self::BrokeOff => "the connection to the receiver broke off",
        })
    }
}

/// Asks one address.
pub struct Caller {
    http: Client,
    url: Url,
}

impl Caller {
    /// One for an address that was read by [`super::receiver_at`].
    ///
    /// # Errors
    /// It can't be called.
    pub fn new((url, reach): (Url, Reach)) -> Result<Self, CallerError> {
        let builder = hardened(TIMEOUTS, &Transport::default())?
            .dns_resolver(reach)
            .https_only(reach != Reach::ThisMachine);
        let http = builder.build().map_err(|_| CallerError::Library)?;
        Ok(Self { http, url })
    }

    /// A POST to the address.
    pub fn post(&self) -> RequestBuilder {
        self.http.post(self.url.clone())
    }

    /// A GET of the address.
    pub fn get(&self) -> RequestBuilder {
        self.http.get(self.url.clone())
    }

    /// Makes a request.
    ///
    /// # Errors
    /// It had no success.
    pub async fn call(&self, request: RequestBuilder, now: UnixMicros) -> Result<Taken, Failed> {
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
        let wait = match read_retry_after(wait, now) {
            RetryAfter::Absent => None,
            RetryAfter::For(wait) => Some(wait),
            RetryAfter::Until(moment) => Some(moment.since(now)),
            RetryAfter::Absurd => Some(ABSURD_WAIT),
        };
        let words = self.words(response).await;
        if (200..=299).contains(&status) {
            Ok(Taken { status, words })
        } else {
            Err(Failed::Answered(status, words, wait))
        }
    }

    /// The beginning of what was answered, without the address, should that be repeated.
    async fn words(&self, mut response: Response) -> String {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend(chunk.iter().take(ANSWER_BYTES_MAX - body.len()));
            if body.len() >= ANSWER_BYTES_MAX {
                break;
            }
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let secrets = [Some(self.url.as_str()), Some(self.url.path()), self.url.query()];
        let secrets = secrets.into_iter().flatten().filter(|secret| secret.len() > 1);
        let text = secrets.fold(text, |text, secret| text.replace(secret, "[redacted]"));
        text.chars().take(ANSWER_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

fn failed(error: &reqwest::Error) -> Failed {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if found.is::<NotReached>() {
            return Failed::NotReached;
        }
        // An error of the library for input and output hides the one that it holds.
        let held = found.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if found.is::<rustls::Error>() || held.is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) {
            return Failed::Certificate;
        }
        cause = found.source();
    }
    match (error.is_timeout(), error.is_dns(), error.is_connect()) {
        (true, _, _) => Failed::TooSlow,
        (false, true, _) => Failed::NoName,
        (false, false, true) => Failed::NoConnection,
        (false, false, false) => Failed::BrokeOff,
    }
}
