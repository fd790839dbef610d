//! The working set of a decision: the documents it may touch, and which of them it changed.

use std::collections::BTreeMap;

use super::contributed::{Contributed, Membership};
use super::{Outcome, Reading, Settings};
use crate::clock::UnixMicros;
use crate::company::Company;
use crate::contact::{Contact, Standing};
use crate::deal::Deal;
use crate::delivery::{Account, CompanyKey, DealKey, Delivery, DeliveryId, HappeningId, State, Subject};
use crate::destination::Destination;
use crate::erasure::{CallEnd, ForgetOrder, Mark};
use crate::event::{Email, Position, SourceName};
use crate::happening::Happening;
use crate::output::Told;
use crate::person::{Person, PersonKey, Timeline, TimelineKey};

/// A document in the working set.
#[derive(Clone, Debug, Default)]
pub struct Held<V> {
    /// The revision it was loaded at; 0 for one that is new.
    pub revision: u64,
    /// Its content.
    pub document: V,
    /// Whether it was changed.
    pub changed: bool,
    /// Whether it is to go.
    pub gone: bool,
}

/// Documents of one kind by key.
#[derive(Clone, Debug)]
pub struct Shelf<K: Ord, V>(BTreeMap<K, Held<V>>);

impl<K: Ord, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, V: Default> Shelf<K, V> {
    /// Puts a loaded document on the shelf.
    pub fn load(&mut self, key: K, revision: u64, document: V) {
        self.0.insert(key, Held { revision, document, changed: false, gone: false });
    }

    /// A document, if it exists.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).filter(|held| !held.gone).map(|held| &held.document)
    }

    /// Lets a document go.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let held = self.0.get_mut(key).filter(|held| !held.gone)?;
        (held.changed, held.gone) = (true, true);
        Some(std::mem::take(&mut held.document))
    }

    /// A document to change; a new one where it does not exist.
    pub fn edit(&mut self, key: &K) -> &mut V {
        let held = self.0.entry(key.clone()).or_default();
        (held.changed, held.gone) = (true, false);
        &mut held.document
    }

    /// Whether a document was changed, or has gone.
    #[must_use]
    pub fn is_changed(&self, key: &K) -> bool {
        self.0.get(key).is_some_and(|held| held.changed)
    }

    /// All documents, changed or not.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().filter(|(_, held)| !held.gone).map(|(key, held)| (key, &held.document))
    }

    /// The keys of documents that are new.
    pub fn new_keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().filter(|(_, held)| held.revision == 0 && held.changed).map(|(key, _)| key)
    }

    /// The changed documents.
    pub fn into_changed(self) -> impl Iterator<Item = (K, Held<V>)> {
        self.0.into_iter().filter(|(_, held)| held.changed)
    }
}

/// The deliveries of the working set, with the state each was loaded in.
#[derive(Clone, Debug, Default)]
pub struct Deliveries(BTreeMap<DeliveryId, HeldDelivery>);

/// A delivery in the working set.
#[derive(Clone, Debug)]
pub struct HeldDelivery {
    /// The revision it was loaded at; 0 for one that is new.
    pub revision: u64,
    /// The state it was loaded in; `None` for one that is new.
    pub was: Option<State>,
    /// Its content.
    pub delivery: Delivery,
    /// Whether it was changed.
    pub changed: bool,
    /// Whether it is to go; it ends erased then.
    pub gone: bool,
}

impl Deliveries {
    /// Takes in a loaded delivery.
    pub fn load(&mut self, revision: u64, delivery: Delivery) {
        let was = Some(delivery.state);
        self.0.insert(
            delivery.id.clone(),
            HeldDelivery { revision, was, delivery, changed: false, gone: false },
        );
    }

    /// A delivery, if it exists.
    #[must_use]
    pub fn get(&self, id: &DeliveryId) -> Option<&Delivery> {
        self.0.get(id).filter(|held| !held.gone).map(|held| &held.delivery)
    }

    /// Opens a delivery.
    pub fn open(&mut self, delivery: Delivery) {
        let held = HeldDelivery { revision: 0, was: None, delivery, changed: true, gone: false };
        self.0.insert(held.delivery.id.clone(), held);
    }

    /// Ends a delivery as erased: it counts, and nothing of it stays.
    pub fn erase(&mut self, id: &DeliveryId) {
        if let Some(held) = self.0.get_mut(id) {
            (held.changed, held.gone, held.delivery.state) = (true, true, State::Erased);
        }
    }

    /// Lets a delivery make a transition.
    pub fn change(&mut self, id: &DeliveryId, transition: impl FnOnce(Delivery) -> Delivery) {
        if let Some(mut held) = self.0.remove(id) {
            held.delivery = transition(held.delivery);
            held.changed = true;
            self.0.insert(id.clone(), held);
        }
    }

    /// Those that are owed to an account and not on their way, with what each is about.
    #[must_use]
    pub fn owed_to(&self, account: &Account) -> Vec<(DeliveryId, Subject)> {
        let owed = |held: &&HeldDelivery| {
            let waits = matches!(held.delivery.state, State::Waiting | State::Retrying);
            waits && !held.gone && held.delivery.account == *account
        };
        self.0
            .values()
            .filter(owed)
            .map(|held| (held.delivery.id.clone(), held.delivery.subject.clone()))
            .collect()
    }

    /// Those whose call was on its way and has ended.
    pub fn ended_calls(&self) -> impl Iterator<Item = &Delivery> {
        let ended = |held: &&HeldDelivery| {
            let was_on_its_way = held.was == Some(State::InFlight) && held.delivery.state != State::InFlight;
            was_on_its_way && held.changed && !held.gone
        };
        self.0.values().filter(ended).map(|held| &held.delivery)
    }

    /// The changed deliveries.
    pub fn into_changed(self) -> impl Iterator<Item = HeldDelivery> {
        self.0.into_values().filter(|held| held.changed)
    }
}

/// The working set.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// People.
    pub people: Shelf<PersonKey, Person>,
    /// Time lines of anonymous ids.
    pub timelines: Shelf<TimelineKey, Timeline>,
    /// Contacts.
    pub contacts: Shelf<Email, Contact>,
    /// Companies.
    pub companies: Shelf<CompanyKey, Company>,
    /// Deals.
    pub deals: Shelf<DealKey, Deal>,
    /// Notes, activities and tasks.
    pub happenings: Shelf<HappeningId, Happening>,
    /// Deliveries.
    pub deliveries: Deliveries,
    /// Those of the people above who have, or had, the address of a crowd.
    pub crowds: BTreeMap<Email, BTreeMap<PersonKey, Membership>>,
    /// What people contribute to crowds now.
    pub contributed: Vec<Contributed>,
    /// How the destination stands, and the revision it was loaded at.
    pub destination: Held<Destination>,
    /// Messages seen, and where first.
    pub seen: BTreeMap<(SourceName, String), Position>,
    /// Messages seen for the first time: where, and when they were received.
    pub newly_seen: Vec<(SourceName, String, Position, UnixMicros)>,
    /// First positions of messages that came again.
    pub seen_again: Vec<Position>,
    /// What became of how many events.
    pub outcomes: BTreeMap<Outcome, i64>,
    /// Events that spoke of consent in a way that was not understood, by source.
    pub consent_not_understood: BTreeMap<SourceName, u64>,
    /// When people were erased of whom an event speaks.
    pub tombstones: BTreeMap<Mark, UnixMicros>,
    /// Of which contacts nothing is ever sent, and since when.
    pub suppressed: BTreeMap<Email, UnixMicros>,
    /// People who are erased now.
    pub buried: Vec<(Mark, UnixMicros)>,
    /// Events whose content must not stay in the journal.
    pub to_blank: Vec<Position>,
    /// Contacts that Freshsales is to be told to forget.
    pub forgets: Vec<ForgetOrder>,
    /// Calls that have ended of contacts that were erased meanwhile.
    pub erased_calls: Vec<(DeliveryId, CallEnd)>,
    /// What other systems of the user are told.
    pub told: Told,
    /// Deals that were won, and when; nothing for one that is won no more.
    pub won: BTreeMap<DealKey, Option<UnixMicros>>,
}

/// How a contact stands with the account, to change it.
pub(super) fn standing_of<'w>(email: &Email, world: &'w mut World, settings: &Settings) -> &'w mut Standing {
    world.contacts.edit(email).standing.entry(settings.account.clone()).or_default()
}

impl World {
    /// Where a message was seen before, if it was.
    pub fn see_again(&mut self, reading: &Reading) -> Option<Position> {
        let first = *self.seen.get(&(reading.source.clone(), reading.stamp.message_id.clone()))?;
        self.seen_again.push(first);
        Some(first)
    }

    /// Notes with the destination that an attribute turned too often, for whoever looks after the account.
    pub(super) fn freeze(&mut self, attribute: String, now: UnixMicros) {
        self.destination.document.freeze(attribute, now);
        self.destination.changed = true;
    }

    /// Takes note of a message that was not seen before.
    pub fn see_first(&mut self, reading: &Reading) {
        let Reading { source, stamp, position, received_at, .. } = reading;
        self.newly_seen.push((source.clone(), stamp.message_id.clone(), *position, *received_at));
        self.seen.insert((source.clone(), stamp.message_id.clone()), *position);
    }
}
