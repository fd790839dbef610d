//! Numbers as people and machines write them. What can be read in two ways is not read.

use serde_json::Value;

pub(super) fn integer(value: &Value) -> Result<i64, String> {
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
pub(super) fn plain_number(text: &str) -> Option<String> {
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

pub(super) fn number(value: &Value) -> Result<Value, String> {
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
