//! A data folder that is written from nothing: there whole or not at all.
//!
//! While it is written the folder says so, and no service starts on it; what fails is taken away again. Nothing is synced before
//! all of it is there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::FolderFailed;
use super::columns::{self, Slots};
use crate::clock::{Moment, UnixMicros};
use crate::store::moving::carried::{Cell, Ends, GROUPS, Row, SLOTS, Table};
use crate::store::sqlite::columns::uint;
use crate::store::sqlite::copies::{CopyError, Entry, Manifest};
use crate::store::sqlite::files::{self, Checkpoint, FileAccess, Folder, JOURNAL_FILE, Places, STATE_FILE};
use crate::store::sqlite::migrations;

/// What a folder says that is being written.
const EXPORTING: &str = "exporting";

/// A folder that is being written; taken away where it is dropped before it is whole.
pub(in crate::store) struct Fresh {
    path: PathBuf,
    folder: Folder,
    files: Option<(Connection, Connection)>,
    present: Moment,
    whole: bool,
}

impl Fresh {
    /// Begins in a folder that is empty, or that holds what a killed one left.
    pub(in crate::store) fn begin(path: &Path, on: Places, present: Moment) -> Result<Self, CopyError> {
        let folder = Folder::take(path, on, Duration::ZERO)?;
        let content = folder.content().map_err(CopyError::of(path))?;
        let is_ours = folder.unfinished().is_some_and(|how_far| how_far == EXPORTING);
        if !is_ours && (!content.is_empty() || folder.unfinished().is_some()) {
            return Err(CopyError::Occupied(path.to_owned()));
        }
        for left in content {
            fs::remove_file(&left).map_err(CopyError::of(&left))?;
        }
        folder.set_unfinished(Some(EXPORTING)).map_err(CopyError::of(path))?;
        let mut fresh = Self { path: path.to_owned(), folder, files: None, present, whole: false };
        let journal = fresh.file(JOURNAL_FILE, migrations::JOURNAL)?;
        let state = fresh.file(STATE_FILE, migrations::STATE)?;
        fresh.files = Some((journal, state));
        Ok(fresh)
    }

    fn file(&self, name: &str, steps: &[&str]) -> Result<Connection, CopyError> {
        let path = self.folder.file(name);
        files::private_file(&path).map_err(CopyError::of(&path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut file = Connection::open_with_flags(&path, flags)?;
        // What is not finished is thrown away, so nothing has to be undone.
        file.query_row("PRAGMA journal_mode = OFF", (), |_| Ok(()))?;
        file.execute_batch(
            "PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
        )?;
        migrations::migrate(&mut file, steps, &path)?;
        file.execute_batch("BEGIN IMMEDIATE")?;
        Ok(file)
    }

    fn of(&self, table: &Table) -> Result<&Connection, FolderFailed> {
        let (journal, state) = self.files.as_ref().ok_or(crate::store::StoreError::Shut)?;
        Ok(if table.name == GROUPS.name { journal } else { state })
    }

    /// Writes rows of a table.
    pub(in crate::store) fn put(&self, table: &Table, rows: &[Row]) -> Result<(), FolderFailed> {
        let file = self.of(table)?;
        if table.name == GROUPS.name {
            let insert =
                |to: &str| file.prepare(&format!("INSERT INTO {to} (first, count, bytes) VALUES (?, ?, ?)"));
            let mut streams = [insert("groups")?, insert("old_groups")?];
            for row in rows {
                let [stream, of_group @ ..] = row.as_slice() else { continue };
                let nth = usize::from(stream.int() != Some(0));
                if let Some(insert) = streams.get_mut(nth) {
                    insert.execute(params_from_iter(of_group))?;
                }
            }
            return Ok(());
        }
        let mut names: Vec<&str> = table.columns.iter().map(|of| columns::column(table, of.name)).collect();
        if table.name == SLOTS.name {
            names.extend(["boottime", "boot"]);
        }
        let places = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, names.join(", "));
        let mut insert = file.prepare(&sql)?;
        for row in rows {
            let more = if table.name == SLOTS.name { self.ran(row) } else { Vec::new() };
            insert.execute(params_from_iter(row.iter().chain(&more)))?;
        }
        Ok(())
    }

    /// How long the machine had been running when a slot was answered, or taken: so its age holds whatever the time of day is
    /// set to. Before the machine was started the time of day is all there is.
    fn ran(&self, slot: &[Cell]) -> Vec<Cell> {
        let [_, _, taken, answered, _] = slot else { return vec![Cell::Null, Cell::Null] };
        let at = answered.int().or(taken.int()).unwrap_or_default();
        let age = self.present.wall.0.saturating_sub(at).max(0);
        let ran = columns::micros(self.present).saturating_sub(age);
        if ran < 0 {
            return vec![Cell::Null, Cell::Null];
        }
        vec![Cell::Int(ran), Cell::Blob(self.present.boot.0.to_be_bytes().to_vec())]
    }

    /// Hands each row on that was written.
    pub(in crate::store) fn each<E: From<FolderFailed>>(
        &self,
        table: &Table,
        take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        columns::each(self.of(table)?, table, Slots::Noted, take)
    }

    /// Writes what is no table.
    pub(in crate::store) fn put_ends(&self, ends: &Ends) -> Result<(), FolderFailed> {
        let (journal, state) = self.files.as_ref().ok_or(crate::store::StoreError::Shut)?;
        journal.execute("UPDATE pruned SET journal_end = ?1", [ends.last])?;
        let sql = "UPDATE progress SET position = ?1, old_position = ?2, events = ?3";
        state.execute(sql, (ends.live, ends.old, ends.events))?;
        state.execute("UPDATE tombstone_key SET key = ?1", [&ends.key])?;
        for (table, last) in ends.given.iter().filter(|(_, last)| *last > 0) {
            let known = state
                .execute("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", (table, last))?;
            if known == 0 {
                state.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", (table, last))?;
            }
        }
        Ok(())
    }

    /// Commits, so that nothing stands in the way of looking at the files.
    fn close(&mut self) -> Result<(), CopyError> {
        if let Some((journal, state)) = self.files.take() {
            journal.execute_batch("COMMIT")?;
            state.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// Says that all of it is there.
    fn seal(mut self) -> Result<(), CopyError> {
        for name in [JOURNAL_FILE, STATE_FILE] {
            let path = self.folder.file(name);
            File::open(&path).and_then(|file| file.sync_all()).map_err(CopyError::of(&path))?;
        }
        self.folder.set_unfinished(None).map_err(CopyError::of(&self.path))?;
        self.whole = true;
        Ok(())
    }

    /// Has all of it on disk as a backup, to be restored before a service goes on with it.
    pub(in crate::store) fn finish_as_backup(
        mut self,
        ends: &Ends,
        now: UnixMicros,
    ) -> Result<(), CopyError> {
        self.close()?;
        let files = [STATE_FILE, JOURNAL_FILE].map(|name| Entry::of(&self.path, name));
        let files = files.into_iter().collect::<Result<Vec<_>, _>>()?;
        Manifest::new(now.to_rfc3339(), uint(ends.last), uint(ends.events), files).write(&self.path)?;
        self.seal()
    }

    /// Has all of it on disk, as a service leaves it.
    pub(in crate::store) fn finish(mut self) -> Result<(), CopyError> {
        self.close()?;
        for name in [JOURNAL_FILE, STATE_FILE] {
            let file = files::connect(&self.folder.file(name), FileAccess::Write)?;
            files::checkpoint(&file, Checkpoint::Truncate)?;
        }
        self.seal()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.whole {
            return;
        }
        drop(self.files.take());
        // What stays says that it is not finished.
        let gone = |path: &PathBuf| fs::remove_file(path).is_ok();
        if self.folder.content().is_ok_and(|content| content.iter().all(gone)) {
            let _ = self.folder.set_unfinished(None);
        }
    }
}
