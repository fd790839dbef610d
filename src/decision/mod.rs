//! THE decision: what an event means for people and contacts, and what is owed then.

mod outcome;

pub use outcome::Outcome;
