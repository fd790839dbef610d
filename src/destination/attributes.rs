//! Attributes that the account treats otherwise than it says: those it takes and does not keep, and those that turn without end
//! between two values. Names alone: no value and no person is here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Destination;
use crate::clock::UnixMicros;

/// Attributes of each kind that are remembered.
const ATTRIBUTES_MAX: usize = 50;
/// An attribute that was not kept for so many contacts is sent no more.
const CONTACTS: usize = 3;
/// Of these one is enough: an account decides about them for everybody.
const AT_ONCE: [&str; 3] = ["subscription_status", "owner_id", "contact_status_id"];
/// What turned is told for so long.
const TOLD_FOR: Duration = Duration::from_hours(24);

/// What is known of attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// Those that the account took and did not keep.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unkept: BTreeMap<String, Unkept>,
    /// Those that turned too often between two values, and when last.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    frozen: BTreeMap<String, UnixMicros>,
}

/// An attribute that the account took and did not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Unkept {
    /// Of which contacts, by their ids there; no more than it takes.
    contacts: BTreeSet<u64>,
    /// Since when it is sent no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<UnixMicros>,
}

impl Attributes {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Destination {
    /// Whether an attribute is sent no more, because the account does not keep it.
    #[must_use]
    pub fn keeps_not(&self, attribute: &str) -> bool {
        self.attributes.unkept.get(attribute).is_some_and(|unkept| unkept.stopped_at.is_some())
    }

    /// The attributes that are sent no more, because the account does not keep them.
    pub fn not_kept(&self) -> impl Iterator<Item = &str> {
        let stopped = self.attributes.unkept.iter().filter(|(_, unkept)| unkept.stopped_at.is_some());
        stopped.map(|(name, _)| name.as_str())
    }

    /// The attributes that turned too often between two values lately.
    pub fn frozen(&self, now: UnixMicros) -> impl Iterator<Item = &str> {
        let lately = self.attributes.frozen.iter().filter(move |(_, at)| now.since(**at) < TOLD_FOR);
        lately.map(|(name, _)| name.as_str())
    }

    /// An attribute turned too often.
    pub fn freeze(&mut self, attribute: String, now: UnixMicros) {
        self.attributes.frozen.retain(|_, at| now.since(*at) < TOLD_FOR);
        if self.attributes.frozen.len() < ATTRIBUTES_MAX {
            self.attributes.frozen.insert(attribute, now);
        }
    }

    /// The account took attributes of a contact and kept some of them; tells whether that is news.
    pub fn kept(&mut self, contact: u64, kept: &[String], not_kept: &[String], now: UnixMicros) -> bool {
        let before = self.attributes.unkept.clone();
        let unkept = &mut self.attributes.unkept;
        // One that is kept once is not one that the account keeps from nobody.
        unkept.retain(|name, unkept| unkept.stopped_at.is_some() || !kept.contains(name));
        for name in not_kept {
            if unkept.len() >= ATTRIBUTES_MAX && !unkept.contains_key(name) {
                continue;
            }
            let one = unkept.entry(name.clone()).or_default();
            if one.stopped_at.is_none() {
                one.contacts.insert(contact);
                let enough = one.contacts.len() >= CONTACTS || AT_ONCE.contains(&name.as_str());
                one.stopped_at = enough.then_some(now);
            }
        }
        before != self.attributes.unkept
    }

    /// Somebody may have mended the account: what it did not keep is tried again.
    pub(super) fn try_attributes_again(&mut self) {
        self.attributes = Attributes::default();
    }
}
