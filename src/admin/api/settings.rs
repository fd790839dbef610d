//! Settings on the page: what may be changed, what is in effect and what says so; a change looked at, applied and undone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::failed;
use super::commands::kept;
use super::order::{FEW_WORDS, MANY_NAMES, not_an_order, order_in};
use super::query::Params;
use crate::admin::Asked;
use crate::admin::editor::{Applied, Draft, EditRefused, Previewed};
use crate::event::{Position, parse_body};
use crate::http::ApiError;
use crate::managed::{Change, Edit, Refused, dotted, is_secret, to_toml};
use crate::mapping::{DealRule, EventRule, Preset};
use crate::selectors::{Answered, Kind, Selectors};
use crate::store::{Plan, Stream};
use crate::trail::ActKind;

/// Changes that are shown.
const CHANGES_SHOWN: usize = 50;
/// The latest events that are looked at for what they carry, and how much is read at once.
const EVENTS_LOOKED_AT: u64 = 500;
const EVENTS_BYTES: usize = 4 << 20;
/// Paths that are offered.
const PATHS_MAX: usize = 300;
const DEEP_MAX: usize = 6;
const EXAMPLE_CHARS: usize = 60;
/// Of what was changed in the list of what was done.
const ABOUT_CHARS: usize = 300;

/// `GET /api/settings`
pub(in crate::admin) async fn settings(Asked(app): Asked, uri: Uri) -> Result<Response, ApiError> {
    Params::read(&uri, &[])?;
    let editor = Arc::clone(&app.commands.editor);
    let seen = match blocking(move || editor.seen()).await? {
        Ok(seen) => seen,
        Err(EditRefused::Off) => {
            return Ok(Json(json!({ "editable": false, "message": OFF })).into_response());
        }
        Err(EditRefused::Problems(problems)) => {
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(kept(&problems))).into_response());
        }
        Err(refused) => return Err(refused_by(refused)),
    };
    let settings = app.settings();
    let locks = seen.locks.iter().map(|(path, by)| json!({ "path": path, "by": by }));
    let keys = key_lists(&seen.document.values)
        .into_iter()
        .map(|(source, name)| json!({ "source": source, "name": name, "ends_with": seen.keys.get(&name) }));
    let changes: Vec<&Change> = seen.document.changes.iter().rev().take(CHANGES_SHOWN).collect();
    Ok(Json(json!({
        "editable": true,
        "revision": seen.document.revision,
        "values": seen.values,
        "sources": seen.sources,
        "hooks": hooks_of(seen.hooks),
        "managed": seen.document.values,
        "fields": fields_of(&settings.preset),
        "events": events_of(&settings.preset),
        "deals": kinds_of_deals(&settings.preset),
        "stages": stages_of(&settings.selectors),
        "locks": locks.collect::<Vec<_>>(),
        "keys": keys.collect::<Vec<_>>(),
        "changes": changes.into_iter().map(change_view).collect::<Vec<_>>(),
    }))
    .into_response())
}

const OFF: &str = "settings are changed in the configuration file: `admin.edit` is not true";

fn change_view(change: &Change) -> Value {
    let Change { revision, at, who, edits, undoes } = change;
    json!({ "revision": revision, "at": at.to_rfc3339(), "who": who, "undoes": undoes,
        "edits": edits.iter().map(edit_view).collect::<Vec<_>>() })
}

pub(super) fn edit_view(edit: &Edit) -> Value {
    json!({ "path": edit.path, "key": dotted(&edit.path), "before": edit.before, "after": edit.after })
}

/// The hooks that there are, and the kinds that can be made here: what a `generic` one needs beside its secret stands in a file.
fn hooks_of(hooks: BTreeMap<String, (&'static str, String)>) -> Vec<Value> {
    let view = |(name, (kind, source))| json!({ "name": name, "kind": kind, "source": source });
    hooks.into_iter().map(view).collect()
}

/// Write keys that were made on the page: source and name.
fn key_lists(values: &Map<String, Value>) -> Vec<(String, String)> {
    let sources = values.get("sources").and_then(Value::as_object).into_iter().flatten();
    let keys = sources.flat_map(|(source, keys)| {
        let names = keys.get("write_keys").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(|name| Some((source.clone(), name.as_str()?.to_owned())))
    });
    keys.collect()
}

/// An attribute as it is read now.
#[derive(Serialize)]
struct FieldView {
    name: String,
    from: Value,
    convert: Value,
    when: Value,
    pick: Value,
    /// It has more than paths, a conversion, a condition and a choice: fixed values, tables, counts.
    more: bool,
}

fn fields_of(preset: &Preset) -> Vec<FieldView> {
    let of_event = |path: &str| {
        ["traits.", "properties.", "context.", "group.", "event."].iter().any(|it| path.starts_with(it))
    };
    let view = |(name, rule): (&str, &crate::mapping::FieldRule)| {
        let from: Vec<_> = rule.from.iter().filter(|origin| of_event(origin.path())).collect();
        let more =
            rule.constant.is_some() || !rule.values.is_empty() || !rule.rules.is_empty() || rule.of.is_some();
        FieldView {
            name: name.to_owned(),
            from: json!(from),
            convert: json!(rule.convert),
            when: json!(rule.when),
            pick: json!(rule.pick),
            more,
        }
    };
    preset.fields().filter(|(_, rule)| rule.says_something()).map(view).collect()
}

fn events_of(preset: &Preset) -> Vec<Value> {
    let names = preset.all_events();
    let view = |(name, rule): (&str, &EventRule)| {
        json!({ "name": name, "lane": rule.lane, "send": rule.send, "follows": {
            "deal": rule.deal, "note": rule.note, "task": rule.task, "activity": rule.activity, "lists": rule.lists } })
    };
    names.map(view).collect()
}

/// The kinds of deals as they are written, but for attributes beside amount and currency.
fn kinds_of_deals(preset: &Preset) -> Vec<Value> {
    let from = |rule: &DealRule, name: &str| -> Vec<String> {
        let origins = rule.fields.get(name).into_iter().flat_map(|field| &field.from);
        origins.map(|origin| origin.path().to_owned()).collect()
    };
    let view = |(kind, rule): (&str, &DealRule)| {
        json!({ "kind": kind, "key": rule.key, "key_field": rule.key_field, "name": rule.name, "pipeline": rule.pipeline,
            "forward_only": rule.forward_only, "adopt": rule.adopt, "amount": from(rule, "amount"), "currency": from(rule, "currency") })
    };
    preset.deal_kinds().map(view).collect()
}

/// The names of the account's stages of deals, as far as they are known.
fn stages_of(selectors: &Selectors) -> BTreeSet<&str> {
    let Some(Answered::Known(pipelines)) = selectors.list(Kind::DealPipelines).map(|list| &list.answer)
    else {
        return BTreeSet::new();
    };
    pipelines.entries.iter().flat_map(|one| &one.stages).map(|stage| stage.name.as_str()).collect()
}

/// What the body of a change must be.
const DRAFT: &str = r#"{"revision":N,"changes":[{"path":["consent","required"],"value":["marketing"]}]}, {"revision":N,"new_key":"SOURCE"} or {"revision":N,"undo":N}"#;

/// `POST /api/settings/preview`
pub(in crate::admin) async fn preview(Asked(app): Asked, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let draft: Draft = order_in(&parts, body, MANY_NAMES, DRAFT).await?;
    let makes = draft.new_key.is_some() || draft.new_hook.is_some();
    if draft.undo.is_some() && (!draft.changes.is_empty() || makes) {
        return Err(not_an_order(DRAFT));
    }
    let (editor, who, at) = (Arc::clone(&app.commands.editor), app.who.name.clone(), app.now());
    match blocking(move || editor.preview(&draft, (&who, at))).await? {
        Ok(Previewed { id, settings, edits, needs_restart }) => {
            let plan = app.foreseen(settings).await?;
            let edits: Vec<Value> = edits.iter().map(edit_view).collect();
            Ok(Json(json!({ "preview": id, "edits": edits, "needs_restart": needs_restart, "plan": plan }))
                .into_response())
        }
        Err(EditRefused::Problems(problems)) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(kept(&problems))).into_response())
        }
        Err(refused) => Err(refused_by(refused)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Application {
    preview: u64,
}

/// `POST /api/settings/apply`
pub(in crate::admin) async fn apply(Asked(app): Asked, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let Application { preview } = order_in(&parts, body, FEW_WORDS, r#"{"preview":N}"#).await?;
    let (editor, at) = (Arc::clone(&app.commands.editor), app.now());
    match blocking(move || editor.apply(preview, at)).await? {
        Ok(Applied { revision, edits, reloaded, new_keys }) => {
            let keys: Vec<String> = edits.iter().map(|edit| dotted(&edit.path)).collect();
            let about: String = keys.join(", ").chars().take(ABOUT_CHARS).collect();
            tracing::info!(keys = about, revision, who = app.who.name, "settings were changed on the page");
            app.carry_out_noted(Plan::default(), ActKind::Edited, about).await?;
            Ok(Json(json!({ "success": true, "revision": revision, "taken_over": reloaded.taken_over,
                "needs_restart": reloaded.needs_restart, "new_keys": new_keys }))
            .into_response())
        }
        Err(EditRefused::Problems(problems)) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(kept(&problems))).into_response())
        }
        Err(refused) => Err(refused_by(refused)),
    }
}

/// `GET /api/settings/export`
pub(in crate::admin) async fn export(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let editor = Arc::clone(&app.commands.editor);
    let seen = match blocking(move || editor.seen()).await? {
        Ok(seen) => seen,
        Err(refused) => return Err(refused_by(refused)),
    };
    let rules = seen.document.rules().map(to_toml).unwrap_or_default();
    let mut settings = seen.document.settings();
    let keys = key_lists(&settings);
    for (_, source) in settings.get_mut("sources").and_then(Value::as_object_mut).into_iter().flatten() {
        if let Value::Object(source) = source {
            source.shift_remove("write_keys");
        }
    }
    let mut secrets = Vec::new();
    without_secrets(&mut settings, &mut Vec::new(), &mut secrets);
    if app.commands.setup.stands().first_start {
        // Without it what lies in the data folder, the secrets among it, would not count beside a file.
        let mut whole = Map::from_iter([("admin".to_owned(), json!({ "edit": true }))]);
        whole.append(&mut settings);
        settings = whole;
    }
    let sources: BTreeSet<&String> = keys.iter().map(|(source, _)| source).collect();
    Ok(Json(json!({ "configuration": to_toml(&settings), "mapping": rules, "keys_left_out": sources,
        "secrets_left_out": secrets })))
}

/// Takes out what only names a secret.
fn without_secrets(values: &mut Map<String, Value>, path: &mut Vec<String>, left_out: &mut Vec<String>) {
    values.retain(|name, value| {
        path.push(name.clone());
        let secret = is_secret(path);
        if secret {
            left_out.push(dotted(path));
        } else if let Value::Object(inner) = value {
            without_secrets(inner, path, left_out);
        }
        path.pop();
        !secret
    });
}

/// A path that events carry.
#[derive(Default, Serialize)]
struct Carried {
    events: u64,
    example: String,
}

/// `GET /api/settings/paths`
pub(in crate::admin) async fn paths(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let processed = app.store.processed().await.map_err(failed)?.live;
    let after = Position(processed.0.saturating_sub(EVENTS_LOOKED_AT));
    let limit = usize::try_from(EVENTS_LOOKED_AT).unwrap_or(usize::MAX);
    let records = app.store.read(Stream::Live, after, limit, EVENTS_BYTES).await.map_err(failed)?;
    let mut found: BTreeMap<String, Carried> = BTreeMap::new();
    let looked_at = records.len();
    for record in records {
        let body = parse_body(&record.event.raw);
        for section in ["traits", "properties", "context"] {
            if let Some(value) = body.get(section) {
                carried(section.to_owned(), value, &mut found);
            }
        }
    }
    let mut rows: Vec<(String, Carried)> = found.into_iter().collect();
    rows.sort_by_key(|(_, carried)| std::cmp::Reverse(carried.events));
    let more = rows.len().saturating_sub(PATHS_MAX);
    rows.truncate(PATHS_MAX);
    let view = |(path, Carried { events, example }): (String, Carried)| json!({ "path": path, "events": events, "example": example });
    let rows: Vec<Value> = rows.into_iter().map(view).collect();
    Ok(Json(json!({ "looked_at": looked_at, "paths": rows, "more": more })))
}

fn carried(path: String, value: &Value, found: &mut BTreeMap<String, Carried>) {
    match value {
        Value::Object(fields) if path.split('.').count() < DEEP_MAX => {
            for (name, value) in fields.iter().filter(|(name, _)| !name.contains('.')) {
                carried(format!("{path}.{name}"), value, found);
            }
        }
        Value::Null | Value::Object(_) => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let one = found.entry(path).or_default();
            one.events += 1;
            one.example = text.chars().take(EXAMPLE_CHARS).collect();
        }
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::internal())
}

/// Why nothing was changed.
pub(super) fn refused_by(refused: EditRefused) -> ApiError {
    match refused {
        EditRefused::Off => ApiError::new(StatusCode::CONFLICT, "editing_off", OFF),
        EditRefused::Change(refused @ (Refused::Stale(_) | Refused::ChangedSince(_))) => {
            changed(refused.to_string())
        }
        EditRefused::Change(
            refused @ (Refused::Nothing | Refused::NotEditable(_) | Refused::TooMuch | Refused::Unknown(_)),
        ) => not_editable(refused.to_string()),
        EditRefused::Locked(path, by) => {
            let path = dotted(&path);
            not_editable(format!(
                "{path} is set by {by}, which lies over what is changed here; change it there"
            ))
        }
        EditRefused::Expired => {
            changed("that change was looked at too long ago, or applied already; look at it again".to_owned())
        }
        EditRefused::ChangedMeanwhile => {
            changed("the configuration changed since this was looked at; look at it again".to_owned())
        }
        EditRefused::Problems(problems) => {
            let keys = problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>().join(", ");
            let message =
                format!("the configuration is wrong: {keys}; `freshsignal check` names the problems");
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_configuration", message)
        }
        EditRefused::NotWritten(why) => {
            let message = format!("nothing was changed: the data folder can't be written to ({why})");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message)
                .retry_after_seconds(5)
        }
    }
}

fn changed(message: String) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "settings_changed", message)
}

fn not_editable(message: String) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "not_editable", message)
}
