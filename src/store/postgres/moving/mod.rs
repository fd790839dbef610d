//! A database as rows: one that is read whole as of one moment, and an empty one that is filled in one transaction, for moving
//! between the engines.
//!
//! Rows go as they are; what this engine has beside is made of them here, and counts are made by the tables themselves. What
//! fills a database holds the rows of the turn and of the journal's end meanwhile, so nobody works with it or appends to it, and
//! nothing of it is there before all of it is.

mod columns;
mod filled;
mod gate;
mod snapshot;

pub(in crate::store) use filled::Filled;
pub(in crate::store) use gate::Refused;
pub(in crate::store) use snapshot::{Snapshot, Whom};

#[cfg(test)]
pub(in crate::store) use columns::own;

use tokio::runtime::{Builder, Runtime};

use super::OpenError;
use crate::store::StoreError;

/// The database failed.
#[derive(Debug)]
pub(in crate::store) struct DatabaseFailed(pub(in crate::store) StoreError);

impl From<StoreError> for DatabaseFailed {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

/// What drives the connections, while the thread that asks waits.
fn runtime() -> Result<Runtime, OpenError> {
    let built = Builder::new_multi_thread().worker_threads(1).thread_name("postgres").enable_all().build();
    Ok(built.map_err(|error| StoreError::Fatal(error.to_string()))?)
}
