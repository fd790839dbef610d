//! What can go wrong: when opening, and what an error of `SQLite` means for the store.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use crate::store::StoreError;
pub(super) use crate::store::failing::{Fatal, Full};

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
    /// A restore or an export into it was killed.
    #[error("a restore or an export into the data folder {0} was not finished: run the same command again")]
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
