//! The records of the journal: events as they were accepted, in two streams so that no import holds up who is there now.

use crate::clock::UnixMicros;
use crate::event::{Kind, Position, SourceName, Trust};

/// An accepted event on its way into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// The source whose write key it came with.
    pub source: SourceName,
    /// The source's name space of people.
    pub people: String,
    /// What kind it is; the route's where the route names one.
    pub kind: Kind,
    /// When it was received; the nth of a request counts n microseconds later.
    pub received_at: UnixMicros,
    /// When it happened, corrected.
    pub at: UnixMicros,
    /// The sender's message id, or one we made.
    pub message_id: String,
    /// It is old data being loaded.
    pub backfill: bool,
    /// How far the door it came through lets it be believed.
    pub trust: Trust,
    /// The event as it was sent.
    pub raw: String,
}

impl NewRecord {
    /// The stream it belongs to.
    #[must_use]
    pub fn stream(&self) -> Stream {
        if self.backfill { Stream::Old } else { Stream::Live }
    }
}

/// A part of the journal that is read by itself. Positions are given out over both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// What happens now. It takes effect first.
    Live,
    /// Old data that is being loaded.
    Old,
}

/// How far the journal has taken effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processed {
    /// The last position of the live stream whose event has taken effect.
    pub live: Position,
    /// The last of the stream of old data.
    pub old: Position,
    /// Events of both that have.
    pub events: u64,
}

impl Processed {
    /// The last position of a stream whose event has taken effect.
    #[must_use]
    pub fn of(&self, stream: Stream) -> Position {
        match stream {
            Stream::Live => self.live,
            Stream::Old => self.old,
        }
    }
}

/// An event in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub position: Position,
    /// What was appended.
    pub event: NewRecord,
}
