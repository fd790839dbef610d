//! Why a store can't be moved, in sentences with what to do. Must not decide anything.

use std::path::PathBuf;

use crate::store::postgres;
use crate::store::postgres::moving::{DatabaseFailed, Refused};
use crate::store::sqlite::CopyError;
use crate::store::sqlite::moving::{FolderFailed, NotRead};
use crate::store::{StoreError, sqlite};

/// Why a store could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    /// A node works with the database.
    #[error(
        "a node works with the schema {0}; nothing was done: stop all nodes. After one was killed its lease lasts for \
         store.lease_seconds"
    )]
    NodeWorks(String),
    /// A node was killed, and its calls may still arrive.
    #[error(
        "calls of a node that was killed may be on their way for another {1} s (schema {0}); nothing was done: run this again \
         then"
    )]
    Calling(String, i64),
    /// Orders that were given on nodes wait to be carried out.
    #[error(
        "{1} orders that were given on nodes of the schema {0} wait to be carried out; nothing was done: start a node, which does that \
         within seconds, then stop it and try again"
    )]
    Ordered(String, i64),
    /// There is no store to export.
    #[error(
        "there is no store in the schema {0}; nothing was done: name the configuration of the nodes (--config FILE)"
    )]
    NoStore(String),
    /// Another version made the tables.
    #[error(
        "the tables of the schema {schema} are of another version ({found}, this one has {known}); nothing was done: use the \
         version of the nodes, or start one of this version first"
    )]
    Version {
        /// The schema.
        schema: String,
        /// Its version.
        found: i64,
        /// The one known here.
        known: i64,
    },
    /// The database holds something.
    #[error(
        "the schema {schema} is not empty ({}); nothing was changed: name another one (store.schema), or drop it where nobody \
         needs what it holds", tables.join(", ")
    )]
    Holds {
        /// The schema.
        schema: String,
        /// Tables that hold something.
        tables: Vec<String>,
    },
    /// The folder is a backup.
    #[error(
        "{} is a backup: what was called after it was made is not in it; nothing was changed: restore it into a data folder \
         (`freshsignal restore`), and import that", .0.display()
    )]
    Backup(PathBuf),
    /// The folder is of an earlier version.
    #[error(
        "the data folder {} was written by an earlier version; nothing was changed: start this version's service on it once, stop \
         it, and import it then", .0.display()
    )]
    Earlier(PathBuf),
    /// The folder is damaged.
    #[error("the data folder {} is damaged ({why}); nothing was changed: `freshsignal verify` says more", folder.display())]
    Damaged {
        /// Which.
        folder: PathBuf,
        /// In words.
        why: String,
    },
    /// What arrived is not what left.
    #[error(
        "{table} did not arrive as it was ({left} rows left, {arrived} arrived); nothing was kept: report this"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows that were read.
        left: u64,
        /// Rows that were found where they were written.
        arrived: u64,
    },
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] CopyError),
    /// The database can't be used.
    #[error(transparent)]
    Database(#[from] postgres::OpenError),
    /// The database failed.
    #[error("the database failed: {0}; nothing was kept, and it can be tried again")]
    DatabaseFailed(StoreError),
    /// The data folder failed.
    #[error("the data folder failed: {0}; nothing was kept, and it can be tried again")]
    FolderFailed(StoreError),
}

impl MovingError {
    /// The exit code of a process that meets it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NodeWorks(_) | Self::Calling(..) | Self::Ordered(..) => 75,
            Self::NoStore(_)
            | Self::Version { .. }
            | Self::Holds { .. }
            | Self::Backup(_)
            | Self::Earlier(_) => 2,
            Self::Damaged { .. } | Self::Differs { .. } | Self::DatabaseFailed(_) | Self::FolderFailed(_) => {
                74
            }
            Self::Folder(error) => error.exit_code(),
            Self::Database(error) => error.exit_code(),
        }
    }

    /// Why a folder can't be read.
    pub(super) fn of_folder(folder: PathBuf) -> impl FnOnce(NotRead) -> Self {
        |why| match why {
            NotRead::Copy(error) => Self::Folder(error),
            NotRead::Backup => Self::Backup(folder),
            NotRead::Earlier => Self::Earlier(folder),
            NotRead::Damaged(why) => Self::Damaged { folder, why },
        }
    }

    /// Why a schema may not be moved.
    pub(super) fn of_schema(schema: String) -> impl FnOnce(Refused) -> Self {
        |why| match why {
            Refused::Open(error) => Self::Database(error),
            Refused::InUse => Self::NodeWorks(schema),
            Refused::Calling(seconds) => Self::Calling(schema, seconds),
            Refused::Ordered(orders) => Self::Ordered(schema, orders),
            Refused::Nothing => Self::NoStore(schema),
            Refused::Version(found, known) => Self::Version { schema, found, known },
            Refused::Holds(tables) => Self::Holds { schema, tables },
        }
    }
}

impl From<DatabaseFailed> for MovingError {
    fn from(error: DatabaseFailed) -> Self {
        Self::DatabaseFailed(error.0)
    }
}

impl From<FolderFailed> for MovingError {
    fn from(error: FolderFailed) -> Self {
        Self::FolderFailed(error.0)
    }
}

impl From<sqlite::OpenError> for MovingError {
    fn from(error: sqlite::OpenError) -> Self {
        Self::Folder(error.into())
    }
}
