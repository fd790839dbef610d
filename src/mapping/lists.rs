//! Lists of contacts that an event puts its person on, or takes them off (`[events.NAME.lists]`), as it is written.
//!
//! Data alone. Must not know who is on them.

use serde::{Deserialize, Serialize};

use super::label::Label;
use crate::event::fold_name;

/// What one event says of lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventLists {
    /// Its person is put on these.
    pub add: Vec<Label>,
    /// Its person is taken off these.
    pub remove: Vec<Label>,
}

impl EventLists {
    /// Every list that it names, and whether it puts somebody on it.
    pub fn all(&self) -> impl Iterator<Item = (&Label, bool)> {
        let on = self.add.iter().map(|label| (label, true));
        on.chain(self.remove.iter().map(|label| (label, false)))
    }
}

/// Under which path it is remembered that such an event happened. No rule of a mapping can read it.
pub(super) fn path_of(event: &str) -> String {
    format!("lists of {}", fold_name(event))
}
