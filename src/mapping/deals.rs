//! Kinds of deals in a mapping file (`[deals.KIND]`), as they are written.
//!
//! Data alone, and which paths it asks for. Must not read events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::label::Label;
use super::rules::{FieldRule, Origin};
use super::template::Template;

/// What is true of all deals of a kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DealRule {
    /// What tells its deals apart.
    pub key: DealKeyRule,
    /// The attribute in which Freshsales keeps the key; empty: the end of the name.
    pub key_field: String,
    /// What a deal is called when it is created.
    pub name: Template,
    /// Its pipeline; without one the account's default.
    pub pipeline: Option<Label>,
    /// Whether its stage never goes back by an event. To be decided by whoever names stages.
    pub forward_only: Option<bool>,
    /// Of a contact that Freshsales had before us the deals are read first, and one with a key of ours is taken over.
    pub look_first: bool,
    /// Before one is created the only open deal of its contact in the pipeline is taken over.
    pub adopt: bool,
    /// What becomes of one that was deleted in Freshsales.
    pub when_gone: WhenGone,
    /// How long changes of one that exists wait for more.
    pub hold_seconds: u64,
    /// Its attributes.
    pub fields: BTreeMap<String, FieldRule>,
}

impl Default for DealRule {
    fn default() -> Self {
        Self {
            key: DealKeyRule::default(),
            key_field: String::new(),
            name: Template::default(),
            pipeline: None,
            forward_only: None,
            look_first: true,
            adopt: false,
            when_gone: WhenGone::Stop,
            hold_seconds: 5,
            fields: BTreeMap::new(),
        }
    }
}

/// What tells the deals of a kind apart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a list of paths, or \"person\" for one deal of this kind per person")]
pub enum DealKeyRule {
    /// What stands at the first of these paths that says something.
    Paths(Vec<String>),
    /// One deal of this kind per person.
    Of(Whose),
}

/// Whose deal it is, where that tells deals apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The person's.
    Person,
}

impl Default for DealKeyRule {
    fn default() -> Self {
        Self::Paths(Vec::new())
    }
}

/// What becomes of a deal that was deleted in Freshsales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenGone {
    /// It stays deleted.
    #[default]
    Stop,
    /// It is created again when it changes.
    Recreate,
}

impl DealRule {
    /// How long changes of a deal that exists wait for more.
    #[must_use]
    pub fn hold(&self) -> Duration {
        Duration::from_secs(self.hold_seconds)
    }

    /// Whether one that was deleted in Freshsales is created anew.
    #[must_use]
    pub fn recreates(&self) -> bool {
        match self.when_gone {
            WhenGone::Stop => false,
            WhenGone::Recreate => true,
        }
    }

    /// Every path that is read of an event that speaks of such a deal.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let of_fields = self.fields.values().flat_map(|rule| &rule.from).map(Origin::path);
        of_fields.chain(self.name.paths())
    }
}
