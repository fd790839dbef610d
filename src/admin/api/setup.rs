//! Setting up on the page: how far it is, the session that a code of the log is exchanged for, and the first account.
//!
//! Sources and consent are settings like any others: [`super::settings`] changes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{failed, rfc3339, rfc3339_or_null};
use super::commands::kept;
use super::order::{FEW_WORDS, order_in};
use super::query::Params;
use super::settings::refused_by;
use crate::admin::editor::EditRefused;
use crate::admin::setup::{AccountRefused, NamedAccount, NewAccount};
use crate::admin::{Asked, Debugger, HoldsNobody};
use crate::clock::UnixMicros;
use crate::decision::Outcome;
use crate::delivery::{DeliveryId, State as Stage};
use crate::doors::Door;
use crate::event::SourceName;
use crate::freshsales::{Finding, Level};
use crate::http::ApiError;
use crate::store::{EventQuery, Limited, Plan};
use crate::trail::{ActKind, EventTrail};

/// Among so many of the latest events one is looked for whose contact was delivered.
const EVENTS_LOOKED_AT: usize = 20;

/// How far it is, step by step.
#[derive(Serialize)]
pub(in crate::admin) struct SetupView {
    /// Whether the page alone says what the service is for.
    first_start: bool,
    /// Whether the account may be named here.
    open: bool,
    /// Whether nothing is left to be done.
    finished: bool,
    account: AccountStep,
    source: SourceStep,
    arrived: ArrivedStep,
    consent: ConsentStep,
    event: EventStep,
}

#[derive(Serialize)]
struct AccountStep {
    done: bool,
    name: Option<String>,
    dry_run: bool,
}

#[derive(Serialize)]
struct SourceStep {
    done: bool,
    names: Vec<String>,
}

/// Whether anything came, accepted or not.
#[derive(Serialize)]
struct ArrivedStep {
    done: bool,
    #[serde(serialize_with = "rfc3339_or_null")]
    last_at: Option<UnixMicros>,
    refused: u64,
}

#[derive(Serialize)]
struct ConsentStep {
    done: bool,
    unasked: Option<String>,
    required: Vec<String>,
}

#[derive(Serialize)]
struct EventStep {
    done: bool,
    delivered: bool,
    latest: Option<LatestView>,
}

/// The latest event, or the latest whose contact was delivered; nothing of whose it is.
#[derive(Serialize)]
struct LatestView {
    message_id: String,
    source: SourceName,
    event: String,
    #[serde(serialize_with = "rfc3339")]
    received_at: UnixMicros,
    outcome: Outcome,
    reason: String,
    delivery_id: Option<DeliveryId>,
    state: Option<Stage>,
}

/// `GET /api/setup`
pub(in crate::admin) async fn setup(
    Asked(app): Asked,
    uri: Uri,
) -> Result<(Extension<HoldsNobody>, Json<SetupView>), ApiError> {
    Params::read(&uri, &[])?;
    let stands = app.commands.setup.stands();
    let event = app.event_step().await?;
    let done = stands.account != NamedAccount::Nothing;
    let account = AccountStep {
        done,
        name: done.then(|| app.settings().account.0.clone()),
        dry_run: stands.account == NamedAccount::DryRun,
    };
    let source = SourceStep { done: !stands.sources.is_empty(), names: stands.sources };
    let arrived = app.arrived_step(&source.names, event.latest.as_ref());
    let unasked = stands.unasked;
    let consent = ConsentStep { done: unasked.is_some(), unasked, required: stands.required };
    let finished = account.done && source.done && consent.done && event.delivered;
    let view = SetupView {
        first_start: stands.first_start,
        open: stands.open,
        finished,
        account,
        source,
        arrived,
        consent,
        event,
    };
    // Names of the configuration and of events; whose they are stands in the views of events.
    Ok((Extension(HoldsNobody), Json(view)))
}

impl Debugger {
    async fn event_step(&self) -> Result<EventStep, ApiError> {
        let query = EventQuery::newest(Limited::to(EVENTS_LOOKED_AT));
        let trails = self.store.events(query).await.map_err(failed)?;
        let ids: BTreeSet<_> = trails.iter().filter_map(|trail| trail.delivery_id.clone()).collect();
        let stands = self.store.stands(ids).await.map_err(failed)?;
        let state = |trail: &EventTrail| {
            trail.delivery_id.as_ref().and_then(|id| stands.get(id)).map(|stands| stands.state)
        };
        let delivered = trails.iter().find(|trail| state(trail) == Some(Stage::Delivered));
        let shown = delivered.or_else(|| trails.iter().find(|trail| trail.delivery_id.is_some()));
        let latest = shown.or(trails.first()).map(|trail| LatestView {
            message_id: trail.message_id.clone(),
            source: trail.source.clone(),
            event: trail.event.clone(),
            received_at: trail.received_at,
            outcome: trail.outcome,
            reason: trail.reason.clone(),
            delivery_id: trail.delivery_id.clone(),
            state: state(trail),
        });
        Ok(EventStep { done: latest.is_some(), delivered: delivered.is_some(), latest })
    }

    fn arrived_step(&self, sources: &[String], latest: Option<&LatestView>) -> ArrivedStep {
        let now = self.now();
        let doors = sources.iter().flat_map(|name| {
            let name = SourceName(name.clone());
            [Door::Events, Door::Form].map(|door| self.live.traffic.seen(Some(&name), &door, now))
        });
        let (mut last_at, mut refused) = (latest.map(|latest| latest.received_at), 0);
        for seen in doors {
            last_at = last_at.max(seen.last_accepted_at).max(seen.last_refused_at);
            refused += seen.refused;
        }
        ArrivedStep { done: last_at.is_some(), last_at, refused }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

/// `POST /api/setup/session`
pub(in crate::admin) async fn session(
    Asked(app): Asked,
    request: Request,
) -> Result<(Extension<HoldsNobody>, Json<Value>), ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let Code { code } = order_in(&parts, body, FEW_WORDS, r#"{"code":"…"}"#).await?;
    match app.entry.as_ref().and_then(|entry| entry.taken(&code)) {
        Some(token) => {
            tracing::info!("the link of the log was opened; it is used up");
            Ok((Extension(HoldsNobody), Json(json!({ "token": token.expose_secret() }))))
        }
        None => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "wrong_code",
            "this link was used already, or is of an earlier start: the log has the latest, a restart makes another, and \
             `freshsignal token` prints the token that opens this page too",
        )),
    }
}

/// What the body of an account must be.
const ACCOUNT: &str =
    r#"{"alias":"acme","api_key":"…"}, with "base_url" where calls go elsewhere, or {"dry_run":true}"#;

/// `POST /api/setup/account`
pub(in crate::admin) async fn account(Asked(app): Asked, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let account: NewAccount = order_in(&parts, body, FEW_WORDS, ACCOUNT).await?;
    let setup = Arc::clone(&app.commands.setup);
    match Arc::clone(&setup).name_account(account, (app.who.name.clone(), app.now())).await {
        Ok(findings) => {
            app.carry_out_noted(Plan::default(), ActKind::Edited, "freshsales").await?;
            tracing::info!(
                who = app.who.name,
                "the account was named on the page; the service starts again with it"
            );
            setup.start_again();
            Ok(Json(json!({ "success": true, "findings": told(&findings) })).into_response())
        }
        Err(refused) => not_taken(refused),
    }
}

/// Why an account, or another receiver, is not taken.
pub(super) fn not_taken(refused: AccountRefused) -> Result<Response, ApiError> {
    match refused {
        AccountRefused::Closed => Err(ApiError::new(
            StatusCode::CONFLICT,
            "set_up_already",
            "an account is named already: another one is a change of where data goes, in the settings",
        )),
        AccountRefused::Name(name) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "wrong_name",
            format!("nothing was changed: type the name of what is changed to, {name}"),
        )),
        AccountRefused::Edit(EditRefused::Problems(problems)) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(kept(&problems))).into_response())
        }
        AccountRefused::Edit(refused) => Err(refused_by(refused)),
        AccountRefused::Account(findings) => {
            let wrong = findings.iter().find(|finding| finding.level == Level::Wrong);
            let message = wrong.map_or("the account can't be used", |finding| finding.text.as_str());
            let body = json!({ "success": false, "code": "account_refused", "message": message,
                "findings": told(&findings) });
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response())
        }
    }
}

pub(super) fn told(findings: &[Finding]) -> Vec<Value> {
    let one = |finding: &Finding| json!({ "level": finding.level.as_str(), "text": finding.text });
    findings.iter().map(one).collect()
}
