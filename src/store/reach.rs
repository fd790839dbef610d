//! Reaching: loads everything that the state holds on somebody, wherever it stands. Must not change anything.

use std::collections::BTreeSet;

use super::records::without;
use super::{For, Keys, Place, Store, StoreError, load_contacts};
use crate::contact::Standing;
use crate::decision::{Settings, World, extent};
use crate::erasure::{ErasureSubject, Extent};
use crate::event::Email;
use crate::person::{DEFAULT_PEOPLE, Person, PersonId, PersonKey};

/// Names lead to documents and documents to names; after so many rounds what is left is no one person any more.
const ROUNDS_MAX: usize = 12;

/// Who and what belongs to somebody, and the documents of all of it. Reads every document of the state; who means to
/// change something holds the turn.
///
/// # Errors
/// The store failed.
pub async fn reach(
    store: &dyn Store,
    subject: &ErasureSubject,
    settings: &Settings,
    what_for: For,
) -> Result<(World, Extent), StoreError> {
    let mut world = World::default();
    store
        .load(Keys { destination: Some(settings.account.clone()), ..Keys::default() })
        .await?
        .add_to(&mut world);
    let mut found = extent(subject, &world);
    let mut searched = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let texts: Vec<String> =
            found.needles().into_iter().filter(|text| !searched.contains(text)).collect();
        let new = search(store, texts.clone()).await?;
        searched.extend(texts);
        let named = Keys {
            people: found.people.clone(),
            contacts: found.emails.union(&found.shared).cloned().collect(),
            ..Keys::default()
        };
        for keys in [new, named] {
            store.load(without(keys, &world)).await?.add_to(&mut world);
        }
        let contacts = world.contacts.iter().map(|(email, _)| email.clone()).collect();
        load_contacts(store, &contacts, settings, what_for, &mut world).await?;
        store.load(of_contacts(&world, &found.shared)).await?.add_to(&mut world);
        found = extent(subject, &world);
        let known = |email: &Email| world.contacts.get(email).is_some() || searched.contains(email.as_str());
        if found.needles().iter().all(|text| searched.contains(text)) && found.shared.iter().all(known) {
            break;
        }
    }
    // Whoever is changed may have part in other crowds too.
    let own = |(_, person): (_, &Person)| person.facts().emails.keys().cloned().collect::<Vec<Email>>();
    let claimed = world.people.iter().flat_map(own).collect();
    load_contacts(store, &claimed, settings, what_for, &mut world).await?;
    Ok((world, found))
}

async fn search(store: &dyn Store, texts: Vec<String>) -> Result<Keys, StoreError> {
    let mut keys = Keys::default();
    let mut place = Some(Place::START).filter(|_| !texts.is_empty());
    while let Some(from) = place {
        let (found, next) = store.find(texts.clone(), from).await?;
        keys.people.extend(found.people);
        keys.timelines.extend(found.timelines);
        keys.contacts.extend(found.contacts);
        keys.deals.extend(found.deals);
        keys.companies.extend(found.companies);
        keys.happenings.extend(found.happenings);
        place = next;
    }
    Ok(keys)
}

/// What the contacts of a working set speak of, and who speaks for an address that several share.
fn of_contacts(world: &World, shared: &BTreeSet<Email>) -> Keys {
    let mut keys = Keys::default();
    for (email, contact) in world.contacts.iter() {
        keys.people.extend(world.members(email));
        keys.deliveries.extend(contact.standing.values().flat_map(Standing::calls).cloned());
    }
    let of_address =
        |email: &Email| PersonKey { people: DEFAULT_PEOPLE.to_owned(), id: PersonId::Email(email.clone()) };
    keys.people.extend(shared.iter().map(of_address));
    for standing in world.deals.iter().flat_map(|(_, deal)| deal.standing.values()) {
        keys.deliveries.extend(standing.open.clone());
        keys.deliveries.extend(standing.in_flight.as_ref().map(|call| call.delivery.clone()));
    }
    for standing in world.companies.iter().flat_map(|(_, company)| company.standing.values()) {
        keys.deliveries.extend(standing.open.clone());
        keys.deliveries.extend(standing.in_flight.as_ref().map(|call| call.delivery.clone()));
    }
    for standing in world.happenings.iter().map(|(_, happening)| &happening.standing) {
        keys.happenings.extend(standing.riders.iter().cloned());
        keys.deliveries.extend(standing.open.clone());
        keys.deliveries.extend(standing.in_flight.as_ref().map(|call| call.delivery.clone()));
    }
    without(keys, world)
}
