//! Health: how the service stands, from one look at the store and what its parts know beside it. Counts, how long the backlog
//! takes, and what is wrong in words.
//!
//! Judges alone. Must not show, tell or change anything.

mod attributes;
mod leads;
mod nodes;
mod outlook;
mod outputs;
mod refusal;
mod risk;
mod risks;
mod snapshot;
mod standing;

pub use outlook::Added;
pub use refusal::{Advice, advice};
pub use risk::{Risk, RiskKind};
pub use risks::risks;
pub use snapshot::{LEADS, Snapshot, StoreReading, Vitals};
pub use standing::{Around, Standing, Tone, Way, of_allowance, standings};
