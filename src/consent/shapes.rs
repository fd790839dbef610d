//! The wire shapes of consent. Must know only how a choice is written, not what follows from it.
//!
//! A *block* is the value of `context.consent`, `context.consentManagement` or a top-level `consent`. It is a list
//! of codes itself, or an object that may hold any of:
//! - `canonical`, `categories` (Datafly): lists; `canonical` beats `categories` for each category it speaks of;
//! - `categoryPreferences` (Segment), `update` (Google Consent Mode): lists;
//! - `allowedConsentIds`, `deniedConsentIds`, `resolutionStrategy` (`RudderStack`): ids, see [`Reader::consent_ids`];
//! - codes directly: `{"marketing": true}`.
//!
//! A *list* is `{code: value}`, or an array of granted codes, or an array of `{category|id|code, granted|status|value}`.
//! A *value* is `true/false`, `granted/denied`, `1/0` (the words and digits as text too, in any case), or an object
//! with `granted`, `status` or `value`. What an array of granted codes leaves out was not spoken of.
//!
//! What a consent tool assumes before the person chose is no statement. These mark it, on a block or on an object
//! of codes, which is then ignored: `default` or `isDefault` being true, `source`, `event`, `command` or `action`
//! being the text `default`, any `wait_for_update` (Google allows it on a default only). A `default` that is an
//! object, next to `update` for instance, is ignored itself and marks nothing.
//!
//! Every level reads at most [`CODES_MAX`] entries, in their order; nothing is followed deeper than described here.

use serde_json::{Map, Value};

use super::{Categories, Category, Choice, Statement, Statements, add, add_all, normal};

/// Entries read of one list; the rest is ignored.
const CODES_MAX: usize = 200;
/// Paths kept of values that were not understood.
const UNKNOWN_MAX: usize = 16;
/// Length at which a quoted value is cut.
const VALUE_CHARS_MAX: usize = 64;

/// Keys of a block that hold a shape of their own, so they are no codes.
const SHAPE_KEYS: [&str; 8] = [
    "canonical",
    "categories",
    "categoryPreferences",
    "update",
    "default",
    "allowedConsentIds",
    "deniedConsentIds",
    "resolutionStrategy",
];
/// Where an object in an array names its code.
const CODE_KEYS: [&str; 3] = ["category", "id", "code"];
/// Where an object holds the value of its code.
const VALUE_KEYS: [&str; 3] = ["granted", "status", "value"];
/// The names of Global Privacy Control, compared without case.
const PRIVACY_CONTROL_KEYS: [&str; 4] = ["gpc", "globalPrivacyControl", "global_privacy_control", "sec-gpc"];

/// Whether this object has Global Privacy Control on: `true` or `1`, as text too.
pub(super) fn has_privacy_control(place: &Value) -> bool {
    place
        .as_object()
        .is_some_and(|place| place.iter().any(|(key, value)| is_privacy_control(key) && is_true(value)))
}

/// Reads blocks, and remembers what it did not understand.
pub(super) struct Reader<'a> {
    categories: &'a Categories,
    unknown: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(categories: &'a Categories) -> Self {
        Self { categories, unknown: Vec::new() }
    }

    pub(super) fn into_unknown(self) -> Vec<String> {
        self.unknown
    }

    /// Everything a block says.
    pub(super) fn block(&mut self, path: &str, block: &Value) -> Statements {
        let Some(fields) = block.as_object() else {
            return self.list(path, block);
        };
        if is_default(fields) {
            return Statements::new();
        }
        let mut said = self.field(path, fields, "canonical");
        for (category, statement) in self.field(path, fields, "categories") {
            said.entry(category).or_insert(statement);
        }
        for shape in ["categoryPreferences", "update"] {
            let more = self.field(path, fields, shape);
            add_all(&mut said, more);
        }
        let more = self.consent_ids(path, fields);
        add_all(&mut said, more);
        for (code, value) in codes_of(fields).filter(|(code, _)| !SHAPE_KEYS.contains(code)) {
            self.value(&mut said, code, &join(path, code), value);
        }
        said
    }

    /// The list under `key`, if there is one.
    fn field(&mut self, path: &str, fields: &Map<String, Value>, key: &str) -> Statements {
        fields.get(key).map_or_else(Statements::new, |list| self.list(&join(path, key), list))
    }

    /// A list in any of its forms.
    fn list(&mut self, path: &str, list: &Value) -> Statements {
        let mut said = Statements::new();
        if let Some(codes) = list.as_object().filter(|codes| !is_default(codes)) {
            for (code, value) in codes_of(codes) {
                self.value(&mut said, code, &join(path, code), value);
            }
        }
        for (index, item) in list.as_array().into_iter().flatten().take(CODES_MAX).enumerate() {
            let path = join(path, &index.to_string());
            if let Some(code) = code_text(item) {
                for category in self.meant_by(&code) {
                    add(&mut said, category.clone(), statement(Choice::Granted, &path, item));
                }
            }
            for code in codes_named_in(item) {
                // An item that names a code and gives no value says nothing.
                if VALUE_KEYS.iter().any(|key| item.get(key).is_some()) {
                    self.value(&mut said, &code, &path, item);
                }
            }
        }
        said
    }

    /// What `value` says about `code`.
    fn value(&mut self, said: &mut Statements, code: &str, path: &str, value: &Value) {
        let categories = self.meant_by(code);
        if categories.is_empty() {
            return;
        }
        let within: Vec<(String, &Value)> = VALUE_KEYS
            .iter()
            .filter_map(|key| value.get(key).map(|inner| (join(path, key), inner)))
            .collect();
        let read = if within.is_empty() { vec![(path.to_owned(), value)] } else { within };
        for (path, value) in read {
            match Reading::of(value) {
                Reading::Choice(choice) => {
                    for category in &categories {
                        add(said, (*category).clone(), statement(choice, &path, value));
                    }
                }
                Reading::Nothing => {}
                Reading::Unknown => self.not_understood(path),
            }
        }
    }

    /// The ids of `RudderStack`: arrays of ids, or objects `{id: name}` where id and name both count, or either of
    /// these once more inside (`{provider: [ids]}`). An id that was both allowed and denied is denied. When the
    /// ids of one category differ, `resolutionStrategy` `or` means that one allowed id is enough; with `and`, any
    /// other text or none, one denied id is.
    fn consent_ids(&mut self, path: &str, fields: &Map<String, Value>) -> Statements {
        let denied = self.ids_under(path, fields, "deniedConsentIds");
        let mut allowed = self.ids_under(path, fields, "allowedConsentIds");
        allowed.retain(|id| denied.iter().all(|other| other.code != id.code));

        let denied = self.choose(Choice::Denied, &denied);
        let allowed = self.choose(Choice::Granted, &allowed);
        let one_is_enough = fields
            .get("resolutionStrategy")
            .and_then(Value::as_str)
            .is_some_and(|strategy| strategy.trim().eq_ignore_ascii_case("or"));
        let (mut said, weaker) = if one_is_enough { (allowed, denied) } else { (denied, allowed) };
        for (category, statement) in weaker {
            said.entry(category).or_insert(statement);
        }
        said
    }

    fn choose(&self, choice: Choice, ids: &[Id<'_>]) -> Statements {
        let mut said = Statements::new();
        for id in ids {
            for category in self.meant_by(&id.code) {
                add(&mut said, category.clone(), statement(choice, &id.path, id.value));
            }
        }
        said
    }

    fn ids_under<'v>(&mut self, path: &str, fields: &'v Map<String, Value>, key: &str) -> Vec<Id<'v>> {
        let mut ids = Vec::new();
        if let Some(list) = fields.get(key) {
            self.ids(&join(path, key), list, true, &mut ids);
        }
        ids
    }

    fn ids<'v>(&mut self, path: &str, list: &'v Value, follow: bool, ids: &mut Vec<Id<'v>>) {
        for (index, item) in list.as_array().into_iter().flatten().take(CODES_MAX).enumerate() {
            let path = join(path, &index.to_string());
            let named: Vec<String> = code_text(item).into_iter().chain(codes_named_in(item)).collect();
            if named.is_empty() && follow {
                self.ids(&path, item, false, ids);
            }
            for code in named {
                self.id(&code, &path, item, ids);
            }
        }
        for (key, value) in list.as_object().into_iter().flat_map(codes_of) {
            let path = join(path, key);
            match (Reading::of(value), value) {
                (Reading::Nothing, _) => {}
                (Reading::Choice(Choice::Granted), _) => self.id(key, &path, value, ids),
                (Reading::Unknown, Value::String(name)) => {
                    self.id(key, &path, value, ids);
                    self.id(name, &path, value, ids);
                }
                (Reading::Unknown, Value::Array(_) | Value::Object(_)) if follow => {
                    self.ids(&path, value, false, ids);
                }
                // `{"C0004": false}` among the allowed (or the denied) ids could mean either.
                (Reading::Choice(Choice::Denied) | Reading::Unknown, _) => {
                    if !self.meant_by(key).is_empty() {
                        self.not_understood(path);
                    }
                }
            }
        }
    }

    /// Keeps an id that means one of our categories.
    fn id<'v>(&self, code: &str, path: &str, value: &'v Value, ids: &mut Vec<Id<'v>>) {
        if !self.meant_by(code).is_empty() {
            // An object stands for its id: quote that, not the whole object.
            let value = CODE_KEYS.iter().find_map(|key| value.get(key)).unwrap_or(value);
            ids.push(Id { code: normal(code), path: path.to_owned(), value });
        }
    }

    fn meant_by(&self, code: &str) -> Vec<&'a Category> {
        if is_privacy_control(code) { Vec::new() } else { self.categories.meant_by(code) }
    }

    fn not_understood(&mut self, path: String) {
        if self.unknown.len() < UNKNOWN_MAX {
            self.unknown.push(path);
        }
    }
}

/// An id that means one of our categories, and where it stood.
struct Id<'v> {
    code: String,
    path: String,
    value: &'v Value,
}

/// What a single value says.
enum Reading {
    Choice(Choice),
    Nothing,
    Unknown,
}

impl Reading {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(true) => Self::Choice(Choice::Granted),
            Value::Bool(false) => Self::Choice(Choice::Denied),
            Value::Number(number) => Self::of_text(&number.to_string()),
            Value::String(text) => Self::of_text(text),
            Value::Array(_) | Value::Object(_) => Self::Unknown,
        }
    }

    fn of_text(text: &str) -> Self {
        match normal(text).as_str() {
            "" => Self::Nothing,
            "true" | "granted" | "1" => Self::Choice(Choice::Granted),
            "false" | "denied" | "0" => Self::Choice(Choice::Denied),
            _ => Self::Unknown,
        }
    }
}

/// Whether this object is a consent tool's assumption before the choice; the module says how that is marked.
fn is_default(fields: &Map<String, Value>) -> bool {
    let is_default_text =
        |value: &Value| value.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case("default"));
    ["default", "isDefault"].iter().any(|key| fields.get(*key).is_some_and(is_true))
        || ["source", "event", "command", "action"]
            .iter()
            .any(|key| fields.get(*key).is_some_and(is_default_text))
        || fields.contains_key("wait_for_update")
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_u64() == Some(1),
        Value::String(text) => ["true", "1"].contains(&normal(text).as_str()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_privacy_control(key: &str) -> bool {
    PRIVACY_CONTROL_KEYS.iter().any(|name| name.eq_ignore_ascii_case(key.trim()))
}

/// The codes and values of an object, as far as they are read.
fn codes_of(codes: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    codes.iter().take(CODES_MAX).map(|(code, value)| (code.as_str(), value))
}

/// The codes that an object in an array names.
fn codes_named_in(item: &Value) -> impl Iterator<Item = String> + '_ {
    CODE_KEYS.iter().filter_map(|key| item.get(key).and_then(code_text))
}

/// A code that stands as a value: text, or a number, as some tools count their purposes.
fn code_text(value: &Value) -> Option<String> {
    match value {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn statement(choice: Choice, path: &str, value: &Value) -> Statement {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Statement { choice, key: path.to_owned(), value: text.chars().take(VALUE_CHARS_MAX).collect() }
}

fn join(path: &str, key: &str) -> String {
    format!("{path}.{}", key.trim())
}
