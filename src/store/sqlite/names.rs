//! What people are called, beside their documents: a narrow table that is looked through for a name.
//!
//! A person's row goes with the person. Must not decide what a name is.

use rusqlite::{Connection, ToSql};

use super::columns::{int, or_passed_over};
use crate::person::{Person, PersonKey};
use crate::store::StoreError;

/// The step of the schema. Of people that are there already the names count that they said themselves; others come with the next
/// event.
pub(super) const STEP: &str = "
    CREATE TABLE person_names (key TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TRIGGER person_unnamed AFTER DELETE ON people BEGIN
        DELETE FROM person_names WHERE key = old.key;
    END;
    INSERT INTO person_names
        SELECT people.key, lower(substr(group_concat(said.value ->> '$.value', ' '), 1, 200))
        FROM people, json_each(people.body, '$.own.values') AS said
        WHERE said.key IN ('traits.first_name', 'traits.firstName', 'traits.firstname', 'traits.last_name', 'traits.lastName',
            'traits.lastname', 'traits.name', 'traits.full_name', 'traits.fullName', 'properties.first_name',
            'properties.firstName', 'properties.last_name', 'properties.lastName', 'properties.full_name', 'properties.fullName')
        AND json_type(said.value, '$.value') = 'text'
        GROUP BY people.key;
";

/// Writes what a person is called.
pub(super) fn put(
    connection: &Connection,
    key: &str,
    person: &Person,
    is_new: bool,
) -> Result<(), StoreError> {
    match person.called() {
        Some(name) => {
            let sql = "INSERT INTO person_names (key, name) VALUES (?1, ?2)
                       ON CONFLICT DO UPDATE SET name = excluded.name WHERE name <> excluded.name";
            connection.prepare_cached(sql)?.execute((key, name))?;
        }
        None if is_new => {}
        None => {
            connection.prepare_cached("DELETE FROM person_names WHERE key = ?1")?.execute([key])?;
        }
    }
    Ok(())
}

/// People in whose names all of some words stand.
pub(super) fn called(
    connection: &Connection,
    words: &[String],
    limit: usize,
) -> Result<Vec<PersonKey>, StoreError> {
    let stand = vec!["instr(name, ?) > 0"; words.len()].join(" AND ");
    let stand = if words.is_empty() { "0" } else { &stand };
    let sql = format!("SELECT key FROM person_names WHERE {stand} LIMIT {}", int(limit as u64));
    let values: Vec<&dyn ToSql> = words.iter().map(|word| word as &dyn ToSql).collect();
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(&values[..])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable = |_| StoreError::Unreadable("person", "its key".to_owned());
        found.extend(or_passed_over("person", row.get::<_, String>(0)?.parse().map_err(unreadable))?);
    }
    Ok(found)
}
