//! Telling one receiver: what is due, the calls, and what became of each, written in one plan.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use metrics::counter;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::sender::Sender;
use crate::clock::{Clock, UnixMicros};
use crate::decision::Settings;
use crate::output::{AfterFailure, Gate, Output};
use crate::store::{OutputKey, Plan, Put, PutOutput, SharedStore, StoreError, Versioned};
use crate::turn::{self, Next};
use crate::webhook::{Failed, Taken};

/// What a receiver answers that is not there any more, for good.
const GONE: u16 = 410;

/// The task of one receiver.
pub(super) struct Teller {
    pub name: String,
    pub sender: Sender,
    pub store: SharedStore,
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The page that chats link.
    pub page: Option<String>,
    pub clock: Arc<dyn Clock>,
    pub made: watch::Receiver<u64>,
    /// Held while something is on its way.
    pub busy: Arc<Mutex<()>>,
    /// Nothing more is begun.
    pub stop: CancellationToken,
    /// It took nothing the last time.
    pub failing: bool,
    /// The last time it was not what it was sent that kept it from taking it; so it may be away.
    pub away: bool,
}

/// What came of one message.
struct Ended {
    output: Output,
    result: Result<Taken, Failed>,
    at: UnixMicros,
    jitter: f64,
}

impl turn::Stage for Teller {
    const NAME: &'static str = "outputs";

    async fn work(&mut self) -> Result<Next, StoreError> {
        let busy = Arc::clone(&self.busy);
        let _busy = busy.lock().await;
        if self.stop.is_cancelled() {
            return Ok(Next::Rung);
        }
        self.made.mark_unchanged();
        let now = self.clock.wall();
        let gate = self.store.gate(self.name.clone()).await?.document;
        let places = gate.places(now);
        if places == 0 {
            let opens_at = gate.opens_at.filter(|_| gate.off.is_none());
            return Ok(opens_at.map_or(Next::Rung, |opens_at| Next::After(opens_at.since(now))));
        }
        let (mut due, later) = self.store.outputs_due(self.name.clone(), now, places).await?;
        if due.is_empty() && gate.is_failing() && self.away {
            // Whether the receiver is there again shows only where something is tried. The oldest is, before its time.
            (due, _) = self.store.outputs_due(self.name.clone(), UnixMicros(i64::MAX), places).await?;
        }
        if due.is_empty() {
            return Ok(later.map_or(Next::Rung, |later| Next::After(later.since(now))));
        }
        let ended = join_all(due.into_iter().map(|output| self.tell(output))).await;
        self.write(&ended).await?;
        Ok(Next::AtOnce)
    }

    async fn rung(&mut self) {
        // The store tells nobody any more once it is shut; the stage is stopped then.
        if self.made.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Teller {
    async fn tell(&self, output: Output) -> Ended {
        let account = self.settings.borrow().account.0.clone();
        let now = self.clock.wall();
        let result = self.sender.tell(&output.message, &account, self.page.as_deref(), now).await;
        Ended { output, result, at: self.clock.wall(), jitter: rand::random_range(0.0..1.0) }
    }

    /// Writes what became of messages. What can't be written yet is written again: a message that was taken is not sent twice
    /// because the disk was full for a moment.
    async fn write(&mut self, ended: &[Ended]) -> Result<(), StoreError> {
        loop {
            let Versioned { revision, document: gate } = self.store.gate(self.name.clone()).await?;
            let plan = self.plan(ended, revision, gate);
            match self.store.apply(plan).await {
                Ok(()) => break,
                Err(StoreError::Conflict) => {}
                Err(error @ (StoreError::Overloaded | StoreError::Full(_))) => {
                    tracing::warn!(output = self.name, %error, "what a receiver answered can't be written; retrying in 1 s");
                    self.clock.sleep_until(self.clock.monotonic() + Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error),
            }
        }
        let away = |failed: &Failed| !failed.is_of_the_message();
        self.away = ended.iter().all(|ended| ended.result.as_ref().is_err_and(away));
        self.say(ended);
        Ok(())
    }

    fn plan(&self, ended: &[Ended], revision: u64, mut gate: Gate) -> Plan {
        let mut puts = Vec::new();
        let took = ended.iter().any(|ended| ended.result.is_ok());
        let (mut failed, mut gone) = (Vec::new(), None);
        for Ended { output, result, at, jitter } in ended {
            let key = OutputKey { receiver: self.name.clone(), id: output.message.id.clone() };
            match result {
                Ok(_) => puts.push(PutOutput::Taken(key)),
                Err(Failed::Answered(GONE, ..)) if !took => gone = Some(*at),
                Err(why) => {
                    let (error, wait) = (why.to_string(), why.retry_after());
                    failed.push((error.clone(), wait));
                    if output.next_attempt_at > *at {
                        // It was tried for the receiver's sake, and that is none of its own tries.
                        continue;
                    }
                    puts.push(match output.after_failure(wait, *jitter, *at) {
                        AfterFailure::Again(next_attempt_at) => {
                            PutOutput::Failed { key, error, at: *at, next_attempt_at }
                        }
                        AfterFailure::GivenUp => PutOutput::GivenUp { key, error, at: *at },
                    });
                }
            }
        }
        let now = self.clock.wall();
        if let Some(failed_since) = gate.tried(took, failed, now) {
            puts.push(PutOutput::Due { receiver: self.name.clone(), failed_since, at: now });
        }
        if let Some(at) = gone {
            gate.turn_off("it answered 410: it is gone and wants to be told nothing more".to_owned(), at);
        }
        puts.push(PutOutput::Gate(self.name.clone(), revision, gate));
        Plan { puts: puts.into_iter().map(Put::Output).collect(), ..Plan::default() }
    }

    /// Says once when a receiver begins to take nothing, and when it takes something again.
    fn say(&mut self, ended: &[Ended]) {
        for one in ended {
            let result = if one.result.is_ok() { "taken" } else { "failed" };
            counter!("freshsignal_outputs_total", "output" => self.name.clone(), "result" => result)
                .increment(1);
        }
        let why = ended.iter().find_map(|one| one.result.as_ref().err());
        let took = ended.iter().any(|one| one.result.is_ok());
        match (took, why, self.failing) {
            (true, _, true) => {
                self.failing = false;
                tracing::info!(output = self.name, "a receiver takes what it is told again");
            }
            (false, Some(Failed::Answered(GONE, ..)), _) => {
                tracing::error!(
                    output = self.name,
                    "a receiver answered 410, so it is told nothing more; what it was to be told is kept. Correct outputs.*.url, \
                     or have it called again with POST /api/outputs/NAME/resume"
                );
            }
            (false, Some(why), false) => {
                self.failing = true;
                let why = why.to_string();
                tracing::warn!(
                    output = self.name,
                    why,
                    "a receiver does not take what it is told; it is told again later"
                );
            }
            (true, _, false) | (false, _, _) => {}
        }
    }
}
