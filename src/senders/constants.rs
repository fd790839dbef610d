//! Constants of a source: what each of its events is taken to say, because its sender can't say it itself.
//!
//! Must not know what is read from where.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::event::{Event, Kind};

/// Values by the dotted path they are put at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constants(BTreeMap<String, Value>);

impl Constants {
    /// These.
    #[must_use]
    pub fn new(values: &BTreeMap<String, Value>) -> Self {
        Self(values.clone())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The event as if its sender had said them; what it says there itself does not count.
    #[must_use]
    pub fn put_into<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        if self.0.is_empty() || event.body.is_empty() {
            return Cow::Borrowed(event);
        }
        let mut event = event.clone();
        for (path, value) in &self.0 {
            // The traits of a group event are the company's.
            let of_person = path.starts_with("traits.") && event.kind == Kind::Group;
            let path = if of_person { format!("context.{path}") } else { path.clone() };
            put(&mut event.body, &path, value);
        }
        Cow::Owned(event)
    }
}

fn put(into: &mut Map<String, Value>, path: &str, value: &Value) {
    let Some((head, rest)) = path.split_once('.') else {
        into.insert(path.to_owned(), value.clone());
        return;
    };
    let below = into.entry(head).or_insert_with(|| Value::Object(Map::new()));
    if !below.is_object() {
        *below = Value::Object(Map::new());
    }
    if let Value::Object(below) = below {
        put(below, rest, value);
    }
}

/// What is wrong with a constant, if anything is.
#[must_use]
pub fn constant_problem(path: &str, value: &Value) -> Option<&'static str> {
    let inside = path.split_once('.').is_some_and(|(root, rest)| {
        matches!(root, "traits" | "properties" | "context") && rest.split('.').all(|part| !part.is_empty())
    });
    if !inside {
        return Some("a path that begins with traits., properties. or context. and names what is in it");
    }
    let plain = |value: &Value| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
    let list = value.as_array().is_some_and(|items| items.iter().all(plain));
    (!plain(value) && !list).then_some("a text, a number, true or false, or a list of them")
}
