//! The ledger of calls that can't be repeated safely: what a person who does not trust it orders.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::failed;
use super::order::{FEW_WORDS, not_an_order, order_in};
use super::query::Params;
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::decision::{World, distrust};
use crate::destination::Doubt;
use crate::http::ApiError;
use crate::store::{DealQuery, HappeningQuery, Keys, Plan};
use crate::trail::ActKind;

/// What the body must be.
const ORDERS: &str = r#"{"since":"2026-03-01T09:00:00Z"}"#;
/// Documents that are changed at once.
const PAGE: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    since: String,
}

/// `POST /api/ledger/distrust`
pub(in crate::admin) async fn doubt(Asked(app): Asked, request: Request) -> Result<Json<Value>, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let order: Order = order_in(&parts, body, FEW_WORDS, ORDERS).await?;
    let since = UnixMicros::parse(&order.since).ok_or_else(|| not_an_order(ORDERS))?;
    let app = app.repeatable();
    app.doubt_from_now_on(since).await?;
    let (mut deals, mut happenings) = (0, 0);
    let mut after = None;
    loop {
        let query = DealQuery { after, found_by: None, held: None, limit: PAGE };
        let keys: BTreeSet<_> = app.store.deals(query).await.map_err(failed)?.into_iter().collect();
        after = keys.last().cloned();
        if after.is_none() {
            break;
        }
        deals += app.distrust(Keys { deals: keys, ..Keys::default() }, since).await?.0;
    }
    let mut after = None;
    loop {
        let query = HappeningQuery { account: app.settings().account.clone(), after, limit: PAGE };
        let ids: BTreeSet<_> = app.store.open_happenings(query).await.map_err(failed)?.into_iter().collect();
        after = ids.last().cloned();
        if after.is_none() {
            break;
        }
        happenings += app.distrust(Keys { happenings: ids, ..Keys::default() }, since).await?.1;
    }
    tracing::warn!(
        deals,
        happenings,
        "calls since a moment are doubted by hand: Freshsales is asked before they are repeated"
    );
    Ok(Json(json!({ "success": true, "deals": deals, "happenings": happenings })))
}

impl Debugger {
    /// What comes again from now on of what happened since then is asked for first.
    async fn doubt_from_now_on(&self, since: UnixMicros) -> Result<(), ApiError> {
        let account = self.settings().account.clone();
        let _turn = self.store.turn().await;
        let mut world = World::default();
        let keys = Keys { destination: Some(account.clone()), ..Keys::default() };
        self.store.load(keys).await.map_err(failed)?.add_to(&mut world);
        let held = &mut world.destination;
        held.document.doubt = Some(Doubt { since, until: self.now() }.with(held.document.doubt));
        held.changed = true;
        self.carry_out_noted(Plan::of(world, &account), ActKind::Doubted, since.to_rfc3339()).await
    }

    async fn distrust(&self, keys: Keys, since: UnixMicros) -> Result<(u64, u64), ApiError> {
        let account = self.settings().account.clone();
        let _turn = self.store.turn().await;
        let mut world = World::default();
        self.store.load(keys).await.map_err(failed)?.add_to(&mut world);
        let doubted = distrust(&mut world, &account, since, self.now());
        self.carry_out(Plan::of(world, &account)).await?;
        Ok(doubted)
    }
}
