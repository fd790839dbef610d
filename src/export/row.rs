//! A deal as a row of a file, and the forms of files.
//!
//! Must not know where a row comes from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::conversion::cell;

/// The columns that every file has; custom fields follow.
pub const COLUMNS: [&str; 12] = [
    "id",
    "name",
    "amount",
    "currency",
    "pipeline",
    "stage",
    "owner_email",
    "company",
    "contact_emails",
    "closed_date",
    "created_at",
    "updated_at",
];

/// The form of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A line of columns, then a line for each deal.
    #[default]
    Csv,
    /// A JSON object a line.
    Jsonl,
}

impl Format {
    /// How its files end.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Csv, Self::Jsonl].into_iter().find(|format| format.as_str() == word)
    }
}

/// A deal. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Its id in Freshsales.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// What it is worth.
    pub amount: String,
    /// The ISO code of its currency.
    pub currency: String,
    /// The pipeline that it stands in.
    pub pipeline: String,
    /// Its stage.
    pub stage: String,
    /// The address of its owner.
    pub owner_email: String,
    /// Its company.
    pub company: String,
    /// The addresses of its contacts.
    pub contact_emails: Vec<String>,
    /// The day on which it was closed.
    pub closed_date: String,
    /// When it was created.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
    /// Its custom fields.
    pub custom: BTreeMap<String, String>,
    /// Whether all of it is known.
    pub whole: bool,
}

impl Row {
    fn cells(&self) -> [String; 12] {
        [
            self.id.to_string(),
            self.name.clone(),
            self.amount.clone(),
            self.currency.clone(),
            self.pipeline.clone(),
            self.stage.clone(),
            self.owner_email.clone(),
            self.company.clone(),
            self.contact_emails.join(" "),
            self.closed_date.clone(),
            self.created_at.clone(),
            self.updated_at.clone(),
        ]
    }

    /// It as a line of JSON.
    #[must_use]
    pub fn json_line(&self) -> String {
        let mut shown: Map<String, Value> = COLUMNS
            .iter()
            .zip(self.cells())
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        shown.insert("id".to_owned(), json!(self.id));
        shown.insert("contact_emails".to_owned(), json!(self.contact_emails));
        shown.extend(self.custom.iter().map(|(name, value)| (name.clone(), json!(value))));
        format!("{}\n", Value::Object(shown))
    }
}

/// The line of columns.
#[must_use]
pub fn header_line(custom: &BTreeSet<String>) -> String {
    let names = COLUMNS.iter().map(|name| (*name).to_owned()).chain(custom.iter().cloned());
    line(names)
}

/// A deal as a line of columns. Nothing of it is read as a formula by a spreadsheet.
#[must_use]
pub fn csv_line(row: &Row, custom: &BTreeSet<String>) -> String {
    let of_account = custom.iter().map(|name| row.custom.get(name).cloned().unwrap_or_default());
    line(row.cells().into_iter().chain(of_account))
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|text| cell(&text)).collect();
    format!("{}\r\n", cells.join(","))
}
