//! Conversions: from what people send to what Freshsales takes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::name::{FullName, without_signs};
use super::phone;
use super::region::Region;
use crate::event::{day, is_text_of_missing};

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

impl Convert {
    /// Converts a value; `region` is where national phone numbers are at home.
    ///
    /// # Errors
    /// Why it can't be converted, in a sentence that does not repeat the value.
    pub fn apply(self, value: &Value, region: Option<Region>, max_chars: usize) -> Result<Converted, String> {
        let converted = match self {
            Self::Text => Value::String(text(value)?),
            Self::Lower => Value::String(text(value)?.to_lowercase()),
            Self::Phone => Value::String(phone_number(value, region)?),
            Self::Name => Value::String(name(value)?),
            Self::Integer => json!(integer(value)?),
            Self::Number => number(value)?,
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

fn integer(value: &Value) -> Result<i64, String> {
    let no = || "it is not a whole number".to_owned();
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(|whole| whole.to_string());
            let text = whole.unwrap_or_else(|| number.to_string());
            text.strip_suffix(".0").unwrap_or(&text).parse().map_err(|_| no())
        }
        Value::String(text) => plain_number(text).and_then(|plain| plain.parse().ok()).ok_or_else(no),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(no()),
    }
}

/// A number as people write it, with signs of currency and of thousands, as a machine reads it: `$1,234.50` and
/// `1.234,50 €` are `1234.50`. `None` where it can be read in two ways (`1,234`) or is no number.
fn plain_number(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && !"$€£¥₹'’".contains(*c)).collect();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    if !digits.contains(',') {
        let plain = format!("{sign}{digits}");
        return plain.parse::<f64>().is_ok_and(f64::is_finite).then_some(plain);
    }
    let point = digits.rfind(['.', ','])?;
    let (whole, decimals) = (digits.get(..point)?, digits.get(point + 1..)?);
    let mark = digits.get(point..=point)?;
    // A sign that comes twice can only be one of thousands; one alone before three digits may be either.
    let (whole, decimals) = match (whole.contains(mark), whole.contains(['.', ','])) {
        (true, _) if !whole.contains(if mark == "," { '.' } else { ',' }) => (digits, ""),
        (true, _) => return None,
        (false, false) if decimals.len() == 3 => return None,
        (false, _) => (whole, decimals),
    };
    let groups: Vec<&str> = whole.split(['.', ',']).collect();
    let grouped = groups.len() == 1 || groups.iter().skip(1).all(|group| group.len() == 3);
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number =
        grouped && groups.iter().all(|group| !group.is_empty() && all_digits(group)) && all_digits(decimals);
    let decimals = if decimals.is_empty() { String::new() } else { format!(".{decimals}") };
    is_number.then(|| format!("{sign}{}{decimals}", groups.concat()))
}

fn number(value: &Value) -> Result<Value, String> {
    let no = || "it is not a number".to_owned();
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => {
            let plain = plain_number(text).ok_or_else(no)?;
            let whole = plain.parse::<i64>().ok().map(Value::from);
            let finite =
                || plain.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number);
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
