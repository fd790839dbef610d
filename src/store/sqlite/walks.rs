//! Walks: everything of one kind in order, a page at a time, and how far each walk came.

use rusqlite::Connection;
use serde::Serialize;

use super::columns::{email, int, or_passed_over, subject, to_text, uint};
use super::state::{by_revision, change_one, document};
use crate::decision::{Gathering, RedriveAll, Review};
use crate::delivery::Account;
use crate::event::Email;
use crate::store::{DeadLetter, Revision, StoreError, Versioned};

/// The walk over all contacts.
pub(super) const REVIEW: &str = "review";
/// The walk over all dead letters.
pub(super) const REDRIVE: &str = "redrive";
/// The walk over all people for crowds of an earlier version.
pub(super) const GATHERING: &str = "gathering";

const HOW_FAR: &str = "SELECT revision, body FROM walks WHERE name = ?1";

/// How far the review came.
pub(super) fn review(connection: &Connection) -> Result<Option<Versioned<Review>>, StoreError> {
    document(connection, REVIEW, HOW_FAR, [REVIEW])
}

/// How far the redrive came.
pub(super) fn redrive(connection: &Connection) -> Result<Option<Versioned<RedriveAll>>, StoreError> {
    document(connection, REDRIVE, HOW_FAR, [REDRIVE])
}

/// Which crowds are still to be gathered.
pub(super) fn gathering(connection: &Connection) -> Result<Option<Versioned<Gathering>>, StoreError> {
    document(connection, GATHERING, HOW_FAR, [GATHERING])
}

/// Writes how far a walk came.
pub(super) fn put<T: Serialize>(
    connection: &Connection,
    name: &'static str,
    revision: Revision,
    walk: &T,
) -> Result<(), StoreError> {
    let body = to_text(name, walk)?;
    let insert = "INSERT INTO walks (name, body, revision) VALUES (?1, ?2, ?3 + 1)";
    let update = "UPDATE walks SET body = ?2, revision = ?3 + 1 WHERE name = ?1 AND revision = ?3";
    change_one(connection, by_revision(revision, insert, update), (name, body, int(revision)))
}

/// The addresses of contacts after one, in order.
pub(super) fn contacts(
    connection: &Connection,
    after: Option<&Email>,
    limit: usize,
) -> Result<Vec<Email>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT email FROM contacts WHERE email > ?1 ORDER BY email LIMIT ?2")?;
    let mut rows = statement.query((after.map_or("", Email::as_str), int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.extend(or_passed_over("contact", email(text))?);
    }
    Ok(found)
}

/// How many contacts there are.
pub(super) fn contacts_count(connection: &Connection) -> Result<u64, StoreError> {
    let count =
        connection.prepare_cached("SELECT count(*) FROM contacts")?.query_row((), |row| row.get(0))?;
    Ok(uint(count))
}

/// Dead letters of an account after a place, oldest first.
pub(super) fn dead_letters(
    connection: &Connection,
    account: &Account,
    after: u64,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, subject FROM deliveries INDEXED BY deliveries_by_state
         WHERE state = 5 AND sequence > ?1 AND account = ?2 ORDER BY sequence LIMIT ?3",
    )?;
    let mut rows = statement.query((int(after), &account.0, int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let place = uint(row.get(0)?);
        let letter = subject(text).map(|subject| DeadLetter { place, subject });
        found.extend(or_passed_over("dead letter", letter)?);
    }
    Ok(found)
}
