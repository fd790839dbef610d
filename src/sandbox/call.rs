//! A call as it arrived, and what it asks. Must not answer it.

use axum::extract::Query;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::answer::Refusal;

/// A larger body is refused.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
const ACCOUNT_HOST: &str = ".myfreshworks.com";

/// What the query of a call may say.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// What is looked for.
    #[serde(default)]
    pub(super) q: String,
    /// In which field.
    #[serde(default)]
    pub(super) f: String,
    /// Among what.
    #[serde(default)]
    pub(super) entities: String,
    /// What is shown along.
    #[serde(default)]
    pub(super) include: String,
    /// Which page, from 1 on.
    pub(super) page: Option<usize>,
    /// How many a page.
    pub(super) per_page: Option<usize>,
    /// `desc`: the newest first.
    #[serde(default)]
    pub(super) sort_type: String,
}

/// A call as it arrived.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// `None` when it was too large.
    pub(super) body: Option<Bytes>,
}

impl Call {
    /// The account that is meant; `None` when the call names none, as on loopback.
    pub(super) fn alias(&self) -> Option<String> {
        if let Some(alias) = self.headers.get("x-bundle-alias") {
            return Some(String::from_utf8_lossy(alias.as_bytes()).trim().to_owned());
        }
        let host = self.host()?.to_ascii_lowercase();
        let host = host.split(':').next()?;
        host.strip_suffix(ACCOUNT_HOST).map(str::to_owned)
    }

    /// What the query says.
    pub(super) fn asked(&self) -> Result<Asked, Refusal> {
        let Query(asked) = Query::<Asked>::try_from_uri(&self.uri)
            .map_err(|_| Refusal::Malformed("page and per_page should be numbers"))?;
        Ok(asked)
    }

    /// What is to be shown along.
    pub(super) fn include(&self) -> Result<Vec<String>, Refusal> {
        let asked = self.asked()?;
        Ok(asked
            .include
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect())
    }

    fn host(&self) -> Option<&str> {
        self.uri.host().or_else(|| self.headers.get(HOST)?.to_str().ok())
    }

    /// Where the caller reached us, for links in an answer.
    pub(super) fn origin(&self) -> String {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let scheme = if host.to_ascii_lowercase().ends_with(ACCOUNT_HOST) { "https" } else { "http" };
        format!("{scheme}://{host}")
    }

    pub(super) fn is_json(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        content_type
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let body = self.body.as_deref().unwrap_or_default();
        serde_json::from_slice(body).map_err(|error| Refusal::NotJson(error.to_string()))
    }
}
