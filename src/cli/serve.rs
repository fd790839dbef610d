//! `freshsignal serve`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome, environment, load_to_serve, runtime, start_logging};
use crate::app::{App, Listeners, Reload};
use crate::clock::SystemClock;
use crate::config;
use crate::freshsales::Mode;

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let config = load_to_serve(file)?;
    start_logging(&config.log)?;
    let addresses = (config.server.listen.clone(), config.admin.listen.clone());
    let (data, account) = (config.store.path.clone(), config.account().0);
    let mode = if config.freshsales.mode == Mode::DryRun { "dry_run" } else { "live" };
    let file = file.map(Path::to_path_buf);
    let load = move |texts: config::Texts<'_>| {
        config::examine_with(file.as_deref(), texts, &environment())?.approved_to_serve()
    };
    // Opening the store may wait for another process to leave the data folder, so it comes before the runtime.
    let app = App::build(config, Arc::new(load), Arc::new(SystemClock::default()))?;
    runtime()?.block_on(async {
        let listeners = Listeners {
            public: bind("server.listen", &addresses.0).await?,
            private: bind("admin.listen", &addresses.1).await?,
        };
        let stop = CancellationToken::new();
        watch_signals(&stop, app.reload())?;
        // Port 0 is chosen by the system: what is said is where they really are.
        let at = |listener: &TcpListener| listener.local_addr().map_err(Failure::running);
        let (public, private) = (at(&listeners.public)?, at(&listeners.private)?);
        tracing::info!(%public, %private, data = %data.display(), account, mode, "freshsignal accepts events");
        app.run(listeners, stop).await?;
        tracing::info!("stopped: every accepted event is on disk");
        Ok(())
    })
}

async fn bind(key: &str, address: &str) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    let words = || match &bound {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            format!(
                "can't listen on {address} ({key}): another program has this port; stop it, or choose another address"
            )
        }
        Err(_) | Ok(_) => format!("can't listen on {address} ({key})"),
    };
    let words = words();
    bound.context(words).map_err(Failure::running)
}

/// SIGTERM and SIGINT stop; SIGHUP reads the configuration again.
fn watch_signals(stop: &CancellationToken, reload: Reload) -> Outcome {
    let listen = |kind| signal(kind).map_err(Failure::running);
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut hang_up = listen(SignalKind::hangup())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {
                    // The reload itself says in the log how it went.
                    reload.reload_and_note().await;
                }
            }
        }
        tracing::info!(
            "stopping: accepted requests are answered, and calls in flight get server.shutdown_seconds to end"
        );
        stop.cancel();
    });
    Ok(())
}
