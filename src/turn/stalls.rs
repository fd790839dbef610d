//! Stalls: which stages come to nothing, since when and why. In memory: a restart begins with none.
//!
//! A stage that tries again and again says so in the log; whoever does not read it is told by a risk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::UnixMicros;

/// A stage that has come to nothing for less than this is still trying.
const ALARM_AFTER: Duration = Duration::from_mins(1);

/// The stages that come to nothing; clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Stalls(Arc<Mutex<BTreeMap<&'static str, Stall>>>);

#[derive(Clone, Debug)]
struct Stall {
    since: UnixMicros,
    why: String,
}

impl Stalls {
    /// How a piece of work of a stage went: it failed because of this, or it did not.
    pub fn went(&self, stage: &'static str, failed: Option<&str>, now: UnixMicros) {
        let mut stalls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            None => drop(stalls.remove(stage)),
            Some(why) => {
                let stall = stalls.entry(stage).or_insert_with(|| Stall { since: now, why: String::new() });
                why.clone_into(&mut stall.why);
            }
        }
    }

    /// No stage works any more, so none comes to nothing.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The stages that have come to nothing for a minute, and why.
    #[must_use]
    pub fn long(&self, now: UnixMicros) -> Vec<(&'static str, String)> {
        let stalls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let long = stalls.iter().filter(|(_, stall)| now.since(stall.since) >= ALARM_AFTER);
        long.map(|(stage, stall)| (*stage, stall.why.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_stalls_once_nothing_came_of_it_for_a_minute_and_until_something_does() {
        let (stalls, at) = (Stalls::default(), |seconds: i64| UnixMicros(seconds * 1_000_000));
        stalls.went("erase", Some("a"), at(10));
        stalls.went("walk", None, at(10));
        stalls.went("erase", Some("b"), at(60));
        assert!(stalls.long(at(69)).is_empty());
        assert_eq!(stalls.long(at(70)), [("erase", "b".to_owned())]);
        stalls.went("erase", None, at(71));
        assert!(stalls.long(at(200)).is_empty());
    }
}
