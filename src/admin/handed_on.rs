//! Orders on a node that does not work: left in the store for the node that works, and answered here with what came of them.
//!
//! Nodes need not reach one another. What is acknowledged is kept: whoever works next carries it out, once.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Debugger;
use super::api::{MANY_NAMES, not_done, people};
use super::role::Who;
use crate::http::{ApiError, BodyLimits, read_whole};
use crate::store::{Order, OrderEnd, OrderId};

/// How long an answer waits for what comes of an order; longer than it takes until another node has taken over.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What hands on the orders of one route.
#[derive(Clone)]
pub(super) struct HandingOn {
    pub debugger: Debugger,
    /// The route as the table has it.
    pub route: &'static str,
}

/// Serves a request where this node works; leaves it to the one that does else.
pub(super) async fn hand_on(State(on): State<HandingOn>, request: Request, next: Next) -> Response {
    if on.debugger.store.work().borrow().here {
        return next.run(request).await;
    }
    on.answered_elsewhere(request).await.unwrap_or_else(IntoResponse::into_response)
}

/// The part of an answer that an erasure is known by.
#[derive(Deserialize)]
struct Erasing {
    erasure: u64,
    done: bool,
}

impl HandingOn {
    async fn answered_elsewhere(&self, request: Request) -> Result<Response, ApiError> {
        let id = self.leave(request).await?;
        let Some(end) = self.end_of(id).await? else {
            let see = format!("/api/orders/{}", id.0);
            let message = "the order is kept and will be carried out by the node that works; `see` says what came of it";
            let body = Json(
                json!({ "success": true, "order": id.0, "done": false, "see": see, "message": message }),
            );
            return Ok((StatusCode::ACCEPTED, body).into_response());
        };
        self.debugger.store.forget_order(id).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "an order that was answered is forgotten later");
        });
        if let Some(answer) = self.receipt(&end).await? {
            return Ok(answer);
        }
        let status = StatusCode::from_u16(end.status).unwrap_or(StatusCode::OK);
        let json = HeaderValue::from_static("application/json");
        Ok((status, [(header::CONTENT_TYPE, json)], end.answer).into_response())
    }

    /// Leaves an order; it is durable then.
    async fn leave(&self, request: Request) -> Result<OrderId, ApiError> {
        let (parts, body) = request.into_parts();
        let limits = BodyLimits { bytes_max: MANY_NAMES, deadline: Duration::from_secs(10) };
        let whole = read_whole(&parts, body, limits).await?;
        let who = parts.extensions.get::<Who>().cloned().unwrap_or_default();
        let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |target| target.as_str());
        let order = Order {
            at: self.debugger.now(),
            who: who.name,
            role: who.role.as_str().to_owned(),
            method: parts.method.as_str().to_owned(),
            route: self.route.to_owned(),
            target: target.to_owned(),
            body: whole.bytes.to_vec(),
        };
        self.debugger.store.leave_order(order).await.map_err(not_done)
    }

    /// What came of an order; nothing where that takes long.
    async fn end_of(&self, id: OrderId) -> Result<Option<OrderEnd>, ApiError> {
        let clock = &self.debugger.clock;
        let until = clock.monotonic() + ANSWERED_WITHIN;
        while clock.monotonic() < until {
            // While the store is away nothing is known, and the order is kept all the same.
            if let Ok(Some(stands)) = self.debugger.store.order_left(id).await
                && stands.end.is_some()
            {
                return Ok(stands.end);
            }
            clock.sleep_until(clock.monotonic() + LOOK_EVERY).await;
        }
        Ok(None)
    }

    /// An erasure is ordered by a row of its own, which is waited for here: the node that works has other orders to carry out.
    async fn receipt(&self, end: &OrderEnd) -> Result<Option<Response>, ApiError> {
        let erasing: Option<Erasing> = (self.route == people::ROUTE
            && end.status == StatusCode::ACCEPTED.as_u16())
        .then(|| serde_json::from_str(&end.answer).ok())
        .flatten();
        match erasing {
            Some(Erasing { erasure, done: false }) => {
                people::carried_out(&self.debugger, erasure).await.map(Some)
            }
            Some(Erasing { done: true, .. }) | None => Ok(None),
        }
    }
}
