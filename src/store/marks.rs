//! Hashes of whom must not come back, under a key of the store alone. Must not hold an id or an address.

use ring::hmac;

use crate::erasure::Mark;
use crate::event::SourceName;

/// What the id of a message of an erased person begins with.
pub(in crate::store) const MESSAGE: &str = "erased:";

/// The hash of a mark.
pub(in crate::store) fn hash(key: &hmac::Key, mark: &Mark) -> hmac::Tag {
    hmac::sign(key, mark.text().as_bytes())
}

/// Under what a message of an erased person is remembered in place of its id.
pub(in crate::store) fn message_id(key: &hmac::Key, source: &SourceName, message_id: &str) -> String {
    let hash = hash(key, &Mark::Message(source.clone(), message_id.to_owned()));
    hash.as_ref().iter().fold(MESSAGE.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
