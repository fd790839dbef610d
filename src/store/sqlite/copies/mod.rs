//! Backups: taken while a service runs or not, looked at, and restored.
//!
//! A backup is a folder with a copy of the state, one of the journal that is never behind it, the admin token, where that
//! was asked for the settings of the page with their secrets, and a manifest that was written last. What was said after it is not in it; who was erased or withdrew consent after it is in a record
//! beside it ([`super::withdrawn`]), which a restore applies before anything else happens. Must not open the files of a running
//! service otherwise than as databases: that would take its locks away.

mod afterwards;
mod manifest;
mod pair;
mod problem;
mod restore;
mod settings;
mod take;
mod verify;

#[cfg(test)]
mod tests;

pub use afterwards::Applied;
pub use manifest::{Entry, Manifest};
pub use problem::CopyError;
pub use restore::{RestoreOrder, Restored, restore};
pub use settings::SETTINGS_FILES;
pub use take::{back_up, back_up_with_settings};
pub use verify::{Verified, verify};

#[cfg(feature = "postgres")]
pub(super) use {manifest::MANIFEST_FILE, pair::Pair};
