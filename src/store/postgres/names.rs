//! What people are called, beside their documents: a narrow table that is looked through for a name.
//!
//! Must not decide what a name is.

use super::link::{Link, Step};
use super::value::{hash, string, text, texts, values};
use crate::person::{Person, PersonKey};
use crate::store::StoreError;
use crate::store::columns::{int as signed, or_passed_over};

/// What people are called, to be looked through for a name. A row goes with the person, whichever version deletes them; of those
/// who are there already the names count that they said themselves.
pub(super) const STEP: &str = "
    CREATE TABLE person_names (
        TENANT,
        hash BLOB NOT NULL,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (tenant, hash),
        FOREIGN KEY (tenant, hash) REFERENCES people ON DELETE CASCADE
    );
    ALTER TABLE person_names ALTER COLUMN key SET STATISTICS 0;
    ALTER TABLE person_names ALTER COLUMN name SET STATISTICS 0;
    INSERT INTO person_names (hash, key, name)
        SELECT p.hash, p.key, lower(left(string_agg(said.value ->> 'value', ' ' ORDER BY said.key), 200))
        FROM people AS p CROSS JOIN LATERAL json_each(p.body::json -> 'own' -> 'values') AS said
        WHERE strpos(p.body, '\\u0000') = 0 AND json_typeof(said.value -> 'value') = 'string'
        AND said.key IN ('traits.first_name', 'traits.firstName', 'traits.firstname', 'traits.last_name', 'traits.lastName',
            'traits.lastname', 'traits.name', 'traits.full_name', 'traits.fullName', 'properties.first_name',
            'properties.firstName', 'properties.last_name', 'properties.lastName', 'properties.full_name', 'properties.fullName')
        GROUP BY p.hash, p.key;
";

/// What the people of a plan are called, and who of them has no name.
#[derive(Default)]
pub(super) struct Names {
    hashes: Vec<Vec<u8>>,
    keys: Vec<String>,
    called: Vec<String>,
    nameless: Vec<Vec<u8>>,
}

impl Names {
    pub(super) fn put(&mut self, key: &str, person: &Person, is_new: bool) {
        match person.called() {
            Some(name) => {
                self.hashes.push(hash(key));
                self.keys.push(text(key));
                self.called.push(name);
            }
            None if is_new => {}
            None => self.nameless.push(hash(key)),
        }
    }

    pub(super) fn steps(self) -> impl Iterator<Item = Step> {
        let Self { hashes, keys, called, nameless } = self;
        let named = "INSERT INTO person_names AS p (hash, key, name)
            SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[])
            ON CONFLICT (tenant, hash) DO UPDATE SET name = excluded.name WHERE p.name <> excluded.name";
        let gone = "DELETE FROM person_names WHERE tenant = 1 AND hash = ANY($1::bytea[])";
        let named = (!hashes.is_empty()).then(|| Step::any(named, values![hashes, keys, called]));
        let gone = (!nameless.is_empty()).then(|| Step::any(gone, values![nameless]));
        named.into_iter().chain(gone)
    }
}

/// People in whose names all of some words stand.
pub(super) async fn called(
    link: &Link,
    words: &[String],
    limit: usize,
) -> Result<Vec<PersonKey>, StoreError> {
    let sql = "SELECT key FROM person_names WHERE tenant = 1 AND cardinality($1::text[]) > 0
        AND NOT EXISTS (SELECT 1 FROM unnest($1::text[]) AS u(word) WHERE strpos(name, u.word) = 0) LIMIT $2";
    let mut found = Vec::new();
    for row in link.rows(sql, values![texts(words), signed(limit as u64)]).await? {
        let unreadable = |_| StoreError::Unreadable("person", "its key".to_owned());
        found.extend(or_passed_over("person", string(&row, 0)?.parse().map_err(unreadable))?);
    }
    Ok(found)
}
