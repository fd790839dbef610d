//! Where data goes: what is in effect, another account, key or receiver of alerts, and a way to revoke what waits.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::order::{FEW_WORDS, order_in};
use super::query::Params;
use super::settings::{blocking, edit_view, refused_by};
use super::setup::{not_taken, told};
use crate::admin::Asked;
use crate::admin::owned::{Owned, OwnedChange, OwnedWish, ShownOutput};
use crate::clock::UnixMicros;
use crate::http::ApiError;
use crate::managed::{Pending, dotted};
use crate::output::Topic;
use crate::store::Plan;
use crate::trail::ActKind;

/// `GET /api/settings/owned`
pub(in crate::admin) async fn owned(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let owner = Arc::clone(&app.commands.owner);
    let found = blocking(move || owner.owned()).await?;
    let Owned { revision, alias, base_url, dry_run, format, host, outputs, locks, pending } =
        found.map_err(refused_by)?;
    let outputs: Vec<Value> = outputs.iter().map(output).collect();
    let locks: Vec<Value> = locks.iter().map(|(path, by)| json!({ "path": path, "by": by })).collect();
    let account = json!({ "alias": alias, "base_url": base_url, "dry_run": dry_run });
    Ok(Json(json!({ "revision": revision, "account": account, "alerts": { "format": format, "host": host },
        "outputs": outputs, "topics": Topic::ALL.map(Topic::as_str), "locks": locks, "pending": pending.as_ref().map(waits) })))
}

fn output(shown: &ShownOutput) -> Value {
    let ShownOutput { name, host, format, events } = shown;
    json!({ "name": name, "host": host, "format": format, "events": events })
}

fn waits(pending: &Pending) -> Value {
    let keys: Vec<String> = pending.wishes.iter().map(|wish| dotted(&wish.path)).collect();
    json!({ "at": pending.at.to_rfc3339(), "due": pending.due.to_rfc3339(), "who": pending.who, "keys": keys })
}

const WISH: &str = r#"{"revision":N,"account":{"alias":"acme","api_key":"…"}}, {"revision":N,"alerts":{"url":"https://…","format":"slack"}} or {"revision":N,"output":{"name":"shop","url":"https://…","events":["deal.won"]}}, with "name" to order it"#;

/// `POST /api/settings/owned`
pub(in crate::admin) async fn change(Asked(app): Asked, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let wish: OwnedWish = order_in(&parts, body, FEW_WORDS, WISH).await?;
    let owner = Arc::clone(&app.commands.owner);
    let changed = match owner.change(wish, (app.who.name.clone(), app.now())).await {
        Ok(changed) => changed,
        Err(refused) => return not_taken(refused),
    };
    let OwnedChange { findings, edits, name, settings, ordered, due, secret } = changed;
    let plan = match settings {
        Some(settings) if !ordered => Some(app.foreseen(settings).await?),
        Some(_) | None => None,
    };
    if ordered {
        let keys: Vec<String> = edits.iter().map(|edit| dotted(&edit.path)).collect();
        app.carry_out_noted(Plan::default(), ActKind::Edited, keys.join(", ")).await?;
    }
    let edits: Vec<Value> = edits.iter().map(edit_view).collect();
    Ok(Json(
        json!({ "success": true, "ordered": ordered, "due": due.map(UnixMicros::to_rfc3339), "name": name,
        "edits": edits, "findings": told(&findings), "plan": plan,
        "secret": secret.as_ref().map(ExposeSecret::expose_secret) }),
    )
    .into_response())
}

/// `DELETE /api/settings/owned`
pub(in crate::admin) async fn revoke(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let owner = Arc::clone(&app.commands.owner);
    if !blocking(move || owner.revoke()).await?.map_err(refused_by)? {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "nothing waits to take effect"));
    }
    tracing::warn!(who = app.who.name, "a change of where data goes was revoked on the page");
    app.carry_out_noted(Plan::default(), ActKind::Edited, "revoked").await?;
    Ok(Json(json!({ "success": true })))
}
