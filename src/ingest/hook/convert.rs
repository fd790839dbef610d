//! What vendors write in their own way, as it is understood here.
//!
//! Pure.

use serde::Deserialize;
use serde_json::{Number, Value};

use super::path::scalar;

/// How a value is converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convert {
    /// As it stands there.
    #[default]
    AsIs,
    /// Text.
    Text,
    /// Text in lower case.
    Lower,
    /// A number, from text too.
    Number,
    /// True or false, from text and 1 and 0 too.
    Boolean,
    /// An amount in the smallest unit of its currency.
    MoneyCents,
    /// A moment: seconds or milliseconds since 1970, or text, which is UTC where it names no zone.
    Time,
}

/// The words of a configuration.
pub const EXPECTED: &str = "as_is, text, lower, number, boolean, money_cents or time";

/// Currencies without a smaller unit: the amount is the number itself. Stripe's page "Supported currencies", zero-decimal.
const WHOLE: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
/// Those of a thousand smaller units. The same page, three-decimal.
const THOUSAND: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
/// Moments from here on are milliseconds: the year 5138 as seconds.
const SECONDS_MAX: i64 = 100_000_000_000;

impl Convert {
    /// Converts a value; `None` where it is not what it should be. `currency` counts for money alone.
    #[must_use]
    pub fn apply(self, value: &Value, currency: Option<&str>) -> Option<Value> {
        match self {
            Self::AsIs => Some(value.clone()),
            Self::Text => scalar(value).map(Value::from),
            Self::Lower => scalar(value).map(|text| Value::from(text.to_lowercase())),
            Self::Number => number(&scalar(value)?),
            Self::Boolean => match scalar(value)?.to_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(Value::from(true)),
                "false" | "0" | "no" | "off" => Some(Value::from(false)),
                _ => None,
            },
            Self::MoneyCents => money(scalar(value)?.parse().ok()?, currency),
            Self::Time => time(&scalar(value)?).map(Value::from),
        }
    }
}

fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::from(whole));
    }
    text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)
}

fn money(units: i64, currency: Option<&str>) -> Option<Value> {
    let currency = currency.unwrap_or_default().trim().to_uppercase();
    let decimals = match currency.as_str() {
        code if WHOLE.contains(&code) => return Some(Value::from(units)),
        code if THOUSAND.contains(&code) => 3_usize,
        _ => 2,
    };
    // By its digits: what was divided may not be what was meant.
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len().saturating_sub(decimals));
    if part.bytes().all(|digit| digit == b'0') {
        return number(&format!("{sign}{whole}"));
    }
    number(&format!("{sign}{whole}.{part}"))
}

fn time(text: &str) -> Option<String> {
    if let Ok(number) = text.parse::<i64>() {
        let moment = if number.saturating_abs() < SECONDS_MAX {
            jiff::Timestamp::from_second(number)
        } else {
            jiff::Timestamp::from_millisecond(number)
        };
        return moment.ok().map(|moment| moment.to_string());
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.to_string());
    }
    let there = text.parse::<jiff::civil::DateTime>().ok()?;
    let moment = there.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(moment.timestamp().to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_is_what_it_is_in_its_currency() {
        for (units, currency, amount) in [
            (json!(4900), Some("usd"), json!(49)),
            (json!(4999), Some("eur"), json!(49.99)),
            (json!(5), None, json!(0.05)),
            (json!(0), Some("usd"), json!(0)),
            (json!(-150), Some("gbp"), json!(-1.5)),
            (json!(500), Some("jpy"), json!(500)),
            (json!(1234), Some("KWD"), json!(1.234)),
            (json!("2500"), Some("usd"), json!(25)),
        ] {
            assert_eq!(Convert::MoneyCents.apply(&units, currency), Some(amount), "{units} {currency:?}");
        }
        for value in [json!(12.5), json!("12.50"), json!("x"), json!([1]), json!(null)] {
            assert_eq!(Convert::MoneyCents.apply(&value, Some("usd")), None, "{value}");
        }
        assert!(Convert::MoneyCents.apply(&json!(i64::MIN), Some("usd")).is_some());
    }

    #[test]
    fn a_moment_is_read_as_vendors_write_it() {
        for (written, moment) in [
            (json!(1_700_000_000), Some("2023-11-14T22:13:20Z")),
            (json!(1_700_000_000_123_i64), Some("2023-11-14T22:13:20.123Z")),
            (json!("2024-03-01T10:00:00+02:00"), Some("2024-03-01T08:00:00Z")),
            (json!("2024-03-01T10:00:00"), Some("2024-03-01T10:00:00Z")),
            (json!("2024-03-01 10:00:00"), Some("2024-03-01T10:00:00Z")),
            (json!("yesterday"), None),
            (json!(i64::MIN), None),
            (json!(true), None),
        ] {
            assert_eq!(Convert::Time.apply(&written, None), moment.map(Value::from), "{written}");
        }
    }

    #[test]
    fn texts_numbers_and_choices_are_converted_or_left_out() {
        for (convert, value, converted) in [
            (Convert::Number, json!("199.00"), Some(json!(199.0))),
            (Convert::Number, json!("12"), Some(json!(12))),
            (Convert::Number, json!("NaN"), None),
            (Convert::Number, json!("a lot"), None),
            (Convert::Boolean, json!("Yes"), Some(json!(true))),
            (Convert::Boolean, json!(0), Some(json!(false))),
            (Convert::Boolean, json!("maybe"), None),
            (Convert::Lower, json!("EUR"), Some(json!("eur"))),
            (Convert::Text, json!(1042), Some(json!("1042"))),
            (Convert::Text, json!({}), None),
            (Convert::AsIs, json!(["a"]), Some(json!(["a"]))),
        ] {
            assert_eq!(convert.apply(&value, None), converted, "{convert:?} {value}");
        }
    }
}
