//! Compares a mapping with the fields that an account has. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::fields::{Choice, ContactField, FieldKind};
use super::{Expected, Finding};
use crate::contact::{CUSTOM_FIELD_PREFIX, STATUS};
use crate::mapping::{Aggregate, Convert, EVENT_DAY, FieldRule, Origin, Preset, When};
use crate::selectors;

/// Attributes of contacts that the documentation of the API lists: it takes them whether or not the account lists them as fields.
pub const CONTACT_ATTRIBUTES: [&str; 29] = [
    "emails",
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
    "external_id",
    "time_zone",
    "facebook",
    "twitter",
    "linkedin",
    "medium",
    "keyword",
    "tags",
    "subscription_status",
    "subscription_types",
    "territory_id",
    "lead_source_id",
    "owner_id",
    "campaign_id",
    "contact_status_id",
    "lifecycle_stage_id",
    "sales_accounts",
];
const EMAILS: &str = "emails";
/// Choices that a sentence names.
const CHOICES_NAMED_MAX: usize = 12;

/// Everything about the mapping that the account contradicts, and what is good to know.
pub(super) fn judge(preset: &Preset, fields: &[ContactField], owners: Option<&[u64]>) -> Vec<Finding> {
    let sent = preset.fields().filter(|(name, rule)| *name != EMAILS && is_sent(rule));
    // What is written by name is compared with the lists of the account, and sent by its id.
    let (named, plain): (Vec<_>, Vec<(&str, &FieldRule)>) =
        sent.partition(|(name, _)| named_id(name).is_some());
    let mut findings: Vec<Finding> =
        plain.iter().filter_map(|(name, rule)| judge_field(name, rule, fields, owners)).collect();
    let by_id = named.into_iter().filter_map(|(name, rule)| Some((named_id(name)?, rule)));
    let sent: Vec<(&str, &FieldRule)> = plain.into_iter().chain(by_id).collect();
    findings.extend(mandatory(&sent, fields));
    if findings.is_empty() {
        findings.push(Finding::fine("the account has every field of the mapping and wants none beside them"));
    }
    findings
}

/// What an attribute that is written by name is sent as.
fn named_id(name: &str) -> Option<&'static str> {
    selectors::attribute(&selectors::OF_CONTACT, name).map(|named| named.id_attribute)
}

/// Whether a rule sends anything.
pub(super) fn is_sent(rule: &FieldRule) -> bool {
    rule.says_something() && rule.when != When::Never
}

fn judge_field(
    name: &str,
    rule: &FieldRule,
    fields: &[ContactField],
    owners: Option<&[u64]>,
) -> Option<Finding> {
    let key = key_of(name);
    let Some(field) = fields.iter().find(|field| field.attribute() == name) else {
        return missing(name, &key);
    };
    let sends = Sends::of(rule);
    match field.kind {
        FieldKind::Text => sends.unless_only(&[Sends::Text, Sends::Day], &key, "text", field),
        FieldKind::Number => sends.unless_only(&[Sends::Number], &key, "number", field),
        FieldKind::Date => sends.unless_only(&[Sends::Day], &key, "date", field),
        FieldKind::Checkbox => sends.unless_only(&[Sends::Boolean], &key, "boolean", field),
        FieldKind::Choices => sends.unless_only(&[Sends::List], &key, "tags", field),
        FieldKind::Choice if name == "owner_id" => {
            judge_ids(rule, &key, &owners?.iter().map(u64::to_string).collect(), field)
        }
        FieldKind::Choice if name.ends_with("_id") => {
            let ids = field.choices.iter().filter_map(|choice| choice.id.clone()).collect();
            judge_ids(rule, &key, &ids, field)
        }
        FieldKind::Choice => judge_choice(rule, &key, field),
        FieldKind::Other => None,
    }
}

fn missing(name: &str, key: &str) -> Option<Finding> {
    if let Some(custom) = name.strip_prefix(CUSTOM_FIELD_PREFIX) {
        return Some(Finding::wrong(format!(
            "{key}: the account has no custom field {custom}, and refuses a call that carries it. The contact is sent again \
             without it, so each new contact takes two calls: create it in Freshsales under Admin Settings, Contacts, or take it out \
             with from = []"
        )));
    }
    (!CONTACT_ATTRIBUTES.contains(&name)).then(|| {
        Finding::wrong(format!(
            "{key}: contacts of the account have no attribute {name}, and Freshsales refuses every contact that \
             carries it: correct the name or take it out with from = []"
        ))
    })
}

/// What kind of value a rule sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sends {
    Text,
    Day,
    Number,
    Boolean,
    List,
}

/// The kinds of value that a rule may send.
struct Kinds(BTreeSet<Sends>);

impl Sends {
    fn of(rule: &FieldRule) -> Kinds {
        if rule.aggregate == Some(Aggregate::Count) {
            return Kinds(BTreeSet::from([Self::Number]));
        }
        if written(rule).next().is_none() {
            let read = |origin: &Origin| match origin.convert(rule.convert) {
                Convert::Text if origin.path() == EVENT_DAY => Self::Day,
                convert => Self::made_by(convert),
            };
            return Kinds(rule.from.iter().map(read).collect());
        }
        Kinds(written(rule).map(Self::is).collect())
    }

    fn made_by(convert: Convert) -> Self {
        match convert {
            Convert::Name
            | Convert::Text
            | Convert::Lower
            | Convert::Phone
            | Convert::Address
            | Convert::FirstName
            | Convert::LastName => Self::Text,
            Convert::Integer | Convert::Number | Convert::Money | Convert::MoneyCents => Self::Number,
            Convert::Boolean => Self::Boolean,
            Convert::Date => Self::Day,
            Convert::Tags => Self::List,
        }
    }

    fn is(value: &Value) -> Self {
        match value {
            Value::String(text) if text.parse::<jiff::civil::Date>().is_ok() => Self::Day,
            Value::Null | Value::String(_) | Value::Object(_) => Self::Text,
            Value::Number(_) => Self::Number,
            Value::Bool(_) => Self::Boolean,
            Value::Array(_) => Self::List,
        }
    }
}

impl Kinds {
    /// A finding unless all that is sent is of these kinds.
    fn unless_only(
        &self,
        taken: &[Sends],
        key: &str,
        convert: &str,
        field: &ContactField,
    ) -> Option<Finding> {
        let fits = self.0.iter().all(|sent| taken.contains(sent));
        let wants = match convert {
            "text" => "text",
            "number" => "a number",
            "date" => "a date",
            "boolean" => "true or false",
            _ => "a list",
        };
        (!fits).then(|| {
            Finding::wrong(format!(
                "{key}: the account's field \"{}\" wants {wants}: set convert = \"{convert}\" there (or values of that \
                 kind in const and values)",
                field.label
            ))
        })
    }
}

/// The values that stand in the rule itself.
fn written(rule: &FieldRule) -> impl Iterator<Item = &Value> {
    let chosen = rule.rules.iter().map(|choice| &choice.to);
    rule.constant.iter().chain(rule.values.values()).chain(chosen)
}

/// Ids of the account are whole numbers; a label there is refused with the whole contact.
fn judge_ids(rule: &FieldRule, key: &str, ids: &BTreeSet<String>, field: &ContactField) -> Option<Finding> {
    let options = || match named(
        field
            .choices
            .iter()
            .filter_map(|choice| Some(format!("{} is {}", choice.value, choice.id.as_ref()?))),
    ) {
        none if none.is_empty() => String::new(),
        some => format!(" ({some})"),
    };
    if rule.constant.is_none() && rule.values.is_empty() {
        let numbers = Sends::of(rule).0.iter().all(|sent| *sent == Sends::Number);
        return (!numbers).then(|| {
            Finding::wrong(format!(
                "{key}: Freshsales wants the number of an option there, and refuses a contact with a label: set \
                 values = {{ \"label\" = number }}{}",
                options()
            ))
        });
    }
    let unknown = written(rule).find(|value| !ids.is_empty() && !ids.contains(&value.to_string()))?;
    Some(Finding::wrong(format!(
        "{key}: {unknown} is no option of the account's field \"{}\": set it to the number of one{}",
        field.label,
        options()
    )))
}

/// A text that is no choice is dropped by Freshsales without a word.
fn judge_choice(rule: &FieldRule, key: &str, field: &ContactField) -> Option<Finding> {
    if field.choices.is_empty() {
        return None;
    }
    let is_choice = |value: &Value| {
        let as_text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        field.choices.iter().any(|choice| choice.value == as_text)
    };
    let options = named(field.choices.iter().map(|choice| format!("\"{}\"", choice.value)));
    if rule.constant.is_none() && rule.values.is_empty() {
        return Some(Finding::note(format!(
            "{key}: the account's field \"{}\" takes {options} alone, and Freshsales drops any other text without a \
             word: values = {{ \"what events say\" = \"option\" }} translates",
            field.label
        )));
    }
    let unknown = written(rule).find(|value| !is_choice(value))?;
    Some(Finding::wrong(format!(
        "{key}: {unknown} is no option of the account's field \"{}\", and would be dropped without a word: it takes \
         {options}",
        field.label
    )))
}

fn named(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    let more = words.len().saturating_sub(CHOICES_NAMED_MAX);
    words.truncate(CHOICES_NAMED_MAX);
    let text = words.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

fn mandatory(sent: &[(&str, &FieldRule)], fields: &[ContactField]) -> Vec<Finding> {
    let required = fields.iter().filter(|field| field.required);
    // The email is always sent, and the status follows from consent.
    let judged = required.filter(|field| field.name != EMAILS && field.name != STATUS);
    judged.filter_map(|field| mandatory_field(sent, field)).collect()
}

fn mandatory_field(sent: &[(&str, &FieldRule)], field: &ContactField) -> Option<Finding> {
    let attribute = field.attribute();
    let label = &field.label;
    match sent.iter().find(|(name, _)| *name == attribute) {
        None => Some(Finding::wrong(format!(
            "\"{label}\" is mandatory in the account and nothing is sent for it, so every new contact is refused: map it \
             ([{}] with from or const), or make it optional in Freshsales under Admin Settings, Contacts",
            key_of(&attribute)
        ))),
        Some((_, rule)) if rule.constant.is_some() => None,
        Some(_) => Some(Finding::note(format!(
            "\"{label}\" is mandatory in the account: a new contact for whom it is not known is refused, kept, and sent \
             when it comes"
        ))),
    }
}

/// What the list says of the values of consent.
pub(super) fn judge_status(expected: &Expected, fields: &[ContactField]) -> Option<Finding> {
    let field = fields.iter().find(|field| field.name == STATUS)?;
    let known = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Where options have numbers, a label may be taken for one of them, or for none.
        let named =
            |choice: &Choice| choice.id.as_deref().unwrap_or(&choice.value).eq_ignore_ascii_case(&text);
        field.choices.iter().any(named)
    };
    let unknown = [("subscribed", &expected.subscribed), ("unsubscribed", &expected.unsubscribed)]
        .into_iter()
        .find(|(_, value)| !field.choices.is_empty() && !known(value));
    let (key, value) = unknown?;
    let options = named(field.choices.iter().map(|choice| match &choice.id {
        Some(id) => format!("{} is {id}", choice.value),
        None => choice.value.clone(),
    }));
    Some(Finding::note(format!(
        "consent.{key} = {value} is not what the account calls an option of subscription_status ({options}): `check --live --probe` \
         shows what Freshsales makes of it"
    )))
}

/// The table of a mapping file that a finding speaks of.
pub(super) fn key_of(attribute: &str) -> String {
    if attribute.contains('.') { format!("fields.\"{attribute}\"") } else { format!("fields.{attribute}") }
}
