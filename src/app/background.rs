//! Background work: a part of the service on a thread of its own that gives way to the request path.
//!
//! Processing has time: what it works off is on disk. Acknowledging has none: somebody waits for it. Where both want
//! the same cores, the scheduler of the machine settles it.

use std::future::Future;

use tokio::sync::oneshot;

use super::RunError;
use crate::store::{StoreError, give_way};

/// Runs a part to its end on a thread of its own.
pub(super) async fn run<P>(name: &'static str, part: P) -> Result<(), RunError>
where
    P: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let (sender, ended) = oneshot::channel();
    let work = move || {
        give_way();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = match runtime {
            Ok(runtime) => runtime.block_on(part).map_err(RunError::from),
            Err(error) => Err(RunError::Thread(name, error.to_string())),
        };
        // Nobody listens when the service is gone already.
        let _ = sender.send(result);
    };
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    if let Err(error) = spawned {
        return Err(RunError::Thread(name, error.to_string()));
    }
    ended.await.unwrap_or_else(|_| {
        Err(RunError::Thread(name, "the thread ended without reporting a result".to_owned()))
    })
}
