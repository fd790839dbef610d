//! The allowance: how many calls an account may make, who has used them, and what follows for whoever waits.
//!
//! Pure data and transitions. Must not know how a call is made or where a slot is stored.

mod adapt;
mod arrivals;
mod config;
mod forecast;
mod ledger;
mod limits;
mod quota;

#[cfg(test)]
mod tests;

pub use adapt::RateHint;
pub use arrivals::{Arrivals, Capacity, Opened, Pressure};
pub use config::{AllowanceConfig, AllowancePlan};
pub use forecast::{Forecast, LaneLoad, LaneOwed, Leaves, Means, Sharing, forecast, lanes_with};
pub use ledger::{Ledger, SlotId};
pub use limits::{AllowanceLimits, HOUR, MINUTE, Usage, Window};
pub use quota::{Quota, Quotas};
