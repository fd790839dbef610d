//! What persons contribute to contacts that many share: a row for each thing that one of them says, and who is the newest of each.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::columns::int;
use crate::clock::UnixMicros;
use crate::decision::{Contributed, Contribution};
use crate::event::{Email, Stamp};
use crate::person::PersonKey;
use crate::store::StoreError;

/// Rows of one stamp that are looked at: one message says a thing of few persons. Where a source reuses ids and moments for more,
/// these decide.
const TIES_MAX: usize = 8;

/// The persons of a contact whose statements are the newest, `without` some who are known anyway.
pub(super) fn newest(
    connection: &Connection,
    email: &Email,
    without: &BTreeSet<String>,
) -> Result<BTreeSet<PersonKey>, StoreError> {
    let mut found = BTreeSet::new();
    let mut statement = connection.prepare_cached(
        "SELECT member, at, message_id FROM contributions INDEXED BY contributions_newest
         WHERE email = ?1 AND what = ?2 ORDER BY at DESC, message_id DESC, member",
    )?;
    for what in subjects(connection, email)? {
        let mut rows = statement.query((email.as_str(), &what))?;
        let (mut best, mut ties) = (None, 0);
        while let Some(row) = rows.next()? {
            let member: String = row.get(0)?;
            if without.contains(&member) {
                continue;
            }
            let stamp = Stamp { at: UnixMicros(row.get(1)?), message_id: row.get(2)?, ..Stamp::default() };
            if best.as_ref().is_some_and(|best| *best != stamp) || ties >= TIES_MAX {
                break;
            }
            found.insert(person(&member)?);
            (best, ties) = (Some(stamp), ties + 1);
        }
    }
    Ok(found)
}

/// What anybody says for a contact; found by skipping from one to the next, however many say it.
fn subjects(connection: &Connection, email: &Email) -> Result<Vec<String>, StoreError> {
    let mut next = connection.prepare_cached(
        "SELECT what FROM contributions INDEXED BY contributions_newest
         WHERE email = ?1 AND what > ?2 ORDER BY what LIMIT 1",
    )?;
    let (mut found, mut last) = (Vec::new(), String::new());
    while let Some(row) = next.query((email.as_str(), &last))?.next()? {
        last = row.get(0)?;
        found.push(last.clone());
    }
    Ok(found)
}

/// The persons of a contact after one, in the order of their keys as text.
pub(super) fn members(
    connection: &Connection,
    email: &Email,
    after: Option<&PersonKey>,
    limit: usize,
) -> Result<Vec<PersonKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT member FROM contributions WHERE email = ?1 AND member > ?2 ORDER BY member LIMIT ?3",
    )?;
    let after = after.map(ToString::to_string).unwrap_or_default();
    let mut rows = statement.query((email.as_str(), after, int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(person(&row.get::<_, String>(0)?)?);
    }
    Ok(found)
}

/// Writes what a person contributes to a contact, touching only rows that differ.
pub(super) fn put(connection: &Connection, contributed: &Contributed) -> Result<(), StoreError> {
    let (email, member) = (contributed.email.as_str(), contributed.member.to_string());
    let mut known = BTreeMap::new();
    {
        let sql = "SELECT what, at, message_id FROM contributions WHERE email = ?1 AND member = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((email, &member))?;
        while let Some(row) = rows.next()? {
            let stamp = Stamp { at: UnixMicros(row.get(1)?), message_id: row.get(2)?, ..Stamp::default() };
            known.insert(row.get::<_, String>(0)?, stamp);
        }
    }
    for Contribution { what, stamp } in &contributed.contributions {
        if known.remove(what).as_ref() != Some(stamp) {
            let sql = "INSERT OR REPLACE INTO contributions (email, member, what, at, message_id) VALUES (?1, ?2, ?3, ?4, ?5)";
            let row = params![email, member, what, stamp.at.0, stamp.message_id];
            connection.prepare_cached(sql)?.execute(row)?;
        }
    }
    for what in known.keys() {
        let sql = "DELETE FROM contributions WHERE email = ?1 AND member = ?2 AND what = ?3";
        connection.prepare_cached(sql)?.execute((email, &member, what))?;
    }
    Ok(())
}

/// With a contact goes everything that was contributed to it.
pub(super) fn forget(connection: &Connection, email: &Email) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM contributions WHERE email = ?1")?.execute([email.as_str()])?;
    Ok(())
}

fn person(text: &str) -> Result<PersonKey, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("person", "its key".to_owned()))
}
