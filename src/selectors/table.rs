//! One list of an account as it was answered: its entries, read from either shape that was seen.
//!
//! Whatever an answer holds, what is kept is bounded. Must not look names up.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::kind::Kind;
use crate::event::fold_name;

/// Entries of a list that are kept. Accounts with thousands of users exist.
pub const ENTRIES_MAX: usize = 5_000;
/// Stages of a pipeline, or statuses of a stage, that are kept.
pub const PARTS_MAX: usize = 200;
/// Lists of contacts come in pages of so many, the most that Freshsales gives.
pub const LISTS_PER_PAGE: usize = 100;
/// A longer name is no name.
const NAME_CHARS_MAX: usize = 255;

/// The entries of one list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// In the order in which the account has them.
    pub entries: Vec<Entry>,
    /// How many more the account has than are kept, or entries without id or name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id in this account.
    pub id: u64,
    /// What it is called: the email of a user, the ISO code of a currency.
    pub name: String,
    /// A person's own name, for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where it stands among the others.
    #[serde(default, skip_serializing_if = "is_zero_i64")]
    pub position: i64,
    /// Whether it is the one that is taken where none is named.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_default: bool,
    /// The stages of a pipeline, by their position; the outcomes of a type of activities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// The statuses that belong to a lifecycle stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact_status_ids: Vec<u64>,
}

/// A stage of a pipeline of deals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its id in this account.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// Where it stands in its pipeline.
    pub position: i64,
    /// Whether a deal that stands there is closed, and how.
    pub forecast: Forecast,
}

/// What a stage means for the forecast (`forecast_type`, documented by the vendor).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecast {
    /// The deal goes on.
    #[default]
    Open,
    /// It is won.
    Won,
    /// It is lost.
    Lost,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero_i64(number: &i64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Table {
    /// Reads an answer; `None` where it is no list of this kind. Entries that have no id or no name are left out.
    #[must_use]
    pub fn read(kind: Kind, answer: &Value) -> Option<Self> {
        let items = items(kind, answer)?;
        let mut entries: Vec<Entry> =
            items.iter().take(ENTRIES_MAX).filter_map(|item| entry(kind, item.as_object()?)).collect();
        if kind == Kind::DealPipelines || kind == Kind::LifecycleStages {
            entries.sort_by_key(|entry| entry.position);
        }
        let left_out = items.len().saturating_sub(entries.len());
        Some(Self { entries, left_out })
    }

    /// Puts this page behind what those before had; tells whether another may follow: it was full, and had something new, without
    /// which an account that knows no pages would be asked for ever.
    #[must_use]
    pub fn after(self, before: Self) -> (Self, bool) {
        let full = self.entries.len() + self.left_out >= LISTS_PER_PAGE;
        let mut all = before;
        let known = all.entries.len();
        for entry in self.entries {
            if all.entries.iter().all(|had| had.id != entry.id) {
                all.entries.push(entry);
            }
        }
        let new = all.entries.len() > known;
        all.left_out += if new { self.left_out } else { 0 };
        all.left_out += all.entries.len().saturating_sub(ENTRIES_MAX);
        all.entries.truncate(ENTRIES_MAX);
        (all, full && new)
    }
}

impl Entry {
    /// A type of activities, with the outcomes that the account listed for it.
    #[must_use]
    pub fn with_outcomes(activity_type: u64, outcomes: Table) -> Self {
        let outcome = |entry: Self| Stage {
            id: entry.id,
            name: entry.name,
            position: entry.position,
            forecast: Forecast::Open,
        };
        let stages = outcomes.entries.into_iter().take(PARTS_MAX).map(outcome).collect();
        Self {
            id: activity_type,
            name: activity_type.to_string(),
            display_name: None,
            position: 0,
            is_default: false,
            stages,
            contact_status_ids: Vec::new(),
        }
    }
}

/// The list inside an answer: under the name of its kind, users under `users` (seen on live accounts) or `owners`, or
/// the answer itself.
fn items(kind: Kind, answer: &Value) -> Option<&Vec<Value>> {
    let under = |name: &str| answer.get(name).and_then(Value::as_array);
    let own = match kind {
        Kind::Owners => under("users"),
        Kind::DealPipelines
        | Kind::LifecycleStages
        | Kind::ContactStatuses
        | Kind::LeadSources
        | Kind::Campaigns
        | Kind::Territories
        | Kind::Currencies
        | Kind::DealTypes
        | Kind::DealReasons
        | Kind::DealPaymentStatuses
        | Kind::SalesActivityTypes
        | Kind::SalesActivityOutcomes
        | Kind::Lists => None,
    };
    own.or_else(|| under(kind.name())).or_else(|| answer.as_array())
}

fn entry(kind: Kind, item: &Map<String, Value>) -> Option<Entry> {
    let named_by = match kind {
        Kind::Owners => "email",
        Kind::Currencies => "currency_code",
        Kind::DealPipelines
        | Kind::LifecycleStages
        | Kind::ContactStatuses
        | Kind::LeadSources
        | Kind::Campaigns
        | Kind::Territories
        | Kind::DealTypes
        | Kind::DealReasons
        | Kind::DealPaymentStatuses
        | Kind::SalesActivityTypes
        | Kind::SalesActivityOutcomes
        | Kind::Lists => "name",
    };
    let parts = |name: &str| item.get(name).and_then(Value::as_array).into_iter().flatten().take(PARTS_MAX);
    let mut stages: Vec<Stage> = parts("deal_stages").filter_map(|item| stage(item.as_object()?)).collect();
    stages.sort_by_key(|stage| stage.position);
    Some(Entry {
        id: item.get("id").and_then(id)?,
        name: text(item, named_by)?,
        display_name: if kind == Kind::Owners { text(item, "display_name") } else { None },
        position: position(item),
        is_default: item.get("is_default").and_then(Value::as_bool).unwrap_or(false),
        stages,
        contact_status_ids: parts("contact_status_ids").filter_map(id).collect(),
    })
}

fn stage(item: &Map<String, Value>) -> Option<Stage> {
    let forecast = item.get("forecast_type").and_then(Value::as_str).unwrap_or_default();
    let forecast = match fold_name(forecast).as_str() {
        "closedwon" | "won" => Forecast::Won,
        "closedlost" | "lost" => Forecast::Lost,
        _ => Forecast::Open,
    };
    Some(Stage {
        id: item.get("id").and_then(id)?,
        name: text(item, "name")?,
        position: position(item),
        forecast,
    })
}

/// An id, which some clients have seen as text.
fn id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|id| *id > 0)
}

fn position(item: &Map<String, Value>) -> i64 {
    item.get("position").and_then(Value::as_i64).unwrap_or(0)
}

fn text(item: &Map<String, Value>, name: &str) -> Option<String> {
    let text = item.get(name)?.as_str()?.trim();
    let fits =
        !text.is_empty() && text.chars().count() <= NAME_CHARS_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}
