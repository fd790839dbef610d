//! Loading: every document that a batch of events can touch, in as few rounds as there are steps between them.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::{Reading, Settings, World};
use crate::event::{Email, Stamp};
use crate::person::{PersonId, PersonKey, TimelineKey};
use crate::store::{For, Keys, SharedStore, StoreError, load_contacts};

/// The working set for a batch.
pub(super) async fn world_for(
    store: &SharedStore,
    events: &[Reading],
    settings: &Settings,
) -> Result<World, StoreError> {
    let mut world = World::default();
    // What the events themselves name.
    let mut first = Keys { destination: Some(settings.account.clone()), ..Keys::default() };
    let mut emails = BTreeSet::new();
    for reading in events {
        named_by(reading, &mut first, &mut emails);
    }
    store.load(first.clone()).await?.add_to(&mut world);
    // Everybody who may own a stretch of a time line.
    let owners = owners(&world, events).filter(|key| !first.people.contains(key)).collect();
    load(store, Keys { people: owners, ..Keys::default() }, &mut world).await?;
    // The contacts of all of them, who else has those addresses, and what is owed to them.
    emails.extend(claimed(&world));
    load_contacts(&**store, &emails, settings, For::Deciding, &mut world).await?;
    Ok(world)
}

async fn load(store: &SharedStore, keys: Keys, world: &mut World) -> Result<(), StoreError> {
    if !keys.is_empty() {
        store.load(keys).await?.add_to(world);
    }
    Ok(())
}

fn named_by(reading: &Reading, keys: &mut Keys, emails: &mut BTreeSet<Email>) {
    keys.seen.insert((reading.source.clone(), reading.stamp.message_id.clone()));
    keys.marks.extend(reading.marks());
    if let Some(user) = &reading.user {
        keys.people.insert(reading.person(PersonId::User(user.clone())));
    }
    let of_traits = reading.own.emails.iter().map(|(email, _)| email);
    for email in of_traits.chain(reading.named.as_ref().map(|(email, _)| email)) {
        keys.people.insert(reading.person(PersonId::Email(email.clone())));
        emails.insert(email.clone());
    }
    for device in [&reading.anonymous, &reading.previous].into_iter().flatten() {
        keys.timelines.insert(reading.timeline(device));
    }
}

/// Everybody of whom the events may change what time lines give to them.
fn owners<'w>(world: &'w World, events: &[Reading]) -> impl Iterator<Item = PersonKey> + use<'w> {
    let mut moments: BTreeMap<TimelineKey, Vec<&Stamp>> = BTreeMap::new();
    for reading in events {
        for device in [&reading.anonymous, &reading.previous].into_iter().flatten() {
            moments.entry(reading.timeline(device)).or_default().push(&reading.stamp);
        }
    }
    let lines = world.timelines.iter().map(|(key, line)| {
        let moments = moments.get(key).into_iter().flatten().copied();
        (key, line.may_be_given(moments))
    });
    let lines: Vec<_> = lines.collect();
    lines
        .into_iter()
        .flat_map(|(key, people)| people.into_iter().map(|id| PersonKey { people: key.people.clone(), id }))
}

/// Every address that somebody in the working set claims, or may come to claim by a time line.
fn claimed(world: &World) -> BTreeSet<Email> {
    let mut emails = BTreeSet::new();
    for (_, person) in world.people.iter() {
        emails.extend(person.facts().emails.keys().cloned());
    }
    for (_, timeline) in world.timelines.iter() {
        emails.extend(timeline.emails().cloned());
    }
    emails
}
