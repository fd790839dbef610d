//! Quotas: how many contacts each source may make in an hour, and how many withdrawals of strangers it may bring.
//!
//! Counts the first calls of these by when they left. What is too much waits; nothing is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::HOUR;
use crate::clock::UnixMicros;
use crate::delivery::Bound;

/// How much of its quota a source has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Contacts it may make in any 3,600 seconds.
    pub limit: u64,
    /// Contacts whose first call left in the last 3,600 seconds.
    pub used: u64,
    /// When there is room again, while there is none.
    pub until: Option<UnixMicros>,
}

/// The quotas of the sources that have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas(BTreeMap<Bound, Held>);

/// The quota of one source, and what it is used by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    quota: Quota,
    /// How long ago the first calls of its contacts left, the longest ago first.
    ages: Vec<Duration>,
}

impl Quotas {
    /// The quotas at `now`. `made` is when first calls left and whose contact each was, in the order of time.
    #[must_use]
    pub fn of(limits: &BTreeMap<Bound, u64>, made: &[(Bound, UnixMicros)], now: UnixMicros) -> Self {
        let quota = |(source, limit): (&Bound, &u64)| {
            let since = now.minus(HOUR);
            let ours = made.iter().filter(|(of, at)| of == source && *at > since);
            let times: Vec<UnixMicros> = ours.map(|(_, at)| *at).collect();
            let used = times.len() as u64;
            // Once this one is an hour old, there is room for one.
            let first = used.checked_sub(*limit).and_then(|nth| times.get(usize::try_from(nth).ok()?));
            let quota = Quota { limit: *limit, used, until: first.map(|at| at.plus(HOUR)) };
            let ages = times.iter().map(|at| now.since(*at)).collect();
            (source.clone(), Held { quota, ages })
        };
        Self(limits.iter().map(quota).collect())
    }

    /// The sources whose new contacts wait.
    #[must_use]
    pub fn held(&self) -> Vec<Bound> {
        self.0
            .iter()
            .filter(|(_, held)| held.quota.used >= held.quota.limit)
            .map(|(source, _)| source.clone())
            .collect()
    }

    /// The quota of a source, if it has one.
    #[must_use]
    pub fn get(&self, source: &Bound) -> Option<Quota> {
        self.0.get(source).map(|held| held.quota)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Bound, &Quota)> {
        self.0.iter().map(|(source, held)| (source, &held.quota))
    }

    /// The limit of each source, in the same order, and how long ago its contacts were made, the longest ago first.
    #[must_use]
    pub fn looks_back(&self) -> Vec<(u64, Vec<Duration>)> {
        self.0.values().map(|held| (held.quota.limit, held.ages.clone())).collect()
    }

    /// Counts one more contact of a source, if it may make one.
    pub fn take(&mut self, source: &Bound) -> bool {
        let Some(Held { quota, .. }) = self.0.get_mut(source) else { return true };
        let room = quota.used < quota.limit;
        quota.used += u64::from(room);
        room
    }

    /// When the first of the sources without room has some.
    #[must_use]
    pub fn room_at(&self) -> Option<UnixMicros> {
        self.0.values().filter_map(|held| held.quota.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SourceName;

    fn source(name: &str) -> Bound {
        Bound::NewContacts(SourceName(name.to_owned()))
    }

    fn at(seconds: u64) -> UnixMicros {
        UnixMicros(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_source_without_room_waits_until_its_oldest_contact_is_an_hour_old() {
        let limits = BTreeMap::from([(source("form"), 2), (source("shop"), 1)]);
        let made = [(source("form"), at(10)), (source("app"), at(11)), (source("form"), at(20))];
        let mut quotas = Quotas::of(&limits, &made, at(100));
        assert_eq!(quotas.held(), [source("form")]);
        let full = Quota { limit: 2, used: 2, until: Some(at(3610)) };
        assert_eq!((quotas.get(&source("form")), quotas.room_at()), (Some(full), Some(at(3610))));
        assert!(!quotas.take(&source("form")));
        assert!(quotas.take(&source("shop")) && !quotas.take(&source("shop")));
        assert!(quotas.take(&source("app")), "it has no quota");
        assert_eq!(Quotas::of(&limits, &made, at(3610)).held(), []);
        assert_eq!(Quotas::of(&limits, &made, at(3609)).held(), [source("form")]);
    }

    #[test]
    fn a_limit_that_was_lowered_waits_for_as_many_as_are_too_much() {
        let limits = BTreeMap::from([(source("form"), 1)]);
        let made = [(source("form"), at(10)), (source("form"), at(20)), (source("form"), at(30))];
        assert_eq!(Quotas::of(&limits, &made, at(40)).room_at(), Some(at(3630)));
    }
}
