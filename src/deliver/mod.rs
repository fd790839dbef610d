//! Delivery: chooses which contact is called next, makes the call, settles its end.
//!
//! One loop owns the allowance; calls run beside it. Every call takes a slot that is on disk before it leaves.
//! Must not decide what a call carries: that is the decision's.

mod config;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{AllowanceConfig, DeliveryConfig, Plan as AllowancePlan};

use crate::clock::{Clock, UnixMicros};
use crate::decision::{self, Settings, World};
use crate::delivery::{Account, AllowanceLimits, Destination, DestinationState, Gate, HOUR, Ledger, Usage};
use crate::event::Email;
use crate::freshsales::Crm;
use crate::store::{Due, Keys, Plan, Put, SharedStore, StoreError, keys_of_contacts};
use worker::{Answered, Done, Finished, Job};

/// After a passing failure of the store.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Rows asked for beside the free places, so that lanes without room do not hide others.
const SPARE_ROWS: usize = 16;

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
    /// How many calls fit.
    pub limits: AllowanceLimits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung when deliveries may have been opened.
    pub owed: Arc<Notify>,
    /// Where the use of the allowance is shown.
    pub usage: watch::Sender<Usage>,
}

/// What the loop remembers between rounds.
struct Round {
    ledger: Ledger,
    calls: JoinSet<Done>,
    /// The last two contacts that were answered, and when: a contact is given up only while others are.
    answered: [Option<(Email, UnixMicros)>; 2],
}

/// What to wait for when nothing can be sent now.
enum Next {
    /// Nothing but news.
    News,
    /// A moment of the monotonic clock.
    At(Duration),
}

impl Deliverer {
    /// Delivers until it is told to stop; calls on their way get `drain` to end.
    ///
    /// # Errors
    /// The store failed for good.
    pub async fn run(self, stop: CancellationToken, drain: Duration) -> Result<(), StoreError> {
        let mut round = Round { ledger: self.ledger().await?, calls: JoinSet::new(), answered: [None, None] };
        let destination = self.destination().await?;
        if destination.state() != DestinationState::Running {
            worker::log_destination(&destination);
        }
        while !stop.is_cancelled() {
            let next = match self.fill(&mut round).await {
                Ok(next) => next,
                Err(StoreError::Conflict) => continue,
                Err(error) => self.pause_after(error)?,
            };
            self.show(&mut round);
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

    /// Claims and sends as much as may leave now.
    async fn fill(&self, round: &mut Round) -> Result<Next, StoreError> {
        let now = self.clock.wall();
        let destination = self.destination().await?;
        let (places, probe) = match destination.gate(now) {
            Gate::Shut(until) => return Ok(until.map_or(Next::News, |until| self.at(until))),
            Gate::AskAccount => return self.ask(round).await,
            Gate::OneContact => (1, true),
            Gate::Open => (self.config.concurrency_max as usize, false),
        };
        let free = places.saturating_sub(round.calls.len());
        if free == 0 {
            return Ok(Next::News);
        }
        let (mut due, later) = self.store.due(self.account(), now, free + SPARE_ROWS).await?;
        // A probe tries another contact each time: the one before may be what fails.
        due.sort_by_key(|due| destination.tried_lately(&due.id));
        let (chosen, room_at) = self.choose(due, free, round);
        let wait = later.map(|at| self.monotonic_at(at)).into_iter().chain(room_at).min();
        if chosen.is_empty() {
            return Ok(wait.map_or(Next::News, Next::At));
        }
        let full = chosen.len() == free;
        self.claim(chosen, probe, round).await?;
        // There may be more than were asked for.
        Ok(if full { Next::News } else { wait.map_or(Next::News, Next::At) })
    }

    /// The due deliveries that fit into the free places and into the shares of their lanes, and when there is
    /// room for the first that did not.
    fn choose(&self, due: Vec<Due>, free: usize, round: &mut Round) -> (Vec<Due>, Option<Duration>) {
        let now = self.clock.monotonic();
        // Slots are only tried here; they are taken when the claims are known to hold.
        let mut trial = round.ledger.clone();
        let mut room_at: Option<Duration> = None;
        let mut chosen = Vec::new();
        for delivery in due {
            let share = self.config.share_percent(delivery.lane);
            if chosen.len() == free {
                break;
            }
            if trial.take(now, share).is_some() {
                chosen.push(delivery);
            } else if let Some(at) = round.ledger.free_at(now, share).filter(|at| *at > now) {
                room_at = Some(room_at.map_or(at, |known| known.min(at)));
            }
        }
        (chosen, room_at)
    }

    /// Claims deliveries in one transaction with their slots, then lets the calls leave.
    async fn claim(&self, chosen: Vec<Due>, probe: bool, round: &mut Round) -> Result<(), StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let now = self.clock.wall();
        let turn = self.store.turn().await;
        let mut world = self.world_of(&chosen).await?;
        let mut jobs = Vec::new();
        let mut slots = Vec::new();
        for due in &chosen {
            let share = self.config.share_percent(due.lane);
            let Some(slot) = round.ledger.take(self.clock.monotonic(), share) else { break };
            let Some(order) = decision::claim(&due.id, &mut world, &settings, now) else {
                round.ledger.give_back(slot);
                continue;
            };
            slots.push(Put::SlotTaken(self.account(), slot, now));
            jobs.push(Job { order, slot, opened_at: due.opened_at, probe });
        }
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.extend(slots);
        let applied = self.store.apply(plan).await;
        drop(turn);
        if let Err(error) = applied {
            for job in jobs {
                round.ledger.give_back(job.slot);
            }
            return Err(error);
        }
        for job in jobs {
            round.calls.spawn(worker::call(Arc::clone(&self.crm), Arc::clone(&self.clock), job));
        }
        // Claims that turned out to owe nothing left places free.
        self.owed.notify_one();
        Ok(())
    }

    /// Asks whether the account answers; one call at a time, which takes a slot like any other.
    async fn ask(&self, round: &mut Round) -> Result<Next, StoreError> {
        if !round.calls.is_empty() {
            return Ok(Next::News);
        }
        let now = self.clock.monotonic();
        let Some(slot) = round.ledger.take(now, 100) else {
            return Ok(round.ledger.free_at(now, 100).map_or(Next::News, Next::At));
        };
        let taken = Put::SlotTaken(self.account(), slot, self.clock.wall());
        if let Err(error) = self.store.apply(Plan { puts: vec![taken], ..Plan::default() }).await {
            round.ledger.give_back(slot);
            return Err(error);
        }
        round.calls.spawn(worker::ask(Arc::clone(&self.crm), slot));
        Ok(Next::News)
    }

    async fn world_of(&self, chosen: &[Due]) -> Result<World, StoreError> {
        let emails: BTreeSet<Email> = chosen.iter().map(|due| due.email.clone()).collect();
        self.load(emails, chosen.iter().map(|due| due.id.clone()).collect()).await
    }

    async fn load(
        &self,
        emails: BTreeSet<Email>,
        deliveries: BTreeSet<crate::delivery::DeliveryId>,
    ) -> Result<World, StoreError> {
        let mut world = World::default();
        let keys = Keys {
            contacts: emails.clone(),
            deliveries,
            destination: Some(self.account()),
            ..Keys::default()
        };
        self.store.load(keys).await?.add_to(&mut world);
        let more = keys_of_contacts(&world, &emails, &self.account());
        self.store.load(more).await?.add_to(&mut world);
        Ok(world)
    }

    /// Settles a call that has ended.
    async fn finish(
        &self,
        done: Result<Done, tokio::task::JoinError>,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        match done {
            Ok(Done::Call(finished)) => self.finish_call(&finished, round).await,
            Ok(Done::Question(answered)) => self.finish_question(&answered, round).await,
            Err(error) => Err(StoreError::Fatal(format!("a call ended without an answer: {error}"))),
        }
    }

    async fn finish_call(&self, finished: &Finished, round: &mut Round) -> Result<(), StoreError> {
        round.ledger.answer(finished.job.slot, self.clock.monotonic());
        worker::count(finished, self.clock.wall());
        while let Err(error) = self.settle(finished, round).await {
            self.wait_after(error).await?;
        }
        let email = &finished.job.order.email;
        if finished.answered() && round.answered[0].as_ref().is_none_or(|(last, _)| last != email) {
            round.answered[1] = round.answered[0].take();
        }
        if finished.answered() {
            round.answered[0] = Some((email.clone(), self.clock.wall()));
        }
        Ok(())
    }

    async fn finish_question(&self, answered: &Answered, round: &mut Round) -> Result<(), StoreError> {
        round.ledger.answer(answered.slot, self.clock.monotonic());
        worker::count_call(&answered.result);
        while let Err(error) = self.settle_question(answered).await {
            self.wait_after(error).await?;
        }
        Ok(())
    }

    async fn settle_question(&self, answered: &Answered) -> Result<(), StoreError> {
        let _turn = self.store.turn().await;
        let now = self.clock.wall();
        let mut world = self.load(BTreeSet::new(), BTreeSet::new()).await?;
        let held = &mut world.destination;
        let verdict = &answered.result.verdict;
        held.document = held.document.after_question(verdict, self.settings.borrow().retry.max, now);
        held.changed = true;
        let mut plan = Plan::of(world, &self.account());
        plan.puts.push(Put::SlotAnswered(self.account(), answered.slot, now));
        self.store.apply(plan).await
    }

    /// Waits before the end of a call is settled once more.
    async fn wait_after(&self, error: StoreError) -> Result<(), StoreError> {
        if matches!(error, StoreError::Conflict) {
            return Ok(());
        }
        if let Next::At(moment) = self.pause_after(error)? {
            self.clock.sleep_until(moment).await;
        }
        Ok(())
    }

    async fn settle(&self, finished: &Finished, round: &Round) -> Result<(), StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let order = &finished.job.order;
        let _turn = self.store.turn().await;
        let mut world = self
            .load(BTreeSet::from([order.email.clone()]), BTreeSet::from([order.delivery.clone()]))
            .await?;
        let first_failure =
            world.deliveries.get(&order.delivery).and_then(|delivery| delivery.first_failure_at);
        let others_answered = round.answered.iter().flatten().any(|(email, at)| {
            *email != order.email && first_failure.is_some_and(|first_failure| *at > first_failure)
        });
        let now = self.clock.wall();
        decision::settle(finished.settlement(others_answered), &mut world, &settings, now);
        worker::log_refusal(world.deliveries.get(&order.delivery));
        let told = world.destination.changed.then(|| world.destination.document.clone());
        let mut plan = Plan::of(world, &settings.account);
        plan.puts.push(Put::SlotAnswered(self.account(), finished.job.slot, now));
        self.store.apply(plan).await?;
        if let Some(destination) = told {
            worker::log_destination(&destination);
        }
        Ok(())
    }

    /// What to do about a store that fails: wait a moment when it will pass.
    fn pause_after(&self, error: StoreError) -> Result<Next, StoreError> {
        match error {
            StoreError::Overloaded | StoreError::Full(_) | StoreError::TooSlow => {
                tracing::warn!(%error, "calls wait: the store can't take their end now");
                Ok(Next::At(self.clock.monotonic() + RETRY_AFTER))
            }
            StoreError::Conflict | StoreError::Fatal(_) | StoreError::Unreadable(..) | StoreError::Shut => {
                Err(error)
            }
        }
    }

    fn show(&self, round: &mut Round) {
        let usage = round.ledger.usage(self.clock.monotonic());
        self.usage.send_if_modified(|shown| std::mem::replace(shown, usage) != usage);
    }

    fn at(&self, moment: UnixMicros) -> Next {
        Next::At(self.monotonic_at(moment))
    }

    fn monotonic_at(&self, moment: UnixMicros) -> Duration {
        self.clock.monotonic().saturating_add(moment.since(self.clock.wall()))
    }
}
