//! `freshsignal check`: what is wrong with the configuration, and with `--live` what the account says against it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;

use super::{Failure, Outcome, complain, load_with_account, runtime, sample, say, settings_of};
use crate::alerts::{Heartbeat, Message, Receiver};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::freshsales::{BundleAlias, Client, Mode, Report, TestContact, Timeouts, Transport, check};
use crate::store::Engine;
use crate::webhook::{Failed, Taken};
#[cfg(feature = "postgres")]
use crate::{
    app,
    store::{StoreSettings, postgres::PostgresStore},
};

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command")]
pub(super) struct Arguments {
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Also asks Freshsales: alias, key, rights, calls an hour, fields; changes nothing there
    #[arg(long)]
    live: bool,
    /// Also writes a test contact, and a company, a deal and a note where the mapping has such; reads what stuck, and deletes them
    #[arg(long, requires = "live")]
    probe: bool,
    /// Then prints what was found once more, without names of the account, people or custom fields, to be shown to others
    #[arg(long, requires = "live")]
    report: bool,
    /// Also has the running service compare so many of its contacts (at most 100) with Freshsales; a call each
    #[arg(long, requires = "live", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    sample: Option<u64>,
    /// Also sends a test message to `alerts.url` and asks `alerts.heartbeat_url` once; says what came back
    #[arg(long)]
    alert: bool,
}

/// Names every problem of the configuration, also what only serving needs; then, where that is wanted, of the account.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let config = load_with_account(arguments.config.as_deref())?;
    let consent = config.consent.warnings();
    for warning in consent.iter().map(ToString::to_string).chain(config.misspelt()) {
        complain(&format!("warning: {warning}"));
    }
    for source in config.sources_without_trust() {
        complain(&format!(
            "note: sources.{source}.trust is not set, so what its keys bring is believed as a server's. If its key stands in a page \
             or an app, set trust = \"visitor\": then nobody who has it replaces what your servers say of a customer; else \
             trust = \"server\""
        ));
    }
    say("the configuration is complete")?;
    say_store(&config)?;
    say_way(&transport(&config)?)?;
    if arguments.alert {
        alert(&config)?;
    }
    if !arguments.live {
        return Ok(());
    }
    let judged = live(&config, arguments.probe, arguments.report);
    match arguments.sample {
        // What is wrong with the account is known before, and said in the end.
        Some(contacts) => sample::run(&config, contacts).and(judged),
        None => judged,
    }
}

/// Connects to the database, where one is configured, and says what a 200 means with it.
fn say_store(config: &Config) -> Outcome {
    match config.store.kind {
        Engine::Sqlite => Ok(()),
        Engine::Postgres => say(&format!("the store: {}", looked_at(config)?)),
    }
}

#[cfg(feature = "postgres")]
fn looked_at(config: &Config) -> Result<String, Failure> {
    let settings = app::database_settings(config, StoreSettings::default());
    PostgresStore::look_at(&settings).map_err(|error| Failure::Code(error.exit_code(), error.into()))
}

#[cfg(not(feature = "postgres"))]
fn looked_at(_: &Config) -> Result<String, Failure> {
    Err(Failure::Usage(anyhow!("store.kind: this program was built without PostgreSQL")))
}

fn transport(config: &Config) -> Result<Transport, Failure> {
    config.freshsales.transport().map_err(|problem| Failure::Usage(anyhow!("{problem}")))
}

/// By what calls travel, where that is not straight.
fn say_way(transport: &Transport) -> Outcome {
    if let Some(proxy) = transport.proxy_shown() {
        say(&format!("calls go by the proxy {proxy}"))?;
    }
    match transport.roots().len() {
        0 => Ok(()),
        1 => say("one authority of freshsales.ca_file is trusted beside the usual ones"),
        more => say(&format!("{more} authorities of freshsales.ca_file are trusted beside the usual ones")),
    }
}

/// Has the receivers of alerts called, as the service would.
fn alert(config: &Config) -> Outcome {
    let receiver = Receiver::new(&config.alerts).map_err(Failure::running)?;
    let heartbeat = Heartbeat::new(&config.alerts).map_err(Failure::running)?;
    if receiver.is_none() && heartbeat.is_none() {
        return Err(Failure::Usage(anyhow!(
            "alerts.url: nobody is told; set an address to send the test to"
        )));
    }
    let runtime = runtime()?;
    let now = SystemClock::default().wall();
    let account = config.settings().map(|settings| settings.account.0.clone()).unwrap_or_default();
    let mut wrong = false;
    if let Some(receiver) = receiver {
        let message = Message::test(now).signed_by(&account, config.alerts.debugger());
        let taken = runtime.block_on(receiver.tell(&message, now));
        wrong |= said("alerts.url", taken)?;
    }
    if let Some(heartbeat) = heartbeat {
        wrong |= said("alerts.heartbeat_url", runtime.block_on(heartbeat.beat(now)))?;
    }
    if wrong { Err(Failure::Running(anyhow!("alerts would not arrive"))) } else { Ok(()) }
}

/// Says what came back; answers whether it is no success.
fn said(key: &str, came: Result<Taken, Failed>) -> Result<bool, Failure> {
    let (wrong, line) = match came {
        Ok(Taken { status, words }) => (false, format!("answered {status}: {words}")),
        Err(Failed::Answered(status, words, _)) if !words.is_empty() => {
            (true, format!("{}: {words}", Failed::Answered(status, String::new(), None)))
        }
        Err(failed) => (true, failed.to_string()),
    };
    say(&format!("{key}: {}", line.trim_end_matches(": ")))?;
    Ok(wrong)
}

fn live(config: &Config, probe: bool, to_share: bool) -> Outcome {
    let client = client(config)?;
    let settings = settings_of(config)?;
    let expected = config.expected(&settings);
    let test = if probe { Some(test_contact(config)?) } else { None };
    let report = runtime()?.block_on(check(&client, &expected, test));
    let judged = show(&report);
    if to_share {
        let account = &config.freshsales;
        let alias = BundleAlias::parse(&account.bundle_alias, account.kind);
        let alias = alias.map_or_else(|_| String::new(), |alias| alias.to_string());
        say("\nTo be shown to others; read it once before you do, for words of Freshsales stand in it:\n")?;
        say(&report.to_share(account.kind, &alias))?;
    }
    judged
}

/// What asks the account of a configuration.
pub(super) fn client(config: &Config) -> Result<Client, Failure> {
    let account = &config.freshsales;
    let key = account.key();
    let key = key.map_err(|problem| Failure::Usage(anyhow!("freshsales.api_key: {problem}")))?;
    let endpoint = account.endpoint();
    let endpoint = endpoint.map_err(|problem| Failure::Usage(anyhow!("{}: {problem}", problem.key())))?;
    let clock = Arc::new(SystemClock::default());
    let transport = transport(config)?;
    Client::new(endpoint, key, &transport, Timeouts::of(account), clock).map_err(Failure::running)
}

/// Told before it is written, so that it can be found whatever happens.
fn test_contact(config: &Config) -> Result<TestContact, Failure> {
    if config.freshsales.mode == Mode::DryRun {
        return Err(Failure::Usage(anyhow!(
            "freshsales.mode = \"dry_run\": nothing may be written to the account; set \"live\" for --probe"
        )));
    }
    let test = TestContact::new(rand::random());
    let test = test.ok_or_else(|| Failure::Running(anyhow!("there is no address for the test contact")))?;
    complain(&format!("writing a test contact: {}", test.email().as_str()));
    Ok(test)
}

fn show(report: &Report) -> Outcome {
    for finding in &report.findings {
        say(&finding.to_string())?;
    }
    say(&format!(
        "calls of the account's allowance used: {} ({} at the most)",
        report.calls, report.calls_max
    ))?;
    match report.wrong() {
        0 => Ok(()),
        1 => Err(Failure::Running(anyhow!("one thing is wrong with the account"))),
        more => Err(Failure::Running(anyhow!("{more} things are wrong with the account"))),
    }
}
