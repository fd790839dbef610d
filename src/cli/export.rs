//! `freshsignal export`: deals of the account, or the contacts that are held, as a file.
//!
//! A running service makes the calls, so they are of its allowance. Where none runs, this process takes the data folder and its
//! ledger of calls, and asks itself in the same way.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::health::on_this_machine;
use super::{Failure, Outcome, complain, environment, load_with_account, runtime};
use crate::app::{App, stored_token};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::freshsales::{Timeouts, http_client};

const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(3), attempt: Duration::from_mins(5) };
/// How often it is asked how the export stands.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Signs of the bar.
const BAR: u64 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Deals, read from the account
    Deals,
    /// The contacts that are held here, with what each is still owed; no calls
    Contacts,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What is exported
    what: What,
    /// Deals that are won alone
    #[arg(long)]
    won: bool,
    /// Those that were closed in so many days, or changed where they are open
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// Those of this pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// csv or jsonl
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = ["csv", "jsonl"])]
    format: String,
    /// Where the file is written; else to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// It ends where more calls than this would be needed
    #[arg(long, value_name = "N")]
    calls_max: Option<u64>,
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let of_deals = arguments.won || arguments.days.is_some() || arguments.pipeline.is_some();
    if arguments.what == What::Contacts && (of_deals || arguments.calls_max.is_some()) {
        return Err(Failure::Usage(anyhow!(
            "--won, --days, --pipeline and --calls-max are of deals: contacts are what is held here, and cost no call"
        )));
    }
    let config = load_with_account(arguments.config.as_deref())?;
    let address = config.admin.address();
    let address = address.ok_or_else(|| Failure::Usage(anyhow!("admin.listen is no address")))?;
    let address = on_this_machine(address);
    let runtime = runtime()?;
    if runtime.block_on(TcpStream::connect(address)).is_ok() {
        let service = Service::at(address, token_of(&config)?)?;
        return runtime.block_on(service.export(arguments));
    }
    // Opening the store may wait for another process to leave the data folder, so it comes before the runtime.
    let file = arguments.config.clone();
    let load = move |texts: config::Texts<'_>| {
        config::examine_with(file.as_deref(), texts, &environment())?.approved_to_serve()
    };
    let app = App::build(config.clone(), Arc::new(load), Arc::new(SystemClock::default()))?;
    let token = token_of(&config)?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::running)?;
        let address = listener.local_addr().map_err(Failure::running)?;
        let stop = CancellationToken::new();
        let working = tokio::spawn(app.export_alone(listener, stop.clone()));
        let service = Service::at(address, token)?;
        complain("no service runs: this process takes the data folder and makes the calls");
        let done = service.export(arguments).await;
        stop.cancel();
        working.await.map_err(Failure::running)??;
        done
    })
}

fn token_of(config: &Config) -> Result<Option<SecretString>, Failure> {
    match config.admin.token() {
        Some(token) => Ok(Some(token)),
        None => stored_token(&config.store.path).map_err(Failure::running),
    }
}

/// The private listener of a service, or of this process.
struct Service {
    client: Client,
    origin: String,
    token: Option<SecretString>,
    clock: SystemClock,
}

/// How an export stands, as far as it is told.
struct Stands {
    id: u64,
    state: String,
    reason: String,
    calls: u64,
    foretold: Option<(u64, u64)>,
    deals: u64,
    missed: u64,
}

impl Stands {
    fn read(view: &Value) -> Self {
        let number = |path: &str| view.pointer(path).and_then(Value::as_u64);
        let text = |path: &str| view.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            id: number("/id").unwrap_or_default(),
            state: text("/state"),
            reason: text("/reason"),
            calls: number("/calls").unwrap_or_default(),
            foretold: number("/foretold/calls").zip(number("/foretold/at_most")),
            deals: number("/deals").unwrap_or_default(),
            missed: number("/missed").unwrap_or_default(),
        }
    }
}

impl Service {
    fn at(address: SocketAddr, token: Option<SecretString>) -> Result<Self, Failure> {
        let client = http_client(TIMEOUTS).map_err(Failure::running)?;
        Ok(Self { client, origin: format!("http://{address}"), token, clock: SystemClock::default() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.origin));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    async fn answered(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let answer = request.send().await.map_err(|error| Failure::Running(anyhow!(error.without_url())))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let why = body["message"].as_str().unwrap_or("its answer is none of freshsignal's private listener");
        let failure = anyhow!("the service answers {status}: {why}");
        Err(if status == StatusCode::BAD_REQUEST {
            Failure::Usage(failure)
        } else {
            Failure::Running(failure)
        })
    }

    async fn export(&self, arguments: &Arguments) -> Outcome {
        match arguments.what {
            What::Contacts => {
                let path = format!("/api/exports/contacts?format={}", arguments.format);
                self.fetch(&path, arguments.out.as_deref()).await
            }
            What::Deals => self.deals(arguments).await,
        }
    }

    async fn deals(&self, arguments: &Arguments) -> Outcome {
        let Arguments { won, days, pipeline, calls_max, .. } = arguments;
        let order = json!({ "what": "deals", "won": won, "days": days, "pipeline": pipeline, "calls_max": calls_max });
        let order = without_nulls(order);
        let id = match self.finished(&order).await? {
            Some(id) => id,
            None => {
                Stands::read(&self.answered(self.request(Method::POST, "/api/exports").json(&order)).await?)
                    .id
            }
        };
        let stands = self.wait_for(id).await?;
        if stands.state == "failed" {
            let _ = self.answered(self.request(Method::DELETE, &format!("/api/exports/{id}"))).await;
            return Err(Failure::Running(anyhow!("the export was given up: {}", stands.reason)));
        }
        let path = format!("/api/exports/{id}/file?format={}", arguments.format);
        self.fetch(&path, arguments.out.as_deref()).await?;
        self.answered(self.request(Method::DELETE, &format!("/api/exports/{id}"))).await?;
        let foretold = stands.foretold.map_or_else(String::new, |(calls, _)| format!(", {calls} foretold"));
        complain(&format!("{} deals by {} calls{foretold}", stands.deals, stands.calls));
        if stands.missed > 0 {
            return Err(Failure::Running(anyhow!(
                "the list changed more often than it was read again: up to {} deals may be missing. Run it again",
                stands.missed
            )));
        }
        Ok(())
    }

    /// The same export that has ended already, and was not fetched: this command was ended before.
    async fn finished(&self, order: &Value) -> Result<Option<u64>, Failure> {
        let all = self.answered(self.request(Method::GET, "/api/exports")).await?;
        let wanted = |view: &&Value| {
            let mut wanted = view["wanted"].clone();
            if let Some(wanted) = wanted.as_object_mut() {
                wanted.insert("what".to_owned(), json!("deals"));
            }
            view["name"].is_null() && view["state"] == "done" && wanted == *order
        };
        let found = all["exports"].as_array().into_iter().flatten().find(wanted);
        if let Some(at) = found.and_then(|view| view["ended_at"].as_str()) {
            complain(&format!("it was read already, at {at}, and never fetched"));
        }
        Ok(found.and_then(|view| view["id"].as_u64()))
    }

    /// Waits until an export has ended, and says how far it is.
    async fn wait_for(&self, id: u64) -> Result<Stands, Failure> {
        let mut shown = Progress::default();
        loop {
            let view = self.answered(self.request(Method::GET, &format!("/api/exports/{id}"))).await?;
            let stands = Stands::read(&view);
            shown.show(&stands);
            if stands.state != "running" {
                shown.end();
                return Ok(stands);
            }
            self.clock.sleep_until(self.clock.monotonic() + LOOK_EVERY).await;
        }
    }

    /// Fetches a file. Where it can't be fetched whole, nothing stands under its name.
    async fn fetch(&self, path: &str, out: Option<&Path>) -> Outcome {
        let broken = |error: reqwest::Error| {
            Failure::Running(anyhow!("the file broke off, run it again: {}", error.without_url()))
        };
        let answer = self.request(Method::GET, path).send().await.map_err(broken)?;
        if !answer.status().is_success() {
            return Err(Failure::Running(anyhow!("the service answers {} for the file", answer.status())));
        }
        let mut answer = answer;
        match out {
            None => {
                let mut out = std::io::stdout().lock();
                while let Some(part) = answer.chunk().await.map_err(broken)? {
                    match out.write_all(&part) {
                        // Who closes the pipe has read enough.
                        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                        written => written.map_err(Failure::running)?,
                    }
                }
                out.flush().map_err(Failure::running)
            }
            Some(path) => {
                let part = part_of(path);
                let failed = || format!("can't write {}", path.display());
                let mut file = File::create(&part).with_context(failed).map_err(Failure::Running)?;
                while let Some(bytes) = answer.chunk().await.map_err(broken)? {
                    file.write_all(&bytes).with_context(failed).map_err(Failure::Running)?;
                }
                file.sync_all().with_context(failed).map_err(Failure::Running)?;
                std::fs::rename(&part, path).with_context(failed).map_err(Failure::Running)
            }
        }
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

fn without_nulls(order: Value) -> Value {
    match order {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

/// How far it is, on standard error: a bar on a terminal, else a line now and then.
#[derive(Default)]
struct Progress {
    foretold: bool,
    said: u64,
    drawn: bool,
}

impl Progress {
    fn show(&mut self, stands: &Stands) {
        let Some((calls, at_most)) = stands.foretold else { return };
        if !self.foretold {
            self.foretold = true;
            complain(&format!(
                "it takes {calls} calls, and no more than {at_most} whatever changes meanwhile"
            ));
        }
        if std::io::stderr().is_terminal() {
            let done = (stands.calls * BAR / calls.max(1)).min(BAR);
            let bar: String = (0..BAR).map(|at| if at < done { '#' } else { '.' }).collect();
            // A bar that can't be drawn is no reason to stop.
            let _ = write!(std::io::stderr(), "\r[{bar}] {} of {calls} calls", stands.calls);
            self.drawn = true;
        } else if stands.calls >= self.said + (calls / 10).max(1) && stands.state == "running" {
            self.said = stands.calls;
            complain(&format!("{} of {calls} calls", stands.calls));
        }
    }

    fn end(&self) {
        if self.drawn {
            complain("");
        }
    }
}
