//! A contact's place on a list: the list by what the mapping calls it, the contact by its address.
//!
//! Must not know whether the contact is on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{KEY_CHARS_MAX, NoSubject};
use crate::event::{Email, fold_name};

/// Contacts that one call puts on a list or takes off it at the most (the vendor documents no number; a hundred is what its
/// bulk calls take).
pub const LIST_CONTACTS_MAX: usize = 100;

/// A list of contacts by what the mapping calls it, in one spelling: case, spaces, `_` and `-` make no difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ListKey(String);

/// A contact's place on a list. As text `NAME:ADDRESS`: no address has a colon.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MemberKey {
    /// The list.
    pub list: ListKey,
    /// The address of the contact.
    pub email: Email,
}

impl ListKey {
    /// The key of a name; `None` where the text names nothing.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let key = fold_name(name.trim());
        let fits = !key.is_empty() && key.chars().count() <= KEY_CHARS_MAX;
        fits.then_some(Self(key))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.list, self.email.as_str())
    }
}

impl FromStr for MemberKey {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        let (list, email) = text.rsplit_once(':').ok_or(NoSubject)?;
        let email = Email::from_store(email).map_err(|_| NoSubject)?;
        Ok(Self { list: ListKey::of(list).ok_or(NoSubject)?, email })
    }
}

impl From<ListKey> for String {
    fn from(key: ListKey) -> Self {
        key.0
    }
}

impl From<MemberKey> for String {
    fn from(key: MemberKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for ListKey {
    type Error = NoSubject;

    fn try_from(text: String) -> Result<Self, NoSubject> {
        Self::of(&text).ok_or(NoSubject)
    }
}

impl TryFrom<String> for MemberKey {
    type Error = NoSubject;

    fn try_from(text: String) -> Result<Self, NoSubject> {
        text.parse()
    }
}
