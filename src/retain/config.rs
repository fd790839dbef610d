//! The `[retention]` section of the configuration.

use std::time::Duration;

use serde::Deserialize;

use crate::config_problem::Problem;
use crate::store::Worths;

/// How much is kept of a part of the trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrailLimits {
    /// Days.
    pub days: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The `[retention]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Days that raw events are kept once they have taken effect.
    pub journal_days_max: u64,
    /// Bytes of the journal.
    pub journal_bytes_max: u64,
    /// Days that the trail is kept: of leads, orders and withdrawals; nothing of it longer.
    pub trail_days_max: u64,
    /// Days that it is kept of what may have refreshed a contact.
    pub trail_refreshes_days_max: u64,
    /// Days that it is kept of events that name no address.
    pub trail_anonymous_days_max: u64,
    /// Bytes of the trail.
    pub trail_bytes_max: u64,
    /// Hours within which a message that comes again counts once.
    pub dedup_hours: u64,
    /// Messages remembered for that.
    pub dedup_entries_max: u64,
    /// Days that a silent person is kept.
    pub person_days_max: u64,
    /// Days that a silent anonymous id is kept.
    pub anonymous_days_max: u64,
    /// Refused contacts that are kept.
    pub dead_letters_max: u64,
    /// Days that changes of consent are kept; 0: as long as the person.
    pub consent_days_max: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            journal_days_max: 7,
            journal_bytes_max: 2_147_483_648,
            trail_days_max: 90,
            trail_refreshes_days_max: 7,
            trail_anonymous_days_max: 1,
            trail_bytes_max: 2_147_483_648,
            dedup_hours: 72,
            dedup_entries_max: 20_000_000,
            person_days_max: 400,
            anonymous_days_max: 30,
            dead_letters_max: 1_000_000,
            consent_days_max: 0,
        }
    }
}

impl RetentionConfig {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.journal_bytes_max < 16 * 1024 * 1024 {
            let expected = "16777216 (16 MiB) or more";
            problems.push(Problem::new("retention.journal_bytes_max", self.journal_bytes_max, expected));
        }
        if self.dead_letters_max == 0 {
            let expected = "1 or more: what Freshsales refuses is kept";
            problems.push(Problem::new("retention.dead_letters_max", self.dead_letters_max, expected));
        }
        for (key, value, min) in [
            ("trail_bytes_max", self.trail_bytes_max, 16 * 1024 * 1024),
            ("dedup_entries_max", self.dedup_entries_max, 1_000),
        ] {
            if value < min {
                problems.push(Problem::new(format!("retention.{key}"), value, format!("{min} or more")));
            }
        }
        for (key, value) in [
            ("journal_days_max", self.journal_days_max),
            ("trail_days_max", self.trail_days_max),
            ("trail_refreshes_days_max", self.trail_refreshes_days_max),
            ("trail_anonymous_days_max", self.trail_anonymous_days_max),
            ("dedup_hours", self.dedup_hours),
            ("person_days_max", self.person_days_max),
            ("anonymous_days_max", self.anonymous_days_max),
        ] {
            if !(1..=36_500).contains(&value) {
                problems.push(Problem::new(format!("retention.{key}"), value, "1 to 36500"));
            }
        }
        if self.consent_days_max > 36_500 {
            let expected = "0 (as long as the person) to 36500";
            problems.push(Problem::new("retention.consent_days_max", self.consent_days_max, expected));
        }
        problems
    }

    /// How many days and bytes of the trail are kept, by what it is worth. Leads and orders have half of the bytes for themselves,
    /// so that no crowd of page views pushes them out.
    #[must_use]
    pub fn trail(&self) -> Worths<TrailLimits> {
        let at_most = |days: u64, bytes| TrailLimits { days: days.min(self.trail_days_max), bytes };
        let (half, quarter) = (self.trail_bytes_max / 2, self.trail_bytes_max / 4);
        Worths {
            anonymous: at_most(self.trail_anonymous_days_max, quarter),
            refresh: at_most(self.trail_refreshes_days_max, quarter),
            conversion: at_most(self.trail_days_max, half),
        }
    }

    /// How long changes of consent are kept; `None`: as long as the person.
    #[must_use]
    pub fn consent(&self) -> Option<Duration> {
        let days = Some(self.consent_days_max).filter(|days| *days > 0);
        days.map(|days| Duration::from_hours(days.saturating_mul(24)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_trail_is_kept_longer_than_what_is_worth_most() {
        let days = |config: RetentionConfig| {
            let Worths { anonymous, refresh, conversion } = config.trail();
            (anonymous.days, refresh.days, conversion.days)
        };
        assert_eq!(days(RetentionConfig::default()), (1, 7, 90));
        assert_eq!(days(RetentionConfig { trail_days_max: 3, ..RetentionConfig::default() }), (1, 3, 3));
    }
}
