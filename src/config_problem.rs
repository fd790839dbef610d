//! A problem of the configuration: which key, what stands there, what is expected.

use std::fmt;

/// Longer values are cut when they are shown.
const VALUE_CHARS_MAX: usize = 100;

/// What is shown of a secret.
pub const REDACTED: &str = "(redacted)";

/// What is wrong with a key. The value of a secret is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The dotted key (`freshsales.api_key`).
    pub key: String,
    /// The value, fit to be shown: control characters escaped, long ones cut, of a secret just whether it is there.
    pub value: String,
    /// What is expected, in words.
    pub expected: String,
}

impl Problem {
    /// A problem with a key.
    pub fn new(key: impl Into<String>, value: impl fmt::Display, expected: impl Into<String>) -> Self {
        let value = value.to_string().chars().take(VALUE_CHARS_MAX).flat_map(char::escape_default).collect();
        Self { key: key.into(), value, expected: expected.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = \"{}\": {}", self.key, self.value, self.expected)
    }
}

/// What parsers say in the words of their language.
const IN_WORDS: [(&str, &str); 15] = [
    ("expected u8", "expected a whole number from 0 to 255"),
    ("expected u16", "expected a whole number from 0 to 65535"),
    ("expected u32", "expected a whole number of 0 or more"),
    ("expected u64", "expected a whole number of 0 or more"),
    ("expected usize", "expected a whole number of 0 or more"),
    ("expected i64", "expected a whole number"),
    ("expected f64", "expected a number"),
    ("expected a sequence", "expected a list, such as [\"…\"]"),
    ("expected a map", "expected a section of keys"),
    ("expected a boolean", "expected true or false, without quotes"),
    ("expected a string", "expected a text in quotes"),
    ("invalid type: string", "a text:"),
    ("invalid type: integer", "a number:"),
    ("invalid type: boolean", "true or false:"),
    ("invalid type: sequence", "a list"),
];

/// What a parser says of a value, in words for whoever wrote it.
#[must_use]
pub fn in_words(message: &str) -> String {
    IN_WORDS.iter().fold(message.to_owned(), |words, (technical, plain)| match words.find(technical) {
        // A longer word of theirs that begins alike is another one.
        Some(at)
            if words
                .get(at + technical.len()..)
                .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)) =>
        {
            words.replacen(technical, plain, 1)
        }
        Some(_) | None => words,
    })
}

/// Where a text stops being TOML, and why; `None` where it is TOML. The line itself is not shown: it may hold a secret.
#[must_use]
pub fn broken_toml(text: &str) -> Option<String> {
    let error = text.parse::<toml::Table>().err()?;
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count();
    let key = text.lines().nth(line).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    let is_key = |key: &&str| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.\"' ".contains(c))
    };
    let key = key.filter(is_key).map(|key| format!(" (the value of {key})")).unwrap_or_default();
    let message = error.message().lines().next().unwrap_or_default();
    Some(format!("line {}{key} is not TOML: {message}", line + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_said_in_words_for_whoever_wrote_them() {
        for (technical, plain) in [
            (
                "invalid type: string \"many\", expected u64",
                "a text: \"many\", expected a whole number of 0 or more",
            ),
            (
                "invalid type: string \"x\", expected a boolean",
                "a text: \"x\", expected true or false, without quotes",
            ),
            ("expected u64th", "expected u64th"),
            ("expected one of `a`, `b`", "expected one of `a`, `b`"),
        ] {
            assert_eq!(in_words(technical), plain);
        }
    }

    #[test]
    fn where_a_file_is_no_toml_its_line_and_key_are_named_and_its_value_is_not() {
        let text = "[freshsales]\nbundle_alias = \"acme\"\napi_key = \"secret-0123456789\nmode = \"live\"\n";
        let said = broken_toml(text).unwrap();
        assert!(said.starts_with("line 3 (the value of api_key) is not TOML: "), "{said}");
        assert!(!said.contains("secret-0123456789"), "{said}");
        assert_eq!(broken_toml("a = 1\n[b]\nc = \"d\""), None);
        let bare = broken_toml("api_key = secret-0123456789\n").unwrap();
        assert!(bare.starts_with("line 1 (the value of api_key)") && !bare.contains("secret-"), "{bare}");
    }
}
