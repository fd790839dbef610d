//! The attributes a contact can have and the rules for their values. Must not keep or change contacts.

use serde_json::{Map, Value, json};

use super::answer::Problem;
use super::options::{CustomField, CustomFieldKind, Quirk, SandboxOptions};
use crate::clock::UnixMicros;

/// Longer text is refused, and the whole contact with it.
const TEXT_CHARS_MAX: usize = 255;
/// The id of the first field in the list of fields.
const FIRST_FIELD_ID: usize = 70_000_614_001;

/// What values an attribute takes.
#[derive(Clone, Copy)]
enum Kind {
    Email,
    Text,
    /// An id of this account, a JSON integer. A label is refused.
    Id,
    /// Text as the integration guide shows it, or a number from 0 to 4.
    Status,
    /// A list of texts or integers.
    List,
    /// A list of objects, each with the `id` of a sales account.
    Accounts,
    /// An object of `cf_*`.
    Custom,
}

const ATTRIBUTES: [(&str, &str, Kind); 29] = [
    ("first_name", "First name", Kind::Text),
    ("last_name", "Last name", Kind::Text),
    ("emails", "Emails", Kind::Email),
    ("mobile_number", "Mobile", Kind::Text),
    ("work_number", "Work", Kind::Text),
    ("job_title", "Job title", Kind::Text),
    ("company_name", "Company", Kind::Text),
    ("address", "Address", Kind::Text),
    ("city", "City", Kind::Text),
    ("state", "State", Kind::Text),
    ("zipcode", "Zipcode", Kind::Text),
    ("country", "Country", Kind::Text),
    ("external_id", "External ID", Kind::Text),
    ("time_zone", "Time zone", Kind::Text),
    ("facebook", "Facebook", Kind::Text),
    ("twitter", "Twitter", Kind::Text),
    ("linkedin", "LinkedIn", Kind::Text),
    ("medium", "Medium", Kind::Text),
    ("keyword", "Keyword", Kind::Text),
    ("tags", "Tags", Kind::List),
    ("subscription_status", "Subscription status", Kind::Status),
    ("subscription_types", "Subscription types", Kind::List),
    ("territory_id", "Territory", Kind::Id),
    ("lead_source_id", "Source", Kind::Id),
    ("owner_id", "Sales owner", Kind::Id),
    ("campaign_id", "Campaign", Kind::Id),
    ("contact_status_id", "Status", Kind::Id),
    ("lifecycle_stage_id", "Lifecycle stage", Kind::Id),
    ("sales_accounts", "Accounts", Kind::Accounts),
];

/// The attributes of a contact as they will be stored, or everything that is wrong with them.
pub(super) fn checked(
    contact: &Map<String, Value>,
    custom_fields: &[CustomField],
) -> Result<Map<String, Value>, Vec<Problem>> {
    let mut stored = Map::new();
    let mut problems = Vec::new();
    for (name, value) in contact {
        let result = match kind_of(name) {
            None => Err(Problem::Unknown(name.clone())),
            Some(_) if value.is_null() => Err(Problem::Null(name.clone())),
            Some(Kind::Custom) => {
                let custom = checked_custom(value, custom_fields, &mut problems);
                stored.insert(name.clone(), Value::Object(custom));
                continue;
            }
            Some(kind) => check(name, value, kind),
        };
        match result {
            Ok(()) => _ = stored.insert(name.clone(), value.clone()),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(stored) } else { Err(problems) }
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
pub(super) fn listed(options: &SandboxOptions) -> Value {
    let required = |name: &str| options.mandatory.iter().any(|mandatory| mandatory == name);
    let standard = ATTRIBUTES.iter().map(|(name, label, kind)| {
        let choices = match kind {
            Kind::Status if options.has(Quirk::NumericStatus) => statuses(),
            Kind::Email
            | Kind::Text
            | Kind::Id
            | Kind::Status
            | Kind::List
            | Kind::Accounts
            | Kind::Custom => json!([]),
        };
        json!({"name": name, "label": label, "type": type_of(*kind), "required": required(name),
            "unique": *name == "emails", "default": true, "choices": choices})
    });
    let custom = options.custom_fields.iter().map(|field| {
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
            "required": required(&field.name), "unique": false, "default": false, "choices": choices})
    });
    let fields: Vec<Value> = standard
        .chain(custom)
        .enumerate()
        .map(|(n, mut field)| {
            if let Some(field) = field.as_object_mut() {
                field.insert("id".to_owned(), json!(FIRST_FIELD_ID + n));
            }
            field
        })
        .collect();
    json!({ "fields": fields })
}

/// The numbers of `subscription_status` and what they mean.
fn statuses() -> Value {
    let words = ["Unsubscribed", "Subscribed", "Not subscribed", "Reported as spam", "Bounced"];
    words.iter().enumerate().map(|(id, value)| json!({"id": id, "value": value})).collect()
}

fn kind_of(name: &str) -> Option<Kind> {
    if name == "custom_field" {
        return Some(Kind::Custom);
    }
    ATTRIBUTES.iter().find(|(known, _, _)| *known == name).map(|(_, _, kind)| *kind)
}

fn check(name: &str, value: &Value, kind: Kind) -> Result<(), Problem> {
    match kind {
        Kind::Email => match value.as_str() {
            Some(text) if is_email(text.trim()) => check_text(name, value),
            Some(_) => Err(Problem::Email),
            None => Err(expected(name, "a string")),
        },
        Kind::Text => check_text(name, value),
        Kind::Id => check_integer(name, value),
        Kind::Status if value.is_string() => check_text(name, value),
        Kind::Status => match value.as_u64() {
            Some(0..=4) => Ok(()),
            Some(_) | None => Err(expected(name, "a string or an integer from 0 to 4")),
        },
        Kind::List => check_list(name, value),
        Kind::Accounts => check_accounts(name, value),
        Kind::Custom if value.is_object() => Ok(()),
        Kind::Custom => Err(expected(name, "an object")),
    }
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

fn check_accounts(name: &str, value: &Value) -> Result<(), Problem> {
    let Some(items) = value.as_array() else {
        return Err(expected(name, "a list"));
    };
    items.iter().try_for_each(|item| match item.get("id") {
        Some(id) => check_integer("sales_accounts.id", id),
        None => Err(expected(name, "a list of objects with an id")),
    })
}

/// The custom fields that will be stored; what is wrong goes to `problems`.
fn checked_custom(
    value: &Value,
    custom_fields: &[CustomField],
    problems: &mut Vec<Problem>,
) -> Map<String, Value> {
    let mut stored = Map::new();
    let Some(given) = value.as_object() else {
        problems.push(expected("custom_field", "an object"));
        return stored;
    };
    for (name, value) in given {
        let Some(field) = custom_fields.iter().find(|field| field.name == *name) else {
            problems.push(Problem::Unknown(name.clone()));
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

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "email",
        Kind::Text => "text",
        Kind::Id | Kind::Status => "dropdown",
        Kind::List | Kind::Accounts => "multi_select_dropdown",
        Kind::Custom => "group",
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
