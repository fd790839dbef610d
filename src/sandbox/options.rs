//! What a sandbox account is like: its alias, key, rules, limits and custom fields. Values only, no behaviour.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

/// How the sandbox behaves; the default is an account called `acme` without limits.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Whether it is an account of the older product, whose API is below `/api/` and takes no bulk calls.
    pub classic: bool,
    /// The account's name, the first label of its host.
    pub bundle_alias: String,
    /// The one key that is accepted.
    pub api_key: String,
    /// Whether a contact without first and last name is refused when it would be created.
    pub require_names: bool,
    /// Calls in any 3,600 seconds; `None` means no limit.
    pub per_hour: Option<u32>,
    /// Calls in any 60 seconds; `None` means no limit.
    pub per_minute: Option<u32>,
    /// How long each answer is held back, on the sandbox's clock. The write has happened by then.
    pub latency: Duration,
    /// The custom fields that exist in the account; any other `cf_*` is refused.
    pub custom_fields: Vec<CustomField>,
    /// Attributes without which no contact is created, custom fields by their `cf_` name.
    pub mandatory: Vec<String>,
    /// Attributes that are taken and not kept.
    pub dropped: Vec<String>,
    /// What the user of the key may not touch.
    pub forbidden: BTreeSet<Forbidden>,
    /// In what else it differs from the account that the documents describe.
    pub quirks: BTreeSet<Quirk>,
    /// The custom fields of companies.
    pub company_custom_fields: Vec<CustomField>,
    /// The custom fields of deals.
    pub deal_custom_fields: Vec<CustomField>,
    /// Attributes without which no deal is created, beside name and amount; custom fields by their `cf_` name. Accounts
    /// differ: some demand a company.
    pub deal_requires: Vec<String>,
    /// The custom field of deals that no two of them may share.
    pub unique_deal_field: Option<String>,
    /// How long after it was created a record is found by `lookup`, `search` and `filtered_search`.
    pub search_lag: Duration,
    /// Contacts that one call may put on a list or take off it; `None` means no limit.
    pub list_contacts_max: Option<usize>,
    /// Lists in place of those an account is delivered with, by their name behind `selector/`.
    pub selectors: BTreeMap<String, Vec<Value>>,
    /// How long a bulk job answers `IN_PROGRESS` before its report is ready.
    pub bulk_job_takes: Duration,
}

/// What the user of the key may not touch: 403, while everything else works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Forbidden {
    /// Who owns contacts: seen of keys that write contacts.
    Owners,
    /// Deals: to see, create or change them.
    Deals,
    /// Notes.
    Notes,
    /// Leads, of an account of the older product.
    Leads,
}

/// Something that was seen of some accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Quirk {
    /// The user of the key may not touch contacts: 403, while everything else works.
    NoContactRights,
    /// `subscription_status` is a number; a text is made one, which is 0 for a word.
    NumericStatus,
    /// 200 answers a contact that was created, too.
    Always200,
    /// A call that puts contacts on a list, or takes them off it, is refused as a whole where it names one the account does
    /// not have.
    StrictLists,
    /// Searches show deals whole, with what is asked for along.
    WholeLists,
    /// Answers say how many calls an hour the account has, and how many are left.
    RateLimitHeaders,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            classic: false,
            bundle_alias: "acme".to_owned(),
            api_key: "sandbox-key".to_owned(),
            require_names: true,
            per_hour: None,
            per_minute: None,
            latency: Duration::ZERO,
            custom_fields: default_custom_fields(),
            mandatory: Vec::new(),
            dropped: Vec::new(),
            forbidden: BTreeSet::new(),
            quirks: BTreeSet::new(),
            company_custom_fields: vec![CustomField::new("cf_segment", CustomFieldKind::Text)],
            deal_custom_fields: vec![
                CustomField::new("cf_order_id", CustomFieldKind::Text),
                CustomField::new("cf_coupon", CustomFieldKind::Text),
            ],
            deal_requires: Vec::new(),
            unique_deal_field: None,
            search_lag: Duration::ZERO,
            list_contacts_max: None,
            selectors: BTreeMap::new(),
            bulk_job_takes: Duration::from_secs(3),
        }
    }
}

impl SandboxOptions {
    /// What every path of the API begins with.
    pub(super) fn api(&self) -> &'static str {
        if self.classic { "/api/" } else { "/crm/sales/api/" }
    }

    /// Whether the account has this quirk.
    pub(super) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

/// A field the account's administrator has added to contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomField {
    /// Its name in `custom_field`, with the `cf_` in front.
    pub name: String,
    /// What values it takes.
    pub kind: CustomFieldKind,
}

impl CustomField {
    /// A custom field called `name`.
    #[must_use]
    pub fn new(name: &str, kind: CustomFieldKind) -> Self {
        Self { name: name.to_owned(), kind }
    }
}

/// What values a custom field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomFieldKind {
    /// Text of at most 255 characters.
    Text,
    /// A JSON number.
    Number,
    /// A day (`2026-03-01`) or a moment with a zone.
    Date,
    /// `true` or `false`.
    Checkbox,
    /// One of these texts; any other text is dropped without a word, as reported of the real service.
    Dropdown(Vec<String>),
}

fn default_custom_fields() -> Vec<CustomField> {
    let sizes = ["1-10", "11-50", "51-200", "201+"].map(str::to_owned).to_vec();
    vec![
        CustomField::new("cf_plan", CustomFieldKind::Text),
        CustomField::new("cf_source", CustomFieldKind::Text),
        CustomField::new("cf_lifetime_value", CustomFieldKind::Number),
        CustomField::new("cf_signed_up_on", CustomFieldKind::Date),
        CustomField::new("cf_newsletter", CustomFieldKind::Checkbox),
        CustomField::new("cf_company_size", CustomFieldKind::Dropdown(sizes)),
    ]
}
