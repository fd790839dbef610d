//! `freshsignal import FILE.csv`: customers out of a file. It says what they would become, and sends them when told to.

mod rows;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::anyhow;
use csv::StringRecord;
use serde_json::Value;

use super::columns::Columns;
use super::{Failure, Outcome, columns, load, say, settings_of};
use crate::clock::{Clock, SystemClock, UnixMicros};
use crate::config::Config;
use crate::consent::is_understood;
use crate::decision::{DryRun, Settings};
use crate::delivery::Lane;
use crate::event::{EventLimits, Trust};
use crate::mapping::LeftOut;
use rows::{Layout, Target, moment_of};

/// Rows of a call of the bulk API.
const BULK_ROWS: u64 = 100;
/// Lines that are named of what is wrong in the same way.
const LINES_NAMED: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file: a line of headers, then a row for each person
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// The column that says when; newer values that are known are not replaced
    #[arg(long, value_name = "COLUMN", conflicts_with = "as_of", required_unless_present = "as_of")]
    at: Option<String>,
    /// When all of it was so, for a file that does not say: the day of the export
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// The event that each row becomes; it must be an event of the mapping
    #[arg(long, value_name = "NAME", default_value = "Signed Up")]
    event: String,
    /// Where a column goes, such as "Newsletter=consent.marketing"; may be repeated
    #[arg(long, value_name = "HEADER=PATH")]
    column: Vec<String>,
    /// Sends the rows to the service at this address, in place of saying what they would become
    #[arg(long, value_name = "URL")]
    send: Option<String>,
    /// The source whose write key is used; needed where several have one
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A row of a file.
struct Row {
    /// The line that it begins in.
    line: u64,
    /// What it becomes, or why nothing.
    event: Result<Value, &'static str>,
}

/// A file that was opened and laid out.
struct Table {
    layout: Layout,
    reader: csv::Reader<BufReader<File>>,
    lines_behind: u64,
}

impl Table {
    fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let Columns { headers, rows: reader, lines_behind } = columns::open(&arguments.file)?;
        let as_of = match &arguments.as_of {
            None => None,
            Some(text) => Some(moment_of(text).ok_or_else(|| {
                Failure::Usage(anyhow!(
                    "--as-of `{text}` is no date like 2026-01-31, and no moment like 2026-01-31T10:00:00Z"
                ))
            })?),
        };
        let Arguments { column, at, event, .. } = arguments;
        let layout = Layout::new(&headers, column, at.as_deref(), as_of, event);
        let layout = layout.map_err(|problem| Failure::Usage(problem.into()))?;
        Ok(Self { layout, reader, lines_behind })
    }

    /// The next row; `None` at the end.
    fn next(&mut self) -> Result<Option<Row>, Failure> {
        let mut record = StringRecord::new();
        let unreadable = |error| columns::unreadable(&error, self.lines_behind);
        if !self.reader.read_record(&mut record).map_err(unreadable)? {
            return Ok(None);
        }
        let line = record.position().map_or(0, |position| position.line() + self.lines_behind);
        let row: Vec<String> = record.iter().map(str::to_owned).collect();
        Ok(Some(Row { line, event: self.layout.event_of(&row).map_err(rows::RowProblem::words) }))
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let config = load(arguments.config.as_deref())?.config;
    let table = Table::open(arguments)?;
    match &arguments.send {
        Some(url) => send::run(table, url, arguments.source.as_deref(), &config),
        None => plan(table, arguments.source.as_deref(), &config),
    }
}

/// What a file would become.
#[derive(Default)]
struct Plan {
    rows: u64,
    people: BTreeSet<[u8; 32]>,
    contacts: BTreeSet<[u8; 32]>,
    /// Why rows make no contact, with how many and the first lines.
    others: BTreeMap<String, Lines>,
    /// Which attributes contacts go without, and why.
    left_out: BTreeMap<String, Lines>,
    /// Contacts that have no last name.
    nameless: Lines,
    /// Values of columns of consent that say nothing, by column and value.
    unclear: BTreeMap<(String, String), Lines>,
    first: Option<Value>,
}

/// So many rows, and the first of their lines.
#[derive(Default)]
struct Lines(u64, Vec<u64>);

impl Lines {
    fn add(&mut self, line: u64) {
        self.0 += 1;
        if self.1.len() < LINES_NAMED {
            self.1.push(line);
        }
    }

    /// `2: why (line 3, 7)`
    fn told(&self, why: &str) -> String {
        let lines: Vec<String> = self.1.iter().map(u64::to_string).collect();
        let more = if self.1.len() as u64 == self.0 { "" } else { ", …" };
        format!("{}: {why} (line {}{more})", self.0, lines.join(", "))
    }
}

/// Values that are shown of what is not understood.
const VALUES_NAMED: usize = 10;
/// Characters of one.
const VALUE_CHARS: usize = 24;

/// Whether anything of a mapping reads a path, or what lies below it.
fn is_read(path: &str, settings: &Settings) -> bool {
    let preset = &settings.preset;
    let emails = preset.email_paths().iter().map(String::as_str);
    let mut paths = emails.chain(preset.trait_paths()).chain(preset.event_paths());
    let is_consent = path.starts_with("consent.") || path.starts_with("context.consent");
    let below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
    path == "userId" || is_consent || paths.any(|read| read == path || below(read, path) || below(path, read))
}

impl Plan {
    /// Notes what a column of consent holds that is neither a yes nor a no.
    fn consent(&mut self, line: u64, event: &Value, layout: &Layout) {
        for (header, target) in &layout.columns {
            let Target::Path(path) = target else { continue };
            let Some(category) = path.strip_prefix("consent.") else { continue };
            let value =
                event.pointer(&format!("/consent/{}", category.replace('.', "/"))).and_then(Value::as_str);
            let Some(value) = value.filter(|value| !is_understood(value)) else { continue };
            let value: String = value.chars().take(VALUE_CHARS).collect();
            let key = (header.clone(), value);
            if self.unclear.len() < VALUES_NAMED || self.unclear.contains_key(&key) {
                self.unclear.entry(key).or_default().add(line);
            }
        }
    }

    fn other(&mut self, why: &str, line: u64) {
        self.others.entry(why.to_owned()).or_default().add(line);
    }

    fn event(&mut self, line: u64, event: &Value, settings: &Settings, limits: EventLimits, now: UnixMicros) {
        let email = event.pointer("/traits/email").and_then(Value::as_str).unwrap_or_default();
        let hash = ring::digest::digest(&ring::digest::SHA256, email.trim().to_lowercase().as_bytes());
        let hash: [u8; 32] = hash.as_ref().try_into().unwrap_or_default();
        if !email.is_empty() {
            self.people.insert(hash);
        }
        match DryRun::default().play(&event.to_string(), settings, limits, now) {
            Err(refusal) => self.other(&format!("rejected: {refusal}"), line),
            Ok(played) => match played.payload {
                Some(payload) => {
                    if self.contacts.insert(hash) && payload.get("last_name").is_none() {
                        self.nameless.add(line);
                    }
                    for LeftOut { attribute, path, why } in played.left_out {
                        self.left_out.entry(format!("{attribute}: {why} ({path})")).or_default().add(line);
                    }
                    self.first.get_or_insert(payload);
                }
                None => self.other(&format!("{}: {}", played.outcome, played.reason), line),
            },
        }
    }
}

fn plan(mut table: Table, source: Option<&str>, config: &Config) -> Outcome {
    let settings = settings_of(config)?;
    let limits = EventLimits { event_bytes_max: config.server.event_bytes_max };
    let now = SystemClock::default().wall();
    let mut plan = Plan::default();
    while let Some(Row { line, event }) = table.next()? {
        plan.rows += 1;
        match event {
            Ok(event) => {
                plan.consent(line, &event, &table.layout);
                plan.event(line, &event, &settings, limits, now);
            }
            Err(why) => plan.other(why, line),
        }
    }
    say(&told(&plan, &table.layout, &settings, looks_up(source, config), config))?;
    if plan.rows > 0 && plan.contacts.is_empty() {
        return Err(Failure::Running(anyhow!("no row makes a contact")));
    }
    Ok(())
}

/// Whether what is sent with the key of this source is a visitor's, so that each contact is looked up before its first call.
fn looks_up(source: Option<&str>, config: &Config) -> bool {
    send::meant(source, config).next().is_some_and(|(_, source)| source.trust() == Trust::Visitor)
}

fn told(plan: &Plan, layout: &Layout, settings: &Settings, looks_up: bool, config: &Config) -> String {
    let mut text = String::new();
    let contacts = plan.contacts.len() as u64;
    let share = u64::from(config.delivery.share_percent(Lane::Backfill));
    let per_hour = (u64::from(config.allowance.limits().per_hour) * share / 100).max(1);
    let mut say = |name: &str, value: &str| {
        // Writing into a string can't fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    say("rows", &plan.rows.to_string());
    say("people", &format!("{}, by their addresses", plan.people.len()));
    for (header, target) in &layout.columns {
        let to = match target {
            Target::Path(path) => path.as_str(),
            Target::Moment => "when it was",
        };
        let unread = matches!(target, Target::Path(path) if !is_read(path, settings));
        let unread = if unread {
            format!(": no attribute of the mapping reads it; if one is meant: --column \"{header}=traits.…\"")
        } else {
            String::new()
        };
        say("column", &format!("{header} -> {to}{unread}"));
    }
    let when = layout.as_of.as_deref().map_or_else(String::new, |moment| format!(" as of {moment}"));
    say("event", &format!("{}{when}, as old data: newer values that are known stay", layout.event));
    say("contacts", &format!("{contacts}, for a service that knows nobody yet"));
    for (why, lines) in &plan.others {
        say("no contact", &lines.told(why));
    }
    for (why, lines) in &plan.left_out {
        say("left out", &lines.told(why));
    }
    for ((header, value), lines) in &plan.unclear {
        let why = format!(
            "`{value}` in {header} is neither a yes nor a no, so it says nothing of consent; write yes or no in the file"
        );
        say("consent", &lines.told(&why));
    }
    if plan.nameless.0 > 0 {
        let why = "no last name, and most accounts refuse such a contact; name the column (--column \"HEADER=traits.last_name\"), or \
                   set mapping.missing_names = \"from_email\"";
        say("no name", &plan.nameless.told(why));
    }
    let hours = |calls: u64| calls.div_ceil(per_hour);
    if looks_up {
        let calls = contacts * 2;
        say(
            "calls",
            &format!(
                "{calls} in about {} h at {per_hour} an hour, also with bulk.mode = \"backlog\": the key of the source is a visitor's, \
                 so each contact is looked up before its first call; a source with trust = \"server\" needs {contacts}, and {} in bulk",
                hours(calls),
                contacts.div_ceil(BULK_ROWS)
            ),
        );
    } else {
        let bulk = contacts.div_ceil(BULK_ROWS);
        say(
            "calls",
            &format!(
                "{contacts} in about {} h at {per_hour} an hour; {bulk} with bulk.mode = \"backlog\"",
                hours(contacts)
            ),
        );
    }
    if let Some(first) = &plan.first {
        say("first", &first.to_string());
    }
    text + "nothing was sent; add --send https://events.example.com to send it"
}
