//! Tallies: things that a person has several of (orders), each told apart by a key of its own.
//!
//! Joining is commutative, associative and idempotent: of each thing the newest statement at each path counts, however
//! often and in whatever order it is said. Must not know what is made of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Lww, Stamp, Stamped, Trust};

/// Things of one set that are kept of a person. Of more than that those stay of which something was said last.
pub const THINGS_MAX: usize = 500;

/// The path under which it stands whether a thing counts.
const COUNTS: &str = "";

/// What one event says of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThingSaid {
    /// What tells it apart from others of its set.
    pub key: String,
    /// Whether it counts from then on; not where the event undoes it.
    pub counts: bool,
    /// Values by the path they stood at.
    pub values: BTreeMap<String, Value>,
}

/// One thing: the newest value at each path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Thing(Lww<String, Value>);

impl Thing {
    /// When it was last said that it counts; `None` where it does not.
    #[must_use]
    pub fn counted(&self) -> Option<&Stamp> {
        self.0.get(COUNTS).filter(|said| said.value == Value::Bool(true)).map(|said| &said.stamp)
    }

    /// What was said at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Stamped<Value>> {
        self.0.get(path)
    }

    /// The statement that counts before all others.
    fn rank(&self) -> Option<(Trust, &Stamp)> {
        self.0.iter().map(|(_, said)| said.stamp.rank()).max()
    }
}

/// The things of one set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    things: BTreeMap<String, Thing>,
    /// There were more than [`THINGS_MAX`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

impl Tally {
    /// The things by their keys.
    pub fn things(&self) -> impl Iterator<Item = (&str, &Thing)> {
        self.things.iter().map(|(key, thing)| (key.as_str(), thing))
    }

    /// The statement that counts before all others.
    #[must_use]
    pub fn newest(&self) -> Option<&Stamp> {
        self.things.values().filter_map(Thing::rank).max().map(|(_, stamp)| stamp)
    }

    /// How many bytes it is as JSON, about.
    #[must_use]
    pub(super) fn weight(&self, of_value: impl Fn(&Value) -> usize) -> usize {
        let said = |thing: &Thing| -> usize {
            thing.0.iter().map(|(path, said)| path.len() + of_value(&said.value) + said.stamp.weight()).sum()
        };
        self.things.iter().map(|(key, thing)| key.len() + 6 + said(thing)).sum()
    }

    /// Takes in what one event says of one thing.
    pub(super) fn learn(&mut self, said: &ThingSaid, stamp: &Stamp) {
        let thing = self.things.entry(said.key.clone()).or_default();
        let counts = (COUNTS.to_owned(), Value::Bool(said.counts));
        let values = said.values.iter().map(|(path, value)| (path.clone(), value.clone()));
        for (path, value) in values.chain([counts]) {
            thing.0.say(path, Stamped { value, stamp: stamp.clone() });
        }
        self.bound();
    }

    /// Takes in what another knows.
    pub fn join(&mut self, other: &Self) {
        for (key, thing) in &other.things {
            self.things.entry(key.clone()).or_default().0.join(&thing.0);
        }
        self.more |= other.more;
        self.bound();
    }

    /// What something was said of last stays. That is a join too: a thing that goes has that many before it in every order.
    fn bound(&mut self) {
        while self.things.len() > THINGS_MAX {
            self.more = true;
            let oldest = self.things.iter().min_by_key(|(key, thing)| (thing.rank(), *key));
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
            self.things.remove(&oldest);
        }
    }
}
