//! Blanking: takes the content of single events out of the journal, in place. Must not know why.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::columns::{int, uint};
use super::records;
use crate::event::Position;
use crate::store::{StoreError, Stream};

/// Events of one order.
pub(super) const EVENTS_MAX: usize = 1_000;
/// Bytes of groups that are written anew at once, so that appends do not wait long: about as much as a full commit.
const BYTES_MAX: usize = 8 << 20;
/// Pages that this may leave in the WAL, about.
pub(super) const PAGES_MAX: i64 = 2_048;

/// Blanks events, oldest first, as far as one order should; answers which are done. Those that are gone are done.
pub(super) fn blank(
    journal: &mut Connection,
    positions: &BTreeSet<Position>,
) -> Result<Vec<Position>, StoreError> {
    let transaction = journal.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut left = positions.iter().copied().peekable();
    let (mut done, mut written) = (Vec::new(), 0);
    while let Some(position) = left.peek().copied().filter(|_| written < BYTES_MAX) {
        let Some((groups, first, count, bytes)) = group_of(&transaction, position)? else {
            done.extend(left.next());
            continue;
        };
        let blanked = records::blanked(Position(uint(first)), uint(count), &bytes, positions)?;
        transaction
            .prepare_cached(&format!("UPDATE {groups} SET bytes = ?2 WHERE first = ?1"))?
            .execute((first, &blanked))?;
        written += bytes.len();
        while let Some(next) = left.next_if(|next| int(next.0) < first + count) {
            done.push(next);
        }
    }
    transaction.commit()?;
    Ok(done)
}

/// A group: its table, its first position, how many events, and those.
type Group = (&'static str, i64, i64, Vec<u8>);

/// The group that holds an event, in whichever stream.
fn group_of(journal: &Connection, position: Position) -> Result<Option<Group>, StoreError> {
    for groups in [Stream::Live, Stream::Old].map(records::table) {
        let sql =
            format!("SELECT first, count, bytes FROM {groups} WHERE first <= ?1 ORDER BY first DESC LIMIT 1");
        let group: Option<Group> = journal
            .prepare_cached(&sql)?
            .query_row([int(position.0)], |row| Ok((groups, row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        if let Some(group) = group.filter(|(_, first, count, _)| int(position.0) < first + count) {
            return Ok(Some(group));
        }
    }
    Ok(None)
}
