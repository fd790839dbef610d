//! Email addresses as the key of a contact: trimmed, lower-cased, checked for looking like one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest address that SMTP can carry (RFC 5321, 4.5.3.1.3, less the brackets).
const EMAIL_CHARS_MAX: usize = 254;

/// A usable email address, trimmed and in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// Why a text is not taken as an email address. Neither repeats the text: it may be personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailProblem {
    /// 64 hex digits: a SHA-256, as advertising tags send it. A CRM can't write to a hash.
    #[error("the email is a hash (64 hex digits), not an address")]
    Hashed,
    /// Not of the form name@host.
    #[error("the email does not look like an address")]
    Invalid,
}

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// Tells whether it is a hash or no address at all.
    pub fn parse(text: &str) -> Result<Self, EmailProblem> {
        let text = text.trim();
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EmailProblem::Hashed);
        }
        if looks_like_an_address(text) { Ok(Self(text.to_lowercase())) } else { Err(EmailProblem::Invalid) }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn looks_like_an_address(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let fits = text.chars().count() <= EMAIL_CHARS_MAX && !local.is_empty() && local.len() <= 64;
    let clean = |part: &str| {
        !part.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"@".contains(c))
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let dotted = host.contains('.') && host.split('.').all(label);
    let local_dots = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    fits && clean(local) && local_dots && dotted
}

/// Personal data: shown in full only where somebody asked for it, never by `{:?}`.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}
