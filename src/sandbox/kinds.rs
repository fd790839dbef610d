//! The kinds of records an account has beside contacts, as one table: what each is called, what it takes, what it needs.
//! Must not keep records.

use axum::http::StatusCode;

use super::options::{CustomField, CustomFieldKind, SandboxOptions};

/// What values an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Email,
    Text,
    /// Text without the limit of other texts.
    LongText,
    /// An id of this account, a JSON integer. A label is refused.
    Id,
    /// An id that a selector of this account lists.
    Listed(&'static str),
    /// Text as the integration guide shows it, or a number from 0 to 4.
    Status,
    /// A number, or text that is one: it reads back as text with a decimal point.
    Amount,
    /// A JSON number.
    Number,
    /// A day or a moment.
    Date,
    /// `true` or `false`.
    Flag,
    /// A list of texts or integers.
    List,
    /// A list of ids.
    Ids,
    /// A list of objects, each with the `id` of a sales account.
    Accounts,
    /// A company that is made along, by its name.
    NewAccount,
    /// What a note, an activity or a task hangs on.
    Target,
    /// An object of `cf_*`.
    Custom,
}

/// An attribute: its name, its label, what it takes.
pub(super) type Attribute = (&'static str, &'static str, Takes);

pub(super) const CONTACT: [Attribute; 29] = [
    ("first_name", "First name", Takes::Text),
    ("last_name", "Last name", Takes::Text),
    ("emails", "Emails", Takes::Email),
    ("mobile_number", "Mobile", Takes::Text),
    ("work_number", "Work", Takes::Text),
    ("job_title", "Job title", Takes::Text),
    ("company_name", "Company", Takes::Text),
    ("address", "Address", Takes::Text),
    ("city", "City", Takes::Text),
    ("state", "State", Takes::Text),
    ("zipcode", "Zipcode", Takes::Text),
    ("country", "Country", Takes::Text),
    ("external_id", "External ID", Takes::Text),
    ("time_zone", "Time zone", Takes::Text),
    ("facebook", "Facebook", Takes::Text),
    ("twitter", "Twitter", Takes::Text),
    ("linkedin", "LinkedIn", Takes::Text),
    ("medium", "Medium", Takes::Text),
    ("keyword", "Keyword", Takes::Text),
    ("tags", "Tags", Takes::List),
    ("subscription_status", "Subscription status", Takes::Status),
    ("subscription_types", "Subscription types", Takes::List),
    ("territory_id", "Territory", Takes::Listed("territories")),
    ("lead_source_id", "Source", Takes::Listed("lead_sources")),
    ("owner_id", "Sales owner", Takes::Listed("owners")),
    ("campaign_id", "Campaign", Takes::Listed("campaigns")),
    ("contact_status_id", "Status", Takes::Listed("contact_statuses")),
    ("lifecycle_stage_id", "Lifecycle stage", Takes::Listed("lifecycle_stages")),
    ("sales_accounts", "Accounts", Takes::Accounts),
];

const LEAD: [Attribute; 27] = [
    ("first_name", "First name", Takes::Text),
    ("last_name", "Last name", Takes::Text),
    ("email", "Email", Takes::Email),
    ("mobile_number", "Mobile", Takes::Text),
    ("work_number", "Work", Takes::Text),
    ("job_title", "Job title", Takes::Text),
    ("department", "Department", Takes::Text),
    ("company", "Company", Takes::NewAccount),
    ("address", "Address", Takes::Text),
    ("city", "City", Takes::Text),
    ("state", "State", Takes::Text),
    ("zipcode", "Zipcode", Takes::Text),
    ("country", "Country", Takes::Text),
    ("external_id", "External ID", Takes::Text),
    ("time_zone", "Time zone", Takes::Text),
    ("facebook", "Facebook", Takes::Text),
    ("twitter", "Twitter", Takes::Text),
    ("linkedin", "LinkedIn", Takes::Text),
    ("medium", "Medium", Takes::Text),
    ("keyword", "Keyword", Takes::Text),
    ("tags", "Tags", Takes::List),
    ("subscription_status", "Subscription status", Takes::Status),
    ("lead_stage_id", "Lead stage", Takes::Id),
    ("lead_source_id", "Source", Takes::Listed("lead_sources")),
    ("territory_id", "Territory", Takes::Listed("territories")),
    ("owner_id", "Sales owner", Takes::Listed("owners")),
    ("campaign_id", "Campaign", Takes::Listed("campaigns")),
];

const COMPANY: [Attribute; 17] = [
    ("name", "Name", Takes::Text),
    ("phone", "Phone", Takes::Text),
    ("website", "Website", Takes::Text),
    ("address", "Address", Takes::Text),
    ("city", "City", Takes::Text),
    ("state", "State", Takes::Text),
    ("zipcode", "Zipcode", Takes::Text),
    ("country", "Country", Takes::Text),
    ("number_of_employees", "Number of employees", Takes::Number),
    ("annual_revenue", "Annual revenue", Takes::Number),
    ("industry_type_id", "Industry type", Takes::Id),
    ("business_type_id", "Business type", Takes::Id),
    ("owner_id", "Sales owner", Takes::Listed("owners")),
    ("territory_id", "Territory", Takes::Listed("territories")),
    ("parent_sales_account_id", "Parent account", Takes::Id),
    ("linkedin", "LinkedIn", Takes::Text),
    ("tags", "Tags", Takes::List),
];

const DEAL: [Attribute; 22] = [
    ("name", "Name", Takes::Text),
    ("amount", "Deal value", Takes::Amount),
    ("base_currency_amount", "Deal value in base currency", Takes::Amount),
    ("sales_account_id", "Account", Takes::Id),
    ("sales_account", "Account", Takes::NewAccount),
    ("deal_pipeline_id", "Deal pipeline", Takes::Listed("deal_pipelines")),
    ("deal_stage_id", "Deal stage", Takes::Listed("deal_stages")),
    ("deal_type_id", "Type", Takes::Listed("deal_types")),
    ("deal_reason_id", "Lost reason", Takes::Listed("deal_reasons")),
    ("deal_payment_status_id", "Payment status", Takes::Listed("deal_payment_statuses")),
    ("deal_product_id", "Product", Takes::Id),
    ("currency_id", "Currency", Takes::Listed("currencies")),
    ("owner_id", "Sales owner", Takes::Listed("owners")),
    ("campaign_id", "Campaign", Takes::Listed("campaigns")),
    ("lead_source_id", "Source", Takes::Listed("lead_sources")),
    ("territory_id", "Territory", Takes::Listed("territories")),
    ("expected_close", "Expected close date", Takes::Date),
    ("closed_date", "Closed date", Takes::Date),
    ("probability", "Probability (%)", Takes::Number),
    ("tags", "Tags", Takes::List),
    ("contacts_added_list", "Related contacts", Takes::Ids),
    ("contacts_removed_list", "Related contacts", Takes::Ids),
];

const NOTE: [Attribute; 3] = [
    ("description", "Description", Takes::LongText),
    ("targetable_type", "Target", Takes::Target),
    ("targetable_id", "Target", Takes::Id),
];

const ACTIVITY: [Attribute; 11] = [
    ("title", "Title", Takes::Text),
    ("notes", "Notes", Takes::LongText),
    ("owner_id", "Sales owner", Takes::Listed("owners")),
    ("sales_activity_type_id", "Type", Takes::Listed("sales_activity_types")),
    ("sales_activity_outcome_id", "Outcome", Takes::Id),
    ("targetable_type", "Target", Takes::Target),
    ("targetable_id", "Target", Takes::Id),
    ("start_date", "Start", Takes::Date),
    ("end_date", "End", Takes::Date),
    ("location", "Location", Takes::Text),
    ("conversation_time", "Conversation time", Takes::Date),
];

const TASK: [Attribute; 8] = [
    ("title", "Title", Takes::Text),
    ("description", "Description", Takes::LongText),
    ("due_date", "Due date", Takes::Date),
    ("owner_id", "Sales owner", Takes::Listed("owners")),
    ("status", "Done", Takes::Flag),
    ("task_type_id", "Type", Takes::Id),
    ("targetable_type", "Target", Takes::Target),
    ("targetable_id", "Target", Takes::Id),
];

const LIST: [Attribute; 1] = [("name", "Name", Takes::Text)];

/// A kind of record beside contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Company,
    Deal,
    Note,
    Activity,
    Task,
    List,
    /// Of an account of the older product alone.
    Lead,
}

/// What there is to know of a kind.
pub(super) struct Shape {
    /// In paths, and of a list in an answer.
    pub(super) many: &'static str,
    /// Of one record in a body or an answer.
    pub(super) one: &'static str,
    /// In a sentence.
    pub(super) called: &'static str,
    /// In `targetable_type`, where something can hang on it.
    pub(super) target: Option<&'static str>,
    pub(super) attributes: &'static [Attribute],
    /// Without which none is created.
    pub(super) required: &'static [&'static str],
    /// What answers one that was created.
    pub(super) created: StatusCode,
    /// Ids count up from here.
    pub(super) first_id: u64,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::Company, Self::Deal, Self::Note, Self::Activity, Self::Task, Self::List, Self::Lead];

    /// The kind that a segment of a path names.
    pub(super) fn of_path(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.shape().many == segment)
    }

    /// The kind that a name of an entity in a query names.
    pub(super) fn of_entity(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.shape().one == name)
    }

    pub(super) fn shape(self) -> &'static Shape {
        match self {
            Self::Company => &COMPANIES,
            Self::Deal => &DEALS,
            Self::Note => &NOTES,
            Self::Activity => &ACTIVITIES,
            Self::Task => &TASKS,
            Self::List => &LISTS,
            Self::Lead => &LEADS,
        }
    }

    /// The fields the account's administrator has added.
    pub(super) fn custom_fields(self, options: &SandboxOptions) -> Vec<CustomField> {
        match self {
            Self::Company => options.company_custom_fields.clone(),
            Self::Deal => {
                let mut fields = options.deal_custom_fields.clone();
                let named = options.deal_requires.iter().chain(&options.unique_deal_field);
                for name in named.filter(|name| name.starts_with("cf_")) {
                    if fields.iter().all(|field| field.name != *name) {
                        fields.push(CustomField::new(name, CustomFieldKind::Text));
                    }
                }
                fields
            }
            Self::Lead => options.custom_fields.clone(),
            Self::Note | Self::Activity | Self::Task | Self::List => Vec::new(),
        }
    }

    /// Without what none is created, in this account.
    pub(super) fn required(self, options: &SandboxOptions) -> Vec<String> {
        let required = self.shape().required.iter().map(|name| (*name).to_owned());
        match self {
            Self::Deal => required.chain(options.deal_requires.iter().cloned()).collect(),
            Self::Company | Self::Note | Self::Activity | Self::Task | Self::List | Self::Lead => {
                required.collect()
            }
        }
    }
}

static COMPANIES: Shape = Shape {
    many: "sales_accounts",
    one: "sales_account",
    called: "a company",
    target: Some("SalesAccount"),
    attributes: &COMPANY,
    required: &["name"],
    created: StatusCode::CREATED,
    first_id: 70_021_000_001,
};

static DEALS: Shape = Shape {
    many: "deals",
    one: "deal",
    called: "a deal",
    target: Some("Deal"),
    attributes: &DEAL,
    required: &["name", "amount"],
    created: StatusCode::CREATED,
    first_id: 70_022_000_001,
};

static NOTES: Shape = Shape {
    many: "notes",
    one: "note",
    called: "a note",
    target: None,
    attributes: &NOTE,
    required: &["description", "targetable_type", "targetable_id"],
    // Seen on live accounts: a note that was created is answered with 200, a task with 201.
    created: StatusCode::OK,
    first_id: 70_023_000_001,
};

static ACTIVITIES: Shape = Shape {
    many: "sales_activities",
    one: "sales_activity",
    called: "a sales activity",
    target: None,
    attributes: &ACTIVITY,
    required: &["title", "owner_id", "sales_activity_type_id", "targetable_type", "targetable_id"],
    created: StatusCode::CREATED,
    first_id: 70_024_000_001,
};

static TASKS: Shape = Shape {
    many: "tasks",
    one: "task",
    called: "a task",
    target: None,
    attributes: &TASK,
    required: &["title", "due_date", "targetable_type", "targetable_id"],
    created: StatusCode::CREATED,
    first_id: 70_025_000_001,
};

static LISTS: Shape = Shape {
    many: "lists",
    one: "list",
    called: "a list",
    target: None,
    attributes: &LIST,
    required: &["name"],
    created: StatusCode::CREATED,
    first_id: 70_026_000_001,
};

static LEADS: Shape = Shape {
    many: "leads",
    one: "lead",
    called: "a lead",
    target: Some("Lead"),
    attributes: &LEAD,
    required: &[],
    created: StatusCode::CREATED,
    first_id: 70_027_000_001,
};
