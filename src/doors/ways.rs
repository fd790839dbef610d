//! What a configuration says of the ways in, as far as somebody who connects a sender has to know it.
//!
//! Must not hold a secret whole: of each the last characters are enough to compare.

use secrecy::{ExposeSecret, SecretString};

use crate::event::SourceName;

/// Of a secret with fewer characters nothing is shown: four would be too much of it.
const SHOWN_OF_CHARS_MIN: usize = 12;
const SHOWN_CHARS: usize = 4;

/// All ways in.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// `server.public_url` without a slash at its end; empty: it is not set.
    pub public_url: String,
    /// By source, in the order of their names.
    pub sources: Vec<SourceWays>,
}

/// The ways in of one source.
#[derive(Clone, Debug)]
pub struct SourceWays {
    /// Its name.
    pub name: SourceName,
    /// Why nothing of it is accepted; `None`: it is on.
    pub off: Option<Off>,
    /// No call is made for its events.
    pub dry_run: bool,
    /// Pages that may send, as configured.
    pub allowed_origins: Vec<String>,
    /// Its write keys.
    pub write_keys: Vec<SecretEnd>,
    /// Whether and how it takes forms.
    pub form: Option<FormWay>,
    /// The webhooks whose messages are its events.
    pub hooks: Vec<HookWay>,
}

/// Why nothing of a source is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// `enabled` is false.
    Disabled,
    /// It has no write key, takes no forms and no hook names it.
    NoWay,
}

/// How a source takes forms.
#[derive(Clone, Debug)]
pub struct FormWay {
    /// The lines of HTML to paste, with [`super::ADDRESS`] in place of the address of the service.
    pub html: String,
    /// Fields that must be filled beside the email.
    pub required: Vec<String>,
    /// Pages that a visitor may be sent to afterwards.
    pub redirects: Vec<String>,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct HookWay {
    /// Its name, which is the end of its address.
    pub name: String,
    /// The word of its kind.
    pub kind: &'static str,
    /// Where its address is entered at the sender.
    pub enter_in: &'static str,
    /// What the sender calls the secret.
    pub secret_is: &'static str,
    /// Its secrets.
    pub secrets: Vec<SecretEnd>,
    /// How a message proves where it comes from.
    pub proof: HookProof,
    /// What the sender is asked to tell of its records, where it is one whose records are kept current.
    pub tells: Vec<Tells>,
}

/// What a sender is asked to tell whenever a record of its own changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tells {
    /// The word for the kind of record.
    pub record: &'static str,
    /// What is called here what, and what the sender calls it, about: it is chosen there from a list.
    pub fields: Vec<(String, String)>,
}

/// How a message of a hook proves where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookProof {
    /// A signature in this header.
    Signature {
        /// The header's name.
        header: String,
    },
    /// A token in this header.
    Token {
        /// The header's name.
        header: String,
    },
    /// Neither is configured, so the hook takes nothing.
    Missing,
}

/// The last characters of a secret, to compare by; none of a short one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretEnd(Option<String>);

impl SecretEnd {
    /// The end of a secret.
    #[must_use]
    pub fn of(secret: &SecretString) -> Self {
        let letters: Vec<char> = secret.expose_secret().chars().collect();
        let shown = letters.len() >= SHOWN_OF_CHARS_MIN;
        Self(shown.then(|| letters.iter().skip(letters.len() - SHOWN_CHARS).collect()))
    }

    /// The characters, where any are shown.
    #[must_use]
    pub fn shown(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_secret_its_last_four_characters_are_shown_and_of_a_short_one_nothing() {
        for (secret, end) in [
            ("whsec_0123456789abcdef", Some("cdef")),
            ("twelve_chars", Some("hars")),
            ("eleven_char", None),
            ("", None),
            ("schlüsselwört", Some("wört")),
        ] {
            assert_eq!(SecretEnd::of(&SecretString::from(secret)).shown(), end, "{secret}");
        }
    }
}
