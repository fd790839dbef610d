//! The walk over all dead letters, and the bound of their number.

use super::{Page, Reviewer};
use crate::decision::{RedriveAll, Settings, World, discard};
use crate::delivery::Subject;
use crate::store::{DeadLetter, Plan, Put, StoreError, Versioned};
use crate::turn::Pace;

/// The share of the bound from which on there is an alarm, and the one from which on it is over.
const ALARM_PERCENT: u64 = 80;
const ALARM_OVER_PERCENT: u64 = 75;

/// Dead letters that are discarded in one turn.
const DISCARDED_MAX: usize = 200;

/// The bound of the number of dead letters, and whether the alarm was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    max: u64,
    alarmed: bool,
}

impl Bound {
    pub fn of(max: u64) -> Self {
        Self { max, alarmed: false }
    }

    /// Takes note of the number; answers how many are too many.
    fn observe(&mut self, dead_letters: u64) -> u64 {
        let over = |percent: u64| dead_letters.saturating_mul(100) >= self.max.saturating_mul(percent);
        if !self.alarmed && over(ALARM_PERCENT) {
            self.alarmed = true;
            tracing::error!(
                dead_letters,
                dead_letters_max = self.max,
                "dead letters are near their limit, beyond which the oldest are discarded: send them again or discard them"
            );
        } else if self.alarmed && !over(ALARM_OVER_PERCENT) {
            self.alarmed = false;
            tracing::info!(dead_letters, "dead letters are well below their limit again");
        }
        dead_letters.saturating_sub(self.max)
    }
}

impl Reviewer {
    /// Sends the next dead letters again, if a person ordered it.
    pub(super) async fn redrive_page(
        &self,
        order: Option<Versioned<RedriveAll>>,
        pace: &mut Pace,
        settings: &Settings,
    ) -> Result<bool, StoreError> {
        let ours = |order: &Versioned<RedriveAll>| {
            order.document.goes_on() && order.document.account == settings.account
        };
        let Some(Versioned { revision, document: order }) = order.filter(ours) else { return Ok(false) };
        let size = self.page_size(pace);
        let worked = self.store.worked();
        let dead = self.store.dead_letters(settings.account.clone(), order.after, size).await?;
        let mut dead: Vec<_> = dead.into_iter().map(|dead| (dead.place, dead.subject)).collect();
        let began = self.clock.monotonic();
        let now = self.clock.wall();
        let decide =
            |dead: &[(u64, Subject)], world: &mut World| order.clone().page(dead, world, settings, now);
        let (order, world) = match self.decided(&mut dead, |(_, subject)| subject, settings, decide).await? {
            Page::Decided(order, world) => (order, *world),
            Page::PassOver((passed, _)) => (order.pass_over(passed), World::default()),
        };
        let decided_in = self.clock.monotonic().saturating_sub(began);
        if !order.goes_on() {
            tracing::info!(
                dead_letters = order.done,
                "redrive finished: all requested dead letters are queued again"
            );
        }
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::Redrive(revision, order));
        self.store.apply(plan).await?;
        if !dead.is_empty() {
            pace.took(dead.len(), decided_in + self.store.worked().saturating_sub(worked));
        }
        Ok(true)
    }

    /// Discards the oldest dead letters where there are more than may be kept; tells whether there are more.
    pub(super) async fn enforce(&self, bound: &mut Bound, settings: &Settings) -> Result<bool, StoreError> {
        let dead_letters = self.store.totals(settings.account.clone()).await?.dead_letters;
        let excess = bound.observe(dead_letters);
        if excess == 0 {
            return Ok(false);
        }
        let page = usize::try_from(excess).unwrap_or(DISCARDED_MAX).min(DISCARDED_MAX);
        let oldest = self.store.dead_letters(settings.account.clone(), 0, page).await?;
        let now = self.clock.wall();
        let decide = |some: &[DeadLetter], world: &mut World| {
            let gone = some.iter().filter(|dead| discard(&dead.subject, TOO_MANY, world, settings, now));
            gone.count()
        };
        let (mut discarded, mut rest) = (0, oldest);
        while !rest.is_empty() {
            let mut some = rest.clone();
            match self.decided(&mut some, |dead| &dead.subject, settings, decide).await? {
                Page::Decided(gone, world) => {
                    self.store.apply(Plan::of(*world, &settings.account)).await?;
                    discarded += gone;
                    rest.drain(..some.len());
                }
                Page::PassOver(_) => drop(rest.remove(0)),
            }
        }
        tracing::error!(
            discarded,
            dead_letters_max = bound.max,
            "the oldest dead letters were discarded: there were more than retention.dead_letters_max"
        );
        // What can't be discarded must not be tried for ever.
        Ok(discarded > 0)
    }
}

/// Why a dead letter was discarded that nobody discarded.
const TOO_MANY: &str = "discarded: there were more dead letters than retention.dead_letters_max";
