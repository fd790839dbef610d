//! Consent that came as one text: the cookie of a tool, a list of groups, an object written as JSON.
//!
//! Must know only how codes and values are told apart in a text, not what they mean.

use serde_json::{Map, Value};

/// A longer text is not read.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// What a cookie escapes of the characters that divide it.
const ESCAPES: [(&str, &str); 7] =
    [("%3a", ":"), ("%2c", ","), ("%3d", "="), ("%22", "\""), ("%7b", "{"), ("%7d", "}"), ("%20", " ")];

/// The codes of a text, with their values where it gives any: `C0001:1,C0004:0`, with or without `groups=` before it, as
/// `OneTrust` and `CookieYes` write them, `{marketing:false,method:'explicit'}` of Cookiebot, JSON, and the list of
/// groups that are on (`,C0001,C0003,`). `None` where it is none of these.
pub(super) fn unfold(text: &str) -> Option<Value> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let text = unescaped(text.trim());
    if text.starts_with(['{', '['])
        && let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(&text)
    {
        return Some(value);
    }
    let part = text.split('&').find_map(|part| part.trim().strip_prefix("groups=")).unwrap_or(&text);
    let part = part.trim_matches(|c: char| matches!(c, '{' | '}' | '[' | ']') || c.is_whitespace());
    let items: Vec<&str> =
        part.split([',', ';', '|', '&']).map(bare).filter(|item| !item.is_empty()).collect();
    let pairs: Map<String, Value> = items.iter().filter_map(|item| pair(item)).collect();
    if !pairs.is_empty() {
        return Some(Value::Object(pairs));
    }
    let is_list = part.contains(',') && !items.is_empty();
    is_list.then(|| items.into_iter().map(Value::from).collect())
}

fn pair(item: &str) -> Option<(String, Value)> {
    let (code, value) = item.split_once([':', '='])?;
    let (code, value) = (bare(code), bare(value));
    (!code.is_empty()).then(|| (code.to_owned(), Value::from(value)))
}

/// A word without the quotes around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| matches!(c, '"' | '\'') || c.is_whitespace())
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (escape, plain) in ESCAPES {
        text = text.replace(escape, plain).replace(&escape.to_uppercase(), plain);
    }
    text
}
