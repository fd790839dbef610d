//! One span: a part of what became of an event, with a beginning and an end.

use super::ids::{SpanId, SpanRef};
use crate::clock::UnixMicros;

/// What stands at a span. Words are ours or the configuration's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    /// A word.
    Word(String),
    /// A number.
    Number(u64),
}

/// How a span stands to its callers, as OpenTelemetry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A part of the service.
    Internal,
    /// A request that came.
    Server,
    /// A call that was made.
    Client,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub of: SpanRef,
    pub parent: Option<SpanId>,
    pub name: &'static str,
    pub role: Role,
    pub began: UnixMicros,
    pub ended: UnixMicros,
    pub attributes: Vec<(&'static str, Attribute)>,
    pub links: Vec<SpanRef>,
    /// It did not reach what it was for.
    pub failed: bool,
}
