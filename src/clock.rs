//! Time as a value ([`UnixMicros`]) and as a dependency ([`Clock`]).
//!
//! Every wait and every "now" of this project goes through a [`Clock`], so that a test drives time by hand
//! and a simulation runs a day in a second. Must not know what it is waited for.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// A moment as microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// The moment `duration` later; stops at the end of the range instead of wrapping.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The moment `duration` earlier; stops at the start of the range instead of wrapping.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, the form every answer of the private listener uses.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map_or_else(|_| self.0.to_string(), |moment| format!("{moment:.3}"))
    }

    /// Reads an ISO 8601 / RFC 3339 moment with a zone (`Z`, `+00:00`); `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.trim().parse().ok()?;
        Some(Self(moment.as_microsecond()))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A future that ends when the clock has reached a moment.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The time of day. It may jump; durations are never taken from it.
    fn wall(&self) -> UnixMicros;
    /// Time since the process (or the test) began. It never goes back.
    fn monotonic(&self) -> Duration;
    /// Ends once [`Clock::monotonic`] has reached `deadline`.
    fn sleep_until(&self, deadline: Duration) -> Sleep;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn wall(&self) -> UnixMicros {
        self.as_ref().wall()
    }

    fn monotonic(&self) -> Duration {
        self.as_ref().monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        self.as_ref().sleep_until(deadline)
    }
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
impl Clock for SystemClock {
    fn wall(&self) -> UnixMicros {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since_epoch) => UnixMicros(micros(since_epoch)),
            Err(before_epoch) => UnixMicros(-micros(before_epoch.duration())),
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        let deadline = self.started.checked_add(deadline);
        Box::pin(async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        })
    }
}

/// How fast a [`SteadyClock`] goes while it waits for the machine's, in tenths.
const WAITING_TENTHS: u32 = 9;

/// A clock whose time of day never goes back, whatever the machine's does.
///
/// The order of what people say and every moment that something waits for hang on the time of day. When the machine's is
/// set forward, this one follows. When it is set back, this one goes on from where it was, a tenth more slowly, until the
/// machine's has come up to it: nothing that was said later looks older, and nothing waits for days.
#[derive(Debug)]
pub struct SteadyClock<C> {
    machine: C,
    /// When both agreed last: the time of day, and the monotonic time then.
    agreed: Mutex<(UnixMicros, Duration)>,
}

impl<C: Clock> SteadyClock<C> {
    /// Goes by another clock.
    pub fn over(machine: C) -> Self {
        let agreed = (machine.wall(), machine.monotonic());
        Self { machine, agreed: Mutex::new(agreed) }
    }

    /// Goes on from a moment that is known to have been, should the machine's time of day be before it.
    pub fn not_before(&self, moment: UnixMicros) {
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        if agreed.0 < moment {
            *agreed = (moment, self.machine.monotonic());
        }
    }

    /// How far the machine's time of day is behind this one.
    pub fn ahead(&self) -> Duration {
        self.wall().since(self.machine.wall())
    }
}

impl<C: Clock> Clock for SteadyClock<C> {
    fn wall(&self) -> UnixMicros {
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        let (machine, now) = (self.machine.wall(), self.machine.monotonic());
        let (wall, at) = *agreed;
        let own = wall.plus(now.saturating_sub(at) / 10 * WAITING_TENTHS);
        if machine < own {
            return own;
        }
        *agreed = (machine, now);
        machine
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        self.machine.sleep_until(deadline)
    }
}

/// A clock that stands still until somebody moves it: for tests and simulations.
#[derive(Clone, Debug)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
}

#[derive(Debug)]
struct ManualState {
    wall: UnixMicros,
    monotonic: Duration,
    next_sleeper: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    /// A clock that shows `wall` and has not run yet.
    #[must_use]
    pub fn at(wall: UnixMicros) -> Self {
        let state =
            ManualState { wall, monotonic: Duration::ZERO, next_sleeper: 0, sleepers: BTreeMap::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Lets `duration` pass on both the wall and the monotonic clock and wakes who waited for it.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        state.wall = state.wall.plus(duration);
        state.monotonic = state.monotonic.saturating_add(duration);
        let still_asleep = (state.monotonic, u64::MAX);
        let later = state.sleepers.split_off(&still_asleep);
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for sender in due.into_values() {
            // A sleeper that was dropped meanwhile does not care.
            let _ = sender.send(());
        }
    }

    /// Sets the time of day alone, as an operator or a time server may.
    pub fn jump_wall_to(&self, wall: UnixMicros) {
        self.lock().wall = wall;
    }

    /// The earliest moment (monotonic) somebody waits for.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let mut state = self.lock();
        state.sleepers.retain(|_, sender| !sender.is_closed());
        state.sleepers.keys().next().map(|(deadline, _)| *deadline)
    }

    /// Lets time pass until the first of those who wait wakes; tells whether anybody waited.
    #[must_use = "without anybody who waits, no time passes"]
    pub fn advance_to_next_wake(&self) -> bool {
        let next = self.next_wake();
        if let Some(deadline) = next {
            self.advance(deadline.saturating_sub(self.monotonic()));
        }
        next.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> UnixMicros {
        self.lock().wall
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        let mut state = self.lock();
        if deadline <= state.monotonic {
            return Box::pin(std::future::ready(()));
        }
        let (sender, receiver) = oneshot::channel();
        let sleeper = state.next_sleeper;
        state.next_sleeper += 1;
        state.sleepers.insert((deadline, sleeper), sender);
        Box::pin(async move {
            let _ = receiver.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 24 * 3_600 * 1_000_000;

    #[test]
    fn time_passes_until_the_first_sleeper_wakes() {
        let clock = ManualClock::at(UnixMicros(0));
        assert!(!clock.advance_to_next_wake());
        let (_late, _early) =
            (clock.sleep_until(Duration::from_secs(9)), clock.sleep_until(Duration::from_secs(4)));
        assert!(clock.advance_to_next_wake());
        assert_eq!((clock.monotonic(), clock.wall()), (Duration::from_secs(4), UnixMicros(4_000_000)));
    }

    #[test]
    fn a_clock_that_is_set_forward_is_followed_and_one_that_is_set_back_is_waited_for() {
        let machine = ManualClock::at(UnixMicros(DAY));
        let steady = SteadyClock::over(machine.clone());
        machine.jump_wall_to(UnixMicros(3 * DAY));
        assert_eq!(steady.wall(), UnixMicros(3 * DAY));
        machine.jump_wall_to(UnixMicros(DAY));
        machine.advance(Duration::from_secs(100));
        assert_eq!(steady.wall(), UnixMicros(3 * DAY + 90_000_000));
        // Two days are made up for in twenty.
        machine.advance(Duration::from_hours(20 * 24));
        assert_eq!(steady.ahead(), Duration::ZERO);
    }

    #[test]
    fn time_goes_on_from_the_last_moment_that_was() {
        let machine = ManualClock::at(UnixMicros(DAY));
        let steady = SteadyClock::over(machine);
        steady.not_before(UnixMicros(0));
        assert_eq!(steady.wall(), UnixMicros(DAY));
        steady.not_before(UnixMicros(2 * DAY));
        assert_eq!(steady.wall(), UnixMicros(2 * DAY));
    }

    proptest! {
        #[test]
        fn the_steady_time_of_day_never_goes_back_nor_stands_still(
            steps in prop::collection::vec((-3 * DAY..3 * DAY, 1_u64..100_000), 1..100),
        ) {
            let machine = ManualClock::at(UnixMicros(10 * DAY));
            let steady = SteadyClock::over(machine.clone());
            let mut last = steady.wall();
            for (jump, seconds) in steps {
                machine.jump_wall_to(UnixMicros(machine.wall().0 + jump));
                machine.advance(Duration::from_secs(seconds));
                let now = steady.wall();
                prop_assert!(now.since(last) >= Duration::from_secs(seconds) / 10 * 9);
                prop_assert!(now >= machine.wall());
                last = now;
            }
        }
    }
}
