//! The working set of a decision: the documents it may touch, and which of them it changed.

use std::collections::BTreeMap;

use super::{Outcome, Reading};
use crate::clock::UnixMicros;
use crate::contact::Contact;
use crate::delivery::{Delivery, DeliveryId, Destination, State};
use crate::event::{Email, Position, SourceName};
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
        self.0.insert(key, Held { revision, document, changed: false });
    }

    /// A document, if it exists.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|held| &held.document)
    }

    /// A document to change; a new one where it does not exist.
    pub fn edit(&mut self, key: &K) -> &mut V {
        let held = self.0.entry(key.clone()).or_default();
        held.changed = true;
        &mut held.document
    }

    /// All documents, changed or not.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, held)| (key, &held.document))
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
}

impl Deliveries {
    /// Takes in a loaded delivery.
    pub fn load(&mut self, revision: u64, delivery: Delivery) {
        let was = Some(delivery.state);
        self.0.insert(delivery.id.clone(), HeldDelivery { revision, was, delivery, changed: false });
    }

    /// A delivery, if it exists.
    #[must_use]
    pub fn get(&self, id: &DeliveryId) -> Option<&Delivery> {
        self.0.get(id).map(|held| &held.delivery)
    }

    /// Opens a delivery.
    pub fn open(&mut self, delivery: Delivery) {
        self.0.insert(delivery.id.clone(), HeldDelivery { revision: 0, was: None, delivery, changed: true });
    }

    /// Lets a delivery make a transition.
    pub fn change(&mut self, id: &DeliveryId, transition: impl FnOnce(Delivery) -> Delivery) {
        if let Some(mut held) = self.0.remove(id) {
            held.delivery = transition(held.delivery);
            held.changed = true;
            self.0.insert(id.clone(), held);
        }
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
    /// Deliveries.
    pub deliveries: Deliveries,
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
}

impl World {
    /// Takes note of a message; tells where it was seen before, if it was.
    pub fn see(&mut self, reading: &Reading) -> Option<Position> {
        let Reading { source, stamp, position, received_at, .. } = reading;
        let key = (source.clone(), stamp.message_id.clone());
        if let Some(first) = self.seen.get(&key) {
            self.seen_again.push(*first);
            return Some(*first);
        }
        self.newly_seen.push((source.clone(), stamp.message_id.clone(), *position, *received_at));
        self.seen.insert(key, *position);
        None
    }
}
