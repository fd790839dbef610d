//! Who is to be on which list of contacts, by what was said last.
//!
//! What is remembered of a person is when an event that speaks of lists happened last; which lists that means is the mapping's to
//! say whenever it is asked, so a corrected mapping corrects the lists. Must not know how anybody stands with a list.

use std::collections::BTreeMap;

use super::Preset;
use super::label::Label;
use super::lists::{EventLists, path_of};
use crate::delivery::ListKey;
use crate::event::Stamp;
use crate::person::Facts;

/// Whether somebody is to be on a list, by what was said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The list, as the mapping calls it: a name, or an id.
    pub label: Label,
    /// They are to be on it.
    pub on: bool,
    /// When that was said, and by which message.
    pub stamp: Stamp,
}

impl Preset {
    /// What events say of lists, with their names.
    fn events_with_lists(&self) -> impl Iterator<Item = (&str, &EventLists)> {
        let sent = self.named_rules().filter(|(_, rule)| rule.send);
        sent.filter_map(|(name, rule)| Some((name, rule.lists.as_ref()?)))
    }

    /// Whether any event puts somebody on a list or takes them off one.
    #[must_use]
    pub fn lists_contacts(&self) -> bool {
        self.events_with_lists().next().is_some()
    }

    /// What an event says of lists.
    #[must_use]
    pub fn lists_of_event(&self, event: &str) -> Option<&EventLists> {
        self.event(event)?.lists.as_ref()
    }

    /// The lists that people are to be on, or off, by what each of them said last.
    #[must_use]
    pub fn listings(&self, here: &[&Facts]) -> BTreeMap<ListKey, Listing> {
        let mut found: BTreeMap<ListKey, Listing> = BTreeMap::new();
        for (event, lists) in self.events_with_lists() {
            let Some(stamp) = newest(event, here) else { continue };
            for (label, on) in lists.all() {
                let Some(key) = ListKey::of(&label.text()) else { continue };
                let listing = Listing { label: label.clone(), on, stamp: stamp.clone() };
                let newer = |known: &Listing| known.stamp.rank() < stamp.rank();
                if found.get(&key).is_none_or(newer) {
                    found.insert(key, listing);
                }
            }
        }
        found
    }

    /// When each event that speaks of lists happened last to a person, with its name.
    pub fn listed_at<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = (&'a str, &'a Stamp)> {
        self.events_with_lists().filter_map(|(event, _)| Some((event, newest(event, &[facts])?)))
    }

    /// Every list that is named, as it is called.
    pub fn lists_named(&self) -> impl Iterator<Item = &Label> {
        self.events_with_lists().flat_map(|(_, lists)| lists.all()).map(|(label, _)| label)
    }
}

fn newest<'f>(event: &str, here: &[&'f Facts]) -> Option<&'f Stamp> {
    let path = path_of(event);
    let said = here.iter().filter_map(|facts| facts.values.get(&path));
    said.map(|said| &said.stamp).max_by_key(|stamp| stamp.rank())
}
