//! The fields that an account's contacts have, as `GET /settings/contacts/fields` lists them.
//!
//! Pure: reads the list and no more. Must not judge whether a mapping fits.

use serde_json::Value;

/// Groups stand in groups; nobody nests them deeper.
const DEPTH_MAX: usize = 4;

/// One field of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactField {
    /// Its name in a call (`first_name`, `cf_plan`).
    pub name: String,
    /// Its name on the screen.
    pub label: String,
    /// What values it takes.
    pub kind: FieldKind,
    /// A contact without it is refused.
    pub required: bool,
    /// What may be chosen; empty where anything may stand.
    pub choices: Vec<Choice>,
}

/// What values a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text in any form: lines, addresses, phone numbers.
    Text,
    /// A number.
    Number,
    /// A day or a moment.
    Date,
    /// True or false.
    Checkbox,
    /// One of its choices.
    Choice,
    /// Several of its choices.
    Choices,
    /// Something this service has no rule for.
    Other,
}

/// One choice of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its number in the account, as text.
    pub id: Option<String>,
    /// Its words.
    pub value: String,
}

impl ContactField {
    /// Whether the account's administrator has added it; its values go into `custom_field`.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.name.starts_with("cf_")
    }

    /// Its name in a mapping: custom fields stand under `custom_field`.
    #[must_use]
    pub fn attribute(&self) -> String {
        if self.is_custom() { format!("custom_field.{}", self.name) } else { self.name.clone() }
    }
}

/// Reads the list; fields inside groups count like all others. `None` when this is no such list.
#[must_use]
pub fn contact_fields(body: &Value) -> Option<Vec<ContactField>> {
    let mut fields = Vec::new();
    collect(body.get("fields")?.as_array()?, DEPTH_MAX, &mut fields);
    Some(fields)
}

fn collect(listed: &[Value], depth: usize, fields: &mut Vec<ContactField>) {
    for entry in listed {
        if let Some(inner) = entry.get("fields").and_then(Value::as_array) {
            if depth > 0 {
                collect(inner, depth - 1, fields);
            }
        } else if let Some(field) = field(entry) {
            fields.push(field);
        }
    }
}

fn field(entry: &Value) -> Option<ContactField> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty())?;
    let choices = entry.get("choices").and_then(Value::as_array).into_iter().flatten();
    Some(ContactField {
        name: name.to_owned(),
        label: text("label").unwrap_or(name).to_owned(),
        kind: kind(text("type").unwrap_or_default()),
        required: entry.get("required").and_then(Value::as_bool).unwrap_or(false),
        choices: choices.filter_map(choice).collect(),
    })
}

fn kind(word: &str) -> FieldKind {
    match word {
        "text" | "textarea" | "email" | "phone" | "phone_number" | "url" => FieldKind::Text,
        "number" | "decimal" | "currency" => FieldKind::Number,
        "date" | "datetime" | "date_time" => FieldKind::Date,
        "checkbox" => FieldKind::Checkbox,
        "dropdown" | "radio" => FieldKind::Choice,
        "multi_select_dropdown" => FieldKind::Choices,
        _ => FieldKind::Other,
    }
}

/// A choice is an object with its number and its words, or the words alone.
fn choice(entry: &Value) -> Option<Choice> {
    let words = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if let Some(value) = words(entry) {
        return Some(Choice { id: None, value });
    }
    let id = entry.get("id").and_then(words);
    let named = ["value", "label", "name"].into_iter().find_map(|key| words(entry.get(key)?));
    named.or_else(|| id.clone()).map(|value| Choice { id, value })
}
