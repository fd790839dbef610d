//! Causes: what may be wrong with the service so that a person is to be told; since when it is, whether they were told, and
//! when it was over.
//!
//! Pure: `now` is an argument. Must not know how anybody is told, or judge what is wrong.

mod alert;
mod board;
mod kind;

pub use alert::{Alert, Course, Level, Note};
pub use board::{Beat, Board};
pub use kind::Cause;
