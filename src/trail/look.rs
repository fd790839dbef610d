//! Looks: who was shown a person, when and by which route.
//!
//! Pure data. Holds no address: of whom it was there is a keyed hash, by which one who is named is found.

use crate::clock::UnixMicros;

/// Somebody was shown a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at: UnixMicros,
    /// Whose token it was; empty where there is one for all, or none.
    pub who: String,
    /// By which route.
    pub route: String,
    /// The hash of the person's address; empty where it was many, or somebody without one.
    pub whom: String,
}
