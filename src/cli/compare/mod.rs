//! `freshsignal compare`: what Freshsales has of each contact, by an export of it or by asking, beside what freshsignal would write of
//! the same events. For whoever moves here from another tool.
//!
//! Writes nothing, here or there. Must not ask the account before it was said how many calls that is.

mod difference;
mod theirs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::{Failure, Outcome, complain, load, say, settings_of};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::contact::Attributes;
use crate::decision::{DryRun, Settings};
use crate::event::{Email, EventLimits};
use crate::mapping::When;
use difference::{Compared, Report};
use theirs::Asked;

/// The attribute that contacts are compared by.
const EMAILS: &str = "emails";
/// Calls that one contact takes: a look-up of its id, and the contact.
const CALLS_EACH: u64 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A file with one JSON event per line, as your senders send them
    #[arg(value_name = "FILE")]
    events: PathBuf,
    /// An export of contacts out of Freshsales, as CSV
    #[arg(long, value_name = "FILE.csv", conflicts_with = "live", required_unless_present = "live")]
    with: Option<PathBuf>,
    /// Which attribute a column of the export is, such as `Plan=custom_field.cf_plan`; may be repeated
    #[arg(long, value_name = "HEADER=ATTRIBUTE", requires = "with")]
    column: Vec<String>,
    /// Asks the account, two calls a contact; without --calls-max it says how many that is and asks nothing
    #[arg(long)]
    live: bool,
    /// Calls that may be made
    #[arg(long, value_name = "N", requires = "live")]
    calls_max: Option<u64>,
    /// Contacts that differ which are shown
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    /// A JSON line for each contact in place of a summary
    #[arg(long)]
    json: bool,
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What would be written of the events of a file.
struct Ours {
    events: u64,
    rejected: u64,
    contacts: BTreeMap<Email, Attributes>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let config = load(arguments.config.as_deref())?.config;
    let settings = settings_of(&config)?;
    let ours = ours(&arguments.events, &config, &settings)?;
    let mapped = mapped(&settings);
    let theirs = match &arguments.with {
        Some(file) => theirs::exported(file, &arguments.column, &mapped, &ours.contacts)?,
        None => match calls(arguments.calls_max, ours.contacts.len() as u64, &config)? {
            Some(calls) => theirs::ask(&config, &ours.contacts, calls / CALLS_EACH)?,
            None => return Ok(()),
        },
    };
    let report = report(&ours, &theirs, &mapped);
    if arguments.json {
        report.contacts.iter().try_for_each(|contact| say(&contact.as_json().to_string()))?;
    } else {
        say(&report.told(arguments.show))?;
    }
    match &theirs.stopped {
        None => Ok(()),
        Some(why) => Err(Failure::Running(anyhow!("{why}"))),
    }
}

/// How many calls may be made; nothing where nobody said so, after it was said how many it would be.
fn calls(given: Option<u64>, contacts: u64, config: &Config) -> Result<Option<u64>, Failure> {
    let needed = contacts * CALLS_EACH;
    let per_hour = u64::from(config.allowance.of_the_account().per_hour);
    let Some(given) = given else {
        say(&format!(
            "{contacts} contacts take {needed} calls at the most, of the {per_hour} that the account has an hour for all of its \
             integrations; nothing was asked. Add --calls-max {} to ask",
            needed.min(per_hour)
        ))?;
        return Ok(None);
    };
    if given > per_hour {
        let message = format!("--calls-max {given}: the account has {per_hour} an hour (allowance.plan)");
        return Err(Failure::Usage(anyhow!(message)));
    }
    complain(&format!(
        "asking with {} calls at the most; a running service does not count them",
        given.min(needed)
    ));
    Ok(Some(given))
}

/// Plays the events of a file, as `map` does.
fn ours(file: &Path, config: &Config, settings: &Settings) -> Result<Ours, Failure> {
    let opened = File::open(file).with_context(|| format!("can't read {}", file.display()));
    let limits = EventLimits { event_bytes_max: config.server.event_bytes_max };
    let (clock, mut dry_run) = (SystemClock::default(), DryRun::default());
    let (mut events, mut rejected) = (0, 0);
    for line in BufReader::new(opened.map_err(Failure::Usage)?).split(b'\n') {
        let line = line.context("the events can't be read on").map_err(Failure::running)?;
        let Some(played) = dry_run.line(&line, settings, limits, clock.wall()) else { continue };
        events += 1;
        rejected += u64::from(played.is_rejected());
    }
    let contacts = dry_run.contacts(settings).map(|(email, had)| (email.clone(), had.clone()));
    Ok(Ours { events, rejected, contacts: contacts.collect() })
}

/// The attributes that the mapping writes.
fn mapped(settings: &Settings) -> BTreeSet<String> {
    let is_written = |name: &str, when: When| name != EMAILS && when != When::Never;
    let written = settings.preset.fields().filter(|(name, rule)| is_written(name, rule.when));
    written.map(|(name, _)| name.to_owned()).chain([crate::contact::STATUS.to_owned()]).collect()
}

fn report(ours: &Ours, theirs: &Asked, mapped: &BTreeSet<String>) -> Report {
    let compared = ours.contacts.iter().map(|(email, wanted)| match theirs.contacts.get(email) {
        Some(had) => Compared::of(email.as_str(), wanted, had, mapped),
        None if theirs.absent.contains(email) => Compared::absent(email.as_str(), wanted),
        None => Compared::unknown(email.as_str()),
    });
    Report {
        events: ours.events,
        rejected: ours.rejected,
        contacts: compared.collect(),
        theirs: theirs.rows,
        unmapped: theirs.unmapped.clone(),
    }
}
