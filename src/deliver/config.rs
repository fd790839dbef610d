//! The `[delivery]` and `[bulk]` sections of the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::bulk::Bulk;
use crate::allowance::Sharing;
use crate::config_problem::Problem;
use crate::contact::SendMode;
use crate::decision::RetryRules;
use crate::delivery::Lane;

/// Whether a backlog is worked off in bulk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkMode {
    /// No.
    #[default]
    Off,
    /// From `backlog_contacts_min` on.
    Backlog,
}

/// The `[bulk]` section: calls of up to 100 contacts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkConfig {
    /// Whether a backlog is worked off in bulk.
    pub mode: BulkMode,
    /// From how many owed contacts on.
    pub backlog_contacts_min: u64,
}

impl Default for BulkConfig {
    fn default() -> Self {
        Self { mode: BulkMode::Off, backlog_contacts_min: 200 }
    }
}

impl BulkConfig {
    /// How a backlog shares calls before anything is known of how they go.
    #[must_use]
    pub fn sharing(&self) -> Option<Sharing> {
        Bulk::restored(self.mode, Vec::new(), Duration::ZERO).sharing(self.backlog_contacts_min)
    }

    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        if (1..=1_000_000).contains(&self.backlog_contacts_min) {
            return Vec::new();
        }
        vec![Problem::new("bulk.backlog_contacts_min", self.backlog_contacts_min, "1 to 1000000")]
    }
}

/// The `[delivery]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryConfig {
    /// Calls on their way at one time.
    pub concurrency_max: u32,
    /// How long log-ins and refreshes wait for more changes.
    pub hold_seconds: u64,
    /// What later calls carry.
    pub send: SendMode,
    /// How much of the limits each lane may use up to.
    pub lane_share_percent: BTreeMap<Lane, u32>,
    /// The first wait after a failure.
    pub retry_first_seconds: u64,
    /// The longest wait.
    pub retry_max_seconds: u64,
    /// A contact that fails this long while others are answered is given up.
    pub give_up_after_hours: u64,
    /// A contact that was not sent for this long is sent whole again; 0: never.
    pub resend_unchanged_after_hours: u64,
}

/// Up to how much of the limits a lane may make calls.
fn default_share(lane: Lane) -> u32 {
    match lane {
        Lane::Withdrawal | Lane::NewContact => 100,
        Lane::Conversion => 95,
        Lane::Login => 75,
        Lane::Refresh => 60,
        Lane::Backfill => 50,
    }
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            concurrency_max: 8,
            hold_seconds: 0,
            send: SendMode::default(),
            lane_share_percent: BTreeMap::new(),
            retry_first_seconds: 1,
            retry_max_seconds: 300,
            give_up_after_hours: 72,
            resend_unchanged_after_hours: 0,
        }
    }
}

impl DeliveryConfig {
    /// The share of a lane.
    #[must_use]
    pub fn share_percent(&self, lane: Lane) -> u32 {
        self.lane_share_percent.get(&lane).copied().unwrap_or_else(|| default_share(lane))
    }

    /// The shares of all lanes.
    #[must_use]
    pub fn shares(&self) -> BTreeMap<Lane, u32> {
        Lane::BY_PRECEDENCE.map(|lane| (lane, self.share_percent(lane))).into()
    }

    /// How long after it was sent last a contact is sent again though nothing changed.
    #[must_use]
    pub fn resend_after(&self) -> Option<Duration> {
        let hours = self.resend_unchanged_after_hours;
        (hours > 0).then(|| Duration::from_hours(hours))
    }

    /// The keys that are read at the start alone and differ in `new`.
    #[must_use]
    pub fn fixed_changes(&self, new: &Self) -> Vec<&'static str> {
        let compared = [
            ("concurrency_max", self.concurrency_max == new.concurrency_max),
            ("lane_share_percent", self.lane_share_percent == new.lane_share_percent),
        ];
        compared.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }

    /// The same, with the keys that are read at the start alone as in `new`.
    #[must_use]
    pub fn with_fixed_of(&self, new: &Self) -> Self {
        let lane_share_percent = new.lane_share_percent.clone();
        Self { concurrency_max: new.concurrency_max, lane_share_percent, ..self.clone() }
    }

    /// How failures are tried again.
    #[must_use]
    pub fn retry(&self) -> RetryRules {
        RetryRules {
            first: Duration::from_secs(self.retry_first_seconds),
            max: Duration::from_secs(self.retry_max_seconds),
            give_up_after: Duration::from_hours(self.give_up_after_hours),
        }
    }

    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=64).contains(&self.concurrency_max) {
            problems.push(Problem::new("delivery.concurrency_max", self.concurrency_max, "1 to 64"));
        }
        for (lane, share) in &self.lane_share_percent {
            if !(1..=100).contains(share) {
                let key = format!("delivery.lane_share_percent.{}", lane.as_str());
                problems.push(Problem::new(&key, share, "1 to 100"));
            }
        }
        if self.hold_seconds > 86_400 {
            problems.push(Problem::new("delivery.hold_seconds", self.hold_seconds, "0 to 86400"));
        }
        if self.retry_first_seconds == 0 || self.retry_first_seconds > self.retry_max_seconds {
            let expected = "1 to delivery.retry_max_seconds";
            problems.push(Problem::new("delivery.retry_first_seconds", self.retry_first_seconds, expected));
        }
        if !(1..=86_400).contains(&self.retry_max_seconds) {
            problems.push(Problem::new("delivery.retry_max_seconds", self.retry_max_seconds, "1 to 86400"));
        }
        if !(1..=8_760).contains(&self.give_up_after_hours) {
            problems.push(Problem::new(
                "delivery.give_up_after_hours",
                self.give_up_after_hours,
                "1 to 8760",
            ));
        }
        if self.resend_unchanged_after_hours > 87_600 {
            let hours = self.resend_unchanged_after_hours;
            problems.push(Problem::new("delivery.resend_unchanged_after_hours", hours, "0 (never) to 87600"));
        }
        problems
    }
}
