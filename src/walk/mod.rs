//! Review: what is stored is looked at again, a page at a time, without an event.
//!
//! Every contact, when the settings it was judged by have changed; every dead letter, when a person orders to send them
//! again; the oldest dead letters, when there are too many. A thin loop around the decision, as `process` is: how far a
//! walk came is written in the transaction of its effect, so a restart goes on where it was. Must not decide, and must not
//! make calls.

mod contacts;
mod dead_letters;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::decision::{Settings, World};
use crate::event::Email;
use crate::store::{Keys, SharedStore, StoreError, keys_of_contacts};
use crate::turn::Pace;
use dead_letters::Bound;

/// Work of one turn.
const PAGE_WORK: Duration = Duration::from_millis(20);
/// Contacts of one turn, whatever they cost.
const PAGE_MIN: usize = 10;
/// Contacts of one turn, however little they cost.
const PAGE_MAX: usize = 1_000;
/// While events wait to be processed, they go first: a turn does a part of its work, one of so many.
const BESIDE_EVENTS: u32 = 4;
/// After a turn the others have so many times as long: calls are what the walk is for.
const OTHERS_TIMES: u32 = 3;
/// How often the number of dead letters is looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// After a passing failure of the store.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The reviewing stage.
pub struct Reviewer {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What deciding depends on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung by this stage when deliveries may have been opened.
    pub owed: Arc<Notify>,
    /// Rung by others when a person has ordered something.
    pub ordered: Arc<Notify>,
    /// How many dead letters are kept.
    pub dead_letters_max: u64,
    /// How many contacts of another account can be sent in an hour.
    pub backfill_per_hour: u32,
}

/// What the loop remembers between pages.
struct Walk {
    bound: Bound,
    pace: Pace,
}

impl Reviewer {
    /// Looks at what there is to look at, until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut walk =
            Walk { bound: Bound::of(self.dead_letters_max), pace: Pace::new(PAGE_WORK, PAGE_MIN, PAGE_MAX) };
        loop {
            let mut held = Duration::ZERO;
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                done = self.page(&mut walk, &mut held) => done,
            };
            let wait = match done {
                Ok(true) => {
                    self.owed.notify_one();
                    self.leave_to_others(held, &stop).await;
                    continue;
                }
                Ok(false) => LOOK_EVERY,
                Err(fatal @ (StoreError::Fatal(_) | StoreError::Unreadable(..) | StoreError::Shut)) => {
                    return Err(fatal);
                }
                Err(error) => {
                    tracing::warn!(%error, "review paused: the store is busy; retrying in 1 s");
                    RETRY_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = self.settings.changed() => changed.map_err(|_| StoreError::Shut)?,
                () = self.ordered.notified() => {}
                () = self.clock.sleep_until(self.clock.monotonic() + wait) => {}
            }
        }
    }

    /// Looks at one page in one turn; tells whether there may be more, and for how long the turn was held.
    async fn page(&self, walk: &mut Walk, held: &mut Duration) -> Result<bool, StoreError> {
        let _turn = self.store.turn().await;
        let began = self.clock.monotonic();
        let done = self.page_of_turn(walk).await;
        *held = self.clock.monotonic().saturating_sub(began);
        done
    }

    async fn page_of_turn(&self, walk: &mut Walk) -> Result<bool, StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let walks = self.store.load(Keys { walks: true, ..Keys::default() }).await?;
        if self.redrive_page(walks.redrive, &mut walk.pace, &settings).await? {
            return Ok(true);
        }
        if self.review_page(walks.review, &mut walk.pace, &settings).await? {
            return Ok(true);
        }
        self.enforce(&mut walk.bound, &settings).await
    }

    /// Three of four parts of the time are for calls, and for the events that wait.
    async fn leave_to_others(&self, held: Duration, stop: &CancellationToken) {
        let until = self.clock.monotonic() + held.saturating_mul(OTHERS_TIMES);
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.clock.sleep_until(until) => {}
        }
    }

    /// How much one turn looks at.
    fn page_size(&self, pace: &Pace) -> usize {
        let events_wait = self.store.processed_end().borrow().events < self.store.journal_end().borrow().0;
        if events_wait { pace.items_of_share(BESIDE_EVENTS) } else { pace.items() }
    }

    /// The working set for evaluating contacts.
    async fn world_of(&self, emails: BTreeSet<Email>, settings: &Settings) -> Result<World, StoreError> {
        let mut world = World::default();
        let keys = Keys { contacts: emails.clone(), ..Keys::default() };
        self.store.load(keys).await?.add_to(&mut world);
        let more = keys_of_contacts(&world, &emails, &settings.account);
        self.store.load(more).await?.add_to(&mut world);
        Ok(world)
    }
}
