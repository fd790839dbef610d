//! Places on lists of contacts that wait for a call, list by list, because many of one list share one.

use rusqlite::Connection;

use super::columns::{int, or_passed_over};
use super::outbox::{NEVER, due_row};
use crate::clock::UnixMicros;
use crate::delivery::{Account, ListKey};
use crate::store::{Due, StoreError};

/// The step of the schema that finds them.
pub(super) const STEP: &str = "
    -- Places on lists of contacts that wait, list by list: `list:NAME:ADDRESS`.
    CREATE INDEX deliveries_by_list ON deliveries (account, subject) WHERE state IN (0, 2) AND subject GLOB 'list:*';
";

/// Those of one list that may go along in a call.
pub(super) fn due(
    connection: &Connection,
    account: &Account,
    list: &ListKey,
    now: UnixMicros,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let sql = "SELECT id, subject, lane, opened_at, NULL FROM deliveries AS d INDEXED BY deliveries_by_list
         WHERE account = ?1 AND subject >= ?2 AND subject < ?3 AND state IN (0, 2) AND subject GLOB 'list:*'
           AND (next_attempt_at <= ?4 OR (state = 0 AND next_attempt_at < ?5))
           AND NOT EXISTS (SELECT 1 FROM deliveries AS f INDEXED BY deliveries_in_flight
                           WHERE f.account = ?1 AND f.subject = d.subject AND f.state = 1)
           AND NOT EXISTS (SELECT 1 FROM forget_orders AS g INDEXED BY forget_orders_by_email
                           WHERE g.account = ?1 AND g.email = d.email)
         ORDER BY subject LIMIT ?6";
    let mut statement = connection.prepare_cached(sql)?;
    // Behind the colon stands an address, and no address has one.
    let (from, to) = (format!("list:{list}:"), format!("list:{list};"));
    let mut rows = statement.query((&account.0, from, to, now.0, NEVER, int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let due = or_passed_over("delivery", due_row(row))?;
        found.extend(due.filter(|due| due.subject.member().is_some_and(|key| key.list == *list)));
    }
    Ok(found)
}
