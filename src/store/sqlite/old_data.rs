//! How much of the journal old data holds, and whether more of it is taken. Must not know of anything else that is full.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::columns::uint;
use super::retention;
use crate::store::StoreError;

/// What old data holds, whether it took effect or not.
#[derive(Debug)]
pub(super) struct OldData {
    bytes: AtomicU64,
    bytes_max: u64,
    /// Why it was refused last, until a part of what is held went.
    refused: Mutex<Option<String>>,
}

impl OldData {
    pub(super) fn in_journal(journal: &Connection, journal_bytes_max: u64) -> Result<Self, StoreError> {
        let sql = "SELECT coalesce(sum(length(bytes)), 0) FROM old_groups";
        let bytes: i64 = journal.query_row(sql, (), |row| row.get(0))?;
        Ok(Self {
            bytes: AtomicU64::new(uint(bytes)),
            bytes_max: retention::old_bytes_max(journal_bytes_max),
            refused: Mutex::default(),
        })
    }

    pub(super) fn held(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Refuses so much more where that is beyond its share.
    pub(super) fn check(&self, more: usize) -> Result<(), StoreError> {
        let (held, max) = (self.held(), self.bytes_max);
        if held.saturating_add(more as u64) <= max {
            return Ok(());
        }
        let why = format!(
            "old data holds {held} of {max} bytes, half of the journal (retention.journal_bytes_max); more is taken \
             when a part of it has taken effect"
        );
        *self.refused() = Some(why.clone());
        Err(StoreError::Full(why))
    }

    /// Why it was refused, while nothing has changed since.
    pub(super) fn refusing(&self) -> Option<String> {
        self.refused().clone()
    }

    pub(super) fn came(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn went(&self, bytes: u64) {
        if bytes > 0 {
            self.bytes.fetch_sub(bytes.min(self.held()), Ordering::Relaxed);
            *self.refused() = None;
        }
    }

    fn refused(&self) -> MutexGuard<'_, Option<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
