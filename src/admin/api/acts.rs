//! Who did what: what was ordered and by whom, who was shown a person, and who asks.

use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{failed, rfc3339};
use super::query::Params;
use crate::admin::{Asked, HoldsNobody, Role};
use crate::clock::UnixMicros;
use crate::http::ApiError;
use crate::trail::{Act, Look};

/// `GET /api/me`
pub(in crate::admin) async fn me(
    Asked(app): Asked,
    uri: Uri,
) -> Result<(Extension<HoldsNobody>, Json<Value>), ApiError> {
    Params::read(&uri, &[])?;
    let role = app.who.role;
    let me = json!({
        "name": app.who.name,
        "role": role.as_str(),
        "masked": app.who.is_masked(),
        "roles": Role::ALL.map(Role::as_str),
        "may": app.may(),
    });
    // Of nobody but who asks.
    Ok((Extension(HoldsNobody), Json(me)))
}

/// Something that was ordered.
#[derive(Serialize)]
struct ActView {
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    kind: &'static str,
    who: String,
    about: String,
}

impl From<Act> for ActView {
    fn from(Act { at, kind, who, about }: Act) -> Self {
        Self { at, kind: kind.as_str(), who, about }
    }
}

/// What was ordered, the last first.
#[derive(Serialize)]
pub(in crate::admin) struct ActsView {
    acts: Vec<ActView>,
}

/// `GET /api/acts`
pub(in crate::admin) async fn acts(Asked(app): Asked, uri: Uri) -> Result<Json<ActsView>, ApiError> {
    let limit = Params::read(&uri, &["limit"])?.limit()?;
    let acts = app.store.acts(limit).await.map_err(failed)?;
    Ok(Json(ActsView { acts: acts.into_iter().map(ActView::from).collect() }))
}

/// Somebody was shown a person.
#[derive(Serialize)]
struct LookView {
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    who: String,
    route: String,
    /// The same for the same person; null where it was many, or somebody without an address.
    whom: Option<String>,
}

impl From<Look> for LookView {
    fn from(Look { at, who, route, whom }: Look) -> Self {
        Self { at, who, route, whom: Some(whom).filter(|whom| !whom.is_empty()) }
    }
}

/// Who looked, the last first.
#[derive(Serialize)]
pub(in crate::admin) struct LooksView {
    looks: Vec<LookView>,
}

/// `GET /api/looks`
pub(in crate::admin) async fn looks(Asked(app): Asked, uri: Uri) -> Result<Json<LooksView>, ApiError> {
    let params = Params::read(&uri, &["limit", "email"])?;
    let whom = params.email()?.map(|email| app.looks.mark(email.as_str()));
    let looks = app.store.looks(whom, params.limit()?).await.map_err(failed)?;
    Ok(Json(LooksView { looks: looks.into_iter().map(LookView::from).collect() }))
}
