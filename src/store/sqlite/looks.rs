//! Looks: who was shown a person, in the order of time. Of whom it was there is a hash alone.

use rusqlite::Connection;

use super::change::change;
use super::columns::int;
use crate::clock::UnixMicros;
use crate::store::StoreError;
use crate::trail::Look;

/// The step of the schema.
pub(super) const STEP: &str = "
    CREATE TABLE looks (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        route TEXT NOT NULL,
        whom TEXT NOT NULL
    ) STRICT;
    CREATE INDEX looks_at ON looks (whom, place);
";

/// So many are kept, the latest.
const KEPT_MAX: i64 = 100_000;

/// Notes a look.
pub(super) fn put(connection: &Connection, look: &Look) -> Result<(), StoreError> {
    let sql = "INSERT INTO looks (at, who, route, whom) VALUES (?1, ?2, ?3, ?4)";
    change(connection, sql, (look.at.0, &look.who, &look.route, &look.whom))?;
    let sql = "DELETE FROM looks WHERE place <= ?1";
    change(connection, sql, [connection.last_insert_rowid() - KEPT_MAX]).map(|_| ())
}

/// The latest looks, of anybody or at one, the last one first.
pub(super) fn latest(
    connection: &Connection,
    whom: Option<&str>,
    limit: usize,
) -> Result<Vec<Look>, StoreError> {
    let limit = int(limit as u64);
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Look { at: UnixMicros(row.get(0)?), who: row.get(1)?, route: row.get(2)?, whom: row.get(3)? })
    };
    let found: rusqlite::Result<Vec<Look>> = match whom {
        None => {
            let sql = "SELECT at, who, route, whom FROM looks ORDER BY place DESC LIMIT ?1";
            connection.prepare_cached(sql)?.query_map([limit], read)?.collect()
        }
        Some(whom) => {
            let sql = "SELECT at, who, route, whom FROM looks WHERE whom = ?1 ORDER BY place DESC LIMIT ?2";
            connection.prepare_cached(sql)?.query_map((whom, limit), read)?.collect()
        }
    };
    Ok(found?)
}
