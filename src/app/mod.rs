//! The service as a whole: its parts wired together, run until they are told to stop, then drained.
//!
//! Takes bound listeners and a shutdown signal, so that a test, the demo and `serve` run the same thing. Must not read
//! the environment or parse arguments.

mod account;
mod arrivals;
mod background;
mod editing;
mod exporting;
mod flow;
mod opening;
mod owned;
mod owned_outputs;
mod recorder;
mod reload;
mod shift;
mod standing;
mod token;
mod workers;

use std::convert::identity;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use editing::Editing;
#[cfg(feature = "postgres")]
pub use opening::database_settings;
pub use reload::{Load, Reload};
pub use token::{TokenError, stored as stored_token};

use crate::admin::{Admin, Commands, Debugger, Editor, Entry, Erasures, Given, Live, Owner, Setup};
use crate::allowance::{Ledger, Pressure, Sharing, Usage};
use crate::cause::Board;
use crate::clock::{Clock, SteadyClock};
use crate::config::Config;
use crate::config_problem::Problem;
use crate::consent::SharedTally;
use crate::decision::decide;
use crate::delivery::Lane;
use crate::event::EventLimits;
use crate::freshsales::{ByHand, Client, Crm, DryRunCrm, Key, Mode, Timeouts};
use crate::health::Vitals;
use crate::http::forwarded::TrustedProxies;
use crate::http::{self, ServeLimits};
use crate::ingest::Ingest;
use crate::store::sqlite::OpenError;
use crate::store::{SharedStore, StoreError};
use crate::traces::{Exporter, Traces};
use crate::turn::{Flow, Stalls};
use opening::store_of;
use standing::{go_on, look_after, watch_store};
use token::{admin_of, admin_on_public, entry_of};

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration is not enough to serve.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<Problem>),
    /// The data folder can't be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The database can't be used.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Database(#[from] crate::store::postgres::OpenError),
    /// The admin token can't be kept.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A library refused what it was given.
    #[error("{0}")]
    Library(String),
}

/// Why the service stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store failed for good; starting again recovers.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread could not do its work.
    #[error("the thread {0} failed: {1}")]
    Thread(&'static str, String),
    /// A part ended that must not.
    #[error("a part of the service ended: {0}")]
    Part(#[from] tokio::task::JoinError),
}

/// The bound listeners.
pub struct Listeners {
    /// Events in.
    pub public: TcpListener,
    /// Debugger and metrics.
    pub private: TcpListener,
}

/// The service, ready to run.
pub struct App {
    config: Config,
    store: SharedStore,
    crm: Arc<dyn Crm>,
    clock: Arc<dyn Clock>,
    traces: Traces,
    exporter: Option<Exporter>,
    reload: Reload,
    debugger: Debugger,
    usage: watch::Sender<Usage>,
    sharing: watch::Sender<Option<Sharing>>,
    pressure: watch::Sender<Pressure>,
    trouble: watch::Sender<Option<String>>,
    flow: watch::Sender<Flow>,
    /// What risks are judged by.
    vitals: Vitals,
    /// What was told of them.
    board: watch::Sender<Board>,
    bells: Bells,
    metrics: PrometheusHandle,
    erasing: Erasing,
    also_public: Router,
    /// Cancelled when the service is to start again.
    again: CancellationToken,
    editing: Arc<Editing>,
    /// Lets in whoever reads the log of a first start.
    entry: Option<Arc<Entry>>,
    /// Where the private routes are on the public listener, and who may use them there.
    admin_on_public: Option<(String, Admin)>,
}

/// How orders to erase somebody reach the stage for them, and what is done.
struct Erasing {
    ordered: Arc<Notify>,
    done: watch::Sender<u64>,
}

/// What one part rings for another. A ring may be lost without harm.
#[derive(Clone, Default)]
struct Bells {
    /// Deliveries may have been opened.
    owed: Arc<Notify>,
    /// A person has ordered something.
    ordered: Arc<Notify>,
    /// What a person asks of the account.
    by_hand: ByHand,
}

type Parts = JoinSet<Result<(), RunError>>;

/// An allowance of which nothing is used.
fn unused(config: &Config) -> Usage {
    Ledger::restored(config.allowance.limits(), [], Duration::ZERO, 1).usage(Duration::ZERO)
}

impl App {
    /// Wires the parts; `load` reads the configuration again. Blocks while another process has the data folder.
    ///
    /// # Errors
    /// Everything that keeps it from starting.
    pub fn build(config: Config, load: Arc<Load>, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let problems = config.serving_problems();
        if !problems.is_empty() {
            return Err(BuildError::Config(problems));
        }
        let settings = watch::Sender::new(config.settings().map_err(BuildError::Config)?);
        let steady = Arc::new(SteadyClock::over(clock));
        let clock: Arc<dyn Clock> = Arc::clone(&steady) as Arc<dyn Clock>;
        let (crm, key) = crm_of(&config, &clock)?;
        let metrics = recorder::installed().map_err(BuildError::Library)?;
        let store = store_of(&config, &clock)?;
        go_on(&steady, &*store);
        let shared = Arc::clone(&store);
        let (traces, exporter) = traces_of(&config)?;
        let ingest = ingest_of(&config, &shared, &clock, &traces);
        let usage = watch::Sender::new(unused(&config));
        let sharing = watch::Sender::new(config.bulk.sharing());
        let erasing = Erasing { ordered: Arc::default(), done: watch::Sender::new(0) };
        let noting = (Arc::clone(&shared), Arc::clone(&clock));
        shared.works_by(config.fingerprint(&config, &settings.borrow()));
        let reload = Reload::new(&config, settings, ingest, load, (key, noting));
        let (pressure, flow) = (watch::Sender::<Pressure>::default(), watch::Sender::<Flow>::default());
        let vitals = Vitals {
            usage: usage.subscribe(),
            sharing: sharing.subscribe(),
            shares: config.delivery.shares(),
            dead_letters_max: config.retention.dead_letters_max,
            pressure: pressure.subscribe(),
            flow: flow.subscribe(),
            stalls: Stalls::default(),
            senders: Arc::default(),
            rates: reload.ingest.rates(),
            consent: SharedTally::default(),
            settings: reload.settings.subscribe(),
        };
        let board = watch::Sender::new(Board::default());
        let live = live_of(&config, &vitals, &board, &erasing, &reload);
        let (admin, bells) = (admin_of(&config, &reload.people)?, Bells::default());
        let again = CancellationToken::new();
        let editing = Arc::new(Editing::new(reload.clone(), again.clone()));
        let commands = commands_of(&bells, &reload, &editing);
        let entry = entry_of(&config, &admin)?.map(Arc::new);
        let watched = reload.settings.subscribe();
        let debugger =
            Debugger::new(shared, watched, Arc::clone(&clock), admin, live, commands, metrics.clone())
                .entered_by(entry.clone());
        Ok(Self {
            admin_on_public: admin_on_public(&config, &reload.people)?,
            config,
            store,
            crm,
            clock,
            traces,
            exporter,
            reload,
            debugger,
            usage,
            sharing,
            pressure,
            trouble: watch::Sender::new(None),
            flow,
            vitals,
            board,
            bells,
            metrics,
            erasing,
            also_public: Router::new(),
            again,
            editing,
            entry,
        })
    }

    /// Serves more on the public listener: routes that nothing else has, and no fallback.
    #[must_use]
    pub fn with_public(mut self, routes: Router) -> Self {
        self.also_public = routes;
        self
    }

    /// What reads the configuration again.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Cancelled when a change on the page needs the service to start again: whoever runs it stops it then, and builds another.
    #[must_use]
    pub fn again(&self) -> CancellationToken {
        self.again.clone()
    }

    /// The code that lets in whoever reads the log, where nobody has set the service up yet.
    #[must_use]
    pub fn code(&self) -> Option<SecretString> {
        self.entry.as_ref().and_then(|entry| entry.code())
    }

    /// Runs until `shutdown`, then answers accepted requests and lets calls on their way end.
    ///
    /// # Errors
    /// The store failed, or a part ended that must not.
    pub async fn run(mut self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), RunError> {
        let awaits_account = self.config.first_start.is_some_and(|first| first.awaits_account);
        if self.config.freshsales.mode == Mode::DryRun && !awaits_account {
            tracing::warn!(
                "freshsales.mode is dry_run: every payload is built and shown, and nothing is sent"
            );
        }
        let consent = self.config.consent.warnings();
        for warning in consent.iter().map(ToString::to_string).chain(self.config.misspelt()) {
            tracing::warn!("{warning}");
        }
        let stop = shutdown.child_token();
        let mut parts = Parts::new();
        let mut result = self.know_lists().await.map_err(RunError::from);
        if result.is_err() {
            stop.cancel();
        }
        self.spawn_listeners(listeners, &stop, &mut parts);
        parts.spawn(watch_store(self.store.fatal(), stop.clone()));
        parts.spawn(look_after(Arc::clone(&self.store), stop.clone()));
        let upkeep = recorder::upkeep(self.metrics.clone(), Arc::clone(&self.clock), stop.clone());
        parts.spawn(unfailing(upkeep));
        // It ends after all others: what they hand in at last is told too.
        let all_ended = CancellationToken::new();
        let exporting = self.exporter.take().map(|exporter| {
            let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
            tokio::spawn(exporter.run(store, clock, all_ended.clone()))
        });
        let waits = Arc::clone(&self.editing).wait_for_pending(Arc::clone(&self.clock), stop.clone());
        parts.spawn(waits);
        result = result.and(self.until_all_ended(&stop, parts).await);
        all_ended.cancel();
        if let Some(exporting) = exporting {
            result = result.and(exporting.await.map_err(RunError::from));
        }
        let store = self.store;
        // Closing writes what is left; it blocks.
        tokio::task::spawn_blocking(move || store.shut()).await?;
        result
    }

    /// Works whenever this process is the one that does, until whatever is beside it has ended: the first that ends, ends all.
    async fn until_all_ended(&self, stop: &CancellationToken, mut parts: Parts) -> Result<(), RunError> {
        let (mut result, mut works) = (Ok(()), true);
        let working = self.work_in_turns(stop);
        tokio::pin!(working);
        loop {
            let ended = tokio::select! {
                ended = &mut working, if works => {
                    works = false;
                    ended
                }
                Some(ended) = parts.join_next() => ended.map_err(RunError::from).and_then(identity),
                else => return result,
            };
            if let Err(error) = &ended {
                tracing::error!(%error, "the service stops after an error");
            }
            result = result.and(ended);
            stop.cancel();
        }
    }

    /// The lists of the account that were asked for before, and the key of the data folder.
    async fn know_lists(&self) -> Result<(), StoreError> {
        let selectors = Arc::new(self.store.selectors(self.crm.account().clone()).await?);
        let marker_key = self.store.marker_key().await?;
        self.traces.knows(&marker_key);
        let known = (selectors, marker_key);
        self.reload.settings.send_modify(|settings| Arc::make_mut(settings).knows(known));
        Ok(())
    }

    /// Calls of the lane `backfill` that fit into an hour.
    fn backfill_per_hour(&self) -> u32 {
        let share = self.config.delivery.share_percent(Lane::Backfill);
        (u64::from(self.config.allowance.limits().per_hour) * u64::from(share) / 100).try_into().unwrap_or(1)
    }

    fn drain(&self) -> Duration {
        Duration::from_secs(self.config.server.shutdown_seconds)
    }

    fn spawn_listeners(&self, listeners: Listeners, stop: &CancellationToken, parts: &mut Parts) {
        let server = &self.config.server;
        let limits = ServeLimits { shutdown_timeout: self.drain(), ..ServeLimits::default() };
        let of_public = ServeLimits {
            connections_per_peer_max: server.connections_per_peer_max,
            trusted_proxies: Arc::new(TrustedProxies::of(&server.trusted_proxies)),
            ..limits.clone()
        };
        let mut routes = self.reload.ingest.router().merge(self.also_public.clone());
        routes = routes.merge(self.conversions().router(&server.path_prefix));
        let debugger = self.debugger.clone().beside(listeners.public.local_addr().ok());
        if let Some((path, admin)) = &self.admin_on_public {
            routes = routes.nest_service(path, debugger.clone().guarded_by(admin.clone()).router());
            tracing::info!(path, "the private routes are on the public listener too, behind the admin token");
        }
        let public = http::serve(listeners.public, routes, of_public, stop.clone());
        let private = http::serve(listeners.private, debugger.router(), limits, stop.clone());
        parts.spawn(served(public));
        parts.spawn(served(private));
    }
}

async fn unfailing(part: impl Future<Output = ()>) -> Result<(), RunError> {
    part.await;
    Ok(())
}

async fn served(listener: impl Future<Output = usize>) -> Result<(), RunError> {
    let cut = listener.await;
    if cut > 0 {
        tracing::warn!(
            connections = cut,
            "connections were closed before their requests were finished: server.shutdown_seconds was over"
        );
    }
    Ok(())
}

/// What the private listener shows beside the store.
fn live_of(
    config: &Config,
    vitals: &Vitals,
    board: &watch::Sender<Board>,
    erasing: &Erasing,
    reload: &Reload,
) -> Live {
    Live {
        vitals: vitals.clone(),
        board: board.subscribe(),
        mode: config.freshsales.mode,
        event_limits: EventLimits { event_bytes_max: config.server.event_bytes_max },
        erasures: Erasures { ordered: Arc::clone(&erasing.ordered), done: erasing.done.subscribe() },
        refused: reload.ingest.refused(),
        traffic: reload.ingest.traffic(),
        ways: reload.ways.subscribe(),
    }
}

/// What a person may order on the private listener.
fn commands_of(bells: &Bells, reload: &Reload, editing: &Arc<Editing>) -> Commands {
    let (reload, planning) = (reload.clone(), reload.clone());
    Commands {
        owed: Arc::clone(&bells.owed),
        ordered: Arc::clone(&bells.ordered),
        by_hand: bells.by_hand.clone(),
        decide: Arc::new(decide),
        reload: Arc::new(move || reload.reload()),
        plan: Arc::new(move |given: &Given| planning.planned(given)),
        editor: Arc::clone(editing) as Arc<dyn Editor>,
        setup: Arc::clone(editing) as Arc<dyn Setup>,
        owner: Arc::clone(editing) as Arc<dyn Owner>,
    }
}

/// What takes spans, and what brings them to a collector, where one is named.
fn traces_of(config: &Config) -> Result<(Traces, Option<Exporter>), BuildError> {
    Traces::of(&config.telemetry).map_err(|why| BuildError::Library(why.to_string()))
}

fn ingest_of(config: &Config, store: &SharedStore, clock: &Arc<dyn Clock>, traces: &Traces) -> Ingest {
    let ingest =
        Ingest::new(&config.server, &config.sources, store.clone(), Arc::clone(clock), traces.clone());
    ingest.replace_hooks(&config.hooks, &config.sources);
    ingest
}

/// What calls the account, and the key that it does so with, where there is one.
fn crm_of(config: &Config, clock: &Arc<dyn Clock>) -> Result<(Arc<dyn Crm>, Option<Key>), BuildError> {
    let problem = |key: &str, why: String| BuildError::Config(vec![Problem::new(key, "", why)]);
    let account = &config.freshsales;
    let endpoint = account.endpoint().map_err(|why| problem(why.key(), why.to_string()))?;
    match account.mode {
        Mode::DryRun => Ok((Arc::new(DryRunCrm::new(endpoint)), None)),
        Mode::Live => {
            let key = account.key().map_err(|why| problem("freshsales.api_key", why.to_string()))?;
            let transport = account.transport().map_err(|why| BuildError::Config(vec![why]))?;
            let timeouts = Timeouts::of(account);
            let client = Client::new(endpoint, key.clone(), &transport, timeouts, Arc::clone(clock))
                .map_err(|why| BuildError::Library(why.to_string()))?;
            Ok((Arc::new(client), Some(key)))
        }
    }
}
