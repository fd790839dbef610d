//! Whether the database can be reached, for whoever would append: why it can't, and for how long it could not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Why it can't be reached, and since when by the monotonic clock; nothing while it can.
#[derive(Debug, Default)]
pub(super) struct Away(Mutex<Option<(String, Duration)>>);

impl Away {
    fn held(&self) -> std::sync::MutexGuard<'_, Option<(String, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It can't be reached, because of this.
    pub(super) fn begins(&self, why: &str, now: Duration) {
        let mut held = self.held();
        let since = held.as_ref().map_or(now, |(_, since)| *since);
        *held = Some((why.to_owned(), since));
    }

    /// It is back.
    pub(super) fn ends(&self) {
        *self.held() = None;
    }

    /// Why it can't be reached.
    pub(super) fn why(&self) -> Option<String> {
        self.held().as_ref().map(|(why, _)| why.clone())
    }

    /// How long it could not; zero while it can.
    pub(super) fn lasts(&self, now: Duration) -> Duration {
        self.held().as_ref().map_or(Duration::ZERO, |(_, since)| now.saturating_sub(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_from_the_first_why_to_its_end() {
        let (away, at) = (Away::default(), Duration::from_secs);
        assert_eq!((away.why(), away.lasts(at(9))), (None, at(0)));
        away.begins("late", at(10));
        away.begins("lost", at(12));
        assert_eq!((away.why().as_deref(), away.lasts(at(15))), (Some("lost"), at(5)));
        away.ends();
        assert_eq!((away.why(), away.lasts(at(20))), (None, at(0)));
    }
}
