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
