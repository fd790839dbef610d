//! How many events of each source in the last hour spoke of consent in a way that was not understood.
//!
//! Counted by the minute. Must not know the time: it is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::UnixMicros;
use crate::event::SourceName;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE_MICROS: i64 = 60_000_000;

/// The counts of the last hour.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<SourceName, VecDeque<(i64, u64)>>);

impl Tally {
    /// Counts events of a source.
    pub fn add(&mut self, source: &SourceName, events: u64, now: UnixMicros) {
        let minutes = self.0.entry(source.clone()).or_default();
        let minute = now.0.div_euclid(MINUTE_MICROS);
        match minutes.back_mut() {
            Some((last, count)) if *last >= minute => *count += events,
            Some(_) | None => minutes.push_back((minute, events)),
        }
        let oldest = oldest_minute(now);
        while minutes.front().is_some_and(|(minute, _)| *minute <= oldest) {
            minutes.pop_front();
        }
    }

    /// Events of the last hour, of sources that had more than `more_than`.
    #[must_use]
    pub fn last_hour(&self, more_than: u64, now: UnixMicros) -> BTreeMap<SourceName, u64> {
        let oldest = oldest_minute(now);
        let count = |minutes: &VecDeque<(i64, u64)>| {
            minutes.iter().filter(|(minute, _)| *minute > oldest).map(|(_, count)| count).sum::<u64>()
        };
        let counts = self.0.iter().map(|(source, minutes)| (source.clone(), count(minutes)));
        counts.filter(|(_, count)| *count > more_than).collect()
    }
}

/// One tally that several parts share: who counts, and who shows it.
#[derive(Clone, Debug, Default)]
pub struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    /// See [`Tally::add`].
    pub fn add(&self, source: &SourceName, events: u64, now: UnixMicros) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(source, events, now);
    }

    /// See [`Tally::last_hour`].
    #[must_use]
    pub fn last_hour(&self, more_than: u64, now: UnixMicros) -> BTreeMap<SourceName, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last_hour(more_than, now)
    }
}

fn oldest_minute(now: UnixMicros) -> i64 {
    now.minus(HOUR).0.div_euclid(MINUTE_MICROS)
}
