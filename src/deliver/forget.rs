//! Forgetting: tells Freshsales to forget contacts of people who were erased. A call like any other: it takes a slot.
//!
//! Goes before the lanes, one at a time: what is upserted afterwards is a contact of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::worker::{self, Forgotten};
use super::{Deliverer, Round};
use crate::delivery::Verdict;
use crate::store::{Plan, Privacy, Put, StoreError};

/// The first wait after a failure, doubling up to the longest.
const AGAIN_FIRST: Duration = Duration::from_mins(1);
const AGAIN_MAX: Duration = Duration::from_hours(24);
/// Freshsales does not have the contact.
const NOT_FOUND: u16 = 404;

impl Deliverer {
    /// Lets the call for the next contact to forget leave, if there is one; answers when there may be another.
    pub(super) async fn forget(&self, round: &mut Round) -> Result<Option<Duration>, StoreError> {
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
        let taken = Put::SlotTaken(self.account(), slot, now);
        if let Err(error) = self.store.apply(Plan { puts: vec![taken], ..Plan::default() }).await {
            round.schedule.give_back(slot);
            return Err(error);
        }
        round.forgetting = true;
        round.calls.spawn(worker::forget(Arc::clone(&self.crm), slot, order));
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
        while let Err(error) = self.settle_forget(forgotten).await {
            self.wait_after(error).await?;
        }
        Ok(())
    }

    async fn settle_forget(&self, forgotten: &Forgotten) -> Result<(), StoreError> {
        let _turn = self.store.turn().await;
        let (now, account, order) = (self.clock.wall(), self.account(), forgotten.order);
        let status = forgotten.result.response.as_ref().map(|response| response.status);
        let done = matches!(forgotten.result.verdict, Verdict::Stored(_)) || status == Some(NOT_FOUND);
        let note = if done {
            tracing::info!("Freshsales forgot a contact");
            Privacy::Forgotten(account.clone(), order.contact_id)
        } else {
            let doublings = 2_u32.saturating_pow(order.attempts.min(16));
            let at = now.plus(AGAIN_FIRST.saturating_mul(doublings).min(AGAIN_MAX));
            tracing::warn!(
                attempts = order.attempts + 1,
                "Freshsales did not forget a contact; it is told again"
            );
            Privacy::ForgetAgain(account.clone(), order.contact_id, at)
        };
        let mut world = self.load(BTreeSet::new(), BTreeSet::new()).await?;
        let held = &mut world.destination;
        let after = held.document.after_order(&forgotten.result.verdict, now);
        held.changed = after != held.document;
        held.document = after;
        let mut plan = Plan::of(world, &account);
        plan.puts.extend([Put::SlotAnswered(account, forgotten.slot, now), Put::Privacy(note)]);
        self.store.apply(plan).await
    }
}
