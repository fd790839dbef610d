//! `freshsignal map`: what an event would become, without a store, an account or a call.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use anyhow::Context;

use super::{Failure, Outcome, load, say, settings_of};
use crate::clock::{Clock, SystemClock};
use crate::decision::DryRun;
use crate::event::EventLimits;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file with one JSON event per line; - or nothing reads standard input
    #[arg(value_name = "FILE")]
    events: Option<PathBuf>,
}

/// Prints a decision a line, in order; people are remembered between lines. A line that is no event is named and the next
/// one is read. Fails in the end when an event was rejected, so that a pipeline notices.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let config = load(arguments.config.as_deref())?.config;
    let settings = settings_of(&config)?;
    let limits = EventLimits { event_bytes_max: config.server.event_bytes_max };
    let input: Box<dyn Read> = match arguments.events.as_ref().filter(|path| path.as_os_str() != "-") {
        None => Box::new(std::io::stdin()),
        Some(path) => {
            let opened = File::open(path).with_context(|| format!("can't read {}", path.display()));
            Box::new(opened.map_err(Failure::Usage)?)
        }
    };
    let clock = SystemClock::default();
    let mut dry_run = DryRun::default();
    let mut rejected = 0_u64;
    // Lines of bytes, not of text: one that is not UTF-8 must not hide those after it.
    for line in BufReader::new(input).split(b'\n') {
        let line = line.context("the input can't be read on").map_err(Failure::running)?;
        let Some(decided) = dry_run.line(&line, &settings, limits, clock.wall()) else { continue };
        rejected += u64::from(decided.is_rejected());
        say(&serde_json::to_string(&decided).map_err(Failure::running)?)?;
    }
    if rejected > 0 {
        return Err(Failure::Running(anyhow::anyhow!("events that would be rejected: {rejected}")));
    }
    Ok(())
}
