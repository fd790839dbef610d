//! The lists of an account, a row each, written anew with each answer.

use rusqlite::Connection;

use super::change::change_one;
use super::columns::{from_text, to_text};
use crate::delivery::Account;
use crate::selectors::{Kind, List, Selectors};
use crate::store::StoreError;

/// Writes a list in place of what was known of it.
pub(super) fn put(
    connection: &Connection,
    account: &Account,
    kind: Kind,
    list: &List,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO selectors (account, kind, body) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET body = excluded.body";
    change_one(connection, sql, (&account.0, kind.name(), to_text("selectors", list)?))
}

/// The lists of an account. What another version wrote and this one can't read is asked for again.
pub(super) fn of(connection: &Connection, account: &Account) -> Result<Selectors, StoreError> {
    let mut statement = connection.prepare_cached("SELECT kind, body FROM selectors WHERE account = ?1")?;
    let mut rows = statement.query([&account.0])?;
    let mut selectors = Selectors::default();
    while let Some(row) = rows.next()? {
        let (kind, body): (String, String) = (row.get(0)?, row.get(1)?);
        if let (Some(kind), Ok(list)) = (Kind::named(&kind), from_text::<List>("selectors", &body)) {
            selectors.learn(kind, list.asked_at, list.answer);
        }
    }
    Ok(selectors)
}
