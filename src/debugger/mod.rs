//! The debugger: what happened to each event, how contacts and deliveries stand, and what an event would do.
//!
//! Reads the store and shows it on the private listener. Must not decide anything and must not write; whatever it
//! shows is personal data, so every route that shows any is behind the guard.

mod answer;
mod config;
mod contacts;
mod deliveries;
mod events;
mod guard;
mod map;
mod query;
mod scrape;
mod status;
mod why;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

pub use config::{Config, LISTEN_DEFAULT, TOKEN_CHARS_MIN};
pub use guard::Admin;

use crate::clock::{Clock, UnixMicros};
use crate::decision::Settings;
use crate::delivery::Usage;
use crate::event::Limits;
use crate::freshsales::Mode;
use crate::http::ApiError;
use crate::store::SharedStore;
use guard::{Access, Guard, guard};

/// What the running service knows beside the store.
#[derive(Clone, Debug)]
pub struct Live {
    /// How much of the allowance is used; the receiver is told whenever a call takes a slot.
    pub usage: watch::Receiver<Usage>,
    /// Whether calls leave.
    pub mode: Mode,
    /// What ingest accepts, so that a dry run refuses what it would.
    pub event_limits: Limits,
}

/// The private listener's routes and what they need.
#[derive(Clone)]
pub struct Debugger {
    store: SharedStore,
    settings: watch::Receiver<Arc<Settings>>,
    clock: Arc<dyn Clock>,
    admin: Arc<Admin>,
    live: Live,
    metrics: PrometheusHandle,
}

/// One route of the private listener.
struct Route {
    method: MethodFilter,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<Debugger>,
}

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;

const fn route(
    method: MethodFilter,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<Debugger>,
) -> Route {
    Route { method, path, access, handler }
}

/// Every route there is: the router is built from this table, and the tests walk it.
const ROUTES: &[Route] = &[
    route(GET, "/api/events", Access::Token, |method| on(method, events::list)),
    route(GET, "/api/events/{message_id}", Access::Token, |method| on(method, events::one)),
    route(GET, "/api/deliveries", Access::Token, |method| on(method, deliveries::list)),
    route(GET, "/api/deliveries/{id}", Access::Token, |method| on(method, deliveries::one)),
    route(GET, "/api/contacts/{email}", Access::Token, |method| on(method, contacts::one)),
    route(GET, "/api/status", Access::Token, |method| on(method, status::status)),
    route(POST, "/api/map", Access::Token, |method| on(method, map::map)),
    route(GET, "/metrics", Access::Token, |method| on(method, scrape::metrics)),
    route(GET, "/healthz", Access::Anybody, |method| on(method, status::alive)),
    route(GET, "/readyz", Access::Anybody, |method| on(method, status::ready)),
];

impl Debugger {
    /// The debugger of a service. The recorder that `metrics` renders must be the one in use by then.
    #[must_use]
    pub fn new(
        store: SharedStore,
        settings: watch::Receiver<Arc<Settings>>,
        clock: Arc<dyn Clock>,
        admin: Admin,
        live: Live,
        metrics: PrometheusHandle,
    ) -> Self {
        scrape::describe();
        Self { store, settings, clock, admin: Arc::new(admin), live, metrics }
    }

    /// The routes of the private listener.
    pub fn router(&self) -> Router {
        let guarded = |access| from_fn_with_state(Guard { admin: Arc::clone(&self.admin), access }, guard);
        let add = |router: Router<Self>, route: &Route| {
            let handler = (route.handler)(route.method).fallback(async || ApiError::method_not_allowed());
            router.route(route.path, handler.layer(guarded(route.access)))
        };
        // What does not exist is nobody's business without the token either.
        let unknown = any(async || ApiError::not_found()).layer(guarded(Access::Token));
        ROUTES.iter().fold(Router::new(), add).fallback_service(unknown).with_state(self.clone())
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    fn usage(&self) -> Usage {
        *self.live.usage.borrow()
    }

    fn now(&self) -> UnixMicros {
        self.clock.wall()
    }
}
