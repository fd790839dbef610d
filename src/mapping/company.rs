//! Companies in a mapping file (`[company]`): what they are called, what is said of them, how contacts are linked.
//!
//! Must not know how a company stands with an account.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::rules::{FieldRule, Origin, Values};
use super::template::Template;
use super::{Convert, Mapped, Place, by_precedence, map_fields};
use crate::event::{Event, Stamped};
use crate::person::{Facts, Said};

/// What is true of all companies.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompanyRule {
    /// Where its name stands.
    pub name: Vec<Origin>,
    /// How one that Freshsales has already is found.
    #[serde(rename = "match")]
    pub found_by: Match,
    /// How contacts are linked to it.
    pub link: Link,
    /// The company of a deal whose contact has none, for accounts that demand one.
    pub missing: Template,
    /// Its attributes.
    pub fields: BTreeMap<String, FieldRule>,
}

impl Default for CompanyRule {
    fn default() -> Self {
        Self {
            name: Vec::new(),
            found_by: Match::Name,
            link: Link::IfNone,
            missing: Template::default(),
            fields: BTreeMap::new(),
        }
    }
}

/// How a company that Freshsales has already is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// By its name.
    Name,
    /// By its website, then by its name.
    Domain,
}

/// How contacts are linked to their company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A contact that has no company gets it as its primary one.
    IfNone,
    /// Not at all.
    Never,
}

impl CompanyRule {
    /// Every path that is read of an event that names a company.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.fields.values().flat_map(|rule| &rule.from).map(Origin::path)
    }

    /// The company that an event names, and what it says of it. The properties and the context of an event that is not mapped
    /// say nothing.
    #[must_use]
    pub fn of_event(&self, event: &Event, is_mapped: bool) -> Option<(String, Said)> {
        let roots = event.roots();
        let counts = |path: &&str| is_mapped || path.starts_with("traits.") || path.starts_with("group.");
        let mut names = self.name.iter().map(Origin::path).filter(counts);
        let name = names.find_map(|path| name(roots.find(path).value()?))?;
        let mut said = Said::default();
        for path in self.paths().filter(counts) {
            if let Some(value) = roots.find(path).value() {
                said.values.insert(path.to_owned(), value.clone());
            }
        }
        Some((name, said))
    }

    /// The company of a person, by the newest statement.
    #[must_use]
    pub fn of_person(&self, facts: &Facts) -> Option<Stamped<String>> {
        let rule = FieldRule { from: self.name.clone(), ..FieldRule::default() };
        let said = by_precedence(facts, &rule);
        said.into_iter()
            .find_map(|(_, said)| Some(Stamped { value: name(&said.value)?, stamp: said.stamp.clone() }))
    }

    /// What is wanted of a company of whom this was said; and what only of one that is created.
    #[must_use]
    pub fn attributes(&self, said: &Facts) -> (Values, Values) {
        let Mapped { always, on_create, .. } = map_fields(said, self.fields.iter(), Place::default());
        let values = |said: &crate::event::Lww<String, Value>| {
            said.iter().map(|(name, said)| (name.clone(), said.value.clone())).collect()
        };
        (values(&always), values(&on_create))
    }
}

/// A name as people write it. Longer than Freshsales takes is no name.
fn name(value: &Value) -> Option<String> {
    let converted = Convert::Text.apply(value, None, crate::delivery::KEY_CHARS_MAX).ok()?;
    let text = converted.value.as_str().filter(|_| !converted.cut)?;
    Some(text.to_owned())
}
