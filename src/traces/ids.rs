//! The ids of traces and spans: made of what is stored, under a key of the data folder, so that every process and every restart
//! makes the same, and two installations with one collector never do.

use std::fmt;

use ring::hmac;

use crate::delivery::DeliveryId;
use crate::event::Position;

/// Names a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceId([u8; 16]);

/// Names a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanId([u8; 8]);

/// A span of some trace, as parents and links name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanRef {
    pub trace: TraceId,
    pub span: SpanId,
}

/// Makes ids, and says of which traces spans are told.
#[derive(Clone, Copy)]
pub(super) struct Ids<'k> {
    pub key: &'k hmac::Key,
    pub percent: u8,
}

impl Ids<'_> {
    /// The trace of an event.
    pub fn of_event(&self, position: Position) -> TraceId {
        self.trace(&format!("event {}", position.0))
    }

    /// The trace of a delivery: that of the event that opened it, where one did.
    pub fn of_delivery(&self, id: &DeliveryId) -> TraceId {
        id.opened_by().map_or_else(|| self.trace(&format!("delivery {id}")), |event| self.of_event(event))
    }

    fn trace(&self, of: &str) -> TraceId {
        TraceId(self.made(of))
    }

    /// A span of a trace, by what it is of.
    pub fn span(&self, trace: TraceId, of: &str) -> SpanRef {
        SpanRef { trace, span: SpanId(self.made(&format!("{trace} {of}"))) }
    }

    /// Whether spans of a trace are told. The same traces, whoever asks, and a higher share has those of a lower one.
    pub fn samples(&self, trace: TraceId) -> bool {
        let [.., high, low] = trace.0;
        u32::from(u16::from_be_bytes([high, low])) * 100 < u32::from(self.percent) * 65_536
    }

    fn made<const BYTES: usize>(&self, of: &str) -> [u8; BYTES] {
        let tag = hmac::sign(self.key, of.as_bytes());
        let mut id = [0; BYTES];
        id.iter_mut().zip(tag.as_ref()).for_each(|(byte, made)| *byte = *made);
        id
    }
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}
