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
pub struct RefusedLog(Mutex<VecDeque<Refused>>);

impl RefusedLog {
    /// Adds one.
    pub fn add(&self, refused: Refused) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= REFUSED_MAX {
            log.pop_front();
        }
        log.push_back(refused);
    }

    /// All that are kept, newest first.
    pub fn newest_first(&self) -> Vec<Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_refusals_give_way() {
        let log = RefusedLog::default();
        for at in 0..1003 {
            log.add(Refused {
                at: UnixMicros(at),
                source: None,
                route: "/ingest",
                code: "malformed_body",
                reason: None,
            });
        }
        let kept = log.newest_first();
        assert_eq!(kept.len(), 1000);
        assert_eq!((kept[0].at, kept[999].at), (UnixMicros(1002), UnixMicros(3)));
    }
}
