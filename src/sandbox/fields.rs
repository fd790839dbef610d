//! The rules for the values of attributes, whatever kind of record has them. Must not keep or change records.

use serde_json::{Map, Value, json};

use super::answer::Problem;
use super::kinds::{Attribute, CONTACT, Kind, Takes};
use super::options::{CustomField, CustomFieldKind, Quirk, SandboxOptions};
use super::selectors::Lists;
use crate::clock::UnixMicros;

/// Longer text is refused, and the whole contact with it.
const TEXT_CHARS_MAX: usize = 255;
/// The id of the first field in the list of fields.
const FIRST_FIELD_ID: usize = 70_000_614_001;

/// The account's rules for one kind of record.
pub(super) struct Rules<'a> {
    /// What the kind is called in a sentence.
    pub(super) called: &'static str,
    pub(super) attributes: &'static [Attribute],
    pub(super) custom_fields: &'a [CustomField],
    pub(super) lists: &'a Lists,
}

impl Rules<'_> {
    /// The attributes of a record as they will be stored, or everything that is wrong with them.
    pub(super) fn checked(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Vec<Problem>> {
        let mut stored = Map::new();
        let mut problems = Vec::new();
        for (name, value) in given {
            let result = match self.takes(name) {
                None => Err(self.unknown(name)),
                Some(_) if value.is_null() => Err(Problem::Null(name.clone())),
                Some(Takes::Custom) => {
                    let custom = self.checked_custom(value, &mut problems);
                    stored.insert(name.clone(), Value::Object(custom));
                    continue;
                }
                Some(takes) => check(name, value, takes, self.lists),
            };
            match result {
                Ok(()) => _ = stored.insert(name.clone(), value.clone()),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(stored) } else { Err(problems) }
    }

    fn takes(&self, name: &str) -> Option<Takes> {
        if name == "custom_field" {
            return Some(Takes::Custom);
        }
        self.attributes.iter().find(|(known, _, _)| *known == name).map(|(_, _, takes)| *takes)
    }

    fn unknown(&self, name: &str) -> Problem {
        Problem::Unknown { name: name.to_owned(), called: self.called }
    }

    /// The custom fields that will be stored; what is wrong goes to `problems`.
    fn checked_custom(&self, value: &Value, problems: &mut Vec<Problem>) -> Map<String, Value> {
        let mut stored = Map::new();
        let Some(given) = value.as_object() else {
            problems.push(expected("custom_field", "an object"));
            return stored;
        };
        for (name, value) in given {
            let Some(field) = self.custom_fields.iter().find(|field| field.name == *name) else {
                problems.push(self.unknown(name));
                continue;
            };
            match check_custom(field, value) {
                Ok(true) => _ = stored.insert(name.clone(), value.clone()),
                Ok(false) => {}
                Err(problem) => problems.push(problem),
            }
        }
        stored
    }
}

/// Whether this looks like an email address.
pub(super) fn is_email(text: &str) -> bool {
    match text.split_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && domain.contains('.')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && !text.contains(|c: char| c.is_whitespace() || c == ',' || c == ';')
                && !domain.contains('@')
        }
        None => false,
    }
}

/// The answer of `GET /settings/contacts/fields`.
pub(super) fn of_contacts(options: &SandboxOptions) -> Value {
    let is_required = |name: &str| options.mandatory.iter().any(|mandatory| mandatory == name);
    listed(&CONTACT, &options.custom_fields, &is_required, &|name| name == "emails", options)
}

/// The answer of `GET /settings/{kind}/fields`.
pub(super) fn of_kind(kind: Kind, options: &SandboxOptions) -> Value {
    let required = kind.required(options);
    let is_required = |name: &str| required.iter().any(|required| required == name);
    let is_unique = |name: &str| match kind {
        Kind::Company => name == "name",
        Kind::Deal => options.unique_deal_field.as_deref() == Some(name),
        Kind::Note | Kind::Activity | Kind::Task | Kind::List | Kind::Lead => false,
    };
    listed(kind.shape().attributes, &kind.custom_fields(options), &is_required, &is_unique, options)
}

fn listed(
    attributes: &[Attribute],
    custom_fields: &[CustomField],
    is_required: &dyn Fn(&str) -> bool,
    is_unique: &dyn Fn(&str) -> bool,
    options: &SandboxOptions,
) -> Value {
    let standard = attributes.iter().map(|(name, label, takes)| {
        let numeric = *takes == Takes::Status && options.has(Quirk::NumericStatus);
        let choices = if numeric { statuses() } else { json!([]) };
        json!({"name": name, "label": label, "type": type_of(*takes), "required": is_required(name),
            "unique": is_unique(name), "default": true, "choices": choices})
    });
    let custom = custom_fields.iter().map(|field| {
        let choices: Vec<Value> = match &field.kind {
            CustomFieldKind::Dropdown(choices) => {
                choices.iter().enumerate().map(|(n, value)| json!({"id": n + 1, "value": value})).collect()
            }
            CustomFieldKind::Text
            | CustomFieldKind::Number
            | CustomFieldKind::Date
            | CustomFieldKind::Checkbox => Vec::new(),
        };
        json!({"name": field.name, "label": label_of(&field.name), "type": custom_type_of(&field.kind),
            "required": is_required(&field.name), "unique": is_unique(&field.name), "default": false,
            "choices": choices})
    });
    let numbered = |(n, mut field): (usize, Value)| {
        if let Some(field) = field.as_object_mut() {
            field.insert("id".to_owned(), json!(FIRST_FIELD_ID + n));
        }
        field
    };
    let fields: Vec<Value> = standard.chain(custom).enumerate().map(numbered).collect();
    json!({ "fields": fields })
}

/// The numbers of `subscription_status` and what they mean.
fn statuses() -> Value {
    let words = ["Unsubscribed", "Subscribed", "Not subscribed", "Reported as spam", "Bounced"];
    words.iter().enumerate().map(|(id, value)| json!({"id": id, "value": value})).collect()
}

fn check(name: &str, value: &Value, takes: Takes, lists: &Lists) -> Result<(), Problem> {
    match takes {
        Takes::Email => match value.as_str() {
            Some(text) if is_email(text.trim()) => check_text(name, value),
            Some(_) => Err(Problem::Email),
            None => Err(expected(name, "a string")),
        },
        Takes::Text => check_text(name, value),
        Takes::LongText if value.is_string() => Ok(()),
        Takes::LongText => Err(expected(name, "a string")),
        Takes::Id => check_integer(name, value),
        Takes::Listed(list) => {
            check_integer(name, value)?;
            if lists.has(list, value) { Ok(()) } else { Err(Problem::NotListed(name.to_owned())) }
        }
        Takes::Status if value.is_string() => check_text(name, value),
        Takes::Status => match value.as_u64() {
            Some(0..=4) => Ok(()),
            Some(_) | None => Err(expected(name, "a string or an integer from 0 to 4")),
        },
        Takes::Amount if amount(value).is_some() => Ok(()),
        Takes::Number if value.is_number() => Ok(()),
        Takes::Amount | Takes::Number => Err(expected(name, "a number")),
        Takes::Date if value.as_str().is_some_and(is_date) => Ok(()),
        Takes::Date => Err(expected(name, "a date")),
        Takes::Flag if value.is_boolean() || value.is_u64() => Ok(()),
        Takes::Flag => Err(expected(name, "true or false")),
        Takes::List => check_list(name, value),
        Takes::Ids => check_ids(name, value),
        Takes::Accounts => check_accounts(name, value),
        Takes::NewAccount if value.get("name").is_some_and(Value::is_string) => Ok(()),
        Takes::NewAccount => Err(expected(name, "an object with a name")),
        Takes::Target if matches!(value.as_str(), Some("Contact" | "Lead" | "Deal" | "SalesAccount")) => {
            Ok(())
        }
        Takes::Target => Err(expected(name, "Contact, Lead, Deal or SalesAccount")),
        Takes::Custom if value.is_object() => Ok(()),
        Takes::Custom => Err(expected(name, "an object")),
    }
}

/// An amount, as a number or as text that is one.
pub(super) fn amount(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|amount: &f64| amount.is_finite())
}

fn check_text(name: &str, value: &Value) -> Result<(), Problem> {
    match value.as_str() {
        None => Err(expected(name, "a string")),
        Some(text) if text.chars().count() > TEXT_CHARS_MAX => {
            Err(Problem::TooLong { name: name.to_owned(), limit_chars: TEXT_CHARS_MAX })
        }
        Some(_) => Ok(()),
    }
}

fn check_integer(name: &str, value: &Value) -> Result<(), Problem> {
    if value.is_i64() || value.is_u64() { Ok(()) } else { Err(expected(name, "an integer")) }
}

fn check_list(name: &str, value: &Value) -> Result<(), Problem> {
    let Some(items) = value.as_array() else {
        return Err(expected(name, "a list"));
    };
    items.iter().try_for_each(|item| match item {
        Value::Null => Err(Problem::Null(name.to_owned())),
        Value::String(_) => check_text(name, item),
        Value::Number(_) => check_integer(name, item),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(expected(name, "a list of strings or integers"))
        }
    })
}

fn check_ids(name: &str, value: &Value) -> Result<(), Problem> {
    let items = value.as_array().ok_or_else(|| expected(name, "a list"))?;
    items.iter().try_for_each(|item| check_integer(name, item))
}

fn check_accounts(name: &str, value: &Value) -> Result<(), Problem> {
    let Some(items) = value.as_array() else {
        return Err(expected(name, "a list"));
    };
    items.iter().try_for_each(|item| match item.get("id") {
        Some(id) => check_integer("sales_accounts.id", id),
        None => Err(expected(name, "a list of objects with an id")),
    })
}

/// Whether the value is stored: a text that is no choice of a dropdown is dropped without a word.
fn check_custom(field: &CustomField, value: &Value) -> Result<bool, Problem> {
    let name = &field.name;
    if value.is_null() {
        return Err(Problem::Null(name.clone()));
    }
    match &field.kind {
        CustomFieldKind::Text => check_text(name, value).map(|()| true),
        CustomFieldKind::Number if value.is_number() => Ok(true),
        CustomFieldKind::Number => Err(expected(name, "a number")),
        CustomFieldKind::Checkbox if value.is_boolean() => Ok(true),
        CustomFieldKind::Checkbox => Err(expected(name, "true or false")),
        CustomFieldKind::Date if value.as_str().is_some_and(is_date) => Ok(true),
        CustomFieldKind::Date => Err(expected(name, "a date")),
        CustomFieldKind::Dropdown(choices) => {
            check_text(name, value)?;
            Ok(choices.iter().any(|choice| Some(choice.as_str()) == value.as_str()))
        }
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok() || UnixMicros::parse(text).is_some()
}

fn expected(name: &str, expected: &'static str) -> Problem {
    Problem::Kind { name: name.to_owned(), expected }
}

fn type_of(takes: Takes) -> &'static str {
    match takes {
        Takes::Email => "email",
        Takes::Text | Takes::LongText => "text",
        Takes::Id | Takes::Listed(_) | Takes::Status | Takes::Target => "dropdown",
        Takes::Amount | Takes::Number => "number",
        Takes::Date => "date",
        Takes::Flag => "checkbox",
        Takes::List | Takes::Ids | Takes::Accounts => "multi_select_dropdown",
        Takes::NewAccount | Takes::Custom => "group",
    }
}

fn custom_type_of(kind: &CustomFieldKind) -> &'static str {
    match kind {
        CustomFieldKind::Text => "text",
        CustomFieldKind::Number => "number",
        CustomFieldKind::Date => "date",
        CustomFieldKind::Checkbox => "checkbox",
        CustomFieldKind::Dropdown(_) => "dropdown",
    }
}

/// `cf_lifetime_value` as a person would have written it: `Lifetime value`.
fn label_of(name: &str) -> String {
    let words = name.trim_start_matches("cf_").replace('_', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
