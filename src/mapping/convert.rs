//! Conversions: from what people send to what Freshsales takes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::money::{money, money_cents};
use super::name::{FullName, without_signs};
use super::number::{integer, number};
use super::phone;
use super::region::Region;
use crate::event::{day, is_text_of_missing};

/// How a value is converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Convert {
    /// Text, trimmed; numbers and booleans as their text.
    #[default]
    Text,
    /// Text in lower case.
    Lower,
    /// A phone number in E.164.
    Phone,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// An amount in its currency: `"1,234.50"`, `"1.234,50"`, a number, `{ amount, currency }`.
    Money,
    /// An amount in the smallest unit of its currency (cents), as payment providers write it.
    MoneyCents,
    /// True or false.
    Boolean,
    /// A day as `YYYY-MM-DD`.
    Date,
    /// A list of texts.
    Tags,
    /// One line of an address, from text or an object with `street`.
    Address,
    /// A part of a person's name: without signs, emoji and whatever else has no letter.
    Name,
    /// The first word of a full name.
    FirstName,
    /// All but the first word of a full name.
    LastName,
}

/// Why a value is left out that simply is not there: no reason that anybody has to be told.
pub(super) const NOTHING_TO_CONVERT: &str = "";

/// A converted value, and whether it was cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// What is sent.
    pub value: Value,
    /// Text was longer than `max_chars`.
    pub cut: bool,
}

/// What a value is read by that stands beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// Where national phone numbers are at home.
    pub region: Option<Region>,
    /// The currency of amounts that name none.
    pub currency: Option<&'a str>,
}

impl Convert {
    /// Converts a value; `region` is where national phone numbers are at home.
    ///
    /// # Errors
    /// Why it can't be converted, in a sentence that does not repeat the value.
    pub fn apply(self, value: &Value, region: Option<Region>, max_chars: usize) -> Result<Converted, String> {
        self.apply_at(value, Place { region, currency: None }, max_chars)
    }

    /// As [`Convert::apply`], with everything that stands beside the value.
    ///
    /// # Errors
    /// The same.
    pub fn apply_at(self, value: &Value, place: Place<'_>, max_chars: usize) -> Result<Converted, String> {
        let Place { region, currency } = place;
        let converted = match self {
            Self::Text => Value::String(text(value)?),
            Self::Lower => Value::String(text(value)?.to_lowercase()),
            Self::Phone => Value::String(phone_number(value, region)?),
            Self::Name => Value::String(name(value)?),
            Self::Integer => json!(integer(value)?),
            Self::Number => number(value)?,
            Self::Money => money(value, currency)?,
            Self::MoneyCents => money_cents(value, currency)?,
            Self::Boolean => json!(boolean(value)?),
            Self::Date => Value::String(date(value)?),
            Self::Tags => tags(value)?,
            Self::Address => Value::String(address(value)?),
            Self::FirstName => Value::String(full_name(value)?.first),
            Self::LastName => Value::String(full_name(value)?.last.ok_or("the name is one word")?),
        };
        Ok(cut(converted, max_chars))
    }
}

fn cut(value: Value, max_chars: usize) -> Converted {
    match value {
        Value::String(text) if text.chars().count() > max_chars => {
            let short: String = text.chars().take(max_chars).collect();
            Converted { value: Value::String(short.trim_end().to_owned()), cut: true }
        }
        value => Converted { value, cut: false },
    }
}

fn text(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => super::text::cleaned(text),
        Value::Number(number) => digits(number),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err("it is not text".to_owned()),
    };
    if is_text_of_missing(&text) {
        return Err("it is the text of a missing value".to_owned());
    }
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text) }
}

/// A number without the `.0` that some languages write behind a whole one.
fn digits(number: &serde_json::Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn boolean(value: &Value) -> Result<bool, String> {
    let word = text(value)?.to_lowercase();
    match word.as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("it is neither true nor false".to_owned()),
    }
}

fn date(value: &Value) -> Result<String, String> {
    day(value).map(|day| day.to_string()).ok_or_else(|| "it is not a date like 2030-01-31".to_owned())
}

fn tags(value: &Value) -> Result<Value, String> {
    let words: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(|item| text(item).ok()).collect(),
        Value::String(list) => list.split(',').map(|word| word.trim().to_owned()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if words.is_empty() { Err("it is not a list of texts".to_owned()) } else { Ok(json!(words)) }
}

fn address(value: &Value) -> Result<String, String> {
    let Some(parts) = value.as_object() else { return text(value) };
    let lines = ["street", "line1", "street1", "line2", "street2"];
    let found: Vec<String> =
        lines.iter().filter_map(|line| parts.get(*line)).filter_map(|line| text(line).ok()).collect();
    // An address without a street is common and nothing to tell: its city is an attribute of its own.
    if found.is_empty() { Err(NOTHING_TO_CONVERT.to_owned()) } else { Ok(found.join(", ")) }
}

fn phone_number(value: &Value, region: Option<Region>) -> Result<String, String> {
    let text = match value {
        Value::Array(items) if items.len() == 1 => {
            return phone_number(items.first().unwrap_or(value), region);
        }
        // A line is a number.
        Value::String(lines) => text(&Value::from(lines.trim().replace(['\n', '\r'], " / ")))?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => text(value)?,
    };
    phone::to_e164(&text, region).map_err(|problem| problem.to_string())
}

/// Signs alone (`-`) stay as they are: somebody wrote them where a name was asked for. Emoji and digits are no name.
fn name(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    let name = without_signs(&text);
    if !name.is_empty() {
        return Ok(name);
    }
    let is_signs = text.chars().all(|c| c.is_ascii_punctuation() || c.is_whitespace() || c.is_alphabetic());
    if is_signs { Ok(text) } else { Err("it has no letter".to_owned()) }
}

fn full_name(value: &Value) -> Result<FullName, String> {
    FullName::read(&text(value)?).ok_or_else(|| "it is not a name".to_owned())
}
