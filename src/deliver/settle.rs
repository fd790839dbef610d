//! Settling: what the answer to a call changes is written together with the end of its slot.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::aside::{Stopped, set_aside};
use super::worker::{self, Answered, Done, Finished};
use super::{Deliverer, Round, log};
use crate::decision;
use crate::delivery::Verdict;
use crate::freshsales::CallResult;
use crate::store::{ErrorClass, Plan, Put, StoreError};
use crate::telemetry::caught;

impl Deliverer {
    /// Settles a call that has ended.
    pub(super) async fn finish(
        &self,
        done: Result<Done, tokio::task::JoinError>,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        match done {
            Ok(Done::Call(finished)) => self.finish_call(&finished, round).await,
            Ok(Done::Question(answered)) => self.finish_question(&answered, round).await,
            Ok(Done::Forget(forgotten)) => self.finish_forget(&forgotten, round).await,
            Ok(Done::List(listed)) => self.finish_list(&listed, round).await,
            Ok(Done::Export(exported)) => self.finish_export(&exported, round).await,
            Ok(Done::Bulk(finished)) => self.finish_bulk(&finished, round).await,
            Ok(Done::ByHand(finished)) => self.finish_by_hand(*finished, round).await,
            Ok(Done::Listed(finished)) => self.finish_listed(&finished, round).await,
            Ok(Done::Job(answered)) => self.finish_job(&answered, round).await,
            Err(error) => Err(StoreError::Fatal(format!("a call ended without an answer: {error}"))),
        }
    }

    async fn finish_call(&self, finished: &Finished, round: &mut Round) -> Result<(), StoreError> {
        round.schedule.answer(finished.job.slot, self.clock.monotonic());
        worker::count(finished, self.clock.wall());
        let throttled = loop {
            match self.settle(finished, round).await {
                Ok(throttled) => break throttled,
                Err(Stopped::Store(error)) if error.class() != ErrorClass::Document => {
                    self.wait_after(error).await?;
                }
                Err(stopped) => match self.leave_unsettled(finished, &stopped).await {
                    Ok(()) => break false,
                    Err(error) => self.wait_after(error).await?,
                },
            }
        };
        self.learn(finished.result(), throttled, round);
        self.doubt_list(&finished.result().verdict, round);
        let subject = &finished.job.order.subject;
        if finished.answered() && round.answered[0].as_ref().is_none_or(|(last, _)| last != subject) {
            round.answered[1] = round.answered[0].take();
        }
        if finished.failed() {
            round.pace.failed();
        }
        if finished.answered() {
            round.pace.answered();
            round.answered[0] = Some((subject.clone(), self.clock.wall()));
        }
        Ok(())
    }

    async fn finish_question(&self, answered: &Answered, round: &mut Round) -> Result<(), StoreError> {
        round.schedule.answer(answered.slot, self.clock.monotonic());
        worker::count_call(&answered.result);
        let throttled = loop {
            match self.settle_question(answered).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&answered.result, throttled, round);
        Ok(())
    }

    /// Learns from an answer how much of the allowance there is. A burst of throttled calls counts as one.
    pub(super) fn learn(&self, result: &CallResult, throttled: bool, round: &mut Round) {
        let now = self.clock.monotonic();
        if let Verdict::Throttled { retry_after, .. } = result.verdict
            && throttled
        {
            round.schedule.throttled(retry_after, now);
        }
        round.schedule.told(result.rate, now);
    }

    async fn settle_question(&self, answered: &Answered) -> Result<bool, StoreError> {
        let _turn = self.store.turn().await;
        let now = self.clock.wall();
        let mut world = self.load(BTreeSet::new(), BTreeSet::new()).await?;
        let held = &mut world.destination;
        let verdict = &answered.result.verdict;
        let before = held.document.clone();
        held.document = before.after_question(verdict, self.settings.borrow().retry.max, now);
        held.changed = true;
        let after = held.document.clone();
        let mut plan = Plan::of(world, &self.account());
        plan.puts.push(Put::SlotAnswered(self.account(), answered.slot, now));
        self.store.apply(plan).await?;
        log::change(&before, &after);
        Ok(after.is_throttled_anew(&before))
    }

    /// The call has ended, and nothing can be written down of what it ended with: it is void when the service starts anew.
    async fn leave_unsettled(&self, finished: &Finished, why: &Stopped) -> Result<(), StoreError> {
        let answered = Put::SlotAnswered(self.account(), finished.job.slot, self.clock.wall());
        let puts = vec![answered, set_aside(finished.job.order.delivery.clone(), &why.to_string())];
        self.store.apply(Plan { puts, ..Plan::default() }).await
    }

    /// Tells whether the answer begins a throttle.
    async fn settle(&self, finished: &Finished, round: &Round) -> Result<bool, Stopped> {
        let settings = Arc::clone(&self.settings.borrow());
        let order = &finished.job.order;
        let _turn = self.store.turn().await;
        let mut world = self
            .load(BTreeSet::from([order.subject.clone()]), BTreeSet::from([order.delivery.clone()]))
            .await?;
        let failed_at = world.deliveries.get(&order.delivery).and_then(|delivery| delivery.last_failure_at);
        let others_answered = round.answered.iter().flatten().any(|(subject, at)| {
            *subject != order.subject && failed_at.is_some_and(|failed_at| *at > failed_at)
        });
        let before = world.destination.document.clone();
        let now = self.clock.wall();
        let settlement = finished.settlement(others_answered);
        caught(|| decision::settle(settlement, &mut world, &settings, now))?;
        log::refusal(world.deliveries.get(&order.delivery));
        let traced = self.traces.of_calls(world.deliveries.ended_calls(), now);
        let after = world.destination.document.clone();
        let erased = !world.erased_calls.is_empty();
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::SlotAnswered(self.account(), finished.job.slot, now));
        self.store.apply(plan).await?;
        self.traces.tell(traced);
        if erased {
            self.settled.notify_one();
        }
        log::change(&before, &after);
        Ok(after.is_throttled_anew(&before))
    }
}
