//! The exact JSON of the calls of a deal, and what their answers show.
//!
//! Must not resolve names: ids are put in already.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::standing::{Candidate, Seen};
use crate::clock::UnixMicros;
use crate::delivery::{KEY_CHARS_MAX, whole_number};

const CUSTOM_FIELD_PREFIX: &str = "custom_field.";
/// Attributes that come first, in this order; all others follow by name.
const FIRST: [&str; 5] = ["name", "amount", "currency_id", "deal_pipeline_id", "deal_stage_id"];

/// The body of `POST /crm/sales/api/deals`. `account` is the company it belongs to; an account may demand one.
#[must_use]
pub fn create_body(sent: &Map<String, Value>, contacts: &BTreeSet<u64>, account: Option<u64>) -> Value {
    let mut deal = ordered(sent);
    if let Some(account) = account {
        deal.insert("sales_account_id".to_owned(), json!(account));
    }
    with_contacts(deal, contacts)
}

/// The body of `PUT /crm/sales/api/deals/{id}`: what differs, and nothing else.
#[must_use]
pub fn update_body(sent: &Map<String, Value>, contacts: &BTreeSet<u64>) -> Value {
    with_contacts(ordered(sent), contacts)
}

fn with_contacts(mut deal: Map<String, Value>, contacts: &BTreeSet<u64>) -> Value {
    if !contacts.is_empty() {
        deal.insert("contacts_added_list".to_owned(), json!(contacts));
    }
    json!({ "deal": deal })
}

fn ordered(sent: &Map<String, Value>) -> Map<String, Value> {
    let mut deal = Map::new();
    let custom = |name: &str| name.starts_with(CUSTOM_FIELD_PREFIX);
    let others = sent.keys().map(String::as_str).filter(|name| !FIRST.contains(name) && !custom(name));
    for name in FIRST.into_iter().chain(others) {
        if let Some(value) = sent.get(name) {
            deal.insert(name.to_owned(), value.clone());
        }
    }
    let fields: Map<String, Value> = sent
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(CUSTOM_FIELD_PREFIX)?.to_owned(), value.clone())))
        .collect();
    if !fields.is_empty() {
        deal.insert("custom_field".to_owned(), Value::Object(fields));
    }
    deal
}

/// Ids of the deals in an answer that have a key, the lowest first: in the attribute that holds the key, or, where there is
/// none, at the end of the name.
#[must_use]
pub fn found_in(answer: &Map<String, Value>, key: &str, key_field: Option<&str>) -> Vec<u64> {
    let field = key_field.map(|field| field.strip_prefix(CUSTOM_FIELD_PREFIX).unwrap_or(field));
    let has_key = |deal: &&Map<String, Value>| match field {
        Some(field) => key_in(deal, field).is_some_and(|value| text_of(value) == key),
        None => deal.get("name").is_some_and(|name| text_of(name).trim_end().ends_with(&key_in_name(key))),
    };
    ids(deals_of(answer).into_iter().filter(has_key))
}

/// The open deals of a pipeline in an answer, by their ids: those that stand in one of its open stages and hold no key. One
/// with a key is some other deal.
#[must_use]
pub fn open_in(
    answer: &Map<String, Value>,
    open_stages: &BTreeSet<u64>,
    key_field: Option<&str>,
) -> Vec<Candidate> {
    let field = key_field.map(|field| field.strip_prefix(CUSTOM_FIELD_PREFIX).unwrap_or(field));
    let is_free = |deal: &&Map<String, Value>| {
        let open = stage_of(deal).is_some_and(|stage| open_stages.contains(&stage));
        open && !has_a_key(deal, field)
    };
    let candidate = |deal: &Map<String, Value>| {
        let name = deal.get("name").map(text_of).unwrap_or_default();
        Some((whole_number(deal.get("id")?)?, name.chars().take(KEY_CHARS_MAX).collect()))
    };
    let found: BTreeMap<u64, String> =
        deals_of(answer).into_iter().filter(is_free).filter_map(candidate).collect();
    found.into_iter().map(|(id, name)| Candidate { id, name }).collect()
}

/// Whether a deal holds a key, whichever.
fn has_a_key(deal: &Map<String, Value>, field: Option<&str>) -> bool {
    match field {
        Some(field) => key_in(deal, field).is_some_and(|key| !key.is_null() && !text_of(key).is_empty()),
        None => deal.get("name").map(text_of).is_some_and(|name| name.contains("(#") && name.ends_with(')')),
    }
}

fn key_in<'a>(deal: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    deal.get("custom_field").and_then(|fields| fields.get(field)).or_else(|| deal.get(field))
}

/// Where the deal of an id stands by an answer: a list of deals, or the deal itself.
#[must_use]
pub fn seen_in(answer: &Map<String, Value>, id: u64, now: UnixMicros) -> Option<Seen> {
    let own = answer.get("deal").and_then(Value::as_object).unwrap_or(answer);
    let listed = deals_of(answer);
    let deal =
        listed.into_iter().chain([own]).find(|deal| deal.get("id").and_then(whole_number) == Some(id))?;
    Some(Seen { stage_id: stage_of(deal)?, at: now })
}

/// What stands at the end of the name of a deal whose key no attribute holds.
#[must_use]
pub fn key_in_name(key: &str) -> String {
    format!("(#{key})")
}

/// The key at the end of a name, where no attribute holds it: `… (#A-1001)`.
#[must_use]
pub fn key_at_end(name: &str) -> Option<&str> {
    let (_, end) = name.trim_end().strip_suffix(')')?.rsplit_once("(#")?;
    Some(end).filter(|key| !key.is_empty())
}

/// The deals of an answer: `deals`, nested once more in the answers of `lookup` (seen on live accounts).
fn deals_of(answer: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    let inside = |object: &Map<String, Value>| object.contains_key("deals");
    let contact = answer.get("contact").and_then(Value::as_object).filter(|contact| inside(contact));
    let holder = if inside(answer) { Some(answer) } else { contact };
    let deals = holder.and_then(|holder| holder.get("deals"));
    let list = deals.and_then(|deals| deals.get("deals")).or(deals).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object).collect()
}

fn ids<'a>(deals: impl Iterator<Item = &'a Map<String, Value>>) -> Vec<u64> {
    let ids: BTreeSet<u64> = deals.filter_map(|deal| whole_number(deal.get("id")?)).collect();
    ids.into_iter().collect()
}

fn stage_of(deal: &Map<String, Value>) -> Option<u64> {
    whole_number(deal.get("deal_stage_id")?)
}

/// A value as text without spaces around it.
#[must_use]
pub fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned())
}
