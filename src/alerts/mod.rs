//! Alerts: tells a person when something is wrong, and when it is over; and asks a heartbeat while all is well, so that
//! somebody notices a service that tells nothing because it is dead.
//!
//! A stage of its own: it reads what everybody may read, needs nothing of the outbox and no call of the allowance, and holds
//! up nobody. What became of each cause is a row of the store. Must not judge what is wrong (that is `health`), nor send
//! anything personal.

mod config;
mod findings;
mod message;
mod receiver;
mod rounds;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Format};
pub use message::Message;
pub use receiver::{Heartbeat, Receiver};

use crate::cause::Board;
use crate::clock::Clock;
use crate::decision::Settings;
use crate::health::Vitals;
use crate::store::{SharedStore, StoreError};
use crate::telemetry::{Panicked, caught_in};
use rounds::Rounds;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// What is being told when the service stops gets so long to be taken, so that it is not told again after the start.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the stage needs.
pub struct Teller {
    /// Where it looks, and where rows are kept.
    pub store: SharedStore,
    /// Which account is filled.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What is known beside the store.
    pub vitals: Vitals,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub config: watch::Receiver<Config>,
    /// Where it is shown.
    pub board: watch::Sender<Board>,
}

impl Teller {
    /// Looks every 15 s, and tells, until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut config = self.config.clone();
        let mut rounds = Rounds::new(&self);
        rounds::describe();
        loop {
            let on = rounds.configure(&config.borrow_and_update());
            if on {
                let last_words = async {
                    stop.cancelled().await;
                    self.clock.sleep_until(self.clock.monotonic() + LAST_WORDS).await;
                };
                tokio::select! {
                    done = caught_in(rounds.round()) => match done {
                        Ok(done) => done?,
                        Err(panicked) => say_defect(&panicked),
                    },
                    () = last_words => return Ok(()),
                }
            }
            let next = async {
                if on {
                    self.clock.sleep_until(self.clock.monotonic() + LOOK_EVERY).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = next => {}
                changed = config.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }
}

/// Nothing was asked of the heartbeat in a round that ended so: whoever waits for it hears of it.
fn say_defect(panicked: &Panicked) {
    tracing::error!(
        code = "alerts_defect",
        place = panicked.place,
        "a look for alerts met a defect in the code and comes again in 15 s; the heartbeat was not asked. Report the place"
    );
}
