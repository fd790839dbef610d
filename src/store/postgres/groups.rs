//! Reading the journal.

use super::link::Link;
use super::value::{column, int, uint, values};
use crate::clock::UnixMicros;
use crate::event::Position;
use crate::store::columns::int as signed;
use crate::store::{Record, StoreError, Stream, coding};

/// Groups that are asked for at once.
const GROUPS_MAX: i64 = 256;
/// What stands beside an event in a group, about.
const HEAD_BYTES: usize = 64;

/// The number of a stream.
pub(super) fn number(stream: Stream) -> i16 {
    match stream {
        Stream::Live => 0,
        Stream::Old => 1,
    }
}

/// Events of a stream after a position: at most so many, and no more once so many bytes are passed.
pub(super) async fn read(
    link: &Link,
    stream: Stream,
    after: Position,
    (events_max, bytes_max): (usize, usize),
) -> Result<Vec<Record>, StoreError> {
    // As many groups as hold that, and one at least.
    let sql = "SELECT first, count, bytes FROM (
            SELECT first, count, bytes, sum(length) OVER w - length AS before, sum(count) OVER w - count AS events FROM (
                SELECT first, count, length, bytes FROM groups WHERE tenant = 1 AND stream = $1 AND first + count > $2
                    AND first >= coalesce((SELECT max(first) FROM groups
                        WHERE tenant = 1 AND stream = $1 AND first <= $2), 0)
                ORDER BY first LIMIT $3) AS g WINDOW w AS (ORDER BY first)) AS s
        WHERE before <= $4::bigint AND events <= $5::bigint ORDER BY first";
    let (mut reading, mut from) = (coding::Reading::new(after, events_max, bytes_max), after);
    loop {
        let room = bytes_max
            .saturating_sub(reading.bytes)
            .saturating_add(HEAD_BYTES.saturating_mul(events_max.min(10_000)));
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        let events = i64::try_from(events_max.saturating_sub(reading.records.len())).unwrap_or(i64::MAX);
        let next = signed(from.0.saturating_add(1));
        let rows = link.rows(sql, values![number(stream), next, GROUPS_MAX, room, events]).await?;
        let mut last = from;
        for row in &rows {
            let (first, count) = (uint(row, 0)?, uint(row, 1)?);
            let end = Position(first.saturating_add(count).saturating_sub(1));
            last = end;
            let group: Vec<u8> = column(row, 2)?;
            if reading.group(first, count, &group)? {
                return Ok(reading.records);
            }
        }
        if last == from {
            return Ok(reading.records);
        }
        from = last;
    }
}

/// One event, while it is kept.
pub(super) async fn record(link: &Link, position: Position) -> Result<Option<Record>, StoreError> {
    let Some(before) = position.0.checked_sub(1) else { return Ok(None) };
    for stream in [Stream::Live, Stream::Old] {
        let found = read(link, stream, Position(before), (1, 0)).await?.pop();
        if let Some(found) = found.filter(|record| record.position == position) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A group: its stream, its first position, how many events, and those.
pub(super) type Group = (Stream, i64, i64, Vec<u8>);

/// The group that holds an event, in whichever stream.
pub(super) async fn of(link: &Link, position: Position) -> Result<Option<Group>, StoreError> {
    for stream in [Stream::Live, Stream::Old] {
        let sql = "SELECT first, count, bytes FROM groups WHERE tenant = 1 AND stream = $1 AND first <= $2
                   ORDER BY first DESC LIMIT 1";
        let Some(row) = link.row(sql, values![number(stream), signed(position.0)]).await? else { continue };
        let (first, count) = (int(&row, 0)?, int(&row, 1)?);
        if signed(position.0) < first + count {
            return Ok(Some((stream, first, count, column(&row, 2)?)));
        }
    }
    Ok(None)
}

/// When the last event was received, if it is still kept, or the last slot taken. When a slot counts as answered may be to come:
/// the call of a node that is gone is given its time.
pub(super) async fn latest(link: &Link) -> Result<UnixMicros, StoreError> {
    let sql = "SELECT greatest(
            (SELECT coalesce(max(received_to), 0) FROM groups WHERE tenant = 1 AND first >=
                (SELECT coalesce(max(first), 0) FROM groups WHERE tenant = 1 AND stream = 0)),
            (SELECT coalesce(max(taken_at), 0) FROM slots WHERE tenant = 1))";
    let row = link.row(sql, values![]).await?;
    Ok(UnixMicros(row.map(|row| int(&row, 0)).transpose()?.unwrap_or(0)))
}
