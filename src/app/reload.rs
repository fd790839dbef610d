//! Reloading: takes over of another configuration what can change while the service runs.
//!
//! All or nothing: a wrong configuration changes nothing and is named. Must not know where a configuration comes from:
//! who starts the service says how it is read.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::token::People;
use crate::admin::{Given, Reloaded};
use crate::alerts::Config as AlertsConfig;
use crate::clock::Clock;
use crate::config::{Config, LoadError, Loaded, Texts};
use crate::config_problem::Problem;
use crate::conversions;
use crate::decision::Settings;
use crate::doors::Ways;
use crate::freshsales::Key;
use crate::ingest::Ingest;
use crate::outputs::Whom;
use crate::store::{Plan, Put, SharedStore};
use crate::trail::{Act, ActKind};

/// How the configuration is read: from its file, or with a text in its place.
pub type Load = dyn Fn(Texts<'_>) -> Result<Loaded, LoadError> + Send + Sync;

/// Reads the configuration again.
#[derive(Clone)]
pub struct Reload {
    pub(super) settings: watch::Sender<Arc<Settings>>,
    pub(super) alerts: watch::Sender<AlertsConfig>,
    pub(super) whom: watch::Sender<Arc<Whom>>,
    pub(super) ways: watch::Sender<Arc<Ways>>,
    pub(super) conversions: watch::Sender<Arc<conversions::Config>>,
    pub(super) people: People,
    pub(super) ingest: Ingest,
    pub(super) load: Arc<Load>,
    /// The configuration in use, to tell what another one changes.
    pub(super) config: Arc<Mutex<Config>>,
    /// The one that the service was started with.
    pub(super) started: Arc<Config>,
    /// The key that calls carry; none where no call leaves.
    pub(super) key: Option<Key>,
    /// Where it is noted, and when.
    pub(super) noting: (SharedStore, Arc<dyn Clock>),
}

/// Which other systems are told of what happened.
pub(super) fn whom_of(config: &Config) -> Whom {
    Whom { outputs: config.outputs.clone(), page: config.alerts.debugger() }
}

/// Sections that are read at the start alone.
const AT_START: [&str; 10] = [
    "server",
    "admin",
    "exports",
    "freshsales",
    "allowance",
    "bulk",
    "store",
    "retention",
    "log",
    "telemetry",
];

impl Reload {
    /// What a configuration that the service starts with gives to the parts that another may change.
    pub(super) fn new(
        config: &Config,
        settings: watch::Sender<Arc<Settings>>,
        ingest: Ingest,
        load: Arc<Load>,
        (key, noting): (Option<Key>, (SharedStore, Arc<dyn Clock>)),
    ) -> Self {
        Self {
            settings,
            alerts: watch::Sender::new(config.alerts.clone()),
            whom: watch::Sender::new(Arc::new(whom_of(config))),
            ways: watch::Sender::new(Arc::new(config.ways(&config.server))),
            conversions: watch::Sender::new(Arc::new(config.conversions.clone())),
            people: watch::Sender::new(Arc::new(config.admin.people())),
            ingest,
            load,
            config: Arc::new(Mutex::new(config.clone())),
            started: Arc::new(config.clone()),
            key,
            noting,
        }
    }

    /// Reads the configuration again and takes over sources, consent, mapping, who is told and how calls are made; everything else
    /// needs a restart. Says in the log how it went.
    ///
    /// # Errors
    /// Problems of the other configuration; nothing changed then.
    pub fn reload(&self) -> Result<Reloaded, Vec<Problem>> {
        let loaded = self.loaded(Texts::default());
        let misspelt = loaded.as_ref().map(Config::misspelt).unwrap_or_default();
        let done = loaded.and_then(|config| self.take_over(config));
        match &done {
            Ok(Reloaded { taken_over, needs_restart }) => {
                tracing::info!(taken_over = taken_over.join(", "), "the configuration was reloaded");
                for warning in misspelt {
                    tracing::warn!("{warning}");
                }
                if !needs_restart.is_empty() {
                    let keys = needs_restart.join(", ");
                    tracing::warn!(keys, "these keys changed and take effect after a restart");
                }
            }
            Err(problems) => {
                // Which keys are wrong; what stands there may be a secret.
                let keys = problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>();
                tracing::error!(
                    problems = keys.join(", "),
                    "the new configuration is wrong and was not taken over: `freshsignal check` names the problems; the old one stays in force"
                );
            }
        }
        done
    }

    /// As [`Reload::reload`], and notes what was taken over among what changed. It waits for nobody but the store.
    pub async fn reload_and_note(&self) {
        let Ok(Reloaded { taken_over, .. }) = self.reload() else { return };
        let (store, clock) = &self.noting;
        let about = taken_over.join(", ");
        let act = Act { at: clock.wall(), kind: ActKind::Reloaded, who: String::new(), about };
        let noted = store.apply(Plan { puts: vec![Put::Act(act)], ..Plan::default() }).await;
        if let Err(error) = noted {
            tracing::warn!(%error, "that the configuration was reloaded could not be noted; it is in effect");
        }
    }

    pub(super) fn loaded(&self, texts: Texts<'_>) -> Result<Config, Vec<Problem>> {
        match (self.load)(texts) {
            Ok(loaded) => Ok(loaded.config),
            Err(LoadError::Problems(problems)) => Err(problems),
            Err(LoadError::File { path, why }) => {
                let expected = format!("a readable configuration file ({why})");
                Err(vec![Problem::new("--config", path.display(), expected)])
            }
        }
    }

    /// The settings that other files, or these texts in their place, would have; nothing is changed.
    ///
    /// # Errors
    /// Problems of the other configuration.
    pub fn planned(&self, given: &Given) -> Result<Arc<Settings>, Vec<Problem>> {
        let config = self.loaded(Texts {
            config: given.config.as_deref(),
            mapping: given.mapping.as_deref(),
            managed: None,
        })?;
        let mut settings = match &given.mapping {
            Some(mapping) => config.settings_with(mapping)?,
            None => config.settings()?,
        };
        let in_use = self.settings.borrow();
        let new = Arc::make_mut(&mut settings);
        new.consent.keep = in_use.consent.keep;
        new.selectors = Arc::clone(&in_use.selectors);
        new.marker_key = in_use.marker_key.clone();
        Ok(settings)
    }

    /// Answers which keys and sections are different now, and which will be.
    fn take_over(&self, config: Config) -> Result<Reloaded, Vec<Problem>> {
        let mut settings = config.settings()?;
        // Calls go to the account that the service was started with.
        Arc::make_mut(&mut settings).account = self.settings.borrow().account.clone();
        // What is kept how long is read at the start alone.
        Arc::make_mut(&mut settings).consent.keep = self.settings.borrow().consent.keep;
        let mut in_use = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken_over = in_use.changes(&config);
        taken_over.retain(|name| !AT_START.contains(&name.as_str()));
        if in_use.delivery.with_fixed_of(&config.delivery) == config.delivery {
            taken_over.retain(|name| name != "delivery");
        }
        // The file may have another content under the same name.
        if self.settings.borrow().preset != settings.preset
            && !taken_over.iter().any(|name| name == "mapping")
        {
            taken_over.push("mapping".to_owned());
        }
        if self.take_key(&config) {
            taken_over.push("freshsales.api_key".to_owned());
        }
        let needs_restart = self.needs_restart(&config);
        self.noting.0.works_by(config.fingerprint(&self.started, &settings));
        self.settings.send_modify(|in_use| {
            // What the account calls things is not of the configuration.
            let new = Arc::make_mut(&mut settings);
            new.selectors = Arc::clone(&in_use.selectors);
            new.marker_key = in_use.marker_key.clone();
            *in_use = settings;
        });
        self.alerts.send_replace(config.alerts.clone());
        self.whom.send_replace(Arc::new(whom_of(&config)));
        self.conversions.send_replace(Arc::new(config.conversions.clone()));
        self.people.send_replace(Arc::new(config.admin.people()));
        self.ingest.replace_sources(&config.sources);
        self.ingest.replace_hooks(&config.hooks, &config.sources);
        // Of `[server]` what it was started with.
        self.ways.send_replace(Arc::new(config.ways(&self.started.server)));
        *in_use = config;
        Ok(Reloaded { taken_over, needs_restart })
    }

    /// The keys and sections of a configuration that take effect after a restart alone.
    pub(super) fn needs_restart(&self, config: &Config) -> Vec<String> {
        // A key that is taken over needs no restart.
        let mut started = Config::clone(&self.started);
        if self.key.is_some() {
            started.freshsales.api_key.clone_from(&config.freshsales.api_key);
        }
        let mut needs_restart = started.changes(config);
        needs_restart.retain(|name| AT_START.contains(&name.as_str()));
        let fixed = self.started.delivery.fixed_changes(&config.delivery);
        needs_restart.extend(fixed.into_iter().map(|key| format!("delivery.{key}")));
        needs_restart
    }

    /// The settings that a reload would take over of a configuration.
    pub(super) fn settings_of(&self, config: &Config) -> Result<Arc<Settings>, Vec<Problem>> {
        let mut settings = config.settings()?;
        let in_use = self.settings.borrow();
        let new = Arc::make_mut(&mut settings);
        new.account = in_use.account.clone();
        new.consent.keep = in_use.consent.keep;
        new.selectors = Arc::clone(&in_use.selectors);
        new.marker_key = in_use.marker_key.clone();
        Ok(settings)
    }

    /// Calls carry the key of another configuration from now on; answers whether it is another one.
    fn take_key(&self, config: &Config) -> bool {
        let other = config.freshsales.key().ok();
        self.key.as_ref().zip(other).is_some_and(|(key, other)| key.take_over(&other))
    }
}
