//! What Freshsales says of a record of its own, taken out of the body of a workflow or of a journey: which record, and each
//! attribute that was named.
//!
//! Pure. Must not know the mapping, or which of two statements counts.

use serde_json::{Map, Value, json};

use super::path::scalar;
use super::rule::is_unfilled;
use crate::event::{CRM, CrmRecord, DOUBTED, Email, Kind};

/// Attributes that are taken of one body.
const ATTRIBUTES_MAX: usize = 200;
/// Bytes of a value; a longer one is left out.
const VALUE_BYTES_MAX: usize = 4096;
/// Characters of the name of an attribute.
const NAME_CHARS_MAX: usize = 100;
/// What stands where a record has nothing: not the value of anything.
const NOTHING: [&str; 4] = ["n/a", "null", "undefined", "--"];
/// Where custom fields of a record stand, and how they are called here.
const CUSTOM: [&str; 2] = ["custom_field", "custom_fields"];
const CUSTOM_FIELD_PREFIX: &str = "custom_field.";
/// What says which record it is, and when: no attributes of it.
const ABOUT: [&str; 10] =
    ["kind", "id", "contact_id", "deal_id", "key", "email", "emails", "updated_at", "created_at", "event"];

/// The fields of a record of the journal; `None` where the body speaks of no record. `name` is what the hook takes for the
/// name of the event.
pub fn read(name: &str, body: &Value) -> Option<Map<String, Value>> {
    let (record, fields) = find(name, body)?;
    let text =
        |field: &str| fields.get(field).or_else(|| body.get(field)).and_then(said).and_then(|it| scalar(&it));
    let id = text("id").or_else(|| text(&format!("{}_id", record.as_str())));
    let id = id.filter(|id| id.parse::<u64>().is_ok());
    let email = text("email").or_else(|| address(fields.get("emails")?));
    let email = email.filter(|email| Email::parse(email).is_ok());
    let key = text("key").filter(|_| record == CrmRecord::Deal);
    if id.is_none() && email.is_none() && key.is_none() {
        return None;
    }
    let mut crm = Map::new();
    crm.insert("record".to_owned(), json!(record.as_str()));
    for (field, value) in [("id", id), ("key", key), ("changed_at", text("updated_at"))] {
        crm.extend(value.map(|value| (field.to_owned(), json!(value))));
    }
    crm.insert("said".to_owned(), Value::Object(attributes(fields)));
    let mut event = Map::new();
    event.insert("type".to_owned(), json!(Kind::Crm.as_str()));
    if let Some(email) = email {
        event.insert("traits".to_owned(), json!({ "email": email }));
    }
    event.insert(CRM.to_owned(), Value::Object(crm));
    Some(event)
}

/// Notes that whoever said it is not believed.
pub fn doubt(event: &mut Map<String, Value>) {
    if let Some(Value::Object(crm)) = event.get_mut(CRM) {
        crm.insert(DOUBTED.to_owned(), Value::Bool(true));
    }
}

/// The record that a body speaks of: named by `kind`, nested under its name (reported by connectors), or the contact of a
/// journey, which sends `data.event_details.contact_id` and what its user made of it (seen on live accounts).
fn find<'a>(name: &str, body: &'a Value) -> Option<(CrmRecord, Fields<'a>)> {
    let object = body.as_object()?;
    let nested = CrmRecord::ALL
        .into_iter()
        .find_map(|record| Some((record, Fields(vec![object.get(record.as_str())?.as_object()?]))));
    if nested.is_some() {
        return nested;
    }
    if let Some(record) = CrmRecord::parse(name) {
        return Some((record, Fields(vec![object])));
    }
    let data = object.get("data")?.as_object()?;
    let inside = |field: &str| data.get(field).and_then(Value::as_object);
    let details = inside("event_details")?;
    Some((CrmRecord::Contact, Fields([Some(details), inside("custom_data")].into_iter().flatten().collect())))
}

/// Objects in which fields of a record stand.
struct Fields<'a>(Vec<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    fn get(&self, field: &str) -> Option<&'a Value> {
        self.0.iter().find_map(|object| object.get(field))
    }
}

/// Each attribute that has a value, custom fields as `custom_field.cf_…`.
fn attributes(fields: Fields<'_>) -> Map<String, Value> {
    let mut found = Map::new();
    let mut put = |name: String, value: &Value| {
        if let Some(value) = said(value).filter(|_| found.len() < ATTRIBUTES_MAX) {
            found.entry(name).or_insert(value);
        }
    };
    for (name, value) in fields.0.into_iter().flatten() {
        match value {
            Value::Object(inner) if CUSTOM.contains(&name.as_str()) => {
                inner.iter().for_each(|(name, value)| put(custom(&folded(name)), value));
            }
            value => {
                let name = folded(name);
                if !ABOUT.contains(&name.as_str()) {
                    put(if name.starts_with("cf_") { custom(&name) } else { name }, value);
                }
            }
        }
    }
    found
}

fn custom(name: &str) -> String {
    format!("{CUSTOM_FIELD_PREFIX}{}", name.strip_prefix(CUSTOM_FIELD_PREFIX).unwrap_or(name))
}

/// `Mobile number` and `mobile_number` are one attribute: whoever picks fields gets their labels in some bodies.
fn folded(name: &str) -> String {
    let name: String = name.trim().chars().take(NAME_CHARS_MAX).collect();
    name.to_lowercase().replace(' ', "_")
}

/// A value that was said: text, a number, true or false. A placeholder that was not filled is nothing.
fn said(value: &Value) -> Option<Value> {
    let text = scalar(value)?;
    let nothing = text.is_empty() || NOTHING.contains(&text.to_lowercase().as_str());
    if nothing || is_unfilled(value) || text.len() > VALUE_BYTES_MAX {
        return None;
    }
    Some(match value {
        Value::String(_) => Value::from(text),
        other => other.clone(),
    })
}

/// The first address of a list, or of what is written with commas.
fn address(emails: &Value) -> Option<String> {
    let first = match emails {
        Value::Array(items) => items.first()?,
        one => one,
    };
    let text = first.get("value").or_else(|| first.get("email")).unwrap_or(first);
    Some(scalar(text)?.split([',', ';']).next()?.trim().to_owned())
}
