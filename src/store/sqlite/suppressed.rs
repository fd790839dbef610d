//! Addresses of which nothing is ever sent, by a person's order: known by a hash under the key of the tombstones, so that an order
//! outlives the erasure of whom it is about.
//!
//! Must not decide what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension};

use super::change::change;
use super::columns::{email, int, uint};
use super::tombstones;
use crate::clock::UnixMicros;
use crate::erasure::Mark;
use crate::event::Email;
use crate::store::{StoreError, Suppressed};

/// The step of the schema: a hash under the key of the tombstones, and the address until it is erased.
pub(super) const STEP: &str = "
    CREATE TABLE suppressed (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        mark BLOB NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        email TEXT
    ) STRICT;
";

/// Since when nothing of each of these is sent; whoever may be called is absent.
pub(super) fn of(
    connection: &Connection,
    emails: &BTreeSet<Email>,
) -> Result<BTreeMap<Email, UnixMicros>, StoreError> {
    let mut found = BTreeMap::new();
    if emails.is_empty() || !any(connection)? {
        return Ok(found);
    }
    let key = tombstones::key(connection)?;
    let mut statement = connection.prepare_cached("SELECT at FROM suppressed WHERE mark = ?1")?;
    for email in emails {
        // The same address as an earlier version spelled it is the same person's.
        for mark in [Some(email.clone()), email.as_stored_before()].into_iter().flatten().map(Mark::Email) {
            let hash = tombstones::hash(&key, &mark);
            let at = statement.query_row([hash.as_ref()], |row| row.get(0)).optional()?;
            found.extend(at.map(|at| (email.clone(), UnixMicros(at))));
        }
    }
    Ok(found)
}

/// Most folders have no such order.
fn any(connection: &Connection) -> Result<bool, StoreError> {
    let any = |row: &rusqlite::Row<'_>| row.get(0);
    Ok(connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM suppressed)")?.query_row((), any)?)
}

/// Nothing of an address is sent from a moment on. Where that is so already the first moment stays.
pub(super) fn put(connection: &Connection, email: &Email, at: UnixMicros) -> Result<(), StoreError> {
    let hash = tombstones::hash(&tombstones::key(connection)?, &Mark::Email(email.clone()));
    let sql = "INSERT INTO suppressed (mark, at, email) VALUES (?1, ?2, ?3)
               ON CONFLICT (mark) DO UPDATE SET email = excluded.email";
    change(connection, sql, (hash.as_ref(), at.0, email.as_str())).map(|_| ())
}

/// An address may be called again.
pub(super) fn lift(connection: &Connection, email: &Email) -> Result<(), StoreError> {
    let key = tombstones::key(connection)?;
    for mark in [Some(email.clone()), email.as_stored_before()].into_iter().flatten().map(Mark::Email) {
        let sql = "DELETE FROM suppressed WHERE mark = ?1";
        change(connection, sql, [tombstones::hash(&key, &mark).as_ref()])?;
    }
    Ok(())
}

/// Whoever is erased is known by the hash alone from now on.
pub(super) fn forget_address(connection: &Connection, mark: &Mark) -> Result<(), StoreError> {
    let (Mark::Email(_), true) = (mark, any(connection)?) else { return Ok(()) };
    let hash = tombstones::hash(&tombstones::key(connection)?, mark);
    change(connection, "UPDATE suppressed SET email = NULL WHERE mark = ?1", [hash.as_ref()]).map(|_| ())
}

/// The orders before a place, the newest first.
pub(super) fn listed(
    connection: &Connection,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Suppressed>, StoreError> {
    let sql =
        "SELECT place, at, email FROM suppressed WHERE ?1 IS NULL OR place < ?1 ORDER BY place DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((before.map(int), int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let address: Option<String> = row.get(2)?;
        let address = address.as_deref().map(email).transpose()?;
        found.push(Suppressed { place: uint(row.get(0)?), at: UnixMicros(row.get(1)?), email: address });
    }
    Ok(found)
}
