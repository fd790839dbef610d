//! The deal: what events said of it, how it stands with each account, and which call it needs next.
//!
//! Pure. Must not know the mapping, contacts or storage.

mod body;
mod names;
mod stage;
mod standing;
mod step;

#[cfg(test)]
mod stage_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::delivery::Account;
use crate::event::{Email, Stamp};
use crate::person::{Facts, PersonKey, Said};

pub use body::{create_body, found_in, key_at_end, key_in_name, open_in, seen_in, text_of, update_body};
pub use names::{name_of_attribute, pipeline, resolve};
pub use stage::{UnknownStage, closes_unbelieved, is_called, wanted_stage};
pub use standing::{
    Asked, Birth, CANDIDATES_MAX, Candidate, Carried, HeldBack, InFlight, Refused, Seen, Standing,
};
pub use step::{LOOKS_MAX, Next, SEEN_COUNTS, Wish, next};

/// Attributes by name; `stage` and `pipeline` among them, custom fields as `custom_field.cf_*`.
pub type Attributes = BTreeMap<String, serde_json::Value>;

/// The attribute that holds the stage by its name.
pub const STAGE: &str = "stage";
/// The attribute that holds the pipeline by its name.
pub const PIPELINE: &str = "pipeline";
/// The attribute that says why a deal was lost.
pub const REASON: &str = "reason";
/// Persons of one deal that are kept; of more the newest. A deal with more is shown with these as its contacts.
pub const PERSONS_MAX: usize = 20;
/// Events, by name, of which it is remembered when they last spoke of a deal; of more the newest.
pub const EVENTS_MAX: usize = 64;

/// What is known of one deal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deal {
    /// When each event, by the name its rule has, last spoke of it. Which stage that means is the mapping's to say, so that a
    /// corrected mapping corrects the deal.
    pub events: BTreeMap<String, Stamp>,
    /// What was said at the paths that the mapping reads of it.
    pub said: Facts,
    /// Whose it is, with the last time each was said to be.
    pub persons: BTreeMap<PersonKey, Stamp>,
    /// When the first event of it was received.
    pub first_received_at: Option<UnixMicros>,
    /// The address of its contact when it was last evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// How it stands with each Freshsales account.
    pub standing: BTreeMap<Account, Standing>,
    /// It was finished and nobody spoke of it for long: since then nothing but its births is kept, and not for long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<UnixMicros>,
}

/// What one event says of a deal.
#[derive(Clone, Debug, PartialEq)]
pub struct DealSaid<'a> {
    /// The event's name, as its rule has it.
    pub event: &'a str,
    /// Values by path.
    pub said: &'a Said,
    /// Whose event it is, if it is anybody's.
    pub person: Option<&'a PersonKey>,
    /// When it happened.
    pub stamp: &'a Stamp,
    /// When it was received.
    pub received_at: UnixMicros,
}

impl Deal {
    /// Takes in what one event says. In whatever order events come, and however often, the deal ends the same.
    pub fn learn(&mut self, said: &DealSaid<'_>) {
        newest(&mut self.events, said.event.to_owned(), said.stamp, EVENTS_MAX);
        self.said.learn(said.said, said.stamp);
        if let Some(person) = said.person {
            newest(&mut self.persons, person.clone(), said.stamp, PERSONS_MAX);
        }
        self.received(Some(said.received_at));
    }

    /// Takes in everything that `other` was told by events. How either stands with accounts is not joined: a call is made by
    /// one of them.
    pub fn join(&mut self, other: &Self) {
        for (event, stamp) in &other.events {
            newest(&mut self.events, event.clone(), stamp, EVENTS_MAX);
        }
        for (person, stamp) in &other.persons {
            newest(&mut self.persons, person.clone(), stamp, PERSONS_MAX);
        }
        self.said.join(&other.said);
        self.received(other.first_received_at);
    }

    fn received(&mut self, at: Option<UnixMicros>) {
        self.first_received_at = [self.first_received_at, at].into_iter().flatten().min();
    }

    /// Whose it is, the newest first. Where a server says whose it is, nobody else is asked: numbers of orders can be guessed.
    pub fn persons_newest_first(&self) -> impl Iterator<Item = (&PersonKey, &Stamp)> {
        let trust = self.persons.values().map(|stamp| stamp.trust).max();
        let believed = self.persons.iter().filter(|(_, stamp)| Some(stamp.trust) == trust);
        let persons: BTreeSet<_> = believed.map(|(person, stamp)| (stamp, person)).collect();
        persons.into_iter().rev().map(|(stamp, person)| (person, stamp))
    }

    /// When it was last spoken of.
    #[must_use]
    pub fn newest(&self) -> Option<&Stamp> {
        self.events.values().max()
    }

    /// How it stands with an account.
    #[must_use]
    pub fn with(&self, account: &Account) -> Standing {
        self.standing.get(account).cloned().unwrap_or_default()
    }

    /// What stays where nothing of the people it was about may: whether accounts have it, so that it is not created twice.
    #[must_use]
    pub fn only_births(&self) -> Self {
        let birth = |standing: &Standing| {
            let mut standing = standing.clone();
            // A call on its way may create it.
            standing.unanswered();
            Standing { birth: standing.birth, gone_at: standing.gone_at, ..Standing::default() }
        };
        let births = self.standing.iter().map(|(account, standing)| (account.clone(), birth(standing)));
        let standing = births.filter(|(_, standing)| *standing != Standing::default()).collect();
        Self { standing, retired_at: self.retired_at, ..Self::default() }
    }

    /// Whether a call is owed, on its way or refused, with any account.
    #[must_use]
    pub fn awaits_a_call(&self) -> bool {
        self.standing.values().any(|standing| standing.open.is_some() || standing.in_flight.is_some())
    }

    /// What it is found by when a person or a contact changes: the address of its contact; while it has none, the text of its
    /// newest person's key.
    #[must_use]
    pub fn found_by(&self) -> Option<String> {
        let person = || self.persons_newest_first().next().map(|(person, _)| person.to_string());
        self.email.as_ref().map(|email| email.as_str().to_owned()).or_else(person)
    }

    /// The word of what holds it back with an account, if anything does.
    #[must_use]
    pub fn held(&self, account: &Account) -> Option<&'static str> {
        self.standing.get(account)?.held.as_ref().map(HeldBack::as_str)
    }
}

/// Keeps the stamp of each key that counts most, the newest of those that are believed equally, and of too many keys those that
/// count most: whatever is left out counts less than each that stays, so the order of arrival makes no difference.
fn newest<K: Ord + Clone>(known: &mut BTreeMap<K, Stamp>, key: K, stamp: &Stamp, max: usize) {
    let last = known.entry(key).or_insert_with(|| stamp.clone());
    if stamp.rank() > last.rank() {
        *last = stamp.clone();
    }
    if known.len() > max
        && let Some(oldest) =
            known.iter().min_by_key(|(key, stamp)| (stamp.rank(), *key)).map(|(key, _)| key.clone())
    {
        known.remove(&oldest);
    }
}
