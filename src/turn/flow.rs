//! Flow: whether what is accepted takes effect, and takes effect in time. Pure: it is told how far both are, now and then.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::Position;

/// What stands still, or falls further behind, for so long is an alarm.
pub const ALARM_AFTER: Duration = Duration::from_mins(1);
/// A lag that is worked off sooner than this is none, however it grew.
const LAG_SECONDS_MIN: u64 = 10;

/// How processing gets on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// What is wrong, if anything is.
    pub alarm: Option<FlowAlarm>,
    /// Events accepted whose effect is not there yet.
    pub lag_events: u64,
    /// What the stage met when it worked last, if that failed.
    pub cause: Option<String>,
    /// Events that took effect, and that were accepted, a second over the last minute.
    pub rates: Rates,
}

/// What is wrong with the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowAlarm {
    /// Nothing took effect for a minute though events wait.
    Stands,
    /// More is accepted than takes effect, for a minute.
    Lags,
}

/// Events a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// That were accepted.
    pub accepted: u64,
    /// That took effect.
    pub processed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    accepted: Position,
    processed: Position,
}

impl Look {
    fn lag(&self) -> u64 {
        self.accepted.0.saturating_sub(self.processed.0)
    }
}

/// Remembers how far both were.
#[derive(Debug, Default)]
pub struct FlowWatch(VecDeque<Look>);

impl FlowWatch {
    /// Takes a look: how far the journal reaches, how far it took effect, and why it does not go on, if it does not.
    pub fn look(
        &mut self,
        at: Duration,
        accepted: Position,
        processed: Position,
        cause: Option<String>,
    ) -> Flow {
        let now = Look { at, accepted, processed };
        self.0.push_back(now);
        // One that is old enough is kept.
        while self.0.get(1).is_some_and(|second| at.saturating_sub(second.at) >= ALARM_AFTER) {
            self.0.pop_front();
        }
        let then = self.0.front().copied().unwrap_or(now);
        let passed = at.saturating_sub(then.at);
        let a_second = |from: Position, to: Position| to.0.saturating_sub(from.0) / passed.as_secs().max(1);
        let rates = Rates {
            accepted: a_second(then.accepted, accepted),
            processed: a_second(then.processed, processed),
        };
        let stands = now.lag() > 0 && then.lag() > 0 && then.processed == processed;
        let grows =
            || self.0.iter().zip(self.0.iter().skip(1)).all(|(before, after)| before.lag() < after.lag());
        let lags = || now.lag() > rates.processed.saturating_mul(LAG_SECONDS_MIN) && grows();
        let alarm = match passed >= ALARM_AFTER {
            true if stands => Some(FlowAlarm::Stands),
            true if lags() => Some(FlowAlarm::Lags),
            true | false => None,
        };
        Flow { alarm, lag_events: now.lag(), cause, rates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The alarm after looks every 10 s at how much was accepted and processed.
    fn alarm(looks: impl IntoIterator<Item = (u64, u64)>) -> Option<FlowAlarm> {
        let mut watch = FlowWatch::default();
        let looks = (0..).map(|nth| Duration::from_secs(nth * 10)).zip(looks);
        looks
            .map(|(at, (accepted, processed))| {
                watch.look(at, Position(accepted), Position(processed), None).alarm
            })
            .last()
            .flatten()
    }

    #[test]
    fn events_that_wait_a_minute_while_nothing_takes_effect_are_an_alarm() {
        assert_eq!(alarm((0..7).map(|_| (5, 4))), Some(FlowAlarm::Stands));
        assert_eq!(alarm((0..6).map(|_| (5, 4))), None, "only 50 s");
        assert_eq!(alarm((0..7).map(|nth| (5, if nth < 6 { 4 } else { 5 }))), None, "it goes on");
        assert_eq!(alarm((0..100).map(|_| (5, 5))), None, "nothing waits");
        assert_eq!(alarm((0..7).map(|nth| (if nth < 2 { 5 } else { 6 }, 5))), None, "one waits for 40 s");
    }

    #[test]
    fn a_lag_that_grows_for_a_minute_and_takes_a_while_to_work_off_is_an_alarm() {
        assert_eq!(alarm((0..7).map(|nth| (nth * 20_000, nth * 10_000))), Some(FlowAlarm::Lags));
        assert_eq!(alarm((0..7).map(|nth| (nth * 10_100, nth * 10_000))), None, "under a second of work");
        let import = |nth: u64| (1_000_000, nth * 10_000);
        assert_eq!(alarm((0..7).map(import)), None, "it is being worked off");
    }
}
