//! The shape of every refusal: a stable code for machines, a sentence for people.
//!
//! Must not carry what a client sent: input never becomes part of an answer's code or header.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A refusal as the client sees it: `{"success":false,"code":"…","message":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    reason: Option<&'static str>,
    message: Cow<'static, str>,
    retry_after_seconds: Option<u32>,
}

#[derive(Serialize)]
struct Shape<'a> {
    success: bool,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    message: &'a str,
}

impl ApiError {
    /// A refusal with a status, a stable code and a sentence.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, reason: None, message: message.into(), retry_after_seconds: None }
    }

    /// Names the detail behind the code, for machines.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Tells the client when to come again.
    #[must_use]
    pub fn retry_after_seconds(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// No such route.
    #[must_use]
    pub fn not_found() -> Self {
        Self::no_such("there is no such route")
    }

    /// There is nothing at this address; says what would have to be there.
    #[must_use]
    pub fn no_such(message: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The route exists, with another method.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "the route does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// A fault of ours.
    #[must_use]
    pub fn internal() -> Self {
        let message = "the request failed inside the service; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The stable word of the detail.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let shape =
            Shape { success: false, code: self.code, reason: self.reason, message: self.message.as_ref() };
        // Strings alone: this can't fail, and an empty body with the status would still tell the most.
        let body = serde_json::to_vec(&shape).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_refusal_has_its_code_its_sentence_and_when_to_come_again() {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "too \"much\"")
            .retry_after_seconds(2);
        let response = error.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"{"success":false,"code":"overloaded","message":"too \"much\""}"#);
    }
}
