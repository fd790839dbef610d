//! The lists of an account that names are looked up in, and which attribute of which record takes a name of which.
//!
//! Must not know what the lists hold.

use serde::{Deserialize, Serialize};

/// A list of an account, as `GET /selector/…` answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The users who may own records, by their email.
    Owners,
    /// The pipelines of deals, with the stages of each inside (seen on live accounts).
    DealPipelines,
    /// The stages of a contact's life, each with the statuses that belong to it (seen on live accounts).
    LifecycleStages,
    /// The statuses of contacts.
    ContactStatuses,
    /// Where contacts and deals come from.
    LeadSources,
    /// Campaigns.
    Campaigns,
    /// Territories.
    Territories,
    /// Currencies, by their ISO code.
    Currencies,
    /// Types of deals.
    DealTypes,
    /// Reasons for which deals are lost.
    DealReasons,
    /// How far deals are paid.
    DealPaymentStatuses,
    /// Types of sales activities.
    SalesActivityTypes,
    /// What sales activities ended in: the types, with the outcomes of each inside.
    SalesActivityOutcomes,
    /// Lists of contacts.
    Lists,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Owners,
        Self::DealPipelines,
        Self::LifecycleStages,
        Self::ContactStatuses,
        Self::LeadSources,
        Self::Campaigns,
        Self::Territories,
        Self::Currencies,
        Self::DealTypes,
        Self::DealReasons,
        Self::DealPaymentStatuses,
        Self::SalesActivityTypes,
        Self::SalesActivityOutcomes,
        Self::Lists,
    ];

    /// Its name behind `selector/`, that of lists of contacts without it, by which it is stored and shown, too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Owners => "owners",
            Self::DealPipelines => "deal_pipelines",
            Self::LifecycleStages => "lifecycle_stages",
            Self::ContactStatuses => "contact_statuses",
            Self::LeadSources => "lead_sources",
            Self::Campaigns => "campaigns",
            Self::Territories => "territories",
            Self::Currencies => "currencies",
            Self::DealTypes => "deal_types",
            Self::DealReasons => "deal_reasons",
            Self::DealPaymentStatuses => "deal_payment_statuses",
            Self::SalesActivityTypes => "sales_activity_types",
            Self::SalesActivityOutcomes => "sales_activity_outcomes",
            Self::Lists => "lists",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// One entry of it, for a sentence: "the account has no lead source `Web`".
    #[must_use]
    pub fn one(self) -> &'static str {
        match self {
            Self::Owners => "user",
            Self::DealPipelines => "deal pipeline",
            Self::LifecycleStages => "lifecycle stage",
            Self::ContactStatuses => "contact status",
            Self::LeadSources => "lead source",
            Self::Campaigns => "campaign",
            Self::Territories => "territory",
            Self::Currencies => "currency",
            Self::DealTypes => "deal type",
            Self::DealReasons => "deal reason",
            Self::DealPaymentStatuses => "deal payment status",
            Self::SalesActivityTypes => "sales activity type",
            Self::SalesActivityOutcomes => "sales activity outcome",
            Self::Lists => "list",
        }
    }
}

/// An attribute that is written by name and sent by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// How the mapping calls it: `owner`.
    pub attribute: &'static str,
    /// How Freshsales calls it: `owner_id`.
    pub id_attribute: &'static str,
    /// Where its names are listed.
    pub kind: Kind,
}

const fn named(attribute: &'static str, id_attribute: &'static str, kind: Kind) -> Named {
    Named { attribute, id_attribute, kind }
}

/// Of contacts.
pub const OF_CONTACT: [Named; 6] = [
    named("lifecycle_stage", "lifecycle_stage_id", Kind::LifecycleStages),
    named("contact_status", "contact_status_id", Kind::ContactStatuses),
    named("lead_source", "lead_source_id", Kind::LeadSources),
    named("campaign", "campaign_id", Kind::Campaigns),
    named("territory", "territory_id", Kind::Territories),
    named("owner", "owner_id", Kind::Owners),
];

/// Of deals, beside `stage`, which is looked for in its pipeline.
pub const OF_DEAL: [Named; 9] = [
    named("pipeline", "deal_pipeline_id", Kind::DealPipelines),
    named("currency", "currency_id", Kind::Currencies),
    named("type", "deal_type_id", Kind::DealTypes),
    named("reason", "deal_reason_id", Kind::DealReasons),
    named("payment_status", "deal_payment_status_id", Kind::DealPaymentStatuses),
    named("owner", "owner_id", Kind::Owners),
    named("lead_source", "lead_source_id", Kind::LeadSources),
    named("campaign", "campaign_id", Kind::Campaigns),
    named("territory", "territory_id", Kind::Territories),
];

/// Of companies.
pub const OF_COMPANY: [Named; 2] =
    [named("owner", "owner_id", Kind::Owners), named("territory", "territory_id", Kind::Territories)];

/// The attribute of a table that the mapping calls so.
#[must_use]
pub fn attribute(of: &'static [Named], name: &str) -> Option<&'static Named> {
    of.iter().find(|named| named.attribute == name)
}
