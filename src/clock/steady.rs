//! The time of day that the service goes by: it never goes back, and it does not jump forward on one clock's word.
//!
//! The order of what people say, what counts as old and what waits hang on the time of day, and any clock of a machine can
//! be set. How long the machine has been running can't. Must not know what hangs on it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{BootId, Clock, Moment, Sleep, UnixMicros};

/// How fast this clock goes while it waits for the machine's, in tenths.
const WAITING_TENTHS: u32 = 9;
/// The machine's time of day may be set forward so far without anybody's word.
const JUMP_MIN: Duration = Duration::from_mins(1);
/// A jump that lasts this long is no mistake that somebody corrects.
const TRUSTED_AFTER: Duration = Duration::from_hours(1);
/// So many other machines in a row have to show the time of day after a jump for it to be taken at once.
const WORDS_MIN: u32 = 2;

/// A clock whose time of day never goes back and does not jump forward, whatever the machine's does.
///
/// When the machine's is set back, this one goes on from where it was, a tenth more slowly, until the machine's has come up
/// to it: nothing that was said later looks older, and nothing waits for days. When it is set forward by more than a
/// minute, and the machine has not been running for longer, this one goes on by the time that the machine has been running,
/// until the other has stayed for an hour or two answers from elsewhere show the same time.
#[derive(Debug)]
pub struct SteadyClock<C> {
    machine: C,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The time of day as it was known last, and how long the machine had been running.
    known: (UnixMicros, Duration),
    jump: Option<Jump>,
    unproven: Option<Unproven>,
}

/// The machine's time of day was set forward.
#[derive(Clone, Copy, Debug)]
struct Jump {
    by: Duration,
    since: Duration,
    words: u32,
}

/// The machine was started anew since anything was known, and how long it was off nobody knows.
#[derive(Clone, Copy, Debug)]
struct Unproven {
    since: Duration,
    words: u32,
}

impl<C: Clock> SteadyClock<C> {
    /// Goes by another clock.
    pub fn over(machine: C) -> Self {
        let known = (machine.wall(), machine.boottime());
        Self { machine, state: Mutex::new(State { known, jump: None, unproven: None }) }
    }

    /// Goes on from a moment that is known to have been, should the time of day be before it.
    pub fn not_before(&self, moment: UnixMicros) {
        let now = self.wall();
        let mut state = self.state();
        if now < moment {
            state.known = (moment, self.machine.boottime());
        }
    }

    /// How far the machine's time of day is behind this one.
    pub fn ahead(&self) -> Duration {
        self.wall().since(self.machine.wall())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time of day, where the machine's shows `machine` after running for `running`.
    fn wall(&mut self, machine: UnixMicros, running: Duration) -> UnixMicros {
        let (known, at) = self.known;
        let passed = running.saturating_sub(at);
        let slowly = known.plus(passed / 10 * WAITING_TENTHS);
        let steadily = known.plus(passed);
        if machine < slowly {
            self.jump = None;
            return slowly;
        }
        let by = machine.since(steadily);
        let taken = by <= JUMP_MIN || self.takes_jump(by, running);
        self.known = (if taken { machine } else { steadily }, running);
        self.known.0
    }

    /// Whether a jump is taken by now.
    fn takes_jump(&mut self, by: Duration, running: Duration) -> bool {
        let before = self.jump.filter(|jump| jump.by.abs_diff(by) <= JUMP_MIN);
        let jump = before.unwrap_or_else(|| {
            tracing::warn!(
                seconds = by.as_secs(),
                "the clock of this machine was set forward by so many seconds; it is believed after an hour, or once \
                 Freshsales shows the same time"
            );
            Jump { by, since: running, words: 0 }
        });
        let taken = jump.words >= WORDS_MIN || running.saturating_sub(jump.since) >= TRUSTED_AFTER;
        if taken {
            tracing::info!(seconds = by.as_secs(), "the time to which the clock was set forward is believed");
        }
        self.jump = (!taken).then_some(jump);
        taken
    }
}

impl<C: Clock> Clock for SteadyClock<C> {
    fn wall(&self) -> UnixMicros {
        let mut state = self.state();
        let (machine, running) = (self.machine.wall(), self.machine.boottime());
        state.wall(machine, running)
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        self.machine.sleep_until(deadline)
    }

    fn boottime(&self) -> Duration {
        self.machine.boottime()
    }

    fn boot_id(&self) -> BootId {
        self.machine.boot_id()
    }

    fn go_on_from(&self, known: Moment) {
        let (machine, running) = (self.machine.wall(), self.machine.boottime());
        let mut state = self.state();
        if known.boot == self.machine.boot_id() && known.boottime <= running {
            state.known = (known.wall, known.boottime);
        } else if machine.since(known.wall.plus(running)) > JUMP_MIN {
            state.unproven = Some(Unproven { since: running, words: 0 });
        }
    }

    fn hears(&self, other: UnixMicros) {
        let mut state = self.state();
        let machine = self.machine.wall();
        let same = machine.since(other).max(other.since(machine)) <= JUMP_MIN;
        let counted = |words: u32| if same { words + 1 } else { 0 };
        if let Some(jump) = &mut state.jump {
            jump.words = counted(jump.words);
        }
        if let Some(unproven) = &mut state.unproven {
            unproven.words = counted(unproven.words);
        }
    }

    fn is_proven(&self) -> bool {
        let running = self.machine.boottime();
        let mut state = self.state();
        let proven =
            |it: &mut Unproven| it.words >= WORDS_MIN || running.saturating_sub(it.since) >= TRUSTED_AFTER;
        state.unproven.take_if(proven);
        state.unproven.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    const DAY: i64 = 24 * 3_600 * 1_000_000;
    const HOUR: Duration = Duration::from_hours(1);

    fn steady() -> (ManualClock, SteadyClock<ManualClock>) {
        let machine = ManualClock::at(UnixMicros(10 * DAY));
        (machine.clone(), SteadyClock::over(machine))
    }

    fn jump(machine: &ManualClock, by: i64) {
        machine.jump_wall_to(UnixMicros(machine.wall().0 + by));
    }

    #[test]
    fn a_clock_that_is_set_back_is_waited_for() {
        let (machine, steady) = steady();
        jump(&machine, -2 * DAY);
        machine.advance(Duration::from_secs(100));
        assert_eq!(steady.wall(), UnixMicros(10 * DAY + 90_000_000));
        // Two days are made up for in twenty.
        machine.advance(Duration::from_hours(20 * 24));
        assert_eq!(steady.ahead(), Duration::ZERO);
    }

    #[test]
    fn a_jump_forward_that_is_taken_back_never_was() {
        let (machine, steady) = steady();
        jump(&machine, 500 * DAY);
        machine.advance(Duration::from_secs(14));
        assert_eq!(steady.wall(), UnixMicros(10 * DAY + 14_000_000));
        jump(&machine, -500 * DAY);
        machine.advance(Duration::from_secs(1));
        assert_eq!(steady.wall(), UnixMicros(10 * DAY + 15_000_000));
        assert_eq!(steady.ahead(), Duration::ZERO);
    }

    #[test]
    fn a_jump_forward_is_taken_after_an_hour_and_another_jump_begins_anew() {
        let (machine, steady) = steady();
        jump(&machine, DAY);
        let _ = steady.wall();
        machine.advance(Duration::from_secs(3_599));
        assert_eq!(steady.wall(), UnixMicros(10 * DAY + DAY / 24 - 1_000_000));
        jump(&machine, DAY);
        machine.advance(Duration::from_secs(1));
        assert_eq!(steady.wall(), UnixMicros(10 * DAY + DAY / 24));
        machine.advance(HOUR);
        assert_eq!(steady.wall(), machine.wall());
        assert_eq!(steady.wall(), UnixMicros(12 * DAY + DAY / 12));
    }

    #[test]
    fn two_answers_from_elsewhere_in_a_row_settle_a_jump_at_once() {
        let (machine, steady) = steady();
        jump(&machine, DAY);
        let before = steady.wall();
        let (right, wrong) = (machine.wall().plus(Duration::from_secs(30)), before);
        for word in [right, wrong, right] {
            steady.hears(word);
            assert_eq!(steady.wall(), before);
        }
        steady.hears(right);
        assert_eq!(steady.wall(), machine.wall());
    }

    #[test]
    fn time_that_the_machine_slept_and_small_corrections_are_no_jump() {
        let (machine, steady) = steady();
        machine.sleep(Duration::from_hours(10));
        assert_eq!(steady.wall(), machine.wall());
        jump(&machine, 60_000_000);
        assert_eq!(steady.wall(), machine.wall());
    }

    #[test]
    fn a_restart_in_the_same_run_of_the_machine_goes_on_judging() {
        let (machine, steady) = steady();
        let known = steady.moment();
        machine.advance(HOUR);
        jump(&machine, 10 * DAY);
        let again = SteadyClock::over(machine.clone());
        again.go_on_from(known);
        assert_eq!(again.wall(), UnixMicros(10 * DAY + DAY / 24));
        assert!(again.is_proven());
        // And where the clock is right, nothing is held against it.
        jump(&machine, -10 * DAY);
        let again = SteadyClock::over(machine.clone());
        again.go_on_from(known);
        assert_eq!((again.wall(), again.is_proven()), (machine.wall(), true));
    }

    #[test]
    fn after_a_start_of_the_machine_the_time_of_day_is_taken_and_is_not_proven_for_an_hour() {
        let (machine, steady) = steady();
        let known = steady.moment();
        machine.restart();
        jump(&machine, 10 * DAY);
        machine.advance(Duration::from_secs(30));
        let again = SteadyClock::over(machine.clone());
        again.go_on_from(known);
        assert_eq!((again.wall(), again.is_proven()), (machine.wall(), false));
        machine.advance(HOUR);
        assert!(again.is_proven());
        // One that was off no longer than a minute proves itself.
        let known = again.moment();
        machine.restart();
        machine.advance(Duration::from_secs(30));
        let again = SteadyClock::over(machine.clone());
        again.go_on_from(known);
        assert!(again.is_proven());
    }

    #[test]
    fn two_answers_from_elsewhere_prove_the_time_after_a_start() {
        let (machine, steady) = steady();
        let known = steady.moment();
        machine.restart();
        jump(&machine, DAY);
        let again = SteadyClock::over(machine.clone());
        again.go_on_from(known);
        for proven in [false, true] {
            assert!(!again.is_proven());
            again.hears(machine.wall());
            assert_eq!(again.is_proven(), proven);
        }
    }

    #[test]
    fn time_goes_on_from_the_last_moment_that_was() {
        let (_, steady) = steady();
        steady.not_before(UnixMicros(0));
        assert_eq!(steady.wall(), UnixMicros(10 * DAY));
        steady.not_before(UnixMicros(12 * DAY));
        assert_eq!(steady.wall(), UnixMicros(12 * DAY));
    }

    proptest! {
        #[test]
        fn the_steady_time_of_day_never_goes_back_nor_stands_still_nor_jumps_within_the_hour(
            steps in prop::collection::vec((-3 * DAY..3 * DAY, 1_u64..3_000), 1..100),
        ) {
            let (machine, steady) = steady();
            let mut last = steady.wall();
            // The time that it is by how long the machine has been running, and what small corrections may add.
            let mut latest = last;
            for (by, seconds) in steps {
                jump(&machine, by);
                machine.advance(Duration::from_secs(seconds));
                let now = steady.wall();
                prop_assert!(now.since(last) >= Duration::from_secs(seconds) / 10 * 9);
                latest = latest.plus(Duration::from_secs(seconds) + JUMP_MIN);
                prop_assert!(now <= latest);
                last = now;
            }
        }
    }
}
