//! Acts: what was ordered, and what the service did by itself, in the order of time.

use rusqlite::Connection;

use super::change::change;
use super::columns::int;
use crate::clock::UnixMicros;
use crate::store::StoreError;
use crate::trail::{Act, ActKind};

/// The step of the schema.
pub(super) const STEP: &str = "
    CREATE TABLE acts (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        who TEXT NOT NULL,
        about TEXT NOT NULL
    ) STRICT;
";

/// So many are kept, the latest.
const KEPT_MAX: i64 = 10_000;

/// Notes an act.
pub(super) fn put(connection: &Connection, act: &Act) -> Result<(), StoreError> {
    let sql = "INSERT INTO acts (at, kind, who, about) VALUES (?1, ?2, ?3, ?4)";
    change(connection, sql, (act.at.0, act.kind.as_str(), &act.who, &act.about))?;
    let sql = "DELETE FROM acts WHERE place <= ?1";
    change(connection, sql, [connection.last_insert_rowid() - KEPT_MAX]).map(|_| ())
}

/// The latest acts, the last one first. Those of kinds that this version does not know are left out.
pub(super) fn latest(connection: &Connection, limit: usize) -> Result<Vec<Act>, StoreError> {
    let sql = "SELECT at, kind, who, about FROM acts ORDER BY place DESC LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([int(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(kind) = ActKind::parse(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?) else {
            continue;
        };
        found.push(Act { at: UnixMicros(row.get(0)?), kind, who: row.get(2)?, about: row.get(3)? });
    }
    Ok(found)
}
