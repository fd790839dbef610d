//! The turn: one place at a time loads documents, has them decided on, and applies what was decided.
//!
//! Must not decide anything itself.

mod events;
mod flow;
mod pace;
mod stage;
mod stalls;

pub use events::{
    Batch, Decide, Undecided, decide_on, erase_failed, put_aside, reading_of, retry, trail_of, world_for,
};
pub use flow::{Flow, FlowAlarm, FlowWatch, Rates};
pub use pace::Pace;
pub use stage::{Next, Stage, backoff, run};
pub use stalls::Stalls;
