//! Erasing: carries out what was ordered about people, a part at a time, from wherever it stopped.
//!
//! An order is kept in the store until nothing is left of the person, so a process that is killed in between goes on
//! at its next start. Must not decide who goes or what stays: that is the decision's.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::decision::{self, Settings};
use crate::erasure::{Concern, Erasure, ErasureStage, ErasureSubject, Extent, Waits};
use crate::event::{Position, Stamp};
use crate::store::{
    Documents, ErrorClass, For, Keys, Plan, Privacy, Put, Record, SharedStore, StoreError, Stream, reach,
};
use crate::telemetry::{caught, caught_in};
use crate::turn::{self, Next, Stalls, erase_failed};

/// How often it is looked whether events of erased people came again.
const EVERY: Duration = Duration::from_secs(10);
/// After a passing failure of the store.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Events of the journal that are looked through at once.
const EVENTS_MAX: usize = 2_000;
/// Bytes of them.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Events that were put aside, looked through at once.
const FAILED_MAX: usize = 100;

/// The stage that erases people.
pub struct Eraser {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What deciding depends on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung when an order was given, or something has ended that one waits for.
    pub ordered: Arc<Notify>,
    /// Rung when Freshsales is to be told to forget somebody.
    pub owed: Arc<Notify>,
    /// Tells the last order that was carried out.
    pub done: watch::Sender<u64>,
    /// Where it is noted when nothing comes of it.
    pub stalls: Stalls,
}

impl turn::Stage for Eraser {
    const NAME: &'static str = "erase";

    async fn work(&mut self) -> Result<Next, StoreError> {
        self.work_off().await?;
        Ok(Next::After(EVERY))
    }

    async fn rung(&mut self) {
        self.ordered.notified().await;
    }
}

impl Eraser {
    /// Carries out orders until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let (clock, stalls) = (Arc::clone(&self.clock), self.stalls.clone());
        turn::run(self, &stalls, &*clock, &stop).await
    }

    /// Does what there is to do. An order that can't be carried out holds up no other; nothing is lost of it, and that it
    /// stands is told.
    async fn work_off(&self) -> Result<(), StoreError> {
        let mut standing = BTreeMap::new();
        while let Some(erasure) = self.next(&standing).await? {
            let id = erasure.id;
            if let Err(why) = self.step_or_stand(erasure).await? {
                standing.insert(id, why);
            }
        }
        let unreadable = self.store.erasures().await?.unreadable;
        // What erased people said before and that came again has no effect; it does not stay in the journal either.
        let mut blanked = false;
        while self.store.blank().await? > 0 {
            blanked = true;
        }
        if blanked {
            self.store.wipe().await?;
        }
        if let Some((id, why)) = standing.pop_first() {
            let more = standing.len();
            return Err(StoreError::Unreadable(
                "erasure",
                format!("number {id} and {more} more stand: {why}"),
            ));
        }
        if unreadable > 0 {
            return Err(StoreError::Unreadable("erasure", format!("{unreadable} orders")));
        }
        Ok(())
    }

    /// Brings an order one step further; answers why it stands, where it alone is the cause.
    async fn step_or_stand(&self, erasure: Erasure) -> Result<Result<(), String>, StoreError> {
        let id = erasure.id;
        let why = match caught_in(Box::pin(self.step(erasure))).await {
            Ok(Ok(())) => return Ok(Ok(())),
            Ok(Err(error)) if error.class() == ErrorClass::Document => error.to_string(),
            Ok(Err(error)) => return Err(error),
            Err(panicked) => panicked.to_string(),
        };
        tracing::error!(
            erasure = id,
            code = "erasure_stands",
            why,
            "an erasure does not go on: a defect, or a stored document that can't be read. All others go on, and it is tried \
             again. Report the place"
        );
        Ok(Err(why))
    }

    /// The oldest order that can go on, but for some.
    async fn next(&self, without: &BTreeMap<u64, String>) -> Result<Option<Erasure>, StoreError> {
        let orders = self.store.erasures().await?.orders;
        for erasure in orders.into_iter().filter(|order| !without.contains_key(&order.id)) {
            if erasure.stage != ErasureStage::Settling || self.is_settled(&erasure.waits).await? {
                return Ok(Some(erasure));
            }
        }
        Ok(None)
    }

    /// Whether all that holds something of the person for a while has ended.
    async fn is_settled(&self, waits: &Waits) -> Result<bool, StoreError> {
        if !waits.look_ups.is_empty() {
            let open = self.store.look_ups().await?;
            if open.iter().any(|order| waits.look_ups.contains(&order.id.erasure)) {
                return Ok(false);
            }
        }
        let keys = Keys { deliveries: waits.calls.clone(), ..Keys::default() };
        let calls = if keys.is_empty() { Documents::default() } else { self.store.load(keys).await? };
        Ok(calls.deliveries.values().all(|found| found.document.erasure.is_none()))
    }

    /// Brings an order one step further. Each step can be repeated.
    async fn step(&self, erasure: Erasure) -> Result<(), StoreError> {
        let id = erasure.id;
        let to =
            |stage| Erasure { id, stage, receipt: erasure.receipt.clone(), waits: erasure.waits.clone() };
        match erasure.stage {
            ErasureStage::Ordered { ref subject, forget_in_crm } => {
                self.begin(id, subject, forget_in_crm).await
            }
            ErasureStage::Rows { .. } => self.store.erase_rows(erasure).await.map(|_| ()),
            ErasureStage::Journal { ref extent, last, after } => {
                self.look_through_the_journal(to(ErasureStage::Blanking), extent.clone(), last, after).await
            }
            ErasureStage::Blanking => {
                while self.store.blank().await? > 0 {}
                self.note(to(ErasureStage::Wiping), Vec::new()).await
            }
            ErasureStage::Wiping => {
                let settled = self.is_settled(&erasure.waits).await?;
                if !self.store.wipe().await? {
                    tracing::info!("erasure waits for a read that is still running");
                    self.clock.sleep_until(self.clock.monotonic() + RETRY_AFTER).await;
                    return Ok(());
                }
                if !settled {
                    tracing::info!(erasure = id, "a person is erased here; waiting for Freshsales to answer");
                    self.note(to(ErasureStage::Settling), Vec::new()).await?;
                    // Whoever waits for the receipt need not wait as long as Freshsales may take.
                    self.done.send_replace(id);
                    return Ok(());
                }
                self.note(to(ErasureStage::Done), Vec::new()).await?;
                tracing::info!(erasure = id, "a person is erased");
                self.done.send_replace(id);
                Ok(())
            }
            ErasureStage::Settling => self.note(to(ErasureStage::Wiping), Vec::new()).await,
            ErasureStage::Done => Ok(()),
        }
    }

    /// Takes everything that decides about the person, in one transaction. From here on nothing brings them back.
    async fn begin(&self, id: u64, subject: &ErasureSubject, forget_in_crm: bool) -> Result<(), StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let _turn = self.store.turn().await;
        let (mut world, extent) = reach(&*self.store, subject, &settings, For::Deciding).await?;
        let now = self.clock.wall();
        let order = decision::ErasureOrder { erasure: id, forget_in_crm };
        let (receipt, mut waits) = decision::erase(&extent, order, &mut world, &settings, now);
        world.contribute(&settings);
        self.join_earlier(&extent, &mut waits).await?;
        let last = *self.store.journal_end().borrow();
        let stage = ErasureStage::Rows {
            extent,
            last,
            events_after: Position(0),
            deliveries_after: 0,
            messages_after: (String::new(), String::new()),
        };
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::Privacy(Privacy::Erasure(Box::new(Erasure { id, stage, receipt, waits }))));
        self.store.apply(plan).await?;
        self.owed.notify_one();
        Ok(())
    }

    /// An earlier erasure of the same person may still wait for an answer.
    async fn join_earlier(&self, extent: &Extent, waits: &mut Waits) -> Result<(), StoreError> {
        let look_ups = self.store.look_ups().await?;
        let theirs =
            look_ups.iter().filter(|order| order.address().is_some_and(|it| extent.emails.contains(it)));
        waits.look_ups.extend(theirs.map(|order| order.id.erasure));
        let open = self.store.erasures().await?.orders;
        let deliveries = open.into_iter().flat_map(|erasure| erasure.waits.calls).collect();
        let calls = self.store.load(Keys { deliveries, ..Keys::default() }).await?.deliveries;
        let theirs = calls
            .into_iter()
            .filter(|(_, found)| found.document.email().is_some_and(|email| extent.emails.contains(email)));
        waits.calls.extend(theirs.map(|(id, _)| id));
        Ok(())
    }

    /// Finds a part of the person's events in the journal. Live events take effect before their content goes, so this waits
    /// for those that have not. Old data may take hours to: it is looked through as it stands, and what is blanked takes
    /// effect as erased.
    async fn look_through_the_journal(
        &self,
        mut erasure: Erasure,
        extent: Extent,
        last: Position,
        after: Position,
    ) -> Result<(), StoreError> {
        self.until_live_events_took_effect(last).await?;
        if after == Position(0) {
            self.look_through_the_failed(&extent).await?;
        }
        let (records, reached) = self.read_both(after, last).await?;
        let mut puts = Vec::new();
        for record in records.into_iter().filter(|record| record.position <= last) {
            erasure.receipt.journal_events += u64::from(take(&extent, record, &mut puts));
        }
        if reached < last {
            erasure.stage = ErasureStage::Journal { extent, last, after: reached };
        }
        self.note(erasure, puts).await
    }

    /// Ends what was put aside and concerns the person: the journal may hold it no more.
    async fn look_through_the_failed(&self, extent: &Extent) -> Result<(), StoreError> {
        let mut after = Position(0);
        loop {
            let page = self.store.failed(after, FAILED_MAX).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.record.position;
            for failed in page {
                let mut plan = erase_failed(&failed);
                if take(extent, failed.record, &mut plan.puts) {
                    let _turn = self.store.turn().await;
                    match self.store.apply(plan).await {
                        // Somebody had it tried again meanwhile: it is no different from any other event now.
                        Ok(()) | Err(StoreError::Conflict) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// Waits until every live event up to a position has taken effect.
    async fn until_live_events_took_effect(&self, last: Position) -> Result<(), StoreError> {
        let mut moved = self.store.processed_end();
        loop {
            let live = moved.borrow_and_update().live;
            let next = self.store.read(Stream::Live, live, 1, 0).await?;
            if next.first().is_none_or(|record| record.position > last) {
                return Ok(());
            }
            moved.changed().await.map_err(|_| StoreError::Shut)?;
        }
    }

    /// A part of the events of both streams between two positions, and up to where it is all of them.
    async fn read_both(
        &self,
        after: Position,
        last: Position,
    ) -> Result<(Vec<Record>, Position), StoreError> {
        let (mut both, mut reached) = (Vec::new(), last);
        for stream in [Stream::Live, Stream::Old] {
            let records = self.store.read(stream, after, EVENTS_MAX, BYTES_MAX).await?;
            // One that is read to its end may go on behind `last` alone.
            reached = records.last().map_or(reached, |record| reached.min(record.position));
            both.extend(records);
        }
        both.retain(|record| record.position <= reached);
        Ok((both, reached))
    }

    async fn note(&self, erasure: Erasure, mut puts: Vec<Put>) -> Result<(), StoreError> {
        puts.push(Put::Privacy(Privacy::Erasure(Box::new(erasure))));
        self.store.apply(Plan { puts, ..Plan::default() }).await
    }
}

/// What one event of the journal leaves to do; answers whether it is to be blanked.
fn take(extent: &Extent, record: Record, puts: &mut Vec<Put>) -> bool {
    let Record { position, event } = record;
    let stamp = Stamp { at: event.at, message_id: event.message_id, trust: event.trust };
    // One that meets a defect may be theirs, so its content goes. What it did stays, as with any that is blanked.
    let concern = caught(|| extent.concern(&event.people, &stamp, &event.raw));
    match concern.unwrap_or(Concern::NamesThem) {
        Concern::Nothing => return false,
        Concern::NamesThem => {}
        Concern::Theirs => puts.push(Put::Privacy(Privacy::Unsee(event.source, stamp.message_id))),
    }
    puts.push(Put::Privacy(Privacy::Blank(position)));
    true
}
