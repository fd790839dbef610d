//! Last writer wins: the stamp that orders statements, and the maps that keep the newest or the first of each.
//!
//! Joining is commutative, associative and idempotent, so the order in which events arrive does not matter. Trust comes
//! before time: what somebody said who is believed more is never replaced by somebody who is believed less.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Trust;
use crate::clock::UnixMicros;

/// When something was said, by which message, and how far that is believed. Its order is that of time, the message id
/// breaks ties; which of two statements counts is in [`Stamp::rank`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Corrected time of the event.
    pub at: UnixMicros,
    /// The event's message id.
    pub message_id: String,
    /// Who said it. Stamps of versions that did not ask are those of servers: nothing changes among them, and no visitor
    /// replaces what may have been a server's.
    #[serde(default, skip_serializing_if = "Trust::is_server")]
    pub trust: Trust,
}

impl Stamp {
    /// Which of two statements counts: the one that is believed more, of two that are believed equally the later one.
    #[must_use]
    pub fn rank(&self) -> (Trust, &Self) {
        (self.trust, self)
    }

    /// Where the first statement counts: whether this one does rather than `other`.
    #[must_use]
    pub fn is_first(&self, other: &Self) -> bool {
        self.trust > other.trust || (self.trust == other.trust && self < other)
    }

    /// How many bytes it is as JSON, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        48 + self.message_id.len() + if self.trust.is_server() { 0 } else { 18 }
    }
}

/// A value and who said it when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped<V> {
    /// What was said.
    pub value: V,
    /// When and by whom.
    pub stamp: Stamp,
}

impl<V: Rank> Stamped<V> {
    /// Whether this statement wins over `other`.
    #[must_use]
    pub fn beats(&self, other: &Self) -> bool {
        match self.stamp.rank().cmp(&other.stamp.rank()) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            // One message can say two things only through a source that reuses ids; any fixed rule will do.
            std::cmp::Ordering::Equal => self.value.rank() > other.value.rank(),
        }
    }

    /// Whether this statement is the first of the two.
    fn is_before(&self, other: &Self) -> bool {
        let tie = self.stamp == other.stamp && self.value.rank() < other.value.rank();
        self.stamp.is_first(&other.stamp) || tie
    }
}

/// A total order on values for the tie of two equal stamps.
pub trait Rank {
    /// A text that differs when the values differ.
    fn rank(&self) -> String;
}

impl Rank for serde_json::Value {
    fn rank(&self) -> String {
        self.to_string()
    }
}

impl Rank for String {
    fn rank(&self) -> String {
        self.clone()
    }
}

/// A map whose every entry keeps the newest statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lww<K: Ord, V>(BTreeMap<K, Stamped<V>>);

impl<K: Ord, V> Default for Lww<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, V: Rank + Clone> Lww<K, V> {
    /// Takes the statement in where it counts before what is known; tells whether it does.
    pub fn say(&mut self, key: K, statement: Stamped<V>) -> bool {
        match self.0.get(&key) {
            Some(known) if !statement.beats(known) => false,
            Some(_) | None => {
                self.0.insert(key, statement);
                true
            }
        }
    }

    /// The newest of both, entry by entry.
    pub fn join(&mut self, other: &Self) {
        for (key, statement) in &other.0 {
            self.say(key.clone(), statement.clone());
        }
    }

    /// The newest statement under a key.
    pub fn get<Q>(&self, key: &Q) -> Option<&Stamped<V>>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.0.get(key)
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Stamped<V>)> {
        self.0.iter()
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A map whose every entry keeps the first statement: what somebody came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fww<K: Ord, V>(BTreeMap<K, Stamped<V>>);

impl<K: Ord, V> Default for Fww<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, V: Rank + Clone> Fww<K, V> {
    /// Takes the statement in where it is older than what is known.
    pub fn say(&mut self, key: K, statement: Stamped<V>) {
        if self.0.get(&key).is_none_or(|known| statement.is_before(known)) {
            self.0.insert(key, statement);
        }
    }

    /// The first of both, entry by entry.
    pub fn join(&mut self, other: &Self) {
        for (key, statement) in &other.0 {
            self.say(key.clone(), statement.clone());
        }
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Stamped<V>)> {
        self.0.iter()
    }

    /// The first statement under a key.
    pub fn get<Q>(&self, key: &Q) -> Option<&Stamped<V>>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.0.get(key)
    }

    /// Leaves out what was said under a key.
    pub fn forget<Q>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.0.remove(key);
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
