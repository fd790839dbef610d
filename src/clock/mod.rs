//! Time as a value ([`UnixMicros`]) and as a dependency ([`Clock`]).
//!
//! Every wait and every "now" of this project goes through a [`Clock`], so that a test drives time by hand
//! and a simulation runs a day in a second. Must not know what it is waited for.

mod steady;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

pub use steady::SteadyClock;

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

/// Names one run of a machine, from its start to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootId(pub u128);

/// A moment by the time of day and by the time since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The time of day.
    pub wall: UnixMicros,
    /// How long the machine had been running.
    pub boottime: Duration,
    /// Since which start.
    pub boot: BootId,
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The time of day. It may jump; durations are never taken from it.
    fn wall(&self) -> UnixMicros;
    /// Time since the process (or the test) began. It never goes back.
    fn monotonic(&self) -> Duration;
    /// Ends once [`Clock::monotonic`] has reached `deadline`.
    fn sleep_until(&self, deadline: Duration) -> Sleep;

    /// Time since the machine started, also while it slept. Nobody can set it.
    fn boottime(&self) -> Duration {
        self.monotonic()
    }

    /// Which start of the machine [`Clock::boottime`] counts from.
    fn boot_id(&self) -> BootId {
        BootId::default()
    }

    /// The present.
    fn moment(&self) -> Moment {
        Moment { wall: self.wall(), boottime: self.boottime(), boot: self.boot_id() }
    }

    /// Is told a moment that is known to have been, before it is asked for the present.
    fn go_on_from(&self, _known: Moment) {}

    /// Is told what another machine's clock shows now.
    fn hears(&self, _other: UnixMicros) {}

    /// Whether the time of day is known to be right enough to say of anything that it is old.
    fn is_proven(&self) -> bool {
        true
    }
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

    fn boottime(&self) -> Duration {
        self.as_ref().boottime()
    }

    fn boot_id(&self) -> BootId {
        self.as_ref().boot_id()
    }

    fn go_on_from(&self, known: Moment) {
        self.as_ref().go_on_from(known);
    }

    fn hears(&self, other: UnixMicros) {
        self.as_ref().hears(other);
    }

    fn is_proven(&self) -> bool {
        self.as_ref().is_proven()
    }
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    boot: BootId,
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now(), boot: boot_id() }
    }
}

/// The kernel's name for this run of the machine; where it gives none, each process is taken for one of another run.
fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    BootId(uuid::Uuid::parse_str(text.trim()).map_or_else(|_| rand::random(), |id| id.as_u128()))
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

    #[cfg(target_os = "linux")]
    fn boottime(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(now).unwrap_or_default()
    }

    fn boot_id(&self) -> BootId {
        self.boot
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
    boottime: Duration,
    boot: BootId,
    next_sleeper: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

/// How long the machine of a [`ManualClock`] has been running at first: longer than anything here asks for.
const UP: Duration = Duration::from_hours(10_000);
/// Each such machine is another one.
static BOOTS: AtomicU64 = AtomicU64::new(1);

impl ManualClock {
    /// A clock that shows `wall` and has not run yet.
    #[must_use]
    pub fn at(wall: UnixMicros) -> Self {
        let state = ManualState {
            wall,
            monotonic: Duration::ZERO,
            boottime: UP,
            boot: BootId(BOOTS.fetch_add(1, Ordering::Relaxed).into()),
            next_sleeper: 0,
            sleepers: BTreeMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Lets `duration` pass on both the wall and the monotonic clock and wakes who waited for it.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        state.wall = state.wall.plus(duration);
        state.monotonic = state.monotonic.saturating_add(duration);
        state.boottime = state.boottime.saturating_add(duration);
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

    /// Lets the machine sleep: time passes that the process does not see.
    pub fn sleep(&self, duration: Duration) {
        let mut state = self.lock();
        state.wall = state.wall.plus(duration);
        state.boottime = state.boottime.saturating_add(duration);
    }

    /// Starts the machine anew, in no time.
    pub fn restart(&self) {
        let mut state = self.lock();
        state.boottime = Duration::ZERO;
        state.boot = BootId(BOOTS.fetch_add(1, Ordering::Relaxed).into());
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

    fn boottime(&self) -> Duration {
        self.lock().boottime
    }

    fn boot_id(&self) -> BootId {
        self.lock().boot
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
    use super::*;

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
    fn the_machine_s_own_clock_says_how_long_it_runs_and_since_which_start() {
        let (one, other) = (SystemClock::default(), SystemClock::default());
        let before = one.moment();
        let after = other.moment();
        assert!(after.boottime >= before.boottime && after.boottime >= other.monotonic());
        assert!(before.boottime > Duration::ZERO);
        if cfg!(target_os = "linux") {
            assert_eq!(before.boot, after.boot);
        }
    }
}
