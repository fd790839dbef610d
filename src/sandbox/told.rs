//! What a workflow of the account tells of a record that was changed: names in the place of ids, everything it has.

use serde_json::{Map, Value, json};

use super::kinds::Kind;
use super::routes::Entity;
use super::selectors::stages_of;
use super::state::State;

/// Tells of what a call has changed.
pub(super) fn tell_changes(state: &mut State) {
    for (entity, id) in std::mem::take(&mut state.changed) {
        let body = if state.tellers.is_empty() { None } else { body_of(entity, id, state) };
        let Some(body) = body else { continue };
        let told = state.tellers.iter().filter(|teller| teller.tell(body.clone())).count();
        state.to_tell += u64::try_from(told).unwrap_or(u64::MAX);
    }
}

/// What a workflow tells of a record: names in the place of ids, everything it has. `None` for records that have no workflow
/// here, and for one that is gone: no workflow is known that runs then.
fn body_of(entity: Entity, id: u64, state: &State) -> Option<Value> {
    let mut body = match entity {
        Entity::Contact => {
            let Value::Object(mut contact) = state.book.by_id(id)? else { return None };
            contact.insert("email".to_owned(), contact.get("emails").cloned().unwrap_or_default());
            contact
        }
        Entity::Of(Kind::Deal) => {
            let Value::Object(mut deal) = state.records.get(Kind::Deal, id)?.to_json(id) else { return None };
            let stage_id = deal.get("deal_stage_id").cloned().unwrap_or_default();
            if let Some(pipeline) = state.lists.pipeline_of(&stage_id) {
                deal.insert("pipeline".to_owned(), pipeline["name"].clone());
                let named =
                    stages_of(pipeline).find(|one| one["id"] == stage_id).map(|one| one["name"].clone());
                deal.extend(named.map(|name| ("stage".to_owned(), name)));
            }
            deal
        }
        Entity::Of(Kind::Company | Kind::Note | Kind::Activity | Kind::Task | Kind::List | Kind::Lead) => {
            return None;
        }
    };
    names(&mut body, state);
    body.insert("kind".to_owned(), json!(entity.one()));
    body.insert("id".to_owned(), json!(id.to_string()));
    Some(Value::Object(body))
}

/// Placeholders have names, not ids.
fn names(body: &mut Map<String, Value>, state: &State) {
    for (attribute, list) in [
        ("lifecycle_stage", "lifecycle_stages"),
        ("contact_status", "contact_statuses"),
        ("lead_source", "lead_sources"),
    ] {
        let Some(id) = body.get(&format!("{attribute}_id")) else { continue };
        let name = state.lists.entry(list, id).map(|entry| entry["name"].clone());
        body.extend(name.map(|name| (attribute.to_owned(), name)));
    }
}
