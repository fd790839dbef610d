//! The id of something that is told once: a note, an activity, a task.
//!
//! Made of the message that it follows from, so that the same message has the same id whenever it comes, and under a key of
//! the data folder, so that nobody reads anything out of it. Must not know what is told.

use std::fmt;
use std::str::FromStr;

use ring::hmac;
use serde::{Deserialize, Serialize};

use super::{HappeningKind, NoSubject};
use crate::event::SourceName;

/// Characters of an id behind its kind.
const ID_CHARS: usize = 16;
/// Characters of an id that are written into the text, to find that again.
const MARKER_CHARS: usize = 10;
/// Digits and letters without those that are taken for one another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a mark: 100 bits.
const MARK_CHARS: usize = 20;

/// The key of a data folder that ids are made under.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MarkerKey([u8; 32]);

impl MarkerKey {
    /// The key of ids, made of the key of a data folder.
    #[must_use]
    pub fn of(folder_key: &hmac::Key) -> Self {
        let tag = hmac::sign(folder_key, b"happenings");
        let mut key = [0; 32];
        key.iter_mut().zip(tag.as_ref()).for_each(|(byte, made)| *byte = *made);
        Self(key)
    }

    /// What stands for a text that is not kept itself: the same for the same text, and nothing to whom has not the key.
    #[must_use]
    pub fn mark(&self, text: &str) -> String {
        let text = format!("mark:{}:{text}", text.len());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), text.as_bytes());
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
        tag.as_ref().iter().take(MARK_CHARS).filter_map(letter).collect()
    }

    /// A key for something else that is to be the same whenever it is made, and is no other key's.
    #[must_use]
    pub fn key_of(&self, purpose: &str) -> hmac::Key {
        let own = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&own, format!("key:{purpose}").as_bytes()).as_ref())
    }
}

impl fmt::Debug for MarkerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkerKey([redacted])")
    }
}

/// The id of something that is told once. As text `note-4F7K2Q9XZC0HJMNP`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HappeningId {
    kind: HappeningKind,
    code: String,
}

impl HappeningId {
    /// The one that follows from a message.
    #[must_use]
    pub fn of(key: &MarkerKey, kind: HappeningKind, source: &SourceName, message_id: &str) -> Self {
        Self::signed(key, kind, &["message", &source.0, message_id, kind.as_str()])
    }

    /// The note that says how much more happened on a day than is told of a record.
    #[must_use]
    pub fn of_day(key: &MarkerKey, target: &str, day: i64) -> Self {
        Self::signed(key, HappeningKind::Note, &["day", target, &day.to_string()])
    }

    fn signed(key: &MarkerKey, kind: HappeningKind, parts: &[&str]) -> Self {
        // No part can run into the next: each is preceded by its length.
        let parts: Vec<String> = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        let text = parts.concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.0), text.as_bytes());
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
        Self { kind, code: tag.as_ref().iter().take(ID_CHARS).filter_map(letter).collect() }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> HappeningKind {
        self.kind
    }

    /// What stands at the end of its text in Freshsales, to be found there.
    #[must_use]
    pub fn marker(&self) -> &str {
        self.code.get(..MARKER_CHARS).unwrap_or(&self.code)
    }
}

impl fmt::Display for HappeningId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.as_str(), self.code)
    }
}

impl FromStr for HappeningId {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        let (word, code) = text.split_once('-').ok_or(NoSubject)?;
        let kind = HappeningKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(NoSubject)?;
        let fits = code.len() == ID_CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte));
        fits.then(|| Self { kind, code: code.to_owned() }).ok_or(NoSubject)
    }
}

impl From<HappeningId> for String {
    fn from(id: HappeningId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for HappeningId {
    type Error = NoSubject;

    fn try_from(text: String) -> Result<Self, NoSubject> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MarkerKey {
        MarkerKey::of(&hmac::Key::new(hmac::HMAC_SHA256, &[byte]))
    }

    #[test]
    fn a_message_has_one_id_under_a_key_and_another_for_everything_else() {
        let source = |name: &str| SourceName(name.to_owned());
        let id = HappeningId::of(&key(1), HappeningKind::Note, &source("web"), "m-1");
        assert_eq!(HappeningId::of(&key(1), HappeningKind::Note, &source("web"), "m-1"), id);
        for other in [
            HappeningId::of(&key(2), HappeningKind::Note, &source("web"), "m-1"),
            HappeningId::of(&key(1), HappeningKind::Task, &source("web"), "m-1"),
            HappeningId::of(&key(1), HappeningKind::Note, &source("webm"), "-1"),
            HappeningId::of(&key(1), HappeningKind::Note, &source("web"), "m-2"),
        ] {
            assert_ne!(other.marker(), id.marker());
        }
        assert_eq!(id.marker().len(), MARKER_CHARS);
        assert_eq!(id.to_string().parse::<HappeningId>(), Ok(id));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in
            ["", "note", "note-", "note-4F7K2Q9XZC", "letter-4F7K2Q9XZC0HJMNP", "note-4F7K2Q9XZC0HJMNU"]
        {
            assert_eq!(text.parse::<HappeningId>(), Err(NoSubject), "{text}");
        }
    }

    #[test]
    fn the_key_is_not_in_the_debug_print() {
        assert_eq!(format!("{:?}", key(7)), "MarkerKey([redacted])");
    }
}
