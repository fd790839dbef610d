//! The description of the private listener's API, for whoever writes a client.
//!
//! It holds no data, so nobody needs the token for it.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::Asset;
use crate::openapi;

static DOCUMENT: LazyLock<Asset> = LazyLock::new(|| Asset::new("application/json", openapi::private()));

/// `GET /openapi.json`
pub(in crate::admin) async fn document(headers: HeaderMap) -> Response {
    DOCUMENT.answer(&headers)
}
