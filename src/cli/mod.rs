//! The commands: what the arguments ask for, and the exit code for how it went.
//!
//! Standard output carries results, standard error everything else. Must not hold logic that a library user needs.

mod backup;
mod check;
mod columns;
mod compare;
mod demo;
mod export;
mod health;
mod hook;
mod import;
mod map;
mod plan;
mod sample;
mod sandbox;
mod serve;
mod store;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::{BuildError, RunError};
use crate::config::{self, LoadError, Loaded};
use crate::decision::Settings;
use crate::telemetry;

/// Keeps the contacts of a Freshsales account current from customer events.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service
    Serve(ConfigArgument),
    /// Everything in one process without an account: sandbox CRM, service, an example
    Demo(demo::Arguments),
    /// Names every problem of the configuration; --live also asks Freshsales
    Check(check::Arguments),
    /// Dry run: reads one JSON event per line, prints one decision per line; sends nothing
    Map(map::Arguments),
    /// Says what another configuration would change for the people who are stored; applies nothing
    Plan(plan::Arguments),
    /// Prints what to enter and paste at the sender of a webhook
    Hook(hook::Arguments),
    /// Says what the rows of a CSV file would become; --send sends them
    Import(import::Arguments),
    /// Compares what Freshsales has of contacts with what the events of a file would write; writes nothing
    Compare(Box<compare::Arguments>),
    /// Writes deals of the account, or the contacts that are held, into a file; says before how many calls that is
    Export(export::Arguments),
    /// Exits 0 when the service on this machine can accept events
    Health(ConfigArgument),
    /// Prints the admin token made at first start
    Token(ConfigArgument),
    /// A Freshsales to develop against
    Sandbox(Box<sandbox::Arguments>),
    /// Copies the data folder into a new folder, while the service runs or not
    Backup(backup::BackUp),
    /// Puts a backup into an empty data folder
    Restore(backup::Restore),
    /// Says whether a data folder or a backup is sound; changes nothing
    Verify(backup::Verify),
    /// Moves the store between a database and a data folder
    #[command(subcommand)]
    Store(store::Store),
}

#[derive(Debug, clap::Args)]
struct ConfigArgument {
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a command failed, by its exit code.
#[derive(Debug)]
enum Failure {
    /// 1: failed while running.
    Running(anyhow::Error),
    /// 2: wrong arguments or configuration.
    Usage(anyhow::Error),
    /// What the library says: 74 the disk failed, 75 the data folder is in use.
    Code(u8, anyhow::Error),
}

type Outcome = Result<(), Failure>;

impl Failure {
    fn running(error: impl Into<anyhow::Error>) -> Self {
        Self::Running(error.into())
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Usage(error.into())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Config(_) => Self::Usage(error.into()),
            BuildError::Store(open) => Self::Code(open.exit_code(), open.into()),
            #[cfg(feature = "postgres")]
            BuildError::Database(open) => Self::Code(open.exit_code(), open.into()),
            BuildError::Token(_) | BuildError::Library(_) => Self::Running(error.into()),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(_) => Self::Code(EXIT_DISK, error.into()),
            RunError::Part(_) | RunError::Thread(..) => Self::Running(error.into()),
        }
    }
}

const EXIT_RUNNING: u8 = 1;
const EXIT_USAGE: u8 = 2;
const EXIT_DISK: u8 = 74;

/// Runs what the arguments of the process ask for.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no failure; clap knows where each is printed.
            let _ = error.print();
            return if error.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    match dispatch(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, error) = match failure {
                Failure::Running(error) => (EXIT_RUNNING, error),
                Failure::Usage(error) => (EXIT_USAGE, error),
                Failure::Code(code, error) => (code, error),
            };
            complain(&format!("{error:#}"));
            code.into()
        }
    }
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Serve(argument) => serve::run(argument.config.as_deref()),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Map(arguments) => map::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Hook(arguments) => hook::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Health(argument) => health::run(argument.config.as_deref()),
        Command::Token(argument) => health::token(argument.config.as_deref()),
        Command::Sandbox(arguments) => sandbox::run(*arguments),
        Command::Backup(arguments) => backup::back_up(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Verify(arguments) => backup::verify(&arguments),
        Command::Store(command) => store::run(&command),
    }
}

/// The configuration of this process, its warnings said.
fn load(file: Option<&Path>) -> Result<Loaded, Failure> {
    let loaded = config::load(file, &environment()).inspect_err(|_| say_that_none_was_named(file))?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    loaded.notes.iter().for_each(|note| complain(note));
    Ok(loaded)
}

/// Whoever has a file and does not name it is told of keys that they have set.
fn say_that_none_was_named(file: Option<&Path>) {
    let named = environment().iter().any(|(name, value)| name == config::FILE_VARIABLE && !value.is_empty());
    if file.is_some() || named {
        return;
    }
    let here = Path::new("freshsignal.toml");
    let there = if here.exists() { " freshsignal.toml in this folder is not read by itself." } else { "" };
    complain(&format!(
        "no configuration file was named, so the defaults and the environment alone were read: name it by --config FILE or \
         FRESHSIGNAL_CONFIG.{there} `freshsignal serve` without any FRESHSIGNAL_ variable, or with FRESHSIGNAL_ADMIN__EDIT=true and none of \
         account and sources, is set up on its page instead"
    ));
}

/// The same, and enough to serve.
fn load_to_serve(file: Option<&Path>) -> Result<config::Config, Failure> {
    let examined = config::examine(file, &environment()).and_then(config::Examined::approved_to_serve);
    let loaded = examined.inspect_err(|_| say_that_none_was_named(file))?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    loaded.notes.iter().for_each(|note| complain(note));
    Ok(loaded.config)
}

/// The same with an account, which one that is still to be set up on its page has not.
fn load_with_account(file: Option<&Path>) -> Result<config::Config, Failure> {
    let config = load_to_serve(file)?;
    if config.first_start.is_some_and(|first| first.awaits_account) {
        return Err(Failure::Usage(anyhow::anyhow!(
            "there are no settings yet: neither a file was named nor a variable set, and nothing was set up on the page. \
             `freshsignal serve` prints a link to the page that sets it up"
        )));
    }
    Ok(config)
}

/// What deciding depends on; every problem of it is told at once.
fn settings_of(config: &config::Config) -> Result<Arc<Settings>, Failure> {
    config.settings().map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::Usage(anyhow::anyhow!(lines.join("\n")))
    })
}

#[expect(clippy::disallowed_methods, reason = "the environment is handed to the configuration here")]
fn environment() -> config::Environment {
    // Names or values that are not UTF-8 can't be keys of ours.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A runtime for the commands that need one.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::running)
}

fn start_logging(config: &telemetry::LogConfig) -> Outcome {
    telemetry::start(config).map_err(Failure::running)?;
    telemetry::log_places();
    Ok(())
}

/// A line for people on standard error.
#[expect(clippy::print_stderr, reason = "what a command has to say to a person")]
fn complain(line: &str) {
    eprintln!("{line}");
}

/// A line of the result on standard output.
fn say(line: &str) -> Outcome {
    use std::io::Write;
    match writeln!(std::io::stdout().lock(), "{line}") {
        // Who closes the pipe has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::running),
    }
}
