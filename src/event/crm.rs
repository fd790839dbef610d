//! What Freshsales says of a record of its own, as it stands in the journal: which record, and each attribute that was named.
//!
//! Must not know the mapping: which attributes matter is decided later.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::clock::UnixMicros;

/// Where it stands in the body of an event.
pub const CRM: &str = "crm";
/// Stands in it where whoever says it is not believed.
pub const DOUBTED: &str = "verify";

/// What kind of record was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrmRecord {
    /// A contact.
    Contact,
    /// A deal.
    Deal,
}

impl CrmRecord {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Contact, Self::Deal];

    /// The word in a body, and in what is pasted into Freshsales.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Deal => "deal",
        }
    }

    /// The one of a word, whatever its case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|record| record.as_str().eq_ignore_ascii_case(word.trim()))
    }

    fn event(self) -> &'static str {
        match self {
            Self::Contact => "Freshsales contact",
            Self::Deal => "Freshsales deal",
        }
    }
}

/// What Freshsales says of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct CrmSaid {
    /// Which kind of record.
    pub record: CrmRecord,
    /// Its id there.
    pub id: Option<u64>,
    /// Of a deal: the key that another system knows it by.
    pub key: Option<String>,
    /// When it was changed, where that was said with its zone.
    pub changed_at: Option<UnixMicros>,
    /// What it has, by attribute.
    pub said: BTreeMap<String, Value>,
    /// Whoever says it is not believed: it only means that Freshsales is to be asked (`hooks.*.verify`).
    pub doubted: bool,
}

impl CrmSaid {
    /// Reads it from the body of an event; `None` where that has none.
    #[must_use]
    pub fn read(body: &Map<String, Value>) -> Option<Self> {
        let crm = body.get(CRM)?.as_object()?;
        let text = |name: &str| crm.get(name).and_then(Value::as_str);
        let said = crm.get("said").and_then(Value::as_object);
        Some(Self {
            record: CrmRecord::parse(text("record")?)?,
            id: text("id").and_then(|id| id.parse().ok()),
            key: text("key").map(str::to_owned),
            changed_at: text("changed_at").and_then(with_zone),
            said: said.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect(),
            doubted: crm.get(DOUBTED).and_then(Value::as_bool).unwrap_or_default(),
        })
    }
}

/// A moment that says its zone. Without one nobody can tell whether it is before or after something else: accounts write times
/// of their own zone, and days alone (seen on live accounts).
fn with_zone(text: &str) -> Option<UnixMicros> {
    text.trim().parse::<jiff::Timestamp>().ok().map(|moment| UnixMicros(moment.as_microsecond()))
}

/// What an event of this kind is called.
pub(super) fn name_of(body: &Map<String, Value>) -> &'static str {
    let record = body.get(CRM).and_then(|crm| crm.get("record")).and_then(Value::as_str);
    record.and_then(CrmRecord::parse).unwrap_or(CrmRecord::Contact).event()
}
