//! The turn: one place at a time loads documents, has them decided on, and applies what was decided.
//!
//! Must not decide anything itself.

mod pace;

pub use pace::Pace;
