//! Exports: ordered, looked at, fetched and discarded; and the contacts that are held, with what each is still owed.
//!
//! What they hold is personal data. A file is made a page at a time. Must not make calls.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{failed, nothing, rfc3339, rfc3339_or_null};
use super::contacts;
use super::order::{FEW_WORDS, order_in};
use super::query::{Params, invalid};
use crate::admin::{Asked, Debugger, Looked};
use crate::clock::UnixMicros;
use crate::conversion::cell;
use crate::delivery::Subject;
use crate::event::Email;
use crate::export::{
    self, DAYS_MAX, EXPORTS_MAX, Export, Foretold, Format, Row, Wanted, csv_line, header_line,
};
use crate::freshsales::Mode;
use crate::http::ApiError;
use crate::store::{ExportRows, Plan, Put, PutExport, StoreError};
use crate::trail::ActKind;

/// What the body must be.
const ORDERS: &str = r#"{"what":"deals","won":true,"days":30,"pipeline":"Default Pipeline","calls_max":50}"#;
/// Rows that are read together.
const PAGE: usize = 200;
/// Columns of the file of contacts.
const OF_CONTACTS: [&str; 7] =
    ["email", "contact_id", "owed", "payload", "accepted_at", "accepted", "wanted"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    what: String,
    #[serde(default)]
    won: bool,
    days: Option<u32>,
    pipeline: Option<String>,
    calls_max: Option<u64>,
}

/// An export as it is shown.
#[derive(Serialize)]
pub(in crate::admin) struct ExportView {
    id: u64,
    name: Option<String>,
    state: &'static str,
    /// Why it was given up.
    reason: Option<String>,
    wanted: Wanted,
    #[serde(serialize_with = "rfc3339")]
    begun_at: UnixMicros,
    #[serde(serialize_with = "rfc3339_or_null")]
    ended_at: Option<UnixMicros>,
    calls: u64,
    /// How many calls it takes, once the first page is there.
    foretold: Option<Foretold>,
    deals: u64,
    /// Deals that may have been missed: the list changed more often than it was read again.
    missed: u64,
}

impl ExportView {
    fn of(export: Export, deals: u64) -> Self {
        let reason = match &export.state {
            export::State::Failed(why) => Some(why.clone()),
            export::State::Running | export::State::Done => None,
        };
        Self {
            id: export.id,
            name: export.name,
            state: export.state.as_str(),
            reason,
            wanted: export.wanted,
            begun_at: export.begun_at,
            ended_at: export.ended_at,
            calls: export.calls,
            foretold: export.foretold,
            deals,
            missed: export.missed,
        }
    }
}

/// All exports.
#[derive(Serialize)]
pub(in crate::admin) struct ExportsView {
    exports: Vec<ExportView>,
}

/// `GET /api/exports`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<ExportsView>, ApiError> {
    Params::read(&uri, &[])?;
    let mut exports = Vec::new();
    for export in app.store.exports().await.map_err(failed)? {
        exports.push(app.view(export).await?);
    }
    Ok(Json(ExportsView { exports }))
}

/// `GET /api/exports/{id}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<ExportView>, ApiError> {
    Params::read(&uri, &[])?;
    let export = app.export(path).await?;
    Ok(Json(app.view(export).await?))
}

/// `POST /api/exports`
pub(in crate::admin) async fn order(
    Asked(app): Asked,
    request: Request,
) -> Result<Json<ExportView>, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let Order { what, won, days, pipeline, calls_max } = order_in(&parts, body, FEW_WORDS, ORDERS).await?;
    if what != "deals" {
        return Err(invalid("what", "`deals`; contacts are at /api/exports/contacts"));
    }
    if days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
        return Err(invalid("days", &format!("a number from 1 to {DAYS_MAX}")));
    }
    if calls_max == Some(0) {
        return Err(invalid("calls_max", "1 or more"));
    }
    let pipeline = pipeline.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let wanted = Wanted { won, days, pipeline, calls_max };
    let export = app.ordered(wanted).await?;
    app.commands.owed.notify_one();
    Ok(Json(app.view(export).await?))
}

/// `DELETE /api/exports/{id}`
pub(in crate::admin) async fn discard(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let export = app.export(path).await?;
    let puts = vec![Put::Export(PutExport::Gone(export.id))];
    app.carry_out_noted(Plan { puts, ..Plan::default() }, ActKind::Exported, "an export was dropped").await?;
    Ok(Json(json!({ "success": true })))
}

/// `GET /api/exports/{id}/file`
pub(in crate::admin) async fn file(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let format = format_of(&Params::read(&uri, &["format"])?)?;
    let export = app.export(path).await?;
    if export.is_running() {
        let message = "the export goes on; fetch its file once its state is `done`";
        return Err(ApiError::new(StatusCode::CONFLICT, "not_finished", message).retry_after_seconds(5));
    }
    let head = match format {
        Format::Csv => header_line(&export.custom),
        Format::Jsonl => String::new(),
    };
    let rows = stream::try_unfold((app, export, Some(0)), move |(app, export, after)| async move {
        let Some(after) = after else { return Ok::<_, StoreError>(None) };
        let query = ExportRows { export: export.id, after, thin: false, limit: PAGE };
        let rows = app.store.export_rows(query).await?;
        let next = rows.last().filter(|_| rows.len() == PAGE).map(|row| row.id);
        let line = |row: &Row| match format {
            Format::Csv => csv_line(row, &export.custom),
            Format::Jsonl => row.json_line(),
        };
        let lines: String = rows.iter().map(line).collect();
        Ok(Some((Bytes::from(lines), (app, export, next))))
    });
    Ok(seen(streamed(format, head, rows)))
}

/// A file shows many.
fn seen(mut file: Response) -> Response {
    file.extensions_mut().insert(Looked(None));
    file
}

/// `GET /api/exports/contacts`
pub(in crate::admin) async fn contacts(Asked(app): Asked, uri: Uri) -> Result<Response, ApiError> {
    let format = format_of(&Params::read(&uri, &["format"])?)?;
    let head = match format {
        Format::Csv => format!("{}\r\n", OF_CONTACTS.join(",")),
        Format::Jsonl => String::new(),
    };
    let rows = stream::try_unfold((app, Some(None)), move |(app, after)| async move {
        let Some(after) = after else { return Ok::<_, StoreError>(None) };
        let emails = app.store.contacts(after, PAGE).await?;
        let next = emails.last().filter(|_| emails.len() == PAGE).cloned().map(Some);
        let lines = app.lines_of(emails, format).await?;
        Ok(Some((Bytes::from(lines), (app, next))))
    });
    Ok(seen(streamed(format, head, rows)))
}

fn format_of(params: &Params) -> Result<Format, ApiError> {
    Ok(params.get("format", "`csv` or `jsonl`", Format::parse)?.unwrap_or_default())
}

/// A file as it is made. An error cuts it off, so that nobody takes a part of it for the whole.
fn streamed(
    format: Format,
    head: String,
    rows: impl futures_util::Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
) -> Response {
    let head = stream::once(std::future::ready(Ok(Bytes::from(head))));
    let rows = rows.inspect(|page| {
        if let Err(error) = page {
            tracing::warn!(%error, "a file of an export was cut off: the store does not answer; it can be fetched again");
        }
    });
    let mut response = Response::new(Body::from_stream(head.chain(rows)));
    let kind = match format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Jsonl => "application/x-ndjson",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

impl Debugger {
    async fn view(&self, export: Export) -> Result<ExportView, ApiError> {
        let (deals, _) = self.store.export_counts(export.id).await.map_err(failed)?;
        Ok(ExportView::of(export, deals))
    }

    async fn export(&self, path: Result<Path<String>, PathRejection>) -> Result<Export, ApiError> {
        let id: Option<u64> = path.ok().and_then(|Path(id)| id.parse().ok());
        let found =
            self.store.exports().await.map_err(failed)?.into_iter().find(|export| Some(export.id) == id);
        found.ok_or_else(|| nothing("there is no export of this number"))
    }

    /// A new export; the same that goes on already, where the same is wanted.
    async fn ordered(&self, wanted: Wanted) -> Result<Export, ApiError> {
        let _turn = self.store.turn().await;
        let account = self.settings().account.clone();
        let all = self.store.exports().await.map_err(failed)?;
        let same = |export: &&Export| {
            export.is_running()
                && export.name.is_none()
                && export.wanted == wanted
                && export.account == account
        };
        if let Some(same) = all.iter().find(same) {
            return Ok(same.clone());
        }
        let mut puts = Vec::new();
        if all.len() >= EXPORTS_MAX {
            let ended = all.iter().find(|export| !export.is_running());
            let oldest = ended.ok_or_else(|| {
                let message = "too many exports go on; wait until one has ended, or discard one";
                ApiError::new(StatusCode::CONFLICT, "too_many_exports", message).retry_after_seconds(60)
            })?;
            puts.push(Put::Export(PutExport::Gone(oldest.id)));
        }
        let id = all.last().map_or(1, |last| last.id + 1);
        let mut export = Export::new(id, account, wanted, None, self.now());
        if self.live.mode == Mode::DryRun {
            export.fail("freshsales.mode is dry_run: nothing is asked".to_owned(), self.now());
        }
        puts.push(Put::Export(PutExport::Export(Box::new(export.clone()))));
        self.carry_out_noted(Plan { puts, ..Plan::default() }, ActKind::Exported, "deals").await?;
        Ok(export)
    }

    async fn lines_of(&self, emails: Vec<Email>, format: Format) -> Result<String, StoreError> {
        let settings = self.settings();
        let subjects: BTreeSet<Subject> = emails.iter().cloned().map(Subject::Contact).collect();
        let world = contacts::load(&self.store, &subjects, &settings).await?;
        let row = |email: &Email| contacts::exported(email, &world, &settings, self.now());
        let line = |row: contacts::Exported| match format {
            Format::Jsonl => format!("{}\n", serde_json::to_string(&row).unwrap_or_default()),
            Format::Csv => {
                let cells: Vec<String> = row.cells().iter().map(|text| cell(text)).collect();
                format!("{}\r\n", cells.join(","))
            }
        };
        Ok(emails.iter().filter_map(row).map(line).collect())
    }
}
