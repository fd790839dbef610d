//! The person: who somebody is to us and what is known of them.
//!
//! What is known is a join of what single events said, so it is the same for every order of arrival.
//! Must not know contacts, mapping rules or storage.

mod called;
mod facts;
mod tally;
mod timeline;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use called::words_of;
pub use facts::{Claim, EMAILS_MAX, Facts, Said, Strength};
pub use tally::{THINGS_MAX, Tally, Thing, ThingSaid};
pub use timeline::{BYTES_MAX, ENTRIES_MAX, Entry, Inserted, Span, Timeline};

use crate::event::Email;

/// Anonymous ids whose statements a person holds apart; the oldest beyond that become the person's own for
/// good.
pub const BORROWED_MAX: usize = 100;
/// Bytes of those, about, as JSON; beyond it the same.
pub const BORROWED_BYTES_MAX: usize = 64 * 1024;
/// Addresses named by events of a person whose statements are held apart.
pub const NAMED_MAX: usize = 20;
/// Bytes of those, about, as JSON; beyond it the least recently said are dropped as well.
pub const NAMED_BYTES_MAX: usize = 64 * 1024;

/// The name space that all sources share unless `sources.*.people` says otherwise.
pub const DEFAULT_PEOPLE: &str = "default";

/// What a person is recognised by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonId {
    /// The site's own id of a user.
    User(String),
    /// Nobody said a user id, but an event named an address.
    Email(Email),
    /// Nothing is known but a device.
    Anonymous(String),
}

/// A person in a name space. As text: `user:42`, `email:a@b.c`, `anonymous:…`, with `space/` before it when
/// the name space is not the default one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PersonKey {
    /// The name space (`sources.*.people`).
    pub people: String,
    /// Who in it.
    pub id: PersonId,
}

/// An anonymous id in a name space: the key of a [`Timeline`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimelineKey {
    /// The name space (`sources.*.people`).
    pub people: String,
    /// The anonymous id.
    pub anonymous_id: String,
}

/// A text that names no person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a person is written user:ID, email:ADDRESS or anonymous:ID, with SPACE/ before it outside the default"
)]
pub struct NoPerson;

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.people != DEFAULT_PEOPLE {
            write!(f, "{}/", self.people)?;
        }
        match &self.id {
            PersonId::User(id) => write!(f, "user:{id}"),
            PersonId::Email(email) => write!(f, "email:{}", email.as_str()),
            PersonId::Anonymous(id) => write!(f, "anonymous:{id}"),
        }
    }
}

impl FromStr for PersonKey {
    type Err = NoPerson;

    fn from_str(text: &str) -> Result<Self, NoPerson> {
        let (head, id) = text.split_once(':').ok_or(NoPerson)?;
        let (people, kind) = head.rsplit_once('/').unwrap_or((DEFAULT_PEOPLE, head));
        let id = match kind {
            "user" => PersonId::User(id.to_owned()),
            "email" => PersonId::Email(Email::from_store(id).map_err(|_| NoPerson)?),
            "anonymous" => PersonId::Anonymous(id.to_owned()),
            _ => return Err(NoPerson),
        };
        Ok(Self { people: people.to_owned(), id })
    }
}

impl From<PersonKey> for String {
    fn from(key: PersonKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for PersonKey {
    type Error = NoPerson;

    fn try_from(text: String) -> Result<Self, NoPerson> {
        text.parse()
    }
}

/// What is held on one person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What events of this very person said.
    pub own: Facts,
    /// What events of this person said that named an address in their properties, by that address. It counts
    /// when the address is the person's; otherwise it is a friend's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<Email, Facts>,
    /// What stretches of anonymous ids give to this person, by anonymous id. Replaced whenever a time line
    /// changes, so a late link moves what it should.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub borrowed: BTreeMap<String, Facts>,
}

impl Person {
    /// Everything that counts for this person, joined.
    #[must_use]
    pub fn facts(&self) -> Cow<'_, Facts> {
        if self.named.is_empty() && self.borrowed.is_empty() {
            return Cow::Borrowed(&self.own);
        }
        let mut facts = self.own.clone();
        for borrowed in self.borrowed.values() {
            facts.join(borrowed);
        }
        let mut with_named = facts.clone();
        for (email, named) in &self.named {
            if facts.owns(email) {
                with_named.join(named);
            }
        }
        Cow::Owned(with_named)
    }

    /// Sets what the stretches of one anonymous id give to this person; tells whether that changed anything.
    pub fn borrow_from(&mut self, anonymous_id: &str, facts: Option<Facts>) -> bool {
        match facts.filter(|facts| !facts.is_empty()) {
            Some(facts) if self.borrowed.get(anonymous_id) == Some(&facts) => return false,
            Some(facts) => {
                self.borrowed.insert(anonymous_id.to_owned(), facts);
            }
            None => return self.borrowed.remove(anonymous_id).is_some(),
        }
        let mut bytes: usize = self.borrowed.values().map(Facts::weight).sum();
        while self.borrowed.len() > BORROWED_MAX || (bytes > BORROWED_BYTES_MAX && self.borrowed.len() > 1) {
            let oldest = self.borrowed.iter().min_by_key(|(id, facts)| (facts.newest(), (*id).clone()));
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            if let Some(facts) = self.borrowed.remove(&oldest) {
                bytes = bytes.saturating_sub(facts.weight());
                self.own.join(&facts);
            }
        }
        true
    }

    /// Forgets what was said of an address that is not this person's own.
    pub fn forget_email(&mut self, email: &Email) {
        self.named.remove(email);
        self.own.emails.remove(email);
        for borrowed in self.borrowed.values_mut() {
            borrowed.emails.remove(email);
        }
    }

    /// Every address that stands in it.
    pub fn emails(&self) -> impl Iterator<Item = &Email> {
        let named = self.named.iter().flat_map(|(email, facts)| facts.emails.keys().chain([email]));
        let borrowed = self.borrowed.values().flat_map(|facts| facts.emails.keys());
        self.own.emails.keys().chain(named).chain(borrowed)
    }

    /// Gives every address the spelling it has now.
    pub fn respell_emails(&mut self) {
        self.own.respell_emails();
        self.borrowed.values_mut().for_each(Facts::respell_emails);
        for (email, mut facts) in std::mem::take(&mut self.named) {
            facts.respell_emails();
            self.named.entry(email.respelled().unwrap_or(email)).or_default().join(&facts);
        }
    }

    /// Makes what an anonymous id gave to this person their own for good.
    pub fn keep_borrowed(&mut self, anonymous_id: &str) {
        if let Some(facts) = self.borrowed.remove(anonymous_id) {
            self.own.join(&facts);
        }
    }

    /// Keeps what an event of this person said that named `email` in its properties.
    pub fn name(&mut self, email: &Email, said: &Said, stamp: &crate::event::Stamp) {
        self.named.entry(email.clone()).or_default().learn(said, stamp);
        let mut bytes: usize = self.named.values().map(Facts::weight).sum();
        while self.named.len() > NAMED_MAX || (bytes > NAMED_BYTES_MAX && self.named.len() > 1) {
            let oldest = self.named.iter().min_by_key(|(email, facts)| (facts.newest(), (*email).clone()));
            let Some(oldest) = oldest.map(|(email, _)| email.clone()) else {
                break;
            };
            bytes = bytes.saturating_sub(self.named.remove(&oldest).map_or(0, |facts| facts.weight()));
        }
    }
}
