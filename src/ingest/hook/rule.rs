//! The rules of one hook: which of a vendor's events becomes which event of ours, and what goes where.
//!
//! Pure. Must not know who may send.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::form::usual_path;
use super::convert::{self, Convert};
use super::path::{self, Path, scalar};
use crate::event::put_first;

/// The rule for whatever has no rule of its own.
const ANY: &str = "*";
/// Fields read of one form.
const FIELDS_MAX: usize = 200;

/// Rules as they are written, by the name that the vendor gives an event.
pub type Written = BTreeMap<String, Value>;

/// A rule that can't be used: below which key, what stands there, what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, from the name of the event on.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// What is expected.
    pub expected: String,
}

/// All rules of a hook.
#[derive(Clone, Debug, Default)]
pub struct Rules(BTreeMap<String, Rule>);

#[derive(Clone, Debug)]
struct Rule {
    event: String,
    send: bool,
    when: Vec<Condition>,
    map: Vec<(String, Vec<Origin>)>,
    fields: Vec<Path>,
}

#[derive(Clone, Debug)]
struct Condition {
    path: Path,
    is: Option<Vec<String>>,
    is_not: Vec<String>,
}

#[derive(Clone, Debug)]
struct Origin {
    path: Path,
    convert: Convert,
    values: BTreeMap<String, Value>,
    currency: Option<Path>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RuleText {
    event: String,
    send: Option<bool>,
    when: Value,
    map: BTreeMap<String, Value>,
    fields: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionText {
    path: String,
    is: Option<Value>,
    is_not: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginText {
    path: String,
    #[serde(default)]
    convert: Convert,
    #[serde(default)]
    values: BTreeMap<String, Value>,
    currency: Option<String>,
}

/// The rules that are shipped in a file.
#[must_use]
pub fn shipped(text: &str) -> Written {
    #[derive(Default, Deserialize)]
    struct File {
        #[serde(default)]
        events: Written,
    }
    toml::from_str::<File>(text).unwrap_or_default().events
}

/// Lays the rules of a configuration over those that are shipped: `map` key by key, everything else as a whole. The shipped
/// rule for any event counts only where a configuration has no rules, or it would take what they leave out.
#[must_use]
pub fn laid_over(shipped: &Written, own: &Written) -> Written {
    let mut rules = shipped.clone();
    if !own.is_empty() {
        rules.remove(ANY);
    }
    for (name, rule) in own {
        let into = rules.entry(name.clone()).or_insert_with(|| json!({}));
        match (into, rule) {
            (Value::Object(old), Value::Object(new)) => {
                for (key, value) in new {
                    match (old.get_mut(key), value) {
                        (Some(Value::Object(old)), Value::Object(new)) if key == "map" => {
                            old.extend(new.clone());
                        }
                        (_, value) => {
                            old.insert(key.clone(), value.clone());
                        }
                    }
                }
            }
            (into, rule) => *into = rule.clone(),
        }
    }
    rules
}

impl Rules {
    /// Reads written rules, and tells everything that is wrong with them.
    #[must_use]
    pub fn read(written: &Written) -> (Self, Vec<Mistake>) {
        let (mut rules, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (name, text) in written {
            let mut reader = Reader { event: name, mistakes: &mut mistakes };
            if let Some(rule) = reader.rule(text) {
                rules.insert(name.clone(), rule);
            }
        }
        (Self(rules), mistakes)
    }

    /// The event that a message is, without its id; `None` where no rule is for it.
    #[must_use]
    pub fn event(&self, name: &str, body: &Value, headers: &HeaderMap) -> Option<Map<String, Value>> {
        let rule = self.0.get(name).or_else(|| self.0.get(ANY)).filter(|rule| rule.send)?;
        if !rule.when.iter().all(|condition| condition.holds(body, headers)) {
            return None;
        }
        let mut event = Map::new();
        let is_identify = rule.event.eq_ignore_ascii_case("identify");
        event.insert("type".to_owned(), json!(if is_identify { "identify" } else { "track" }));
        if !is_identify {
            event.insert("event".to_owned(), json!(rule.event));
        }
        for (target, origins) in &rule.map {
            if let Some(value) = origins.iter().find_map(|origin| origin.value(body, headers)) {
                put_first(&mut event, target, value);
            }
        }
        let form = rule.fields.iter().find_map(|path| path.find(body, headers)?.as_object().cloned());
        for (name, value) in form.into_iter().flatten().take(FIELDS_MAX) {
            put_field(&mut event, &name, &value);
        }
        Some(event)
    }
}

/// Reads one rule.
struct Reader<'a> {
    event: &'a str,
    mistakes: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    fn rule(&mut self, text: &Value) -> Option<Rule> {
        let read: RuleText = match serde_json::from_value(text.clone()) {
            Ok(read) => read,
            Err(error) => {
                self.note("", text, format!("event, send, when, map and fields ({error})"));
                return None;
            }
        };
        let send = read.send.unwrap_or(true);
        if send && read.event.trim().is_empty() {
            self.note(".event", &json!(""), "the name of an event, like Lead Generated".to_owned());
        }
        let mut map = Vec::new();
        for (target, origins) in &read.map {
            if !is_target(target) {
                let expected = "traits.…, properties.…, context.…, consent.…, userId, anonymousId or timestamp as the key";
                self.note(&format!(".map.\"{target}\""), origins, expected.to_owned());
                continue;
            }
            let found: Vec<_> =
                list(origins).into_iter().filter_map(|origin| self.origin(target, origin)).collect();
            map.push((target.clone(), found));
        }
        let when = list(&read.when).into_iter().filter_map(|text| self.condition(text)).collect();
        let fields = list(&read.fields).into_iter().filter_map(|text| {
            let path = text.as_str().and_then(Path::parse);
            path.or_else(|| self.wrong(".fields", text, path::EXPECTED.to_owned()))
        });
        let fields = fields.collect();
        Some(Rule { event: read.event.trim().to_owned(), send, when, map, fields })
    }

    fn origin(&mut self, target: &str, text: &Value) -> Option<Origin> {
        let key = format!(".map.\"{target}\"");
        let read = match text {
            Value::String(path) => OriginText {
                path: path.clone(),
                convert: Convert::AsIs,
                values: BTreeMap::new(),
                currency: None,
            },
            other => match serde_json::from_value(other.clone()) {
                Ok(read) => read,
                Err(error) => {
                    let expected = format!(
                        "a path, or {{ path, convert, values, currency }} where convert is {} ({error})",
                        convert::EXPECTED
                    );
                    return self.wrong(&key, text, expected);
                }
            },
        };
        let path = Path::parse(&read.path).or_else(|| self.wrong(&key, text, path::EXPECTED.to_owned()))?;
        let currency = match &read.currency {
            None => None,
            Some(written) => Some(
                Path::parse(written)
                    .or_else(|| self.wrong(&key, &json!(written), path::EXPECTED.to_owned()))?,
            ),
        };
        let values = read.values.into_iter().map(|(said, means)| (said.to_lowercase(), means)).collect();
        Some(Origin { path, convert: read.convert, values, currency })
    }

    fn condition(&mut self, text: &Value) -> Option<Condition> {
        let read: ConditionText = match serde_json::from_value(text.clone()) {
            Ok(read) => read,
            Err(error) => return self.wrong(".when", text, format!("{{ path, is or is_not }} ({error})")),
        };
        if read.is.is_none() && read.is_not.is_none() {
            return self.wrong(".when", text, "is or is_not beside the path".to_owned());
        }
        let path = Path::parse(&read.path)
            .or_else(|| self.wrong(".when", &json!(read.path), path::EXPECTED.to_owned()))?;
        let words = |value: &Value| list(value).into_iter().filter_map(scalar).collect::<Vec<_>>();
        Some(Condition {
            path,
            is: read.is.as_ref().map(words),
            is_not: read.is_not.as_ref().map(words).unwrap_or_default(),
        })
    }

    fn wrong<T>(&mut self, key: &str, value: &Value, expected: String) -> Option<T> {
        self.note(key, value, expected);
        None
    }

    fn note(&mut self, key: &str, value: &Value, expected: String) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.mistakes.push(Mistake { key: format!("\"{}\"{key}", self.event), value, expected });
    }
}

/// One or several; nothing is none.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn is_target(text: &str) -> bool {
    let (first, rest) = text.split_once('.').unwrap_or((text, ""));
    match first {
        "traits" | "properties" | "context" | "consent" => rest.split('.').all(|name| !name.is_empty()),
        "userId" | "anonymousId" | "timestamp" => rest.is_empty() && !text.contains('.'),
        _ => false,
    }
}

impl Condition {
    fn holds(&self, body: &Value, headers: &HeaderMap) -> bool {
        let said = self.path.text(body, headers);
        let among = |words: &[String]| {
            said.as_ref().is_some_and(|said| words.iter().any(|word| word.eq_ignore_ascii_case(said)))
        };
        self.is.as_ref().is_none_or(|words| among(words)) && !among(&self.is_not)
    }
}

impl Origin {
    fn value(&self, body: &Value, headers: &HeaderMap) -> Option<Value> {
        let found = self.path.find(body, headers).filter(|found| !is_unfilled(found))?;
        if !self.values.is_empty() {
            return self.values.get(&scalar(&found)?.to_lowercase()).cloned();
        }
        let currency = self.currency.as_ref().and_then(|path| path.text(body, headers));
        self.convert.apply(&found, currency.as_deref())
    }
}

/// A placeholder of the sender's template that was not filled: `{{contact.email}}`, `<Email>`.
pub fn is_unfilled(value: &Value) -> bool {
    let text = value.as_str().map(str::trim).unwrap_or_default();
    let between = |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close);
    let is_name = |inner: &str| inner.chars().all(|c| c.is_alphanumeric() || " _.-".contains(c));
    between("{{", "}}").or_else(|| between("<", ">")).is_some_and(is_name)
}

/// A field of a form by its name, as in a posted form. Elementor's advanced data has an object for each, with `title` and
/// `value`.
fn put_field(event: &mut Map<String, Value>, name: &str, value: &Value) {
    let typed = value.get("value").unwrap_or(value);
    let Some(text) = scalar(typed).filter(|text| !text.is_empty()) else { return };
    let title = value.get("title").and_then(Value::as_str).unwrap_or_default();
    let usual = usual_path(name).or_else(|| usual_path(title));
    let path = usual.map_or_else(|| format!("properties.{}", name.trim().replace('.', "_")), str::to_owned);
    put_first(event, &path, json!(text));
}
