//! How much came in by each door in the last day, in memory: whoever has just connected something looks here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Door;
use crate::clock::UnixMicros;
use crate::event::SourceName;

const HOUR_MICROS: i64 = 3_600_000_000;
/// Hours that make a day: the one that runs and those before it.
const HOURS: i64 = 24;
/// Doors that are counted. Their names come from configurations alone; beyond it the one that was silent longest goes.
const DOORS_MAX: usize = 512;

/// What came in, by source and door. Of no source is what had no known key, or a name that nothing has.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<BTreeMap<(Option<SourceName>, Door), Day>>);

/// What came in by one door in the last day, since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Events accepted in the hour that runs and the 23 before it.
    pub accepted: u64,
    /// Requests and events refused in the same time.
    pub refused: u64,
    /// When the last event was accepted.
    pub last_accepted_at: Option<UnixMicros>,
    /// When something was refused last.
    pub last_refused_at: Option<UnixMicros>,
}

#[derive(Debug, Default)]
struct Day {
    hours: BTreeMap<i64, Count>,
    last_accepted_at: Option<UnixMicros>,
    last_refused_at: Option<UnixMicros>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    accepted: u64,
    refused: u64,
}

impl Traffic {
    /// Counts events that are on disk.
    pub fn accepted(&self, source: &SourceName, door: &Door, events: u64, at: UnixMicros) {
        self.change(Some(source), door, at, |day, hour| {
            day.last_accepted_at = Some(at);
            let count = day.hours.entry(hour).or_default();
            count.accepted = count.accepted.saturating_add(events);
        });
    }

    /// Counts a request or an event that was refused.
    pub fn refused(&self, source: Option<&SourceName>, door: &Door, at: UnixMicros) {
        self.change(source, door, at, |day, hour| {
            day.last_refused_at = Some(at);
            let count = day.hours.entry(hour).or_default();
            count.refused = count.refused.saturating_add(1);
        });
    }

    fn change(
        &self,
        source: Option<&SourceName>,
        door: &Door,
        at: UnixMicros,
        note: impl FnOnce(&mut Day, i64),
    ) {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (source.cloned(), door.clone());
        if doors.len() >= DOORS_MAX && !doors.contains_key(&key) {
            let silent = doors.iter().min_by_key(|(_, day)| day.last_at()).map(|(key, _)| key.clone());
            silent.and_then(|key| doors.remove(&key));
        }
        let day = doors.entry(key).or_default();
        day.forget_before(at);
        note(day, hour_of(at));
    }

    /// What came in by a door in the day before `now`.
    #[must_use]
    pub fn seen(&self, source: Option<&SourceName>, door: &Door, now: UnixMicros) -> Seen {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(day) = doors.get_mut(&(source.cloned(), door.clone())) else { return Seen::default() };
        day.forget_before(now);
        Seen {
            accepted: day.hours.values().fold(0, |sum, hour| sum.saturating_add(hour.accepted)),
            refused: day.hours.values().fold(0, |sum, hour| sum.saturating_add(hour.refused)),
            last_accepted_at: day.last_accepted_at,
            last_refused_at: day.last_refused_at,
        }
    }
}

impl Day {
    fn last_at(&self) -> Option<UnixMicros> {
        self.last_accepted_at.max(self.last_refused_at)
    }

    fn forget_before(&mut self, now: UnixMicros) {
        let first = hour_of(now) - (HOURS - 1);
        self.hours.retain(|hour, _| *hour >= first);
    }
}

fn hour_of(moment: UnixMicros) -> i64 {
    moment.0.div_euclid(HOUR_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_hour(hour: i64) -> UnixMicros {
        UnixMicros(hour * HOUR_MICROS + 1)
    }

    fn shop() -> SourceName {
        SourceName("shop".to_owned())
    }

    #[test]
    fn each_door_counts_by_itself_and_forgets_after_a_day() {
        let traffic = Traffic::default();
        let stripe = Door::Hook(Some("stripe".to_owned()));
        traffic.accepted(&shop(), &Door::Events, 3, at_hour(0));
        traffic.accepted(&shop(), &Door::Events, 2, at_hour(1));
        traffic.refused(Some(&shop()), &stripe, at_hour(1));
        traffic.refused(None, &Door::Events, at_hour(2));
        let seen = |source: Option<&SourceName>, door: &Door, hour| {
            let seen = traffic.seen(source, door, at_hour(hour));
            (seen.accepted, seen.refused)
        };
        assert_eq!(seen(Some(&shop()), &Door::Events, 23), (5, 0));
        assert_eq!(seen(Some(&shop()), &stripe, 23), (0, 1));
        assert_eq!(seen(None, &Door::Events, 23), (0, 1));
        assert_eq!(seen(Some(&shop()), &Door::Form, 23), (0, 0));
        assert_eq!(seen(Some(&shop()), &Door::Events, 24), (2, 0));
        assert_eq!(seen(Some(&shop()), &Door::Events, 25), (0, 0));
        let last = traffic.seen(Some(&shop()), &Door::Events, at_hour(99));
        assert_eq!((last.last_accepted_at, last.last_refused_at), (Some(at_hour(1)), None));
    }

    #[test]
    fn beyond_the_bound_the_door_that_was_silent_longest_goes() {
        let traffic = Traffic::default();
        let source = |number: usize| SourceName(format!("s{number}"));
        for number in 0..=DOORS_MAX {
            traffic.accepted(&source(number), &Door::Events, 1, UnixMicros(i64::try_from(number).unwrap()));
        }
        let seen = |number| traffic.seen(Some(&source(number)), &Door::Events, UnixMicros(0)).accepted;
        assert_eq!((seen(0), seen(1), seen(DOORS_MAX)), (0, 1, 1));
    }
}
