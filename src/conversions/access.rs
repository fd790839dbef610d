//! Who may read the files: Basic authentication, compared in constant time.
//!
//! Must not say which of user and password is wrong, nor read anything from the query.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::Config;
use crate::http::ApiError;

/// Whether a request carries user and password.
pub fn admits(config: &Config, headers: &HeaderMap) -> bool {
    let Some(given) = credentials(headers) else { return false };
    let expected = format!("{}:{}", config.user.trim(), config.password.expose_secret());
    given.ct_eq(expected.as_bytes()).into()
}

/// What one `Authorization` header carries; several are none.
fn credentials(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (first, other) = (values.next()?.to_str().ok()?, values.next());
    let (scheme, encoded) = first.split_once(' ').filter(|_| other.is_none())?;
    scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok()).flatten()
}

/// The answer to whoever may not.
pub fn refusal() -> Response {
    let message = "user or password is missing or wrong: send them as `Authorization: Basic`; they stand in `[conversions]`";
    let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
    let basic = HeaderValue::from_static("Basic realm=\"freshsignal conversions\", charset=\"UTF-8\"");
    ([(header::WWW_AUTHENTICATE, basic)], error).into_response()
}
