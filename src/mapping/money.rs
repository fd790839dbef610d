//! Money: an amount as people and machines write it, in the unit of its currency.
//!
//! What can be read in two ways is not read. Must not know attributes.

use serde_json::{Number, Value};

use super::number::{integer, plain_number};

/// Currencies without a smaller unit (ISO 4217).
const WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF"];
/// Currencies whose smaller unit is a thousandth (ISO 4217).
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
/// Where an amount that is an object says how much it is, and in what.
const AMOUNTS: [&str; 3] = ["amount", "value", "total"];
const CURRENCIES: [&str; 3] = ["currency", "currency_code", "currencyCode"];

/// How many decimals a currency has; two where it is not known.
fn decimals(currency: Option<&str>) -> usize {
    let code = currency.unwrap_or_default().trim().to_ascii_uppercase();
    if WHOLE.contains(&code.as_str()) {
        0
    } else if THOUSANDTHS.contains(&code.as_str()) {
        3
    } else {
        2
    }
}

/// The currency that an amount itself names, if it is one with a currency.
pub(super) fn currency_of(value: &Value) -> Option<&str> {
    let parts = value.as_object()?;
    CURRENCIES.iter().find_map(|name| parts.get(*name)).and_then(Value::as_str)
}

/// An amount in units of its currency.
pub(super) fn money(value: &Value, currency: Option<&str>) -> Result<Value, String> {
    let currency = currency_of(value).or(currency);
    let text = match amount_of(value)? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            written(text, currency).ok_or("it is no amount that can be read in one way only")?
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(no_amount()),
    };
    rounded(&text, decimals(currency))
}

/// An amount in the smallest unit of its currency, as payment providers write it.
pub(super) fn money_cents(value: &Value, currency: Option<&str>) -> Result<Value, String> {
    let currency = currency_of(value).or(currency);
    let cents = integer(amount_of(value)?)?;
    let places = decimals(currency);
    let digits = format!("{:0>width$}", cents.unsigned_abs(), width = places + 1);
    let (units, rest) = digits.split_at(digits.len() - places);
    rounded(&format!("{}{units}.{rest}", if cents < 0 { "-" } else { "" }), places)
}

fn amount_of(value: &Value) -> Result<&Value, String> {
    let Some(parts) = value.as_object() else { return Ok(value) };
    AMOUNTS.iter().find_map(|name| parts.get(*name)).ok_or_else(no_amount)
}

fn no_amount() -> String {
    "it is no amount".to_owned()
}

/// A written amount. A point before three digits may be one of thousands: `1.234` is not read, nor is `1,234`, unless the
/// currency has no smaller unit. The code of the currency may stand beside it.
fn written(text: &str, currency: Option<&str>) -> Option<String> {
    let code = currency.map(str::trim).filter(|code| !code.is_empty());
    let mut text = text.trim();
    if let Some(code) = code {
        let bare = |text: &str, from: usize| {
            text.get(from..from + code.len()).is_some_and(|part| part.eq_ignore_ascii_case(code))
        };
        if bare(text, 0) {
            text = text.get(code.len()..)?.trim();
        } else if text.len() > code.len() && bare(text, text.len() - code.len()) {
            text = text.get(..text.len() - code.len())?.trim();
        }
    }
    let groups: Vec<&str> = text.split(['.', ',']).collect();
    let last_is_thousands = groups.len() == 2 && groups.last().is_some_and(|last| last.len() == 3);
    let first = groups.first()?.trim_start_matches(|c: char| !c.is_ascii_digit());
    let could_be_thousands =
        last_is_thousands && !first.is_empty() && first.len() <= 3 && !first.starts_with('0');
    if could_be_thousands {
        return (decimals(currency) == 0).then(|| plain_number(&text.replace(['.', ','], ""))).flatten();
    }
    plain_number(text)
}

/// A number as text, rounded to so many decimals; half goes away from zero.
fn rounded(text: &str, places: usize) -> Result<Value, String> {
    let number: f64 = text.parse().map_err(|_| no_amount())?;
    let scale = match places {
        0 => 1.0,
        2 => 100.0,
        _ => 1000.0,
    };
    let scaled = (number * scale).round() / scale;
    let whole = format!("{scaled:.places$}");
    let (units, decimals) = whole.split_once('.').unwrap_or((&whole, ""));
    if decimals.bytes().all(|byte| byte == b'0') {
        return units.parse::<i64>().map(Value::from).map_err(|_| no_amount());
    }
    Number::from_f64(scaled).map(Value::Number).ok_or_else(no_amount)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_is_read_in_one_way_or_not_at_all() {
        for (said, currency, amount) in [
            (json!("1,234.50"), "USD", json!(1234.5)),
            (json!("1.234,50"), "EUR", json!(1234.5)),
            (json!("1 234,50 €"), "EUR", json!(1234.5)),
            (json!("$1,234,567"), "USD", json!(1_234_567)),
            (json!("USD 49"), "usd", json!(49)),
            (json!("49.90 EUR"), "EUR", json!(49.9)),
            (json!("-12.5"), "EUR", json!(-12.5)),
            (json!("0.125"), "EUR", json!(0.13)),
            (json!("1234.567"), "EUR", json!(1234.57)),
            (json!("1,234"), "JPY", json!(1234)),
            (json!(1234.5), "", json!(1234.5)),
            (json!(19.999_999_9), "USD", json!(20)),
            (json!(1234.4), "JPY", json!(1234)),
            (json!(1.234), "KWD", json!(1.234)),
            (json!({"amount": "1,234.50", "currency": "USD"}), "", json!(1234.5)),
            (json!({"value": 12, "currency_code": "JPY"}), "", json!(12)),
        ] {
            assert_eq!(money(&said, Some(currency)), Ok(amount), "{said} {currency}");
        }
        for said in [
            json!("1,234"),
            json!("1.234"),
            json!("12,345 €"),
            json!("free"),
            json!(""),
            json!(true),
            json!({}),
        ] {
            assert!(money(&said, Some("EUR")).is_err(), "{said}");
        }
    }

    #[test]
    fn minor_units_are_those_of_the_currency() {
        for (said, currency, amount) in [
            (json!(123_450), "USD", json!(1234.5)),
            (json!("4900"), "EUR", json!(49)),
            (json!(5), "EUR", json!(0.05)),
            (json!(-250), "EUR", json!(-2.5)),
            (json!(1234), "JPY", json!(1234)),
            (json!(1234), "KWD", json!(1.234)),
            (json!(123_450), "", json!(1234.5)),
        ] {
            assert_eq!(money_cents(&said, Some(currency)), Ok(amount), "{said} {currency}");
        }
        assert!(money_cents(&json!(12.5), Some("USD")).is_err());
    }
}
