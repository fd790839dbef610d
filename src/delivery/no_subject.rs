//! A text that names nothing that a call could be about.

/// A text that names no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject is written contact:ADDRESS, company:NAME, deal:PEOPLE/KIND/KEY or happening:ID")]
pub struct NoSubject;
