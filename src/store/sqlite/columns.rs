//! Between our types and columns.

use rusqlite::{Connection, Params};
use serde::de::DeserializeOwned;

pub(super) use crate::store::columns::{
    OF_A_LIST, email, from_text, int, lane, lane_number, or_passed_over, state, state_number, subject,
    to_text, uint,
};
use crate::store::{StoreError, Versioned};

/// One document by its key.
pub(super) fn document<T: DeserializeOwned>(
    connection: &Connection,
    what: &'static str,
    sql: &str,
    key: impl Params,
) -> Result<Option<Versioned<T>>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(Some(Versioned { revision: uint(row.get(0)?), document: from_text(what, text)? }))
}
