//! The exact JSON of an upsert: documented names in the documented order.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Attributes;
use crate::delivery::Stored;
use crate::event::Email;

/// The attribute that carries marketing consent.
pub const STATUS: &str = "subscription_status";
/// The attribute that links a contact to its companies. It replaces the list there is (relied upon by connectors).
pub const COMPANIES: &str = "sales_accounts";
/// Custom fields are kept flat under this prefix and nested when sent.
pub const CUSTOM_FIELD_PREFIX: &str = "custom_field.";

/// Attributes that come first, in this order; all others follow by name.
const FIRST: [&str; 11] = [
    "first_name",
    "last_name",
    "mobile_number",
    "work_number",
    "job_title",
    "company_name",
    "address",
    "city",
    "state",
    "zipcode",
    "country",
];

/// The body of `POST /crm/sales/api/contacts/upsert`: the email as key, then the attributes. Null and empty
/// values never get in here; an absent attribute stays as it is in Freshsales.
#[must_use]
pub fn upsert_body(email: &Email, attributes: &Attributes) -> Value {
    let contact = contact_of(email, attributes);
    json!({ "unique_identifier": { "emails": email.as_str() }, "contact": contact })
}

/// The body of `PUT /crm/sales/api/contacts/{id}`, which gives a contact another email.
#[must_use]
pub fn rename_body(email: &Email, attributes: &Attributes) -> Value {
    json!({ "contact": contact_of(email, attributes) })
}

/// The body of `POST /leads` and `PUT /leads/{id}` of an account of the older product. Like that of a contact, but for two names
/// (seen in clients of the vendor's API): the address is `email`, and the company an object with a name.
#[must_use]
pub fn lead_body(email: &Email, attributes: &Attributes) -> Value {
    let mut lead = Map::new();
    for (name, value) in contact_of(email, attributes) {
        match name.as_str() {
            "emails" => lead.insert("email".to_owned(), value),
            "company_name" => lead.insert("company".to_owned(), json!({ "name": value })),
            _ => lead.insert(name, value),
        };
    }
    json!({ "lead": lead })
}

fn contact_of(email: &Email, attributes: &Attributes) -> Map<String, Value> {
    let mut contact = Map::new();
    contact.insert("emails".to_owned(), json!(email.as_str()));
    let mut put = |name: &str| {
        if let Some(value) = attributes.get(name) {
            contact.insert(name.to_owned(), value.clone());
        }
    };
    FIRST.into_iter().for_each(&mut put);
    let custom = |name: &str| name.starts_with(CUSTOM_FIELD_PREFIX);
    let others = attributes.keys().filter(|name| !FIRST.contains(&name.as_str()));
    others.filter(|name| *name != STATUS && !custom(name)).for_each(|name| put(name));
    let fields: Map<String, Value> = attributes
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(CUSTOM_FIELD_PREFIX)?.to_owned(), value.clone())))
        .collect();
    if !fields.is_empty() {
        contact.insert("custom_field".to_owned(), Value::Object(fields));
    }
    if let Some(status) = attributes.get(STATUS) {
        contact.insert(STATUS.to_owned(), status.clone());
    }
    contact
}

/// What the stored contact shows of an attribute.
#[must_use]
pub fn shown<'a>(name: &str, stored: &'a Map<String, Value>) -> Option<&'a Value> {
    match name.strip_prefix(CUSTOM_FIELD_PREFIX) {
        Some(field) => stored.get("custom_field")?.get(field),
        None => stored.get(name),
    }
}

/// Those of `names` that the answer shows without a value: null, empty text or list, or not at all. An answer that does
/// not show the contact says that only of one it has just created.
#[must_use]
pub fn shown_blank(names: &BTreeSet<String>, answer: &Stored) -> BTreeSet<String> {
    let blank = |name: &&String| match &answer.shown {
        // Companies are not shown by every answer.
        Some(stored) if name.as_str() == COMPANIES && !answer.created => {
            shown(name, stored).is_some_and(is_blank)
        }
        Some(stored) => shown(name, stored).is_none_or(is_blank),
        None => answer.created,
    };
    names.iter().filter(blank).cloned().collect()
}

/// Those of `names` that the answer shows a value of that was never accepted from us, and the status where it is a refusal
/// that was not. `None`: the answer does not show the contact.
#[must_use]
pub fn shown_theirs<'n>(
    names: impl Iterator<Item = &'n str>,
    answer: &Stored,
    accepted: &Attributes,
    unsubscribed: &Value,
) -> Option<BTreeSet<String>> {
    let stored = answer.shown.as_ref()?;
    if answer.created {
        return Some(BTreeSet::new());
    }
    let has_value = |name: &&str| shown(name, stored).is_some_and(|value| !is_blank(value));
    let theirs = names.filter(|name| *name != STATUS && !accepted.contains_key(*name)).filter(has_value);
    let refuses = shown(STATUS, stored).is_some_and(|status| as_text(status) == as_text(unsubscribed));
    let their_refusal = (refuses && accepted.get(STATUS) != Some(unsubscribed)).then_some(STATUS);
    Some(theirs.chain(their_refusal).map(str::to_owned).collect())
}

/// Whether it is no value: null, empty text or list.
#[must_use]
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// Text as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// The body of `POST /crm/sales/api/contacts/bulk_upsert`, from the bodies that calls of their own would have.
#[must_use]
pub fn bulk_body<'a>(upserts: impl IntoIterator<Item = &'a Value>) -> Value {
    let rows: Vec<Value> = upserts.into_iter().filter_map(bulk_row).collect();
    json!({ "contacts": rows })
}

fn bulk_row(upsert: &Value) -> Option<Value> {
    let mut data = upsert.get("contact")?.as_object()?.clone();
    let email = data.shift_remove("emails")?;
    Some(json!({ "emails": email, "data": data }))
}

/// The attributes that the stored contact shows otherwise than they were sent. An attribute that the answer
/// does not show at all is not judged.
#[must_use]
pub fn did_not_stick(sent: &Attributes, stored: &Map<String, Value>) -> Vec<String> {
    let differs = |(name, value): &(&String, &Value)| {
        shown(name, stored).is_some_and(|shown| as_text(shown) != as_text(value))
    };
    sent.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}
