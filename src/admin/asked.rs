//! The private listener as whoever asks may use it: what the routes work with.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Debugger;
use super::role::Who;

/// The debugger, and on it who asks. Where the guard has not said, it is somebody who may least.
pub(super) struct Asked(pub Debugger);

impl FromRequestParts<Debugger> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, debugger: &Debugger) -> Result<Self, Infallible> {
        let who = parts.extensions.get::<Who>().cloned().unwrap_or_default();
        Ok(Self(Debugger { who, ..debugger.clone() }))
    }
}
