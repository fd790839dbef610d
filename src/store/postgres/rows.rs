//! Rows of documents that are few, or that go one at a time.

use super::link::Step;
use super::value::{text, values};
use crate::store::Revision;
use crate::store::columns::int;

/// Writes a document of a table that has few of them.
pub(super) fn by_revision((table, key): (&str, &str), of: &str, revision: Revision, body: String) -> Step {
    let sql = if revision == 0 {
        format!("INSERT INTO {table} ({key}, body, revision) VALUES ($1, $2, $3::bigint + 1)")
    } else {
        format!(
            "UPDATE {table} SET body = $2, revision = $3::bigint + 1 WHERE tenant = 1 AND {key} = $1 AND revision = $3::bigint"
        )
    };
    Step::must(1, sql, values![text(of), body, int(revision)])
}

/// Deletes a document that must be there at a revision.
pub(super) fn by_revision_gone((table, column): (&str, &str), key: &str, revision: Revision) -> Step {
    let sql = format!("DELETE FROM {table} WHERE tenant = 1 AND {column} = $1 AND revision = $2");
    Step::must(1, sql, values![text(key), int(revision)])
}
