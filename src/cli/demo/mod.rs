//! `freshsignal demo`: everything in one process, without an account; with a page to try it on.
//!
//! The service is the real one over real HTTP; only the CRM behind it is the sandbox.

mod example;
mod page;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::sandbox::interrupted;
use super::{Failure, Outcome, runtime, say, start_logging};
use crate::app::{App, Listeners};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::freshsales::Timeouts;
use crate::http::{self, ServeLimits};
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::telemetry::LogConfig;

const WRITE_KEY: &str = "demo-write-key";
/// Orders become deals.
const MAPPING: &str = include_str!("mapping.toml");
/// How long the example may take before the demo gives up.
const DELIVERED_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Sends the example, prints what Freshsales got and answered, and ends
    #[arg(long)]
    once: bool,
    /// The port of the public listener; the private one is the next. With --once any free ports by default
    #[arg(long)]
    port: Option<u16>,
}

/// Runs the demo.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let level = if arguments.once { "warn" } else { "info" };
    start_logging(&LogConfig { level: level.to_owned(), ..LogConfig::default() })?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let folder = DataFolder::fresh(clock.as_ref()).map_err(Failure::Running)?;
    let result = runtime()?.block_on(demo(arguments, &folder.0, clock));
    drop(folder);
    result
}

async fn demo(arguments: &Arguments, folder: &Path, clock: Arc<dyn Clock>) -> Outcome {
    let stop = CancellationToken::new();
    let port = arguments.port.unwrap_or(if arguments.once { 0 } else { 8080 });
    let public = bind(port).await?;
    let private = bind(if port == 0 { 0 } else { port.saturating_add(1) }).await?;
    let crm = bind(0).await?;
    let at = |listener: &TcpListener| listener.local_addr().map_err(Failure::running);
    let (public_at, private_at, crm_at) = (at(&public)?, at(&private)?, at(&crm)?);

    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::clone(&clock));
    let page = page::router(reqwest_client().map_err(Failure::Running)?, private_at, sandbox.clone());
    let crm = tokio::spawn(http::serve(crm, sandbox.router(), ServeLimits::default(), stop.clone()));
    let mapping = folder.join("mapping.toml");
    std::fs::write(&mapping, MAPPING)
        .context("can't write the mapping of the demo")
        .map_err(Failure::Running)?;
    let environment = demo_environment(folder, &mapping, private_at, crm_at);
    let config = config::load(None, &environment)?.config;
    let building = tokio::task::spawn_blocking({
        let clock = Arc::clone(&clock);
        move || {
            App::build(
                config,
                Arc::new(move |texts: config::Texts<'_>| {
                    config::examine_with(None, texts, &environment)?.approved()
                }),
                clock,
            )
        }
    });
    let app = building.await.map_err(Failure::running)??.with_public(page);
    let service = tokio::spawn(app.run(Listeners { public, private }, stop.clone()));

    let shown = example::show(public_at, private_at, clock.as_ref()).await;
    if shown.is_ok() && !arguments.once {
        say(&invitation(public_at, private_at, crm_at))?;
        interrupted().await;
    }
    stop.cancel();
    service.await.map_err(Failure::running)??;
    crm.await.map_err(Failure::running)?;
    shown.map_err(Failure::Running)
}

async fn bind(port: u16) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(("127.0.0.1", port)).await;
    bound
        .with_context(|| format!("can't listen on port {port}; --port chooses another"))
        .map_err(Failure::running)
}

/// The configuration of the demo, read the way a user's is.
fn demo_environment(
    folder: &Path,
    mapping: &Path,
    private: SocketAddr,
    crm: SocketAddr,
) -> config::Environment {
    let pairs = [
        ("SOURCES__WEBSITE__WRITE_KEY", WRITE_KEY.to_owned()),
        ("FRESHSALES__BUNDLE_ALIAS", SandboxOptions::default().bundle_alias),
        ("FRESHSALES__API_KEY", SandboxOptions::default().api_key),
        ("FRESHSALES__BASE_URL", format!("http://{crm}")),
        ("ADMIN__LISTEN", private.to_string()),
        ("STORE__PATH", folder.join("data").display().to_string()),
        ("STORE__EPHEMERAL", "true".to_owned()),
        ("MAPPING__FILE", mapping.display().to_string()),
        // Without it Freshsales would subscribe whoever was not asked.
        ("CONSENT__UNKNOWN", "unsubscribed".to_owned()),
    ];
    pairs.into_iter().map(|(key, value)| (format!("FRESHSIGNAL_{key}"), value)).collect()
}

fn reqwest_client() -> anyhow::Result<reqwest::Client> {
    let timeouts = Timeouts { connect: DELIVERED_WITHIN, attempt: DELIVERED_WITHIN };
    Ok(crate::freshsales::http_client(timeouts)?)
}

fn invitation(public: SocketAddr, private: SocketAddr, crm: SocketAddr) -> String {
    format!(
        "\nOpen the demo shop, and see what becomes of what you do there:\n  http://{public}/demo\n\
         Or send an event of your own:\n  \
         curl -u {WRITE_KEY}: http://{public}/ingest -d '{{\"type\":\"track\",\"event\":\"Lead Generated\",\
         \"userId\":\"u1\",\"context\":{{\"traits\":{{\"email\":\"jane@example.com\",\"name\":\"Jane Doe\"}}}}}}'\n\
         What became of it, in the debugger:\n  http://{private}/debug\n\
         The contacts and deals in the sandbox CRM:\n  curl http://{crm}/sandbox/contacts http://{crm}/sandbox/deals\n\
         Ctrl-C ends the demo and deletes its data."
    )
}

/// A data folder of its own, deleted in the end.
struct DataFolder(std::path::PathBuf);

impl DataFolder {
    fn fresh(clock: &dyn Clock) -> anyhow::Result<Self> {
        let name = format!("freshsignal-demo-{}-{}", std::process::id(), clock.wall().0);
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // What can't be deleted stays in the temporary folder; there is nobody left to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
