//! Looks whether a data folder or a backup is sound: the files, that they belong together, the books, and every document.
//!
//! Reads as of one moment and writes nothing, also while a service runs. Must not mend anything, nor show what it read.

use std::path::Path;

use rusqlite::Connection;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::manifest::{MANIFEST_FILE, Manifest};
use super::pair::Pair;
use super::problem::CopyError;
use crate::company::Company;
use crate::contact::Contact;
use crate::deal::Deal;
use crate::delivery::{BulkJob, CompanyKey, DealKey, Delivery, HappeningId, State, Subject};
use crate::destination::Destination;
use crate::erasure::{Erasure, ForgetOrder};
use crate::event::{Email, Position};
use crate::happening::Happening;
use crate::output::{Gate, Message};
use crate::person::{Person, PersonKey, Timeline};
use crate::store::sqlite::columns::{from_text, state_number, uint};
use crate::store::sqlite::files::{self, JOURNAL_FILE, STATE_FILE};
use crate::store::sqlite::{OpenError, failed, records, walks};
use crate::store::{Processed, StoreError, Stream};

/// Events read at once.
const EVENTS_MAX: usize = 5_000;
const BYTES_MAX: usize = 8 << 20;

/// What a look at a folder found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Everything that is wrong, a sentence each.
    pub findings: Vec<String>,
    /// Events that were accepted.
    pub accepted: u64,
    /// Events in the journal that could be read.
    pub events: u64,
    /// Documents that could be read.
    pub documents: u64,
    /// It is a backup: what the service works in is none.
    pub backup: bool,
    /// The files are of an earlier version, so what they hold was not looked at.
    pub earlier_version: bool,
}

/// Looks at a data folder or a backup.
///
/// # Errors
/// There is nothing to look at, or it may not be read. What is damaged is no error but a finding, and the rest is looked at.
pub fn verify(folder: &Path) -> Result<Verified, CopyError> {
    crate::store::give_way();
    let mut verified = Verified { backup: folder.join(MANIFEST_FILE).exists(), ..Verified::default() };
    if verified.backup {
        verified.findings.extend(Manifest::read(folder)?.differences(folder));
    }
    let pair = match Pair::begin(folder) {
        Ok(pair) => pair,
        Err(CopyError::Open(OpenError::Disk(why))) => {
            verified.findings.push(format!("{STATE_FILE} or {JOURNAL_FILE} is damaged: {why}"));
            return Ok(verified);
        }
        // Of what differs already, whatever else it says is damage.
        Err(error) if !verified.findings.is_empty() => {
            verified.findings.push(error.to_string());
            return Ok(verified);
        }
        Err(error) => return Err(error),
    };
    verified.accepted = pair.standing.end.0;
    for (name, file) in [(JOURNAL_FILE, &pair.journal), (STATE_FILE, &pair.state)] {
        let unsound = files::unsound(file).unwrap_or_else(|error| vec![error.to_string()]);
        verified.findings.extend(unsound.into_iter().map(|line| format!("{name} is damaged: {line}")));
    }
    let Some(counted) = pair.standing.counted else {
        verified.earlier_version = true;
        return Ok(verified);
    };
    verified.positions(&pair);
    verified.journal(&pair.journal);
    let read = verified.books(&pair.state, counted.processed).and(verified.state(&pair.state));
    verified.findings.extend(read.err().map(|error| format!("{STATE_FILE}: {error}")));
    Ok(verified)
}

impl Verified {
    fn positions(&mut self, pair: &Pair) {
        let (end, seen) = (pair.standing.end, pair.standing.seen);
        let Some(counted) = pair.standing.counted else { return };
        if seen > end {
            self.findings.push(format!(
                "{JOURNAL_FILE} ends at event {}, but {STATE_FILE} has seen it up to {}: they do not belong together",
                end.0, seen.0
            ));
        } else if !pair.standing.adds_up() {
            self.findings.push(format!(
                "{} events were accepted, but {} took effect and {} wait: events are missing between {STATE_FILE} and {JOURNAL_FILE}",
                end.0, counted.processed.events, counted.waiting
            ));
        }
    }

    /// The counters, beside what they count.
    fn books(&mut self, state: &Connection, processed: Processed) -> Result<(), StoreError> {
        let counted = |pattern: &str| -> Result<i64, StoreError> {
            let sql = "SELECT coalesce(sum(value), 0) FROM counters WHERE name GLOB ?1";
            Ok(state.query_row(sql, [pattern], |row| row.get(0))?)
        };
        let outcomes = uint(counted("outcome *")?);
        if outcomes != processed.events {
            self.findings
                .push(format!("{} events took effect, but {outcomes} have an outcome", processed.events));
        }
        let open = State::ALL.into_iter().filter(|state| state.is_open());
        let open: Vec<String> = open.map(|state| state_number(state).to_string()).collect();
        let open = open.join(", ");
        let rows =
            |sql: String| -> Result<i64, StoreError> { Ok(state.query_row(&sql, (), |row| row.get(0))?) };
        let waiting = rows(format!("SELECT count(*) FROM deliveries WHERE state IN ({open})"))?;
        let (queued, ended) = (counted("queued")?, counted("ended *")?);
        if queued != waiting + ended {
            self.findings.push(format!(
                "{queued} deliveries were queued, but {waiting} are open and {ended} have ended"
            ));
        }
        let shown =
            rows(format!("SELECT coalesce(sum(count), 0) FROM open_deliveries WHERE state IN ({open})"))?;
        if shown != waiting {
            self.findings.push(format!("{waiting} deliveries are open, but the books have {shown}"));
        }
        Ok(())
    }

    fn journal(&mut self, journal: &Connection) {
        for stream in [Stream::Live, Stream::Old] {
            let mut after = Position(0);
            loop {
                match records::read(journal, stream, after, EVENTS_MAX, BYTES_MAX) {
                    Ok(records) => {
                        let Some(last) = records.last() else { break };
                        after = last.position;
                        self.events += records.len() as u64;
                    }
                    Err(error) => {
                        self.findings
                            .push(format!("{JOURNAL_FILE}: {error}; events behind it were not looked at"));
                        break;
                    }
                }
            }
        }
    }

    fn state(&mut self, state: &Connection) -> Result<(), StoreError> {
        self.each::<Person>(state, "person", "SELECT key, body FROM people", is_person)?;
        self.each::<Timeline>(state, "time line", "SELECT anonymous_id, body FROM timelines", |_| true)?;
        let is_email = |key: &str| Email::from_store(key).is_ok();
        self.each::<Contact>(state, "contact", "SELECT email, body FROM contacts", is_email)?;
        let is_subject = |key: &str| key.parse::<Subject>().is_ok();
        self.each::<Delivery>(state, "delivery", "SELECT subject, body FROM deliveries", is_subject)?;
        self.each::<Deal>(state, "deal", "SELECT key, body FROM deals", |key| {
            key.parse::<DealKey>().is_ok()
        })?;
        self.each::<Happening>(state, "happening", "SELECT key, body FROM happenings", |key| {
            key.parse::<HappeningId>().is_ok()
        })?;
        self.each::<Company>(state, "company", "SELECT key, body FROM companies", |key| {
            key.parse::<CompanyKey>().is_ok()
        })?;
        self.each::<Destination>(state, "destination", "SELECT account, body FROM destinations", |_| true)?;
        self.each::<BulkJob>(state, "bulk job", "SELECT account, body FROM bulk_jobs", |_| true)?;
        self.each::<Erasure>(state, "erasure", "SELECT '', body FROM erasures", |_| true)?;
        self.each::<ForgetOrder>(state, "order to forget", "SELECT '', body FROM forget_orders", |_| true)?;
        self.each::<Message>(state, "output", "SELECT '', body FROM outputs", |_| true)?;
        self.each::<Gate>(state, "receiver", "SELECT name, body FROM receivers", |_| true)?;
        self.each::<IgnoredAny>(state, "trail of an event", "SELECT '', body FROM events", |_| true)?;
        let walks =
            walks::review(state).and_then(|_| walks::redrive(state)).and_then(|_| walks::gathering(state));
        self.findings.extend(walks.err().map(|error| format!("{STATE_FILE}: {error}")));
        let failed = failed::after(state, Position(0), usize::MAX >> 1);
        self.findings.extend(failed.err().map(|error| format!("{STATE_FILE}: {error}")));
        Ok(())
    }

    /// Reads every document of a kind.
    fn each<T: DeserializeOwned>(
        &mut self,
        state: &Connection,
        what: &'static str,
        sql: &str,
        is_key: impl Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        let mut statement = state.prepare(sql)?;
        let mut rows = statement.query(())?;
        let (mut unreadable, mut why) = (0_u64, String::new());
        while let Some(row) = rows.next()? {
            let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
            let (key, body) = (text(0)?, text(1)?);
            let read = if is_key(key) {
                from_text::<T>(what, body).map(|_| ()).map_err(|error| error.to_string())
            } else {
                Err(format!("the key of a {what} can't be read"))
            };
            match read {
                Ok(()) => self.documents += 1,
                Err(error) => {
                    unreadable += 1;
                    why = error;
                }
            }
        }
        if unreadable > 0 {
            self.findings.push(format!("{STATE_FILE}: {unreadable} of the kind {what} can't be read ({why}); the service sets them aside"));
        }
        Ok(())
    }
}

fn is_person(key: &str) -> bool {
    key.parse::<PersonKey>().is_ok()
}
