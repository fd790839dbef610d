//! Outputs: tells other systems of the user what happened, each in its own time.
//!
//! A stage of its own: it reads what decisions left to be told, calls hosts of the user alone, and needs nothing of the outbox
//! and no call of the allowance. Every receiver has a task, so one that is slow or away holds up no other. Must not decide what
//! is told.

mod config;
mod sender;
mod teller;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::describe_counter;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Format, OutputConfig, problems, receivers};

use crate::clock::Clock;
use crate::decision::Settings;
use crate::store::{SharedStore, StoreError};
use crate::turn::{self, Stalls};
use sender::Sender;
use teller::Teller;

/// What is on its way when the service stops, or is configured otherwise, gets so long to be taken, so that it is not told twice.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the stage needs.
pub struct Outputs {
    /// Where it looks, and where rows are kept.
    pub store: SharedStore,
    /// Which account is filled.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub whom: watch::Receiver<Arc<Whom>>,
    /// Where it is noted when nothing comes of it.
    pub stalls: Stalls,
}

/// Who is told.
#[derive(Clone, Debug, Default)]
pub struct Whom {
    /// The `[outputs]` section.
    pub outputs: Config,
    /// The page that chats link; none without one.
    pub page: Option<String>,
}

/// The task of one receiver.
struct Running {
    config: OutputConfig,
    page: Option<String>,
    stop: CancellationToken,
}

impl Outputs {
    /// Tells until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        describe();
        let mut whom = self.whom.clone();
        let mut running: BTreeMap<String, Running> = BTreeMap::new();
        let mut tasks: JoinSet<Result<(), StoreError>> = JoinSet::new();
        loop {
            let wanted = Arc::clone(&whom.borrow_and_update());
            self.configure(&wanted, &mut running, &mut tasks, &stop);
            tokio::select! {
                () = stop.cancelled() => break,
                changed = whom.changed() => if changed.is_err() { break },
                Some(ended) = tasks.join_next() => ended_well(ended)?,
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended_well(ended)?;
        }
        Ok(())
    }

    /// Ends the tasks of receivers that are gone or are others now, and begins those that are new.
    fn configure(
        &self,
        wanted: &Whom,
        running: &mut BTreeMap<String, Running>,
        tasks: &mut JoinSet<Result<(), StoreError>>,
        stop: &CancellationToken,
    ) {
        running.retain(|name, known| {
            let same = wanted.outputs.get(name).is_some_and(|config| config.is_same(&known.config));
            let stays = same && wanted.page == known.page;
            if !stays {
                known.stop.cancel();
            }
            stays
        });
        for (name, config) in &wanted.outputs {
            if running.contains_key(name) {
                continue;
            }
            let sender = match Sender::new(config) {
                Ok(Some(sender)) => sender,
                // What is wrong with it was told when the configuration was read.
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(output = %name, %error, "a receiver can't be called at this address; what it is to be told waits");
                    continue;
                }
            };
            let stop = stop.child_token();
            tasks.spawn(self.tell_one(name.clone(), sender, wanted.page.clone(), stop.clone()));
            let (config, page) = (config.clone(), wanted.page.clone());
            running.insert(name.clone(), Running { config, page, stop });
        }
    }

    /// Tells one receiver until it is told to stop; what is on its way then may still be taken.
    fn tell_one(
        &self,
        name: String,
        sender: Sender,
        page: Option<String>,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let busy = Arc::new(Mutex::new(()));
        let teller = Teller {
            name,
            sender,
            store: Arc::clone(&self.store),
            settings: self.settings.clone(),
            page,
            clock: Arc::clone(&self.clock),
            made: self.store.outputs_made(),
            busy: Arc::clone(&busy),
            stop: stop.clone(),
            failing: false,
            away: true,
        };
        let (clock, stalls) = (Arc::clone(&self.clock), self.stalls.clone());
        async move {
            let at_last = CancellationToken::new();
            let telling = turn::run(teller, &stalls, &*clock, &at_last);
            let mut telling = std::pin::pin!(telling);
            tokio::select! {
                done = &mut telling => return done,
                () = stop.cancelled() => {}
            }
            tokio::select! {
                done = &mut telling => return done,
                _quiet = busy.lock() => {}
                () = clock.sleep_until(clock.monotonic() + LAST_WORDS) => {}
            }
            at_last.cancel();
            telling.await
        }
    }
}

fn ended_well(ended: Result<Result<(), StoreError>, tokio::task::JoinError>) -> Result<(), StoreError> {
    ended.unwrap_or_else(|error| Err(StoreError::Fatal(format!("a receiver's task ended: {error}"))))
}

fn describe() {
    describe_counter!(
        "freshsignal_outputs_total",
        "Messages of outputs, by receiver and how they were taken"
    );
}
