//! Privacy: carries out what was ordered about people, a part at a time, from wherever it stopped.
//!
//! An order is kept in the store until nothing is left of the person, so a process that is killed in between goes on
//! at its next start. Must not decide who goes or what stays: that is the decision's.

mod silence;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub use silence::{Patience, Retirement};

use crate::clock::Clock;
use crate::decision::{self, Settings};
use crate::erasure::{Concern, Erasure, Extent, Stage, Subject};
use crate::event::{Position, Stamp};
use crate::store::{Plan, Privacy, Put, Record, SharedStore, StoreError, reach};

/// How often it is looked whether events of erased people came again.
const EVERY: Duration = Duration::from_secs(10);
/// After a passing failure of the store.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Events of the journal that are looked through at once.
const EVENTS_MAX: usize = 2_000;
/// Bytes of them.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The stage that erases people.
pub struct Eraser {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What deciding depends on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung when an order was given.
    pub ordered: Arc<Notify>,
    /// Rung when Freshsales is to be told to forget somebody.
    pub owed: Arc<Notify>,
    /// Tells the last order that was carried out.
    pub done: watch::Sender<u64>,
}

impl Eraser {
    /// Carries out orders until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            let wait = match self.work(&stop).await {
                Ok(()) => EVERY,
                Err(fatal @ (StoreError::Fatal(_) | StoreError::Shut | StoreError::Unreadable(..))) => {
                    return Err(fatal);
                }
                Err(StoreError::Conflict) => Duration::ZERO,
                Err(passing @ (StoreError::Overloaded | StoreError::Full(_) | StoreError::TooSlow)) => {
                    tracing::warn!(error = %passing, "erasure waits");
                    RETRY_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.ordered.notified() => {}
                () = self.clock.sleep_until(self.clock.monotonic() + wait) => {}
            }
        }
    }

    /// Does what there is to do.
    async fn work(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        while let Some(erasure) = self.store.erasures().await?.0.into_iter().next() {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                done = self.step(erasure) => done?,
            }
        }
        // What erased people said before and that came again has no effect; it does not stay in the journal either.
        let mut blanked = false;
        while !stop.is_cancelled() && self.store.blank().await? > 0 {
            blanked = true;
        }
        if blanked {
            self.store.wipe().await?;
        }
        Ok(())
    }

    /// Brings an order one step further. Each step can be repeated.
    async fn step(&self, erasure: Erasure) -> Result<(), StoreError> {
        let (id, receipt) = (erasure.id, erasure.receipt.clone());
        match erasure.stage {
            Stage::Ordered { subject, forget_in_crm } => self.begin(id, &subject, forget_in_crm).await,
            Stage::Rows { .. } => self.store.erase_rows(erasure).await.map(|_| ()),
            Stage::Journal { extent, last, after } => {
                self.look_through_the_journal(
                    Erasure { id, stage: Stage::Blanking, receipt },
                    extent,
                    last,
                    after,
                )
                .await
            }
            Stage::Blanking => {
                while self.store.blank().await? > 0 {}
                self.note(Erasure { id, stage: Stage::Wiping, receipt }, Vec::new()).await
            }
            Stage::Wiping => {
                if !self.store.wipe().await? {
                    tracing::info!("erasure waits for a look-up that still reads");
                    self.clock.sleep_until(self.clock.monotonic() + RETRY_AFTER).await;
                    return Ok(());
                }
                self.note(Erasure { id, stage: Stage::Done, receipt }, Vec::new()).await?;
                tracing::info!(erasure = id, "a person is erased");
                self.done.send_replace(id);
                Ok(())
            }
            Stage::Done => Ok(()),
        }
    }

    /// Takes everything that decides about the person, in one transaction. From here on nothing brings them back.
    async fn begin(&self, id: u64, subject: &Subject, forget_in_crm: bool) -> Result<(), StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let _turn = self.store.turn().await;
        let (mut world, extent) = reach(&*self.store, subject, &settings.account).await?;
        let now = self.clock.wall();
        let receipt = decision::erase(&extent, forget_in_crm, &mut world, &settings, now);
        let stage = Stage::Rows {
            extent,
            last: *self.store.journal_end().borrow(),
            events_after: Position(0),
            deliveries_after: 0,
            messages_after: (String::new(), String::new()),
        };
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::Privacy(Privacy::Erasure(Box::new(Erasure { id, stage, receipt }))));
        self.store.apply(plan).await?;
        self.owed.notify_one();
        Ok(())
    }

    /// Finds a part of the person's events in the journal. Events take effect before their content goes, so this waits
    /// for those that have not.
    async fn look_through_the_journal(
        &self,
        mut erasure: Erasure,
        extent: Extent,
        last: Position,
        after: Position,
    ) -> Result<(), StoreError> {
        let mut processed = self.store.processed_end();
        processed.wait_for(|processed| *processed >= last).await.map_err(|_| StoreError::Shut)?;
        let records = self.store.read(after, EVENTS_MAX, BYTES_MAX).await?;
        let reached = records.last().map_or(last, |record| record.position);
        let mut puts = Vec::new();
        for record in records.into_iter().filter(|record| record.position <= last) {
            erasure.receipt.journal_events += u64::from(take(&extent, record, &mut puts));
        }
        if reached < last {
            erasure.stage = Stage::Journal { extent, last, after: reached };
        }
        self.note(erasure, puts).await
    }

    async fn note(&self, erasure: Erasure, mut puts: Vec<Put>) -> Result<(), StoreError> {
        puts.push(Put::Privacy(Privacy::Erasure(Box::new(erasure))));
        self.store.apply(Plan { puts, ..Plan::default() }).await
    }
}

/// What one event of the journal leaves to do; answers whether it is to be blanked.
fn take(extent: &Extent, record: Record, puts: &mut Vec<Put>) -> bool {
    let Record { position, event } = record;
    let stamp = Stamp { at: event.at, message_id: event.message_id };
    match extent.concern(&event.people, &stamp, &event.raw) {
        Concern::Nothing => return false,
        Concern::NamesThem => {}
        Concern::Theirs => puts.push(Put::Privacy(Privacy::Unsee(event.source, stamp.message_id))),
    }
    puts.push(Put::Privacy(Privacy::Blank(position)));
    true
}
