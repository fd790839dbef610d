//! What one event says about consent: for each of our categories, whether the person granted or denied it.
//!
//! [`read`] knows the wire shapes of the usual consent tools and plain objects (`shapes`, and `vendors` as data), the words
//! of a yes and a no (`words`), and whether a person said it or a tool shows its state (`origin`). It judges one event
//! alone. What stands of all that was said is in `stand`; what follows for a contact and what is written to the CRM is
//! decided elsewhere. Must stay pure: no IO, no clock.

mod config;
mod origin;
mod shapes;
mod stand;
mod tally;
mod tcf;
mod text;
mod vendors;
mod words;

#[cfg(test)]
mod stand_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use config::{ConsentConfig, HOLD, MARKETING};
pub use origin::{known_tool, page_of_event};
pub use stand::{Counted, Shown, Spoken, Stand};
pub use tally::{SharedTally, Tally};
pub use words::{is_no, is_understood};

use origin::{Origin, Place, Via, tool_of};
use words::{Asks, folded};

use crate::event::Kind;

/// Entries read of one list; the rest is ignored.
const CODES_MAX: usize = 200;

/// What a person chose. The greatest of several in one event is the one that counts: a refusal before all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The person agreed.
    Granted,
    /// Something was said that is not understood. That is neither a yes nor a refusal.
    Unclear,
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

/// Our categories, each with the codes that mean it on the wire, folded once so that no event has to: `adStorage` and
/// `ad-storage` are `ad_storage`. A category's own name is always one of its codes, and one code may mean several categories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Vec<String>>")]
pub struct Categories(BTreeMap<Category, Vec<String>>);

impl Categories {
    /// Whether there is a category of this name.
    #[must_use]
    pub fn contains(&self, category: &Category) -> bool {
        self.0.contains_key(category)
    }

    /// These and one more, under its own name.
    #[must_use]
    pub fn with(&self, category: Category) -> Self {
        let mut categories = self.0.clone();
        categories.entry(category).or_default();
        Self(categories)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Category> {
        self.0.keys()
    }

    /// The categories that `code` means.
    fn meant_by(&self, code: &str) -> Vec<&Category> {
        let code = folded(code);
        let means =
            |category: &Category, codes: &[String]| codes.contains(&code) || folded(&category.0) == code;
        let found = self.0.iter().filter(|(category, codes)| means(category, codes));
        found.map(|(category, _)| category).collect()
    }
}

impl From<BTreeMap<String, Vec<String>>> for Categories {
    fn from(table: BTreeMap<String, Vec<String>>) -> Self {
        let mut categories: BTreeMap<Category, Vec<String>> = BTreeMap::new();
        for (name, codes) in table {
            let codes = codes.iter().map(|code| folded(code));
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
    /// The consent tool that wrote it, as far as it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The page it was made on, without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The source it came by; statements of versions that kept none have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Statement {
    /// How many bytes it is as JSON, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let Self { choice: _, key, value, tool, page, source } = self;
        let others = [tool, page, source].into_iter().flatten().map(|text| text.len() + 12);
        32 + key.len() + value.len() + others.sum::<usize>()
    }
}

/// Everything one event says about consent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsentSaid {
    /// What a person said, by category; a category that is absent was not spoken of.
    pub statements: BTreeMap<Category, Statement>,
    /// What a tool shows of its state, as with every event.
    pub shown: BTreeMap<Category, Statement>,
    /// Global Privacy Control is on. That is a browser's signal and no choice of a category: it is never a
    /// statement, it only shuts a required gate for this event.
    pub privacy_control: bool,
    /// Dotted paths of codes of a known category whose value was not understood, at most 16.
    pub unknown: Vec<String>,
    /// Blocks of consent in which nothing was recognised.
    pub unrecognised: Vec<&'static str>,
}

/// Reads what `event` says about consent.
///
/// Places: `context.consent`, `context.consentManagement`, top-level `consent`, those that the usual tools have elsewhere,
/// and those of `places`. Where they, or several codes of one category, disagree, denied wins. `null`, empty text and
/// absence all say nothing.
#[must_use]
pub fn read(event: &Map<String, Value>, kind: Kind, categories: &Categories, places: &Places) -> ConsentSaid {
    let context = event.get("context").and_then(Value::as_object);
    let in_context = |name: &str| context.and_then(|context| context.get(name));
    let blocks = [
        ("context.consent", Place::Context, in_context("consent")),
        ("context.consentManagement", Place::Tool, in_context("consentManagement")),
        ("consent", Place::Own, event.get("consent")),
    ];
    let mut found = Found::new(event, kind, categories);
    for (path, place, block) in blocks {
        if let Some(block) = block {
            found.block(path, place, block, places);
        }
    }
    for (path, means) in vendors::PLACES {
        let categories = categories.meant_by(means);
        if let Some((_, value)) = stands_at(event, kind, path) {
            // A tool wrote it, whoever sent it and wherever it stands.
            found.value(path, Place::Tool, &categories, value, Asks::Tool);
        }
    }
    for (path, category) in &places.0 {
        if let Some((place, value)) = stands_at(event, kind, path) {
            found.value(path, place, &[category], value, Asks::Box);
        }
    }
    let privacy_control = blocks
        .iter()
        .map(|(_, _, block)| *block)
        .chain([event.get("context"), in_context("navigator")])
        .flatten()
        .any(shapes::has_privacy_control);
    ConsentSaid { privacy_control, unknown: found.reader.into_unknown(), ..found.said }
}

/// What was found in an event.
struct Found<'a> {
    reader: shapes::Reader<'a>,
    origin: Origin,
    said: ConsentSaid,
}

impl<'a> Found<'a> {
    fn new(event: &Map<String, Value>, kind: Kind, categories: &'a Categories) -> Self {
        let (reader, origin) = (shapes::Reader::new(categories), Origin::of(event, kind));
        Self { reader, origin, said: ConsentSaid::default() }
    }

    fn block(&mut self, path: &'static str, place: Place, block: &Value, places: &Places) {
        let statements = self.reader.block(path, block);
        if !self.reader.has_recognised() && !shapes::is_blank(block) && !places.is_in(path) {
            self.said.unrecognised.push(path);
        }
        self.keep(place, tool_of(block).as_deref(), statements);
    }

    /// What stands at a place of its own says something of these categories alone.
    fn value(&mut self, path: &str, place: Place, categories: &[&Category], value: &Value, asks: Asks) {
        let statements = self.reader.place(path, categories, value, asks);
        self.keep(place, tool_of(value).as_deref(), statements);
    }

    fn keep(&mut self, place: Place, tool: Option<&str>, statements: Statements) {
        let via = self.origin.via(place, tool.is_some());
        for (category, statement) in statements {
            let (tool, page) = (tool.map(str::to_owned), self.origin.page.clone());
            let statement = Statement { tool, page, ..statement };
            // A yes that somebody says where tools show their state stands there from then on: the same yes on later page
            // views is none that came after a refusal.
            if via == Via::Shown || (place == Place::Context && statement.choice == Choice::Granted) {
                add(&mut self.said.shown, category.clone(), statement.clone());
            }
            if via == Via::Said {
                add(&mut self.said.statements, category, statement);
            }
        }
    }
}

/// What stands at a dotted path, and whether the event or its context says it. The traits of `context` count where the
/// event has none; those of a group are the company's.
fn stands_at<'e>(event: &'e Map<String, Value>, kind: Kind, path: &str) -> Option<(Place, &'e Value)> {
    let at = |path: &str| {
        let (head, rest) = path.split_once('.').unwrap_or((path, ""));
        let start = event.get(head)?;
        rest.split('.').filter(|key| !key.is_empty()).try_fold(start, |value, key| value.get(key))
    };
    if path.starts_with("context.") {
        return at(path).map(|value| (Place::Context, value));
    }
    if !path.starts_with("traits.") {
        return at(path).map(|value| (Place::Own, value));
    }
    let own = at(path).filter(|_| kind != Kind::Group).map(|value| (Place::Own, value));
    own.or_else(|| at(&format!("context.{path}")).map(|value| (Place::Context, value)))
}

/// Further places of consent (`consent.paths`): dotted paths, each with the category it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Places(BTreeMap<String, Category>);

impl Places {
    /// The paths with their categories.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Category)> {
        self.0.iter().map(|(path, category)| (path.as_str(), category))
    }

    /// Whether one of them is inside a block.
    fn is_in(&self, block: &str) -> bool {
        self.0.keys().any(|path| path.strip_prefix(block).is_some_and(|rest| rest.starts_with('.')))
    }
}

/// The statement that counts for each category.
type Statements = BTreeMap<Category, Statement>;

/// Adds a statement; of two of the same category denied wins, else what was not understood, else the first.
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
