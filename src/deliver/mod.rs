//! Delivery: chooses which record is called next, makes the call, settles its end.
//!
//! One loop owns the allowance; calls run beside it. Every call takes a slot that is on disk before it leaves.
//! Must not decide what a call carries: that is the decision's.

mod aside;
mod bulk;
mod by_hand;
mod claim;
mod config;
mod export;
mod forget;
mod listing;
mod log;
mod lone;
mod pace;
mod refused;
mod schedule;
mod selectors;
mod settle;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{BulkConfig, BulkMode, DeliveryConfig};

use crate::allowance::{AllowanceLimits, HOUR, Ledger, Sharing, Usage};
use crate::clock::{Clock, UnixMicros};
use crate::decision::{CallOrder, Settings, World};
use crate::delivery::{Account, DeliveryId, Subject};
use crate::destination::Destination;
use crate::freshsales::{ByHand, Crm};
use crate::store::{ErrorClass, For, Keys, Plan, Put, SharedStore, StoreError, Versioned, load_records};
use crate::telemetry::{Panicked, caught_in};
use crate::traces::Traces;
use crate::turn::{Stalls, backoff};
use bulk::Bulk;
use listing::Listings;
use pace::Concurrency;
use schedule::Schedule;
use selectors::Lists;
use worker::Done;

/// After a passing failure of the store.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// After a defect.
const DEFECT_AFTER: Duration = Duration::from_secs(10);
/// The name of this stage, among those that stand.
const NAME: &str = "deliver";

/// Claims a delivery and decides what its call carries.
pub type Decide = fn(&DeliveryId, &mut World, &Settings, UnixMicros) -> Option<CallOrder>;

/// The delivering stage.
pub struct Deliverer {
    /// Where everything is kept.
    pub store: SharedStore,
    /// The CRM.
    pub crm: Arc<dyn Crm>,
    /// What deciding depends on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The `[delivery]` section.
    pub config: DeliveryConfig,
    /// The `[bulk]` section.
    pub bulk: BulkConfig,
    /// How many calls fit.
    pub limits: AllowanceLimits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung when deliveries may have been opened.
    pub owed: Arc<Notify>,
    /// Rung when a call has ended that an erasure may wait for.
    pub settled: Arc<Notify>,
    /// The decision what a call carries.
    pub decide: Decide,
    /// Where the use of the allowance is shown.
    pub usage: watch::Sender<Usage>,
    /// Where it is shown how a backlog shares calls.
    pub sharing: watch::Sender<Option<Sharing>>,
    /// Where the lists of the account are published, as a part of the settings.
    pub names: watch::Sender<Arc<Settings>>,
    /// Where it is noted when nothing comes of it.
    pub stalls: Stalls,
    /// What persons ask of the account.
    pub by_hand: ByHand,
    /// Who is told of calls that ended.
    pub traces: Traces,
}

/// What the loop remembers between rounds.
struct Round {
    schedule: Schedule,
    pace: Concurrency,
    bulk: Bulk,
    calls: JoinSet<Done>,
    /// An order to forget a contact is on its way.
    forgetting: bool,
    /// A call of an export is on its way.
    exporting: bool,
    lists: Lists,
    /// How many contacts of each list go in one call.
    listings: Listings,
    /// The last two records that were answered, and when: a record is given up only while others are.
    answered: [Option<(Subject, UnixMicros)>; 2],
}

/// What to wait for when nothing can be sent now.
enum Next {
    /// Nothing but news.
    News,
    /// A moment of the monotonic clock.
    At(Duration),
}

/// A person paused all calls, whichever account they go to: a pause that began while another account was configured goes
/// on with this one. Has to end before anything is called or shown.
///
/// # Errors
/// The store could not be read or written.
pub async fn keep_paused(store: &SharedStore, account: &Account) -> Result<(), StoreError> {
    let _turn = store.turn().await;
    let mut all = store.destinations().await?;
    let (revision, mut ours) =
        all.remove(account).map_or_else(Default::default, |ours| (ours.revision, ours.document));
    let mut puts = Vec::new();
    for (other, Versioned { revision, mut document }) in all {
        if let Some(since) = document.paused_since.take() {
            ours.pause(since);
            puts.push(Put::Destination(other, revision, document));
        }
    }
    if puts.is_empty() {
        return Ok(());
    }
    puts.push(Put::Destination(account.clone(), revision, ours));
    store.apply(Plan { puts, ..Plan::default() }).await
}

impl Deliverer {
    /// Delivers until it is told to stop; calls on their way get `drain` to end.
    ///
    /// # Errors
    /// The store failed for good.
    pub async fn run(self, stop: CancellationToken, drain: Duration) -> Result<(), StoreError> {
        let mut round = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            round = self.first_round() => round?,
        };
        let mut settings = self.settings.clone();
        settings.mark_unchanged();
        while !stop.is_cancelled() {
            let next = match caught_in(self.fill(&mut round)).await {
                Ok(Ok(next)) => {
                    self.stalls.went(NAME, None, self.clock.wall());
                    next
                }
                Ok(Err(error)) => {
                    self.stalls.went(NAME, Some(&error.to_string()), self.clock.wall());
                    self.pause_after(error)?
                }
                Err(panicked) => self.pause_after_defect(&panicked),
            };
            self.show(&mut round);
            let wake = match next {
                Next::At(moment) => self.clock.sleep_until(moment),
                Next::News => Box::pin(std::future::pending()),
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.owed.notified() => {}
                () = self.by_hand.asked() => {}
                () = wake => {}
                Ok(()) = settings.changed() => self.settings_changed().await?,
                Some(done) = round.calls.join_next() => self.finish(done, &mut round).await?,
            }
        }
        self.drain(round, drain).await
    }

    /// What earlier processes left. Where a document that all calls need can't be read, calls wait, and everything else goes on.
    async fn first_round(&self) -> Result<Round, StoreError> {
        loop {
            let error = match self.left().await {
                Ok((ledger, bulk, destination)) => {
                    log::found(&destination);
                    return Ok(Round {
                        schedule: Schedule::new(ledger, &self.config),
                        pace: Concurrency::new(self.config.concurrency_max),
                        bulk,
                        calls: JoinSet::new(),
                        forgetting: false,
                        exporting: false,
                        lists: Lists::default(),
                        listings: Listings::default(),
                        answered: [None, None],
                    });
                }
                Err(error) => error,
            };
            self.stalls.went(NAME, Some(&error.to_string()), self.clock.wall());
            self.wait_after(error).await?;
        }
    }

    async fn left(&self) -> Result<(Ledger, Bulk, Destination), StoreError> {
        Ok((self.ledger().await?, self.bulk().await?, self.destination().await?))
    }

    /// Waits for the calls on their way; those that do not end in time are void when the store opens again.
    async fn drain(&self, mut round: Round, drain: Duration) -> Result<(), StoreError> {
        let mut deadline = self.clock.sleep_until(self.clock.monotonic() + drain);
        loop {
            tokio::select! {
                () = &mut deadline => return Ok(()),
                done = round.calls.join_next() => match done {
                    Some(done) => self.finish(done, &mut round).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// New settings may satisfy a rule of the account that refused contact after contact, and a new key is refused no more.
    async fn settings_changed(&self) -> Result<(), StoreError> {
        let now = self.clock.wall();
        self.change_destination(|destination| destination.settings_changed(now)).await
    }

    /// Changes how the destination stands, whatever else happens to it meanwhile.
    async fn change_destination(&self, change: impl Fn(&mut Destination)) -> Result<(), StoreError> {
        loop {
            let turn = self.store.turn().await;
            let mut world = self.load(BTreeSet::new(), BTreeSet::new()).await?;
            let before = world.destination.document.clone();
            change(&mut world.destination.document);
            world.destination.changed = world.destination.document != before;
            let applied = self.store.apply(Plan::of(world, &self.account())).await;
            drop(turn);
            match applied {
                Ok(()) => return Ok(()),
                Err(error) => self.wait_after(error).await?,
            }
        }
    }

    async fn ledger(&self) -> Result<Ledger, StoreError> {
        let wall = self.clock.wall();
        let (slots, next) = self.store.slots(self.account(), wall).await?;
        let now = self.clock.monotonic();
        // Ages are taken from the wall clock once, here, and never again. A clock that was set back makes a slot
        // look as if it were answered later than now: it counts as answered now.
        let ages = slots.iter().map(|slot| wall.since(slot.answered_at.unwrap_or(wall)).min(HOUR));
        Ok(Ledger::restored(self.limits, ages, now, next))
    }

    async fn destination(&self) -> Result<Destination, StoreError> {
        let keys = Keys { destination: Some(self.account()), ..Keys::default() };
        Ok(self.store.load(keys).await?.destination.map(|found| found.document).unwrap_or_default())
    }

    fn account(&self) -> Account {
        self.crm.account().clone()
    }

    async fn load(
        &self,
        subjects: BTreeSet<Subject>,
        deliveries: BTreeSet<DeliveryId>,
    ) -> Result<World, StoreError> {
        let mut world = World::default();
        let mut keys = Keys { deliveries, destination: Some(self.account()), ..Keys::default() };
        for subject in &subjects {
            keys.add(subject);
        }
        self.store.load(keys).await?.add_to(&mut world);
        let settings = Arc::clone(&self.settings.borrow());
        load_records(&*self.store, &subjects, &settings, For::Deciding, &mut world).await?;
        Ok(world)
    }

    /// Waits before something is tried once more that the store did not take.
    async fn wait_after(&self, error: StoreError) -> Result<(), StoreError> {
        if let Next::At(moment) = self.pause_after(error)? {
            self.clock.sleep_until(moment).await;
        }
        Ok(())
    }

    /// What to do about a store that fails: wait a moment when it will pass.
    fn pause_after(&self, error: StoreError) -> Result<Next, StoreError> {
        let wait = match error.class() {
            ErrorClass::Ends => return Err(error),
            ErrorClass::Again => backoff(0, rand::random_range(0.0..1.0)),
            ErrorClass::Passes => {
                tracing::warn!(%error, "delivery paused: the store cannot record results; retrying in 1 s");
                RETRY_AFTER
            }
            ErrorClass::Document => {
                tracing::error!(%error, "delivery paused: a stored document can't be read; retrying in 1 s");
                RETRY_AFTER
            }
        };
        Ok(Next::At(self.clock.monotonic() + wait))
    }

    /// Choosing what leaves met a defect, and no record is known to be the cause.
    fn pause_after_defect(&self, panicked: &Panicked) -> Next {
        self.stalls.went(NAME, Some(&panicked.to_string()), self.clock.wall());
        tracing::error!(
            place = panicked.place,
            code = "delivery_defect",
            "delivery paused: a defect in the code; retrying in 10 s. Report the place"
        );
        Next::At(self.clock.monotonic() + DEFECT_AFTER)
    }

    fn show(&self, round: &mut Round) {
        let usage = round.schedule.usage(self.clock.monotonic());
        self.usage.send_if_modified(|shown| std::mem::replace(shown, usage) != usage);
        let sharing = round.bulk.sharing(self.bulk.backlog_contacts_min);
        self.sharing.send_if_modified(|shown| std::mem::replace(shown, sharing) != sharing);
    }

    fn at(&self, moment: UnixMicros) -> Next {
        Next::At(self.monotonic_at(moment))
    }

    fn monotonic_at(&self, moment: UnixMicros) -> Duration {
        self.clock.monotonic().saturating_add(moment.since(self.clock.wall()))
    }
}
