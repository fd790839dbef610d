//! Moving a store between the engines: a database into a data folder, and a data folder into an empty database.
//!
//! Rows go table by table as they are, a part at a time, and are read back and compared before anything counts. What fails
//! leaves nothing that could be served. Must not hold SQL, nor show what it moved.

pub(in crate::store) mod carried;
mod problem;
mod ways;

pub use problem::MovingError;
pub use ways::{Export, Import, Moved, Seen, export, import};
