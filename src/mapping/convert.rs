//! Conversions: from what people send to what Freshsales takes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::phone;
use super::region::Region;

/// How a value is converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
    /// True or false.
    Boolean,
    /// A day as `YYYY-MM-DD`.
    Date,
    /// A list of texts.
    Tags,
    /// One line of an address, from text or an object with `street`.
    Address,
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

impl Convert {
    /// Converts a value; `region` is where national phone numbers are at home.
    ///
    /// # Errors
    /// Why it can't be converted, in a sentence that does not repeat the value.
    pub fn apply(self, value: &Value, region: Option<Region>, max_chars: usize) -> Result<Converted, String> {
        let converted = match self {
            Self::Text => Value::String(text(value)?),
            Self::Lower => Value::String(text(value)?.to_lowercase()),
            Self::Phone => {
                Value::String(phone::to_e164(&text(value)?, region).map_err(|problem| problem.to_string())?)
            }
            Self::Integer => json!(integer(value)?),
            Self::Number => number(value)?,
            Self::Boolean => json!(boolean(value)?),
            Self::Date => Value::String(date(value)?),
            Self::Tags => tags(value)?,
            Self::Address => Value::String(address(value)?),
            Self::FirstName => Value::String(split_name(&text(value)?).0),
            Self::LastName => Value::String(split_name(&text(value)?).1.ok_or("the name is one word")?),
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
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err("it is not text".to_owned()),
    };
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text) }
}

fn integer(value: &Value) -> Result<i64, String> {
    let no = || "it is not a whole number".to_owned();
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(|whole| whole.to_string());
            let text = whole.unwrap_or_else(|| number.to_string());
            text.strip_suffix(".0").unwrap_or(&text).parse().map_err(|_| no())
        }
        Value::String(text) => text.trim().parse().map_err(|_| no()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(no()),
    }
}

fn number(value: &Value) -> Result<Value, String> {
    let no = || "it is not a number".to_owned();
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => {
            let text = text.trim();
            let whole = text.parse::<i64>().ok().map(Value::from);
            let finite =
                || text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number);
            whole.or_else(finite).ok_or_else(no)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(no()),
    }
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
    let text = text(value)?;
    let day = |text: &str| text.parse::<jiff::civil::Date>().ok();
    let moment = || text.parse::<jiff::civil::DateTime>().ok().map(jiff::civil::DateTime::date);
    let found = day(&text).or_else(moment).or_else(|| text.get(..10).and_then(day));
    found.map(|day| day.to_string()).ok_or_else(|| "it is not a date like 2030-01-31".to_owned())
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

/// `Jane van Doe` and `van Doe, Jane` are both (`Jane`, `van Doe`).
fn split_name(name: &str) -> (String, Option<String>) {
    if let Some((last, first)) = name.split_once(',').map(|(last, first)| (last.trim(), first.trim()))
        && !last.is_empty()
        && !first.is_empty()
    {
        return (first.to_owned(), Some(last.to_owned()));
    }
    match name.split_once(' ') {
        Some((first, rest)) => (first.to_owned(), Some(rest.trim().to_owned())),
        None => (name.to_owned(), None),
    }
}
