//! Questions that a person asks of the account: each is a call like any other, and takes a slot.
//!
//! None leaves while calls are held up. Must not read answers: that is whoever's who asked.

use std::sync::Arc;

use super::worker::{self, HandFinished};
use super::{Deliverer, Round};
use crate::destination::Gate;
use crate::freshsales::ToldByHand;
use crate::store::StoreError;

const DRY: &str = "nothing is sent in a dry run (freshsales.mode), so Freshsales is not asked";
const HELD_UP: &str = "calls are held up: the status says why, and until when";
const NO_ROOM: &str = "the calls of this hour, or of this minute, are used up; ask again later";

impl Deliverer {
    /// Lets the calls leave that persons wait for.
    pub(super) async fn answer_by_hand(&self, round: &mut Round) -> Result<(), StoreError> {
        while let Some(asked) = self.by_hand.next() {
            if !self.crm.answers_questions() {
                asked.tell(ToldByHand::NotAsked(DRY.to_owned()));
                continue;
            }
            let now = self.clock.wall();
            if self.destination().await?.gate(now) != Gate::Open {
                asked.tell(ToldByHand::NotAsked(HELD_UP.to_owned()));
                continue;
            }
            let Ok(slot) = round.schedule.take_for_question(self.clock.monotonic()) else {
                asked.tell(ToldByHand::NotAsked(NO_ROOM.to_owned()));
                continue;
            };
            self.note_slot(slot, now, None, round).await?;
            round.calls.spawn(worker::ask_by_hand(Arc::clone(&self.crm), slot, asked));
        }
        Ok(())
    }

    pub(super) async fn finish_by_hand(
        &self,
        finished: HandFinished,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        round.schedule.answer(finished.slot, self.clock.monotonic());
        worker::count_call(&finished.result);
        let throttled = loop {
            match self.settle_by_hand(&finished).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&finished.result, throttled, round);
        let HandFinished { asked, result, .. } = finished;
        asked.tell(ToldByHand::Asked(Box::new(result)));
        Ok(())
    }

    /// Tells whether the answer begins a throttle of the account.
    async fn settle_by_hand(&self, finished: &HandFinished) -> Result<bool, StoreError> {
        let _turn = self.store.turn().await;
        let now = self.clock.wall();
        let (plan, throttled) = self.answered(&finished.result.verdict, false, finished.slot, now).await?;
        self.store.apply(plan).await?;
        Ok(throttled)
    }
}
