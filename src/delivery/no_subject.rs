//! What is no subject: a text that names nothing that a call could be about.

/// Characters of the name of a company or a list, or of a deal's key, that are kept; what is longer is no name and no key.
pub const KEY_CHARS_MAX: usize = 255;

/// A text that names no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a subject is written contact:ADDRESS, company:NAME, deal:PEOPLE/KIND/KEY, happening:ID or list:NAME:ADDRESS"
)]
pub struct NoSubject;
