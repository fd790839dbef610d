//! What a person contributes to a contact that many share, as data. Must not add it up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::event::{Email, Stamp, Trust};
use crate::person::PersonKey;

/// One thing that a person says for a contact: whoever said the same later hides it. What servers and what visitors say is
/// not the same: the newest of either is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contribution {
    /// What it is about: an attribute, a category of consent and the like.
    pub what: String,
    /// When it was said.
    pub stamp: Stamp,
}

impl Contribution {
    pub(super) fn of(what: impl Into<String>, stamp: &Stamp) -> Self {
        let mut what = what.into();
        match stamp.trust {
            Trust::Server => {}
            Trust::Visitor => what.push_str(" by visitor"),
        }
        Self { what, stamp: Stamp { trust: Trust::default(), ..stamp.clone() } }
    }

    pub(super) fn at(what: impl Into<String>, at: UnixMicros) -> Self {
        Self { what: what.into(), stamp: Stamp { at, ..Stamp::default() } }
    }
}

/// What one person contributes to a contact, whole; nothing where they have no part in it any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contributed {
    /// The contact.
    pub email: Email,
    /// The person.
    pub member: PersonKey,
    /// In the order of what they are about, each once.
    pub contributions: Vec<Contribution>,
}

/// Crowds of a folder of an earlier version, which listed a hundred persons of a contact and forgot the rest: whoever else has
/// these addresses is still to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathering {
    /// The contacts.
    pub emails: BTreeSet<Email>,
}

/// How somebody in the working set stands to a crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// They were in it when they were loaded.
    Found,
    /// What they contribute is to be written.
    Joins,
    /// What they contributed goes.
    Leaves,
}
