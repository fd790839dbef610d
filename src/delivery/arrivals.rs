//! Arrivals: whether more calls become owed in an hour than the allowance lets leave.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::HOUR;

/// What became owed in the last hour, beside what may leave in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pressure {
    /// Deliveries opened in the last hour, or since the process began.
    pub opened_last_hour: u64,
    /// Whether that is more than an hour's calls; said only after a whole hour.
    pub outruns_allowance: bool,
}

/// Looks at the counter of opened deliveries again and again.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// When it was looked at and how many there were; the first is an hour old, once there is one.
    looks: VecDeque<(Duration, u64)>,
}

impl Arrivals {
    /// Takes note of how many deliveries were opened ever. Looks of the same minute count as one, so that few are kept.
    pub fn observe(&mut self, now: Duration, opened_ever: u64, calls_per_hour: u32) -> Pressure {
        self.looks.push_back((now, opened_ever));
        let old =
            |look: Option<&(Duration, u64)>| look.is_some_and(|(at, _)| now.saturating_sub(*at) >= HOUR);
        while old(self.looks.get(1)) {
            self.looks.pop_front();
        }
        let first = self.looks.front().copied().unwrap_or((now, opened_ever));
        let opened_last_hour = opened_ever.saturating_sub(first.1);
        let outruns_allowance = old(self.looks.front()) && opened_last_hour > u64::from(calls_per_hour);
        Pressure { opened_last_hour, outruns_allowance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_hour_of_more_than_an_hours_calls_outruns_the_allowance_until_an_hour_has_fewer() {
        let mut arrivals = Arrivals::default();
        let mut look = |minute: u64, opened| {
            let pressure = arrivals.observe(Duration::from_mins(minute), opened, 900);
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
}
