//! What can go wrong: when opening, and what an error of `SQLite` means for the store.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use tokio::sync::watch;

use crate::store::StoreError;

/// Why the data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the data folder {0} is in use by another process: stop that first; a second service needs a store.path and an account \
         of its own"
    )]
    InUse(PathBuf),
    /// Other files are in it, and none of ours.
    #[error("the folder {0} holds other files: name a folder of its own for the data (store.path)")]
    NotOurs(PathBuf),
    /// The folder that it would be made in is not there.
    #[error(
        "the data folder {0} can't be made: {1} does not exist. Is its disk mounted? Make that folder, or correct store.path"
    )]
    NoParent(PathBuf, PathBuf),
    /// It is no folder.
    #[error("the data folder {0} is not a folder")]
    NotAFolder(PathBuf),
    /// We may not read or write it.
    #[error("the data folder {0} can't be used: {1}")]
    Permission(PathBuf, std::io::Error),
    /// It is on a network file system and that was not allowed.
    #[error(
        "the data folder {0} is on a network file system ({1}), where syncs and locks can't be relied on; \
         set store.network_file_system = true to use it all the same"
    )]
    NetworkFileSystem(PathBuf, &'static str),
    /// It goes with the container or the machine's memory, and that was not allowed.
    #[error(
        "the data folder {0} is inside the container or in memory ({1}) and goes with it, and every accepted event too: mount \
         a volume there and name it in store.path, or set store.ephemeral = true where losing all of it is meant"
    )]
    Ephemeral(PathBuf, &'static str),
    /// A later version wrote it.
    #[error("{file} was written by a later version (its schema is {found}, this one knows {known})")]
    Newer {
        /// Which file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// A restore into it was killed.
    #[error("a restore into the data folder {0} was not finished: run `freshsignal restore` again")]
    Unfinished(PathBuf),
    /// The library is not one to trust with data.
    #[error("SQLite does not work as it must: {0}")]
    Engine(String),
    /// The disk failed or a file is damaged.
    #[error("the disk failed or the store is damaged: {0}")]
    Disk(String),
}

impl OpenError {
    /// The exit code of a process that could not open its store.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::InUse(_) => 75,
            Self::NotAFolder(_)
            | Self::NotOurs(_)
            | Self::NoParent(..)
            | Self::Permission(..)
            | Self::NetworkFileSystem(..)
            | Self::Ephemeral(..)
            | Self::Newer { .. }
            | Self::Unfinished(_)
            | Self::Engine(_) => 2,
            Self::Disk(_) => 74,
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Disk(error.to_string())
    }
}

/// What an error of the library means.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error().copied() else {
            return Self::Unreadable("row", error.to_string());
        };
        match code.code {
            ErrorCode::DiskFull => Self::Full(error.to_string()),
            // The shared memory of the WAL could not grow: for want of room, too.
            ErrorCode::SystemIoFailure if code.extended_code == SQLITE_IOERR_SHMSIZE => {
                Self::Full(error.to_string())
            }
            ErrorCode::OperationInterrupted => Self::TooSlow,
            ErrorCode::ConstraintViolation => Self::Conflict,
            // Somebody has opened the file with another tool.
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Overloaded,
            _ => Self::Fatal(error.to_string()),
        }
    }
}

/// The first failure that nothing but a new start can mend; shared by all that touch the files.
#[derive(Clone, Debug)]
pub(super) struct Fatal(watch::Sender<Option<String>>);

impl Fatal {
    pub(super) fn none() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Fails once there was a fatal failure.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &*self.0.borrow() {
            Some(what) => Err(StoreError::Fatal(what.clone())),
            None => Ok(()),
        }
    }

    /// Remembers a failure if it is fatal and the first one.
    pub(super) fn note(&self, error: &StoreError) {
        if let StoreError::Fatal(what) = error {
            self.0.send_if_modified(|fatal| {
                let first = fatal.is_none();
                if first {
                    tracing::error!(error = %what, "the store failed: the service stops with exit code 74; start it again to recover");
                    *fatal = Some(what.clone());
                }
                first
            });
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }
}

/// Why there is no room for events, while there is none. Says in the log when that begins and ends.
#[derive(Debug, Default)]
pub(super) struct Full(Mutex<Option<String>>);

impl Full {
    /// Why there is no room, if there is none.
    pub(super) fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a failure if it is a want of room and the first one.
    pub(super) fn note(&self, error: &StoreError) {
        let StoreError::Full(why) = error else { return };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| {
            tracing::error!(%why, "events are refused: there is no room to store them; delivery goes on");
            why.clone()
        });
    }

    /// There is room again.
    pub(super) fn ends(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("there is room again; events are accepted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    /// What was written to the log.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_leaves_one_line_in_the_log_when_it_begins_and_one_when_it_ends() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_target(false);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let full = Full::default();
            full.note(&StoreError::Conflict);
            full.ends();
            for free in 1..4 {
                full.note(&StoreError::Full(format!("the disk has {free} bytes left")));
            }
            assert_eq!(full.why().as_deref(), Some("the disk has 1 bytes left"));
            full.ends();
            full.ends();
            assert_eq!(full.why(), None);
        });
        let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            said,
            "ERROR events are refused: there is no room to store them; delivery goes on why=the disk has 1 bytes left\n \
             INFO there is room again; events are accepted\n"
        );
    }
}
