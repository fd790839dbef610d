//! Notes, activities and tasks: their rows, the lists of them, and how many stand how.
//!
//! Must not decide what holds one back: that comes with it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Connection, params};

use super::change::{by_revision, change_one};
use super::columns::{document, from_text, int, or_passed_over, to_text, uint};
use super::deals::key;
use crate::delivery::{Account, HappeningId};
use crate::happening::Happening;
use crate::store::{Documents, HAPPENINGS_OF_MAX, HappeningQuery, Keys, Revision, StoreError, Versioned};

/// The step of the schema: what is told once, and how many of each there are.
pub(super) const STEP: &str = "
    -- Notes, activities and tasks: told once. `email`, `person` and `target` are what they are found by when that changes; the
    -- day is that on which one was written last. Those of an account are counted, so that nobody counts many rows.
    CREATE TABLE happenings (
        key TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        day INTEGER NOT NULL,
        account TEXT NOT NULL,
        open INTEGER NOT NULL,
        state TEXT NOT NULL,
        held TEXT NOT NULL,
        email TEXT,
        person TEXT,
        target TEXT,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX happenings_by_email ON happenings (email) WHERE email IS NOT NULL;
    CREATE INDEX happenings_by_person ON happenings (person) WHERE person IS NOT NULL;
    CREATE INDEX happenings_by_target ON happenings (target) WHERE target IS NOT NULL;
    CREATE INDEX happenings_open_by_email ON happenings (email) WHERE email IS NOT NULL AND open = 1;
    CREATE INDEX happenings_open_by_person ON happenings (person) WHERE person IS NOT NULL AND open = 1;
    CREATE INDEX happenings_open_by_target ON happenings (target) WHERE target IS NOT NULL AND open = 1;
    CREATE INDEX happenings_open ON happenings (account, key) WHERE open = 1;
    CREATE TABLE counted_happenings (
        account TEXT NOT NULL,
        state TEXT NOT NULL,
        held TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (account, state, held)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER happening_put AFTER INSERT ON happenings BEGIN
        INSERT INTO counted_happenings VALUES (new.account, new.state, new.held, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER happening_gone AFTER DELETE ON happenings BEGIN
        UPDATE counted_happenings SET count = count - 1
            WHERE account = old.account AND state = old.state AND held = old.held;
    END;
    CREATE TRIGGER happening_left AFTER UPDATE OF account, state, held ON happenings BEGIN
        UPDATE counted_happenings SET count = count - 1
            WHERE account = old.account AND state = old.state AND held = old.held;
        INSERT INTO counted_happenings VALUES (new.account, new.state, new.held, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
";

/// Loads what exists of those asked for.
pub(super) fn load(connection: &Connection, keys: &Keys, found: &mut Documents) -> Result<(), StoreError> {
    for id in &keys.happenings {
        let sql = "SELECT revision, body FROM happenings WHERE key = ?1";
        let happening = document(connection, "happening", sql, [id.to_string()])?;
        found.happenings.extend(happening.map(|happening| (id.clone(), happening)));
    }
    for of in &keys.happenings_of {
        // The latest tell how much was told today; of those that wait the oldest go first.
        for column in ["email", "person", "target"] {
            let latest = format!(
                "SELECT key, revision, body FROM happenings INDEXED BY happenings_by_{column}
                 WHERE {column} = ?1 ORDER BY rowid DESC LIMIT ?2"
            );
            rows(connection, &latest, of, found)?;
            let open = format!(
                "SELECT key, revision, body FROM happenings INDEXED BY happenings_open_by_{column}
                 WHERE {column} = ?1 AND open = 1 ORDER BY rowid LIMIT ?2"
            );
            rows(connection, &open, of, found)?;
        }
    }
    Ok(())
}

fn rows(connection: &Connection, sql: &str, of: &str, found: &mut Documents) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((of, int(HAPPENINGS_OF_MAX as u64)))?;
    while let Some(row) = rows.next()? {
        let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
        let id: HappeningId = key("happening", text(0)?)?;
        if let Entry::Vacant(place) = found.happenings.entry(id) {
            let document = from_text("happening", text(2)?)?;
            place.insert(Versioned { revision: uint(row.get(1)?), document });
        }
    }
    Ok(())
}

/// Writes one. `day` is that of now.
pub(super) fn put(
    connection: &Connection,
    id: &HappeningId,
    revision: Revision,
    happening: &Happening,
    day: i64,
) -> Result<(), StoreError> {
    let insert =
        "INSERT INTO happenings (key, body, revision, day, account, open, state, held, email, person, target)
                  VALUES (?1, ?2, ?3 + 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let update = "UPDATE happenings SET body = ?2, revision = ?3 + 1, day = ?4, account = ?5, open = ?6, state = ?7, held = ?8,
                      email = ?9, person = ?10, target = ?11
                  WHERE key = ?1 AND revision = ?3";
    let standing = &happening.standing;
    let values = params![
        id.to_string(),
        to_text("happening", happening)?,
        int(revision),
        day,
        happening.account.0,
        standing.is_open(),
        standing.state().as_str(),
        standing.held.as_ref().map_or("", |held| held.as_str()),
        happening.email.as_ref().map(crate::event::Email::as_str),
        happening.person.as_ref().map(ToString::to_string),
        happening.hangs_on(),
    ];
    change_one(connection, by_revision(revision, insert, update), values)
}

/// The ids of those of an account that are still to be told, after one, in order.
pub(super) fn open(connection: &Connection, query: &HappeningQuery) -> Result<Vec<HappeningId>, StoreError> {
    let HappeningQuery { account, after, limit } = query;
    let mut statement = connection.prepare_cached(
        "SELECT key FROM happenings INDEXED BY happenings_open
         WHERE account = ?1 AND open = 1 AND key > ?2 ORDER BY key LIMIT ?3",
    )?;
    let after = after.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut rows = statement.query((&account.0, after, int(*limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.extend(or_passed_over("happening", key("happening", text))?);
    }
    Ok(found)
}

/// How many stand how, and how many are held, by the word of each.
pub(super) type Counted = (BTreeMap<String, u64>, BTreeMap<String, u64>);

/// How many of an account stand how, by state; of those that are held also by cause.
pub(super) fn counts(connection: &Connection, account: &Account) -> Result<Counted, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT state, held, count FROM counted_happenings WHERE account = ?1 AND count > 0",
    )?;
    let mut rows = statement.query([&account.0])?;
    let (mut states, mut held) = (BTreeMap::new(), BTreeMap::new());
    while let Some(row) = rows.next()? {
        let (state, cause, count): (String, String, u64) = (row.get(0)?, row.get(1)?, uint(row.get(2)?));
        *states.entry(state).or_default() += count;
        if !cause.is_empty() {
            *held.entry(cause).or_default() += count;
        }
    }
    Ok((states, held))
}
