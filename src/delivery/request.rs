//! A request: one call to the CRM as data, decided on before it leaves.
//!
//! Must not know how it travels: addresses and methods are the client's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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
    /// Asks which contact or lead has an address, and what it holds. Of an account of the older product.
    FindPerson {
        /// The address.
        email: Email,
    },
    /// Creates a lead in an account of the older product. Not safe to repeat: sent twice, there are two.
    CreateLead {
        /// `{"lead":{"email":…}}`
        body: Value,
    },
    /// Changes a lead; attributes that are absent stay as they are.
    UpdateLead {
        /// Its id in Freshsales.
        id: u64,
        /// `{"lead":{…}}`
        body: Value,
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
    /// Writes a note, an activity or a task. Not safe to repeat: sent twice, there are two.
    Tell {
        /// Which of them.
        what: HappeningKind,
        /// `{"note":{…}}`
        body: Value,
    },
    /// Asks which notes, activities or tasks there are of a record.
    ListTold {
        /// Which of them.
        what: HappeningKind,
        /// What they hang on.
        target: (TargetKind, u64),
        /// Those of the whole account are listed, where a list of its own did not answer.
        everywhere: bool,
        /// Which page of the list, from 1.
        page: u32,
    },
    /// Deletes a note, an activity or a task.
    DeleteTold {
        /// Which of them.
        what: HappeningKind,
        /// Its id in Freshsales.
        id: u64,
    },
    /// Puts contacts on a list or takes them off it. Safe to repeat.
    ListContacts {
        /// The id of the list in Freshsales.
        list: u64,
        /// They are put on it; otherwise they are taken off it.
        on: bool,
        /// `{"ids":[…]}`
        body: Value,
    },
    /// Asks for a page of the deals that stand in some stages, with what may be shown along.
    ListDeals {
        /// The ids of the stages.
        stages: Vec<u64>,
        /// Which page of the list, from 1.
        page: u64,
    },
    /// Asks which views of deals the user of the key has.
    ListDealViews,
    /// Asks for a page of a view of deals, with what may be shown along.
    ViewDeals {
        /// The id of the view.
        view: u64,
        /// Which page of it, from 1.
        page: u64,
    },
    /// Asks for a deal with its owner, contacts, company and currency.
    ShowWholeDeal {
        /// Its id in Freshsales.
        id: u64,
    },
    /// Asks for a list of the account that gives names their ids, by the last part of its address: `owners`.
    Selector(&'static str),
    /// Asks for the outcomes that activities of a type may have: they belong to their type (`selector/sales_activity_types/{id}/…`,
    /// documented by the vendor).
    Outcomes {
        /// The id of the type.
        activity_type: u64,
    },
    /// Asks for the lists of contacts that the account has, which are no selector and come in pages.
    Lists {
        /// From 1.
        page: u64,
    },
    /// Asks the cheapest question that proves alias and key.
    Probe,
    /// Has a contact forgotten for good.
    Forget {
        /// Its id in Freshsales.
        id: u64,
    },
    /// Has a lead forgotten for good.
    ForgetLead {
        /// Its id in Freshsales.
        id: u64,
    },
}

/// What is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HappeningKind {
    /// A note.
    Note,
    /// A sales activity.
    Activity,
    /// A task.
    Task,
}

impl HappeningKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Note, Self::Activity, Self::Task];

    /// The word in JSON, in the mapping, and before an id.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Activity => "activity",
            Self::Task => "task",
        }
    }

    /// The name in front of it in a body (documented by the vendor).
    #[must_use]
    pub fn record(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Activity => "sales_activity",
            Self::Task => "task",
        }
    }

    /// The right that its calls need.
    #[must_use]
    pub fn call_kind(self) -> CallKind {
        match self {
            Self::Note => CallKind::Note,
            Self::Activity => CallKind::Activity,
            Self::Task => CallKind::Task,
        }
    }
}

/// What a note, an activity or a task hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A contact.
    Contact,
    /// A lead of an account of the older product.
    Lead,
    /// A deal.
    Deal,
    /// A company.
    Company,
}

impl TargetKind {
    /// Its word in `targetable_type` (documented by the vendor).
    #[must_use]
    pub fn as_type(self) -> &'static str {
        match self {
            Self::Contact => "Contact",
            Self::Lead => "Lead",
            Self::Deal => "Deal",
            Self::Company => "SalesAccount",
        }
    }
}

/// A kind of call: what a right in Freshsales is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Of contacts, and of leads where people become leads first.
    Contact,
    /// Of companies.
    Company,
    /// Of deals.
    Deal,
    /// Of notes.
    Note,
    /// Of sales activities.
    Activity,
    /// Of tasks.
    Task,
    /// Of places on lists of contacts.
    List,
    /// For the lists of the account in which names have ids.
    Selector,
}

impl CallKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Contact,
        Self::Company,
        Self::Deal,
        Self::Note,
        Self::Activity,
        Self::Task,
        Self::List,
        Self::Selector,
    ];

    /// The word in JSON, and before the key of a subject or of a happening.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Deal => "deal",
            Self::Note => "note",
            Self::Activity => "activity",
            Self::Task => "task",
            Self::List => "list",
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
            Self::Note => "notes",
            Self::Activity => "sales activities",
            Self::Task => "tasks",
            Self::List => "lists of contacts",
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
            | Self::FindPerson { .. }
            | Self::CreateLead { .. }
            | Self::UpdateLead { .. }
            | Self::ShowContact { .. }
            | Self::Forget { .. }
            | Self::ForgetLead { .. } => CallKind::Contact,
            Self::UpsertCompany { .. } | Self::FindCompany { .. } => CallKind::Company,
            Self::CreateDeal { .. }
            | Self::UpdateDeal { .. }
            | Self::ShowDeal { .. }
            | Self::FindDeal { .. }
            | Self::ListDeals { .. }
            | Self::ShowWholeDeal { .. } => CallKind::Deal,
            Self::Tell { what, .. } | Self::ListTold { what, .. } | Self::DeleteTold { what, .. } => {
                what.call_kind()
            }
            Self::ListContacts { .. } => CallKind::List,
            Self::Selector(_)
            | Self::Outcomes { .. }
            | Self::Lists { .. }
            | Self::ListDealViews
            | Self::ViewDeals { .. }
            | Self::Probe => CallKind::Selector,
        }
    }

    /// The body it carries.
    #[must_use]
    pub fn body(&self) -> Option<&Value> {
        match self {
            Self::UpsertContact { body, .. }
            | Self::RenameContact { body, .. }
            | Self::CreateLead { body }
            | Self::UpdateLead { body, .. }
            | Self::UpsertCompany { body }
            | Self::CreateDeal { body }
            | Self::UpdateDeal { body, .. }
            | Self::Tell { body, .. }
            | Self::ListContacts { body, .. } => Some(body),
            Self::FindContact { .. }
            | Self::FindPerson { .. }
            | Self::ShowContact { .. }
            | Self::FindCompany { .. }
            | Self::ShowDeal { .. }
            | Self::FindDeal { .. }
            | Self::ListTold { .. }
            | Self::ListDeals { .. }
            | Self::ShowWholeDeal { .. }
            | Self::DeleteTold { .. }
            | Self::Selector(_)
            | Self::Outcomes { .. }
            | Self::Lists { .. }
            | Self::ListDealViews
            | Self::ViewDeals { .. }
            | Self::Probe
            | Self::Forget { .. }
            | Self::ForgetLead { .. } => None,
        }
    }

    /// The rules of the search that it is, where it is one: what is asked and nothing that is written.
    #[must_use]
    pub fn rules(&self) -> Option<Value> {
        let Self::ListDeals { stages, .. } = self else { return None };
        let rule = json!({ "attribute": "deal_stage_id", "operator": "is_in", "value": stages });
        Some(json!({ "filter_rule": [rule] }))
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
            Self::CreateLead { .. } | Self::UpdateLead { .. } => Some("lead"),
            Self::UpsertCompany { .. } => Some("sales_account"),
            Self::CreateDeal { .. } | Self::UpdateDeal { .. } | Self::ShowDeal { .. } => Some("deal"),
            Self::Tell { what, .. } => Some(what.record()),
            Self::FindContact { .. }
            | Self::FindPerson { .. }
            | Self::ShowContact { .. }
            | Self::FindCompany { .. }
            | Self::FindDeal { .. }
            | Self::ListTold { .. }
            | Self::ListContacts { .. }
            | Self::ListDeals { .. }
            | Self::ShowWholeDeal { .. }
            | Self::DeleteTold { .. }
            | Self::Selector(_)
            | Self::Outcomes { .. }
            | Self::Lists { .. }
            | Self::ListDealViews
            | Self::ViewDeals { .. }
            | Self::Probe
            | Self::Forget { .. }
            | Self::ForgetLead { .. } => None,
        }
    }

    /// Whether it names a record by its id in Freshsales, which may be gone there.
    #[must_use]
    pub fn names_an_id(&self) -> bool {
        match self {
            Self::RenameContact { .. }
            | Self::ShowContact { .. }
            | Self::UpdateLead { .. }
            | Self::UpdateDeal { .. }
            | Self::ShowDeal { .. }
            | Self::ListContacts { .. }
            | Self::ViewDeals { .. }
            | Self::ShowWholeDeal { .. }
            | Self::DeleteTold { .. }
            | Self::Forget { .. }
            | Self::ForgetLead { .. } => true,
            Self::UpsertContact { .. }
            | Self::FindContact { .. }
            | Self::FindPerson { .. }
            | Self::CreateLead { .. }
            | Self::UpsertCompany { .. }
            | Self::FindCompany { .. }
            | Self::CreateDeal { .. }
            | Self::FindDeal { .. }
            | Self::Tell { .. }
            | Self::ListTold { .. }
            | Self::ListDeals { .. }
            | Self::Selector(_)
            | Self::Outcomes { .. }
            | Self::Lists { .. }
            | Self::ListDealViews
            | Self::Probe => false,
        }
    }
}
