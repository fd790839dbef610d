//! Backups: taken while a service runs or not, looked at, and restored.
//!
//! A backup is a folder with a copy of the state, one of the journal that is never behind it, the admin token, and a manifest
//! that was written last. What was said after it is not in it; who was erased or withdrew consent after it is in a record
//! beside it ([`super::withdrawn`]), which a restore applies before anything else happens. Must not open the files of a running
//! service otherwise than as databases: that would take its locks away.

mod afterwards;
mod manifest;
mod pair;
mod problem;
mod restore;
mod take;
mod verify;

#[cfg(test)]
mod tests;

pub use afterwards::Applied;
pub use manifest::{Entry, Manifest};
pub use problem::CopyError;
pub use restore::{RestoreOrder, Restored, restore};
pub use take::back_up;
pub use verify::{Verified, verify};

#[cfg(feature = "postgres")]
pub(super) use {manifest::MANIFEST_FILE, pair::Pair};
