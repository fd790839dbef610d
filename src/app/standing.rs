//! What the service rests on: a store that has not failed, files that are in place, and a time that goes on.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::RunError;
use crate::clock::{Clock, SteadyClock};
use crate::store::StoreError;
use crate::store::sqlite::SqliteStore;

/// Ends with an error once the store has failed for good.
pub(super) async fn watch_store(
    mut fatal: watch::Receiver<Option<String>>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        failed = fatal.wait_for(Option::is_some) => {
            let why = failed.ok().and_then(|why| why.clone()).unwrap_or_default();
            Err(StoreError::Fatal(why).into())
        }
    }
}

/// Looks after files that were taken away; [`watch_store`] ends the service if they do not come back.
pub(super) async fn watch_files(store: Arc<SqliteStore>, stop: CancellationToken) -> Result<(), RunError> {
    tokio::select! {
        () = stop.cancelled() => {}
        () = store.watch_files() => {}
    }
    Ok(())
}

/// Time goes on from where it was when the store was used last.
pub(super) fn go_on<C: Clock>(steady: &SteadyClock<C>, store: &SqliteStore) {
    steady.not_before(store.latest_moment());
    let ahead_seconds = steady.ahead().as_secs();
    if ahead_seconds > 60 {
        tracing::warn!(
            ahead_seconds,
            "the clock of this machine is behind the last moment in the data folder: check it; until it has caught up, \
             times continue from that moment"
        );
    }
}
