//! How events stand in a group of the journal, and reading them back. Must not write to the file.

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::columns::{int, uint};
use crate::clock::UnixMicros;
use crate::event::{Kind, Position, SourceName, Trust};
use crate::store::{NewRecord, Processed, Record, StoreError, Stream};

/// An event in a group, borrowed on both ways. Its fields in this order are the format of the file.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
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

/// Room for what stands beside the raw event.
const HEAD_BYTES: usize = 160;

/// Events one after the other.
pub(super) fn encode<'r>(
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
pub(super) fn decode_one(position: Position, bytes: &[u8]) -> Result<Record, StoreError> {
    let stored: Stored<'_> = postcard::from_bytes(bytes)
        .map_err(|error| StoreError::Unreadable("failed event", error.to_string()))?;
    stored.record(position)
}

/// The table that holds the groups of a stream.
pub(super) fn table(stream: Stream) -> &'static str {
    match stream {
        Stream::Live => "groups",
        Stream::Old => "old_groups",
    }
}

/// Events of a stream after a position: at most `events_max`, and no more once `bytes_max` is passed.
pub(super) fn read(
    connection: &Connection,
    stream: Stream,
    after: Position,
    events_max: usize,
    bytes_max: usize,
) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    let mut bytes = 0;
    let groups = table(stream);
    let sql = format!(
        "SELECT first, count, bytes FROM {groups}
         WHERE first >= coalesce((SELECT max(first) FROM {groups} WHERE first <= ?1), 0) ORDER BY first"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([int(after.0.saturating_add(1))])?;
    while let Some(row) = rows.next()? {
        let (first, count) = (uint(row.get(0)?), uint(row.get(1)?));
        if first.saturating_add(count) <= after.0.saturating_add(1) {
            continue;
        }
        let mut rest = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        for position in (first..first.saturating_add(count)).map(Position) {
            if records.len() >= events_max {
                return Ok(records);
            }
            let stored;
            (stored, rest) = postcard::take_from_bytes::<Stored<'_>>(rest).map_err(|_| damaged(position))?;
            if position <= after {
                continue;
            }
            bytes += stored.raw.len();
            records.push(stored.record(position)?);
            if bytes >= bytes_max {
                return Ok(records);
            }
        }
    }
    Ok(records)
}

/// One event, while it is kept.
pub(super) fn record(connection: &Connection, position: Position) -> Result<Option<Record>, StoreError> {
    let Some(before) = position.0.checked_sub(1) else {
        return Ok(None);
    };
    for stream in [Stream::Live, Stream::Old] {
        let found = read(connection, stream, Position(before), 1, 0)?.pop();
        if let Some(found) = found.filter(|record| record.position == position) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// When the oldest event was received that has not taken effect, in either stream.
pub(super) fn waiting_since(
    connection: &Connection,
    processed: Processed,
) -> Result<Option<UnixMicros>, StoreError> {
    let mut since: Option<UnixMicros> = None;
    for stream in [Stream::Live, Stream::Old] {
        let next = read(connection, stream, processed.of(stream), 1, 0)?;
        let received = next.first().map(|record| record.event.received_at);
        since = [since, received].into_iter().flatten().min();
    }
    Ok(since)
}

/// Whether all events of a group were received before a moment.
pub(super) fn received_before(
    first: Position,
    count: u64,
    bytes: &[u8],
    moment: UnixMicros,
) -> Result<bool, StoreError> {
    let mut rest = bytes;
    for position in (first.0..first.0.saturating_add(count)).map(Position) {
        let stored;
        (stored, rest) = postcard::take_from_bytes::<Stored<'_>>(rest).map_err(|_| damaged(position))?;
        if stored.received_at >= moment.0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A group without the content of some of its events, which keep their places and their times; and which those were.
pub(super) fn blanked(
    first: Position,
    count: u64,
    bytes: &[u8],
    positions: &BTreeSet<Position>,
) -> Result<Vec<u8>, StoreError> {
    let (mut rest, mut written) = (bytes, Vec::with_capacity(bytes.len()));
    for position in (first.0..first.0.saturating_add(count)).map(Position) {
        let stored;
        (stored, rest) = postcard::take_from_bytes::<Stored<'_>>(rest).map_err(|_| damaged(position))?;
        let blank = positions.contains(&position);
        let kept = if blank { Stored { message_id: "", raw: "", ..stored } } else { stored };
        written = postcard::to_extend(&kept, written)
            .map_err(|error| StoreError::Unreadable("record", error.to_string()))?;
    }
    Ok(written)
}

impl Stored<'_> {
    fn record(&self, position: Position) -> Result<Record, StoreError> {
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
