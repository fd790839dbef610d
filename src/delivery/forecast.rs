//! The forecast: how long what is owed takes within the allowance, when no lane uses more than its share.
//!
//! Plays the calls ahead as the ledger will let them leave. What it can't know it leaves out: events to come, retries, and
//! how long answers take.

use std::time::Duration;

use super::{AllowanceLimits, HOUR, MINUTE};

/// What is owed in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneOwed {
    /// How many calls.
    pub calls: u64,
    /// Up to how much of the limits it may use.
    pub share_percent: u32,
}

/// How many calls a window lets leave in its length.
#[derive(Clone, Copy)]
struct Pace {
    calls: usize,
    length: i64,
}

impl Pace {
    fn of(limit: u32, share_percent: u32, length: Duration) -> Option<Self> {
        let calls = (u64::from(limit) * u64::from(share_percent)).div_ceil(100);
        let calls = usize::try_from(calls).ok().filter(|calls| *calls > 0)?;
        Some(Self { calls, length: micros(length) })
    }

    /// When a call may leave after those of `log`, by this window.
    fn next(self, log: &[i64]) -> i64 {
        log.len().checked_sub(self.calls).and_then(|nth| log.get(nth)).map_or(0, |left| left + self.length)
    }

    fn is_slower_than(self, other: Self) -> bool {
        // Calls in a time: compared crosswise, without a division.
        let rate = |pace: Self, length: i64| i128::from(length) * (pace.calls as i128);
        rate(self, other.length) < rate(other, self.length)
    }
}

/// How long until each of the lanes, given in their order of precedence, has nothing owed any more. `ages` is how long ago
/// the calls of the last hour were answered. `None` where the limits let nothing leave.
#[must_use]
pub fn drained_after(
    lanes: &[LaneOwed],
    limits: AllowanceLimits,
    ages: impl IntoIterator<Item = Duration>,
) -> Option<Vec<Duration>> {
    // When calls leave, in microseconds from now; those that left before are negative.
    let mut log: Vec<i64> = ages.into_iter().filter(|age| *age < HOUR).map(|age| -micros(age)).collect();
    log.sort_unstable();
    let mut ends = Vec::new();
    let mut end = 0;
    for lane in lanes {
        if lane.calls > 0 {
            let hour = Pace::of(limits.per_hour, lane.share_percent, HOUR)?;
            let minute = Pace::of(limits.per_minute, lane.share_percent, MINUTE)?;
            end = play(lane.calls, hour, minute, &mut log);
        }
        ends.push(Duration::from_micros(u64::try_from(end).unwrap_or(0)));
    }
    Some(ends)
}

/// Lets calls leave; answers when the last did.
fn play(calls: u64, hour: Pace, minute: Pace, log: &mut Vec<i64>) -> i64 {
    let slower = if minute.is_slower_than(hour) { minute } else { hour };
    // After two rounds of the slower window calls leave in the rhythm of the round before: the rest is counted, not played.
    let round = slower.calls as u64;
    let rounds = calls.saturating_sub(2 * round) / round;
    for _ in 0..calls - rounds * round {
        let last = log.last().copied().unwrap_or(0).max(0);
        log.push(last.max(hour.next(log)).max(minute.next(log)));
    }
    let skipped = i64::try_from(rounds).unwrap_or(i64::MAX).saturating_mul(slower.length);
    let first = log.len().saturating_sub(hour.calls.max(minute.calls));
    for left in log.get_mut(first..).into_iter().flatten() {
        *left = left.saturating_add(skipped);
    }
    log.last().copied().unwrap_or(0)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::*;

    const PLAN: AllowanceLimits = AllowanceLimits { per_hour: 900, per_minute: 360 };

    fn lane(calls: u64, share_percent: u32) -> LaneOwed {
        LaneOwed { calls, share_percent }
    }

    fn seconds(lanes: &[LaneOwed], limits: AllowanceLimits, ages: &[u64]) -> Vec<u64> {
        let ages = ages.iter().copied().map(Duration::from_secs);
        drained_after(lanes, limits, ages).unwrap().iter().map(Duration::as_secs).collect()
    }

    #[test]
    fn what_fits_goes_at_once_and_the_minute_holds_the_rest_back() {
        assert_eq!(seconds(&[lane(0, 100)], PLAN, &[]), [0]);
        assert_eq!(seconds(&[lane(360, 100)], PLAN, &[]), [0]);
        assert_eq!(seconds(&[lane(361, 100)], PLAN, &[]), [60]);
        assert_eq!(seconds(&[lane(900, 100)], PLAN, &[]), [120]);
        assert_eq!(seconds(&[lane(901, 100)], PLAN, &[]), [3600]);
    }

    #[test]
    fn a_lane_uses_no_more_than_its_share() {
        // 540 of 900 an hour: the 541st waits for the hour.
        assert_eq!(seconds(&[lane(540, 60)], PLAN, &[]), [120]);
        assert_eq!(seconds(&[lane(541, 60)], PLAN, &[]), [3600]);
        // What the lanes above used counts.
        assert_eq!(seconds(&[lane(300, 100), lane(200, 60)], PLAN, &[]), [0, 60]);
        assert_eq!(seconds(&[lane(540, 100), lane(1, 60)], PLAN, &[]), [60, 3600]);
    }

    #[test]
    fn slots_that_are_taken_are_waited_for() {
        let limits = AllowanceLimits { per_hour: 2, per_minute: 2 };
        assert_eq!(seconds(&[lane(1, 100)], limits, &[3000, 10]), [600]);
        assert_eq!(seconds(&[lane(2, 100)], limits, &[3000, 10]), [3590]);
        assert_eq!(seconds(&[lane(3, 100)], limits, &[3000, 10]), [4200]);
        assert_eq!(seconds(&[lane(1, 100)], limits, &[9000]), [0]);
    }

    #[test]
    fn a_million_take_the_hours_that_the_share_gives() {
        assert_eq!(seconds(&[lane(1_000_000, 100)], PLAN, &[]), [1_111 * 3600]);
        assert_eq!(seconds(&[lane(54_000, 60)], PLAN, &[]), [99 * 3600 + 120]);
        let slow_minute = AllowanceLimits { per_hour: 5_000, per_minute: 10 };
        assert_eq!(seconds(&[lane(1_000_000, 100)], slow_minute, &[]), [99_999 * 60]);
    }

    #[test]
    fn nothing_can_be_said_where_nothing_may_leave() {
        assert_eq!(drained_after(&[lane(1, 100)], AllowanceLimits { per_hour: 0, per_minute: 9 }, []), None);
        assert_eq!(drained_after(&[lane(1, 0)], PLAN, []), None);
    }

    proptest::proptest! {
        #[test]
        fn the_ledger_lets_calls_leave_as_forecast(
            calls in proptest::collection::vec(0_u64..40, 3),
            per_hour in 1_u32..20, per_minute in 1_u32..8,
            ages in proptest::collection::vec(0_u64..4000, 0..10),
        ) {
            let limits = AllowanceLimits { per_hour, per_minute };
            let lanes: Vec<LaneOwed> =
                calls.iter().zip([100, 75, 50]).map(|(calls, share)| lane(*calls, share)).collect();
            let start = Duration::from_secs(10_000);
            let mut old: Vec<Duration> = ages.iter().copied().map(Duration::from_secs).collect();
            old.sort_unstable();
            let mut ledger = Ledger::restored(limits, old.iter().copied(), start, 1);
            let (mut now, mut ends) = (start, Vec::new());
            for lane in &lanes {
                for _ in 0..lane.calls {
                    now = ledger.free_at(now, lane.share_percent).unwrap().max(now);
                    let slot = ledger.take(now, lane.share_percent).unwrap();
                    ledger.answer(slot, now);
                }
                ends.push(now.saturating_sub(start));
            }
            proptest::prop_assert_eq!(drained_after(&lanes, limits, old), Some(ends));
        }
    }
}
