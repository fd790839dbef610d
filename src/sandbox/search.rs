//! Ways to find records: by one field, by words, by rules, and page by page. A search may lag behind the writes.
//! Must not change any.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, ok};
use super::call::{Asked, Call};
use super::kinds::Kind;
use super::options::{Quirk, SandboxOptions};
use super::routes::Entity;
use super::shown;
use super::state::State;
use crate::clock::UnixMicros;

const PER_PAGE_MAX: usize = 100;
/// Fuzzy answers hold this many at the most.
const FOUND_MAX: usize = 25;

/// A rule of a filtered search.
#[derive(Deserialize)]
struct FilterRule {
    attribute: String,
    operator: String,
    value: Value,
}

/// `GET /lookup`: exact, by one field, nested under the name of each kind that has it.
pub(super) fn lookup(
    call: &Call,
    state: &State,
    options: &SandboxOptions,
    now: UnixMicros,
) -> Result<Answer, Refusal> {
    let Asked { q, f, entities, .. } = call.asked()?;
    let entities: Vec<Entity> = entities.split(',').filter_map(Entity::named).collect();
    if entities.is_empty() {
        return Err(Refusal::Malformed("entities should name contact, sales_account or deal"));
    }
    let mut answer = Map::new();
    for entity in entities.into_iter().filter(|entity| is_looked_up_by(*entity, &f)) {
        let found: Vec<Value> = found(state, entity, options, now)
            .filter(|record| {
                value_at(record, lookup_attribute(entity, &f)).is_some_and(|value| same(value, &q))
            })
            .collect();
        answer.insert(entity.many().to_owned(), json!({entity.many(): found}));
    }
    if answer.is_empty() {
        return Err(Refusal::Malformed("f should be a field that those entities are looked up by"));
    }
    Ok(ok(&Value::Object(answer)))
}

fn is_looked_up_by(entity: Entity, field: &str) -> bool {
    field.starts_with("cf_")
        || match entity {
            Entity::Contact => matches!(field, "email" | "mobile_number" | "work_number" | "external_id"),
            Entity::Of(Kind::Company) => matches!(field, "name" | "website"),
            Entity::Of(Kind::Lead) => matches!(field, "email" | "mobile_number" | "work_number"),
            Entity::Of(Kind::Deal) => field == "name",
            Entity::Of(Kind::Note | Kind::Activity | Kind::Task | Kind::List) => false,
        }
}

/// Contacts are looked up by `email` and keep it as `emails`.
fn lookup_attribute(entity: Entity, field: &str) -> &str {
    if entity == Entity::Contact && field == "email" { "emails" } else { field }
}

/// `GET /search`: words in names and addresses, a bare list of thin records.
pub(super) fn search(
    call: &Call,
    state: &State,
    options: &SandboxOptions,
    now: UnixMicros,
) -> Result<Answer, Refusal> {
    let Asked { q, include, .. } = call.asked()?;
    let words = q.trim().to_lowercase();
    let fits = |record: &Value| {
        ["name", "first_name", "last_name", "emails"]
            .iter()
            .filter_map(|name| record.get(*name)?.as_str())
            .any(|text| text.to_lowercase().contains(&words))
    };
    let entities = include.split(',').filter_map(Entity::named);
    let hits: Vec<Value> = entities
        .flat_map(|entity| {
            found(state, entity, options, now).filter(fits).map(move |record| hit(entity, &record))
        })
        .take(FOUND_MAX)
        .collect();
    Ok(ok(&Value::Array(hits)))
}

fn hit(entity: Entity, record: &Value) -> Value {
    let part = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = match entity {
        Entity::Contact => format!("{} {}", part("first_name"), part("last_name")).trim().to_owned(),
        Entity::Of(_) => part("name").to_owned(),
    };
    let id = record.get("id").map(ToString::to_string);
    json!({"id": id, "type": entity.one(), "name": name, "email": record.get("emails")})
}

/// `POST /filtered_search/{entity}`: all rules at once, thin records.
pub(super) fn filtered(
    call: &Call,
    body: &Value,
    entity: Entity,
    state: &State,
    options: &SandboxOptions,
    now: UnixMicros,
) -> Result<Answer, Refusal> {
    let rules = body.get("filter_rule").cloned().unwrap_or_default();
    let rules: Vec<FilterRule> = serde_json::from_value(rules)
        .map_err(|_| Refusal::Malformed("filter_rule should be a list of attribute, operator and value"))?;
    if rules.iter().any(|rule| !OPERATORS.contains(&rule.operator.as_str())) {
        return Err(Refusal::Malformed("operator should be is, is_in, contains, is_before or is_after"));
    }
    let fits = |record: &Value| rules.iter().all(|rule| rule.fits(record));
    let asked = call.asked()?;
    let whole = options.has(Quirk::WholeLists);
    let show =
        |record: Value| if whole { with_contacts(entity, record, state) } else { thin(entity, record) };
    let records: Vec<Value> = found(state, entity, options, now).filter(fits).map(show).collect();
    let include: Vec<String> = asked.include.split(',').filter(|_| whole).map(str::to_owned).collect();
    Ok(page_of(&asked, entity, &records, |page| shown::along(state, entity, page, &include)))
}

const OPERATORS: [&str; 5] = ["is", "is_in", "contains", "is_before", "is_after"];

impl FilterRule {
    fn fits(&self, record: &Value) -> bool {
        let attribute = self.attribute.split('.').next().unwrap_or_default();
        let attribute = if attribute == "contact_email" { "emails" } else { attribute };
        let Some(value) = value_at(record, attribute) else { return false };
        let (has, wanted) = (text_of(value), text_of(&self.value));
        match self.operator.as_str() {
            "is" => has.eq_ignore_ascii_case(&wanted),
            "is_in" => self.value.as_array().is_some_and(|values| values.contains(value)),
            "contains" => has.to_lowercase().contains(&wanted.to_lowercase()),
            "is_before" => has < wanted,
            _ => has > wanted,
        }
    }
}

/// A deal with the ids of its contacts.
fn with_contacts(entity: Entity, record: Value, state: &State) -> Value {
    let Entity::Of(kind) = entity else { return record };
    let Value::Object(mut shown) = record else { return record };
    let deal = shown.get("id").and_then(Value::as_u64).and_then(|id| state.records.get(kind, id));
    shown.insert("contact_ids".to_owned(), json!(deal.map(|deal| deal.contact_ids.clone())));
    shown.entry("owner_id").or_insert(Value::Null);
    Value::Object(shown)
}

/// What a search shows of a record: of deals neither pipeline nor stage nor owner (seen on live accounts).
fn thin(entity: Entity, record: Value) -> Value {
    let hidden: &[&str] = match entity {
        Entity::Of(Kind::Deal) => {
            &["deal_pipeline_id", "deal_stage_id", "owner_id", "deal_reason_id", "stage_updated_time"]
        }
        Entity::Contact | Entity::Of(_) => &["owner_id", "sales_accounts"],
    };
    let Value::Object(mut shown) = record else { return record };
    shown.retain(|name, _| !hidden.contains(&name.as_str()));
    Value::Object(shown)
}

/// `GET /{entities}/view/{id}`: any view but that of won deals shows all, a page at a time; owners only where they are asked for
/// (seen on live accounts).
pub(super) fn view(call: &Call, entity: Entity, state: &State, won: bool) -> Result<Answer, Refusal> {
    let asked = call.asked()?;
    let include: Vec<String> = asked.include.split(',').map(str::to_owned).collect();
    let asks = |what: &str| include.iter().any(|name| name == what);
    let show = |record: Value| match entity {
        Entity::Contact => shown::contact(state, &record, &include),
        Entity::Of(Kind::Deal) => {
            let record = if asks("contacts") { with_contacts(entity, record, state) } else { record };
            let Value::Object(mut shown) = record else { return record };
            if !asks("owner") {
                shown.remove("owner_id");
            }
            Value::Object(shown)
        }
        Entity::Of(_) => record,
    };
    let is_shown = |record: &Value| !won || state.lists.is_won_by_default(&record["deal_stage_id"]);
    let records: Vec<Value> = all(state, entity).filter(is_shown).map(show).collect();
    Ok(page_of(&asked, entity, &records, |page| shown::along(state, entity, page, &include)))
}

/// The notes or activities that hang on a record.
pub(super) fn hanging_on(
    call: &Call,
    kind: Kind,
    entity: Entity,
    id: u64,
    state: &State,
) -> Result<Answer, Refusal> {
    let asked = call.asked()?;
    let records = shown::hanging_on(state, kind, entity, id).ok_or(Refusal::NotFound)?;
    Ok(page_of(&asked, Entity::Of(kind), &records, |_| Map::new()))
}

fn page_of(
    asked: &Asked,
    entity: Entity,
    records: &[Value],
    along: impl FnOnce(&[&Value]) -> Map<String, Value>,
) -> Answer {
    let per_page = asked.per_page.unwrap_or(25).clamp(1, PER_PAGE_MAX);
    let skipped = asked.page.unwrap_or(1).saturating_sub(1).saturating_mul(per_page);
    let mut sorted: Vec<&Value> = records.iter().collect();
    if asked.sort_type == "desc" {
        sorted.reverse();
    }
    let page: Vec<&Value> = sorted.into_iter().skip(skipped).take(per_page).collect();
    let mut answer = along(&page);
    answer.insert(entity.many().to_owned(), json!(page));
    let meta = json!({"total_pages": records.len().div_ceil(per_page), "total": records.len()});
    answer.insert("meta".to_owned(), meta);
    ok(&Value::Object(answer))
}

/// The records that a search knows of.
fn found<'s>(
    state: &'s State,
    entity: Entity,
    options: &SandboxOptions,
    now: UnixMicros,
) -> Box<dyn Iterator<Item = Value> + 's> {
    let indexed = now.minus(options.search_lag);
    match entity {
        Entity::Contact => Box::new(state.book.created_by(indexed).map(|(_, contact)| contact)),
        Entity::Of(kind) => {
            let known = state.records.all(kind).filter(move |(_, record)| record.created_at <= indexed);
            Box::new(known.map(|(id, record)| record.to_json(id)))
        }
    }
}

fn all(state: &State, entity: Entity) -> Box<dyn Iterator<Item = Value> + '_> {
    match entity {
        Entity::Contact => Box::new(state.book.all()),
        Entity::Of(kind) => Box::new(state.records.all(kind).map(|(id, record)| record.to_json(id))),
    }
}

fn value_at<'r>(record: &'r Value, name: &str) -> Option<&'r Value> {
    record.get(name).or_else(|| record.get("custom_field")?.get(name))
}

fn same(value: &Value, text: &str) -> bool {
    text_of(value).trim().to_lowercase() == text.trim().to_lowercase()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
