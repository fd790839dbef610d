//! `freshsignal serve`.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome, environment, load_to_serve, runtime, start_logging};
use crate::app::{App, Listeners, Load, Reload};
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::freshsales::Mode;

/// Serves until SIGTERM or SIGINT; starts again in this process where a change on the page needs that.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let config = load_to_serve(file)?;
    start_logging(&config.log)?;
    let addresses = (config.server.listen.clone(), config.admin.listen.clone());
    let file = file.map(Path::to_path_buf);
    let load: Arc<Load> = Arc::new(move |texts: config::Texts<'_>| {
        config::examine_with(file.as_deref(), texts, &environment())?.approved_to_serve()
    });
    let mut told = Told::of(&config);
    // Opening the store may wait for another process to leave the data folder, so it comes before the runtime.
    let mut app = App::build(config, Arc::clone(&load), Arc::new(SystemClock::default()))?;
    runtime()?.block_on(async {
        let listeners = Listeners {
            public: bind("server.listen", &addresses.0).await?,
            private: bind("admin.listen", &addresses.1).await?,
        };
        let stop = CancellationToken::new();
        let reload = watch::Sender::new(app.reload());
        watch_signals(&stop, reload.subscribe())?;
        loop {
            told.say(&app, &listeners)?;
            let again = app.again();
            let until = stop.child_token();
            let until_again = until.clone();
            let asked = again.clone();
            tokio::spawn(async move {
                asked.cancelled().await;
                until_again.cancel();
            });
            let run = app.run(shared(&listeners)?, until);
            tokio::pin!(run);
            tokio::select! {
                // Whoever comes now is refused at once: the sockets are not to be used again.
                () = stop.cancelled() => {
                    drop(listeners);
                    run.await?;
                    break;
                }
                ended = &mut run => ended?,
            }
            if !again.is_cancelled() {
                break;
            }
            let config = load(config::Texts::default())?.config;
            told = Told::of(&config);
            let load = Arc::clone(&load);
            let built = spawn_blocking(move || App::build(config, load, Arc::new(SystemClock::default())));
            app = built.await.map_err(Failure::running)??;
            reload.send_replace(app.reload());
        }
        tracing::info!("stopped: every accepted event is on disk");
        Ok(())
    })
}

/// The same sockets once more: who connects while the service starts again waits in them.
fn shared(listeners: &Listeners) -> Result<Listeners, Failure> {
    let again = |listener: &TcpListener| {
        let copy = listener.as_fd().try_clone_to_owned().map(std::net::TcpListener::from);
        copy.and_then(TcpListener::from_std).map_err(Failure::running)
    };
    Ok(Listeners { public: again(&listeners.public)?, private: again(&listeners.private)? })
}

/// What is said at each start.
struct Told {
    data: PathBuf,
    account: String,
    mode: &'static str,
    first_start: bool,
    awaits_account: bool,
}

impl Told {
    fn of(config: &Config) -> Self {
        Self {
            // Without a file nothing but the working folder says which it is.
            data: match config.first_start {
                Some(_) => std::path::absolute(&config.store.path).unwrap_or(config.store.path.clone()),
                None => config.store.path.clone(),
            },
            account: config.account().0,
            mode: if config.freshsales.mode == Mode::DryRun { "dry_run" } else { "live" },
            first_start: config.first_start.is_some(),
            awaits_account: config.first_start.is_some_and(|first| first.awaits_account),
        }
    }

    fn say(&self, app: &App, listeners: &Listeners) -> Outcome {
        // Port 0 is chosen by the system: what is said is where they really are.
        let at = |listener: &TcpListener| listener.local_addr().map_err(Failure::running);
        let (public, private) = (at(&listeners.public)?, at(&listeners.private)?);
        let (data, account, mode) = (self.data.display(), &self.account, self.mode);
        if !self.awaits_account {
            tracing::info!(%public, %private, %data, account, mode, "freshsignal accepts events");
            if self.first_start {
                tracing::info!("settings come from the page alone: http://{private}/debug#/start");
            }
            return Ok(());
        }
        tracing::info!(
            %public, %private, %data,
            "freshsignal keeps the contacts of a Freshsales account current from customer events; it has no settings yet, so it \
             takes no event and makes no call until it is set up"
        );
        let Some(code) = app.code() else {
            tracing::info!(
                "open the page /debug of the private listener and sign in with the admin token, which `freshsignal token` prints \
                 where none is configured, to set it up in five steps"
            );
            return Ok(());
        };
        let link = format!("http://{private}/debug#/start/{}", code.expose_secret());
        tracing::info!(
            "open this link in a browser on this machine to set it up, in five steps; it is good once, and the next start prints \
             another: {link}"
        );
        Ok(())
    }
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
fn watch_signals(stop: &CancellationToken, reload: watch::Receiver<Reload>) -> Outcome {
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
                    let reload = reload.borrow().clone();
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
