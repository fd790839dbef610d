//! Facts: what a set of events said about somebody, as a join of what each said.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tally::{Tally, ThingSaid};
use crate::clock::UnixMicros;
use crate::consent::{self, Category, Choice, Shown, Spoken, Stand};
use crate::delivery::Lane;
use crate::event::{Email, Fww, Lww, Stamp, Stamped, Trust};

/// Addresses remembered of one person; the least recently said are dropped first.
pub const EMAILS_MAX: usize = 50;

/// How firmly an event says that an address is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// In the traits: this is the person's address.
    Trait,
    /// In the properties of a mapped event: the person's address unless the traits name another.
    Property,
    /// An id of the person looks like it: the person's address while nobody said one.
    Id,
}

/// What one event says about one person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Values by the path they stood at (`traits.phone`, `properties.phone`).
    pub values: BTreeMap<String, Value>,
    /// Those of them whose first statement counts, not the newest.
    pub firsts: BTreeSet<String>,
    /// Values that count only while nobody said an earlier one at their path: what an event says that is not mapped.
    pub came_with: BTreeMap<String, Value>,
    /// What it says of a thing of each set that is counted.
    pub tallied: BTreeMap<String, ThingSaid>,
    /// What the person said of consent, by category.
    pub consent: BTreeMap<Category, consent::Statement>,
    /// What a consent tool shows of its state, by category.
    pub consent_shown: BTreeMap<Category, consent::Statement>,
    /// The browser asked not to be tracked or sold (Global Privacy Control).
    pub privacy_control: bool,
    /// The addresses it names.
    pub emails: Vec<(Email, Strength)>,
    /// An address that is no use, fit to be shown.
    pub unusable: Option<String>,
    /// It is a mapped event, in this lane.
    pub mapped: Option<Lane>,
    /// It is a mapped event that needs no consent; when it was received.
    pub exempt: Option<UnixMicros>,
}

impl Said {
    /// Whether it says nothing, leaving aside what somebody came with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let names_none = self.emails.iter().all(|(_, strength)| *strength == Strength::Id);
        let silent =
            self.values.is_empty() && self.tallied.is_empty() && self.consent.is_empty() && names_none;
        silent && self.consent_shown.is_empty() && !self.privacy_control && self.mapped.is_none()
    }
}

/// When and how an address was said to be somebody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The first time it was named.
    pub first_at: UnixMicros,
    /// The last time the traits named it; of a server's and a visitor's the server's, here and below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_trait: Option<Stamp>,
    /// The last time the properties of a mapped event named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_property: Option<Stamp>,
    /// The last time an id of the person looked like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_id: Option<Stamp>,
}

impl Claim {
    fn join(&mut self, other: &Self) {
        let counts = |one: Option<Stamp>, other: &Option<Stamp>| {
            one.into_iter().chain(other.clone()).max_by(|one, other| one.rank().cmp(&other.rank()))
        };
        self.first_at = self.first_at.min(other.first_at);
        self.as_trait = counts(self.as_trait.take(), &other.as_trait);
        self.as_property = counts(self.as_property.take(), &other.as_property);
        self.as_id = counts(self.as_id.take(), &other.as_id);
    }

    /// How it was named, the firmest first.
    fn stamps(&self) -> [Option<&Stamp>; 3] {
        [self.as_trait.as_ref(), self.as_property.as_ref(), self.as_id.as_ref()]
    }

    /// How far it is believed.
    fn trust(&self) -> Option<Trust> {
        self.stamps().into_iter().flatten().map(|stamp| stamp.trust).max()
    }

    /// The last time it was named.
    #[must_use]
    pub fn newest(&self) -> Option<&Stamp> {
        self.stamps().into_iter().flatten().max()
    }
}

/// Everything a set of events said. Joining is commutative, associative and idempotent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The newest value of each path.
    #[serde(default, skip_serializing_if = "Lww::is_empty")]
    pub values: Lww<String, Value>,
    /// The first value of each path whose first one counts.
    #[serde(default, skip_serializing_if = "Fww::is_empty")]
    pub firsts: Fww<String, Value>,
    /// The things of each set that is counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tallies: BTreeMap<String, Tally>,
    /// The newest yes or no that was said of each consent category.
    #[serde(default, skip_serializing_if = "Lww::is_empty")]
    pub consent: Lww<Category, consent::Statement>,
    /// The newest thing that was said of each category and not understood.
    #[serde(default, skip_serializing_if = "Lww::is_empty")]
    pub consent_unclear: Lww<Category, consent::Statement>,
    /// What consent tools showed of each category.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consent_shown: BTreeMap<Category, Shown>,
    /// The last time the browser sent Global Privacy Control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_control: Option<Stamp>,
    /// Every address named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub emails: BTreeMap<Email, Claim>,
    /// The last address that was said and is no use, fit to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<Stamped<String>>,
    /// The last mapped event in each lane.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mapped: BTreeMap<Lane, UnixMicros>,
    /// When the last mapped event that needs no consent was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempt: Option<UnixMicros>,
    /// What visitors said of consent, and that alone: a visitor may refuse what a server agreed to, so neither hides the
    /// other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitors: Option<Box<Facts>>,
}

impl Facts {
    /// Takes in what one event said.
    pub fn learn(&mut self, said: &Said, stamp: &Stamp) {
        for (path, value) in &said.values {
            let statement = Stamped { value: value.clone(), stamp: stamp.clone() };
            if said.firsts.contains(path) {
                self.firsts.say(path.clone(), statement.clone());
            }
            self.values.say(path.clone(), statement);
        }
        for (path, value) in &said.came_with {
            self.firsts.say(path.clone(), Stamped { value: value.clone(), stamp: stamp.clone() });
        }
        for (set, thing) in &said.tallied {
            self.tallies.entry(set.clone()).or_default().learn(thing, stamp);
        }
        self.heard_from(stamp.trust).learn_consent(said, stamp);
        for (email, strength) in &said.emails {
            let mut claim = Claim { first_at: stamp.at, as_trait: None, as_property: None, as_id: None };
            let said = match strength {
                Strength::Trait => &mut claim.as_trait,
                Strength::Property => &mut claim.as_property,
                Strength::Id => &mut claim.as_id,
            };
            *said = Some(stamp.clone());
            self.claim(email, &claim);
        }
        if let Some(unusable) = &said.unusable {
            self.take_unusable(Stamped { value: unusable.clone(), stamp: stamp.clone() });
        }
        if let Some(lane) = said.mapped {
            self.happened(lane, stamp.at);
        }
        self.exempt = self.exempt.max(said.exempt);
        self.visitors.take_if(|visitors| visitors.is_empty());
    }

    fn learn_consent(&mut self, said: &Said, stamp: &Stamp) {
        for (category, statement) in &said.consent {
            let said = Stamped { value: statement.clone(), stamp: stamp.clone() };
            match statement.choice {
                Choice::Granted | Choice::Denied => self.consent.say(category.clone(), said),
                Choice::Unclear => self.consent_unclear.say(category.clone(), said),
            };
        }
        for (category, statement) in &said.consent_shown {
            self.consent_shown.entry(category.clone()).or_default().see(statement, stamp);
        }
        if said.privacy_control {
            self.privacy_control = self.privacy_control.take().max(Some(stamp.clone()));
        }
    }

    /// Where it is kept what somebody says of consent.
    fn heard_from(&mut self, trust: Trust) -> &mut Self {
        match trust {
            Trust::Server => self,
            Trust::Visitor => self.visitors.get_or_insert_default(),
        }
    }

    /// Takes in one statement of consent.
    pub fn say_consent(&mut self, category: Category, said: Stamped<consent::Statement>) {
        self.heard_from(said.stamp.trust).consent.say(category, said);
    }

    /// Takes in everything `other` knows.
    pub fn join(&mut self, other: &Self) {
        self.values.join(&other.values);
        self.firsts.join(&other.firsts);
        for (set, tally) in &other.tallies {
            self.tallies.entry(set.clone()).or_default().join(tally);
        }
        self.consent.join(&other.consent);
        self.consent_unclear.join(&other.consent_unclear);
        for (category, shown) in &other.consent_shown {
            self.consent_shown.entry(category.clone()).or_default().join(shown);
        }
        self.privacy_control = self.privacy_control.take().max(other.privacy_control.clone());
        for (email, claim) in &other.emails {
            self.claim(email, claim);
        }
        for (lane, at) in &other.mapped {
            self.happened(*lane, *at);
        }
        self.exempt = self.exempt.max(other.exempt);
        if let Some(unusable) = &other.unusable {
            self.take_unusable(unusable.clone());
        }
        if let Some(visitors) = &other.visitors {
            self.visitors.get_or_insert_default().join(visitors);
        }
    }

    /// Whether an event says nothing that is new: nothing at all, or what somebody came with and said earlier.
    #[must_use]
    pub fn knows(&self, said: &Said, stamp: &Stamp) -> bool {
        let earlier = |path: &String| self.firsts.get(path).is_some_and(|first| first.stamp.is_first(stamp));
        let known = |(email, _): &(Email, Strength)| {
            self.emails.get(email).and_then(Claim::trust).is_some_and(|trust| trust >= stamp.trust)
        };
        let address = said.unusable.is_none() && said.emails.iter().all(known);
        said.is_empty() && address && said.came_with.keys().all(earlier)
    }

    /// What somebody came with, by the paths at which no mapped event said anything.
    fn came_with(&self) -> impl Iterator<Item = (&String, &Stamped<Value>)> {
        self.firsts.iter().filter(|(path, _)| self.values.get(*path).is_none())
    }

    /// Leaves out what somebody came with where something was said earlier; tells whether anything was left out.
    pub(super) fn forget_later(&mut self, earlier: &Self) -> bool {
        let before = |path: &String, said: &Stamped<Value>| {
            earlier.came_with().any(|(known, first)| known == path && first.stamp.is_first(&said.stamp))
        };
        let later: Vec<String> = self
            .came_with()
            .filter(|(path, said)| before(path, said))
            .map(|(path, _)| path.clone())
            .collect();
        for path in &later {
            self.firsts.forget(path);
        }
        !later.is_empty()
    }

    fn take_unusable(&mut self, said: Stamped<String>) {
        if self.unusable.as_ref().is_none_or(|known| said.beats(known)) {
            self.unusable = Some(said);
        }
    }

    /// The last address without use that was said after every usable one, fit to be shown.
    #[must_use]
    pub fn unusable_email(&self) -> Option<&str> {
        let usable = self.email().and_then(|email| self.emails.get(email)).and_then(Claim::newest);
        self.unusable.as_ref().filter(|said| Some(&said.stamp) > usable).map(|said| said.value.as_str())
    }

    /// The person's address: the newest of the traits, else the newest of the properties, else the newest of the ids; what
    /// servers said before what visitors said.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        let said = self.emails.iter().flat_map(|(email, claim)| {
            let stamps = claim.stamps().into_iter().rev().enumerate();
            stamps.filter_map(move |(firmness, stamp)| Some((stamp?.trust, firmness, stamp?, email)))
        });
        said.max().map(|(.., email)| email)
    }

    /// Whether an address is, or by its traits once was, this person's own.
    #[must_use]
    pub fn owns(&self, email: &Email) -> bool {
        self.email() == Some(email) || self.emails.get(email).is_some_and(|claim| claim.as_trait.is_some())
    }

    /// Whether a server said that an address is this person's.
    #[must_use]
    pub fn is_vouched_for(&self, email: &Email) -> bool {
        self.emails.get(email).and_then(Claim::trust) == Some(Trust::Server)
    }

    /// Everything known of a consent category by what servers said.
    fn spoken(&self, category: &Category) -> Spoken {
        Spoken {
            said: self.consent.get(category).cloned(),
            unclear: self.consent_unclear.get(category).cloned(),
            shown: self.consent_shown.get(category).cloned().unwrap_or_default(),
        }
    }

    /// What counts of a consent category by what was said with this trust.
    #[must_use]
    pub fn stand_by(&self, trust: Trust, category: &Category) -> Stand {
        let heard = match trust {
            Trust::Server => Some(self),
            Trust::Visitor => self.visitors.as_deref(),
        };
        heard.map(|heard| heard.spoken(category).stand()).unwrap_or_default()
    }

    /// What counts of a consent category.
    #[must_use]
    pub fn stand(&self, category: &Category) -> Stand {
        self.stand_by(Trust::Server, category).and_visitors(self.stand_by(Trust::Visitor, category))
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let silent = self.values.is_empty() && self.emails.is_empty() && self.mapped.is_empty();
        let unspoken =
            self.consent.is_empty() && self.consent_unclear.is_empty() && self.consent_shown.is_empty();
        let silent = silent && self.unusable.is_none() && self.visitors.is_none() && self.tallies.is_empty();
        silent && unspoken && self.firsts.is_empty() && self.privacy_control.is_none()
    }

    /// How many bytes it is as JSON, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let values = self.values.iter().chain(self.firsts.iter());
        let values = values.map(|(path, said)| path.len() + weight_of(&said.value) + said.stamp.weight());
        let spoken = self.consent.iter().chain(self.consent_unclear.iter());
        let consent = spoken
            .map(|(category, said)| 32 + category.as_str().len() + said.value.weight() + said.stamp.weight());
        let shown = self.consent_shown.iter();
        let shown = shown.map(|(category, shown)| 32 + category.as_str().len() + shown.weight());
        let emails = self.emails.iter().map(|(email, claim)| {
            let stamps = claim.as_trait.iter().chain(&claim.as_property).map(Stamp::weight);
            32 + email.as_str().len() + stamps.sum::<usize>()
        });
        let visitors = self.visitors.as_ref().map_or(0, |visitors| 12 + visitors.weight());
        let others =
            self.mapped.len() * 32 + self.privacy_control.as_ref().map_or(0, Stamp::weight) + visitors;
        let tallies = self.tallies.iter().map(|(set, tally)| set.len() + 24 + tally.weight(weight_of));
        values.chain(consent).chain(shown).chain(emails).chain(tallies).sum::<usize>() + others
    }

    /// When the last thing was said.
    #[must_use]
    pub fn newest(&self) -> UnixMicros {
        let values = self.values.iter().map(|(_, said)| said.stamp.at);
        let spoken = self.consent.iter().chain(self.consent_unclear.iter());
        let consent = spoken.map(|(_, said)| said.stamp.at);
        let shown = self.consent_shown.values().filter_map(Shown::newest).map(|stamp| stamp.at);
        let emails = self.emails.values().filter_map(Claim::newest).map(|stamp| stamp.at);
        let mapped = self.mapped.values().copied();
        let control = self.privacy_control.iter().map(|stamp| stamp.at);
        let firsts = self.firsts.iter().map(|(_, said)| said.stamp.at);
        let unusable = self.unusable.iter().map(|said| said.stamp.at);
        let visitors = self.visitors.iter().map(|visitors| visitors.newest());
        let tallied = self.tallies.values().filter_map(Tally::newest).map(|stamp| stamp.at);
        values
            .chain(firsts)
            .chain(consent)
            .chain(shown)
            .chain(emails)
            .chain(mapped)
            .chain(control)
            .chain(unusable)
            .chain(visitors)
            .chain(tallied)
            .max()
            .unwrap_or_default()
    }

    /// Gives every address the spelling it has now.
    pub(super) fn respell_emails(&mut self) {
        for (email, claim) in std::mem::take(&mut self.emails) {
            self.claim(&email.respelled().unwrap_or(email), &claim);
        }
    }

    fn claim(&mut self, email: &Email, claim: &Claim) {
        match self.emails.get_mut(email) {
            Some(known) => known.join(claim),
            None => {
                self.emails.insert(email.clone(), claim.clone());
            }
        }
        if self.emails.len() > EMAILS_MAX {
            let current = self.email().cloned();
            let others = self.emails.iter().filter(|(email, _)| Some(*email) != current.as_ref());
            let oldest = others.min_by_key(|(email, claim)| (claim.newest(), *email));
            if let Some(oldest) = oldest.map(|(email, _)| email.clone()) {
                self.emails.remove(&oldest);
            }
        }
    }

    fn happened(&mut self, lane: Lane, at: UnixMicros) {
        let last = self.mapped.entry(lane).or_insert(at);
        *last = (*last).max(at);
    }
}

/// How many bytes a value is as JSON, about.
fn weight_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(weight_of).sum::<usize>(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + 4 + weight_of(value)).sum(),
    }
}
