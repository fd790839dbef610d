//! Bounds: what of a source leaves no faster than so many an hour.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::SourceName;

/// What bounds when a delivery is tried first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Bound {
    /// It makes a contact that a source named (`sources.*.new_contacts_per_hour_max`).
    NewContacts(SourceName),
    /// It tells Freshsales that somebody refused, said by a stranger through a source who merely named the address
    /// (`sources.*.withdrawals_per_hour_max`).
    Withdrawals(SourceName),
}

/// Stands before the name of the source; no name has a colon in it.
const WITHDRAWALS: &str = "withdrawals:";

impl Bound {
    /// Whose.
    #[must_use]
    pub fn source(&self) -> &SourceName {
        match self {
            Self::NewContacts(source) | Self::Withdrawals(source) => source,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewContacts(source) => f.write_str(&source.0),
            Self::Withdrawals(source) => write!(f, "{WITHDRAWALS}{}", source.0),
        }
    }
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        match text.strip_prefix(WITHDRAWALS) {
            Some(source) => Self::Withdrawals(SourceName(source.to_owned())),
            None => Self::NewContacts(SourceName(text)),
        }
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> Self {
        bound.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_reads_back_as_it_was_written() {
        let source = SourceName("website".to_owned());
        for (bound, text) in [
            (Bound::NewContacts(source.clone()), "website"),
            (Bound::Withdrawals(source), "withdrawals:website"),
        ] {
            assert_eq!((bound.to_string().as_str(), Bound::from(text.to_owned())), (text, bound));
        }
    }
}
