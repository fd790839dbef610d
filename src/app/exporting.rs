//! Exports while no service runs: the private routes on a listener of their own, and the calls of exports, and nothing else.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{App, RunError};
use crate::deliver::keep_paused;
use crate::http::{self, ServeLimits};

impl App {
    /// Reads exports until `stop`. No event is taken, no contact is called.
    ///
    /// # Errors
    /// The store failed, or a part ended that must not.
    pub async fn export_alone(self, listener: TcpListener, stop: CancellationToken) -> Result<(), RunError> {
        self.store.lead().await?;
        keep_paused(&self.store, self.crm.account()).await?;
        self.know_lists().await?;
        let limits = ServeLimits { shutdown_timeout: self.drain(), ..ServeLimits::default() };
        let private = http::serve(listener, self.debugger.router(), limits, stop.clone());
        let calls = self.deliverer().export_alone(stop.clone(), self.drain());
        let ended = async {
            let ended = calls.await;
            stop.cancel();
            ended
        };
        let (_, ended) = tokio::join!(private, ended);
        let store = Arc::clone(&self.store);
        drop(self);
        // Closing writes what is left; it blocks.
        tokio::task::spawn_blocking(move || store.shut()).await?;
        Ok(ended?)
    }
}
