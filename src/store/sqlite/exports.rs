//! Exports and their rows, by the id of the deal: one that comes again on another page is the same row.
//!
//! Must not decide what a row holds.

use rusqlite::Connection;

use super::change::change;
use super::columns::{from_text, int, or_passed_over, to_text, uint};
use crate::export::{Export, Row};
use crate::store::{ExportRows, PutExport, StoreError};

/// The step of the schema.
pub(super) const STEP: &str = "
    CREATE TABLE exports (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
    -- `whole`: 0 where the deal is to be asked for, 1 where all of it is known, 2 where it is noted alone.
    CREATE TABLE export_rows (
        export INTEGER NOT NULL,
        deal INTEGER NOT NULL,
        whole INTEGER NOT NULL,
        body TEXT,
        PRIMARY KEY (export, deal)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX export_rows_thin ON export_rows (export, deal) WHERE whole = 0;
";

/// Writes what became of exports.
pub(super) fn put(connection: &Connection, put: &PutExport) -> Result<(), StoreError> {
    match put {
        PutExport::Export(export) => {
            let sql = "INSERT INTO exports (id, body) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = excluded.body";
            change(connection, sql, (int(export.id), to_text("export", export)?)).map(|_| ())
        }
        PutExport::Deal { export, deal, row } => {
            let body = row.as_ref().map(|row| to_text("export", row)).transpose()?;
            let whole = row.as_ref().map_or(2, |row| i64::from(row.whole));
            let sql = "INSERT INTO export_rows (export, deal, whole, body) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO UPDATE SET whole = excluded.whole, body = excluded.body";
            change(connection, sql, (int(*export), int(*deal), whole, body)).map(|_| ())
        }
        PutExport::Gone(export) => {
            change(connection, "DELETE FROM export_rows WHERE export = ?1", [int(*export)])?;
            change(connection, "DELETE FROM exports WHERE id = ?1", [int(*export)]).map(|_| ())
        }
    }
}

/// All exports, the oldest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<Export>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT body FROM exports ORDER BY id")?;
    let mut rows = statement.query(())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.extend(or_passed_over("export", from_text("export", text))?);
    }
    Ok(found)
}

/// Rows of an export, in the order of ids.
pub(super) fn rows(connection: &Connection, query: ExportRows) -> Result<Vec<Row>, StoreError> {
    let which = if query.thin { "whole = 0" } else { "whole < 2" };
    let sql = format!(
        "SELECT body FROM export_rows WHERE export = ?1 AND deal > ?2 AND {which} ORDER BY deal LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((int(query.export), int(query.after), int(query.limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.extend(or_passed_over("export", from_text("export", text))?);
    }
    Ok(found)
}

/// How many rows of an export there are, and of how many not everything is known.
pub(super) fn counts(connection: &Connection, export: u64) -> Result<(u64, u64), StoreError> {
    let sql =
        "SELECT count(*), count(*) FILTER (WHERE whole = 0) FROM export_rows WHERE export = ?1 AND whole < 2";
    let counts = connection
        .prepare_cached(sql)?
        .query_row([int(export)], |row| Ok((uint(row.get(0)?), uint(row.get(1)?))))?;
    Ok(counts)
}

/// Deletes the rows that name one of some people.
pub(super) fn erase_mentions(
    connection: &Connection,
    names: impl Fn(&str) -> bool,
) -> Result<(), StoreError> {
    let mut found = Vec::new();
    {
        let mut statement =
            connection.prepare_cached("SELECT export, deal, body FROM export_rows WHERE body IS NOT NULL")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            if names(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?) {
                found.push((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
            }
        }
    }
    for (export, deal) in found {
        let sql = "UPDATE export_rows SET body = NULL, whole = 2 WHERE export = ?1 AND deal = ?2";
        change(connection, sql, (export, deal))?;
    }
    Ok(())
}
