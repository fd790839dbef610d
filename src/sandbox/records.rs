//! The records of the account beside contacts: created, updated in part, found, deleted.
//! Must not know of HTTP, limits or faults.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Problem, Refusal};
use super::contacts::ContactBook;
use super::deals;
use super::fields::Rules;
use super::kinds::Kind;
use super::options::SandboxOptions;
use super::selectors::Lists;
use crate::clock::UnixMicros;

/// A record of a kind beyond this many is refused.
const RECORDS_MAX: usize = 1_000_000;

/// All records of the account beside its contacts.
#[derive(Debug, Default)]
pub(super) struct Records {
    books: BTreeMap<Kind, Book>,
}

/// The records of one kind, in the order they were created.
#[derive(Debug)]
struct Book {
    records: BTreeMap<u64, Record>,
    next_id: u64,
}

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) attributes: Map<String, Value>,
    /// The contacts of a deal or of a list.
    pub(super) contact_ids: Vec<u64>,
    pub(super) created_at: UnixMicros,
    pub(super) updated_at: UnixMicros,
}

/// What a record is held against.
pub(super) struct Surroundings<'a> {
    pub(super) options: &'a SandboxOptions,
    pub(super) lists: &'a Lists,
    pub(super) contacts: &'a ContactBook,
    pub(super) now: UnixMicros,
}

impl Records {
    /// Creates a record. A refused one leaves no trace.
    pub(super) fn create(
        &mut self,
        kind: Kind,
        given: &Map<String, Value>,
        around: &Surroundings<'_>,
    ) -> Result<u64, Refusal> {
        let mut attributes = checked(kind, given, around)?;
        let missing: Vec<Problem> = missing(kind, &attributes, around.options).collect();
        if !missing.is_empty() {
            return Err(Refusal::Invalid(missing));
        }
        let says = |name| attributes.get(name).and_then(Value::as_str).is_some_and(|v| !v.trim().is_empty());
        if kind == Kind::Lead && around.options.require_names && !says("first_name") && !says("last_name") {
            return Err(Refusal::MissingNames);
        }
        self.hold_together(kind, None, &attributes, around)?;
        let account = self.account_along(&mut attributes, around)?;
        if self.count(kind) >= RECORDS_MAX {
            return Err(Refusal::AccountFull);
        }
        let mut record = Record {
            attributes: Map::new(),
            contact_ids: Vec::new(),
            created_at: around.now,
            updated_at: around.now,
        };
        attributes.extend(account);
        if kind == Kind::Deal {
            deals::begin(&mut attributes, around.lists);
        }
        record.change(kind, attributes, around);
        let book = self.book_mut(kind);
        let id = book.next_id;
        book.next_id += 1;
        book.records.insert(id, record);
        Ok(id)
    }

    /// Changes a record: attributes that are absent stay.
    pub(super) fn update(
        &mut self,
        kind: Kind,
        id: u64,
        given: &Map<String, Value>,
        around: &Surroundings<'_>,
    ) -> Result<(), Refusal> {
        self.get(kind, id).ok_or(Refusal::NotFound)?;
        let mut attributes = checked(kind, given, around)?;
        self.hold_together(kind, Some(id), &attributes, around)?;
        let account = self.account_along(&mut attributes, around)?;
        attributes.extend(account);
        let record = self.book_mut(kind).records.get_mut(&id).ok_or(Refusal::NotFound)?;
        record.change(kind, attributes, around);
        record.updated_at = around.now;
        Ok(())
    }

    /// Deletes a record; says whether there was one.
    pub(super) fn delete(&mut self, kind: Kind, id: u64) -> bool {
        self.book_mut(kind).records.remove(&id).is_some()
    }

    /// The record of an id.
    pub(super) fn get(&self, kind: Kind, id: u64) -> Option<&Record> {
        self.book(kind)?.records.get(&id)
    }

    /// Every record of a kind with its id, oldest first.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = (u64, &Record)> {
        self.book(kind).into_iter().flat_map(|book| book.records.iter().map(|(id, record)| (*id, record)))
    }

    /// How many there are of a kind.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.book(kind).map_or(0, |book| book.records.len())
    }

    /// The first record of a kind with this name, whatever its case.
    pub(super) fn named(&self, kind: Kind, name: &str) -> Option<u64> {
        let wanted = name.trim().to_lowercase();
        let is_it =
            |record: &Record| record.text("name").is_some_and(|name| name.trim().to_lowercase() == wanted);
        self.all(kind).find(|(_, record)| is_it(record)).map(|(id, _)| id)
    }

    /// Puts contacts on a list or takes them off; says how many the call named.
    pub(super) fn list_contacts(&mut self, id: u64, contact_ids: &[u64], on: bool) -> Result<usize, Refusal> {
        let list = self.book_mut(Kind::List).records.get_mut(&id).ok_or(Refusal::NotFound)?;
        list.link(contact_ids, on);
        Ok(contact_ids.len())
    }

    /// What hangs on one record hangs on another from now on; both by their word in `targetable_type` and their id.
    pub(super) fn hang_on(&mut self, from: (&str, u64), to: (&str, u64)) {
        for book in self.books.values_mut() {
            let hangs = |record: &&mut Record| {
                let id = record.attributes.get("targetable_id").and_then(Value::as_u64);
                (record.text("targetable_type"), id) == (Some(from.0), Some(from.1))
            };
            for record in book.records.values_mut().filter(hangs) {
                record.attributes.insert("targetable_type".to_owned(), json!(to.0));
                record.attributes.insert("targetable_id".to_owned(), json!(to.1));
            }
        }
    }

    /// Deletes all records. Their ids are never given again.
    pub(super) fn clear(&mut self) {
        self.books.values_mut().for_each(|book| book.records.clear());
    }

    /// What can't be said of one attribute alone: names and keys that are taken, targets that are not there.
    fn hold_together(
        &self,
        kind: Kind,
        id: Option<u64>,
        attributes: &Map<String, Value>,
        around: &Surroundings<'_>,
    ) -> Result<(), Refusal> {
        let problem = match kind {
            Kind::Company => self.taken_name(id, attributes),
            Kind::Deal => self.wrong_deal(id, attributes, around),
            Kind::Note | Kind::Activity | Kind::Task => self.no_target(attributes, around),
            Kind::List | Kind::Lead => None,
        };
        problem.map_or(Ok(()), |problem| Err(Refusal::Invalid(vec![problem])))
    }

    fn taken_name(&self, id: Option<u64>, attributes: &Map<String, Value>) -> Option<Problem> {
        let owner = self.named(Kind::Company, attributes.get("name")?.as_str()?)?;
        (Some(owner) != id).then(|| Problem::Taken("name".to_owned()))
    }

    fn wrong_deal(
        &self,
        id: Option<u64>,
        attributes: &Map<String, Value>,
        around: &Surroundings<'_>,
    ) -> Option<Problem> {
        let account = attributes.get("sales_account_id").and_then(Value::as_u64);
        if account.is_some_and(|account| self.get(Kind::Company, account).is_none()) {
            return Some(Problem::Nowhere("sales_account_id"));
        }
        for list in ["contacts_added_list", "contacts_removed_list"] {
            if ids(attributes.get(list)).any(|contact| around.contacts.by_id(contact).is_none()) {
                return Some(Problem::Nowhere("contacts_added_list"));
            }
        }
        let before = id.and_then(|id| self.get(Kind::Deal, id));
        if deals::stands_elsewhere(before.map(|record| &record.attributes), attributes, around.lists) {
            return Some(Problem::OtherPipeline);
        }
        let unique = around.options.unique_deal_field.as_deref()?;
        let wanted = attribute(attributes, unique)?;
        let has_it = |(other, deal): (u64, &Record)| {
            Some(other) != id && attribute(&deal.attributes, unique) == Some(wanted)
        };
        self.all(Kind::Deal).any(has_it).then(|| Problem::Taken(unique.to_owned()))
    }

    fn no_target(&self, attributes: &Map<String, Value>, around: &Surroundings<'_>) -> Option<Problem> {
        let id = attributes.get("targetable_id")?.as_u64().unwrap_or_default();
        let there = match attributes.get("targetable_type")?.as_str()? {
            "Contact" => around.contacts.by_id(id).is_some(),
            target => Kind::ALL
                .into_iter()
                .filter(|kind| kind.shape().target == Some(target))
                .any(|kind| self.get(kind, id).is_some()),
        };
        (!there).then_some(Problem::Nowhere("targetable_id"))
    }

    /// The company that a deal names along with itself, which is made where there is none.
    fn account_along(
        &mut self,
        attributes: &mut Map<String, Value>,
        around: &Surroundings<'_>,
    ) -> Result<Option<(String, Value)>, Refusal> {
        let Some(account) = attributes.remove("sales_account") else { return Ok(None) };
        let name = account.get("name").and_then(Value::as_str).unwrap_or_default();
        let id = match self.named(Kind::Company, name) {
            Some(id) => id,
            None => {
                self.create(Kind::Company, &Map::from_iter([("name".to_owned(), json!(name))]), around)?
            }
        };
        Ok(Some(("sales_account_id".to_owned(), json!(id))))
    }

    fn book(&self, kind: Kind) -> Option<&Book> {
        self.books.get(&kind)
    }

    fn book_mut(&mut self, kind: Kind) -> &mut Book {
        self.books.entry(kind).or_insert_with(|| Book::new(kind))
    }
}

impl Book {
    fn new(kind: Kind) -> Self {
        Self { records: BTreeMap::new(), next_id: kind.shape().first_id }
    }
}

impl Record {
    /// A text among its attributes.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_str)
    }

    /// As an answer shows it.
    pub(super) fn to_json(&self, id: u64) -> Value {
        let mut shown = Map::from_iter([("id".to_owned(), json!(id))]);
        shown.extend(self.attributes.clone());
        shown.insert("created_at".to_owned(), json!(self.created_at.to_rfc3339()));
        shown.insert("updated_at".to_owned(), json!(self.updated_at.to_rfc3339()));
        Value::Object(shown)
    }

    /// As it is stored, with the contacts it has.
    pub(super) fn whole(&self, id: u64) -> Value {
        let mut whole = self.to_json(id);
        if let Some(shown) = whole.as_object_mut().filter(|_| !self.contact_ids.is_empty()) {
            shown.insert("contact_ids".to_owned(), json!(self.contact_ids));
        }
        whole
    }

    fn change(&mut self, kind: Kind, mut attributes: Map<String, Value>, around: &Surroundings<'_>) {
        let added: Vec<u64> = ids(attributes.remove("contacts_added_list").as_ref()).collect();
        let removed: Vec<u64> = ids(attributes.remove("contacts_removed_list").as_ref()).collect();
        self.link(&added, true);
        self.link(&removed, false);
        if kind == Kind::Deal {
            deals::keep(&self.attributes, &mut attributes, around.lists, around.now);
        }
        self.attributes.extend(attributes);
    }

    fn link(&mut self, contact_ids: &[u64], on: bool) {
        self.contact_ids.retain(|id| !contact_ids.contains(id));
        if on {
            self.contact_ids.extend(contact_ids);
        }
    }
}

fn checked(
    kind: Kind,
    given: &Map<String, Value>,
    around: &Surroundings<'_>,
) -> Result<Map<String, Value>, Refusal> {
    let custom_fields = kind.custom_fields(around.options);
    let shape = kind.shape();
    let rules = Rules {
        called: shape.called,
        attributes: shape.attributes,
        custom_fields: &custom_fields,
        lists: around.lists,
    };
    let checked = rules.checked(given).map_err(Refusal::Invalid)?;
    let blank = shape
        .required
        .iter()
        .find(|name| checked.get(**name).and_then(Value::as_str).is_some_and(|v| v.trim().is_empty()));
    blank.map_or(Ok(checked), |name| Err(Refusal::Invalid(vec![Problem::Blank(name)])))
}

/// The mandatory attributes that a record to be created lacks.
fn missing(
    kind: Kind,
    attributes: &Map<String, Value>,
    options: &SandboxOptions,
) -> impl Iterator<Item = Problem> {
    let given = |name: &String| {
        attribute(attributes, name).is_some()
            || (name == "sales_account_id" && attributes.contains_key("sales_account"))
    };
    kind.required(options).into_iter().filter(move |name| !given(name)).map(Problem::Mandatory)
}

fn attribute<'a>(attributes: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    attributes.get(name).or_else(|| attributes.get("custom_field")?.get(name))
}

fn ids(list: Option<&Value>) -> impl Iterator<Item = u64> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64)
}
