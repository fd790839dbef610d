//! Tombstones: who was erased, as hashes under a key of the data folder, and when. Must not hold an id or an address.

use std::collections::{BTreeMap, BTreeSet};

use ring::hmac;
use rusqlite::{Connection, OptionalExtension};

use crate::clock::UnixMicros;
use crate::erasure::Mark;
use crate::event::SourceName;
use crate::store::StoreError;
use crate::store::marks;
pub(super) use crate::store::marks::hash;

/// When each of these was erased; who was not is absent.
pub(super) fn of(
    connection: &Connection,
    marks: BTreeSet<Mark>,
) -> Result<BTreeMap<Mark, UnixMicros>, StoreError> {
    let mut found = BTreeMap::new();
    if marks.is_empty() || !any(connection)? {
        return Ok(found);
    }
    let key = key(connection)?;
    let mut statement = connection.prepare_cached("SELECT at FROM tombstones WHERE mark = ?1")?;
    for mark in marks {
        let at = statement.query_row([hash(&key, &mark).as_ref()], |row| row.get(0)).optional()?;
        found.extend(at.map(|at| (mark, UnixMicros(at))));
    }
    Ok(found)
}

/// Under what a message of an erased person is remembered in place of its id, among the messages that were seen: it goes
/// with them when they have had their time.
pub(super) fn message_id(
    connection: &Connection,
    source: &SourceName,
    message_id: &str,
) -> Result<String, StoreError> {
    Ok(marks::message_id(&key(connection)?, source, message_id))
}

/// Which of these messages are of somebody who was erased.
pub(super) fn messages(
    connection: &Connection,
    messages: Vec<(SourceName, String)>,
) -> Result<Vec<Mark>, StoreError> {
    let mut found = Vec::new();
    if messages.is_empty() || !any(connection)? {
        return Ok(found);
    }
    let mut statement = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM seen WHERE source = ?1 AND message_id = ?2)")?;
    for (source, id) in messages {
        let hashed = message_id(connection, &source, &id)?;
        if statement.query_row((&source.0, hashed), |row| row.get(0))? {
            found.push(Mark::Message(source, id));
        }
    }
    Ok(found)
}

/// Most folders never erased anybody.
fn any(connection: &Connection) -> Result<bool, StoreError> {
    let any = |row: &rusqlite::Row<'_>| row.get(0);
    Ok(connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM tombstones)")?.query_row((), any)?)
}

/// Remembers that somebody was erased.
pub(super) fn put(connection: &Connection, mark: &Mark, at: UnixMicros) -> Result<(), StoreError> {
    let hash = hash(&key(connection)?, mark);
    connection
        .prepare_cached(
            "INSERT INTO tombstones (mark, at) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
        )?
        .execute((hash.as_ref(), at.0))?;
    Ok(())
}

pub(super) fn key(connection: &Connection) -> Result<hmac::Key, StoreError> {
    let read = |row: &rusqlite::Row<'_>| {
        let key = row.get_ref(0)?.as_blob()?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, key))
    };
    Ok(connection.prepare_cached("SELECT key FROM tombstone_key")?.query_row((), read)?)
}
