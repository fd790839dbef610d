//! Rest: while very many wait for their events to be kept, processing leaves the cores to that.
//!
//! Pure. What is kept takes effect later; who waits for an answer waits now. However long they press, an eighth of the time
//! is left for processing, so that it never stands still.

use std::time::Duration;

use crate::store::Appended;

/// So many appends in one commit, on average, are many: they arrive faster than single commits are made.
const MANY_A_COMMIT: u64 = 8;
/// A batch is followed by a rest of at most so many times its work.
const TIMES: u32 = 7;
/// Between two looks at whether they still press.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long processing has rested since its last batch, and how long it should at most.
#[derive(Debug, Default)]
pub(super) struct Rest {
    seen: Appended,
    left: Duration,
}

impl Rest {
    /// A batch was so much work.
    pub(super) fn worked(&mut self, work: Duration) {
        self.left = work * TIMES;
    }

    /// How long to rest before the next look; `None` when the next batch may begin.
    pub(super) fn next(&mut self, appended: Appended) -> Option<Duration> {
        let since = appended.since(self.seen);
        self.seen = appended;
        let wait = self.left.min(LOOK_EVERY);
        self.left -= wait;
        let pressed = since.commits > 0 && since.appends >= since.commits.saturating_mul(MANY_A_COMMIT);
        (pressed && !wait.is_zero()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Batches of 30 ms, for a second of rest and work in which every commit holds so many appends; answers the share of the
    /// time that was work.
    fn share_of_work(appends_a_commit: u64) -> f64 {
        let (mut rest, mut seen, mut worked, mut all) =
            (Rest::default(), Appended::default(), Duration::ZERO, Duration::ZERO);
        while all < 1_000 * MS {
            seen.commits += 10;
            seen.appends += 10 * appends_a_commit;
            if let Some(wait) = rest.next(seen) {
                all += wait;
            } else {
                rest.worked(30 * MS);
                (worked, all) = (worked + 30 * MS, all + 30 * MS);
            }
        }
        worked.as_secs_f64() / all.as_secs_f64()
    }

    #[test]
    fn processing_never_rests_while_few_wait() {
        for appends_a_commit in [0, 1, 7] {
            assert!(share_of_work(appends_a_commit) > 0.999, "{appends_a_commit}");
        }
    }

    #[test]
    fn while_very_many_wait_an_eighth_of_the_time_is_left_for_processing() {
        for appends_a_commit in [8, 64, 1_000_000] {
            let share = share_of_work(appends_a_commit);
            assert!((0.12..=0.16).contains(&share), "{share} at {appends_a_commit}");
        }
    }

    #[test]
    fn a_rest_ends_when_nobody_presses_any_more() {
        let mut rest = Rest::default();
        rest.worked(30 * MS);
        let pressed = Appended { appends: 100, commits: 1 };
        assert_eq!(rest.next(pressed), Some(LOOK_EVERY));
        assert_eq!(rest.next(pressed), None, "nothing came since the last look");
    }

    #[test]
    fn after_a_batch_that_was_no_work_it_goes_on_at_once() {
        let mut rest = Rest::default();
        rest.worked(Duration::ZERO);
        assert_eq!(rest.next(Appended { appends: 100, commits: 1 }), None);
    }
}
