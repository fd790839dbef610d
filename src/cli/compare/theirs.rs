//! What Freshsales has of contacts: out of an export of it, or by asking the account for each.
//!
//! Of an export only rows of contacts that are compared are kept. Must not write anything to the account.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use csv::StringRecord;
use serde_json::Value;

use super::super::check::client;
use super::super::columns::Columns;
use super::super::{Failure, columns, runtime};
use crate::config::Config;
use crate::contact::{Attributes, CUSTOM_FIELD_PREFIX};
use crate::erasure::Found;
use crate::event::Email;
use crate::freshsales::{Client, Crm, Question};

/// What the columns of an export are called whose attribute has another name, by folded header.
const USUAL: [(&str, &str); 9] = [
    ("mobile", "mobile_number"),
    ("mobile_phone", "mobile_number"),
    ("work", "work_number"),
    ("work_phone", "work_number"),
    ("company", "company_name"),
    ("account", "company_name"),
    ("accounts", "company_name"),
    ("zip_code", "zipcode"),
    ("postal_code", "zipcode"),
];
const EMAILS: [&str; 5] = ["email", "emails", "e_mail", "email_address", "work_email"];

/// What is known of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub contacts: BTreeMap<Email, Attributes>,
    /// Who is known not to be there.
    pub absent: BTreeSet<Email>,
    /// How many there are in all, where that is known.
    pub rows: Option<u64>,
    /// Columns that the mapping writes nothing to.
    pub unmapped: Vec<String>,
    /// Why asking ended before its end.
    pub stopped: Option<String>,
}

/// Reads an export: of its rows those of the contacts that are compared alone.
pub(super) fn exported(
    file: &Path,
    own: &[String],
    mapped: &BTreeSet<String>,
    ours: &BTreeMap<Email, Attributes>,
) -> Result<Asked, Failure> {
    let Columns { headers, rows: mut reader, lines_behind } = columns::open(file)?;
    let columns = meanings(&headers, own, mapped)?;
    let unmapped = columns.iter().zip(&headers).filter(|(column, _)| **column == Column::Unmapped);
    let unmapped = unmapped.map(|(_, header)| header.clone()).collect();
    let mut found = Asked { rows: Some(0), unmapped, ..Asked::default() };
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).map_err(|error| columns::unreadable(&error, lines_behind))? {
        found.rows = found.rows.map(|rows| rows + 1);
        for email in emails(&row, &columns).filter(|email| ours.contains_key(email)) {
            found.contacts.insert(email, attributes(&row, &columns));
        }
    }
    found.absent = ours.keys().filter(|email| !found.contacts.contains_key(email)).cloned().collect();
    Ok(found)
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Email,
    Attribute(String),
    Unmapped,
}

/// What the columns hold, by their headers; `own` are orders of the form HEADER=ATTRIBUTE.
fn meanings(headers: &[String], own: &[String], mapped: &BTreeSet<String>) -> Result<Vec<Column>, Failure> {
    let mut named = BTreeMap::new();
    for order in own {
        let pair = order.rsplit_once('=').map(|(header, attribute)| (folded(header), attribute.trim()));
        let known = pair.filter(|(header, _)| headers.iter().any(|found| folded(found) == *header));
        let Some((header, attribute)) = known else {
            let message = format!("--column `{order}`: HEADER=ATTRIBUTE, with a header of the file");
            return Err(Failure::Usage(anyhow!(message)));
        };
        named.insert(header, attribute.to_owned());
    }
    let columns: Vec<Column> = headers
        .iter()
        .map(|header| {
            let header = folded(header);
            match named.get(&header) {
                Some(attribute) => Column::Attribute(attribute.clone()),
                None if EMAILS.contains(&header.as_str()) => Column::Email,
                None => attribute_of(&header, mapped).map_or(Column::Unmapped, Column::Attribute),
            }
        })
        .collect();
    if columns.contains(&Column::Email) {
        return Ok(columns);
    }
    let all: Vec<String> = headers.iter().map(|header| format!("`{header}`")).collect();
    let message = format!("no column of the export is called Email; it has {}", all.join(", "));
    Err(Failure::Usage(anyhow!(message)))
}

/// The attribute that a column is, by its folded header.
fn attribute_of(header: &str, mapped: &BTreeSet<String>) -> Option<String> {
    let usual =
        USUAL.iter().find(|(known, _)| *known == header).map(|(_, attribute)| (*attribute).to_owned());
    let custom = |rest: &str| format!("{CUSTOM_FIELD_PREFIX}{rest}");
    let candidates =
        [usual, Some(header.to_owned()), Some(custom(header)), Some(custom(&format!("cf_{header}")))];
    candidates.into_iter().flatten().find(|name| mapped.contains(name))
}

fn folded(header: &str) -> String {
    let header = header.trim().to_lowercase();
    header.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

/// Every address of a row.
fn emails(row: &StringRecord, columns: &[Column]) -> impl Iterator<Item = Email> {
    let cells = row.iter().zip(columns).filter(|(_, column)| **column == Column::Email);
    let texts = cells.flat_map(|(cell, _)| cell.split([',', ';', ' ']));
    texts.filter_map(|text| Email::parse(text).ok())
}

fn attributes(row: &StringRecord, columns: &[Column]) -> Attributes {
    let cells = row.iter().zip(columns).filter_map(|(cell, column)| match column {
        Column::Attribute(name) => Some((name.clone(), Value::from(cell.trim()))),
        Column::Email | Column::Unmapped => None,
    });
    cells.collect()
}

/// Asks the account for so many contacts, in the order of their addresses.
pub(super) fn ask(
    config: &Config,
    ours: &BTreeMap<Email, Attributes>,
    contacts_max: u64,
) -> Result<Asked, Failure> {
    let client = Arc::new(client(config)?);
    runtime()?.block_on(async {
        let mut asked = Asked::default();
        for email in ours.keys().take(usize::try_from(contacts_max).unwrap_or(usize::MAX)) {
            match one(&client, email).await {
                Ok(Answer::Has(had)) => drop(asked.contacts.insert(email.clone(), had)),
                Ok(Answer::Absent) => drop(asked.absent.insert(email.clone())),
                Ok(Answer::Unclear) => {}
                Err(why) => {
                    asked.stopped = Some(why);
                    break;
                }
            }
        }
        Ok(asked)
    })
}

/// What the account says of an address.
enum Answer {
    Has(Attributes),
    Absent,
    /// Several contacts have it, or the answer can't be read.
    Unclear,
}

/// What the account has of an address.
async fn one(client: &Client, email: &Email) -> Result<Answer, String> {
    let looked = client.look_up(email.clone()).await;
    let id = match looked.found {
        Found::One(id) => id,
        // Of a lead there is no contact to compare with.
        Found::Nobody | Found::Lead(_) => return Ok(Answer::Absent),
        Found::Several | Found::Unclear => return Ok(Answer::Unclear),
        Found::NoAnswer => {
            let why =
                looked.call.error.unwrap_or_else(|| format!("it answered {}", looked.call.status_label));
            return Err(format!("the account was not asked further: {why}"));
        }
    };
    let reply = client.ask(Question::Contact(id)).await.map_err(|why| why.to_string())?;
    let contact = reply.json().and_then(|body| Some(body.get("contact")?.as_object()?.clone()));
    let Some(contact) = contact else {
        return Err(format!("the account was not asked further: it answered {} to a contact", reply.status));
    };
    let mut had = Attributes::new();
    for (name, value) in contact {
        match (name.as_str(), value) {
            ("custom_field", Value::Object(custom)) => {
                had.extend(
                    custom.into_iter().map(|(name, value)| (format!("{CUSTOM_FIELD_PREFIX}{name}"), value)),
                );
            }
            (_, value) => drop(had.insert(name, value)),
        }
    }
    Ok(Answer::Has(had))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_an_export_are_known_by_their_usual_headers() {
        let mapped =
            ["first_name", "mobile_number", "company_name", "custom_field.cf_plan"].map(str::to_owned).into();
        let headers = ["Email", "First name", "Mobile", "Accounts", "Plan", "Fax"].map(str::to_owned);
        let attribute = |name: &str| Column::Attribute(name.to_owned());
        let expected = [
            Column::Email,
            attribute("first_name"),
            attribute("mobile_number"),
            attribute("company_name"),
            attribute("custom_field.cf_plan"),
            Column::Unmapped,
        ];
        assert_eq!(meanings(&headers, &[], &mapped).unwrap(), expected);
        let own = ["fax=custom_field.cf_fax".to_owned()];
        assert_eq!(meanings(&headers, &own, &mapped).unwrap()[5], attribute("custom_field.cf_fax"));
        assert!(meanings(&headers, &["Nothing=x".to_owned()], &mapped).is_err());
        assert!(meanings(&["Name".to_owned()], &[], &mapped).is_err());
    }
}
