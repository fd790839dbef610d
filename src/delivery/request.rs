//! A request: one call to the CRM as data, decided on before it leaves.
//!
//! Must not know how it travels: addresses and methods are the client's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::Email;

/// One call to the CRM.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Creates a contact or changes it, known by its address. The finished body, its attributes in the order they are sent in.
    UpsertContact {
        /// `{"unique_identifier":{"emails":…},"contact":{…}}`
        body: Value,
        /// The answer is to show the companies of the contact, which it leaves out otherwise (seen on live accounts).
        shows_companies: bool,
    },
    /// Gives a contact another email, and changes it.
    RenameContact {
        /// Its id in Freshsales.
        id: u64,
        /// `{"contact":{"emails":…}}`
        body: Value,
    },
    /// Asks whether there is a contact with an address, and what it holds.
    FindContact {
        /// The address.
        email: Email,
    },
    /// Asks for a contact with its companies and deals.
    ShowContact {
        /// Its id in Freshsales.
        id: u64,
    },
    /// Creates a company or changes it, known by its name.
    UpsertCompany {
        /// `{"unique_identifier":{"name":…},"sales_account":{…}}`
        body: Value,
    },
    /// Asks which companies have a web site.
    FindCompany {
        /// As it stands in the company.
        website: String,
    },
    /// Creates a deal. Not safe to repeat: sent twice, there are two.
    CreateDeal {
        /// `{"deal":{…}}`
        body: Value,
    },
    /// Changes a deal; attributes that are absent stay as they are.
    UpdateDeal {
        /// Its id in Freshsales.
        id: u64,
        /// `{"deal":{…}}`
        body: Value,
    },
    /// Asks for a deal.
    ShowDeal {
        /// Its id in Freshsales.
        id: u64,
    },
    /// Asks which deals have a value in a field. The search lags behind writes.
    FindDeal {
        /// `cf_order_id`, `name`
        field: String,
        /// As it stands in the deal.
        value: String,
    },
    /// Asks for a list of the account that gives names their ids, by the last part of its address: `owners`.
    Selector(&'static str),
    /// Asks the cheapest question that proves alias and key.
    Probe,
    /// Has a contact forgotten for good.
    Forget {
        /// Its id in Freshsales.
        id: u64,
    },
}

/// A kind of call: what a right in Freshsales is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Of contacts.
    Contact,
    /// Of companies.
    Company,
    /// Of deals.
    Deal,
    /// For the lists of the account.
    Selector,
}

impl CallKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Contact, Self::Company, Self::Deal, Self::Selector];

    /// The word in JSON, and before the key of a subject.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Deal => "deal",
            Self::Selector => "selector",
        }
    }

    /// Many of what it is about, in a sentence.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
            Self::Deal => "deals",
            Self::Selector => "the lists of the account",
        }
    }
}

impl Request {
    /// Which right it needs.
    #[must_use]
    pub fn kind(&self) -> CallKind {
        match self {
            Self::UpsertContact { .. }
            | Self::RenameContact { .. }
            | Self::FindContact { .. }
            | Self::ShowContact { .. }
            | Self::Forget { .. } => CallKind::Contact,
            Self::UpsertCompany { .. } | Self::FindCompany { .. } => CallKind::Company,
            Self::CreateDeal { .. }
            | Self::UpdateDeal { .. }
            | Self::ShowDeal { .. }
            | Self::FindDeal { .. } => CallKind::Deal,
            Self::Selector(_) | Self::Probe => CallKind::Selector,
        }
    }

    /// The body it carries.
    #[must_use]
    pub fn body(&self) -> Option<&Value> {
        match self {
            Self::UpsertContact { body, .. }
            | Self::RenameContact { body, .. }
            | Self::UpsertCompany { body }
            | Self::CreateDeal { body }
            | Self::UpdateDeal { body, .. } => Some(body),
            Self::FindContact { .. }
            | Self::ShowContact { .. }
            | Self::FindCompany { .. }
            | Self::ShowDeal { .. }
            | Self::FindDeal { .. }
            | Self::Selector(_)
            | Self::Probe
            | Self::Forget { .. } => None,
        }
    }

    /// The attributes that its body writes.
    #[must_use]
    pub fn attributes(&self) -> Option<&Map<String, Value>> {
        self.body()?.get(self.record()?)?.as_object()
    }

    /// The name in front of the one record that it writes or asks for, in its body and in the answer.
    #[must_use]
    pub fn record(&self) -> Option<&'static str> {
        match self {
            Self::UpsertContact { .. } | Self::RenameContact { .. } => Some("contact"),
            Self::UpsertCompany { .. } => Some("sales_account"),
            Self::CreateDeal { .. } | Self::UpdateDeal { .. } | Self::ShowDeal { .. } => Some("deal"),
            Self::FindContact { .. }
            | Self::ShowContact { .. }
            | Self::FindCompany { .. }
            | Self::FindDeal { .. }
            | Self::Selector(_)
            | Self::Probe
            | Self::Forget { .. } => None,
        }
    }

    /// Whether it names a record by its id in Freshsales, which may be gone there.
    #[must_use]
    pub fn names_an_id(&self) -> bool {
        match self {
            Self::RenameContact { .. }
            | Self::ShowContact { .. }
            | Self::UpdateDeal { .. }
            | Self::ShowDeal { .. }
            | Self::Forget { .. } => true,
            Self::UpsertContact { .. }
            | Self::FindContact { .. }
            | Self::UpsertCompany { .. }
            | Self::FindCompany { .. }
            | Self::CreateDeal { .. }
            | Self::FindDeal { .. }
            | Self::Selector(_)
            | Self::Probe => false,
        }
    }
}
