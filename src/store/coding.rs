//! How events stand in a group of the journal: the same bytes in every engine.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::event::{Kind, Position, SourceName, Trust};
use crate::store::{NewRecord, Record, StoreError};

/// An event in a group, borrowed on both ways. Its fields in this order are the format of the file.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct Stored<'a> {
    source: &'a str,
    people: &'a str,
    kind: &'a str,
    received_at: i64,
    at: i64,
    message_id: &'a str,
    /// One byte, which was `backfill` alone before.
    marks: u8,
    raw: &'a str,
}

/// It is old data being loaded.
const BACKFILL: u8 = 1;
/// Anybody may have sent it.
const VISITOR: u8 = 2;

fn marks(record: &NewRecord) -> u8 {
    let trust = match record.trust {
        Trust::Visitor => VISITOR,
        Trust::Server => 0,
    };
    trust | if record.backfill { BACKFILL } else { 0 }
}

/// Events that are read from groups, up to a number or a size.
pub(in crate::store) struct Reading {
    after: Position,
    events_max: usize,
    bytes_max: usize,
    /// What was read.
    pub(in crate::store) records: Vec<Record>,
    /// How many bytes that has.
    pub(in crate::store) bytes: usize,
}

impl Reading {
    /// Nothing yet of what stands behind a position.
    pub(in crate::store) fn new(after: Position, events_max: usize, bytes_max: usize) -> Self {
        Self { after, events_max, bytes_max, records: Vec::new(), bytes: 0 }
    }

    /// Reads a group; tells whether that is enough.
    pub(in crate::store) fn group(
        &mut self,
        first: u64,
        count: u64,
        group: &[u8],
    ) -> Result<bool, StoreError> {
        let mut rest = group;
        for position in (first..first.saturating_add(count)).map(Position) {
            if self.records.len() >= self.events_max {
                return Ok(true);
            }
            let stored;
            (stored, rest) = take(position, rest)?;
            if position <= self.after {
                continue;
            }
            self.bytes += stored.raw_bytes();
            self.records.push(stored.record(position)?);
            if self.bytes >= self.bytes_max {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Room for what stands beside the raw event.
const HEAD_BYTES: usize = 160;

/// Events one after the other.
pub(in crate::store) fn encode<'r>(
    records: impl Iterator<Item = &'r NewRecord> + Clone,
) -> Result<Vec<u8>, StoreError> {
    let bytes = records.clone().map(|record| record.raw.len() + HEAD_BYTES).sum();
    records
        .into_iter()
        .try_fold(Vec::with_capacity(bytes), |bytes, record| {
            let stored = Stored {
                source: &record.source.0,
                people: &record.people,
                kind: record.kind.as_str(),
                received_at: record.received_at.0,
                at: record.at.0,
                message_id: &record.message_id,
                marks: marks(record),
                raw: &record.raw,
            };
            postcard::to_extend(&stored, bytes)
        })
        .map_err(|error| StoreError::Unreadable("record", error.to_string()))
}

/// One event that stands alone.
pub(in crate::store) fn decode_one(position: Position, bytes: &[u8]) -> Result<Record, StoreError> {
    let stored: Stored<'_> = postcard::from_bytes(bytes)
        .map_err(|error| StoreError::Unreadable("failed event", error.to_string()))?;
    stored.record(position)
}

/// The next event of a group, and what follows it.
pub(in crate::store) fn take(position: Position, rest: &[u8]) -> Result<(Stored<'_>, &[u8]), StoreError> {
    postcard::take_from_bytes(rest).map_err(|_| damaged(position))
}

/// Whether all events of a group were received before a moment.
pub(in crate::store) fn received_before(
    first: Position,
    count: u64,
    bytes: &[u8],
    moment: UnixMicros,
) -> Result<bool, StoreError> {
    let mut rest = bytes;
    for position in (first.0..first.0.saturating_add(count)).map(Position) {
        let stored;
        (stored, rest) = take(position, rest)?;
        if stored.received_at >= moment.0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When the last event of a group was received.
#[cfg(feature = "postgres")]
pub(in crate::store) fn received_to(
    first: Position,
    count: u64,
    bytes: &[u8],
) -> Result<UnixMicros, StoreError> {
    let (mut rest, mut latest) = (bytes, i64::MIN);
    for position in (first.0..first.0.saturating_add(count)).map(Position) {
        let stored;
        (stored, rest) = take(position, rest)?;
        latest = latest.max(stored.received_at);
    }
    Ok(UnixMicros(latest.max(0)))
}

/// A group without the content of some of its events, which keep their places and their times; and which those were.
pub(in crate::store) fn blanked(
    first: Position,
    count: u64,
    bytes: &[u8],
    positions: &BTreeSet<Position>,
) -> Result<Vec<u8>, StoreError> {
    let (mut rest, mut written) = (bytes, Vec::with_capacity(bytes.len()));
    for position in (first.0..first.0.saturating_add(count)).map(Position) {
        let stored;
        (stored, rest) = take(position, rest)?;
        let blank = positions.contains(&position);
        let kept = if blank { Stored { message_id: "", raw: "", ..stored } } else { stored };
        written = postcard::to_extend(&kept, written)
            .map_err(|error| StoreError::Unreadable("record", error.to_string()))?;
    }
    Ok(written)
}

impl Stored<'_> {
    /// How many bytes were sent.
    pub(in crate::store) fn raw_bytes(&self) -> usize {
        self.raw.len()
    }

    /// The event at its place.
    pub(in crate::store) fn record(&self, position: Position) -> Result<Record, StoreError> {
        Ok(Record {
            position,
            event: NewRecord {
                source: SourceName(self.source.to_owned()),
                people: self.people.to_owned(),
                kind: Kind::of_record(self.kind).ok_or_else(|| damaged(position))?,
                received_at: UnixMicros(self.received_at),
                at: UnixMicros(self.at),
                message_id: self.message_id.to_owned(),
                backfill: self.marks & BACKFILL != 0,
                trust: if self.marks & VISITOR == 0 { Trust::Server } else { Trust::Visitor },
                raw: self.raw.to_owned(),
            },
        })
    }
}

fn damaged(position: Position) -> StoreError {
    StoreError::Fatal(format!("event {} of the journal can't be read", position.0))
}
