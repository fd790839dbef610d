//! Documents: the pieces of state that are loaded, decided on and put back.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::UnixMicros;
use crate::company::Company;
use crate::contact::Contact;
use crate::deal::Deal;
use crate::decision::{Gathering, RedriveAll, Review};
use crate::delivery::{Account, CompanyKey, DealKey, Delivery, DeliveryId, HappeningId, Subject};
use crate::erasure::Mark;
use crate::event::{CrmRecord, Email, Position, SourceName};
use crate::happening::Happening;
use crate::person::{Person, PersonKey, Timeline, TimelineKey};
use crate::store::Destination;

/// Deals of one person that are loaded because something they wait for has changed; the others are when these have moved on.
pub const DEALS_OF_MAX: usize = 50;

/// Notes, activities and tasks of one person or record that are loaded because something of it has changed: so many of the
/// latest, and so many of those that wait, the oldest first.
pub const HAPPENINGS_OF_MAX: usize = 150;

/// Counts the changes of a document; 0 is a document that does not exist.
pub type Revision = u64;

/// A document and its revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// The revision it was loaded at.
    pub revision: Revision,
    /// Its content.
    pub document: T,
}

/// Which documents to load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Messages that may have been seen before, by source and message id.
    pub seen: BTreeSet<(SourceName, String)>,
    /// People.
    pub people: BTreeSet<PersonKey>,
    /// Time lines of anonymous ids.
    pub timelines: BTreeSet<TimelineKey>,
    /// Contacts.
    pub contacts: BTreeSet<Email>,
    /// Contacts that are crowds: those of their persons whose statements are the newest, `without` some who are known anyway.
    pub crowds: BTreeSet<Email>,
    /// Whom not to look for in crowds.
    pub without: BTreeSet<PersonKey>,
    /// Deals.
    pub deals: BTreeSet<DealKey>,
    /// Deals that are held back, of whoever has these addresses of contacts, or these keys of people as text: of each at most
    /// [`DEALS_OF_MAX`], so that nobody who orders often holds up the others.
    pub deals_of: BTreeSet<String>,
    /// Companies.
    pub companies: BTreeSet<CompanyKey>,
    /// Notes, activities and tasks.
    pub happenings: BTreeSet<HappeningId>,
    /// Those of whoever has these addresses or keys of people, and those that hang on these records, all as text: of each some,
    /// see [`HAPPENINGS_OF_MAX`].
    pub happenings_of: BTreeSet<String>,
    /// Deliveries.
    pub deliveries: BTreeSet<DeliveryId>,
    /// The destination's own state.
    pub destination: Option<Account>,
    /// People who may have been erased.
    pub marks: BTreeSet<Mark>,
    /// Records by the ids that they have with the account of [`destination`](Self::destination).
    pub crm_ids: BTreeSet<(CrmRecord, u64)>,
    /// The walks over everything that is stored: the review and the redrive.
    pub walks: bool,
}

impl Keys {
    /// Asks for the document of a record too.
    pub fn add(&mut self, subject: &Subject) {
        match subject {
            Subject::Contact(email) => {
                self.contacts.insert(email.clone());
            }
            Subject::Company(key) => {
                self.companies.insert(key.clone());
            }
            Subject::Deal(key) => {
                self.deals.insert(key.clone());
            }
            Subject::Happening(id) => {
                self.happenings.insert(id.clone());
            }
            Subject::Member(key) => {
                self.contacts.insert(key.email.clone());
            }
        }
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What was loaded. What does not exist is absent.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// Where a message was seen first.
    pub seen: BTreeMap<(SourceName, String), Position>,
    /// People.
    pub people: BTreeMap<PersonKey, Versioned<Person>>,
    /// Time lines.
    pub timelines: BTreeMap<TimelineKey, Versioned<Timeline>>,
    /// Contacts.
    pub contacts: BTreeMap<Email, Versioned<Contact>>,
    /// The persons of crowds whose statements are the newest.
    pub crowds: BTreeMap<Email, BTreeSet<PersonKey>>,
    /// Deals.
    pub deals: BTreeMap<DealKey, Versioned<Deal>>,
    /// Companies.
    pub companies: BTreeMap<CompanyKey, Versioned<Company>>,
    /// Notes, activities and tasks.
    pub happenings: BTreeMap<HappeningId, Versioned<Happening>>,
    /// Deliveries.
    pub deliveries: BTreeMap<DeliveryId, Versioned<Delivery>>,
    /// The destination's own state.
    pub destination: Option<Versioned<Destination>>,
    /// The contacts and deals that have, or had, the ids asked for: the record itself says which id it has.
    pub by_id: BTreeSet<Subject>,
    /// When people were erased.
    pub tombstones: BTreeMap<Mark, UnixMicros>,
    /// Of which of the contacts asked for nothing is ever sent, and since when.
    pub suppressed: BTreeMap<Email, UnixMicros>,
    /// The review of all contacts that goes on, or the last one.
    pub review: Option<Versioned<Review>>,
    /// The crowds that are still to be gathered.
    pub gathering: Option<Versioned<Gathering>>,
    /// The order to send all dead letters again that goes on, or the last one.
    pub redrive: Option<Versioned<RedriveAll>>,
}

/// Where a search through all documents stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Among people, after so many.
    People(i64),
    /// Among time lines, after so many.
    Timelines(i64),
    /// Among contacts, after so many.
    Contacts(i64),
    /// Among deals, after so many.
    Deals(i64),
    /// Among companies, after so many.
    Companies(i64),
    /// Among notes, activities and tasks, after so many.
    Happenings(i64),
}

impl Place {
    /// Where a search begins.
    pub const START: Self = Self::People(0);
}
