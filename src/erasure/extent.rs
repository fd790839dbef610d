//! How far an erasure reaches, and which events are the person's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Mark;
use crate::event::{Email, Stamp, id_in, parse_body};
use crate::person::{PersonId, PersonKey, Span, TimelineKey};
use crate::senders::{Ids, spelled};

/// An anonymous id of the person, and which part of its history is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which.
    pub key: TimelineKey,
    /// The stretches that are theirs; none: all of it, nobody else was seen with it.
    pub spans: Vec<Span>,
}

impl Device {
    fn holds(&self, stamp: &Stamp) -> bool {
        self.spans.is_empty() || self.spans.iter().any(|span| span.holds(stamp))
    }
}

/// What an event has to do with the people of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// It is theirs.
    Theirs,
    /// It is somebody else's and names one of their addresses.
    NamesThem,
    /// Nothing.
    Nothing,
}

/// How far an erasure reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The people who go.
    pub people: BTreeSet<PersonKey>,
    /// The addresses that are theirs alone.
    pub emails: BTreeSet<Email>,
    /// Addresses that somebody who stays has too.
    pub shared: BTreeSet<Email>,
    /// The anonymous ids they were seen with.
    pub devices: Vec<Device>,
}

impl Extent {
    /// What they are recognised by when they are spoken of again. A device that others use is none.
    pub fn marks(&self) -> impl Iterator<Item = Mark> + '_ {
        let people = self.people.iter().map(Mark::of);
        let emails = self.emails.iter().cloned().map(Mark::Email);
        let devices = self.devices.iter().filter(|device| device.spans.is_empty());
        people.chain(emails).chain(devices.map(|device| Mark::of_device(&device.key)))
    }

    /// Search strings: every stored document that mentions one of these people contains at least one of them.
    #[must_use]
    pub fn needles(&self) -> Vec<String> {
        let spelled = |email: &Email| [Some(email.as_str().to_owned()), email.as_written()];
        let emails = self.emails.iter().flat_map(spelled).flatten();
        let users = self.people.iter().filter_map(|key| match &key.id {
            PersonId::User(id) => {
                let in_timelines = format!("\"user\":{}", Value::from(id.as_str()));
                Some([in_timelines, Value::from(key.to_string()).to_string()])
            }
            PersonId::Email(_) | PersonId::Anonymous(_) => None,
        });
        // Deals name whoever spoke of them, devices too.
        let devices = self.devices.iter().map(|Device { key, .. }| {
            let id = PersonId::Anonymous(key.anonymous_id.clone());
            Value::from(PersonKey { people: key.people.clone(), id }.to_string()).to_string()
        });
        emails.chain(users.flatten()).chain(devices).collect()
    }

    /// Whether an event that counts for this key is theirs; `stamp` tells when it happened, where that matters.
    #[must_use]
    pub fn has(&self, key: &PersonKey, stamp: impl FnOnce() -> Stamp) -> bool {
        let PersonId::Anonymous(id) = &key.id else { return self.people.contains(key) };
        let known = self
            .devices
            .iter()
            .find(|device| device.key.people == key.people && device.key.anonymous_id == *id);
        known.is_some_and(|device| device.holds(&stamp()))
    }

    /// What an event of the journal has to do with them.
    #[must_use]
    pub fn concern(&self, people: &str, stamp: &Stamp, raw: &str) -> Concern {
        if raw.is_empty() || !self.may_concern(raw) {
            return Concern::Nothing;
        }
        let body = parse_body(raw);
        if self.is_theirs(people, stamp, &body) {
            return Concern::Theirs;
        }
        if names_any(&self.emails, &Value::Object(body)) { Concern::NamesThem } else { Concern::Nothing }
    }

    /// Most events of a journal are somebody else's: a look at the text spares building a tree. Where letters are
    /// written as escapes, or in other forms than the ones they are read as, the tree has to tell.
    fn may_concern(&self, raw: &str) -> bool {
        if raw.contains(['\\', '&']) || !raw.is_ascii() {
            return true;
        }
        let lower = raw.to_lowercase();
        let ids = self.people.iter().map(|key| match &key.id {
            PersonId::User(id) | PersonId::Anonymous(id) => id.as_str(),
            PersonId::Email(email) => email.as_str(),
        });
        let devices = self.devices.iter().map(|device| device.key.anonymous_id.as_str());
        let id_stands_there = ids.chain(devices).any(|id| raw.contains(id));
        id_stands_there || self.emails.iter().any(|email| forms(email).any(|form| lower.contains(&form)))
    }

    fn is_theirs(&self, people: &str, stamp: &Stamp, body: &Map<String, Value>) -> bool {
        let is_user = |id: &String| {
            self.people.contains(&PersonKey { people: people.to_owned(), id: PersonId::User(id.clone()) })
        };
        let on_device = |id: &String| {
            let known = self.devices.iter().find(|device| {
                device.key.people == people && device.key.anonymous_id == *id && device.holds(stamp)
            });
            known.is_some()
        };
        let id = |field| id_in(body, field).map(|id| spelled(&id));
        let user = id("userId").filter(|user| !Ids::built_in().is_junk(user) || is_user(user));
        let previous = id("previousId");
        // Who signed in on a shared device is told by the user id.
        let device = id("anonymousId").filter(|_| user.is_none());
        user.as_ref().is_some_and(is_user)
            || previous.as_ref().is_some_and(|id| is_user(id) || on_device(id))
            || device.as_ref().is_some_and(on_device)
    }
}

/// The forms in which an address stands in a text: as it is sent and as it is written, plain and as a part of a URL.
fn forms(email: &Email) -> impl Iterator<Item = String> {
    let spelled = [Some(email.as_str().to_owned()), email.as_written()].into_iter().flatten();
    spelled.flat_map(|text| [text.replace('@', "%40"), text])
}

/// Whether an address stands anywhere in a value.
fn names_any(emails: &BTreeSet<Email>, value: &Value) -> bool {
    let in_text = |text: &str| {
        let text = text.to_lowercase();
        emails.iter().flat_map(forms).any(|form| stands_in(&text, &form))
    };
    match value {
        Value::String(text) => in_text(text) || Email::parse(text).is_ok_and(|email| emails.contains(&email)),
        Value::Array(items) => items.iter().any(|item| names_any(emails, item)),
        Value::Object(fields) => fields.iter().any(|(name, value)| in_text(name) || names_any(emails, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether an address stands in a text as a whole, and not as a part of a longer one.
fn stands_in(text: &str, address: &str) -> bool {
    let of_address = |c: char| c.is_alphanumeric() || "_+-".contains(c);
    text.match_indices(address).any(|(at, found)| {
        let before = text.get(..at).unwrap_or_default();
        let escape = before.get(before.len().saturating_sub(3)..).is_some_and(|end| end.starts_with('%'));
        let before = before.chars().next_back().filter(|_| !escape);
        let mut after = text.get(at + found.len()..).unwrap_or_default().chars();
        let continues = match after.next() {
            Some('.') => after.next().is_some_and(of_address),
            Some(next) => of_address(next),
            None => false,
        };
        !continues && !before.is_some_and(|before| of_address(before) || before == '.')
    })
}
