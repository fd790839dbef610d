//! The `[allowance]` section of the configuration.

use serde::Deserialize;

use super::AllowanceLimits;
use crate::config_problem::Problem;

/// The plans of Freshsales and the calls an hour they allow an account (Freshworks' own pages).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowancePlan {
    /// 1,000 an hour.
    Free,
    /// 1,000 an hour.
    #[default]
    Growth,
    /// 2,000 an hour.
    Pro,
    /// 5,000 an hour.
    Enterprise,
}

/// Calls a minute that every plan allows beside the hour.
const PER_MINUTE: u32 = 400;

impl AllowancePlan {
    fn per_hour(self) -> u32 {
        match self {
            Self::Free | Self::Growth => 1_000,
            Self::Pro => 2_000,
            Self::Enterprise => 5_000,
        }
    }
}

/// The `[allowance]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AllowanceConfig {
    /// The plan of the account.
    pub plan: AllowancePlan,
    /// Calls an hour; 0: what the plan allows.
    pub per_hour: u32,
    /// Calls a minute; 0: what the plan allows.
    pub per_minute: u32,
    /// Left for the account's other integrations.
    pub reserve_percent: u32,
}

impl Default for AllowanceConfig {
    fn default() -> Self {
        Self { plan: AllowancePlan::default(), per_hour: 0, per_minute: 0, reserve_percent: 10 }
    }
}

impl AllowanceConfig {
    /// How many calls may be made.
    #[must_use]
    pub fn limits(&self) -> AllowanceLimits {
        let less = |limit: u32| {
            let kept = u64::from(limit) * u64::from(100_u32.saturating_sub(self.reserve_percent)) / 100;
            u32::try_from(kept).unwrap_or(limit).max(1)
        };
        let whole = self.of_the_account();
        AllowanceLimits { per_hour: less(whole.per_hour), per_minute: less(whole.per_minute) }
    }

    /// How many calls the account has, those that are left to others included.
    #[must_use]
    pub fn of_the_account(&self) -> AllowanceLimits {
        let chosen = |number: u32, plan: u32| if number == 0 { plan } else { number };
        AllowanceLimits {
            per_hour: chosen(self.per_hour, self.plan.per_hour()),
            per_minute: chosen(self.per_minute, PER_MINUTE),
        }
    }

    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        if self.reserve_percent < 100 {
            return Vec::new();
        }
        vec![Problem::new(
            "allowance.reserve_percent",
            self.reserve_percent,
            "0 to 99: something must be left for us",
        )]
    }
}
