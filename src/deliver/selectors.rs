//! Selectors: asks the account for the lists in which the names of the mapping have their ids. Each is a call like any other:
//! it takes a slot.
//!
//! Before anything is called that may need them, then once a day, and once more when an id that came from a name is refused.
//! What is answered is stored and published, so that the review looks at every contact again where it changes something. Must
//! not look names up: that is the decision's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::worker::{self, AskedFor, Listed};
use super::{Deliverer, Next, Round};
use crate::decision::{self, Settings};
use crate::delivery::Verdict;
use crate::selectors::{Answered, ENTRIES_MAX, Entry, Kind, LISTS_PER_PAGE, List, Selectors, Table};
use crate::store::{Put, StoreError};
use crate::telemetry::caught;

/// An id that was refused is worth a question this often.
const DOUBTED_EVERY: Duration = Duration::from_mins(10);
/// A list that fails is asked for again after this long, doubling.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_hours(1);
/// After so many failures in a row calls no longer wait for lists.
const FAILURES_HOLDING: u32 = 3;
/// Pages of lists of contacts that are asked for: as many entries as are kept.
const PAGES_MAX: u64 = (ENTRIES_MAX / LISTS_PER_PAGE) as u64;

/// What the loop remembers of lists between rounds.
#[derive(Default)]
pub(super) struct Lists {
    /// A question is on its way.
    asking: bool,
    /// What the answers so far had of a list that is asked for in parts.
    begun: Option<Begun>,
    failures: u32,
    /// Nothing is asked before this moment of the monotonic clock.
    not_before: Duration,
    /// When an id of a list was refused last.
    refused_at: BTreeMap<Kind, Duration>,
    /// Lists to be asked for once more: an id of theirs was refused, or another mapping says names that are not in them.
    doubted: BTreeSet<Kind>,
    /// Lists in which names of the mapping are missing, by these settings.
    missing: BTreeSet<Kind>,
    by: Option<Arc<Settings>>,
}

/// A list that is asked for in parts, of which some were answered.
struct Begun {
    had: Table,
    next: AskedFor,
}

/// Whether calls may leave as far as lists are concerned.
pub(super) enum Names {
    /// Not yet: a list is being asked for that no call leaves without.
    Awaited(Next),
    /// They may; the next list is due at this moment of the monotonic clock.
    Known(Option<Duration>),
}

impl Lists {
    /// Freshsales refused an id that came from a name: the list may have changed.
    pub(super) fn doubt(&mut self, kind: Kind, now: Duration) {
        let lately = |at: &Duration| now.saturating_sub(*at) < DOUBTED_EVERY;
        if !self.refused_at.get(&kind).is_some_and(lately) {
            self.refused_at.insert(kind, now);
            self.doubted.insert(kind);
        }
    }

    /// Looks what is missing by other settings than before.
    fn look(&mut self, settings: &Arc<Settings>) {
        if self.by.as_ref().is_some_and(|by| Arc::ptr_eq(by, settings)) {
            return;
        }
        self.missing = settings.lists_with_names_missing();
        if self.by.as_ref().is_some_and(|by| by.preset != settings.preset) {
            self.doubted.extend(&self.missing);
        }
        if let Some(Answered::Known(table)) =
            settings.selectors.list(Kind::SalesActivityOutcomes).map(|list| &list.answer)
            && next_type(settings, table).is_some()
        {
            self.doubted.insert(Kind::SalesActivityOutcomes);
        }
        self.by = Some(Arc::clone(settings));
    }

    /// What is asked for first of a list.
    fn first(kind: Kind, settings: &Settings) -> Option<AskedFor> {
        match kind {
            Kind::Lists => Some(AskedFor::PageOfLists(1)),
            Kind::SalesActivityOutcomes => next_type(settings, &Table::default()),
            Kind::Owners
            | Kind::DealPipelines
            | Kind::LifecycleStages
            | Kind::ContactStatuses
            | Kind::LeadSources
            | Kind::Campaigns
            | Kind::Territories
            | Kind::Currencies
            | Kind::DealTypes
            | Kind::DealReasons
            | Kind::DealPaymentStatuses
            | Kind::SalesActivityTypes => Some(AskedFor::Whole(kind)),
        }
    }

    /// Takes a part of a list to those before; tells whether another is to be asked for before anything is learned. Where a part is
    /// missing, all are asked for again.
    fn gather(
        &mut self,
        asked: AskedFor,
        learned: Option<Answered>,
        settings: &Settings,
    ) -> (Option<Answered>, bool) {
        let had = self.begun.take().map(|begun| begun.had).unwrap_or_default();
        let (had, next) = match (asked, learned) {
            (AskedFor::PageOfLists(page), Some(Answered::Known(table))) => {
                let (all, more) = table.after(had);
                (all, more.then_some(AskedFor::PageOfLists(page + 1)).filter(|_| page < PAGES_MAX))
            }
            // A type that has no outcomes is known to have none.
            (AskedFor::OutcomesOf(of), Some(Answered::Known(outcomes))) => {
                with_type(had, of, outcomes, settings)
            }
            (AskedFor::OutcomesOf(of), Some(Answered::Unreadable)) => {
                with_type(had, of, Table::default(), settings)
            }
            (AskedFor::Whole(_) | AskedFor::PageOfLists(_), learned)
            | (AskedFor::OutcomesOf(_), learned @ (Some(Answered::Forbidden) | None)) => {
                return (learned, false);
            }
        };
        match next {
            Some(next) => {
                self.begun = Some(Begun { had, next });
                (None, true)
            }
            None => (Some(Answered::Known(had)), false),
        }
    }

    /// A question was not answered.
    fn failed(&mut self, now: Duration) {
        let wait = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(wait);
    }
}

impl Deliverer {
    /// Lets the question for the next list leave, if one is due.
    pub(super) async fn ask_for_lists(&self, round: &mut Round) -> Result<Names, StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let needed = if self.crm.answers_questions() { settings.selectors_needed() } else { BTreeSet::new() };
        if needed.is_empty() {
            return Ok(Names::Known(None));
        }
        let (wall, now) = (self.clock.wall(), self.clock.monotonic());
        let lists = &mut round.lists;
        lists.look(&settings);
        let unknown = needed.iter().any(|kind| settings.selectors.list(*kind).is_none());
        let awaited = unknown && lists.failures < FAILURES_HOLDING;
        let names = |at: Option<Duration>| match (awaited, at) {
            (true, Some(at)) => Names::Awaited(Next::At(at)),
            (true, None) => Names::Awaited(Next::News),
            (false, at) => Names::Known(at),
        };
        if lists.asking {
            return Ok(names(None));
        }
        let due = settings.selectors.due(&needed, &lists.missing, wall);
        let doubted = lists.doubted.iter().find(|kind| needed.contains(kind));
        let next = due.first().or(doubted).and_then(|kind| Lists::first(*kind, &settings));
        let begun = lists.begun.as_ref().map(|begun| begun.next);
        let Some(asked) = begun.or(next) else {
            let due_at = |kind: &Kind| settings.selectors.due_at(*kind, &lists.missing);
            let next = needed.iter().filter_map(due_at).min();
            return Ok(names(next.map(|due_at| self.monotonic_at(due_at))));
        };
        if lists.not_before > now {
            return Ok(names(Some(lists.not_before)));
        }
        let slot = match round.schedule.take_for_question(now) {
            Ok(slot) => slot,
            Err(free_at) => return Ok(names(free_at)),
        };
        self.note_slot(slot, wall, None, round).await?;
        round.lists.asking = true;
        round.calls.spawn(worker::list(Arc::clone(&self.crm), slot, asked));
        Ok(names(None))
    }

    /// Notes that Freshsales refused an attribute whose id came from a list.
    pub(super) fn doubt_list(&self, verdict: &Verdict, round: &mut Round) {
        if let Verdict::Refused { attribute: Some(attribute), .. } = verdict
            && let Some(kind) = decision::list_of(attribute, &self.settings.borrow())
        {
            round.lists.doubt(kind, self.clock.monotonic());
        }
    }

    pub(super) async fn finish_list(&self, listed: &Listed, round: &mut Round) -> Result<(), StoreError> {
        round.lists.asking = false;
        round.schedule.answer(listed.slot, self.clock.monotonic());
        worker::count_call(&listed.result);
        // An answer that meets a defect is none: the list is asked for again, and calls wait for it no longer than for any other.
        let learned = caught(|| answer(listed)).unwrap_or_default();
        let (learned, more) = round.lists.gather(listed.asked, learned, &self.settings.borrow());
        match &learned {
            _ if more => round.lists.failures = 0,
            Some(_) => {
                round.lists.failures = 0;
                round.lists.doubted.remove(&listed.asked.kind());
            }
            None => round.lists.failed(self.clock.monotonic()),
        }
        let throttled = loop {
            match self.settle_list(listed, learned.as_ref()).await {
                Ok(throttled) => break throttled,
                Err(error) => self.wait_after(error).await?,
            }
        };
        self.learn(&listed.result, throttled, round);
        Ok(())
    }

    /// Tells whether the answer begins a throttle of the account.
    async fn settle_list(&self, listed: &Listed, learned: Option<&Answered>) -> Result<bool, StoreError> {
        let _turn = self.store.turn().await;
        let (now, account) = (self.clock.wall(), self.account());
        let (mut plan, throttled) = self.answered(&listed.result.verdict, false, listed.slot, now).await?;
        let list = learned.map(|answer| List { asked_at: now, answer: answer.clone() });
        plan.puts.extend(list.clone().map(|list| Put::Selectors(account, listed.asked.kind(), list)));
        self.store.apply(plan).await?;
        if let Some(list) = list {
            self.publish(listed.asked.kind(), list);
        }
        Ok(throttled)
    }

    /// Hands a list to everybody who decides. Who waits for other settings is told only where it says something else than before.
    fn publish(&self, kind: Kind, list: List) {
        self.names.send_if_modified(|settings| {
            let mut selectors: Selectors = settings.selectors.as_ref().clone();
            let differs = selectors.list(kind).map(|known| &known.answer) != Some(&list.answer);
            let List { asked_at, answer } = list;
            if differs {
                log(kind, &answer);
            }
            selectors.learn(kind, asked_at, answer);
            Arc::make_mut(settings).selectors = Arc::new(selectors);
            differs
        });
    }
}

/// Puts a type of activities behind those before, with what is asked for next.
fn with_type(had: Table, of: u64, outcomes: Table, settings: &Settings) -> (Table, Option<AskedFor>) {
    let mut all = had;
    all.entries.push(Entry::with_outcomes(of, outcomes));
    let next = next_type(settings, &all);
    (all, next)
}

/// The next type of activities whose outcomes are named and not among these.
fn next_type(settings: &Settings, had: &Table) -> Option<AskedFor> {
    let types = settings.activity_types_with_outcomes();
    let next = types.into_iter().find(|of| had.entries.iter().all(|entry| entry.id != *of));
    next.map(AskedFor::OutcomesOf)
}

/// What an answer tells of a list; nothing where the question was not answered.
fn answer(listed: &Listed) -> Option<Answered> {
    match &listed.result.verdict {
        Verdict::Stored(stored) => {
            let shown = stored.shown.clone().map(serde_json::Value::Object);
            let table = shown.and_then(|answer| Table::read(listed.asked.kind(), &answer));
            Some(table.map_or(Answered::Unreadable, Answered::Known))
        }
        Verdict::Shut { .. } => Some(Answered::Forbidden),
        Verdict::Refused { .. } | Verdict::Gone { .. } => Some(Answered::Unreadable),
        Verdict::Throttled { .. } | Verdict::Passing { .. } | Verdict::Blocked { .. } => None,
    }
}

fn log(kind: Kind, answer: &Answered) {
    let list = kind.name();
    match answer {
        Answered::Known(table) => {
            let entries = table.entries.len();
            tracing::info!(list, entries, "a list of the account is known: names in it have their ids");
        }
        Answered::Forbidden => tracing::warn!(
            list,
            "the key may not see a list of the account (403), so names in it are left out; map the ids in their place"
        ),
        Answered::Unreadable => {
            tracing::warn!(list, "the account has no such list, so names in it are left out");
        }
    }
}
