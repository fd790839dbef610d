//! What the service rests on: a store that has not failed, files that are in place, and a time that goes on.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::RunError;
use crate::clock::{Clock, SteadyClock};
use crate::store::{SharedStore, Store, StoreError};

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

/// Looks after what the store rests on; [`watch_store`] ends the service if that does not come back.
pub(super) async fn look_after(store: SharedStore, stop: CancellationToken) -> Result<(), RunError> {
    tokio::select! {
        () = stop.cancelled() => {}
        () = store.look_after() => {}
    }
    Ok(())
}

/// Rings for whoever waits for deliveries that are due whenever they were changed by somebody else.
pub(super) async fn ring(
    mut changed: watch::Receiver<u64>,
    owed: Arc<Notify>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            told = changed.changed() => {
                if told.is_err() {
                    // Nobody else changes anything.
                    stop.cancelled().await;
                    return Ok(());
                }
                owed.notify_one();
            }
        }
    }
}

/// Time goes on from where it was when the store was used last.
pub(super) fn go_on<C: Clock>(steady: &SteadyClock<C>, store: &dyn Store) {
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
