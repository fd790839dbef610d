//! Selectors: which lists of the account the mapping's names are looked up in, how old they are, and what is missing in them.

use axum::Json;
use axum::http::Uri;
use serde::Serialize;

use super::answer::rfc3339_or_null;
use super::query::Params;
use crate::admin::Asked;
use crate::clock::UnixMicros;
use crate::decision::Settings;
use crate::http::ApiError;
use crate::selectors::{Answered, Kind};

/// All lists that are needed or known.
#[derive(Serialize)]
pub(in crate::admin) struct SelectorsView {
    selectors: Vec<SelectorView>,
    /// Names that stand in the mapping and have no id, in sentences.
    missing: Vec<String>,
}

/// One list.
#[derive(Serialize)]
struct SelectorView {
    kind: Kind,
    /// Whether the mapping has names that are looked up in it.
    needed: bool,
    state: &'static str,
    #[serde(serialize_with = "rfc3339_or_null")]
    asked_at: Option<UnixMicros>,
    entries: usize,
    /// More than are kept, or without id or name.
    left_out: usize,
}

/// `GET /api/selectors`
pub(in crate::admin) async fn selectors(
    Asked(app): Asked,
    uri: Uri,
) -> Result<Json<SelectorsView>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(SelectorsView::of(&app.settings())))
}

impl SelectorsView {
    fn of(settings: &Settings) -> Self {
        let needed = settings.selectors_needed();
        let shown = Kind::ALL.into_iter().filter_map(|kind| {
            let (list, needed) = (settings.selectors.list(kind), needed.contains(&kind));
            if list.is_none() && !needed {
                return None;
            }
            let (state, entries, left_out) = match list.map(|list| &list.answer) {
                None => ("not_asked", 0, 0),
                Some(Answered::Known(table)) => ("known", table.entries.len(), table.left_out),
                Some(Answered::Forbidden) => ("forbidden", 0, 0),
                Some(Answered::Unreadable) => ("unreadable", 0, 0),
            };
            let asked_at = list.map(|list| list.asked_at);
            Some(SelectorView { kind, needed, state, asked_at, entries, left_out })
        });
        Self { selectors: shown.collect(), missing: settings.missing_names() }
    }
}
