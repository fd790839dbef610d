//! Reading the journal. Must not write to the file.

use rusqlite::Connection;

use super::columns::{int, uint};
use crate::clock::UnixMicros;
use crate::event::Position;
use crate::store::coding;
pub(super) use crate::store::coding::{blanked, encode, received_before};
use crate::store::{Processed, Record, StoreError, Stream};

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
    let mut reading = coding::Reading::new(after, events_max, bytes_max);
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
        if reading.group(first, count, row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?)? {
            break;
        }
    }
    Ok(reading.records)
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
