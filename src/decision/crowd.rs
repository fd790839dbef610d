//! Crowds: contacts that more persons share than are read for each event.
//!
//! What such a contact should look like is decided by few of its persons: for each attribute and each category of consent by the one
//! who spoke of it last. So what each contributes is kept as rows, an attribute and a moment each, and for a decision only
//! those persons are loaded who are the newest of a row, beside everybody whom the events themselves speak of. What is
//! wanted is then added up over these, by the code that adds up any contact, and is exactly what it is over all.

use std::collections::{BTreeMap, BTreeSet};

use super::contributed::{Contributed, Contribution, Membership};
use super::hearing::Voice;
use super::reading::{BLANK_NAME, SOURCE};
use super::wish::{lanes_begun, mapped_alone};
use super::{Settings, World};
use crate::consent::Counted;
use crate::contact::{Contact, Crowd, MEMBERS_LISTED_MAX, Renames};
use crate::event::{Email, Stamp};
use crate::person::{Facts, PersonKey};

/// What a person contributes to the contact of an address. Everything that [`consider`](super::consider) asks of a person has
/// its place here, or it would be missed in a crowd.
#[must_use]
pub fn contributions(
    key: &PersonKey,
    facts: &Facts,
    email: &Email,
    settings: &Settings,
) -> Vec<Contribution> {
    if !facts.owns(email) {
        return Vec::new();
    }
    let mut said = vec![Contribution::at("heard", facts.newest())];
    let voice = Voice::of(key, facts, email);
    for category in settings.consent.categories.iter() {
        for (kind, stand) in voice.heard(category).kinds() {
            let of = |what: &str, counted: &Counted| {
                Contribution::of(format!("{what} {category}{kind}"), &counted.since)
            };
            said.extend(stand.choice.as_ref().map(|counted| of("consent", counted)));
            said.extend(stand.unclear.as_ref().map(|counted| of("unclear", counted)));
        }
    }
    for (kind, stamp) in voice.privacy_control().kinds() {
        said.extend(stamp.map(|stamp| Contribution::of(format!("privacy control{kind}"), stamp)));
    }
    if facts.email() == Some(email) {
        said.extend(of_current(facts, email, settings));
    }
    said.sort();
    said
}

/// What counts of a person whose current address it is.
fn of_current(facts: &Facts, email: &Email, settings: &Settings) -> Vec<Contribution> {
    let newest = facts.emails.get(email).and_then(|claim| claim.newest());
    let mut said: Vec<_> = newest.map(|stamp| Contribution::of("here", stamp)).into_iter().collect();
    said.extend(facts.mapped.values().max().map(|at| Contribution::at("mapped", *at)));
    for lane in lanes_begun(facts, email, settings.complete_within) {
        let at = facts.mapped.get(&lane).copied().unwrap_or_default();
        said.push(Contribution::at(format!("lane {}", lane.as_str()), at));
    }
    said.extend(facts.exempt.map(|at| Contribution::at("exempt", at)));
    said.extend(facts.values.get(BLANK_NAME).map(|blank| Contribution::of("blank name", &blank.stamp)));
    said.extend(facts.values.get(SOURCE).map(|source| Contribution::of("source", &source.stamp)));
    let company = settings.preset.company().and_then(|rule| rule.of_person(facts));
    said.extend(company.map(|said| Contribution::of("company", &said.stamp)));
    said.extend(
        settings.preset.listed_at(facts).map(|(event, at)| Contribution::of(format!("listed {event}"), at)),
    );
    let mapped = mapped_alone(facts, settings);
    let kinds = [("always", &mapped.always), ("create", &mapped.on_create), ("empty", &mapped.on_empty)];
    for (when, values) in kinds {
        // A fixed value says everybody, so nobody's is newer.
        let values = values.iter().filter(|(_, value)| value.stamp != Stamp::default());
        said.extend(values.map(|(name, value)| Contribution::of(format!("{when} {name}"), &value.stamp)));
    }
    said
}

impl World {
    /// Those of this working set who may have an address. Whoever else has it changes nothing of what is wanted.
    #[must_use]
    pub fn members(&self, email: &Email) -> Vec<PersonKey> {
        match self.contacts.get(email) {
            None => Vec::new(),
            Some(contact) if contact.crowd.is_some() => {
                let members = self.crowds.get(email).into_iter().flatten();
                members.filter(|(_, is)| **is != Membership::Leaves).map(|(key, _)| key.clone()).collect()
            }
            Some(contact) => contact.members.iter().filter_map(|member| member.parse().ok()).collect(),
        }
    }

    /// Notes who of the loaded people has the address of a loaded crowd.
    pub fn find_in_crowds(&mut self) {
        if !self.contacts.iter().any(|(_, contact)| contact.crowd.is_some()) {
            return;
        }
        for (key, person) in self.people.iter() {
            let facts = person.facts();
            for email in facts.emails.keys().filter(|email| facts.owns(email)) {
                if self.contacts.get(email).is_some_and(|contact| contact.crowd.is_some()) {
                    let members = self.crowds.entry(email.clone()).or_default();
                    members.entry(key.clone()).or_insert(Membership::Found);
                }
            }
        }
    }

    /// Remembers that a person has an address. One more than are listed makes it a crowd.
    pub(super) fn join(&mut self, email: &Email, key: &PersonKey, settings: &Settings) {
        let contact = self.contacts.get(email);
        if contact.is_some_and(|contact| contact.crowd.is_some()) {
            self.crowds.entry(email.clone()).or_default().insert(key.clone(), Membership::Joins);
            return;
        }
        let member = key.to_string();
        // An earlier version listed more.
        let fits = |contact: &Contact| contact.members.len() <= MEMBERS_LISTED_MAX;
        if contact.is_some_and(|contact| contact.members.contains(&member) && fits(contact)) {
            return;
        }
        let contact = self.contacts.edit(email);
        contact.members.insert(member);
        if contact.members.len() > MEMBERS_LISTED_MAX {
            let listed = std::mem::take(&mut contact.members);
            contact.crowd = Some(Crowd { judged_by: settings.fingerprint().as_str().to_owned() });
            let listed = listed.iter().filter_map(|member| member.parse().ok());
            let joins = listed.map(|key: PersonKey| (key, Membership::Joins));
            self.crowds.entry(email.clone()).or_default().extend(joins);
        }
    }

    /// Persons are members of an address no more; tells whether they were.
    pub(super) fn leave(&mut self, email: &Email, theirs: impl Fn(&PersonKey) -> bool) -> bool {
        let leaving: Vec<PersonKey> = self.members(email).into_iter().filter(|key| theirs(key)).collect();
        if leaving.is_empty() {
            return false;
        }
        // An address that they had, or were to have, is theirs.
        for standing in self.contacts.edit(email).standing.values_mut() {
            standing.renamed_to = None;
            let is_theirs = |renames: &mut Renames| renames.person.parse().is_ok_and(|key| theirs(&key));
            standing.renames.take_if(is_theirs);
        }
        if let Some(members) = self.crowds.get_mut(email) {
            members.extend(leaving.into_iter().map(|key| (key, Membership::Leaves)));
        } else {
            let members = &mut self.contacts.edit(email).members;
            for key in &leaving {
                members.remove(&key.to_string());
            }
        }
        true
    }

    /// Whoever of the loaded people has one of these addresses joins it.
    pub fn gather(&mut self, emails: &BTreeSet<Email>, settings: &Settings) {
        let mut found = Vec::new();
        for (key, person) in self.people.iter() {
            let facts = person.facts();
            let own = facts.emails.keys().filter(|email| emails.contains(*email) && facts.owns(email));
            found.extend(own.map(|email| (email.clone(), key.clone())));
        }
        for (email, key) in found {
            // Who is gone must not come back.
            if self.contacts.get(&email).is_some() {
                self.join(&email, &key, settings);
            }
        }
    }

    /// Writes down what everybody contributes to crowds who was changed. The last step before the working set becomes a plan.
    pub fn contribute(&mut self, settings: &Settings) {
        self.find_in_crowds();
        let crowds: BTreeMap<_, _> = std::mem::take(&mut self.crowds);
        for (email, members) in &crowds {
            if self.contacts.get(email).is_none_or(|contact| contact.crowd.is_none()) {
                // With the contact goes everything that was contributed to it.
                continue;
            }
            let written = |(key, is): &(&PersonKey, &Membership)| match is {
                Membership::Found => self.people.is_changed(key),
                Membership::Joins | Membership::Leaves => true,
            };
            for (member, is) in members.iter().filter(written) {
                let counts = *is != Membership::Leaves && settings.counts(member);
                let person = self.people.get(member).filter(|_| counts);
                let contributions = person
                    .map(|person| contributions(member, &person.facts(), email, settings))
                    .unwrap_or_default();
                let (email, member) = (email.clone(), member.clone());
                self.contributed.push(Contributed { email, member, contributions });
            }
        }
        self.crowds = crowds;
    }
}
