//! The real stages on a store of their own: ingest, process, deliver, wired as the service wires them.
//!
//! Killed and started again at any moment, without a chance to tidy up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use freshsignal::allowance::{Ledger, Means, Sharing, Usage, forecast, lanes_with};
use freshsignal::clock::{Clock, ManualClock, SteadyClock};
use freshsignal::config::{self, Config};
use freshsignal::decision::Settings;
use freshsignal::deliver::Deliverer;
use freshsignal::delivery::{Account, State};
use freshsignal::freshsales::Crm;
use freshsignal::ingest::Ingest;
use freshsignal::process::Processor;
use freshsignal::store::sqlite::SqliteStore;
use freshsignal::store::{self, SharedStore, StoreError, Totals, Trail as _};
use freshsignal::traces::Traces;
use freshsignal::turn::Stalls;
use freshsignal::walk::Reviewer;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::account::{Allowed, CONVERSION};
use super::time::SimulatedTime;

const WRITE_KEY: &str = "simulation-write-key";
/// How often it is looked whether anything is left to do.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A data folder and the configuration that goes with it.
pub struct Ground {
    pub config: Config,
    folder: TempDir,
}

impl Ground {
    /// The real settings but for the number of calls, and one field of the shop's own.
    pub fn new(allowed: Allowed) -> Self {
        Self::with(allowed, &[])
    }

    /// The same with further keys, written as the environment writes them.
    pub fn with(allowed: Allowed, further: &[(&str, &str)]) -> Self {
        let field = format!(
            "[fields.\"custom_field.{CONVERSION}\"]\nfrom = [\"properties.conversion\"]\nconvert = \"number\"\n"
        );
        Self::of(allowed, further, &field)
    }

    /// The real settings with a mapping of its own.
    pub fn mapped(allowed: Allowed, mapping: &str) -> Self {
        Self::of(allowed, &[], mapping)
    }

    fn of(allowed: Allowed, further: &[(&str, &str)], content: &str) -> Self {
        let folder = in_memory();
        let mapping = folder.path().join("mapping.toml");
        std::fs::write(&mapping, content).unwrap();
        let pairs = [
            ("SOURCES__SHOP__WRITE_KEY", WRITE_KEY.to_owned()),
            ("FRESHSALES__BUNDLE_ALIAS", "acme".to_owned()),
            ("FRESHSALES__API_KEY", "sandbox-key".to_owned()),
            ("STORE__PATH", folder.path().join("data").display().to_string()),
            ("MAPPING__FILE", mapping.display().to_string()),
            ("ALLOWANCE__PER_HOUR", allowed.per_hour.to_string()),
            ("ALLOWANCE__PER_MINUTE", allowed.per_minute.to_string()),
        ];
        let further = further.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let pairs = pairs.into_iter().chain(further);
        let environment = pairs.map(|(key, value)| (format!("FRESHSIGNAL_{key}"), value)).collect();
        Self { config: config::load(None, &environment).unwrap().config, folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Where syncing costs nothing, if the machine has such a place: what a disk is like is no part of the simulation.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The stages at work.
pub struct Service {
    config: Config,
    time: SimulatedTime,
    clock: Arc<dyn Clock>,
    crm: Arc<dyn Crm>,
    sharing: watch::Receiver<Option<Sharing>>,
    pub store: Arc<SqliteStore>,
    ingest: Router,
    stages: Vec<JoinHandle<Result<(), StoreError>>>,
    /// The stages take it for the end when it is gone.
    _settings: watch::Sender<Arc<Settings>>,
}

impl Service {
    /// Opens the store and sets the stages to work.
    pub async fn start(config: Config, time: SimulatedTime, crm: Arc<dyn Crm>) -> Self {
        let steady = Arc::new(SteadyClock::over(time.clock.clone()));
        let clock: Arc<dyn Clock> = Arc::clone(&steady) as Arc<dyn Clock>;
        let limits = store::StoreSettings {
            journal_bytes_max: config.retention.journal_bytes_max,
            ..store::StoreSettings::default()
        };
        let store = SqliteStore::open(&config.store.path, limits, Arc::clone(&clock)).unwrap();
        time.heed(&store);
        steady.not_before(store.latest_moment());
        let shared: SharedStore = Arc::clone(&store) as SharedStore;
        let (traces, given) = (Traces::default(), (shared.clone(), Arc::clone(&clock)));
        let ingest = Ingest::new(&config.server, &config.sources, given.0, given.1, traces.clone());
        // The lists of the account that were asked for before, as the service knows them from its start on.
        let selectors = shared.selectors(crm.account().clone()).await.unwrap();
        let settings = watch::Sender::new(config.settings().unwrap());
        settings.send_modify(|settings| Arc::make_mut(settings).selectors = Arc::new(selectors));
        let owed = Arc::new(Notify::new());
        let processor = Processor {
            store: Arc::clone(&shared),
            settings: settings.subscribe(),
            clock: Arc::clone(&clock),
            owed: Arc::clone(&owed),
            decide: Arc::new(freshsignal::decision::decide),
            trouble: watch::Sender::new(None),
            consent: freshsignal::consent::SharedTally::default(),
            senders: Arc::default(),
            stalls: Stalls::default(),
            traces: traces.clone(),
        };
        let reviewer = Reviewer {
            store: Arc::clone(&shared),
            settings: settings.subscribe(),
            clock: Arc::clone(&clock),
            owed: Arc::clone(&owed),
            ordered: Arc::default(),
            dead_letters_max: config.retention.dead_letters_max,
            backfill_per_hour: config.allowance.limits().per_hour,
            stalls: Stalls::default(),
        };
        let sharing = watch::Sender::new(config.bulk.sharing());
        let deliverer = Deliverer {
            decide: freshsignal::decision::claim,
            store: shared,
            crm: Arc::clone(&crm),
            settings: settings.subscribe(),
            config: config.delivery.clone(),
            bulk: config.bulk.clone(),
            limits: config.allowance.limits(),
            clock: Arc::clone(&clock),
            owed,
            settled: Arc::default(),
            usage: unused(&config),
            sharing: sharing.clone(),
            names: settings.clone(),
            stalls: Stalls::default(),
            by_hand: freshsignal::freshsales::ByHand::default(),
            traces,
        };
        let stop = CancellationToken::new();
        let stages = vec![
            tokio::spawn(processor.run(stop.clone())),
            tokio::spawn(reviewer.run(stop.clone())),
            tokio::spawn(deliverer.run(stop, Duration::ZERO)),
        ];
        let (ingest, sharing) = (ingest.router(), sharing.subscribe());
        Self { ingest, config, time, clock, crm, store, sharing, stages, _settings: settings }
    }

    /// Sends one event or a batch, which is accepted.
    pub async fn send(&self, body: String) {
        self.send_to("/ingest", body).await;
    }

    /// The same, to another route.
    pub async fn send_to(&self, route: &str, body: String) {
        let request = Request::post(route).header("X-Write-Key", WRITE_KEY).body(Body::from(body)).unwrap();
        let answer = self.ingest.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// Ends everything where it stands, calls on their way included, and starts again on the same data.
    pub async fn kill_and_restart(self) -> Self {
        let Self { config, time, crm, store, stages, .. } = self;
        end(stages).await;
        store.shut();
        drop(store);
        Self::start(config, time, crm).await
    }

    /// Ends everything.
    pub async fn stop(self) {
        end(self.stages).await;
        self.store.shut();
    }

    pub fn account(&self) -> Account {
        self.crm.account().clone()
    }

    pub async fn totals(&self) -> Totals {
        self.store.totals(self.account()).await.unwrap()
    }

    /// How long what is owed takes, as the service itself foresees it.
    pub async fn drained_after(&self, totals: &Totals) -> Duration {
        let now = self.clock.wall();
        let settings = self.config.settings().unwrap();
        let shared: SharedStore = Arc::clone(&self.store) as SharedStore;
        let account = self.account();
        let quotas = store::quotas(&shared, account, &settings.per_hour, now).await.unwrap();
        let load = |lane| totals.owed.get(&lane).map(|owed| owed.load.clone()).unwrap_or_default();
        let lanes = lanes_with(&self.config.delivery.shares(), load);
        let ages = totals.slots.iter().map(|slot| now.since(slot.answered_at.unwrap_or(now)));
        let means = Means {
            limits: self.config.allowance.limits(),
            ages: ages.collect(),
            sharing: *self.sharing.borrow(),
            quotas: &quotas,
        };
        forecast(&lanes, &means).unwrap().end
    }

    /// Ends when every event has taken effect and nothing is owed.
    pub async fn settled(&self) {
        let clock: &ManualClock = &self.time.clock;
        loop {
            let totals = self.totals().await;
            if totals.accepted == totals.processed && open(&totals) == 0 {
                return;
            }
            self.check_stages();
            clock.sleep_until(clock.monotonic() + LOOK_EVERY).await;
        }
    }

    /// The stages end for a failure alone.
    pub fn check_stages(&self) {
        assert!(self.stages.iter().all(|stage| !stage.is_finished()), "a stage has ended");
    }
}

async fn end(stages: Vec<JoinHandle<Result<(), StoreError>>>) {
    for stage in stages {
        stage.abort();
        // Whatever it says: what counts is that it is gone.
        let _ = stage.await;
    }
}

fn unused(config: &Config) -> watch::Sender<Usage> {
    let limits = config.allowance.limits();
    watch::Sender::new(Ledger::restored(limits, [], Duration::ZERO, 1).usage(Duration::ZERO))
}

/// How many deliveries are open.
pub fn open(totals: &Totals) -> u64 {
    totals.open.values().sum()
}

/// How many deliveries ended as dead letters.
pub fn dead(totals: &Totals) -> u64 {
    totals.ended.get(&State::Dead).copied().unwrap_or(0)
}

/// Nothing has vanished: each accepted event waits or has an outcome, each delivery is open or has an end.
pub fn check_books(totals: &Totals) {
    let outcomes: u64 = totals.outcomes.values().sum();
    assert_eq!(totals.accepted, totals.accepted - totals.processed + outcomes, "accepted = lag + outcomes");
    assert_eq!(totals.queued, open(totals) + totals.ended.values().sum::<u64>(), "queued = open + ended");
}
