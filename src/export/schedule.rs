//! When an export that the configuration orders is due. Must not know what it exports.

use std::time::Duration;

use serde::Deserialize;

use crate::clock::UnixMicros;

const DAY: Duration = Duration::from_hours(24);
const DAY_MICROS: i64 = 86_400_000_000;
/// 1970-01-05 was a Monday.
const FIRST_MONDAY: i64 = 4;

/// How often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Each day.
    #[default]
    Day,
    /// Each Monday.
    Week,
}

/// A time of day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(Duration);

impl At {
    /// Reads `03:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.trim().split_once(':')?;
        let two = |text: &str, max: u64| {
            (text.len() == 2).then(|| text.parse::<u64>().ok()).flatten().filter(|number| *number < max)
        };
        Some(Self(Duration::from_mins(two(hours, 24)? * 60 + two(minutes, 60)?)))
    }
}

/// The last moment before `now` at which it was due.
#[must_use]
pub fn last_due(every: Every, at: At, now: UnixMicros) -> UnixMicros {
    let day = now.0.div_euclid(DAY_MICROS);
    let day = match every {
        Every::Day => day,
        Every::Week => day - (day - FIRST_MONDAY).rem_euclid(7),
    };
    let due = UnixMicros(day.saturating_mul(DAY_MICROS)).plus(at.0);
    let step = match every {
        Every::Day => DAY,
        Every::Week => DAY * 7,
    };
    if due <= now { due } else { due.minus(step) }
}

/// The day of a moment, as `2026-03-01`.
#[must_use]
pub fn date_of(moment: UnixMicros) -> String {
    moment.to_rfc3339().chars().take(10).collect()
}
