//! Forgetting: has Freshsales forget contacts of people who were erased, and asks for their ids where they are not known.
//! Each is a call like any other: it takes a slot.
//!
//! Goes before the lanes, one at a time: what is upserted afterwards is a contact of its own. Must not decide what
//! follows an answer: that is the order's.

use std::sync::Arc;
use std::time::Duration;

use super::worker::{self, Forgotten};
use super::{Deliverer, Round};
use crate::clock::UnixMicros;
use crate::delivery::Verdict;
use crate::erasure::{AfterAnswer, ForgetOrder};
use crate::store::{Privacy, Put, StoreError};

/// Freshsales does not have the record.
const NOT_FOUND: u16 = 404;
const THROTTLED: &str = "the account's allowance is used up";

impl Deliverer {
    /// Lets the call for the next contact to forget leave, if there is one; answers when there may be another. A `probe`
    /// is the only call on its way.
    pub(super) async fn forget(
        &self,
        probe: bool,
        round: &mut Round,
    ) -> Result<Option<Duration>, StoreError> {
        if round.forgetting {
            return Ok(None);
        }
        let now = self.clock.wall();
        let (due, later) = self.store.forgets(self.account(), now).await?;
        let Some(order) = due else { return Ok(later.map(|at| self.monotonic_at(at))) };
        let slot = match round.schedule.take_for_question(self.clock.monotonic()) {
            Ok(slot) => slot,
            Err(free_at) => return Ok(free_at),
        };
        self.note_slot(slot, now, None, round).await?;
        round.forgetting = true;
        round.calls.spawn(worker::forget(Arc::clone(&self.crm), slot, order, probe));
        Ok(None)
    }

    pub(super) async fn finish_forget(
        &self,
        forgotten: &Forgotten,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        round.forgetting = false;
        round.schedule.answer(forgotten.slot, self.clock.monotonic());
        worker::count_call(&forgotten.result);
        let throttled = loop {
            match self.settle_forget(forgotten).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&forgotten.result, throttled, round);
        Ok(())
    }

    /// Tells whether the answer begins a throttle of the account.
    async fn settle_forget(&self, forgotten: &Forgotten) -> Result<bool, StoreError> {
        let _turn = self.store.turn().await;
        let now = self.clock.wall();
        let id = forgotten.order.id;
        let note = match after(forgotten, now) {
            AfterAnswer::Open(order) => {
                log_open(&order);
                Privacy::Forget(Box::new(order))
            }
            AfterAnswer::Ended(end) => {
                tracing::info!(
                    erasure = id.erasure,
                    "request to forget a contact in Freshsales finished: {}",
                    end.as_str()
                );
                Privacy::ForgetEnded(id, end)
            }
        };
        let verdict = without_words(&forgotten.result.verdict);
        let (mut plan, throttled) = self.answered(&verdict, forgotten.probe, forgotten.slot, now).await?;
        plan.puts.push(Put::Privacy(note));
        self.store.apply(plan).await?;
        self.settled.notify_one();
        Ok(throttled)
    }
}

fn log_open(order: &ForgetOrder) {
    let ForgetOrder { id, failures, misses, .. } = order;
    if *failures > 0 {
        tracing::warn!(
            erasure = id.erasure,
            failures,
            "Freshsales did not carry out a request to forget a contact; it will be sent again"
        );
    } else {
        tracing::info!(
            erasure = id.erasure,
            misses,
            "a request to forget a contact in Freshsales is not finished; it will be continued"
        );
    }
}

/// The words of an answer may repeat what was asked, and nothing of the person is to be kept.
fn without_words(verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Throttled { retry_after, .. } => {
            Verdict::Throttled { retry_after: *retry_after, reason: THROTTLED.to_owned() }
        }
        Verdict::Stored(_)
        | Verdict::Refused { .. }
        | Verdict::Passing { .. }
        | Verdict::Blocked { .. }
        | Verdict::Gone { .. }
        | Verdict::Shut { .. } => verdict.clone(),
    }
}

/// What follows the answer.
fn after(forgotten: &Forgotten, now: UnixMicros) -> AfterAnswer {
    let order = forgotten.order.clone();
    if let Some(found) = forgotten.found {
        return order.looked_up(found, now);
    }
    let status = forgotten.result.response.as_ref().map(|response| response.status);
    if status == Some(NOT_FOUND) {
        return order.missing(now);
    }
    order.told(matches!(forgotten.result.verdict, Verdict::Stored(_)), now)
}
