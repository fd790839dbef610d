//! What a name turned out to be, and how that is said.

use super::kind::Kind;

/// Names of an account that are listed beside one it does not have.
pub const HAVE_MAX: usize = 20;

/// What a name turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The id of the one entry that has it.
    Id(u64),
    /// The account has no such entry.
    Unknown {
        /// What it has: at most [`HAVE_MAX`] names, none of people.
        have: Vec<String>,
        /// How many more it has.
        more: usize,
    },
    /// Several entries have it; another name for all but one of them would tell them apart.
    Several {
        /// Their ids.
        ids: Vec<u64>,
    },
    /// The account was not asked yet.
    NotAsked,
    /// The key may not see the list (403), as was seen of keys that write contacts and deals: an id can be given.
    Forbidden,
    /// The account answered something that is no such list.
    Unreadable,
}

impl Resolved {
    /// The id, where there is exactly one.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Unknown { .. }
            | Self::Several { .. }
            | Self::NotAsked
            | Self::Forbidden
            | Self::Unreadable => None,
        }
    }

    /// Why there is no id for this name, in a sentence without a full stop; `None` where there is one.
    ///
    /// `what` is one entry of the list, `inside` where it was looked for.
    #[must_use]
    pub fn why(&self, what: &str, name: &str, inside: Option<&str>) -> Option<String> {
        let inside = inside.map(|pipeline| format!(" in `{pipeline}`")).unwrap_or_default();
        self.sentence(&format!("{what} `{name}`{inside}"))
    }

    /// [`Self::why`] for a name that is looked up in a whole list. The address of a user is not repeated.
    #[must_use]
    pub fn why_of(&self, kind: Kind, name: &str) -> Option<String> {
        if kind == Kind::Owners {
            self.sentence("user with this email")
        } else {
            self.why(kind.one(), name, None)
        }
    }

    fn sentence(&self, which: &str) -> Option<String> {
        match self {
            Self::Id(_) => None,
            Self::Unknown { have, more } => {
                let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
                let have = if have.is_empty() {
                    String::new()
                } else {
                    format!("; it has {}{more}", have.join(", "))
                };
                Some(format!("the account has no {which}{have}"))
            }
            Self::Several { ids } => {
                let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
                let ids = ids.join(", ");
                Some(format!("the account has more than one {which} (ids {ids}): map the id in its place"))
            }
            Self::NotAsked => {
                Some(format!("the account was not asked yet for the {which}; it is sent once that is known"))
            }
            Self::Forbidden => Some(format!(
                "the key may not see the list that the {which} is looked up in (403): map the id in its place"
            )),
            Self::Unreadable => Some(format!(
                "the account answered no list that the {which} could be looked up in: map the id in its place"
            )),
        }
    }
}
