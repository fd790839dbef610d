//! Records as answers show them: by themselves, with what is asked for along, with what hangs on them. Must not change any.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::kinds::Kind;
use super::records::Record;
use super::routes::Entity;
use super::state::State;

/// What `include` asks for of records of several kinds: its name, the attribute that holds the id, the list of the account,
/// and under what the answer shows it.
const LISTED: [(&str, &str, &str, &str); 9] = [
    ("owner", "owner_id", "owners", "users"),
    ("deal_stage", "deal_stage_id", "deal_stages", "deal_stages"),
    ("deal_pipeline", "deal_pipeline_id", "deal_pipelines", "deal_pipelines"),
    ("deal_reason", "deal_reason_id", "deal_reasons", "deal_reasons"),
    ("deal_type", "deal_type_id", "deal_types", "deal_types"),
    ("currency", "currency_id", "currencies", "currencies"),
    ("campaign", "campaign_id", "campaigns", "campaigns"),
    ("source", "lead_source_id", "lead_sources", "lead_sources"),
    ("territory", "territory_id", "territories", "territories"),
];

/// One record under the name of its kind, and beside it what is included.
pub(super) fn one(state: &State, entity: Entity, id: u64, include: &[String]) -> Option<Value> {
    let record = match entity {
        Entity::Contact => contact(state, &state.book.by_id(id)?, include),
        Entity::Of(kind) => state.records.get(kind, id)?.to_json(id),
    };
    let mut shown = along(state, entity, &[&record], include);
    shown.insert(entity.one().to_owned(), record);
    Some(Value::Object(shown))
}

/// A contact; the companies it belongs to where they are asked for.
pub(super) fn contact(state: &State, stored: &Value, include: &[String]) -> Value {
    let mut shown = stored.as_object().cloned().unwrap_or_default();
    let links = shown.remove("sales_accounts");
    if include.iter().any(|name| name == "sales_accounts") {
        let links = links.as_ref().and_then(Value::as_array).into_iter().flatten();
        let linked: Vec<Value> = links.map(|link| company_of(state, link)).collect();
        shown.insert("sales_accounts".to_owned(), Value::Array(linked));
    }
    Value::Object(shown)
}

/// A company as a contact that belongs to it shows it.
fn company_of(state: &State, link: &Value) -> Value {
    let id = link.get("id").and_then(Value::as_u64).unwrap_or_default();
    let company = state.records.get(Kind::Company, id);
    let name = company.and_then(|company| company.text("name"));
    json!({"id": id, "name": name, "is_primary": link.get("is_primary").unwrap_or(&Value::Bool(false))})
}

/// What is included beside records of one kind, each once.
pub(super) fn along(
    state: &State,
    entity: Entity,
    records: &[&Value],
    include: &[String],
) -> Map<String, Value> {
    let mut along = Map::new();
    for name in include {
        if let Some((_, attribute, list, under)) = LISTED.iter().find(|(listed, ..)| listed == name) {
            let mut entries: Vec<Value> = Vec::new();
            for entry in records.iter().filter_map(|record| state.lists.entry(list, record.get(*attribute)?))
            {
                if !entries.contains(&entry) {
                    entries.push(entry);
                }
            }
            along.insert((*under).to_owned(), Value::Array(entries));
        }
        let ids: BTreeSet<u64> = records.iter().filter_map(|record| record["id"].as_u64()).collect();
        match (entity, name.as_str()) {
            (Entity::Contact, "deals") => {
                let theirs = |deal: &Record| deal.contact_ids.iter().any(|contact| ids.contains(contact));
                along.insert("deals".to_owned(), records_of(state, Kind::Deal, theirs));
            }
            (Entity::Of(Kind::Company), "deals") => {
                let theirs = |deal: &Record| company_id(deal).is_some_and(|company| ids.contains(&company));
                along.insert("deals".to_owned(), records_of(state, Kind::Deal, theirs));
            }
            (Entity::Of(kind), "contacts") => {
                let contacts: Vec<Value> =
                    ids.iter().flat_map(|id| linked_contacts(state, kind, *id)).collect();
                along.insert("contacts".to_owned(), Value::Array(contacts));
            }
            (Entity::Of(Kind::Deal), "sales_account") => {
                let companies: BTreeSet<u64> =
                    records.iter().filter_map(|deal| deal.get("sales_account_id")?.as_u64()).collect();
                let shown = companies
                    .iter()
                    .filter_map(|id| Some(state.records.get(Kind::Company, *id)?.to_json(*id)));
                along.insert("sales_accounts".to_owned(), shown.collect());
            }
            _ => {}
        }
    }
    along
}

/// The contacts of a company, of a deal or of a list.
pub(super) fn contacts_of(state: &State, kind: Kind, id: u64) -> Option<Value> {
    state.records.get(kind, id)?;
    let contacts = linked_contacts(state, kind, id);
    let meta = json!({"total": contacts.len()});
    Some(json!({"contacts": contacts, "meta": meta}))
}

/// The notes or activities that hang on a record.
pub(super) fn hanging_on(state: &State, kind: Kind, entity: Entity, id: u64) -> Option<Vec<Value>> {
    match entity {
        Entity::Contact => state.book.by_id(id).map(|_| ())?,
        Entity::Of(kind) => state.records.get(kind, id).map(|_| ())?,
    }
    let target = entity.target()?;
    let hangs = |record: &Record| {
        record.text("targetable_type") == Some(target)
            && record.attributes.get("targetable_id").and_then(Value::as_u64) == Some(id)
    };
    let hanging = state.records.all(kind).filter(|(_, record)| hangs(record));
    Some(hanging.map(|(id, record)| record.to_json(id)).collect())
}

fn linked_contacts(state: &State, kind: Kind, id: u64) -> Vec<Value> {
    let show = |stored: Value| contact(state, &stored, &[]);
    if kind == Kind::Company {
        let links = |stored: &Value| stored.get("sales_accounts").and_then(Value::as_array).cloned();
        let belongs = |stored: &Value| {
            links(stored).is_some_and(|links| links.iter().any(|link| link["id"].as_u64() == Some(id)))
        };
        return state.book.all().filter(belongs).map(show).collect();
    }
    let ids = state.records.get(kind, id).map(|record| record.contact_ids.clone()).unwrap_or_default();
    ids.into_iter().filter_map(|contact| state.book.by_id(contact)).map(show).collect()
}

fn records_of(state: &State, kind: Kind, fits: impl Fn(&Record) -> bool) -> Value {
    state
        .records
        .all(kind)
        .filter(|(_, record)| fits(record))
        .map(|(id, record)| record.to_json(id))
        .collect()
}

fn company_id(deal: &Record) -> Option<u64> {
    deal.attributes.get("sales_account_id").and_then(Value::as_u64)
}
