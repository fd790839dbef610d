//! Retention: what has had its time goes, and people who were silent for long are let go, a little at a time.
//!
//! Must not decide who goes or what stays of somebody: that is the decision's.

mod config;
mod prune;
mod silence;

pub use config::{RetentionConfig, TrailLimits};
pub use prune::{patience, run};
pub use silence::{Patience, Retirement};
