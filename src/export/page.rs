//! What an answer shows of deals: a page of the list, or one deal whole.
//!
//! Lists of some accounts are thin: neither stage nor owner, whatever is asked for (seen on live accounts). Must not decide what
//! is asked next.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::StageOf;
use super::row::Row;
use crate::delivery::whole_number;

/// A text of a deal is cut at so many characters.
const TEXT_CHARS_MAX: usize = 1_000;
/// Contacts of a deal that are named.
const CONTACTS_MAX: usize = 20;

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its deals.
    pub rows: Vec<Row>,
    /// How many the whole list has.
    pub total: u64,
}

/// Reads a page; `None` where the answer is none.
#[must_use]
pub fn read_page(answer: &Map<String, Value>, stages: &[StageOf]) -> Option<Page> {
    let deals = answer.get("deals")?.as_array()?;
    let total = answer.get("meta")?.get("total").and_then(whole_number)?;
    let along = Along::of(answer);
    let only = only(stages);
    let rows = deals.iter().filter_map(|deal| row(deal.as_object()?, &along, (stages, only), false));
    Some(Page { rows: rows.collect(), total })
}

/// Reads a page of the view of won deals: those that it shows whole, in stages that are wanted. Nobody asked it for a stage, so a deal
/// without one is left out.
#[must_use]
pub fn read_view(answer: &Map<String, Value>, stages: &[StageOf]) -> Vec<Row> {
    let deals = answer.get("deals").and_then(Value::as_array).into_iter().flatten();
    let along = Along::of(answer);
    let rows = deals.filter_map(|deal| row(deal.as_object()?, &along, (stages, None), false));
    rows.filter(|row| row.whole).collect()
}

/// How many pages a view has.
#[must_use]
pub fn view_pages(answer: &Map<String, Value>) -> u64 {
    let pages = answer.get("meta").and_then(|meta| meta.get("total_pages"));
    pages.and_then(whole_number).unwrap_or_default()
}

/// The only stage that was asked for is a deal's, whether the list shows it or not.
fn only(stages: &[StageOf]) -> Option<&StageOf> {
    stages.first().filter(|_| stages.len() == 1)
}

/// Reads the answer to the question for one deal.
#[must_use]
pub fn read_whole(id: u64, answer: &Map<String, Value>, stages: &[StageOf]) -> Option<Row> {
    let deal = answer.get("deal")?.as_object()?;
    let row = row(deal, &Along::of(answer), (stages, only(stages)), true)?;
    (row.id == id).then_some(Row { whole: true, ..row })
}

/// What is shown along with deals, by ids.
struct Along<'a>(BTreeMap<&'static str, BTreeMap<u64, &'a Map<String, Value>>>);

/// Lists beside the deals of an answer.
const ALONG: [&str; 5] = ["users", "contacts", "sales_accounts", "currencies", "deal_stages"];

impl<'a> Along<'a> {
    fn of(answer: &'a Map<String, Value>) -> Self {
        let list = |name: &'static str| {
            let items = answer.get(name).and_then(Value::as_array).into_iter().flatten();
            let by_id = items.filter_map(Value::as_object);
            (name, by_id.filter_map(|item| Some((item.get("id").and_then(whole_number)?, item))).collect())
        };
        Self(ALONG.into_iter().map(list).collect())
    }

    fn get(&self, list: &str, id: Option<u64>, name: &str) -> String {
        let item = id.and_then(|id| self.0.get(list)?.get(&id));
        item.map(|item| text(item, name)).unwrap_or_default()
    }
}

fn row(
    deal: &Map<String, Value>,
    along: &Along<'_>,
    (stages, otherwise): (&[StageOf], Option<&StageOf>),
    single: bool,
) -> Option<Row> {
    let id = deal.get("id").and_then(whole_number)?;
    let number = |name: &str| deal.get(name).and_then(whole_number);
    let stage = number("deal_stage_id").and_then(|id| stages.iter().find(|stage| stage.id == id));
    let stage = stage.or(otherwise);
    let contacts = contact_ids(deal);
    let contacts: Vec<u64> = if single && contacts.is_empty() {
        along.0.get("contacts").map(|all| all.keys().copied().collect()).unwrap_or_default()
    } else {
        contacts
    };
    let emails = contacts.iter().map(|id| email_of(along, *id)).filter(|email| !email.is_empty());
    let custom = deal.get("custom_field").and_then(Value::as_object).into_iter().flatten();
    let custom = custom.filter(|(name, value)| name.starts_with("cf_") && !value.is_null());
    let shows = |name: &str| deal.contains_key(name);
    Some(Row {
        id,
        name: text(deal, "name"),
        amount: text(deal, "amount"),
        currency: along.get("currencies", number("currency_id"), "currency_code"),
        pipeline: stage.map(|stage| stage.pipeline.clone()).unwrap_or_default(),
        stage: stage.map(|stage| stage.name.clone()).unwrap_or_default(),
        owner_email: along.get("users", number("owner_id"), "email"),
        company: along.get("sales_accounts", number("sales_account_id"), "name"),
        contact_emails: emails.take(CONTACTS_MAX).collect(),
        closed_date: text(deal, "closed_date"),
        created_at: text(deal, "created_at"),
        updated_at: text(deal, "updated_at"),
        custom: custom.map(|(name, value)| (name.clone(), short(value))).collect(),
        whole: stage.is_some() && shows("owner_id") && shows("contact_ids"),
    })
}

fn contact_ids(deal: &Map<String, Value>) -> Vec<u64> {
    deal.get("contact_ids").and_then(Value::as_array).into_iter().flatten().filter_map(whole_number).collect()
}

fn email_of(along: &Along<'_>, id: u64) -> String {
    let email = along.get("contacts", Some(id), "email");
    if email.is_empty() { along.get("contacts", Some(id), "emails") } else { email }
}

fn text(record: &Map<String, Value>, name: &str) -> String {
    record.get(name).filter(|value| !value.is_null()).map(short).unwrap_or_default()
}

fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(TEXT_CHARS_MAX).collect()
}
