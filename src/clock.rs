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
