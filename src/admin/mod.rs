//! The private listener: the debugger (what happened to each event, how contacts and deliveries stand, what an event would
//! do), its API, metrics, and what a person orders.
//!
//! Reads the store and shows it on the private listener. What a person orders there becomes a plan, in the store's turn and
//! by the decision's functions; the stage that owns the work carries it out. Must not decide anything itself. Whatever it
//! shows is personal data, so every route that shows any is behind the guard.

mod api;
mod asked;
mod carrying;
mod config;
mod editor;
mod guard;
mod handed_on;
mod look;
mod mask;
mod metrics;
mod owned;
mod page;
mod role;
mod setup;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Notify, Semaphore, watch};

pub use api::{Commands, Given};
pub use config::{Config, LISTEN_DEFAULT, TOKEN_CHARS_MIN, TokenConfig};
pub use editor::{Applied, Draft, EditRefused, Editor, HookWish, Previewed, Reloaded, Seen};
pub use guard::Admin;
pub use owned::{
    AccountWish, AlertsWish, Ordered, OutputWish, Owned, OwnedChange, OwnedWish, Owner, ShownOutput,
};
pub use role::{Named, Role, Who};
pub use setup::{AccountRefused, Entry, NamedAccount, NewAccount, Setup, Stands, Tested};

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
    History, acts, alerts, commands, companies, connect, contacts, crm, dead_letters, deals, deliveries,
    events, exports, happenings, history, ledger, map, now, openapi, orders, outputs,
    owned as where_data_goes, people, plan, resend, selectors, settings, setup as setting_up, status, stream,
};
use asked::Asked;
use carrying::Carried;
use guard::{Access, Guard, HoldsNobody, guard};
use handed_on::{HandingOn, hand_on};
use look::{Looked, Looks};

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
    /// Lets in whoever reads the log of a first start.
    entry: Option<Arc<Entry>>,
    live: Live,
    commands: Commands,
    metrics: PrometheusHandle,
    history: Arc<History>,
    /// Who asks.
    who: Who,
    /// What is carried out for another node, if it is that.
    carried: Option<Arc<Carried>>,
    looks: Arc<Looks>,
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
    /// The node that works alone can do it: any other hands it on.
    handed_on: bool,
}

const ANYBODY: Access = Access::Anybody;
const VIEW: Access = Access::Role(Role::View);
const READ: Access = Access::Role(Role::Read);
const ACT: Access = Access::Role(Role::Act);
const EDIT: Access = Access::Role(Role::Edit);
const OWNER: Access = Access::Role(Role::Owner);
const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const DELETE: MethodFilter = MethodFilter::DELETE;

const fn route(
    method: MethodFilter,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<Debugger>,
) -> Route {
    Route { method, path, access, handler, handed_on: false }
}

/// A route that the node that works alone can serve.
const fn order(
    method: MethodFilter,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<Debugger>,
) -> Route {
    Route { method, path, access, handler, handed_on: true }
}

/// What each method of a path needs.
type Needs = Vec<(Method, Access)>;

fn method_of(filter: MethodFilter) -> Method {
    match filter {
        POST => Method::POST,
        DELETE => Method::DELETE,
        _ => Method::GET,
    }
}

/// Every route there is, with the role that it needs: the router is built from this table, and the tests walk it.
const ROUTES: &[Route] = &[
    route(GET, "/api/events", VIEW, |method| on(method, events::list)),
    route(GET, "/api/events/{message_id}", VIEW, |method| on(method, events::one)),
    order(POST, "/api/events/{message_id}/retry", ACT, |method| on(method, events::retry)),
    route(GET, "/api/deliveries", VIEW, |method| on(method, deliveries::list)),
    route(GET, "/api/deliveries/{id}", VIEW, |method| on(method, deliveries::one)),
    route(GET, "/api/contacts/{email}", READ, |method| on(method, contacts::one)),
    order(POST, "/api/contacts/resend", ACT, |method| on(method, resend::order)),
    order(GET, "/api/crm/contacts", READ, |method| on(method, crm::contact)),
    route(GET, "/api/crm/sample", READ, |method| on(method, crm::sample)),
    route(GET, "/api/deals", READ, |method| on(method, deals::list)),
    route(GET, "/api/deals/{kind}/{key}", READ, |method| on(method, deals::one)),
    order(POST, "/api/deals/{kind}/{key}/order", ACT, |method| on(method, deals::order)),
    route(GET, "/api/companies", READ, |method| on(method, companies::list)),
    route(GET, "/api/companies/{name}", READ, |method| on(method, companies::one)),
    route(GET, "/api/happenings", READ, |method| on(method, happenings::list)),
    route(GET, "/api/happenings/{id}", READ, |method| on(method, happenings::one)),
    order(POST, "/api/happenings/{id}/tell", ACT, |method| on(method, happenings::tell)),
    order(POST, "/api/happenings/{id}/drop", ACT, |method| on(method, happenings::leave)),
    route(GET, "/api/people", READ, |method| on(method, people::held)),
    order(DELETE, "/api/people", ACT, |method| on(method, people::erase)),
    route(GET, "/api/people/suppress", READ, |method| on(method, people::suppressed)),
    order(POST, "/api/people/suppress", ACT, |method| on(method, people::suppress)),
    order(DELETE, "/api/people/suppress", ACT, |method| on(method, people::unsuppress)),
    route(GET, "/api/erasures/{erasure}", VIEW, |method| on(method, people::erasure)),
    route(GET, "/api/dead-letters", VIEW, |method| on(method, dead_letters::list)),
    order(POST, "/api/dead-letters/redrive", ACT, |method| on(method, dead_letters::order)),
    order(DELETE, "/api/dead-letters/{email}", ACT, |method| on(method, dead_letters::give_up)),
    order(POST, "/api/ledger/distrust", ACT, |method| on(method, ledger::doubt)),
    order(POST, "/api/pause", ACT, |method| on(method, commands::pause)),
    order(POST, "/api/resume", ACT, |method| on(method, commands::resume)),
    route(POST, "/api/plan", EDIT, |method| on(method, plan::plan)),
    route(GET, "/api/settings", EDIT, |method| on(method, settings::settings)),
    route(GET, "/api/settings/export", EDIT, |method| on(method, settings::export)),
    route(GET, "/api/settings/paths", EDIT, |method| on(method, settings::paths)),
    route(POST, "/api/settings/preview", EDIT, |method| on(method, settings::preview)),
    route(POST, "/api/settings/apply", EDIT, |method| on(method, settings::apply)),
    route(GET, "/api/settings/owned", EDIT, |method| on(method, where_data_goes::owned)),
    route(POST, "/api/settings/owned", OWNER, |method| on(method, where_data_goes::change)),
    route(DELETE, "/api/settings/owned", EDIT, |method| on(method, where_data_goes::revoke)),
    route(GET, "/api/setup", EDIT, |method| on(method, setting_up::setup)),
    route(POST, "/api/setup/session", ANYBODY, |method| on(method, setting_up::session)),
    route(POST, "/api/setup/account", OWNER, |method| on(method, setting_up::account)),
    route(POST, "/api/reload", EDIT, |method| on(method, commands::reload)),
    route(GET, "/api/connect", VIEW, |method| on(method, connect::connect)),
    route(GET, "/api/now", VIEW, |method| on(method, now::now)),
    route(GET, "/api/status", VIEW, |method| on(method, status::status)),
    route(GET, "/api/status/history", VIEW, |method| on(method, history::history)),
    route(GET, "/api/alerts", VIEW, |method| on(method, alerts::list)),
    route(GET, "/api/outputs", VIEW, |method| on(method, outputs::list)),
    route(GET, "/api/outputs/{name}", READ, |method| on(method, outputs::one)),
    order(POST, "/api/outputs/{name}/redrive", ACT, |method| on(method, outputs::redrive)),
    order(POST, "/api/outputs/{name}/discard", ACT, |method| on(method, outputs::discard)),
    order(POST, "/api/outputs/{name}/resume", ACT, |method| on(method, outputs::resume)),
    route(GET, "/api/exports", VIEW, |method| on(method, exports::list)),
    order(POST, "/api/exports", ACT, |method| on(method, exports::order)),
    route(GET, "/api/exports/contacts", READ, |method| on(method, exports::contacts)),
    route(GET, "/api/exports/{id}", VIEW, |method| on(method, exports::one)),
    order(DELETE, "/api/exports/{id}", ACT, |method| on(method, exports::discard)),
    route(GET, "/api/exports/{id}/file", READ, |method| on(method, exports::file)),
    route(GET, "/api/selectors", VIEW, |method| on(method, selectors::selectors)),
    route(GET, "/api/stream", VIEW, |method| on(method, stream::stream)),
    route(POST, "/api/map", READ, |method| on(method, map::map)),
    route(GET, "/api/orders/{order}", ACT, |method| on(method, orders::one)),
    route(GET, "/api/me", VIEW, |method| on(method, acts::me)),
    route(GET, "/api/acts", READ, |method| on(method, acts::acts)),
    route(GET, "/api/looks", OWNER, |method| on(method, acts::looks)),
    route(GET, "/metrics", VIEW, |method| on(method, metrics::metrics)),
    route(GET, "/", ANYBODY, |method| on(method, page::home)),
    route(GET, "/debug", ANYBODY, |method| on(method, page::index)),
    route(GET, "/debug/{file}", ANYBODY, |method| on(method, page::file)),
    route(GET, "/debug/{version}/{file}", ANYBODY, |method| on(method, page::versioned)),
    route(GET, "/openapi.json", ANYBODY, |method| on(method, openapi::document)),
    route(GET, "/healthz", ANYBODY, |method| on(method, status::alive)),
    route(GET, "/readyz", ANYBODY, |method| on(method, status::ready)),
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
        let looks = Arc::new(Looks::new(Arc::clone(&store), Arc::clone(&clock), settings.clone()));
        Self {
            store,
            settings,
            who: Who::default(),
            carried: None,
            looks,
            clock,
            admin: Arc::new(admin),
            entry: None,
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
        self.entry = None;
        self
    }

    /// Lets in whoever reads the log of a first start.
    #[must_use]
    pub fn entered_by(mut self, entry: Option<Arc<Entry>>) -> Self {
        self.entry = entry;
        self
    }

    /// The routes of the private listener.
    pub fn router(&self) -> Router {
        // Several methods of a path share its fallback and its guard.
        let mut paths: BTreeMap<&'static str, (Needs, MethodRouter<Self>)> = BTreeMap::new();
        for route in ROUTES {
            let handler = self.handled(route);
            let (mut needs, others) = paths.remove(route.path).unwrap_or_default();
            needs.push((method_of(route.method), route.access));
            paths.insert(route.path, (needs, others.merge(handler)));
        }
        let add = |router: Router<Self>,
                   (path, (needs, handler)): (&'static str, (Needs, MethodRouter<Self>))| {
            let handler = handler.fallback(async || ApiError::method_not_allowed());
            let guarded = from_fn_with_state(self.guard(path, needs), guard);
            router.route(path, handler.layer(guarded))
        };
        // What does not exist is nobody's business without a token either.
        let unknown = from_fn_with_state(self.guard("", Needs::new()), guard);
        let unknown = any(async || ApiError::not_found()).layer(unknown);
        paths.into_iter().fold(Router::new(), add).fallback_service(unknown).with_state(self.clone())
    }

    /// What serves a route: another node than this one, where that one works and it has to.
    fn handled(&self, route: &Route) -> MethodRouter<Self> {
        let handler = (route.handler)(route.method);
        if !route.handed_on {
            return handler;
        }
        let handing_on = HandingOn { debugger: self.clone(), route: route.path };
        handler.layer(from_fn_with_state(handing_on, hand_on))
    }

    fn guard(&self, path: &'static str, needs: Needs) -> Guard {
        Guard { admin: Arc::clone(&self.admin), path, needs: needs.into(), looks: Arc::clone(&self.looks) }
    }

    /// The routes that whoever asks may use.
    fn may(&self) -> Vec<String> {
        let may = ROUTES.iter().filter(|route| route.access.admits(self.who.role));
        may.map(|route| format!("{} {}", method_of(route.method), route.path)).collect()
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
