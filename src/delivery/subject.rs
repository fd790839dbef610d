//! The subject of a delivery: which record of the CRM a call is about.
//!
//! Must not know what such a record holds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::{CallKind, HappeningId, KEY_CHARS_MAX, MemberKey, NoSubject};
use crate::event::Email;

/// What a call is about: a record of the CRM that is kept current, or something that is told once. As text `contact:ADDRESS`,
/// `company:NAME`, `deal:PEOPLE/KIND/KEY`, `happening:ID`, `list:NAME:ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Subject {
    /// A contact, by its address.
    Contact(Email),
    /// A company (a `sales_account` of Freshsales), by its name.
    Company(CompanyKey),
    /// A deal, by its kind and the site's own key, such as the number of an order.
    Deal(DealKey),
    /// A note, an activity or a task, by the message that it follows from.
    Happening(HappeningId),
    /// A contact's place on a list, by the name of the list and the address.
    Member(MemberKey),
}

/// A company by its name, in one spelling: what differs in case, in spaces around it or in the number of spaces within is
/// the same company.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CompanyKey(String);

/// A deal: the name space of its people, its kind (`[deals.KIND]`), and its key there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DealKey {
    people: String,
    kind: String,
    key: String,
}

impl Subject {
    /// What kind of record it is, which is what a right of the CRM is given for.
    #[must_use]
    pub fn kind(&self) -> CallKind {
        match self {
            Self::Contact(_) => CallKind::Contact,
            Self::Company(_) => CallKind::Company,
            Self::Deal(_) => CallKind::Deal,
            Self::Happening(id) => id.kind().call_kind(),
            Self::Member(_) => CallKind::List,
        }
    }

    /// The address of a contact; `None` for every other record.
    #[must_use]
    pub fn contact(&self) -> Option<&Email> {
        match self {
            Self::Contact(email) => Some(email),
            Self::Company(_) | Self::Deal(_) | Self::Happening(_) | Self::Member(_) => None,
        }
    }
}

impl Subject {
    /// A contact's place on a list; `None` for everything else.
    #[must_use]
    pub fn member(&self) -> Option<&MemberKey> {
        match self {
            Self::Member(key) => Some(key),
            Self::Contact(_) | Self::Company(_) | Self::Deal(_) | Self::Happening(_) => None,
        }
    }
}

/// Reads a stored subject; a bare address, as it was stored when there were contacts alone, is a contact's. No address has
/// a colon, so the two can't be taken for each other.
pub(super) fn stored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
    let text = String::deserialize(deserializer)?;
    let address = || Email::from_store(&text).map(Subject::Contact);
    text.parse().or_else(|_| address()).map_err(serde::de::Error::custom)
}

impl CompanyKey {
    /// The key of a name; `None` where the text names nothing.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let key = name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let fits = !key.is_empty() && key.chars().count() <= KEY_CHARS_MAX;
        fits.then_some(Self(key))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DealKey {
    /// A deal of a kind. `None` where the key names nothing, or a part could not be told from the next in text.
    #[must_use]
    pub fn of(people: &str, kind: &str, key: &str) -> Option<Self> {
        let key = key.trim();
        let name = |text: &str| !text.is_empty() && !text.contains('/');
        let fits = name(people) && name(kind) && !key.is_empty() && key.chars().count() <= KEY_CHARS_MAX;
        fits.then(|| Self { people: people.to_owned(), kind: kind.to_owned(), key: key.to_owned() })
    }

    /// The name space of its people.
    #[must_use]
    pub fn people(&self) -> &str {
        &self.people
    }

    /// Its kind: the name of its table in the mapping.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its key within the kind.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for CompanyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.people, self.kind, self.key)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contact(email) => write!(f, "contact:{}", email.as_str()),
            Self::Company(key) => write!(f, "company:{key}"),
            Self::Deal(key) => write!(f, "deal:{key}"),
            Self::Happening(id) => write!(f, "happening:{id}"),
            Self::Member(key) => write!(f, "list:{key}"),
        }
    }
}

impl FromStr for CompanyKey {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        Self::of(text).ok_or(NoSubject)
    }
}

impl FromStr for DealKey {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(people), Some(kind), Some(key)) => Self::of(people, kind, key).ok_or(NoSubject),
            _ => Err(NoSubject),
        }
    }
}

impl FromStr for Subject {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        match text.split_once(':') {
            Some(("contact", email)) => Email::from_store(email).map(Self::Contact).map_err(|_| NoSubject),
            Some(("company", key)) => key.parse().map(Self::Company),
            Some(("deal", key)) => key.parse().map(Self::Deal),
            Some(("happening", id)) => id.parse().map(Self::Happening),
            Some(("list", key)) => key.parse().map(Self::Member),
            _ => Err(NoSubject),
        }
    }
}

impl From<Email> for Subject {
    fn from(email: Email) -> Self {
        Self::Contact(email)
    }
}

impl From<CompanyKey> for Subject {
    fn from(key: CompanyKey) -> Self {
        Self::Company(key)
    }
}

impl From<DealKey> for Subject {
    fn from(key: DealKey) -> Self {
        Self::Deal(key)
    }
}

impl From<HappeningId> for Subject {
    fn from(id: HappeningId) -> Self {
        Self::Happening(id)
    }
}

impl From<MemberKey> for Subject {
    fn from(key: MemberKey) -> Self {
        Self::Member(key)
    }
}

impl From<CompanyKey> for String {
    fn from(key: CompanyKey) -> Self {
        key.0
    }
}

impl From<DealKey> for String {
    fn from(key: DealKey) -> Self {
        key.to_string()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for CompanyKey {
    type Error = NoSubject;

    fn try_from(text: String) -> Result<Self, NoSubject> {
        text.parse()
    }
}

impl TryFrom<String> for DealKey {
    type Error = NoSubject;

    fn try_from(text: String) -> Result<Self, NoSubject> {
        text.parse()
    }
}

impl TryFrom<String> for Subject {
    type Error = NoSubject;

    fn try_from(text: String) -> Result<Self, NoSubject> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_reads_back_as_it_is_written() {
        for text in [
            "contact:jane@example.com",
            "company:acme inc.",
            "deal:default/order/A-10/01: x",
            "happening:note-4F7K2Q9XZC0HJMNP",
            "list:newsletter:monthly:jane@example.com",
        ] {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "jane@example.com",
            "contact:jane",
            "company: ",
            "deal:default/order",
            "deal:a//b",
            "list:x:y",
            "list::a@b.example",
        ] {
            assert_eq!(text.parse::<Subject>(), Err(NoSubject), "{text}");
        }
    }

    #[test]
    fn a_company_has_one_spelling() {
        assert_eq!(CompanyKey::of("  ACME \t Inc. "), CompanyKey::of("Acme Inc."));
        assert_eq!(CompanyKey::of(" "), None);
        assert_eq!(CompanyKey::of(&"x".repeat(KEY_CHARS_MAX + 1)), None);
    }
}
