//! Data folders as rows: one that is read whole, and one that is written from nothing, for moving between the engines.
//!
//! Rows go as they are: what they mean is nobody's business here. What follows from rows, as counts do, the tables make
//! themselves. Must not change a folder that it reads.

mod columns;
mod fresh;
mod source;

pub(in crate::store) use fresh::Fresh;
pub(in crate::store) use source::{NotRead, Source};

use crate::store::StoreError;

/// The folder could not be read or written.
#[derive(Debug)]
pub(in crate::store) struct FolderFailed(pub(in crate::store) StoreError);

impl From<StoreError> for FolderFailed {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<rusqlite::Error> for FolderFailed {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.into())
    }
}
