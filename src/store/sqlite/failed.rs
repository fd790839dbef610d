//! Events that were put aside because they could not be processed. Bounded in rows and bytes.

use rusqlite::{Connection, OptionalExtension};

use super::change::{change, change_one};
use super::columns::{int, uint};
use crate::clock::UnixMicros;
use crate::event::Position;
use crate::store::bodies::{self, FAILED_BYTES_MAX as BYTES_MAX, FAILED_MAX as ROWS_MAX};
use crate::store::counters::FAILED_LOST;
use crate::store::{Failed, Record, StoreError};

/// Puts an event aside.
pub(super) fn put(connection: &Connection, failed: &Failed) -> Result<(), StoreError> {
    let Record { position, event } = &failed.record;
    let body = bodies::of_failed(failed)?;
    make_room(connection, body.len() as u64)?;
    let sql = "INSERT OR REPLACE INTO failed (position, source, received_at, bytes, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = (int(position.0), &event.source.0, event.received_at.0, int(body.len() as u64), body);
    change(connection, sql, values)?;
    let sql =
        "INSERT OR IGNORE INTO seen (source, message_id, position, received_at) VALUES (?1, ?2, ?3, ?4)";
    let values = (&event.source.0, &event.message_id, int(position.0), event.received_at.0);
    change(connection, sql, values).map(|_| ())
}

/// Gives up the oldest of the source with most until another one fits.
fn make_room(connection: &Connection, bytes: u64) -> Result<(), StoreError> {
    loop {
        let (rows, used): (i64, i64) = connection
            .prepare_cached(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM failed INDEXED BY failed_by_source",
            )?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        if rows == 0 || (uint(rows) < ROWS_MAX && uint(used).saturating_add(bytes) <= BYTES_MAX) {
            return Ok(());
        }
        let oldest: Option<i64> = connection
            .prepare_cached(
                "SELECT min(position) FROM failed INDEXED BY failed_by_source
                 GROUP BY source ORDER BY count(*) DESC, source LIMIT 1",
            )?
            .query_row((), |row| row.get(0))
            .optional()?;
        let Some(oldest) = oldest else { return Ok(()) };
        change(connection, "DELETE FROM failed WHERE position = ?1", [oldest])?;
        lost(connection, 1)?;
    }
}

fn lost(connection: &Connection, rows: usize) -> Result<(), StoreError> {
    if rows == 0 {
        return Ok(());
    }
    let sql = "INSERT INTO counters VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + excluded.value";
    change(connection, sql, (FAILED_LOST, int(rows as u64))).map(|_| ())
}

/// An event is aside no more.
pub(super) fn end(connection: &Connection, position: Position) -> Result<(), StoreError> {
    change_one(connection, "DELETE FROM failed WHERE position = ?1", [int(position.0)])
}

/// How many there are.
pub(super) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM failed INDEXED BY failed_by_source";
    Ok(uint(connection.prepare_cached(sql)?.query_row((), |row| row.get(0))?))
}

/// Gives up those that were received before a moment: their time is that of the trail.
pub(super) fn prune(connection: &Connection, before: UnixMicros, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM failed WHERE position IN
               (SELECT position FROM failed WHERE received_at < ?1 ORDER BY position LIMIT ?2)";
    let rows = change(connection, sql, (before.0, limit))?;
    lost(connection, rows)?;
    Ok(rows as u64)
}

/// Those after a position, oldest first.
pub(super) fn after(
    connection: &Connection,
    after: Position,
    limit: usize,
) -> Result<Vec<Failed>, StoreError> {
    let sql = "SELECT position, body FROM failed WHERE position > ?1 ORDER BY position LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((int(after.0), int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push(bodies::failed(Position(uint(row.get(0)?)), body)?);
    }
    Ok(found)
}
