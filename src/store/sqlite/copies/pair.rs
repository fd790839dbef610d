//! Both files of a folder as of one moment, for reading alone, whether a service runs on them or not.
//!
//! A read transaction of each holds its moment. That of the state begins first: what the state has seen is in the journal
//! then, whatever is appended meanwhile. Events that had not taken effect could go from the journal between the two beginnings
//! alone, when they take effect and are pruned in that instant; then the count does not come out, and both begin again.
//! Must not write.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::problem::CopyError;
use crate::event::Position;
use crate::store::sqlite::columns::{int, uint};
use crate::store::sqlite::files::{self, JOURNAL_FILE, STATE_FILE};
use crate::store::sqlite::{OpenError, journal, migrations, records, state};
use crate::store::{Processed, StoreError, Stream};

/// How often the two are begun again before they are taken as they are.
const TRIES: usize = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The two files, each at its moment.
pub(in crate::store::sqlite) struct Pair {
    pub(in crate::store::sqlite) state: Connection,
    pub(in crate::store::sqlite) journal: Connection,
    pub(in crate::store::sqlite) standing: Standing,
}

/// How far the two files go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sqlite) struct Standing {
    /// The position of the last event.
    pub(in crate::store::sqlite) end: Position,
    /// The highest position that took effect.
    pub(in crate::store::sqlite) seen: Position,
    /// How far they have taken effect; none where a file has the schema of an earlier version.
    pub(in crate::store::sqlite) counted: Option<Counted>,
}

/// How the events of the journal add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sqlite) struct Counted {
    pub(in crate::store::sqlite) processed: Processed,
    /// Events in the journal that have not taken effect.
    pub(in crate::store::sqlite) waiting: u64,
}

impl Standing {
    /// Whether each event that was accepted has taken effect or waits, by what can be told.
    pub(in crate::store::sqlite) fn adds_up(&self) -> bool {
        let adds_up = |counted: Counted| self.end.0 == counted.processed.events + counted.waiting;
        self.seen <= self.end && self.counted.is_none_or(adds_up)
    }
}

impl Pair {
    /// Begins to read both files of a folder.
    #[allow(
        clippy::disallowed_methods,
        reason = "another process lives in real time, and nothing here is driven by a clock"
    )]
    pub(in crate::store::sqlite) fn begin(folder: &Path) -> Result<Self, CopyError> {
        for file in [STATE_FILE, JOURNAL_FILE] {
            if !folder.join(file).is_file() {
                return Err(CopyError::NoData { folder: folder.to_owned(), file });
            }
        }
        let mut pair = Self::once(folder)?;
        for _ in 1..TRIES {
            if pair.standing.adds_up() {
                break;
            }
            std::thread::sleep(BETWEEN_TRIES);
            pair = Self::once(folder)?;
        }
        Ok(pair)
    }

    fn once(folder: &Path) -> Result<Self, CopyError> {
        let state = files::look_at(&folder.join(STATE_FILE))?;
        let journal = files::look_at(&folder.join(JOURNAL_FILE))?;
        state.execute_batch("BEGIN")?;
        let state_version = version(&state, folder, STATE_FILE, migrations::STATE)?;
        journal.execute_batch("BEGIN")?;
        let journal_version = version(&journal, folder, JOURNAL_FILE, migrations::JOURNAL)?;
        let standing = if state_version && journal_version {
            let processed = state::processed(&state)?;
            Standing {
                end: journal::end(&journal)?,
                seen: processed.live.max(processed.old),
                counted: Some(Counted { processed, waiting: waiting(&journal, processed)? }),
            }
        } else {
            let seen = state.query_row("SELECT position FROM progress", (), |row| row.get(0))?;
            let end = "SELECT max((SELECT journal_end FROM pruned),
                              coalesce((SELECT first + count - 1 FROM groups ORDER BY first DESC LIMIT 1), 0))";
            let end = journal.query_row(end, (), |row| row.get(0))?;
            Standing { end: Position(uint(end)), seen: Position(uint(seen)), counted: None }
        };
        Ok(Self { state, journal, standing })
    }
}

/// Whether a file has the schema of this version; one of a later version can't be used.
fn version(connection: &Connection, folder: &Path, file: &str, steps: &[&str]) -> Result<bool, CopyError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = int(steps.len() as u64);
    match found {
        found if found > known => Err(OpenError::Newer { file: folder.join(file), found, known }.into()),
        0 => Err(CopyError::NoData { folder: folder.to_owned(), file: STATE_FILE }),
        found => Ok(found == known),
    }
}

/// How many events of the journal have not taken effect.
pub(super) fn waiting(journal: &Connection, processed: Processed) -> Result<u64, StoreError> {
    let mut waiting = 0;
    for stream in [Stream::Live, Stream::Old] {
        let groups = records::table(stream);
        let sql = format!(
            "SELECT coalesce(sum(min(count, first + count - 1 - ?1)), 0) FROM {groups}
             WHERE first + count - 1 > ?1 AND first >= coalesce((SELECT max(first) FROM {groups} WHERE first <= ?1), 0)"
        );
        let count: i64 = journal.query_row(&sql, [int(processed.of(stream).0)], |row| row.get(0))?;
        waiting += uint(count);
    }
    Ok(waiting)
}
