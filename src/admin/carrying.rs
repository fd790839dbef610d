//! Carries out what was ordered on nodes that do not work: the same request once more, by the same handler, for the same person.
//!
//! That an order took effect is noted in the plan that it takes effect with, so it is carried out once, whoever ends in between.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::api::people;
use super::role::{Role, Who};
use super::{Debugger, ROUTES, method_of};
use crate::store::{ErrorClass, Order, OrderEnd, OrderId, OrderStands, Plan, Put, PutOrder, StoreError};

/// Orders that are looked at together.
const TOGETHER_MAX: usize = 50;
/// An order that the store does not take is tried again after this, and so often.
const TRY_AGAIN: Duration = Duration::from_secs(1);
const TRIES_MAX: u32 = 60;
/// An answer is no longer than this.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// An order that is being carried out.
pub(super) struct Carried {
    id: OrderId,
    taken: AtomicBool,
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Carried {
    /// What has to be in the plan that it takes effect with; nothing once it did.
    pub fn put(&self) -> Option<Put> {
        (!self.is_taken()).then_some(Put::Order(PutOrder::Taken(self.id)))
    }

    /// It took effect.
    pub fn took_effect(&self) {
        self.taken.store(true, Ordering::Release);
    }

    fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire)
    }
}

/// What is known of an order that could not be carried out yet.
#[derive(Default)]
struct Failing {
    tries: u32,
    again_at: Duration,
}

/// What a round of orders goes by.
#[derive(Default)]
struct Round {
    failing: BTreeMap<OrderId, Failing>,
    /// Questions, which change nothing and may take long.
    asking: JoinSet<Result<(), StoreError>>,
    asked: Vec<OrderId>,
}

impl Debugger {
    /// Carries out what was ordered elsewhere until it is told to stop, one order after the other.
    ///
    /// # Errors
    /// The store failed, or another node does the work.
    pub async fn carry_out_orders(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut given = self.store.orders_given();
        given.mark_changed();
        let mut round = Round::default();
        loop {
            let told = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(_) = round.asking.join_next() => continue,
                told = given.changed() => told,
            };
            if told.is_err() {
                // Of one process there are none.
                stop.cancelled().await;
                return Ok(());
            }
            self.carry_out_left(&mut round).await?;
        }
    }

    async fn carry_out_left(&self, round: &mut Round) -> Result<(), StoreError> {
        let left = match self.store.orders_left(TOGETHER_MAX).await {
            Ok(left) => left,
            Err(error) if error.class() == ErrorClass::Ends => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "orders of other nodes can't be read yet; retrying");
                return Ok(());
            }
        };
        round.failing.retain(|id, _| left.iter().any(|(one, _)| one == id));
        round.asked.retain(|id| left.iter().any(|(one, _)| one == id));
        for (id, stands) in left {
            let waits =
                round.failing.get(&id).is_some_and(|failing| failing.again_at > self.clock.monotonic());
            if waits || round.asked.contains(&id) {
                continue;
            }
            if stands.order.method == Method::GET.as_str() {
                round.asked.push(id);
                let debugger = self.clone();
                round.asking.spawn(async move {
                    let (end, _) = debugger.answer_to(id, &stands.order).await;
                    debugger.end(id, end).await
                });
                continue;
            }
            self.carry_out_one(id, stands, round).await?;
        }
        Ok(())
    }

    async fn carry_out_one(
        &self,
        id: OrderId,
        stands: OrderStands,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let OrderStands { order, taken, .. } = stands;
        if taken {
            // It must not take effect again, and nobody knows any more what was answered.
            let message =
                "it was carried out; the node that did so ended before it could tell what came of it";
            let answer = json!({ "success": true, "message": message }).to_string();
            return self.end(id, OrderEnd { at: self.now(), status: StatusCode::OK.as_u16(), answer }).await;
        }
        let (end, took_effect) = self.answer_to(id, &order).await;
        let failed = end.status >= StatusCode::INTERNAL_SERVER_ERROR.as_u16() && !took_effect;
        let failing = round.failing.entry(id).or_default();
        failing.tries += 1;
        failing.again_at = self.clock.monotonic() + TRY_AGAIN;
        // What was promised of an erasure is kept, however long that takes.
        if failed && (failing.tries < TRIES_MAX || is_erasure(&order)) {
            if failing.tries == 1 {
                tracing::warn!(
                    order = id.0,
                    route = order.route,
                    "an order of another node can't be carried out yet; retrying"
                );
            }
            return Ok(());
        }
        tracing::info!(
            order = id.0,
            route = order.route,
            status = end.status,
            "an order of another node was carried out"
        );
        self.end(id, end).await
    }

    /// Notes what came of an order.
    async fn end(&self, id: OrderId, end: OrderEnd) -> Result<(), StoreError> {
        loop {
            let puts = vec![Put::Order(PutOrder::Ended(id, end.clone()))];
            match self.store.apply(Plan { puts, ..Plan::default() }).await {
                // It has ended already.
                Ok(()) | Err(StoreError::Conflict) => return Ok(()),
                Err(error) if error.class() == ErrorClass::Ends => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, order = id.0, "what came of an order can't be noted yet; retrying in 1 s");
                    self.clock.sleep_until(self.clock.monotonic() + TRY_AGAIN).await;
                }
            }
        }
    }

    /// The answer to an order, and whether it took effect.
    async fn answer_to(&self, id: OrderId, order: &Order) -> (OrderEnd, bool) {
        let carried = Arc::new(Carried { id, taken: AtomicBool::new(false) });
        let (at, debugger) = (self.now(), Self { carried: Some(Arc::clone(&carried)), ..self.clone() });
        let answered = if let Some(request) = request_of(order) {
            // A defect of one order must not keep all others from being carried out.
            let answering = tokio::spawn(answered(debugger.routes_of_orders(), request));
            answering.await.unwrap_or_else(|_| internal())
        } else {
            let message = "the order is none of this version, or whoever gave it may not";
            (StatusCode::FORBIDDEN, refused("role_too_low", message))
        };
        let (status, answer) = answered;
        (OrderEnd { at, status: status.as_u16(), answer }, carried.is_taken())
    }

    /// The routes that orders may be of, without a guard: whoever ordered was let in where they did.
    fn routes_of_orders(self) -> Router {
        let routes = ROUTES.iter().filter(|route| route.handed_on);
        let add = |router: Router<Self>, route: &super::Route| {
            router.route(route.path, (route.handler)(route.method))
        };
        routes.fold(Router::new(), add).with_state(self)
    }
}

fn is_erasure(order: &Order) -> bool {
    order.route == people::ROUTE && order.method == Method::DELETE.as_str()
}

/// The request of an order, by whoever ordered it; none where they may not.
fn request_of(order: &Order) -> Option<Request<Body>> {
    let role = Role::parse(&order.role)?;
    let is_of =
        |route: &&super::Route| route.path == order.route && method_of(route.method).as_str() == order.method;
    let route = ROUTES.iter().filter(|route| route.handed_on).find(is_of)?;
    let who = Who { name: order.who.clone(), role };
    let request = Request::builder().method(order.method.as_str()).uri(&order.target).extension(who);
    request.body(Body::from(order.body.clone())).ok().filter(|_| route.access.admits(role))
}

async fn answered(routes: Router, request: Request<Body>) -> (StatusCode, String) {
    let Ok(response) = routes.oneshot(request).await;
    let (parts, body) = response.into_parts();
    let whole = to_bytes(body, ANSWER_BYTES_MAX).await.ok();
    match whole.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()) {
        Some(answer) => (parts.status, answer),
        None => internal(),
    }
}

fn internal() -> (StatusCode, String) {
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        refused("internal", "the order failed inside the service; its log says why"),
    )
}

fn refused(code: &str, message: &str) -> String {
    json!({ "success": false, "code": code, "message": message }).to_string()
}
