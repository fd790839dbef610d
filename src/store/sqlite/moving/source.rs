//! A data folder that is read whole, held alone meanwhile. Must not change it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::FolderFailed;
use super::columns::{self, Slots};
use crate::clock::Moment;
use crate::store::moving::carried::{Ends, GROUPS, Numbered, Row, TABLES, Table};
use crate::store::sqlite::columns::{int, uint};
use crate::store::sqlite::copies::{CopyError, MANIFEST_FILE, Pair};
use crate::store::sqlite::files::{self, Folder, JOURNAL_FILE, Places, STATE_FILE};
use crate::store::sqlite::state;

/// A data folder that nobody else has.
pub(in crate::store) struct Source {
    pair: Pair,
    present: Moment,
    _folder: Folder,
}

/// Why a folder can't be read.
pub(in crate::store) enum NotRead {
    /// It can't be used.
    Copy(CopyError),
    /// It is a backup: what was called after it is not in it.
    Backup,
    /// An earlier version wrote it.
    Earlier,
    /// It is damaged, in words.
    Damaged(String),
}

impl<E: Into<CopyError>> From<E> for NotRead {
    fn from(error: E) -> Self {
        Self::Copy(error.into())
    }
}

impl Source {
    /// Takes a folder, and looks whether its files are sound and belong together.
    pub(in crate::store) fn open(path: &Path, on: Places, present: Moment) -> Result<Self, NotRead> {
        for file in [STATE_FILE, JOURNAL_FILE] {
            if !path.join(file).is_file() {
                return Err(CopyError::NoData { folder: path.to_owned(), file }.into());
            }
        }
        if path.join(MANIFEST_FILE).exists() {
            return Err(NotRead::Backup);
        }
        let folder = Folder::open(path, on, Duration::ZERO)?;
        let pair = Pair::begin(path)?;
        let Some(counted) = pair.standing.counted else { return Err(NotRead::Earlier) };
        if !pair.standing.adds_up() {
            return Err(NotRead::Damaged(format!(
                "{} events were accepted, but {} took effect and {} wait",
                pair.standing.end.0, counted.processed.events, counted.waiting
            )));
        }
        for (name, file) in [(JOURNAL_FILE, &pair.journal), (STATE_FILE, &pair.state)] {
            let unsound = files::unsound(file).unwrap_or_else(|error| vec![error.to_string()]);
            if let Some(line) = unsound.into_iter().next() {
                return Err(NotRead::Damaged(format!("{name}: {line}")));
            }
        }
        Ok(Self { pair, present, _folder: folder })
    }

    fn file(&self, table: &Table) -> &Connection {
        if table.name == GROUPS.name { &self.pair.journal } else { &self.pair.state }
    }

    /// How many rows a table has.
    pub(in crate::store) fn count(&self, table: &Table) -> Result<u64, FolderFailed> {
        let sql = format!("SELECT count(*) FROM ({})", columns::select(table, Slots::Noted));
        let count: i64 = self.file(table).query_row(&sql, (), |row| row.get(0))?;
        Ok(uint(count))
    }

    /// Hands each row of a table on.
    pub(in crate::store) fn each<E: From<FolderFailed>>(
        &self,
        table: &Table,
        take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        columns::each(self.file(table), table, Slots::Counted(self.present), take)
    }

    /// What is no table.
    pub(in crate::store) fn ends(&self) -> Result<Ends, FolderFailed> {
        let file = &self.pair.state;
        let processed = state::processed(file)?;
        let key = file.query_row("SELECT key FROM tombstone_key", (), |row| row.get(0))?;
        let mut given = Vec::new();
        for table in TABLES {
            if let Numbered::Once(_) = table.numbered {
                let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
                let last: Option<i64> = file.query_row(sql, [table.name], |row| row.get(0)).optional()?;
                given.push((table.name, last.unwrap_or(0)));
            }
        }
        Ok(Ends {
            last: int(self.pair.standing.end.0),
            live: int(processed.live.0),
            old: int(processed.old.0),
            events: int(processed.events),
            key,
            given,
        })
    }
}
