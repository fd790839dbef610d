//! The contacts of the sandbox account: created, updated in part, found, forgotten.
//! Must not know of HTTP, limits or faults.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::answer::{Problem, Refusal};
use super::fields::{self, Rules};
use super::kinds::CONTACT;
use super::options::{Quirk, SandboxOptions};
use super::selectors::Lists;
use crate::clock::UnixMicros;

/// Ids count up from here: they do not fit in 32 bits, as in the real service.
const FIRST_CONTACT_ID: u64 = 70_054_866_612;
/// A contact beyond this many is refused.
const CONTACTS_MAX: usize = 1_000_000;

/// Whether an upsert made a contact or changed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upserted {
    Created,
    Updated,
}

/// What a contact is held against.
pub(super) struct Account<'a> {
    pub(super) options: &'a SandboxOptions,
    pub(super) lists: &'a Lists,
}

/// All contacts of the account, in the order they were created.
#[derive(Debug)]
pub(super) struct ContactBook {
    contacts: BTreeMap<u64, Contact>,
    ids: HashMap<String, u64>,
    next_id: u64,
}

#[derive(Debug)]
struct Contact {
    attributes: Map<String, Value>,
    created_at: UnixMicros,
    updated_at: UnixMicros,
}

impl Default for ContactBook {
    fn default() -> Self {
        Self { contacts: BTreeMap::new(), ids: HashMap::new(), next_id: FIRST_CONTACT_ID }
    }
}

impl ContactBook {
    /// Creates or updates the contact with this email; attributes that are absent stay, `custom_field` is
    /// replaced whole. Answers with its id. A refused contact leaves no trace.
    pub(super) fn upsert(
        &mut self,
        email: &str,
        given: &Map<String, Value>,
        account: &Account<'_>,
        now: UnixMicros,
    ) -> Result<(Upserted, u64), Refusal> {
        if !fields::is_email(email.trim()) {
            return Err(Refusal::Invalid(vec![Problem::Email]));
        }
        let attributes = checked(given, account)?;
        let id = self.ids.get(&identity(email)).copied();
        self.refuse_taken_email(&attributes, id)?;
        match id {
            Some(id) => self.update(id, attributes, account, now).map(|()| (Upserted::Updated, id)),
            None => self.create(email, attributes, account, now).map(|id| (Upserted::Created, id)),
        }
    }

    /// Changes a contact by its id: attributes that are absent stay.
    pub(super) fn change(
        &mut self,
        id: u64,
        given: &Map<String, Value>,
        account: &Account<'_>,
        now: UnixMicros,
    ) -> Result<(), Refusal> {
        self.contacts.get(&id).ok_or(Refusal::NotFound)?;
        let attributes = checked(given, account)?;
        self.refuse_taken_email(&attributes, Some(id))?;
        self.update(id, attributes, account, now)
    }

    /// Every contact, oldest first.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = Value> {
        self.contacts.iter().map(|(id, contact)| contact.to_json(*id))
    }

    /// The contact with this email.
    pub(super) fn by_email(&self, email: &str) -> Option<Value> {
        self.ids.get(&identity(email)).and_then(|id| self.by_id(*id))
    }

    /// The contact with this id.
    pub(super) fn by_id(&self, id: u64) -> Option<Value> {
        self.contacts.get(&id).map(|contact| contact.to_json(id))
    }

    /// Every contact that was there at a moment, with its id.
    pub(super) fn created_by(&self, moment: UnixMicros) -> impl Iterator<Item = (u64, Value)> {
        let there = self.contacts.iter().filter(move |(_, contact)| contact.created_at <= moment);
        there.map(|(id, contact)| (*id, contact.to_json(*id)))
    }

    /// Deletes a contact for good; says whether there was one.
    pub(super) fn forget(&mut self, id: u64) -> bool {
        let Some(contact) = self.contacts.remove(&id) else {
            return false;
        };
        self.ids.remove(&contact.identity());
        true
    }

    /// Deletes all contacts. Their ids are never given again.
    pub(super) fn clear(&mut self) {
        self.contacts.clear();
        self.ids.clear();
    }

    fn refuse_taken_email(&self, attributes: &Map<String, Value>, id: Option<u64>) -> Result<(), Refusal> {
        let wanted = attributes.get("emails").and_then(Value::as_str);
        let owner = wanted.and_then(|email| self.ids.get(&identity(email)));
        match owner {
            Some(owner) if Some(*owner) != id => Err(Refusal::EmailTaken),
            Some(_) | None => Ok(()),
        }
    }

    fn create(
        &mut self,
        email: &str,
        mut attributes: Map<String, Value>,
        Account { options, lists }: &Account<'_>,
        now: UnixMicros,
    ) -> Result<u64, Refusal> {
        let says = |name| attributes.get(name).and_then(Value::as_str).is_some_and(|v| !v.trim().is_empty());
        if options.require_names && !says("first_name") && !says("last_name") {
            return Err(Refusal::MissingNames);
        }
        let missing: Vec<Problem> = missing(&attributes, options).collect();
        if !missing.is_empty() {
            return Err(Refusal::Invalid(missing));
        }
        if self.contacts.len() >= CONTACTS_MAX {
            return Err(Refusal::AccountFull);
        }
        attributes.entry("emails").or_insert_with(|| json!(email.trim()));
        // Saying nothing is not neutral: the service subscribes whoever is created without a status.
        let subscribed = if options.has(Quirk::NumericStatus) { json!(1) } else { json!("subscribed") };
        attributes.entry("subscription_status").or_insert(subscribed);
        let id = self.next_id;
        self.next_id += 1;
        let mut contact = Contact { attributes, created_at: now, updated_at: now };
        contact.settle_status(lists);
        self.ids.insert(contact.identity(), id);
        self.contacts.insert(id, contact);
        Ok(id)
    }

    fn update(
        &mut self,
        id: u64,
        attributes: Map<String, Value>,
        account: &Account<'_>,
        now: UnixMicros,
    ) -> Result<(), Refusal> {
        let contact = self.contacts.get_mut(&id).ok_or(Refusal::NotFound)?;
        let known_as = contact.identity();
        contact.attributes.extend(attributes);
        contact.updated_at = now;
        contact.settle_status(account.lists);
        if contact.identity() != known_as {
            self.ids.remove(&known_as);
            self.ids.insert(contact.identity(), id);
        }
        Ok(())
    }
}

impl Contact {
    fn identity(&self) -> String {
        identity(self.attributes.get("emails").and_then(Value::as_str).unwrap_or_default())
    }

    /// A status belongs to a lifecycle stage.
    fn settle_status(&mut self, lists: &Lists) {
        let stage = self.attributes.get("lifecycle_stage_id");
        let status = self.attributes.get("contact_status_id");
        if let Some(other) = stage.and_then(|stage| lists.status_in(stage, status)) {
            self.attributes.insert("contact_status_id".to_owned(), other);
        }
    }

    fn to_json(&self, id: u64) -> Value {
        let mut shown = Map::from_iter([("id".to_owned(), json!(id))]);
        shown.extend(self.attributes.clone());
        shown.insert("created_at".to_owned(), json!(self.created_at.to_rfc3339()));
        shown.insert("updated_at".to_owned(), json!(self.updated_at.to_rfc3339()));
        Value::Object(shown)
    }
}

fn checked(given: &Map<String, Value>, account: &Account<'_>) -> Result<Map<String, Value>, Refusal> {
    let rules = Rules {
        called: "a contact",
        attributes: &CONTACT,
        custom_fields: &account.options.custom_fields,
        lists: account.lists,
    };
    Ok(kept(rules.checked(given).map_err(Refusal::Invalid)?, account.options))
}

/// What of the attributes the account keeps.
fn kept(mut attributes: Map<String, Value>, options: &SandboxOptions) -> Map<String, Value> {
    attributes.retain(|name, _| !options.dropped.contains(name));
    if let Some(status) =
        attributes.get_mut("subscription_status").filter(|_| options.has(Quirk::NumericStatus))
    {
        let number = status.as_str().map(|text| text.trim().parse().unwrap_or(0_u64));
        *status = number.map_or_else(|| status.clone(), Value::from);
    }
    attributes
}

/// The mandatory attributes that a contact to be created lacks.
fn missing<'a>(
    attributes: &'a Map<String, Value>,
    options: &'a SandboxOptions,
) -> impl Iterator<Item = Problem> + 'a {
    let given = |name: &str| {
        attributes.contains_key(name)
            || attributes.get("custom_field").is_some_and(|fields| fields.get(name).is_some())
    };
    let missing = options.mandatory.iter().filter(move |name| *name != "emails" && !given(name));
    missing.map(|name| Problem::Mandatory(name.clone()))
}

/// Emails are the same contact whatever their case.
pub(super) fn identity(email: &str) -> String {
    email.trim().to_lowercase()
}
