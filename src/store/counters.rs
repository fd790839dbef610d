//! The names of counters, and what they count: the same words in every engine.

use super::columns::OF_A_LIST;
use super::{Counts, StoreError, Totals};
use crate::allowance::Leaves;
use crate::decision::Outcome;
use crate::delivery::{Account, Bound, Lane, State};

/// The counter of events that could not be processed and were given up.
pub(in crate::store) const FAILED_LOST: &str = "failed lost";
/// What a counter of a receiver begins with.
const OUTPUT: &str = "output ";

/// What is counted of a receiver, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Counter {
    Taken,
    CrowdedOut,
    Lost,
}

impl Counter {
    const ALL: [Self; 3] = [Self::Taken, Self::CrowdedOut, Self::Lost];

    /// The counter of a receiver.
    pub(in crate::store) fn of(self, receiver: &str) -> String {
        format!("{OUTPUT}{} {receiver}", self.as_str())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::CrowdedOut => "crowded_out",
            Self::Lost => "lost",
        }
    }
}

/// The receiver that a counter is of, and what it counts.
pub(in crate::store) fn output(name: &str) -> Option<(&str, Counter)> {
    let (what, receiver) = name.strip_prefix(OUTPUT)?.split_once(' ')?;
    Some((receiver, Counter::ALL.into_iter().find(|counter| counter.as_str() == what)?))
}

/// What is to be added to which counter.
pub(in crate::store) fn names(counts: &Counts) -> Vec<(String, i64)> {
    let outcomes = counts.outcomes.iter();
    let ended = counts.ended.iter();
    let opened = counts.opened.iter().map(|((lane, first_of), by)| {
        let bound = first_of.as_ref().map(ToString::to_string);
        (["opened", lane.as_str()].into_iter().chain(bound.as_deref()).collect::<Vec<_>>().join(" "), *by)
    });
    outcomes
        .map(|(outcome, by)| (format!("outcome {}", outcome.as_str()), *by))
        .chain(ended.map(|(state, by)| (format!("ended {}", state.as_str()), *by)))
        .chain(opened)
        .chain([("queued".to_owned(), counts.queued)])
        .filter(|(_, by)| *by != 0)
        .collect()
}

/// Takes in what a counter says.
pub(in crate::store) fn read(name: &str, value: u64, totals: &mut Totals) -> Result<(), StoreError> {
    let unknown = || StoreError::Unreadable("counter", name.to_owned());
    if name == "queued" {
        totals.queued = value;
    } else if let Some(words) = name.strip_prefix("opened ") {
        let (lane, source) = words.split_once(' ').map_or((words, None), |(lane, of)| (lane, Some(of)));
        let load = totals.opened.entry(Lane::parse(lane).ok_or_else(unknown)?).or_default();
        match source {
            Some(source) => drop(load.first.insert(Bound::from(source.to_owned()), value)),
            None => load.shared = value,
        }
    } else if let Some((receiver, what)) = output(name) {
        let of = totals.outputs.entry(receiver.to_owned()).or_default();
        match what {
            Counter::Taken => of.taken = value,
            Counter::CrowdedOut => of.crowded_out = value,
            Counter::Lost => of.lost = value,
        }
    } else if name == FAILED_LOST {
        totals.failed_lost = value;
    } else if let Some(word) = name.strip_prefix("outcome ") {
        totals.outcomes.insert(Outcome::parse(word).ok_or_else(unknown)?, value);
    } else if let Some(word) = name.strip_prefix("ended ") {
        totals.ended.insert(State::parse(word).ok_or_else(unknown)?, value);
    }
    Ok(())
}

/// Leaves out what was counted back to nothing.
pub(in crate::store) fn tidy(totals: &mut Totals) {
    totals.outcomes.retain(|_, count| *count > 0);
    totals.ended.retain(|_, count| *count > 0);
}

/// How many deliveries of an account and a lane are in a state, by how they may leave.
pub(in crate::store) struct Open {
    pub(in crate::store) account: Account,
    pub(in crate::store) lane: Lane,
    pub(in crate::store) state: State,
    pub(in crate::store) alone: i64,
    /// What they count for; empty: nothing.
    pub(in crate::store) bound: String,
    pub(in crate::store) count: u64,
}

impl Open {
    /// Adds them to what is owed to an account, or to others.
    pub(in crate::store) fn add_to(self, account: &Account, totals: &mut Totals) {
        let Self { account: of, lane, state, alone, bound, count } = self;
        let ours = of == *account;
        if state.is_open() {
            *totals.open.entry(state).or_default() += count;
        }
        if state.is_open() && !ours {
            *totals.other_accounts.entry(of).or_default() += count;
        }
        if ours && state == State::Dead {
            totals.dead_letters += count;
        } else if ours {
            let owed = totals.owed.entry(lane).or_default();
            owed.count += count;
            let bound = Some(bound).filter(|bound| !bound.is_empty()).map(Bound::from);
            owed.load.add(lane, state, leaves(alone), bound, count);
        }
    }
}

/// How a delivery leaves, by what its column says.
fn leaves(alone: i64) -> Leaves {
    match alone {
        0 => Leaves::Shared,
        OF_A_LIST => Leaves::WithItsList,
        _ => Leaves::Alone,
    }
}
