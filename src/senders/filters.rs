//! Addresses that never become contacts: staff, tests.
//!
//! Must not know people.

use crate::event::Email;

/// Patterns of addresses; `*` stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(Vec<String>);

impl Filters {
    /// These patterns.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        Self(patterns.iter().map(|pattern| spelled(pattern)).collect())
    }

    /// The pattern that an address fits, if it fits one.
    #[must_use]
    pub fn excludes(&self, email: &Email) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|pattern| fits(email.as_str(), pattern))
    }
}

/// A pattern in the spelling that addresses have: lower case, the names of a domain as they travel (`xn--…`).
fn spelled(pattern: &str) -> String {
    let pattern = pattern.trim().to_lowercase();
    let Some((local, domain)) = pattern.rsplit_once('@') else { return pattern };
    let wire = |label: &str| {
        let plain = label.is_ascii() || label.contains('*');
        let wire = (!plain).then(|| idna::domain_to_ascii(label).ok()).flatten();
        wire.unwrap_or_else(|| label.to_owned())
    };
    let domain: Vec<String> = domain.split('.').map(wire).collect();
    format!("{local}@{}", domain.join("."))
}

/// Whether a pattern can fit an address and can't fit every one.
#[must_use]
pub fn is_pattern(pattern: &str) -> bool {
    let pattern = pattern.trim();
    let said = pattern.chars().any(|c| !matches!(c, '*' | '@' | '.'));
    said && !pattern.contains(char::is_whitespace) && pattern.matches('@').count() <= 1
}

fn fits(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let filters = Filters::new(&[
            "*@acme.example".to_owned(),
            " QA+*@*.example.com".to_owned(),
            "sam@b.co".into(),
            "*@B\u{fc}cher.example".into(),
        ]);
        for (email, pattern) in [
            ("anyone@acme.example", Some("*@acme.example")),
            ("anyone@not-acme.example", None),
            ("anyone@acme.example.com", None),
            ("qa+7@shop.example.com", Some("qa+*@*.example.com")),
            ("qa@shop.example.com", None),
            ("sam@b.co", Some("sam@b.co")),
            ("samuel@b.co", None),
            ("sam@b.com", None),
            ("qa@b\u{fc}cher.example", Some("*@xn--bcher-kva.example")),
        ] {
            assert_eq!(filters.excludes(&Email::parse(email).unwrap()), pattern, "{email}");
        }
    }

    #[test]
    fn what_fits_everybody_is_no_pattern() {
        for (pattern, expected) in [
            ("*", false),
            ("*@*.*", false),
            ("", false),
            ("a b@c.d", false),
            ("*@a@b", false),
            ("*@acme.example", true),
            ("@acme.example", true),
        ] {
            assert_eq!(is_pattern(pattern), expected, "{pattern}");
        }
    }
}
