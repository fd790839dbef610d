//! Deals that were won, in the order of time. A row goes with its deal.
//!
//! Must not know whom they are of: that is asked of the deal, and of its person, each time.

use rusqlite::Connection;

use super::change::change;
use super::columns::{int, or_passed_over};
use super::deals::key;
use crate::clock::UnixMicros;
use crate::delivery::DealKey;
use crate::store::{StoreError, WonQuery};

/// The step of the schema. `at` is when it was won first, and never changes: what was reported once is not reported as another.
pub(super) const STEP: &str = "
    CREATE TABLE won (
        key TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        stands INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX won_by_time ON won (at, key);
    CREATE TRIGGER won_deal_gone AFTER DELETE ON deals BEGIN
        DELETE FROM won WHERE key = old.key;
    END;
";

/// Notes that a deal was won, or is won no more.
pub(super) fn put(connection: &Connection, deal: &DealKey, at: Option<UnixMicros>) -> Result<(), StoreError> {
    let key = deal.to_string();
    let done = match at {
        Some(at) => {
            let sql =
                "INSERT INTO won (key, at, stands) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET stands = 1";
            change(connection, sql, (key, at.0))
        }
        None => change(connection, "UPDATE won SET stands = 0 WHERE key = ?1", [key]),
    };
    done.map(|_| ())
}

/// Deals that are won, the first first.
pub(super) fn page(
    connection: &Connection,
    query: &WonQuery,
) -> Result<Vec<(DealKey, UnixMicros)>, StoreError> {
    let (at, after) =
        query.after.as_ref().map_or((query.since.0, String::new()), |(key, at)| (at.0, key.to_string()));
    let mut statement = connection.prepare_cached(
        "SELECT key, at FROM won WHERE (at, key) > (?1, ?2) AND stands = 1 ORDER BY at, key LIMIT ?3",
    )?;
    let mut rows = statement.query((at, after, int(query.limit.rows() as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let at = UnixMicros(row.get(1)?);
        found.extend(or_passed_over("deal", key("deal", text))?.map(|key| (key, at)));
    }
    Ok(found)
}

/// Deletes a part of those that were won so long ago that no file has them any more.
pub(super) fn prune(connection: &Connection, before: UnixMicros, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM won WHERE key IN (SELECT key FROM won WHERE at < ?1 ORDER BY at LIMIT ?2)";
    change(connection, sql, (before.0, limit)).map(|rows| rows as u64)
}
