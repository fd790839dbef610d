//! How much one turn takes: as much work as fits into a time, so that whoever waits for the turn gets it soon.
//!
//! Only work counts: what was computed, read and written. How long the disk took to make it durable, and how long others
//! held up the engine, never make a turn smaller: a slow disk is the reason to write more at once.

use std::time::Duration;

/// The first turn takes so many times the least.
const FIRST_TIMES: usize = 4;

/// How much one turn takes, learned from the turns before.
#[derive(Clone, Debug)]
pub struct Pace {
    work: Duration,
    least: usize,
    most: usize,
    /// What one item costs; `None` until a turn has told.
    each: Option<Duration>,
}

impl Pace {
    /// Turns of about so much work, and of so many items at least and at most.
    #[must_use]
    pub fn new(work: Duration, least: usize, most: usize) -> Self {
        Self { work, least, most, each: None }
    }

    /// How many items the next turn may take.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items_within(self.work)
    }

    /// How many items a turn may take that is to leave the more room to others: one of a share of the work.
    #[must_use]
    pub fn items_of_share(&self, parts: u32) -> usize {
        self.items_within(self.work / parts.max(1))
    }

    fn items_within(&self, work: Duration) -> usize {
        // Nothing is known at the start: enough that a small backlog is not cut in two, little enough to hold nobody up.
        let Some(each) = self.each else { return self.least.saturating_mul(FIRST_TIMES).min(self.most) };
        let fit = work.as_nanos() / each.as_nanos().max(1);
        usize::try_from(fit).unwrap_or(self.most).clamp(self.least, self.most)
    }

    /// Takes note of what a turn of so many items cost.
    pub fn took(&mut self, items: usize, worked: Duration) {
        let Ok(items) = u32::try_from(items.max(1)) else { return };
        let each = worked / items;
        // What is unlike all others, a machine that was busy for a moment, counts for a quarter.
        self.each = Some(self.each.map_or(each, |before| (before * 3 + each) / 4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_turn_grows_until_its_work_fills_the_time_and_no_further() {
        let mut pace = Pace::new(30 * MS, 32, 5_000);
        assert_eq!(pace.items(), 128, "nothing is known yet");
        for _ in 0..20 {
            let items = pace.items();
            // 2 ms however many there are, and 100 us for each.
            pace.took(items, 2 * MS + MS / 10 * u32::try_from(items).unwrap());
        }
        assert!((250..=280).contains(&pace.items()), "{}", pace.items());
    }

    #[test]
    fn work_that_costs_more_makes_turns_smaller_but_never_too_small_to_get_on() {
        let mut pace = Pace::new(30 * MS, 32, 5_000);
        pace.took(1, MS / 1_000);
        assert_eq!(pace.items(), 5_000);
        for _ in 0..20 {
            pace.took(1, 30 * MS);
        }
        assert_eq!(pace.items(), 32);
    }

    #[test]
    fn one_turn_on_a_busy_machine_is_forgotten_soon() {
        let mut pace = Pace::new(30 * MS, 32, 5_000);
        pace.took(100, 10 * MS);
        assert_eq!(pace.items(), 300);
        pace.took(300, 600 * MS);
        assert!(pace.items() < 60);
        for _ in 0..16 {
            pace.took(pace.items(), MS / 10 * u32::try_from(pace.items()).unwrap());
        }
        assert!(pace.items() > 250, "{}", pace.items());
    }

    #[test]
    fn a_share_of_a_turn_takes_a_share_of_the_items() {
        let mut pace = Pace::new(20 * MS, 10, 1_000);
        pace.took(10, MS);
        assert_eq!((pace.items(), pace.items_of_share(4)), (200, 50));
    }
}
