//! What one event says about consent: for each of our categories, whether the person granted or denied it.
//!
//! [`read`] knows the wire shapes of Segment, `RudderStack`, Datafly, Google Consent Mode and plain objects (they are
//! in `shapes`). It judges one event alone: which statement of a person is the newest, what follows for a contact
//! and what is written to the CRM is decided elsewhere. Must stay pure: no IO, no clock.

mod config;
mod shapes;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use config::{ConsentConfig, MARKETING};

/// A person's choice. `Denied` is the greater one, so that the greatest of several is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The person agreed.
    Granted,
    /// The person refused or withdrew.
    Denied,
}

/// A consent category of our own, by its name in the configuration: trimmed and in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Category(String);

impl Category {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Category {
    fn from(name: &str) -> Self {
        Self(normal(name))
    }
}

impl From<String> for Category {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Our categories, each with the codes that mean it on the wire. Codes are compared trimmed and without case; a
/// category's own name is always one of its codes, and one code may mean several categories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Vec<String>>")]
pub struct Categories(BTreeMap<Category, Vec<String>>);

impl Categories {
    /// Whether there is a category of this name.
    #[must_use]
    pub fn contains(&self, category: &Category) -> bool {
        self.0.contains_key(category)
    }

    /// The categories that `code` means.
    fn meant_by(&self, code: &str) -> Vec<&Category> {
        let code = normal(code);
        self.0
            .iter()
            .filter(|(category, codes)| category.0 == code || codes.contains(&code))
            .map(|(category, _)| category)
            .collect()
    }
}

impl From<BTreeMap<String, Vec<String>>> for Categories {
    fn from(table: BTreeMap<String, Vec<String>>) -> Self {
        let mut categories: BTreeMap<Category, Vec<String>> = BTreeMap::new();
        for (name, codes) in table {
            let codes = codes.iter().map(|code| normal(code));
            categories.entry(Category::from(name)).or_default().extend(codes);
        }
        Self(categories)
    }
}

impl Default for Categories {
    /// One category, `marketing`, under the names that the usual consent tools give it.
    fn default() -> Self {
        let codes = ["marketing", "advertising", "C0004", "ad_storage"];
        Self::from(BTreeMap::from([("marketing".to_owned(), codes.map(str::to_owned).to_vec())]))
    }
}

/// A choice and where it stood in the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// What was chosen.
    pub choice: Choice,
    /// Dotted path in the event of what decided, such as `context.consent.categoryPreferences.C0004`.
    pub key: String,
    /// What stood there, as text of at most 64 characters.
    pub value: String,
}

/// Everything one event says about consent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The choice per category; a category that is absent was not spoken of.
    pub statements: BTreeMap<Category, Statement>,
    /// Global Privacy Control is on. That is a browser's signal and no choice of a category: it is never a
    /// statement, it only shuts a required gate for this event.
    pub privacy_control: bool,
    /// Dotted paths of codes of a known category whose value was not understood, at most 16.
    pub unknown: Vec<String>,
}

/// Reads what `event` says about consent.
///
/// Places: `context.consent`, `context.consentManagement`, top-level `consent`. Where they, or several codes of one
/// category, disagree, denied wins. `null`, empty text and absence all say nothing.
#[must_use]
pub fn read(event: &Map<String, Value>, categories: &Categories) -> Said {
    let context = event.get("context").and_then(Value::as_object);
    let in_context = |name: &str| context.and_then(|context| context.get(name));
    let blocks = [
        ("context.consent", in_context("consent")),
        ("context.consentManagement", in_context("consentManagement")),
        ("consent", event.get("consent")),
    ];

    let mut reader = shapes::Reader::new(categories);
    let mut statements = Statements::new();
    for (path, block) in blocks {
        if let Some(block) = block {
            add_all(&mut statements, reader.block(path, block));
        }
    }
    let privacy_control = blocks
        .iter()
        .map(|(_, block)| *block)
        .chain([event.get("context"), in_context("navigator")])
        .flatten()
        .any(shapes::has_privacy_control);
    Said { statements, privacy_control, unknown: reader.into_unknown() }
}

/// The statement that counts for each category.
type Statements = BTreeMap<Category, Statement>;

/// Adds a statement; of two of the same category denied wins, else the first.
fn add(statements: &mut Statements, category: Category, statement: Statement) {
    match statements.entry(category) {
        Entry::Vacant(entry) => {
            entry.insert(statement);
        }
        Entry::Occupied(mut entry) => {
            if statement.choice > entry.get().choice {
                entry.insert(statement);
            }
        }
    }
}

/// [`add`]s every statement of `more`.
fn add_all(statements: &mut Statements, more: Statements) {
    for (category, statement) in more {
        add(statements, category, statement);
    }
}

/// The form in which names and codes are compared.
fn normal(text: &str) -> String {
    text.trim().to_lowercase()
}
