//! Between documents and working sets: what is loaded becomes a [`World`], what changed in it a [`Plan`].

use std::collections::{BTreeMap, BTreeSet};

use super::{Documents, Gone, Keys, Plan, Privacy, Put, SharedStore, StoreError};
use crate::allowance::{HOUR, Quotas};
use crate::clock::UnixMicros;
use crate::decision::{Held, World};
use crate::delivery::Account;
use crate::event::{Email, SourceName};
use crate::person::PersonKey;

impl Documents {
    /// Adds what was loaded to a working set.
    pub fn add_to(self, world: &mut World) {
        for (key, found) in self.people {
            world.people.load(key, found.revision, found.document);
        }
        for (key, found) in self.timelines {
            world.timelines.load(key, found.revision, found.document);
        }
        for (key, found) in self.contacts {
            world.contacts.load(key, found.revision, found.document);
        }
        for (_, found) in self.deliveries {
            world.deliveries.load(found.revision, found.document);
        }
        if let Some(found) = self.destination {
            world.destination =
                Held { revision: found.revision, document: found.document, changed: false, gone: false };
        }
        world.seen.extend(self.seen);
        world.tombstones.extend(self.tombstones);
    }
}

/// What a contact's evaluation needs beside the contact: its members, and the deliveries it speaks of.
#[must_use]
pub fn keys_of_contacts(world: &World, emails: &BTreeSet<Email>, account: &Account) -> Keys {
    let mut keys = Keys::default();
    for contact in emails.iter().filter_map(|email| world.contacts.get(email)) {
        let members = contact.members.iter().filter_map(|member| member.parse::<PersonKey>().ok());
        keys.people.extend(members.filter(|key| world.people.get(key).is_none()));
        let standing = contact.standing.get(account);
        let open = standing.and_then(|standing| standing.open.clone());
        let in_flight =
            standing.and_then(|standing| standing.in_flight.as_ref().map(|call| call.delivery.clone()));
        keys.deliveries
            .extend(open.into_iter().chain(in_flight).filter(|id| world.deliveries.get(id).is_none()));
    }
    keys
}

/// How much of their quotas the sources have used.
///
/// # Errors
/// The store can't tell.
pub async fn quotas(
    store: &SharedStore,
    account: Account,
    limits: &BTreeMap<SourceName, u64>,
    now: UnixMicros,
) -> Result<Quotas, StoreError> {
    if limits.is_empty() {
        return Ok(Quotas::default());
    }
    let made = store.new_contacts(account, now.minus(HOUR)).await?;
    Ok(Quotas::of(limits, &made, now))
}

impl Plan {
    /// Everything that changed in a working set.
    #[must_use]
    pub fn of(world: World, account: &Account) -> Self {
        let mut plan = Self::default();
        plan.counts.outcomes = world.outcomes;
        let puts = &mut plan.puts;
        puts.extend(world.people.into_changed().filter_map(|(key, held)| {
            let gone = (held.revision > 0).then(|| Put::Gone(Gone::Person(key.clone(), held.revision)));
            if held.gone { gone } else { Some(Put::Person(key, held.revision, held.document)) }
        }));
        puts.extend(world.timelines.into_changed().filter_map(|(key, held)| {
            let gone = (held.revision > 0).then(|| Put::Gone(Gone::Timeline(key.clone(), held.revision)));
            if held.gone { gone } else { Some(Put::Timeline(key, held.revision, held.document)) }
        }));
        puts.extend(world.contacts.into_changed().filter_map(|(key, held)| {
            let gone = (held.revision > 0).then(|| Put::Gone(Gone::Contact(key.clone(), held.revision)));
            if held.gone { gone } else { Some(Put::Contact(key, held.revision, held.document)) }
        }));
        for held in world.deliveries.into_changed() {
            plan.counts.moved(held.was, held.delivery.state);
            if held.was.is_none() {
                plan.counts.opened(&held.delivery);
            }
            if !held.gone {
                puts.push(Put::Delivery(held.revision, held.delivery));
            } else if held.revision > 0 {
                puts.push(Put::Gone(Gone::Delivery(held.delivery.id, held.revision)));
            }
        }
        if world.destination.changed {
            let held = world.destination;
            puts.push(Put::Destination(account.clone(), held.revision, held.document));
        }
        puts.extend(
            world
                .newly_seen
                .into_iter()
                .map(|(source, id, position, at)| Put::Seen(source, id, position, at)),
        );
        puts.extend(world.seen_again.into_iter().map(Put::SeenAgain));
        puts.extend(world.buried.into_iter().map(|(mark, at)| Put::Privacy(Privacy::Tombstone(mark, at))));
        puts.extend(world.to_blank.into_iter().map(Privacy::Blank).map(Put::Privacy));
        puts.extend(world.forgets.into_iter().map(|order| Put::Privacy(Privacy::Forget(Box::new(order)))));
        let ended = world.erased_calls.into_iter();
        puts.extend(ended.map(|(delivery, end)| Put::Privacy(Privacy::CallEnded(delivery, end))));
        plan
    }
}
