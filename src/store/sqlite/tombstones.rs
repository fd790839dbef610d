//! Tombstones: who was erased, as hashes under a key of the data folder, and when. Must not hold an id or an address.

use std::collections::{BTreeMap, BTreeSet};

use ring::hmac;
use rusqlite::{Connection, OptionalExtension};

use crate::clock::UnixMicros;
use crate::erasure::Mark;
use crate::store::StoreError;

/// When each of these was erased; who was not is absent.
pub(super) fn of(
    connection: &Connection,
    marks: BTreeSet<Mark>,
) -> Result<BTreeMap<Mark, UnixMicros>, StoreError> {
    let mut found = BTreeMap::new();
    // Most folders never erased anybody.
    let any = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
    if marks.is_empty()
        || !connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM tombstones)")?.query_row((), any)?
    {
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

fn key(connection: &Connection) -> Result<hmac::Key, StoreError> {
    let read = |row: &rusqlite::Row<'_>| {
        let key = row.get_ref(0)?.as_blob()?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, key))
    };
    Ok(connection.prepare_cached("SELECT key FROM tombstone_key")?.query_row((), read)?)
}

fn hash(key: &hmac::Key, mark: &Mark) -> hmac::Tag {
    hmac::sign(key, mark.text().as_bytes())
}
