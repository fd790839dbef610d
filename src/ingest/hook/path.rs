//! Paths into what a vendor sends: `data.object.id`, `items[0].name`, `answers[field.ref=email].email`, `a["b.c"]`, `.` for
//! the whole, and `header:x-name` for a header.
//!
//! Pure. Must not know what stands where.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName};
use serde_json::Value;

/// Bytes of a path.
const PATH_BYTES_MAX: usize = 300;
const HEADER: &str = "header:";
/// The whole of what was sent.
const WHOLE: &str = ".";

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// A header of the request.
    Header(HeaderName),
    /// A place in the body.
    Body(Vec<Step>),
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
    /// The first item of a list in which this text stands there.
    Where(Vec<String>, String),
}

/// What a path looks like, for whoever wrote another.
pub const EXPECTED: &str =
    "a path like data.email, items[0].name, answers[field.ref=email].email, form[\"3.2\"] or header:x-name";

impl Path {
    /// Reads a path; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > PATH_BYTES_MAX {
            return None;
        }
        if let Some(name) = text.strip_prefix(HEADER) {
            return Some(Self::Header(name.trim().parse().ok()?));
        }
        if text == WHOLE {
            return Some(Self::Body(Vec::new()));
        }
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let (step, after) = match rest.strip_prefix('[') {
                Some(inside) => bracket(inside)?,
                None => key(rest)?,
            };
            steps.push(step);
            rest = match after {
                "" => return Some(Self::Body(steps)),
                after if after.starts_with('[') => after,
                after => after.strip_prefix('.').filter(|next| !next.starts_with('['))?,
            };
        }
    }

    /// What stands there. Null and empty text are nothing.
    #[must_use]
    pub fn find<'a>(&self, body: &'a Value, headers: &'a HeaderMap) -> Option<Cow<'a, Value>> {
        let found = match self {
            Self::Header(name) => Cow::Owned(Value::from(headers.get(name)?.to_str().ok()?)),
            Self::Body(steps) => Cow::Borrowed(steps.iter().try_fold(body, |place, step| step.down(place))?),
        };
        let is_nothing = match found.as_ref() {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
        };
        (!is_nothing).then_some(found)
    }

    /// The text or number that stands there.
    #[must_use]
    pub fn text(&self, body: &Value, headers: &HeaderMap) -> Option<String> {
        scalar(self.find(body, headers)?.as_ref())
    }
}

/// Text, numbers and booleans as text.
#[must_use]
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Step {
    fn down<'a>(&self, place: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Key(name) => place.as_object()?.get(name),
            Self::Index(index) => place.as_array()?.get(*index),
            Self::Where(path, is) => {
                let fits = |item: &&Value| {
                    let inner = path.iter().try_fold(*item, |place, name| place.as_object()?.get(name));
                    inner.and_then(scalar).is_some_and(|text| text.eq_ignore_ascii_case(is))
                };
                place.as_array()?.iter().find(fits)
            }
        }
    }
}

fn key(text: &str) -> Option<(Step, &str)> {
    let (name, after) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    (!name.is_empty() && !name.contains([']', '"'])).then(|| (Step::Key(name.to_owned()), after))
}

fn bracket(inside: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = inside.strip_prefix('"') {
        let (name, after) = quoted.split_once("\"]")?;
        return Some((Step::Key(name.to_owned()), after));
    }
    let (content, after) = inside.split_once(']')?;
    let step = match content.split_once('=') {
        None => Step::Index(content.parse().ok()?),
        Some((path, is)) => {
            let path: Vec<String> = path.split('.').map(|name| name.trim().to_owned()).collect();
            let is = is.trim().trim_matches('"').to_owned();
            if is.is_empty() || path.iter().any(String::is_empty) {
                return None;
            }
            Step::Where(path, is)
        }
    };
    Some((step, after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_finds_what_stands_there() {
        let body = json!({"a": {"b": [{"c": "first"}, {"c": "second", "ref": "Email", "field": {"ref": "name"}}]},
            "3.2": "Jane", "none": null, "empty": " ", "zero": 0, "no": false});
        let mut headers = HeaderMap::new();
        headers.insert("x-topic", "orders/create".parse().unwrap());
        for (path, found) in [
            ("a.b[0].c", Some(json!("first"))),
            ("a.b[1].c", Some(json!("second"))),
            ("a.b[ref=email].c", Some(json!("second"))),
            ("a.b[field.ref=\"name\"].c", Some(json!("second"))),
            ("a.b[ref=phone].c", None),
            ("a.b[2]", None),
            ("a.b.c", None),
            ("a[0]", None),
            ("[\"3.2\"]", Some(json!("Jane"))),
            ("3.2", None),
            ("none", None),
            ("empty", None),
            ("zero", Some(json!(0))),
            ("no", Some(json!(false))),
            ("header:X-Topic", Some(json!("orders/create"))),
            ("header:x-other", None),
            (".", Some(body.clone())),
        ] {
            let parsed = Path::parse(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(parsed.find(&body, &headers).map(Cow::into_owned), found, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in [
            "",
            " ",
            "a.",
            ".a",
            "a..b",
            "a[",
            "a[]",
            "a[x]",
            "a[-1]",
            "a[1",
            "a]b",
            "a[=x]",
            "a[b=]",
            "a.[0]",
            "a[0]b",
            "header:",
            "header:x y",
            "a[\"b]",
            "a[99999999999999999999999]",
        ] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
        assert_eq!(Path::parse(&"a.".repeat(500)), None);
    }
}
