//! Email addresses as the key of a contact: in one spelling, checked for looking like one.
//!
//! Must not mend an address: a wrong one may be somebody else's.

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest address that SMTP can carry (RFC 5321, 4.5.3.1.3, less the brackets).
const EMAIL_CHARS_MAX: usize = 254;

/// A usable email address in lower case and in its one spelling.
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
    /// Reads an address: the text itself, or the only one that stands in it (`"Jane" <jane@example.com>`,
    /// `mailto:jane@example.com`). Characters that nobody sees are left out, and a domain has one spelling, the one that
    /// goes over the wire (`xn--mller-kva.example`).
    ///
    /// # Errors
    /// Tells whether it is a hash or no address at all.
    pub fn parse(text: &str) -> Result<Self, EmailProblem> {
        let text: String = text.chars().filter(|c| !is_invisible(*c)).map(half_width).collect();
        let text = text.trim();
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EmailProblem::Hashed);
        }
        spelled(text).or_else(|| only_one_in(text)).map(Self).ok_or(EmailProblem::Invalid)
    }

    /// Reads an address from a value of an event: text, or a list that names one address.
    ///
    /// # Errors
    /// As [`Email::parse`].
    pub fn from_value(value: &Value) -> Result<Self, EmailProblem> {
        let items = match value {
            Value::String(text) => return Self::parse(text),
            Value::Array(items) => items,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                return Err(EmailProblem::Invalid);
            }
        };
        let mut found: Vec<Self> = items
            .iter()
            .map(Self::from_value)
            .collect::<Result<_, _>>()
            .map_err(|_| EmailProblem::Invalid)?;
        found.dedup();
        found.pop().filter(|_| found.is_empty()).ok_or(EmailProblem::Invalid)
    }

    /// An address from the store, in the spelling in which it stands there: earlier versions had another one for a few.
    ///
    /// # Errors
    /// Where it is no address.
    pub fn from_store(text: &str) -> Result<Self, EmailProblem> {
        if looks_like_an_address(text) { Ok(Self(text.to_lowercase())) } else { Err(EmailProblem::Invalid) }
    }

    /// The spelling that an address of the store has now, where an earlier version gave it another one.
    #[must_use]
    pub fn respelled(&self) -> Option<Self> {
        // Most addresses always had the one they have.
        if self.0.is_ascii() && !self.0.contains("xn--") {
            return None;
        }
        Self::parse(&self.0).ok().filter(|now| now != self)
    }

    /// The address as people write it, where its domain has letters that are sent otherwise.
    #[must_use]
    pub fn as_written(&self) -> Option<String> {
        let (local, host) = self.0.rsplit_once('@').filter(|(_, host)| host.contains("xn--"))?;
        let (written, read) = idna::domain_to_unicode(host);
        read.is_ok().then(|| format!("{local}@{written}"))
    }

    /// The address as an earlier version stored it, where it stored it otherwise.
    #[must_use]
    pub fn as_stored_before(&self) -> Option<Self> {
        self.as_written().and_then(|written| Self::from_store(&written).ok()).filter(|before| before != self)
    }

    /// Whether a text is this address, in the spelling of now or in another that it had in the store.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0 == text || self.as_written().is_some_and(|written| written == text)
    }

    /// Whether this address stands in a text in lower case, in the spelling of now or in another that it had in the store.
    #[must_use]
    pub fn stands_in(&self, text: &str) -> bool {
        text.contains(&self.0) || self.as_written().is_some_and(|written| text.contains(&written))
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Format characters (Unicode's category Cf), variation selectors and control characters that separate nothing: the dirt
/// of copying and pasting.
fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{180B}'..='\u{180E}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// `＠` and the other full-width forms of ASCII.
fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c),
        '\u{FE6B}' => '@',
        _ => c,
    }
}

/// The one spelling of an address; `None` where the text is no address.
fn spelled(text: &str) -> Option<String> {
    let (local, host) = text.rsplit_once('@')?;
    // Letters of every script and their marks; not the quotes and dashes that stand around an address.
    let is_letter = |c: char| {
        c.is_ascii() || c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{1FFF}' | '\u{3002}' | '\u{FF61}')
    };
    if !text.chars().all(is_letter) {
        return None;
    }
    let address = if text.is_ascii() && !host.to_ascii_lowercase().contains("xn--") {
        text.to_ascii_lowercase()
    } else {
        let local = ComposingNormalizerBorrowed::new_nfc().normalize(&local.to_lowercase()).into_owned();
        let wire = idna::domain_to_ascii(host).ok();
        format!("{local}@{}", wire.or_else(|| host.is_ascii().then(|| host.to_ascii_lowercase()))?)
    };
    looks_like_an_address(&address).then_some(address)
}

/// The address in a text that names exactly one. What stands beside it has to be set apart: `jane doe@example.com` is a
/// slip of the pen, and `doe@example.com` somebody else.
fn only_one_in(text: &str) -> Option<String> {
    let decoded = html_escape::decode_html_entities(text);
    let decoded = if decoded.contains('@') { decoded } else { decoded.replace("%40", "@").into() };
    let is_mark = |c: char| c.is_whitespace() || "<>()[]{},;:|\"'`?“”„«»‘’".contains(c);
    let mut found: Option<(String, usize, usize)> = None;
    let mut at = 0;
    for piece in decoded.split_inclusive(is_mark) {
        let start = at;
        at += piece.len();
        let word = piece.trim_end_matches(is_mark).trim_matches(['.', '/', '!']);
        if !word.contains('@') {
            continue;
        }
        // A path is no address, and what is left of one is somebody else's.
        let address = spelled(word).filter(|address| !address.contains('/'))?;
        match &found {
            Some((known, ..)) if *known != address => return None,
            Some(_) => {}
            None => {
                let from = start + piece.find(word)?;
                found = Some((address, from, from + word.len()));
            }
        }
    }
    let (address, from, to) = found?;
    let before = decoded.get(..from)?.trim_end_matches(char::is_whitespace);
    let after = decoded.get(to..)?;
    let set_apart =
        before.is_empty() || !before.ends_with(char::is_alphanumeric) || is_named(before, &address);
    let follows = after.trim_start();
    let goes_on =
        follows.len() < after.len() && follows.starts_with(|c: char| c.is_alphanumeric() || c == '.');
    let slip = goes_on
        && follows
            .split(char::is_whitespace)
            .next()
            .is_some_and(|word| word.chars().count() <= 3 || word.starts_with('.'));
    (set_apart && !slip).then_some(address)
}

/// Whether words before an address are the name of whose it is: `Jane Doe jane.doe@example.com`.
fn is_named(words: &str, address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    words.to_lowercase().split_whitespace().any(|word| word.chars().count() >= 3 && local.contains(word))
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
