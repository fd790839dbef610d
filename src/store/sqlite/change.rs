//! One statement that changes rows, and what it means when it changes none.

use rusqlite::{Connection, Params};

use crate::store::{Revision, StoreError};

/// Answers how many rows were changed.
pub(super) fn change(connection: &Connection, sql: &str, values: impl Params) -> Result<usize, StoreError> {
    Ok(connection.prepare_cached(sql)?.execute(values)?)
}

/// Changes a row that must be there as the plan expects it.
pub(super) fn change_one(connection: &Connection, sql: &str, values: impl Params) -> Result<(), StoreError> {
    match change(connection, sql, values)? {
        0 => Err(StoreError::Conflict),
        _ => Ok(()),
    }
}

/// A document that was not there is inserted, which fails where there is one meanwhile.
pub(super) fn by_revision<'a>(revision: Revision, insert: &'a str, update: &'a str) -> &'a str {
    if revision == 0 { insert } else { update }
}
