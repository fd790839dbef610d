//! The look at stored people: which contacts would be otherwise, a page at a time, until all were looked at or the time is over.
//!
//! Loads to show, never to decide: nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::admin::Debugger;
use crate::decision::{Foreseen, Reading, Settings, World, foresee, relearn, tidy};
use crate::delivery::Subject;
use crate::event::{Email, Event, Position, Stamp, parse_body};
use crate::person::{PersonId, PersonKey};
use crate::store::{ErrorClass, For, Keys, Record, StoreError, Stream, load_records};
use crate::telemetry::caught;
use crate::turn::reading_of;

/// How long contacts are looked at, and events beside them.
const CONTACTS_WITHIN: Duration = Duration::from_secs(6);
const EVENTS_WITHIN: Duration = Duration::from_secs(3);
/// Contacts of one page.
const PAGE: usize = 50;
/// Contacts that would be otherwise which are kept; more say nothing new.
const FOUND_MAX: usize = 200_000;
/// The latest events that are read for paths that nobody read before, and how many at once.
const EVENTS_MAX: u64 = 20_000;
const EVENTS_PAGE: usize = 500;
const EVENTS_BYTES: usize = 2 * 1024 * 1024;
/// Where pages begin, so that a sample is of all addresses and not of those that begin with an a.
const STARTS: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

/// A path that nobody read before: what of it is in the events that are kept.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NewPath {
    path: String,
    /// Events that have something there, of those that were looked at.
    events: u64,
    looked_at: u64,
}

/// What was found.
#[derive(Default)]
pub(super) struct Look {
    pub contacts: u64,
    pub looked_at: u64,
    pub exact: bool,
    pub found: Vec<Foreseen>,
    /// Contacts that get something once their people say it again: it stands in events that are kept, and was not stored.
    pub later: Vec<Foreseen>,
    pub paths: Vec<NewPath>,
    met: BTreeSet<Email>,
}

/// Where a row of pages stands, and where it ends.
struct Cursor {
    after: Option<Email>,
    end: Option<Email>,
}

impl Look {
    /// Looks.
    pub(super) async fn over(app: &Debugger, now: &Settings, then: &Settings) -> Result<Self, StoreError> {
        let mut look = Self { contacts: app.store.contacts_count().await?, ..Self::default() };
        if now.fingerprint() == then.fingerprint() {
            look.exact = true;
            look.looked_at = look.contacts;
            return Ok(look);
        }
        look.at_events(app, now, then).await?;
        look.at_contacts(app, now, then).await?;
        Ok(look)
    }

    /// So many of the contacts that were looked at are how many of all.
    pub(super) fn scaled(&self, count: u64) -> u64 {
        if self.exact || self.looked_at == 0 {
            return count;
        }
        u64::try_from(u128::from(count) * u128::from(self.contacts) / u128::from(self.looked_at))
            .unwrap_or(u64::MAX)
    }

    async fn at_contacts(
        &mut self,
        app: &Debugger,
        now: &Settings,
        then: &Settings,
    ) -> Result<(), StoreError> {
        let end = app.clock.monotonic() + CONTACTS_WITHIN;
        let mut cursors = cursors();
        while !cursors.is_empty() && app.clock.monotonic() < end && self.found.len() < FOUND_MAX {
            let mut left = Vec::new();
            for mut cursor in cursors {
                if app.clock.monotonic() >= end {
                    left.push(cursor);
                    continue;
                }
                let mut emails = app.store.contacts(cursor.after.clone(), PAGE).await?;
                let more = emails.len() == PAGE;
                let before = emails.len();
                emails.retain(|email| cursor.end.as_ref().is_none_or(|end| email <= end));
                cursor.after = emails.last().cloned();
                let goes_on = more && emails.len() == before;
                self.looked_at += emails.len() as u64;
                self.found.extend(page(app, emails, World::default(), (now, then)).await?);
                if goes_on {
                    left.push(cursor);
                }
            }
            cursors = left;
        }
        self.exact = cursors.is_empty();
        Ok(())
    }

    /// Reads what the kept events say at paths that nobody read before, and looks at whom it concerns.
    async fn at_events(&mut self, app: &Debugger, now: &Settings, then: &Settings) -> Result<(), StoreError> {
        let new = new_paths(now, then);
        if new.is_empty() {
            return Ok(());
        }
        let end = app.clock.monotonic() + EVENTS_WITHIN;
        let mut counts: BTreeMap<String, u64> = new.iter().map(|path| (path.clone(), 0)).collect();
        let processed = app.store.processed().await?.live;
        let mut after = Position(processed.0.saturating_sub(EVENTS_MAX));
        let mut looked_at = 0;
        while after < processed && app.clock.monotonic() < end {
            let records = app.store.read(Stream::Live, after, EVENTS_PAGE, EVENTS_BYTES).await?;
            let Some(last) = records.last() else { break };
            after = last.position;
            looked_at += records.len() as u64;
            let saying = records.into_iter().filter(|record| says_any(record, &new, &mut counts)).collect();
            self.of_events(app, saying, (now, then)).await?;
        }
        let path = |(path, events)| NewPath { path, events, looked_at };
        self.paths = counts.into_iter().map(path).collect();
        Ok(())
    }

    async fn of_events(
        &mut self,
        app: &Debugger,
        records: Vec<Record>,
        settings: (&Settings, &Settings),
    ) -> Result<(), StoreError> {
        let (_, then) = settings;
        let readings = records.into_iter().filter_map(|record| caught(|| reading_of(record, then)).ok());
        let readings: Vec<Reading> = readings.collect();
        let mut keys = Keys::default();
        keys.people.extend(readings.iter().flat_map(names));
        if keys.people.is_empty() {
            return Ok(());
        }
        let mut world = World::default();
        app.store.load(keys).await?.add_to(&mut world);
        // Of people who are not kept nothing is foreseen.
        let is_kept = |reading: &Reading| names(reading).iter().any(|key| world.people.get(key).is_some());
        let readings: Vec<Reading> = readings.into_iter().filter(is_kept).collect();
        let emails = relearn(readings, &mut world);
        let emails: Vec<Email> = emails.into_iter().filter(|email| self.met.insert(email.clone())).collect();
        let found = page(app, emails, world, settings).await?;
        self.later.extend(found.into_iter().map(|found| Foreseen { owes: None, drops: false, ..found }));
        Ok(())
    }
}

/// Looks at some contacts in a working set that may know something of their people already; answers which would be otherwise.
async fn page(
    app: &Debugger,
    emails: Vec<Email>,
    mut world: World,
    (now, then): (&Settings, &Settings),
) -> Result<Vec<Foreseen>, StoreError> {
    let subjects: BTreeSet<Subject> = emails.iter().cloned().map(Subject::Contact).collect();
    match load_records(&*app.store, &subjects, now, For::Showing, &mut world).await {
        // What can't be read is for the walk to name; here it is left out.
        Err(error) if error.class() == ErrorClass::Document => return Ok(Vec::new()),
        loaded => loaded?,
    }
    tidy(&mut world, then);
    let mut found = Vec::new();
    for (number, email) in (0..).zip(emails) {
        let foreseen = caught(|| foresee(&email, number, &mut world, (now, then), app.now()));
        found.extend(foreseen.ok().filter(Foreseen::is_change));
    }
    Ok(found)
}

/// Whom an event names, by ids of their own.
fn names(reading: &Reading) -> Vec<PersonKey> {
    let user = reading.user.clone().map(PersonId::User);
    let email = reading.email().cloned().map(PersonId::Email);
    user.into_iter().chain(email).map(|id| reading.person(id)).collect()
}

/// The paths that a mapping reads and the one of now does not.
fn new_paths(now: &Settings, then: &Settings) -> BTreeSet<String> {
    let paths = |settings: &Settings| -> BTreeSet<String> {
        let preset = &settings.preset;
        preset.trait_paths().chain(preset.event_paths()).map(str::to_owned).collect()
    };
    paths(then).difference(&paths(now)).cloned().collect()
}

/// Whether an event has something at one of the paths; counts at which.
fn says_any(record: &Record, paths: &BTreeSet<String>, counts: &mut BTreeMap<String, u64>) -> bool {
    let said = &record.event;
    let event = Event {
        position: record.position,
        source: said.source.clone(),
        people: said.people.clone(),
        received_at: said.received_at,
        stamp: Stamp { at: said.at, message_id: said.message_id.clone(), trust: said.trust },
        kind: said.kind,
        backfill: said.backfill,
        body: parse_body(&said.raw),
    };
    let mut any = false;
    for path in paths.iter().filter(|path| event.at_path(path).is_some()) {
        any = true;
        *counts.entry(path.clone()).or_default() += 1;
    }
    any
}

/// Pages over all contacts that begin in many places at once.
fn cursors() -> Vec<Cursor> {
    let place = |start: char| Email::parse(&format!("{start}@a.aa")).ok();
    let places: Vec<Email> = STARTS.chars().filter_map(place).collect();
    let afters = std::iter::once(None).chain(places.iter().cloned().map(Some));
    let ends = places.iter().cloned().map(Some).chain(std::iter::once(None));
    afters.zip(ends).map(|(after, end)| Cursor { after, end }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_begin_in_many_places_miss_no_address_and_take_none_twice() {
        for address in
            ["0@a.aa", "a@a.aa", "a1@b.cc", "jane@example.com", "z@a.aa", "zz@z.zz", "é@b.cc", "-@b.cc"]
        {
            let Ok(email) = Email::parse(address) else { continue };
            let within = |cursor: &Cursor| {
                cursor.after.as_ref().is_none_or(|after| email > *after)
                    && cursor.end.as_ref().is_none_or(|end| email <= *end)
            };
            assert_eq!(cursors().iter().filter(|cursor| within(cursor)).count(), 1, "{address}");
        }
    }
}
