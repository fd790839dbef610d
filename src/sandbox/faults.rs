//! Faults: what somebody ordered to go wrong with the next calls. Must not change contacts itself.

use std::time::Duration;

use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::contacts;
use super::reply::Ending;

/// An order beyond this many open ones is refused.
pub(super) const FAULTS_MAX: usize = 10_000;

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><h1>Sign in to continue</h1></body></html>\n";

/// Something that goes wrong with the calls it fits, a number of times. Made from the same JSON that
/// `POST /sandbox/faults` takes:
///
/// | key | |
/// | --- | --- |
/// | `status` | the status of the answer, 200 to 599 |
/// | `body` | its body: text is sent as it is, anything else as JSON |
/// | `html` | a proxy's login page, or `body` as HTML |
/// | `retry_after` | that header, a number or any text; status 429 when none is given |
/// | `location` | that header; status 302 when none is given |
/// | `hang` | the call is never answered |
/// | `reset` | the connection is closed before the first byte of an answer |
/// | `truncated` | the connection is closed in the middle of the body |
/// | `endless` | the body never ends |
/// | `delay_ms` | the answer comes this much later |
/// | `apply` | the call takes effect all the same; without it a fault leaves no trace, unless it only delays |
/// | `times` | how many calls it meets; 1 when absent |
/// | `email` | only calls that name this email |
/// | `path` | only calls whose path contains this, for instance `bulk_upsert` or `/upsert` |
#[derive(Clone, Debug)]
pub struct Fault {
    answer: Option<Answer>,
    ending: Ending,
    delay: Duration,
    apply: bool,
    times_left: u32,
    email: Option<String>,
    path: Option<String>,
}

/// Why an order is refused.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// It is no JSON, or has a key or a type that does not exist.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A status that can't be an answer.
    #[error("`status` should be 200 to 599, not {0}")]
    Status(u16),
    /// It would never happen.
    #[error("`times` should be 1 or more")]
    Times,
    /// Not a number or a text a header can carry.
    #[error("`{0}` should be a number or a text that can be the value of a header")]
    Header(&'static str),
    /// Two ways to end at once.
    #[error("only one of `hang`, `reset`, `truncated`, `endless` can happen to a call")]
    Endings,
    /// An answer for a call that gets none.
    #[error(
        "`hang` and `reset` give no answer: leave `status`, `body`, `html`, `retry_after`, `location` out"
    )]
    NoAnswer,
    /// Nothing would go wrong.
    #[error("nothing would go wrong: name a `status`, a `body`, a `delay_ms`, …")]
    Nothing,
    /// Too many orders wait already.
    #[error("{FAULTS_MAX} faults wait already")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "the keys of the JSON form, checked right after reading")]
struct Order {
    status: Option<u16>,
    retry_after: Option<Value>,
    location: Option<String>,
    body: Option<Value>,
    delay_ms: Option<u64>,
    times: Option<u32>,
    email: Option<String>,
    path: Option<String>,
    #[serde(default)]
    html: bool,
    #[serde(default)]
    apply: bool,
    #[serde(default)]
    hang: bool,
    #[serde(default)]
    reset: bool,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    endless: bool,
}

impl Fault {
    /// Reads an order, as a request brings it.
    ///
    /// # Errors
    /// [`FaultError`] names what is wrong with it.
    pub fn from_slice(order: &[u8]) -> Result<Self, FaultError> {
        Self::from_order(serde_json::from_slice(order)?)
    }

    /// Reads an order, as a test writes it.
    ///
    /// # Errors
    /// [`FaultError`] names what is wrong with it.
    pub fn from_json(order: Value) -> Result<Self, FaultError> {
        Self::from_order(serde_json::from_value(order)?)
    }

    fn from_order(order: Order) -> Result<Self, FaultError> {
        let ending = order.ending()?;
        let answer = order.answer()?;
        let delay = Duration::from_millis(order.delay_ms.unwrap_or(0));
        if answer.is_some() && matches!(ending, Ending::Hang | Ending::Reset) {
            return Err(FaultError::NoAnswer);
        }
        if answer.is_none() && ending == Ending::Whole && delay.is_zero() {
            return Err(FaultError::Nothing);
        }
        let times_left = order.times.unwrap_or(1);
        if times_left == 0 {
            return Err(FaultError::Times);
        }
        let email = order.email.map(|email| contacts::identity(&email));
        Ok(Self { answer, ending, delay, apply: order.apply, times_left, email, path: order.path })
    }

    /// Whether the call takes effect although its answer goes wrong.
    pub(super) fn applies(&self) -> bool {
        let only_delays = self.answer.is_none() && self.ending == Ending::Whole;
        self.apply || only_delays
    }

    /// What the caller gets; `real` is the answer of a call that took effect.
    pub(super) fn outcome(&self, real: Option<Answer>) -> (Answer, Ending, Duration) {
        let answer =
            self.answer.clone().or(real).unwrap_or_else(|| {
                Answer::json(StatusCode::OK, &json!({"contact": {"id": 70_054_866_612_u64}}))
            });
        (answer, self.ending, self.delay)
    }

    fn fits(&self, path: &str, emails: &[String]) -> bool {
        self.path.as_ref().is_none_or(|part| path.contains(part.as_str()))
            && self.email.as_ref().is_none_or(|email| emails.contains(email))
    }
}

impl Order {
    fn ending(&self) -> Result<Ending, FaultError> {
        match (self.hang, self.reset, self.truncated, self.endless) {
            (false, false, false, false) => Ok(Ending::Whole),
            (true, false, false, false) => Ok(Ending::Hang),
            (false, true, false, false) => Ok(Ending::Reset),
            (false, false, true, false) => Ok(Ending::Truncated),
            (false, false, false, true) => Ok(Ending::Endless),
            _ => Err(FaultError::Endings),
        }
    }

    /// The answer that was ordered; `None` when the order names no part of one.
    fn answer(&self) -> Result<Option<Answer>, FaultError> {
        let retry_after = match &self.retry_after {
            None => None,
            Some(Value::String(text)) => Some(header("retry_after", text)?),
            Some(Value::Number(number)) => Some(header("retry_after", &number.to_string())?),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(FaultError::Header("retry_after"));
            }
        };
        let location = self.location.as_deref().map(|text| header("location", text)).transpose()?;
        let named = self.status.is_some() || self.body.is_some() || self.html;
        if !named && retry_after.is_none() && location.is_none() {
            return Ok(None);
        }
        let status = match self.status {
            Some(status @ 200..=599) => {
                StatusCode::from_u16(status).map_err(|_| FaultError::Status(status))?
            }
            Some(status) => return Err(FaultError::Status(status)),
            None if retry_after.is_some() => StatusCode::TOO_MANY_REQUESTS,
            None if location.is_some() => StatusCode::FOUND,
            None => StatusCode::OK,
        };
        let mut answer = self.body_of(status);
        if let Some(value) = retry_after {
            answer = answer.with(RETRY_AFTER, value);
        }
        if let Some(value) = location {
            answer = answer.with(LOCATION, value);
        }
        Ok(Some(answer))
    }

    fn body_of(&self, status: StatusCode) -> Answer {
        let json_type = HeaderValue::from_static("application/json; charset=utf-8");
        let html_type = HeaderValue::from_static("text/html; charset=utf-8");
        match (&self.body, self.html) {
            (None, true) => Answer::text(status, html_type, LOGIN_PAGE),
            (Some(Value::String(text)), true) => Answer::text(status, html_type, text.clone()),
            (Some(body), true) => Answer::text(status, html_type, body.to_string()),
            (Some(Value::String(text)), false) => Answer::text(status, json_type, text.clone()),
            (Some(body), false) => Answer::json(status, body),
            (None, false) => {
                Answer::error(status, &[status.canonical_reason().unwrap_or("Something went wrong.")])
            }
        }
    }
}

fn header(key: &'static str, text: &str) -> Result<HeaderValue, FaultError> {
    HeaderValue::from_str(text).map_err(|_| FaultError::Header(key))
}

/// The orders that wait for a call, oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    /// Adds an order; answers with how many wait now.
    pub(super) fn add(&mut self, fault: Fault) -> Result<usize, FaultError> {
        if self.waiting.len() >= FAULTS_MAX {
            return Err(FaultError::TooMany);
        }
        self.waiting.push(fault);
        Ok(self.waiting.len())
    }

    /// The oldest order that fits this call, used once.
    pub(super) fn take(&mut self, path: &str, emails: &[String]) -> Option<Fault> {
        let position = self.waiting.iter().position(|fault| fault.fits(path, emails))?;
        let fault = self.waiting.get_mut(position)?;
        fault.times_left -= 1;
        if fault.times_left > 0 { Some(fault.clone()) } else { Some(self.waiting.remove(position)) }
    }

    /// Forgets all orders.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}
