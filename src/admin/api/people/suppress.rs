//! Addresses of which nothing is ever sent: a person orders it, undoes it, and sees which they are.
//!
//! Must not decide what follows for a contact: that is the decision's.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::Request;
use axum::http::Uri;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::answer::{failed, nothing};
use super::super::contacts::load;
use super::super::order::{FEW_WORDS, order_in};
use super::super::query::{Cursor, Params, invalid, one_more, page, refused};
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::decision::{Settings, World, suppress as never_send, unsuppress as send_again};
use crate::event::Email;
use crate::http::ApiError;
use crate::store::{Plan, Privacy, Put};
use crate::trail::ActKind;

/// What the body must be.
const ORDERS: &str = r#"{"email":"…"}"#;

/// The body of an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    email: String,
}

/// `POST /api/people/suppress`
pub(in crate::admin) async fn suppress(Asked(app): Asked, request: Request) -> Result<Json<Value>, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let order: Order = order_in(&parts, body, FEW_WORDS, ORDERS).await?;
    let email = Email::parse(&order.email).map_err(|_| invalid("email", "an email address"))?;
    let at = app.now();
    let note = (ActKind::Suppressed, Privacy::Suppress(email.clone(), at));
    let since = app.order_suppression(&email, note, never_send).await?.unwrap_or(at);
    tracing::info!("an address was suppressed by hand: nothing of it is sent any more");
    Ok(Json(json!({ "success": true, "email": email, "since": since.to_rfc3339() })))
}

/// `DELETE /api/people/suppress`
pub(in crate::admin) async fn unsuppress(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    let params = Params::read(&uri, &["email"])?;
    let email = params.email()?.ok_or_else(|| refused("email", "give `email`".to_owned()))?;
    let note = (ActKind::Unsuppressed, Privacy::Unsuppress(email.clone()));
    let before = app.order_suppression(&email, note, send_again).await?;
    before.ok_or_else(|| nothing("this address is not suppressed"))?;
    tracing::info!("an address is no longer suppressed, by hand: what is wanted of it is sent again");
    Ok(Json(json!({ "success": true, "email": email })))
}

/// `GET /api/people/suppress`
pub(in crate::admin) async fn suppressed(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    let params = Params::read(&uri, &["limit", "before"])?;
    let (limit, before) = (params.limit()?, params.before(Cursor::Suppressed)?);
    let rows = app.store.suppressed(before, one_more(limit).rows()).await.map_err(failed)?;
    let (rows, next) = page(rows, limit, Cursor::Suppressed, |row| row.place);
    let shown: Vec<Value> =
        rows.into_iter().map(|row| json!({ "email": row.email, "since": row.at.to_rfc3339() })).collect();
    Ok(Json(json!({ "suppressed": shown, "next": next })))
}

impl Debugger {
    /// Notes an order and what it changes, in one plan; answers since when the address was suppressed before.
    async fn order_suppression(
        &self,
        email: &Email,
        (kind, note): (ActKind, Privacy),
        change: fn(&Email, &mut World, &Settings, UnixMicros),
    ) -> Result<Option<UnixMicros>, ApiError> {
        let settings = self.settings();
        let _turn = self.store.turn().await;
        let subjects = BTreeSet::from([email.clone().into()]);
        let mut world = load(&self.store, &subjects, &settings).await.map_err(failed)?;
        let before = world.suppressed.get(email).copied();
        change(email, &mut world, &settings, self.now());
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::Privacy(note));
        self.carry_out_noted(plan, kind, "").await?;
        Ok(before)
    }
}
