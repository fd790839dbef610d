//! How processing shares its time: live events first, and old data an eighth of the time while they wait.
//!
//! Pure. An eighth lies between the tenth that old data gets whatever happens and the fifth that it may take at most,
//! however long single batches are.

use std::time::Duration;

use crate::store::Stream;

/// One of so many parts of the time is for old data while live events wait.
const PARTS: u32 = 8;
/// Time after which what was counts half, so that nobody pays for long ago.
const HALVED_AFTER: Duration = Duration::from_secs(10);

/// Who had how much of the time since both waited.
#[derive(Debug, Default)]
pub(super) struct Share {
    live: Duration,
    old: Duration,
    /// Whose batch is under way, while both may wait.
    chosen: Option<Stream>,
}

impl Share {
    /// Whose turn it is; the other's where nothing of that waits.
    pub(super) fn order(&self) -> [Stream; 2] {
        if self.old * (PARTS - 1) < self.live {
            [Stream::Old, Stream::Live]
        } else {
            [Stream::Live, Stream::Old]
        }
    }

    /// The one whose turn it was has the batch.
    pub(super) fn chose(&mut self, stream: Stream) {
        self.chosen = Some(stream);
    }

    /// Nothing waits of the one whose turn it was: there is nothing to share.
    pub(super) fn alone(&mut self) {
        *self = Self::default();
    }

    /// A batch took so long.
    pub(super) fn took(&mut self, time: Duration) {
        match self.chosen.take() {
            Some(Stream::Live) => self.live += time,
            Some(Stream::Old) => self.old += time,
            None => {}
        }
        if self.live + self.old > HALVED_AFTER {
            (self.live, self.old) = (self.live / 2, self.old / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives batches of a length each to both for so many turns, live events waiting all the time; answers the share of
    /// old data.
    fn share_of_old(live: Duration, old: Duration, turns: u32) -> f64 {
        let (mut share, mut had, mut all) = (Share::default(), Duration::ZERO, Duration::ZERO);
        for _ in 0..turns {
            let [stream, _] = share.order();
            let took = if stream == Stream::Old { old } else { live };
            share.chose(stream);
            share.took(took);
            had += if stream == Stream::Old { took } else { Duration::ZERO };
            all += took;
        }
        had.as_secs_f64() / all.as_secs_f64()
    }

    #[test]
    fn while_live_events_wait_old_data_has_between_a_tenth_and_a_fifth_of_the_time() {
        let ms = Duration::from_millis;
        for (live, old) in [(20, 20), (1, 30), (30, 1), (5, 500), (500, 5)] {
            let share = share_of_old(ms(live), ms(old), 20_000);
            assert!((0.1..=0.2).contains(&share), "{share} of batches of {live} and {old} ms");
        }
    }

    #[test]
    fn a_live_event_goes_first_however_long_old_data_was_alone() {
        let mut share = Share::default();
        for _ in 0..1_000 {
            assert_eq!(share.order(), [Stream::Live, Stream::Old]);
            // No live event waits, so the batch is of old data.
            share.alone();
            share.took(Duration::from_millis(30));
        }
        assert_eq!(share.order(), [Stream::Live, Stream::Old]);
    }
}
