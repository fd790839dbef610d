//! The private listener: the debugger (what happened to each event, how contacts and deliveries stand, what an event would
//! do), its API, metrics, and what a person orders.
//!
//! Reads the store and shows it on the private listener. What a person orders there becomes a plan, in the store's turn and
//! by the decision's functions; the stage that owns the work carries it out. Must not decide anything itself. Whatever it
//! shows is personal data, so every route that shows any is behind the guard.

mod api;
mod config;
mod guard;
mod metrics;
mod page;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Notify, Semaphore, watch};

pub use api::{Commands, Given, Reloaded};
pub use config::{Config, LISTEN_DEFAULT, TOKEN_CHARS_MIN};
pub use guard::Admin;

use crate::allowance::{Quotas, Usage};
use crate::cause::Board;
use crate::clock::{Clock, UnixMicros};
use crate::decision::Settings;
use crate::doors::{RefusedLog, Traffic, Ways};
use crate::event::EventLimits;
use crate::freshsales::Mode;
use crate::health::{Snapshot, StoreReading, Vitals};
use crate::http::ApiError;
use crate::store::{SharedStore, quotas};
use api::{
    History, alerts, commands, companies, connect, contacts, crm, dead_letters, deals, deliveries, events,
    exports, happenings, history, ledger, map, now, openapi, outputs, people, plan, resend, selectors,
    status, stream,
};
use guard::{Access, Guard, guard};

/// What the running service knows beside the store.
#[derive(Clone, Debug)]
pub struct Live {
    /// What the status and the risks are judged by.
    pub vitals: Vitals,
    /// What a person was told of what is wrong.
    pub board: watch::Receiver<Board>,
    /// Whether calls leave.
    pub mode: Mode,
    /// What ingest accepts, so that a dry run refuses what it would.
    pub event_limits: EventLimits,
    /// How orders to erase somebody are told of.
    pub erasures: Erasures,
    /// What ingest refused lately.
    pub refused: Arc<RefusedLog>,
    /// How much came in by each door lately.
    pub traffic: Arc<Traffic>,
    /// What the configuration says of the ways in.
    pub ways: watch::Receiver<Arc<Ways>>,
}

/// Between whoever orders an erasure and the stage that carries it out; the order itself is in the store.
#[derive(Clone, Debug)]
pub struct Erasures {
    /// Rung when an order was given.
    pub ordered: Arc<Notify>,
    /// The last order that was carried out.
    pub done: watch::Receiver<u64>,
}

/// The private listener's routes and what they need.
#[derive(Clone)]
pub struct Debugger {
    store: SharedStore,
    settings: watch::Receiver<Arc<Settings>>,
    clock: Arc<dyn Clock>,
    admin: Arc<Admin>,
    live: Live,
    commands: Commands,
    metrics: PrometheusHandle,
    history: Arc<History>,
    /// Places for live streams.
    watchers: Arc<Semaphore>,
    /// The place of the one plan that is made at a time.
    planning: Arc<Semaphore>,
    /// Where the public listener listens, once it does.
    public: Option<SocketAddr>,
    started_at: UnixMicros,
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
const DELETE: MethodFilter = MethodFilter::DELETE;

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
    route(POST, "/api/events/{message_id}/retry", Access::Token, |method| on(method, events::retry)),
    route(GET, "/api/deliveries", Access::Token, |method| on(method, deliveries::list)),
    route(GET, "/api/deliveries/{id}", Access::Token, |method| on(method, deliveries::one)),
    route(GET, "/api/contacts/{email}", Access::Token, |method| on(method, contacts::one)),
    route(POST, "/api/contacts/resend", Access::Token, |method| on(method, resend::order)),
    route(GET, "/api/crm/contacts", Access::Token, |method| on(method, crm::contact)),
    route(GET, "/api/crm/sample", Access::Token, |method| on(method, crm::sample)),
    route(GET, "/api/deals", Access::Token, |method| on(method, deals::list)),
    route(GET, "/api/deals/{kind}/{key}", Access::Token, |method| on(method, deals::one)),
    route(POST, "/api/deals/{kind}/{key}/order", Access::Token, |method| on(method, deals::order)),
    route(GET, "/api/companies", Access::Token, |method| on(method, companies::list)),
    route(GET, "/api/companies/{name}", Access::Token, |method| on(method, companies::one)),
    route(GET, "/api/happenings", Access::Token, |method| on(method, happenings::list)),
    route(GET, "/api/happenings/{id}", Access::Token, |method| on(method, happenings::one)),
    route(POST, "/api/happenings/{id}/tell", Access::Token, |method| on(method, happenings::tell)),
    route(POST, "/api/happenings/{id}/drop", Access::Token, |method| on(method, happenings::leave)),
    route(GET, "/api/people", Access::Token, |method| on(method, people::held)),
    route(DELETE, "/api/people", Access::Token, |method| on(method, people::erase)),
    route(GET, "/api/people/suppress", Access::Token, |method| on(method, people::suppressed)),
    route(POST, "/api/people/suppress", Access::Token, |method| on(method, people::suppress)),
    route(DELETE, "/api/people/suppress", Access::Token, |method| on(method, people::unsuppress)),
    route(GET, "/api/erasures/{erasure}", Access::Token, |method| on(method, people::erasure)),
    route(GET, "/api/dead-letters", Access::Token, |method| on(method, dead_letters::list)),
    route(POST, "/api/dead-letters/redrive", Access::Token, |method| on(method, dead_letters::order)),
    route(DELETE, "/api/dead-letters/{email}", Access::Token, |method| on(method, dead_letters::give_up)),
    route(POST, "/api/ledger/distrust", Access::Token, |method| on(method, ledger::doubt)),
    route(POST, "/api/pause", Access::Token, |method| on(method, commands::pause)),
    route(POST, "/api/resume", Access::Token, |method| on(method, commands::resume)),
    route(POST, "/api/plan", Access::Token, |method| on(method, plan::plan)),
    route(POST, "/api/reload", Access::Token, |method| on(method, commands::reload)),
    route(GET, "/api/connect", Access::Token, |method| on(method, connect::connect)),
    route(GET, "/api/now", Access::Token, |method| on(method, now::now)),
    route(GET, "/api/status", Access::Token, |method| on(method, status::status)),
    route(GET, "/api/status/history", Access::Token, |method| on(method, history::history)),
    route(GET, "/api/alerts", Access::Token, |method| on(method, alerts::list)),
    route(GET, "/api/outputs", Access::Token, |method| on(method, outputs::list)),
    route(GET, "/api/outputs/{name}", Access::Token, |method| on(method, outputs::one)),
    route(POST, "/api/outputs/{name}/redrive", Access::Token, |method| on(method, outputs::redrive)),
    route(POST, "/api/outputs/{name}/discard", Access::Token, |method| on(method, outputs::discard)),
    route(POST, "/api/outputs/{name}/resume", Access::Token, |method| on(method, outputs::resume)),
    route(GET, "/api/exports", Access::Token, |method| on(method, exports::list)),
    route(POST, "/api/exports", Access::Token, |method| on(method, exports::order)),
    route(GET, "/api/exports/contacts", Access::Token, |method| on(method, exports::contacts)),
    route(GET, "/api/exports/{id}", Access::Token, |method| on(method, exports::one)),
    route(DELETE, "/api/exports/{id}", Access::Token, |method| on(method, exports::discard)),
    route(GET, "/api/exports/{id}/file", Access::Token, |method| on(method, exports::file)),
    route(GET, "/api/selectors", Access::Token, |method| on(method, selectors::selectors)),
    route(GET, "/api/stream", Access::Token, |method| on(method, stream::stream)),
    route(POST, "/api/map", Access::Token, |method| on(method, map::map)),
    route(GET, "/metrics", Access::Token, |method| on(method, metrics::metrics)),
    route(GET, "/", Access::Anybody, |method| on(method, page::home)),
    route(GET, "/debug", Access::Anybody, |method| on(method, page::index)),
    route(GET, "/debug/{file}", Access::Anybody, |method| on(method, page::file)),
    route(GET, "/openapi.json", Access::Anybody, |method| on(method, openapi::document)),
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
        commands: Commands,
        metrics: PrometheusHandle,
    ) -> Self {
        metrics::describe();
        let started_at = clock.wall();
        Self {
            store,
            settings,
            clock,
            admin: Arc::new(admin),
            live,
            commands,
            metrics,
            history: Arc::default(),
            watchers: Arc::new(Semaphore::new(stream::WATCHERS_MAX)),
            planning: Arc::new(Semaphore::new(1)),
            public: None,
            started_at,
        }
    }

    /// Knows where the public listener listens: what is pasted has an address in it.
    #[must_use]
    pub fn beside(mut self, public: Option<SocketAddr>) -> Self {
        self.public = public;
        self
    }

    /// The same behind another guard.
    #[must_use]
    pub fn guarded_by(mut self, admin: Admin) -> Self {
        self.admin = Arc::new(admin);
        self
    }

    /// The routes of the private listener.
    pub fn router(&self) -> Router {
        let guarded = |access| from_fn_with_state(Guard { admin: Arc::clone(&self.admin), access }, guard);
        // Several methods of a path share its fallback and its guard.
        let mut paths: BTreeMap<&str, (Access, MethodRouter<Self>)> = BTreeMap::new();
        for route in ROUTES {
            let handler = (route.handler)(route.method);
            let (_, others) = paths.remove(route.path).unwrap_or((route.access, MethodRouter::new()));
            paths.insert(route.path, (route.access, others.merge(handler)));
        }
        let add = |router: Router<Self>, (path, (access, handler)): (&str, (Access, MethodRouter<Self>))| {
            let handler = handler.fallback(async || ApiError::method_not_allowed());
            router.route(path, handler.layer(guarded(access)))
        };
        // What does not exist is nobody's business without the token either.
        let unknown = any(async || ApiError::not_found()).layer(guarded(Access::Token));
        paths.into_iter().fold(Router::new(), add).fallback_service(unknown).with_state(self.clone())
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// How much of their quotas the sources have used.
    async fn quotas(&self) -> Result<Quotas, ApiError> {
        let settings = self.settings();
        let limits = &settings.per_hour;
        quotas(&self.store, settings.account.clone(), limits, self.now()).await.map_err(api::failed)
    }

    /// Looks at the store.
    async fn reading(&self) -> Result<StoreReading, ApiError> {
        StoreReading::take(&self.store, &self.settings(), self.now()).await.map_err(api::failed)
    }

    fn snapshot<'a>(&'a self, reading: &'a StoreReading) -> Snapshot<'a> {
        Snapshot { reading, vitals: &self.live.vitals, now: self.now() }
    }

    fn usage(&self) -> Usage {
        *self.live.vitals.usage.borrow()
    }

    fn now(&self) -> UnixMicros {
        self.clock.wall()
    }
}
