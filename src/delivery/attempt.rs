//! What one call to Freshsales said and was answered, as the debugger shows it. Secrets are redacted already.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::UnixMicros;

/// Attempts of one delivery that are kept.
pub const ATTEMPTS_KEPT_MAX: usize = 12;
/// Bytes of an answer's body that are kept.
pub const BODY_KEPT_BYTES_MAX: usize = 4096;

/// One call and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first of its delivery.
    pub attempt: u32,
    /// When it left.
    pub started_at: UnixMicros,
    /// How long it took.
    pub duration_ms: u64,
    /// What was sent.
    pub request: AttemptRequest,
    /// What came back, if anything.
    pub response: Option<AttemptResponse>,
    /// Why nothing, or nothing usable, came back.
    pub error: Option<String>,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRequest {
    /// `POST`.
    pub method: String,
    /// The full address.
    pub url: String,
    /// Header names and values, the key redacted.
    pub headers: Vec<(String, String)>,
    /// The JSON body.
    pub body: Value,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body, cut at [`BODY_KEPT_BYTES_MAX`].
    pub body: String,
}

impl AttemptResponse {
    /// An answer, its body cut at what is kept.
    #[must_use]
    pub fn cut(status: u16, mut body: String) -> Self {
        body.truncate(body.floor_char_boundary(BODY_KEPT_BYTES_MAX));
        Self { status, body }
    }
}
