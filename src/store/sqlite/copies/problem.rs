//! Why a backup can't be made or used, in sentences with what to do. Must not decide anything.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::sqlite::OpenError;

/// Why a backup could not be made, or a folder not be restored.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something has the name of the backup already.
    #[error("{} exists already; no backup was made: name a folder that does not exist yet", .0.display())]
    Exists(PathBuf),
    /// A backup inside what it copies.
    #[error("{} lies in the data folder; nothing was done: keep backups outside of it, on another disk where there is one", .0.display())]
    Inside(PathBuf),
    /// The same backup is being made.
    #[error("another process is making the backup {}; wait until it has ended", .0.display())]
    UnderWay(PathBuf),
    /// The backup would fill the disk.
    #[error(
        "the disk of {} has {free} bytes free, and the backup needs {needed}, with the spare room that events need; make room or name \
         another disk", folder.display()
    )]
    Room {
        /// Where the backup was to be.
        folder: PathBuf,
        /// Bytes that we may still write there.
        free: u64,
        /// Bytes that it takes, with the spare room.
        needed: u64,
    },
    /// There is nothing to copy or to look at.
    #[error("there is no data in {}: it has no {file}; name the data folder (store.path) or a backup", folder.display())]
    NoData {
        /// Where.
        folder: PathBuf,
        /// What is missing.
        file: &'static str,
    },
    /// The two files of a running service could not be copied as of one moment.
    #[error(
        "state.db and journal.db do not belong to one moment; no backup was made: `freshsignal verify` says what is wrong with them"
    )]
    Torn,
    /// A backup that is not whole, or not as it was when it was made.
    #[error("{} can't be restored: {why}; nothing was changed: use another backup", folder.display())]
    Damaged {
        /// Which.
        folder: PathBuf,
        /// In words.
        why: String,
    },
    /// What is to be restored is no folder.
    #[error("there is no folder {}; nothing was changed: name the folder of a backup", .0.display())]
    NoFolder(PathBuf),
    /// The record that was named tells nothing of who is in the backup.
    #[error("--withdrawn {}: {why}; nothing was changed: name the withdrawn.log of the data folder that the backup is of, or leave it out", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// In words.
        why: &'static str,
    },
    /// There is something in the way.
    #[error(
        "the data folder {} is not empty; nothing was changed: empty it, or add --replace, which moves what is there into a \
         folder of its own inside it", .0.display()
    )]
    NotEmpty(PathBuf),
    /// There is something where a folder is to be written.
    #[error("the folder {} is not empty; nothing was changed: name an empty one, or one that does not exist yet", .0.display())]
    Occupied(PathBuf),
    /// The data folder can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file can't be read or written.
    #[error("{} can't be read or written: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl CopyError {
    /// The exit code of a process that meets it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exists(_)
            | Self::Inside(_)
            | Self::NoData { .. }
            | Self::NoFolder(_)
            | Self::Record { .. }
            | Self::NotEmpty(_)
            | Self::Occupied(_) => 2,
            Self::Room { .. } => 1,
            Self::UnderWay(_) => 75,
            Self::Torn | Self::Damaged { .. } | Self::File { .. } => 74,
            Self::Open(error) => error.exit_code(),
        }
    }

    /// Refuses a backup inside the data folder: it would be moved or deleted with it.
    pub(super) fn refuse_inside(data: &Path, backup: &Path) -> Result<(), Self> {
        let parent =
            backup.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let inside = match (data.canonicalize(), parent.canonicalize()) {
            (Ok(data), Ok(parent)) => parent.starts_with(data),
            // What does not exist yet holds nothing.
            (Err(_), _) | (_, Err(_)) => false,
        };
        if inside { Err(Self::Inside(backup.to_owned())) } else { Ok(()) }
    }

    /// An error of a file, with its name.
    pub(in crate::store::sqlite) fn of(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::File { path, cause }
    }
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Open(error.into())
    }
}

impl From<StoreError> for CopyError {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}
