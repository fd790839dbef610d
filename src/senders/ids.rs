//! Which ids name somebody. What a missing value looks like as text (`undefined`), or the name of the field itself
//! (`user_id`), is sent by everybody whose code is not ready, and would make one person of them all.
//!
//! Must not know people.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

/// The built-in list.
const JUNK: &str = include_str!("junk_ids.txt");
/// How templates mark a place that is to be filled in.
const UNFILLED: [(&str, &str); 6] =
    [("{{", "}}"), ("*|", "|*"), ("${", "}"), ("%", "%"), ("{%", "%}"), ("<%", "%>")];
/// Floats hold whole numbers exactly up to here.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What stands in the place of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Nothing: absent, null, empty, or what could never be an id.
    Nothing,
    /// Something that names nobody, as it was said.
    Junk(String),
    /// An id.
    Id(String),
}

/// Which ids name somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    junk: BTreeSet<String>,
    /// Whether a user id that is an address is its person's email while nobody said another.
    pub email_of_user_id: bool,
}

impl Default for Ids {
    fn default() -> Self {
        Self::new(&[], &[], true)
    }
}

impl Ids {
    /// The built-in list alone.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Ids> = LazyLock::new(Ids::default);
        &BUILT_IN
    }

    /// The built-in list with the ids of `ignore`, and without those of `keep`.
    #[must_use]
    pub fn new(ignore: &[String], keep: &[String], email_of_user_id: bool) -> Self {
        let listed = JUNK.lines().filter(|line| !line.starts_with("# "));
        let junk = listed.chain(ignore.iter().map(String::as_str)).map(folded);
        let kept: BTreeSet<String> = keep.iter().map(|id| folded(id)).collect();
        Self { junk: junk.filter(|id| !kept.contains(id)).collect(), email_of_user_id }
    }

    /// Reads what stands in the place of an id.
    #[must_use]
    pub fn read(&self, value: Option<&Value>) -> Named {
        let text = match value {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => digits(number),
            // What is neither text nor a number was never an id.
            None | Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                return Named::Nothing;
            }
        };
        if text.is_empty() {
            return Named::Nothing;
        }
        let id = spelled(&text);
        if self.is_junk(&id) { Named::Junk(text) } else { Named::Id(id) }
    }

    /// Whether an id names nobody.
    #[must_use]
    pub fn is_junk(&self, id: &str) -> bool {
        let unfilled = UNFILLED.iter().any(|(open, close)| {
            id.len() >= open.len() + close.len() && id.starts_with(open) && id.ends_with(close)
        });
        unfilled || self.junk.contains(&folded(id))
    }
}

/// One spelling of one id: a whole number loses its `.0`, which columns of numbers with a gap get in pandas and others.
#[must_use]
pub fn spelled(id: &str) -> String {
    let whole = id.strip_suffix(".0").filter(|whole| {
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    whole.unwrap_or(id).to_owned()
}

fn digits(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= WHOLE_MAX => {
            format!("{float:.0}")
        }
        Some(_) | None => number.to_string(),
    }
}

/// The form in which ids are compared with the list. A number keeps its sign.
fn folded(id: &str) -> String {
    let id = id.trim();
    let bare = id.trim_matches(['"', '\'']);
    let id = if bare.is_empty() { id } else { bare }.to_lowercase();
    if !id.contains(char::is_alphabetic) {
        return id;
    }
    // "-infinity" is the sign of a number, too, but no id either way.
    id.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Named {
        Ids::default().read(Some(value))
    }

    #[test]
    fn texts_of_missing_values_and_names_of_fields_name_nobody() {
        for junk in [
            "undefined",
            "Undefined",
            " NULL ",
            "None",
            "NaN",
            "nil",
            "[object Object]",
            "0",
            "-1",
            "0.0",
            "-1.0",
            "false",
            "TRUE",
            "guest",
            "Guest User",
            "anonymous",
            "ANONYMOUS_ID",
            "distinct_id",
            "distinctId",
            "user-id",
            "userId",
            "test",
            "email",
            "\"undefined\"",
            "'null'",
            "{{ user.id }}",
            "*|UNIQID|*",
            "%%user_id%%",
            "${user.id}",
            "<%= id %>",
            "{}",
            "(null)",
            "\\N",
            "#N/A",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(read(&json!(junk)), Named::Junk(junk.trim().to_owned()), "{junk}");
        }
        for junk in [json!(0), json!(-1), json!(0.0), json!(-0.0)] {
            assert!(matches!(read(&junk), Named::Junk(_)), "{junk}");
        }
        for nothing in [json!(null), json!(""), json!("  "), json!(true), json!({}), json!([1])] {
            assert_eq!(read(&nothing), Named::Nothing);
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        for (value, id) in [
            (json!(12345), "12345"),
            (json!(12345.0), "12345"),
            (json!("12345.0"), "12345"),
            (json!("12345"), "12345"),
            (json!(1.5), "1.5"),
            (json!("1.0.0"), "1.0.0"),
            (json!("v2.0"), "v2.0"),
            (json!(" u-1 "), "u-1"),
            (json!("1"), "1"),
            (json!("10"), "10"),
            (json!("tester"), "tester"),
            (json!("0001"), "0001"),
            (json!("nullam"), "nullam"),
        ] {
            assert_eq!(read(&value), Named::Id(id.to_owned()), "{value}");
        }
    }

    #[test]
    fn a_list_of_ones_own_adds_to_the_built_in_one_and_takes_from_it() {
        let ids = Ids::new(&["Demo-Account".to_owned()], &["guest".to_owned(), "0".to_owned()], true);
        assert_eq!(ids.read(Some(&json!("demo account"))), Named::Junk("demo account".to_owned()));
        assert_eq!(ids.read(Some(&json!("Guest"))), Named::Id("Guest".to_owned()));
        assert_eq!(ids.read(Some(&json!(0))), Named::Id("0".to_owned()));
        assert!(ids.is_junk("undefined"));
    }
}
