//! The pace: how many calls may be on their way at one time.
//!
//! One at first, and after anything that held calls up; twice as many with each answer, half as many with each that does
//! not come. So a CRM that is in trouble, or comes back, is not met by everything at once.

/// How many calls may be on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Concurrency {
    places: usize,
    places_max: usize,
}

impl Concurrency {
    /// One call at first, up to so many.
    pub fn new(places_max: u32) -> Self {
        Self { places: 1, places_max: (places_max as usize).max(1) }
    }

    /// How many calls may be on their way now.
    pub fn places(self) -> usize {
        self.places
    }

    /// A contact was answered.
    pub fn answered(&mut self) {
        self.places = self.places.saturating_mul(2).min(self.places_max);
    }

    /// A contact got no answer, for a reason that will pass.
    pub fn failed(&mut self) {
        self.places = (self.places / 2).max(1);
    }

    /// Calls were held up.
    pub fn start_over(&mut self) {
        self.places = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_start_at_one_and_double_with_each_answer() {
        let mut pace = Concurrency::new(6);
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(pace.places());
            pace.answered();
        }
        assert_eq!(seen, [1, 2, 4, 6, 6]);
        pace.failed();
        assert_eq!(pace.places(), 3);
        pace.start_over();
        pace.failed();
        assert_eq!(pace.places(), 1);
    }
}
