//! Alerts: a row for each cause that a person is told of.

use rusqlite::Connection;

use super::change::change;
use super::columns::{from_text, or_passed_over, to_text};
use crate::cause::{Alert, Cause};
use crate::store::StoreError;

/// Writes what became of a cause.
pub(super) fn put(connection: &Connection, alert: &Alert) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO alerts (cause, body) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = excluded.body";
    change(connection, sql, (alert.cause.as_str(), to_text("alert", alert)?)).map(|_| ())
}

/// All of them that this version knows the cause of.
pub(super) fn all(connection: &Connection) -> Result<Vec<Alert>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT cause, body FROM alerts")?;
    let mut rows = statement.query(())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        if Cause::parse(text(0)?).is_some() {
            found.extend(or_passed_over("alert", from_text("alert", text(1)?))?);
        }
    }
    Ok(found)
}
