//! Records of the CRM: loaded with everything that their evaluation needs, which is other records and people.
//!
//! Must not decide: which companies are needed is the decision's to say.

use std::collections::BTreeSet;

use super::{For, Keys, Store, StoreError, load_contacts};
use crate::decision::{Settings, World, companies_needed};
use crate::delivery::Subject;
use crate::event::Email;
use crate::happening::On;
use crate::person::{PersonId, PersonKey, TimelineKey};

/// Loads the records of deliveries with everything that their evaluation needs, and those that may wait for them.
///
/// # Errors
/// The store failed.
pub async fn load_records(
    store: &dyn Store,
    subjects: &BTreeSet<Subject>,
    settings: &Settings,
    what_for: For,
    world: &mut World,
) -> Result<(), StoreError> {
    let mut keys = Keys::default();
    for subject in subjects {
        keys.add(subject);
    }
    load(store, keys, world).await?;
    let mut emails: BTreeSet<Email> = subjects.iter().filter_map(Subject::contact).cloned().collect();
    emails.extend(subjects.iter().filter_map(Subject::member).map(|key| key.email.clone()));
    let waiting = |subject: &Subject| match subject {
        Subject::Company(key) => world.companies.get(key).map(|company| company.waiting.emails.clone()),
        Subject::Contact(_) | Subject::Deal(_) | Subject::Happening(_) | Subject::Member(_) => None,
    };
    emails.extend(subjects.iter().filter_map(waiting).flatten());
    load_beside(store, emails, settings, what_for, world).await
}

/// Loads contacts, the deals of these and of the people in the working set that wait for something (none of them to show
/// others), and what the evaluation of all of them needs. Where no deal and no company is mapped, these are contacts alone.
///
/// # Errors
/// The store failed.
pub async fn load_beside(
    store: &dyn Store,
    mut emails: BTreeSet<Email>,
    settings: &Settings,
    what_for: For,
    world: &mut World,
) -> Result<(), StoreError> {
    let tells = settings.preset.tells() || !none(world.happenings.iter());
    if settings.preset.deal_kinds().next().is_some() || tells {
        let mut deals_of: BTreeSet<String> = emails.iter().map(|email| email.as_str().to_owned()).collect();
        deals_of.extend(world.people.iter().map(|(key, _)| key.to_string()));
        deals_of.extend(world.timelines.iter().map(|(key, _)| person_of(key).to_string()));
        if what_for == For::Deciding {
            let happenings_of = if tells { of_happenings(&deals_of, world) } else { BTreeSet::new() };
            load(store, Keys { deals_of, happenings_of, ..Keys::default() }, world).await?;
        }
        load(store, beside_happenings(world), world).await?;
        // Whose they are, and whose the devices were.
        load(store, persons(world), world).await?;
        load(store, owners(world), world).await?;
        emails.extend(addresses(world));
    }
    load_contacts(store, &emails, settings, what_for, world).await?;
    let companies = companies_needed(&emails, world, settings);
    load(store, Keys { companies, ..Keys::default() }, world).await?;
    load(store, calls(world, settings), world).await
}

fn none<T>(mut some: impl Iterator<Item = T>) -> bool {
    some.next().is_none()
}

/// What is told of these people, and what hangs on the records in the working set.
fn of_happenings(people: &BTreeSet<String>, world: &World) -> BTreeSet<String> {
    let deals = world.deals.iter().map(|(key, _)| Subject::Deal(key.clone()).to_string());
    let companies = world.companies.iter().map(|(key, _)| Subject::Company(key.clone()).to_string());
    people.iter().cloned().chain(deals).chain(companies).collect()
}

/// The deals that happenings hang on, and those that go along in their calls.
fn beside_happenings(world: &World) -> Keys {
    let mut keys = Keys::default();
    for (_, happening) in world.happenings.iter() {
        if let On::Deal(key) = &happening.on {
            keys.deals.insert(key.clone());
        }
        keys.happenings.extend(happening.standing.riders.iter().chain(&happening.standing.rides).cloned());
    }
    keys
}

async fn load(store: &dyn Store, keys: Keys, world: &mut World) -> Result<(), StoreError> {
    let keys = without(keys, world);
    if !keys.is_empty() {
        store.load(keys).await?.add_to(world);
    }
    Ok(())
}

/// What is loaded already is not loaded again.
pub(super) fn without(mut keys: Keys, world: &World) -> Keys {
    keys.people.retain(|key| world.people.get(key).is_none());
    keys.timelines.retain(|key| world.timelines.get(key).is_none());
    keys.contacts.retain(|email| world.contacts.get(email).is_none());
    keys.deals.retain(|key| world.deals.get(key).is_none());
    keys.happenings.retain(|id| world.happenings.get(id).is_none());
    keys.companies.retain(|key| world.companies.get(key).is_none());
    keys.deliveries.retain(|id| world.deliveries.get(id).is_none());
    keys
}

fn person_of(device: &TimelineKey) -> PersonKey {
    PersonKey { people: device.people.clone(), id: PersonId::Anonymous(device.anonymous_id.clone()) }
}

/// The persons of deals; of a device its time line.
fn persons(world: &World) -> Keys {
    let mut keys = Keys::default();
    let of_deals = world.deals.iter().flat_map(|(_, deal)| deal.persons.keys());
    for person in of_deals.chain(world.happenings.iter().filter_map(|(_, it)| it.person.as_ref())) {
        match &person.id {
            PersonId::User(_) | PersonId::Email(_) => {
                keys.people.insert(person.clone());
            }
            PersonId::Anonymous(device) => {
                let key = TimelineKey { people: person.people.clone(), anonymous_id: device.clone() };
                keys.timelines.insert(key);
            }
        }
    }
    keys
}

/// Whose the devices of deals were when they spoke of them.
fn owners(world: &World) -> Keys {
    let mut keys = Keys::default();
    let of_deals = world.deals.iter().flat_map(|(_, deal)| &deal.persons);
    let of_happenings = world.happenings.iter().filter_map(|(_, it)| Some((it.person.as_ref()?, &it.stamp)));
    for (person, stamp) in of_deals.chain(of_happenings) {
        let PersonId::Anonymous(device) = &person.id else { continue };
        let line = TimelineKey { people: person.people.clone(), anonymous_id: device.clone() };
        let owner = world.timelines.get(&line).and_then(|line| line.owner_at(stamp));
        keys.people.extend(owner.map(|id| PersonKey { people: line.people.clone(), id }));
    }
    keys
}

/// The addresses of the persons of deals.
fn addresses(world: &World) -> BTreeSet<Email> {
    let keys = [persons(world), owners(world)].into_iter().flat_map(|keys| keys.people);
    let address = |key: PersonKey| match &key.id {
        PersonId::Email(email) => Some(email.clone()),
        PersonId::User(_) | PersonId::Anonymous(_) => world.people.get(&key)?.facts().email().cloned(),
    };
    let of_contacts = world.deals.iter().filter_map(|(_, deal)| deal.email.clone());
    let of_happenings = world.happenings.iter().filter_map(|(_, it)| it.email.clone());
    keys.filter_map(address).chain(of_contacts).chain(of_happenings).collect()
}

/// The deliveries that deals, companies and happenings speak of.
fn calls(world: &World, settings: &Settings) -> Keys {
    let mut keys = Keys::default();
    for (_, deal) in world.deals.iter() {
        let Some(standing) = deal.standing.get(&settings.account) else { continue };
        keys.deliveries.extend(standing.open.clone());
        keys.deliveries.extend(standing.in_flight.as_ref().map(|call| call.delivery.clone()));
    }
    for (_, happening) in world.happenings.iter().filter(|(_, it)| it.account == settings.account) {
        keys.deliveries.extend(happening.standing.open.clone());
        keys.deliveries.extend(happening.standing.in_flight.as_ref().map(|call| call.delivery.clone()));
    }
    for (_, company) in world.companies.iter() {
        let Some(standing) = company.standing.get(&settings.account) else { continue };
        keys.deliveries.extend(standing.open.clone());
        keys.deliveries.extend(standing.in_flight.as_ref().map(|call| call.delivery.clone()));
    }
    keys
}
