//! `freshsignal demo`: everything in one process, without an account; with a page to try it on.
//!
//! The service is the real one over real HTTP; only the CRM behind it is the sandbox.

mod page;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
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
/// How long the example may take before the demo gives up.
const DELIVERED_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(20);

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
    let environment = demo_environment(folder, private_at, crm_at);
    let config = config::load(None, &environment)?.config;
    let building = tokio::task::spawn_blocking({
        let clock = Arc::clone(&clock);
        move || App::build(config, Arc::new(move || config::load(None, &environment)), clock)
    });
    let app = building.await.map_err(Failure::running)??.with_public(page);
    let service = tokio::spawn(app.run(Listeners { public, private }, stop.clone()));

    let shown = show_example(public_at, private_at, clock.as_ref()).await;
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
fn demo_environment(folder: &Path, private: SocketAddr, crm: SocketAddr) -> config::Environment {
    let pairs = [
        ("SOURCES__WEBSITE__WRITE_KEY", WRITE_KEY.to_owned()),
        ("FRESHSALES__BUNDLE_ALIAS", SandboxOptions::default().bundle_alias),
        ("FRESHSALES__API_KEY", SandboxOptions::default().api_key),
        ("FRESHSALES__BASE_URL", format!("http://{crm}")),
        ("ADMIN__LISTEN", private.to_string()),
        ("STORE__PATH", folder.display().to_string()),
    ];
    pairs.into_iter().map(|(key, value)| (format!("FRESHSIGNAL_{key}"), value)).collect()
}

/// Sends the Lead Generated example and prints what Freshsales got and answered.
async fn show_example(public: SocketAddr, private: SocketAddr, clock: &dyn Clock) -> anyhow::Result<()> {
    let client = reqwest_client()?;
    let events = [
        json!({"type": "identify", "userId": "user-456", "messageId": "demo-identify",
            "context": {"consent": {"categoryPreferences": {"marketing": true}}},
            "traits": {"email": "sam.lee@example.com", "first_name": "Sam", "last_name": "Lee",
                "phone": "+1 (415) 555-0142", "company": "Globex"}}),
        json!({"type": "track", "event": "Lead Generated", "userId": "user-456", "messageId": "demo-lead",
            "properties": {"value": 0}}),
    ];
    for event in &events {
        let sent = client
            .post(format!("http://{public}/ingest"))
            .basic_auth(WRITE_KEY, Some(""))
            .json(event)
            .send()
            .await?;
        anyhow::ensure!(sent.status().is_success(), "the event was not accepted: {}", sent.status());
        print(&format!("event     {event}"))?;
    }
    let delivery = delivered(&client, private, clock).await?;
    let attempt = delivery.pointer("/attempts/0").context("the delivery shows no attempt")?;
    let field = |path: &str| attempt.pointer(path).cloned().unwrap_or_default();
    let text = |path: &str| field(path).as_str().map(str::to_owned).unwrap_or_default();
    print(&format!("call      {} {}", text("/request/method"), text("/request/url")))?;
    print(&format!("payload   {}", field("/request/body")))?;
    print(&format!("answer    {} {}", field("/response/status"), text("/response/body")))?;
    Ok(())
}

/// Waits until the example's delivery has ended; an end other than `delivered` is a failure.
async fn delivered(
    client: &reqwest::Client,
    private: SocketAddr,
    clock: &dyn Clock,
) -> anyhow::Result<Value> {
    let deadline = clock.monotonic() + DELIVERED_WITHIN;
    while clock.monotonic() < deadline {
        let event = get(client, format!("http://{private}/api/events/demo-lead")).await?;
        if let Some(id) = event.pointer("/delivery_id").and_then(Value::as_str) {
            let delivery = get(client, format!("http://{private}/api/deliveries/{id}")).await?;
            match delivery.pointer("/state").and_then(Value::as_str) {
                Some("delivered") => return Ok(delivery),
                Some("dead" | "superseded" | "discarded" | "erased") => {
                    return Err(anyhow!("the example was not delivered: {delivery}"));
                }
                Some(_) | None => {}
            }
        }
        clock.sleep_until(clock.monotonic() + LOOK_EVERY).await;
    }
    Err(anyhow!("the example was not delivered within {} seconds", DELIVERED_WITHIN.as_secs()))
}

/// A document of the private listener; nothing while it does not exist yet.
async fn get(client: &reqwest::Client, url: String) -> anyhow::Result<Value> {
    let answer = client.get(url).send().await?;
    if answer.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(Value::Null);
    }
    Ok(answer.error_for_status()?.json().await?)
}

fn reqwest_client() -> anyhow::Result<reqwest::Client> {
    let timeouts = Timeouts { connect: DELIVERED_WITHIN, attempt: DELIVERED_WITHIN };
    Ok(crate::freshsales::http_client(timeouts)?)
}

fn print(line: &str) -> anyhow::Result<()> {
    say(line).map_err(|_| anyhow!("standard output is closed"))
}

fn invitation(public: SocketAddr, private: SocketAddr, crm: SocketAddr) -> String {
    format!(
        "\nOpen the demo shop, and see what becomes of what you do there:\n  http://{public}/demo\n\
         Or send an event of your own:\n  \
         curl -u {WRITE_KEY}: http://{public}/ingest -d '{{\"type\":\"track\",\"event\":\"Lead Generated\",\
         \"userId\":\"u1\",\"context\":{{\"traits\":{{\"email\":\"jane@example.com\",\"name\":\"Jane Doe\"}}}}}}'\n\
         What became of it, in the debugger:\n  http://{private}/debug\n\
         The contacts in the sandbox CRM:\n  curl http://{crm}/sandbox/contacts\n\
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
