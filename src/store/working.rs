//! Between documents and working sets: what is loaded becomes a [`World`], what changed in it a [`Plan`].

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Documents, Gone, Keys, Plan, Privacy, Put, PutDeal, PutOutput, Revision, SharedStore, Store, StoreError,
};
use crate::allowance::{HOUR, Quotas};
use crate::clock::UnixMicros;
use crate::contact::{Contact, Crowd, Standing};
use crate::decision::{Contributed, Held, Membership, Settings, Shelf, World, contributions};
use crate::delivery::{Account, Bound};
use crate::event::Email;
use crate::output::Told;
use crate::person::PersonKey;

/// Persons of a crowd that are looked at in one step.
const MEMBERS_PAGE: usize = 200;

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
        for (key, found) in self.companies {
            world.companies.load(key, found.revision, found.document);
        }
        for (key, found) in self.deals {
            world.deals.load(key, found.revision, found.document);
        }
        for (id, found) in self.happenings {
            world.happenings.load(id, found.revision, found.document);
        }
        for (_, found) in self.deliveries {
            world.deliveries.load(found.revision, found.document);
        }
        if let Some(found) = self.destination {
            world.destination =
                Held { revision: found.revision, document: found.document, changed: false, gone: false };
        }
        for (email, members) in self.crowds {
            let crowd = world.crowds.entry(email).or_default();
            for member in members {
                crowd.entry(member).or_insert(Membership::Found);
            }
        }
        world.seen.extend(self.seen);
        world.tombstones.extend(self.tombstones);
        world.suppressed.extend(self.suppressed);
    }
}

/// What contacts are loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// To decide on them; the turn is held.
    Deciding,
    /// To show them.
    Showing,
}

/// Loads contacts with everything that their evaluation needs: their persons, or those of a crowd whose statements are the
/// newest, and the deliveries they speak of. Whoever may change in the same working set is loaded before.
///
/// # Errors
/// The store failed.
pub async fn load_contacts(
    store: &dyn Store,
    emails: &BTreeSet<Email>,
    settings: &Settings,
    what_for: For,
    world: &mut World,
) -> Result<(), StoreError> {
    let contacts = emails.iter().filter(|email| world.contacts.get(email).is_none()).cloned().collect();
    load(store, Keys { contacts, ..Keys::default() }, world).await?;
    let crowd = |email: &Email| world.contacts.get(email)?.crowd.as_ref().map(|crowd| (email.clone(), crowd));
    let crowds: BTreeMap<Email, &Crowd> = emails.iter().filter_map(crowd).collect();
    if !crowds.is_empty() {
        let fingerprint = settings.fingerprint();
        let stale = |crowd: &Crowd| what_for == For::Deciding && crowd.judged_by != fingerprint.as_str();
        let stale: Vec<Email> =
            crowds.iter().filter(|(_, crowd)| stale(crowd)).map(|(email, _)| email.clone()).collect();
        let crowds: BTreeSet<Email> = crowds.into_keys().collect();
        for email in stale {
            judge_anew(store, &email, settings, world).await?;
        }
        world.find_in_crowds();
        let without = world.people.iter().map(|(key, _)| key.clone()).collect();
        load(store, Keys { crowds, without, ..Keys::default() }, world).await?;
    }
    load(store, keys_of_contacts(world, emails, &settings.account), world).await?;
    // The contacts that are to get one of these addresses.
    let old = renamed(world, emails, &settings.account);
    let contacts = old.iter().filter(|email| world.contacts.get(email).is_none()).cloned().collect();
    load(store, Keys { contacts, ..Keys::default() }, world).await?;
    load(store, keys_of_contacts(world, &old, &settings.account), world).await
}

fn renamed(world: &World, emails: &BTreeSet<Email>, account: &Account) -> BTreeSet<Email> {
    let renames = |email: &Email| world.contacts.get(email)?.standing.get(account)?.renames.clone();
    emails.iter().filter_map(renames).map(|renames| renames.from).collect()
}

async fn load(store: &dyn Store, keys: Keys, world: &mut World) -> Result<(), StoreError> {
    if !keys.is_empty() {
        store.load(keys).await?.add_to(world);
    }
    Ok(())
}

/// Makes everything anew that was contributed to a crowd by settings that are gone. Killed in between, it begins anew.
async fn judge_anew(
    store: &dyn Store,
    email: &Email,
    settings: &Settings,
    world: &mut World,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let members = store.members(email.clone(), after, MEMBERS_PAGE).await?;
        after = members.last().cloned();
        if after.is_none() {
            break;
        }
        let keys = Keys { people: members.iter().cloned().collect(), ..Keys::default() };
        let people = store.load(keys).await?.people;
        let contributed = |member: PersonKey| {
            let person = people.get(&member).filter(|_| settings.counts(&member));
            let said = person.map(|person| contributions(&member, &person.document.facts(), email, settings));
            let contributions = said.unwrap_or_default();
            Put::Contributed(Contributed { email: email.clone(), member, contributions })
        };
        let puts = members.into_iter().map(contributed).collect();
        store.apply(Plan { puts, ..Plan::default() }).await?;
    }
    let keys = || Keys { contacts: BTreeSet::from([email.clone()]), ..Keys::default() };
    let Some(found) = store.load(keys()).await?.contacts.remove(email) else { return Ok(()) };
    let crowd = Some(Crowd { judged_by: settings.fingerprint().as_str().to_owned() });
    let contact = Contact { crowd, ..found.document };
    let puts = vec![Put::Contact(email.clone(), found.revision, contact)];
    store.apply(Plan { puts, ..Plan::default() }).await?;
    load(store, keys(), world).await
}

/// What a contact's evaluation needs beside the contact: its members, and the deliveries it speaks of.
fn keys_of_contacts(world: &World, emails: &BTreeSet<Email>, account: &Account) -> Keys {
    let mut keys = Keys::default();
    for (email, contact) in emails.iter().filter_map(|email| Some((email, world.contacts.get(email)?))) {
        let members = world.members(email).into_iter();
        keys.people.extend(members.filter(|key| world.people.get(key).is_none()));
        let standing = contact.standing.get(account);
        let calls = standing.into_iter().flat_map(Standing::calls);
        keys.deliveries.extend(calls.filter(|id| world.deliveries.get(id).is_none()).cloned());
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
    limits: &BTreeMap<Bound, u64>,
    now: UnixMicros,
) -> Result<Quotas, StoreError> {
    if limits.is_empty() {
        return Ok(Quotas::default());
    }
    let made = store.bounded(account, now.minus(HOUR)).await?;
    Ok(Quotas::of(limits, &made, now))
}

impl Plan {
    /// Everything that changed in a working set.
    #[must_use]
    pub fn of(world: World, account: &Account) -> Self {
        let mut plan = Self::default();
        plan.counts.outcomes = world.outcomes;
        let puts = &mut plan.puts;
        puts.extend(changed(world.people, Put::Person, Gone::Person));
        puts.extend(changed(world.timelines, Put::Timeline, Gone::Timeline));
        puts.extend(changed(world.contacts, Put::Contact, Gone::Contact));
        puts.extend(changed(world.companies, Put::Company, Gone::Company));
        let deal = |key, revision, deal| Put::Deal(Box::new(PutDeal::new(key, revision, deal, account)));
        puts.extend(changed(world.deals, deal, Gone::Deal));
        let happening = |id, revision, it| Put::Happening(Box::new((id, revision, it)));
        puts.extend(changed(world.happenings, happening, Gone::Happening));
        for held in world.deliveries.into_changed() {
            plan.counts.moved(held.was, held.delivery.state);
            plan.counts.reached_end(&held.delivery, held.was);
            if held.was.is_none() {
                plan.counts.opened(&held.delivery);
            }
            if !held.gone {
                puts.push(Put::Delivery(held.revision, held.delivery));
            } else if held.revision > 0 {
                puts.push(Put::Gone(Gone::Delivery(held.delivery.id, held.revision)));
            }
        }
        puts.extend(world.contributed.into_iter().map(Put::Contributed));
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
        puts.extend(told(world.told));
        puts.extend(world.won.into_iter().map(|(key, at)| Put::Won(key, at)));
        plan
    }
}

/// What goes comes first: whoever refuses and says yes again in one batch is told of as they are then.
fn told(told: Told) -> impl Iterator<Item = Put> {
    let withheld = told.withheld.into_iter().map(PutOutput::Withheld);
    let erased = told.erased.into_iter().map(PutOutput::Erased);
    let made = told.outputs.into_iter().map(|output| PutOutput::Made(Box::new(output)));
    let without = told.no_conversion.into_iter().map(PutOutput::NoConversion);
    withheld.chain(without).chain(erased).chain(made).map(Put::Output)
}

/// What has changed among documents of one kind.
fn changed<K: Ord + Clone, V: Default>(
    shelf: Shelf<K, V>,
    put: impl Fn(K, Revision, V) -> Put,
    gone: impl Fn(K, Revision) -> Gone,
) -> impl Iterator<Item = Put> {
    shelf.into_changed().filter_map(move |(key, held)| match (held.gone, held.revision) {
        (false, revision) => Some(put(key, revision, held.document)),
        // It never was in the store.
        (true, 0) => None,
        (true, revision) => Some(Put::Gone(gone(key, revision))),
    })
}
