//! Arrivals: whether more becomes owed in an hour than may leave in one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use super::{AllowanceLimits, HOUR, LaneLoad, Means, Quotas, Sharing, forecast, lanes_with};
use crate::delivery::{Bound, Lane};

/// What became owed in the last hour, beside what may leave in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pressure {
    /// Deliveries opened in the last hour, or since the process began.
    pub opened_last_hour: u64,
    /// Whether they take longer than an hour; said only after a whole hour.
    pub outruns_allowance: bool,
}

/// Deliveries opened, by lane and by how they may leave.
pub type Opened = BTreeMap<Lane, LaneLoad>;

/// What may leave in an hour.
#[derive(Clone, Copy, Debug)]
pub struct Capacity<'a> {
    /// How many calls fit.
    pub limits: AllowanceLimits,
    /// Up to how much of the limits each lane may use.
    pub shares: &'a BTreeMap<Lane, u32>,
    /// How a backlog shares calls, if it does.
    pub sharing: Option<Sharing>,
    /// How much of what sources bring may leave in an hour. What is beyond that waits as it was ordered to.
    pub per_hour: &'a BTreeMap<Bound, u64>,
}

impl Capacity<'_> {
    /// Whether what became owed in an hour takes longer than one, were nothing else owed.
    fn is_outrun_by(self, opened: Opened) -> bool {
        let opened = self.within_quotas(opened);
        let lanes = lanes_with(self.shares, |lane| opened.get(&lane).cloned().unwrap_or_default());
        let (sharing, quotas) =
            (self.sharing.map(|sharing| Sharing { jobs_open: 0, ..sharing }), Quotas::default());
        let means = Means { limits: self.limits, ages: Vec::new(), sharing, quotas: &quotas };
        forecast(&lanes, &means).is_none_or(|forecast| forecast.end >= HOUR)
    }

    fn within_quotas(self, mut opened: Opened) -> Opened {
        for (source, limit) in self.per_hour {
            let mut room = *limit;
            for first in opened.values_mut().rev().filter_map(|load| load.first.get_mut(source)) {
                *first = (*first).min(room);
                room -= *first;
            }
        }
        opened
    }
}

/// Looks at the counters of opened deliveries again and again.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// When it was looked at and how many there were; the first is an hour old, once there is one.
    looks: VecDeque<(Duration, Opened)>,
}

impl Arrivals {
    /// Takes note of how many deliveries were opened ever.
    pub fn observe(&mut self, now: Duration, opened_ever: Opened, capacity: Capacity<'_>) -> Pressure {
        self.looks.push_back((now, opened_ever));
        let old =
            |look: Option<&(Duration, Opened)>| look.is_some_and(|(at, _)| now.saturating_sub(*at) >= HOUR);
        while old(self.looks.get(1)) {
            self.looks.pop_front();
        }
        let opened = self.opened_since_the_first();
        let opened_last_hour = opened.values().map(LaneLoad::contacts).sum();
        let outruns_allowance = old(self.looks.front()) && capacity.is_outrun_by(opened);
        Pressure { opened_last_hour, outruns_allowance }
    }

    fn opened_since_the_first(&self) -> Opened {
        let (Some((_, first)), Some((_, last))) = (self.looks.front(), self.looks.back()) else {
            return Opened::new();
        };
        let none = LaneLoad::default();
        let since = |(lane, load): (&Lane, &LaneLoad)| (*lane, load.since(first.get(lane).unwrap_or(&none)));
        last.iter().map(since).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SourceName;

    const LIMITS: AllowanceLimits = AllowanceLimits { per_hour: 900, per_minute: 360 };
    const SHARING: Sharing = Sharing {
        contacts_min: 200,
        until_fewer_than: 10,
        asked_after: Duration::from_secs(5),
        jobs_max: 8,
        jobs_open: 0,
    };

    fn opened(lane: Lane, contacts: u64) -> Opened {
        [(lane, LaneLoad { shared: contacts, ..LaneLoad::default() })].into()
    }

    fn of_form(contacts: u64) -> Opened {
        let first = [(Bound::NewContacts(SourceName("form".to_owned())), contacts)].into();
        [(Lane::NewContact, LaneLoad { first, ..LaneLoad::default() })].into()
    }

    /// Whether so many an hour are too many.
    fn outruns(opened: Opened, sharing: Option<Sharing>, form_max: Option<u64>) -> bool {
        let shares = [(Lane::Refresh, 60), (Lane::Backfill, 50)].into();
        let per_hour = form_max
            .into_iter()
            .map(|max| (Bound::NewContacts(SourceName("form".to_owned())), max))
            .collect();
        let capacity = Capacity { limits: LIMITS, shares: &shares, sharing, per_hour: &per_hour };
        let mut arrivals = Arrivals::default();
        assert!(!arrivals.observe(Duration::ZERO, Opened::new(), capacity).outruns_allowance);
        arrivals.observe(HOUR, opened, capacity).outruns_allowance
    }

    #[test]
    fn a_whole_hour_of_more_than_an_hours_calls_outruns_the_allowance_until_an_hour_has_fewer() {
        let mut arrivals = Arrivals::default();
        let (shares, per_hour) = (BTreeMap::new(), BTreeMap::new());
        let capacity = Capacity { limits: LIMITS, shares: &shares, sharing: None, per_hour: &per_hour };
        let mut look = |minute: u64, ever| {
            let pressure =
                arrivals.observe(Duration::from_mins(minute), opened(Lane::Conversion, ever), capacity);
            (pressure.opened_last_hour, pressure.outruns_allowance)
        };
        assert_eq!(look(0, 500), (0, false));
        for minute in 1..60 {
            assert_eq!(look(minute, 500 + minute * 20), (minute * 20, false));
        }
        assert_eq!(look(60, 500 + 1200), (1200, true));
        assert_eq!(look(61, 500 + 1200), (1180, true));
        assert_eq!(look(75, 500 + 1200), (900, false));
        assert_eq!(look(300, 500 + 1200), (0, false));
        assert!(arrivals.looks.len() <= 2, "{arrivals:?}");
    }

    #[test]
    fn a_lane_is_outrun_by_more_than_its_share() {
        assert!(!outruns(opened(Lane::Refresh, 540), None, None));
        assert!(outruns(opened(Lane::Refresh, 541), None, None));
    }

    #[test]
    fn what_shares_calls_outruns_nothing_for_long() {
        assert!(outruns(opened(Lane::Backfill, 5_000), None, None));
        assert!(!outruns(opened(Lane::Backfill, 5_000), Some(SHARING), None));
        assert!(outruns(opened(Lane::Backfill, 50_000), Some(SHARING), None));
        assert!(outruns(of_form(1_000), Some(SHARING), None), "new contacts share none");
    }

    #[test]
    fn what_waits_for_the_quota_of_its_source_outruns_no_allowance() {
        assert!(outruns(of_form(5_000), None, None));
        assert!(!outruns(of_form(5_000), None, Some(10)));
    }
}
