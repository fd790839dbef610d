//! The last refusals of each door, in memory, so that somebody who looks can see why events do not arrive.
//!
//! Each door of each source has a list of its own: a flood at one pushes nothing out of another's. Must not hold anything
//! a client sent: no ids, no keys, no addresses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::Door;
use crate::clock::UnixMicros;
use crate::event::SourceName;

/// Refusals of one door; older ones are forgotten.
const REFUSED_MAX: usize = 500;
/// Doors with a list. Their names come from configurations alone; beyond it the list that was silent longest goes.
const DOORS_MAX: usize = 256;

/// One refused request, or one refused event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: UnixMicros,
    /// Whose key it came with, where that is known.
    pub source: Option<SourceName>,
    /// By which way it came.
    pub door: Door,
    /// The route.
    pub route: &'static str,
    /// The code of the answer.
    pub code: &'static str,
    /// The detail behind the code.
    pub reason: Option<&'static str>,
}

/// The last refusals.
#[derive(Debug, Default)]
pub struct RefusedLog(Mutex<Kept>);

/// What a door of a source refused, each with its number.
type Newest = VecDeque<(u64, Refused)>;

#[derive(Debug, Default)]
struct Kept {
    /// How many there ever were; the newest has this number.
    count: u64,
    /// By source and door, newest last.
    doors: BTreeMap<(Option<SourceName>, Door), Newest>,
}

impl RefusedLog {
    /// Adds one.
    pub fn add(&self, refused: Refused) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.count += 1;
        let number = kept.count;
        let key = (refused.source.clone(), refused.door.clone());
        if kept.doors.len() >= DOORS_MAX && !kept.doors.contains_key(&key) {
            let newest = |list: &VecDeque<(u64, Refused)>| list.back().map(|(number, _)| *number);
            let silent = kept.doors.iter().min_by_key(|(_, list)| newest(list)).map(|(key, _)| key.clone());
            silent.and_then(|key| kept.doors.remove(&key));
        }
        let list = kept.doors.entry(key).or_default();
        if list.len() >= REFUSED_MAX {
            list.pop_front();
        }
        list.push_back((number, refused));
    }

    /// How many there were since the process began.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// Those that are kept and pass, newest first, each with its number; `before` leaves out newer ones.
    #[must_use]
    pub fn newest_first(
        &self,
        before: Option<u64>,
        limit: usize,
        passes: impl Fn(&Refused) -> bool,
    ) -> Vec<(u64, Refused)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let older = |(number, _): &&(u64, Refused)| before.is_none_or(|before| *number < before);
        let all = kept.doors.values().flatten().filter(older).filter(|(_, refused)| passes(refused));
        let mut passing: Vec<&(u64, Refused)> = all.collect();
        passing.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        passing.into_iter().take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(at: i64, code: &'static str) -> Refused {
        let door = Door::Events;
        Refused { at: UnixMicros(at), source: None, door, route: "/ingest", code, reason: None }
    }

    fn moments(found: &[(u64, Refused)]) -> Vec<i64> {
        found.iter().map(|(_, refused)| refused.at.0).collect()
    }

    #[test]
    fn the_oldest_refusals_give_way() {
        let log = RefusedLog::default();
        (0..1003).for_each(|at| log.add(refused(at, "malformed_body")));
        let kept = log.newest_first(None, usize::MAX, |_| true);
        assert_eq!((kept.len(), log.count()), (REFUSED_MAX, 1003));
        assert_eq!((kept[0].1.at, kept[REFUSED_MAX - 1].1.at), (UnixMicros(1002), UnixMicros(503)));
    }

    #[test]
    fn a_flood_at_one_door_pushes_nothing_out_of_another() {
        let log = RefusedLog::default();
        let stripe = Door::Hook(Some("stripe".to_owned()));
        log.add(Refused { door: stripe.clone(), ..refused(0, "wrong_signature") });
        (1..1003).for_each(|at| log.add(refused(at, "robot")));
        let of_stripe = log.newest_first(None, 9, |refused| refused.door == stripe);
        assert_eq!(of_stripe.len(), 1);
        let all = log.newest_first(None, usize::MAX, |_| true);
        assert_eq!((all.len(), all[REFUSED_MAX].1.code), (REFUSED_MAX + 1, "wrong_signature"));
    }

    #[test]
    fn beyond_the_bound_the_list_that_was_silent_longest_goes() {
        let log = RefusedLog::default();
        for number in 0..=DOORS_MAX {
            let source = Some(SourceName(format!("s{number}")));
            log.add(Refused { source, ..refused(0, "robot") });
        }
        let kept = log.newest_first(None, usize::MAX, |_| true);
        assert_eq!((kept.len(), kept[DOORS_MAX - 1].0), (DOORS_MAX, 2));
    }

    #[test]
    fn refusals_are_read_in_pages_and_by_condition() {
        let log = RefusedLog::default();
        for at in 0..6 {
            log.add(refused(at, if at % 2 == 0 { "overloaded" } else { "malformed_body" }));
        }
        let first = log.newest_first(None, 2, |_| true);
        assert_eq!(moments(&first), [5, 4]);
        log.add(refused(6, "overloaded"));
        let second = log.newest_first(Some(first[1].0), 2, |_| true);
        assert_eq!(moments(&second), [3, 2], "one that comes meanwhile moves no page");
        assert_eq!(moments(&log.newest_first(None, 9, |refused| refused.code == "overloaded")), [6, 4, 2, 0]);
    }
}
