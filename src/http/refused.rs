//! The last refusals, in memory, so that somebody who looks can see why events do not arrive.
//!
//! Must not hold anything a client sent: no ids, no keys, no addresses.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::clock::UnixMicros;
use crate::event::SourceName;

/// Older refusals are forgotten.
const REFUSED_MAX: usize = 1000;

/// One refused request, or one refused event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: UnixMicros,
    /// Whose key it came with, where that is known.
    pub source: Option<SourceName>,
    /// The route.
    pub route: &'static str,
    /// The code of the answer.
    pub code: &'static str,
    /// The detail of an `invalid_event`.
    pub reason: Option<&'static str>,
}

/// The last refusals.
#[derive(Debug, Default)]
pub struct RefusedLog(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// How many there ever were; the newest has this number.
    count: u64,
    newest_last: VecDeque<(u64, Refused)>,
}

impl RefusedLog {
    /// Adds one.
    pub fn add(&self, refused: Refused) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.newest_last.len() >= REFUSED_MAX {
            kept.newest_last.pop_front();
        }
        kept.count += 1;
        let number = kept.count;
        kept.newest_last.push_back((number, refused));
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
        let passing = kept.newest_last.iter().rev().filter(older).filter(|(_, refused)| passes(refused));
        passing.take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(at: i64, code: &'static str) -> Refused {
        Refused { at: UnixMicros(at), source: None, route: "/ingest", code, reason: None }
    }

    fn moments(found: &[(u64, Refused)]) -> Vec<i64> {
        found.iter().map(|(_, refused)| refused.at.0).collect()
    }

    #[test]
    fn the_oldest_refusals_give_way() {
        let log = RefusedLog::default();
        (0..1003).for_each(|at| log.add(refused(at, "malformed_body")));
        let kept = log.newest_first(None, usize::MAX, |_| true);
        assert_eq!((kept.len(), log.count()), (1000, 1003));
        assert_eq!((kept[0].1.at, kept[999].1.at), (UnixMicros(1002), UnixMicros(3)));
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
