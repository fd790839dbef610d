//! Exports: reads the deals of the account, one call at a time, in the lane of old data. Each call takes a slot, and leaves only
//! where nothing that is owed has the place.
//!
//! Must not decide what is asked: that is the export's.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::worker::{self, Exported};
use super::{Deliverer, Next, Round};
use crate::delivery::{Lane, Request};
use crate::export::{self, Brought, Export};
use crate::store::{ExportRows, Plan, Put, PutExport, StoreError};
use crate::telemetry::caught;

/// What an export needs next.
enum Needs {
    /// A call; of one deal its id.
    Call(Request, Option<u64>),
    /// Nothing more.
    Nothing,
}

impl Deliverer {
    /// Lets the next call of an export leave, if there is one; answers when there may be another.
    pub(super) async fn export(&self, round: &mut Round) -> Result<Option<Duration>, StoreError> {
        if round.exporting || !self.crm.answers_questions() {
            return Ok(None);
        }
        let (now, account) = (self.clock.wall(), self.account());
        let mut waits = None;
        for mut export in self.store.exports().await? {
            if !export.is_running() || export.account != account {
                continue;
            }
            if export.not_before > now {
                let at = self.monotonic_at(export.not_before);
                waits = Some(waits.map_or(at, |known: Duration| known.min(at)));
                continue;
            }
            let Needs::Call(request, deal) = self.needs(&mut export).await? else {
                self.note(export).await?;
                continue;
            };
            if !export.may_ask(now) {
                self.note(export).await?;
                continue;
            }
            let Some(slot) = round.schedule.take(Lane::Backfill, self.clock.monotonic()) else {
                let shut = round.schedule.shut_lanes(self.clock.monotonic());
                let free_at = shut.into_iter().find(|(lane, _)| *lane == Lane::Backfill).map(|(_, at)| at);
                return Ok(free_at.into_iter().chain(waits).min());
            };
            export.asks();
            let asks = Put::Export(PutExport::Export(Box::new(export.clone())));
            self.note_slot(slot, now, Some(asks), round).await?;
            round.exporting = true;
            round.calls.spawn(worker::export(Arc::clone(&self.crm), slot, export.id, deal, request));
            return Ok(None);
        }
        Ok(waits)
    }

    async fn needs(&self, export: &mut Export) -> Result<Needs, StoreError> {
        let selectors = Arc::clone(&self.settings.borrow().selectors);
        match export.next(&selectors, self.clock.wall()) {
            export::Next::Ask(request) => Ok(Needs::Call(request, None)),
            export::Next::Ended => Ok(Needs::Nothing),
            export::Next::Detail(after) => {
                let query = ExportRows { export: export.id, after, thin: true, limit: 1 };
                let Some(row) = self.store.export_rows(query).await?.pop() else {
                    export.all_whole(self.clock.wall());
                    return Ok(Needs::Nothing);
                };
                Ok(Needs::Call(Request::ShowWholeDeal { id: row.id }, Some(row.id)))
            }
        }
    }

    async fn note(&self, export: Export) -> Result<(), StoreError> {
        tracing::info!(
            export = export.id,
            calls = export.calls,
            "an export of deals has ended: {}",
            export.state.as_str()
        );
        let puts = vec![Put::Export(PutExport::Export(Box::new(export)))];
        self.store.apply(Plan { puts, ..Plan::default() }).await
    }

    pub(super) async fn finish_export(
        &self,
        exported: &Exported,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        round.exporting = false;
        round.schedule.answer(exported.slot, self.clock.monotonic());
        worker::count_call(&exported.result);
        let throttled = loop {
            match self.settle_export(exported).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&exported.result, throttled, round);
        // There may be another call.
        self.owed.notify_one();
        Ok(())
    }

    /// Tells whether the answer begins a throttle of the account. One that was discarded meanwhile takes nothing in.
    async fn settle_export(&self, exported: &Exported) -> Result<bool, StoreError> {
        let _turn = self.store.turn().await;
        let now = self.clock.wall();
        let (mut plan, throttled) =
            self.answered(&exported.result.verdict, false, exported.slot, now).await?;
        let found = self.store.exports().await?.into_iter().find(|export| export.id == exported.export);
        let mut ended = None;
        if let Some(mut export) = found {
            let listed = !export.asks_for_details();
            // An answer that meets a defect ends the export: asked again it would meet it again.
            let brought = caught(|| export.answered(exported.deal, &exported.result.verdict, now));
            let Brought { rows } = brought.unwrap_or_else(|panicked| {
                export.fail(panicked.to_string(), now);
                Brought::default()
            });
            let id = export.id;
            plan.puts.extend(rows.into_iter().map(|(deal, row)| {
                Put::Export(PutExport::Deal { export: id, deal, row: row.map(Box::new) })
            }));
            let begins = listed && export.asks_for_details();
            plan.puts.push(Put::Export(PutExport::Export(Box::new(export.clone()))));
            ended = begins.then_some(export);
        }
        self.store.apply(plan).await?;
        if let Some(mut export) = ended {
            // The list is read: now it is known how many deals are left to be asked for.
            export.details_left(self.store.export_counts(export.id).await?.1);
            let puts = vec![Put::Export(PutExport::Export(Box::new(export)))];
            self.store.apply(Plan { puts, ..Plan::default() }).await?;
        }
        Ok(throttled)
    }

    /// Makes the calls of exports and no others, until it is told to stop: for a command that runs while no service does.
    ///
    /// # Errors
    /// The store failed for good.
    pub async fn export_alone(self, stop: CancellationToken, drain: Duration) -> Result<(), StoreError> {
        let mut round = self.first_round().await?;
        while !stop.is_cancelled() {
            let next = match self.export(&mut round).await {
                Ok(wait) => wait.map_or(Next::News, Next::At),
                Err(error) => self.pause_after(error)?,
            };
            let wake = match next {
                Next::At(moment) => self.clock.sleep_until(moment),
                Next::News => Box::pin(std::future::pending()),
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.owed.notified() => {}
                () = wake => {}
                Some(done) = round.calls.join_next() => self.finish(done, &mut round).await?,
            }
        }
        self.drain(round, drain).await
    }
}
