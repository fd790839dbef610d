//! Reloading: takes over of another configuration what can change while the service runs.
//!
//! All or nothing: a wrong configuration changes nothing and is named. Must not know where a configuration comes from:
//! who starts the service says how it is read.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::config::{Config, LoadError, Loaded};
use crate::decision::Settings;
use crate::ingest::Ingest;
use crate::problem::Problem;

/// How the configuration is read.
pub type Load = dyn Fn() -> Result<Loaded, LoadError> + Send + Sync;

/// Reads the configuration again.
#[derive(Clone)]
pub struct Reload {
    pub(super) settings: watch::Sender<Arc<Settings>>,
    pub(super) ingest: Ingest,
    pub(super) load: Arc<Load>,
    /// The configuration in use, to tell what another one changes.
    pub(super) config: Arc<Mutex<Config>>,
}

impl Reload {
    /// Reads the configuration again and takes over sources, consent, mapping and how calls are made; everything else
    /// needs a restart. Says in the log how it went.
    ///
    /// # Errors
    /// Problems of the other configuration; nothing changed then.
    pub fn reload(&self) -> Result<(), Vec<Problem>> {
        let done = self.loaded().and_then(|config| self.take_over(config));
        match &done {
            Ok(changed) => {
                let changed = changed.join(", ");
                tracing::info!(
                    changed,
                    "sources, consent and mapping were read again; other keys need a restart"
                );
            }
            Err(problems) => {
                // Which keys are wrong; what stands there may be a secret.
                let keys = problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>();
                tracing::error!(
                    problems = keys.join(", "),
                    "the configuration is kept: the new one is wrong, see `freshsignal check`"
                );
            }
        }
        done.map(|_| ())
    }

    fn loaded(&self) -> Result<Config, Vec<Problem>> {
        match (self.load)() {
            Ok(loaded) => Ok(loaded.config),
            Err(LoadError::Problems(problems)) => Err(problems),
            Err(LoadError::File { path, why }) => {
                let expected = format!("a readable configuration file ({why})");
                Err(vec![Problem::new("--config", path.display(), expected)])
            }
        }
    }

    /// Answers which keys and sections are different now.
    fn take_over(&self, config: Config) -> Result<Vec<String>, Vec<Problem>> {
        let mut settings = config.settings()?;
        // Calls go to the account that the service was started with.
        Arc::make_mut(&mut settings).account = self.settings.borrow().account.clone();
        self.settings.send_replace(settings);
        self.ingest.replace_sources(&config.sources);
        let mut in_use = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = in_use.changes(&config);
        *in_use = config;
        Ok(changed)
    }
}
