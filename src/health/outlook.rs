//! The outlook: how long what is owed takes, and what an order would add to it.
//!
//! Puts together what the store and the running service know; how calls leave is played by the forecast.

use std::collections::BTreeMap;
use std::time::Duration;

use super::snapshot::Snapshot;
use crate::allowance::{AllowanceLimits, Forecast, Means, Usage, forecast, lanes_with};
use crate::delivery::Lane;
use crate::destination::DestinationState;

/// What contacts cost that become owed beside what is owed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// Calls they need.
    pub calls: u64,
    /// How long until their lanes are empty. `None` while nothing can be said.
    pub seconds: Option<u64>,
}

impl Snapshot<'_> {
    /// How long what is owed takes. `None` while nothing can be said.
    #[must_use]
    pub fn drain_seconds(&self) -> Option<u64> {
        if self.owed() == 0 {
            return Some(0);
        }
        let wait = self.wait()?;
        Some(seconds(wait, self.forecast(wait, &BTreeMap::new())?.end))
    }

    /// What so many more contacts in these lanes come to.
    #[must_use]
    pub fn with(&self, more: &BTreeMap<Lane, u64>) -> Added {
        let wait = self.wait();
        let play = |more| self.forecast(wait.unwrap_or_default(), more);
        let (without, with) = (play(&BTreeMap::new()), play(more));
        let calls = |forecast: &Option<Forecast>| Some(forecast.as_ref()?.calls);
        let difference = || Some(calls(&with)?.saturating_sub(calls(&without)?));
        let ends = with.as_ref().map(|with| Lane::BY_PRECEDENCE.into_iter().zip(&with.ends));
        let end =
            ends.and_then(|ends| ends.filter(|(lane, _)| more.contains_key(lane)).map(|(_, end)| *end).max());
        Added {
            calls: difference().unwrap_or_else(|| more.values().sum()),
            seconds: wait.zip(end).map(|(wait, end)| seconds(wait, end)),
        }
    }

    /// How long no call leaves. `None` while nobody knows.
    fn wait(&self) -> Option<Duration> {
        let destination = &self.totals().destination;
        match destination.state() {
            DestinationState::Paused | DestinationState::Blocked => None,
            DestinationState::Running | DestinationState::Throttled | DestinationState::Unreachable => {
                Some(destination.until().map_or(Duration::ZERO, |until| until.since(self.now)))
            }
        }
    }

    fn forecast(&self, wait: Duration, more: &BTreeMap<Lane, u64>) -> Option<Forecast> {
        let Snapshot { vitals, reading, .. } = self;
        let lanes = lanes_with(&vitals.shares, |lane| {
            let mut load = reading.totals.owed.get(&lane).map(|owed| owed.load.clone()).unwrap_or_default();
            load.shared += more.get(&lane).copied().unwrap_or(0);
            load
        });
        let Usage { hour, minute } = self.usage();
        let sharing = *vitals.sharing.borrow();
        let means = Means {
            limits: AllowanceLimits { per_hour: hour.limit, per_minute: minute.limit },
            // Until calls may leave, slots become free.
            ages: self.ages().map(|age| age.saturating_add(wait)).collect(),
            sharing,
            quotas: &reading.quotas,
        };
        forecast(&lanes, &means)
    }
}

fn seconds(wait: Duration, end: Duration) -> u64 {
    wait.saturating_add(end).as_secs().max(1)
}
