//! People whom an older version stored under ids that name nobody, or under two spellings of one id: taken apart and
//! joined, a contact at a time, whenever the walk over all contacts comes by.
//!
//! Until then nothing of them counts: see [`names_somebody`].

use std::collections::BTreeSet;

use super::respell::respell;
use super::{Settings, World};
use crate::event::{Email, Stamp};
use crate::person::{Claim, Facts, PersonId, PersonKey};
use crate::senders::spelled;

/// Whether the key of a person says who somebody is.
pub(super) fn names_somebody(key: &PersonKey, settings: &Settings) -> bool {
    match &key.id {
        PersonId::User(id) | PersonId::Anonymous(id) => !settings.senders.ids.is_junk(id),
        PersonId::Email(_) => true,
    }
}

/// Everybody whom taking a contact apart may touch beside its members: they have to be in the working set.
#[must_use]
pub fn kin_of_junk(email: &Email, world: &World, settings: &Settings) -> BTreeSet<PersonKey> {
    let heirs = astray(email, world, settings).into_iter().map(|(_, heir)| heir);
    heirs.filter(|key| world.people.get(key).is_none()).collect()
}

/// Takes what an older version mixed out of documents that were loaded: users on time lines and devices of people that name
/// nobody, and addresses in another spelling.
pub fn tidy(world: &mut World, settings: &Settings) {
    respell(world);
    let ids = &settings.senders.ids;
    let now = |user: &str| (!ids.is_junk(user)).then(|| spelled(user));
    let astray = |id: PersonId| match id {
        PersonId::User(user) => now(&user) != Some(user),
        PersonId::Email(_) | PersonId::Anonymous(_) => false,
    };
    let lines = world.timelines.iter().filter(|(_, line)| line.people().any(astray));
    let lines: Vec<_> = lines.map(|(key, _)| key.clone()).collect();
    for key in lines {
        world.timelines.edit(&key).respell(now);
    }
    let lent =
        world.people.iter().filter(|(_, person)| person.borrowed.keys().any(|device| ids.is_junk(device)));
    let lent: Vec<_> = lent.map(|(key, _)| key.clone()).collect();
    for key in lent {
        world.people.edit(&key).borrowed.retain(|device, _| !ids.is_junk(device));
    }
}

/// Gives what was said of a contact by people who are none, or are spelled otherwise now, to whom it belongs; answers how
/// many of them that ends.
pub(super) fn take_apart(email: &Email, world: &mut World, settings: &Settings) -> u64 {
    let mut ended = 0;
    for (key, heir) in astray(email, world, settings) {
        world.leave(email, |member| *member == key);
        world.join(email, &heir, settings);
        let Some(mut person) = world.people.remove(&key) else { continue };
        if names_somebody(&key, settings) {
            let into = world.people.edit(&heir);
            into.own.join(&person.own);
            for (email, facts) in person.named {
                into.named.entry(email).or_default().join(&facts);
            }
            for (device, facts) in person.borrowed {
                into.borrowed.entry(device).or_default().join(&facts);
            }
            ended += 1;
            continue;
        }
        if let Some(claim) = person.own.emails.remove(email) {
            let said = said_with(&person.own, email, &claim);
            world.people.edit(&heir).own.join(&said);
        }
        if person.own.emails.is_empty() {
            ended += 1;
        } else {
            // The rest of it belongs to other contacts.
            *world.people.edit(&key) = person;
        }
    }
    ended
}

/// The members of a contact that name nobody or are spelled otherwise now, with whom each is instead.
fn astray(email: &Email, world: &World, settings: &Settings) -> Vec<(PersonKey, PersonKey)> {
    let heir = |key: PersonKey| {
        let id = match &key.id {
            _ if !names_somebody(&key, settings) => PersonId::Email(email.clone()),
            PersonId::User(id) if spelled(id) != *id => PersonId::User(spelled(id)),
            PersonId::Email(address) => PersonId::Email(address.respelled()?),
            PersonId::User(_) | PersonId::Anonymous(_) => return None,
        };
        let heir = PersonKey { people: key.people.clone(), id };
        Some((key, heir))
    };
    world.members(email).into_iter().filter_map(heir).collect()
}

/// What the very messages said that named an address: all that is certain to be of one person.
fn said_with(facts: &Facts, email: &Email, claim: &Claim) -> Facts {
    let stamps: BTreeSet<&Stamp> = claim.as_trait.iter().chain(&claim.as_property).collect();
    let mut said = Facts::default();
    let own = Claim {
        as_trait: stamps.iter().max_by_key(|stamp| stamp.rank()).map(|stamp| (*stamp).clone()),
        ..claim.clone()
    };
    said.emails.insert(email.clone(), own);
    for (path, value) in facts.values.iter().filter(|(_, value)| stamps.contains(&value.stamp)) {
        said.values.say(path.clone(), value.clone());
    }
    let spoken = [Some(facts), facts.visitors.as_deref()].into_iter().flatten();
    let spoken = spoken.flat_map(|facts| facts.consent.iter());
    for (category, choice) in spoken.filter(|(_, choice)| stamps.contains(&choice.stamp)) {
        said.say_consent(category.clone(), choice.clone());
    }
    let then = |at| stamps.iter().any(|stamp| stamp.at == at);
    said.mapped = facts.mapped.iter().filter(|(_, at)| then(**at)).map(|(lane, at)| (*lane, *at)).collect();
    said
}
