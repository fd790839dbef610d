//! Calls that write: what their bodies have to look like, and what they are answered with. Must not look at routes.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::contacts::{Account, Upserted};
use super::kinds::Kind;
use super::now::Now;
use super::options::{Quirk, SandboxOptions};
use super::records::{Records, Surroundings};
use super::routes::Entity;
use super::shown;
use super::state::State;

/// An account at the moment of a call.
pub(super) struct Desk<'a> {
    pub(super) state: &'a mut State,
    pub(super) options: &'a SandboxOptions,
    pub(super) now: Now,
}

impl Desk<'_> {
    pub(super) fn upsert_contact(&mut self, body: &Value, include: &[String]) -> Result<Answer, Refusal> {
        let email = body
            .get("unique_identifier")
            .and_then(|identifier| identifier.get("emails"))
            .and_then(Value::as_str)
            .ok_or(Refusal::Malformed("unique_identifier.emails should be a string"))?;
        let contact = object(body, "contact").ok_or(Refusal::Malformed("contact should be an object"))?;
        let account = Account { options: self.options, lists: &self.state.lists };
        let (upserted, id) = self.state.book.upsert(email, contact, &account, self.now.wall)?;
        self.answer(upserted, StatusCode::CREATED, Entity::Contact, id, include)
    }

    pub(super) fn upsert_company(&mut self, body: &Value) -> Result<Answer, Refusal> {
        let identifier = body.get("unique_identifier").and_then(|identifier| identifier.get("name"));
        let name = identifier
            .and_then(Value::as_str)
            .filter(|name| !name.trim().is_empty())
            .ok_or(Refusal::Malformed("unique_identifier.name should be a string"))?;
        let company =
            object(body, "sales_account").ok_or(Refusal::Malformed("sales_account should be an object"))?;
        let mut given = company.clone();
        let (upserted, id) = if let Some(id) = self.state.records.named(Kind::Company, name) {
            self.with_records(|records, around| records.update(Kind::Company, id, &given, around))?;
            (Upserted::Updated, id)
        } else {
            given.entry("name").or_insert_with(|| json!(name));
            (
                Upserted::Created,
                self.with_records(|records, around| records.create(Kind::Company, &given, around))?,
            )
        };
        self.answer(upserted, StatusCode::CREATED, Entity::Of(Kind::Company), id, &[])
    }

    /// By the id alone: that is the identifier which the vendor documents for deals.
    pub(super) fn upsert_deal(&mut self, body: &Value) -> Result<Answer, Refusal> {
        let identifier = body.get("unique_identifier").and_then(|identifier| identifier.get("id"));
        let id = identifier
            .and_then(Value::as_u64)
            .ok_or(Refusal::Malformed("unique_identifier.id should be an integer"))?;
        self.change(Entity::Of(Kind::Deal), id, body, &[])
    }

    pub(super) fn create(&mut self, kind: Kind, body: &Value) -> Result<Answer, Refusal> {
        let given = given(body, Entity::Of(kind))?;
        let id = self.with_records(|records, around| records.create(kind, given, around))?;
        self.answer(Upserted::Created, kind.shape().created, Entity::Of(kind), id, &[])
    }

    pub(super) fn change(
        &mut self,
        entity: Entity,
        id: u64,
        body: &Value,
        include: &[String],
    ) -> Result<Answer, Refusal> {
        match entity {
            Entity::Contact => {
                let account = Account { options: self.options, lists: &self.state.lists };
                self.state.book.by_id(id).ok_or(Refusal::NotFound)?;
                self.state.book.change(id, given(body, entity)?, &account, self.now.wall)?;
            }
            Entity::Of(kind) => {
                self.state.records.get(kind, id).ok_or(Refusal::NotFound)?;
                let given = given(body, entity)?;
                self.with_records(|records, around| records.update(kind, id, given, around))?;
            }
        }
        self.answer(Upserted::Updated, StatusCode::OK, entity, id, include)
    }

    /// Deletes a record for good; says whether there was one.
    pub(super) fn delete(&mut self, entity: Entity, id: u64) -> bool {
        match entity {
            Entity::Contact => self.state.book.forget(id),
            Entity::Of(kind) => self.state.records.delete(kind, id),
        }
    }

    /// A lead becomes a contact, as by somebody in the web application: what hangs on the lead hangs on the contact from then on,
    /// and the lead is no more. Answers with the contact.
    pub(super) fn convert(&mut self, id: u64) -> Result<Answer, Refusal> {
        let lead = self.state.records.get(Kind::Lead, id).ok_or(Refusal::NotFound)?;
        let mut given = lead.attributes.clone();
        let email = given.remove("email").unwrap_or_default();
        let email = email.as_str().unwrap_or_default().to_owned();
        let company = given.remove("company").and_then(|company| company.get("name").cloned());
        given.extend(company.map(|name| ("company_name".to_owned(), name)));
        for none in ["lead_stage_id", "department"] {
            given.remove(none);
        }
        let account = Account { options: self.options, lists: &self.state.lists };
        let (upserted, contact) = self.state.book.upsert(&email, &given, &account, self.now.wall)?;
        self.state.records.hang_on(("Lead", id), ("Contact", contact));
        self.state.records.delete(Kind::Lead, id);
        self.answer(upserted, StatusCode::OK, Entity::Contact, contact, &[])
    }

    pub(super) fn list_contacts(&mut self, list: u64, on: bool, body: &Value) -> Result<Answer, Refusal> {
        let ids =
            body.get("ids").and_then(Value::as_array).ok_or(Refusal::Malformed("ids should be a list"))?;
        if self.options.list_contacts_max.is_some_and(|max| ids.len() > max) {
            return Err(Refusal::Malformed("ids are more than one call may name"));
        }
        let known = |id: &u64| self.state.book.by_id(*id).is_some();
        let named = ids.len();
        let ids: Vec<u64> = ids.iter().filter_map(Value::as_u64).filter(known).collect();
        if self.options.has(Quirk::StrictLists) && ids.len() < named {
            return Err(Refusal::Malformed("ids should be those of contacts"));
        }
        let count = self.state.records.list_contacts(list, &ids, on)?;
        Ok(Answer::json(
            StatusCode::OK,
            &json!({"message": "The action is being processed.", "contacts": count}),
        ))
    }

    fn with_records<T>(
        &mut self,
        act: impl FnOnce(&mut Records, &Surroundings<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let State { book, records, lists, .. } = &mut *self.state;
        let around = Surroundings { options: self.options, lists, contacts: book, now: self.now.wall };
        act(records, &around)
    }

    fn answer(
        &mut self,
        upserted: Upserted,
        created: StatusCode,
        entity: Entity,
        id: u64,
        include: &[String],
    ) -> Result<Answer, Refusal> {
        let status = match upserted {
            Upserted::Created if !self.options.has(Quirk::Always200) => created,
            Upserted::Created | Upserted::Updated => StatusCode::OK,
        };
        self.state.changed.push((entity, id));
        let shown = shown::one(self.state, entity, id, include).ok_or(Refusal::NotFound)?;
        Ok(Answer::json(status, &shown))
    }
}

/// The record in a body, under the name of its kind.
fn given(body: &Value, entity: Entity) -> Result<&Map<String, Value>, Refusal> {
    let given = object(body, entity.one());
    // Lists are written without a name around them (documented by the vendor).
    let bare = || body.as_object().filter(|_| entity == Entity::Of(Kind::List));
    given.or_else(bare).ok_or(Refusal::Malformed("the record should be an object under the name of its kind"))
}

fn object<'b>(body: &'b Value, name: &str) -> Option<&'b Map<String, Value>> {
    body.get(name).and_then(Value::as_object)
}
