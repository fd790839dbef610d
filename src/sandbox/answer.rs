//! The answers of the sandbox: their JSON form and every reason for a refusal, in words.
//! Must not decide when a call is refused.

use std::fmt::Display;

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

/// A complete answer, before it is known how it goes out.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// An answer with a JSON body.
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self::text(status, HeaderValue::from_static("application/json; charset=utf-8"), body.to_string())
    }

    /// An answer with any body.
    pub(super) fn text(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        Self { status, headers, body: body.into() }
    }

    /// An answer in the form Freshsales gives its errors.
    pub(super) fn error(status: StatusCode, messages: &[impl Display]) -> Self {
        let messages: Vec<String> = messages.iter().map(ToString::to_string).collect();
        Self::json(status, &json!({"errors": {"code": status.as_u16(), "message": messages}}))
    }

    /// The same answer with one more header.
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.insert(name, value.into());
        self
    }
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("No account has this bundle alias.")]
    UnknownAccount,
    #[error("You have to be logged in to do this: the API key or its scheme is wrong.")]
    WrongKey,
    #[error("You are not allowed to perform this action.")]
    NotAllowed,
    #[error("You are not authorised to perform this operation.")]
    NotAuthorised,
    #[error("The content type should be application/json.")]
    ContentType,
    #[error("Too many requests.")]
    Throttled { retry_after_seconds: u64 },
    #[error("The body is larger than {limit_bytes} bytes.")]
    BodyTooLarge { limit_bytes: usize },
    #[error("There is nothing here.")]
    NotFound,
    #[error("This takes {allowed} only.")]
    Method { allowed: String },
    #[error("{0}")]
    Malformed(&'static str),
    #[error("The body is no JSON: {0}")]
    NotJson(String),
    #[error("The record is refused.")]
    Invalid(Vec<Problem>),
    #[error("First name or last name is mandatory.")]
    MissingNames,
    #[error("Email is not unique")]
    EmailTaken,
    #[error("The account holds all the records it can.")]
    AccountFull,
}

impl Refusal {
    /// The answer a caller gets.
    pub(super) fn answer(&self) -> Answer {
        let answer = Answer::error(self.status(), &self.messages());
        if let Self::Throttled { retry_after_seconds } = self {
            return answer.with(RETRY_AFTER, *retry_after_seconds);
        }
        if let Self::Method { allowed } = self
            && let Ok(allowed) = HeaderValue::from_str(allowed)
        {
            return answer.with(ALLOW, allowed);
        }
        answer
    }

    /// What is wrong, a sentence each.
    pub(super) fn messages(&self) -> Vec<String> {
        if let Self::Invalid(problems) = self {
            return problems.iter().map(ToString::to_string).collect();
        }
        vec![self.to_string()]
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownAccount | Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongKey => StatusCode::UNAUTHORIZED,
            Self::NotAllowed | Self::NotAuthorised => StatusCode::FORBIDDEN,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MissingNames => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed(_)
            | Self::NotJson(_)
            | Self::Invalid(_)
            | Self::EmailTaken
            | Self::AccountFull => StatusCode::BAD_REQUEST,
        }
    }
}

/// What is wrong with one attribute of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("{name} is not an attribute of {called}")]
    Unknown { name: String, called: &'static str },
    #[error("{0} should not be null")]
    Null(String),
    #[error("{name} should be {expected}")]
    Kind { name: String, expected: &'static str },
    #[error("{name} is too long (maximum is {limit_chars} characters)")]
    TooLong { name: String, limit_chars: usize },
    #[error("emails is invalid")]
    Email,
    #[error("{0} is mandatory")]
    Mandatory(String),
    #[error("{0} is blank")]
    Blank(&'static str),
    // Of contact statuses this sentence was seen on live accounts; the others are like it.
    #[error("Invalid {} provided.", .0.trim_end_matches("_id").replace('_', " "))]
    NotListed(String),
    #[error("{0} is not unique")]
    Taken(String),
    #[error("{0} names nothing of this account")]
    Nowhere(&'static str),
    #[error("deal_stage_id is no stage of deal_pipeline_id")]
    OtherPipeline,
}

/// A call that took effect, or found something.
pub(super) fn ok(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}
