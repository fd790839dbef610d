//! Health: how the service stands, from one look at the store and what its parts know beside it. Counts, how long the backlog
//! takes, and what is wrong in words.
//!
//! Judges alone. Must not show, tell or change anything.

mod attributes;
mod outlook;
mod outputs;
mod risks;
mod snapshot;

pub use outlook::Added;
pub use risks::{Risk, RiskKind, risks};
pub use snapshot::{Snapshot, StoreReading, Vitals};
