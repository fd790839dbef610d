//! The configuration of happenings: what holds for notes, activities and tasks of all events.

use std::time::Duration;

use serde::Deserialize;

use crate::config_problem::Problem;

/// The most that may be told of one record in a day.
pub const PER_TARGET_PER_DAY_MAX: u32 = 100;
/// Minutes within which equal activities may become one.
const MERGE_MINUTES_MAX: u64 = 24 * 60;

/// How notes, activities and tasks are told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A line at the end of each text by which Freshsales can be asked for it.
    pub marker: bool,
    /// Notes that wait for the same record become one.
    pub merge_notes: bool,
    /// Equal activities that wait for the same record and happened within this many minutes become one.
    pub merge_minutes: u64,
    /// What is told of one record in a day, at most; how much more there was is told by one note.
    pub per_target_per_day_max: u32,
    /// Imported events tell, too.
    pub backfill: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            marker: true,
            merge_notes: true,
            merge_minutes: 10,
            per_target_per_day_max: 20,
            backfill: false,
        }
    }
}

impl Config {
    /// What is wrong with it.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=PER_TARGET_PER_DAY_MAX).contains(&self.per_target_per_day_max) {
            let expected = format!("a number from 1 to {PER_TARGET_PER_DAY_MAX}");
            let found = self.per_target_per_day_max;
            problems.push(Problem::new("happenings.per_target_per_day_max", found, expected));
        }
        if self.merge_minutes > MERGE_MINUTES_MAX {
            let expected = format!("a number of minutes up to {MERGE_MINUTES_MAX}");
            problems.push(Problem::new("happenings.merge_minutes", self.merge_minutes, expected));
        }
        problems
    }

    /// How far apart equal activities may be that become one.
    #[must_use]
    pub fn merge_within(&self) -> Duration {
        Duration::from_mins(self.merge_minutes)
    }
}
