//! What is not known after a restore, and what is known all the same: makes a restored state careful.
//!
//! Nobody knows which calls were made after the backup. So every call that an hour allows counts as made; the next call of a
//! contact carries all of it; and a deal, a note, an activity or a task that is not known to exist is looked for before it is
//! created, since that can't be repeated. Must not decide who is erased: that is in the record.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::clock::UnixMicros;
use crate::contact::Contact;
use crate::deal::Deal;
use crate::delivery::Account;
use crate::destination::{Destination, Doubt};
use crate::erasure::{Erasure, ErasureSubject, Mark};
use crate::event::{Email, Kind, SourceName, Trust};
use crate::happening::Happening;
use crate::person::{DEFAULT_PEOPLE, PersonId, PersonKey, TimelineKey};
use crate::store::sqlite::columns::{from_text, int, to_text, uint};
use crate::store::sqlite::withdrawn::{Noted, What, hash_of};
use crate::store::sqlite::{erase, happenings, tombstones};
use crate::store::{NewRecord, Privacy, StoreError};

/// The source of the events that tell what a record knows.
pub(super) const SOURCE: &str = "restore";

/// Counts every call as made that an hour allows, with each account that is known, and as answered now.
pub(super) fn spend_allowance(
    state: &Connection,
    ours: &Account,
    calls: u32,
    now: UnixMicros,
) -> Result<(), StoreError> {
    let mut accounts: BTreeSet<String> = state
        .prepare("SELECT account FROM next_slots UNION SELECT account FROM slots UNION SELECT account FROM destinations")?
        .query_map((), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    accounts.insert(ours.0.clone());
    for account in accounts {
        state.execute("DELETE FROM slots WHERE account = ?1", [&account])?;
        let next: i64 = state.query_row(
            "SELECT coalesce((SELECT id FROM next_slots WHERE account = ?1), 1)",
            [&account],
            |row| row.get(0),
        )?;
        let mut slot = state.prepare(
            "INSERT INTO slots (account, id, taken_at, answered_at, boottime, boot)
             VALUES (?1, ?2, ?3, ?3, boottime(), boot())",
        )?;
        for id in next..next + i64::from(calls) {
            slot.execute((&account, id, now.0))?;
        }
        let sql = "INSERT OR REPLACE INTO next_slots (account, id) VALUES (?1, ?2)";
        state.execute(sql, (&account, next + i64::from(calls)))?;
    }
    Ok(())
}

/// Has the next call of every contact that an account may have carry all of it; answers how many that are.
pub(super) fn distrust_contacts(state: &Connection) -> Result<u64, StoreError> {
    each(state, "contacts", |contact: &mut Contact| {
        let mut known = false;
        for standing in contact.standing.values_mut() {
            known |= standing.distrust();
        }
        known
    })
}

/// Has every deal looked for before it is created that is not known to exist; answers how many that are.
pub(super) fn distrust_deals(state: &Connection, ours: &Account, now: UnixMicros) -> Result<u64, StoreError> {
    each(state, "deals", |deal: &mut Deal| {
        let before = deal.standing.clone();
        deal.standing.entry(ours.clone()).or_default();
        deal.standing.values_mut().for_each(|standing| standing.distrust(now));
        deal.standing != before
    })
}

/// Has Freshsales asked for what comes again of the time since the backup, too: it is not in the restored data.
pub(super) fn doubt_since(
    state: &Connection,
    ours: &Account,
    since: UnixMicros,
    now: UnixMicros,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO destinations (account, revision, body) SELECT ?1, 1, ?2
               WHERE NOT EXISTS (SELECT 1 FROM destinations WHERE account = ?1)";
    state.execute(sql, (&ours.0, to_text("destination", &Destination::default())?))?;
    each(state, "destinations", |destination: &mut Destination| {
        destination.doubt = Some(Doubt { since, until: now }.with(destination.doubt));
        destination.restored_at = Some(now);
        true
    })?;
    Ok(())
}

/// Has Freshsales asked for every note, activity and task that is not known to be there before it is told; answers how many
/// that are.
pub(super) fn distrust_happenings(state: &Connection, now: UnixMicros) -> Result<u64, StoreError> {
    let read = "SELECT rowid, key, revision, day, body FROM happenings WHERE open = 1 AND rowid > ?1 ORDER BY rowid LIMIT 1000";
    let (mut after, mut changed) = (i64::MIN, 0);
    loop {
        let rows: Vec<(i64, String, i64, i64, String)> = state
            .prepare_cached(read)?
            .query_map([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
            .collect::<Result<_, _>>()?;
        let Some((last, ..)) = rows.last() else { return Ok(changed) };
        after = *last;
        for (_, id, revision, day, body) in rows {
            let read = (id.parse(), from_text::<Happening>("happening", &body));
            let (Ok(id), Ok(mut happening)) = read else { continue };
            happening.standing.distrust(now);
            happenings::put(state, &id, uint(revision), &happening, day)?;
            changed += 1;
        }
    }
}

/// Changes the documents of a table where `change` says that it did; answers how many.
fn each<T: Serialize + DeserializeOwned>(
    state: &Connection,
    table: &'static str,
    mut change: impl FnMut(&mut T) -> bool,
) -> Result<u64, StoreError> {
    let read = format!("SELECT rowid, body FROM {table} WHERE rowid > ?1 ORDER BY rowid LIMIT 1000");
    let mut write = state.prepare(&format!("UPDATE {table} SET body = ?2 WHERE rowid = ?1"))?;
    let (mut after, mut changed) = (i64::MIN, 0);
    loop {
        let rows = page(state, &read, after)?;
        let Some((last, _)) = rows.last() else { return Ok(changed) };
        after = *last;
        for (row, body) in rows {
            // One that can't be read is set aside when its turn comes.
            let Ok(mut document) = from_text::<T>(table, &body) else { continue };
            if change(&mut document) {
                write.execute((row, to_text(table, &document)?))?;
                changed += 1;
            }
        }
    }
}

fn page(state: &Connection, sql: &str, after: i64) -> Result<Vec<(i64, String)>, StoreError> {
    let mut statement = state.prepare_cached(sql)?;
    let rows = statement.query_map([after], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What of a record was not in the backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Orders to erase somebody that the service carries out when it starts.
    pub erased: u64,
    /// Addresses that withdrew consent.
    pub withdrawn: u64,
    /// Addresses of which nothing is ever sent, and the backup did not know.
    pub suppressed: u64,
    /// Notes of whom the backup does not know.
    pub unknown: u64,
    /// Lines that can't be read.
    pub unreadable: u64,
}

/// Orders to erase who was erased since the backup, and answers the events that say who withdrew consent since.
pub(super) fn apply(
    state: &Connection,
    noted: &Noted,
    made_at: UnixMicros,
    now: UnixMicros,
) -> Result<(Applied, Vec<NewRecord>), StoreError> {
    let news = News::of(state, noted, made_at)?;
    let suppressed = suppress(state, noted)?;
    let mut applied =
        Applied { unreadable: noted.unreadable, suppressed: suppressed.len() as u64, ..Applied::default() };
    let mut found = BTreeSet::new();
    let mut orders = Vec::new();
    for text in texts(state, "SELECT key FROM people")? {
        let Ok(key) = text.parse::<PersonKey>() else { continue };
        let Some((hash, forget)) = news.erased(&Mark::of(&key)) else { continue };
        found.insert(hash);
        match key.id {
            PersonId::User(_) => orders.push((ErasureSubject::User(key), forget)),
            PersonId::Email(email) => orders.push((ErasureSubject::Email(email), forget)),
            PersonId::Anonymous(_) => {}
        }
    }
    let mut records = Vec::new();
    for text in texts(state, "SELECT email FROM contacts")? {
        let Ok(email) = Email::from_store(&text) else { continue };
        let mark = Mark::Email(email.clone());
        if !suppressed.is_empty() {
            let sql = "UPDATE suppressed SET email = ?2 WHERE mark = unhex(?1)";
            let hash = hash_of(&news.key, &mark);
            if suppressed.contains(&hash) && news.erased(&mark).is_none() {
                state.prepare_cached(sql)?.execute((hash, email.as_str()))?;
            }
        }
        if let Some((hash, forget)) = news.erased(&mark) {
            found.insert(hash);
            if is_nobodys(state, &email)? {
                orders.push((ErasureSubject::Email(email), forget));
            }
        } else if let Some((hash, at)) = news.withdrawn(&mark) {
            found.insert(hash);
            records.push(withdrawal(&email, at, now, records.len()));
        }
    }
    devices(state, &news, &mut found)?;
    applied.withdrawn = records.len() as u64;
    applied.unknown = (news.erased.len() + news.withdrawn.len()).saturating_sub(found.len()) as u64;
    let next: i64 = state.query_row("SELECT coalesce(max(id), 0) + 1 FROM erasures", (), |row| row.get(0))?;
    let mut subjects = BTreeSet::new();
    for (subject, forget) in orders.into_iter().filter(|(subject, _)| subjects.insert(subject.clone())) {
        let erasure = Erasure::order(uint(next) + applied.erased, subject, forget);
        erase::note(state, &Privacy::Erasure(Box::new(erasure)))?;
        applied.erased += 1;
    }
    Ok((applied, records))
}

/// Orders that nothing of an address is ever sent, and those undone since: as the record has them last. Answers the hashes of those
/// that the backup did not know.
fn suppress(state: &Connection, noted: &Noted) -> Result<BTreeSet<String>, StoreError> {
    let mut new = BTreeSet::new();
    for ((what, hash), at) in &noted.moments {
        let of = |what| noted.moments.get(&(what, hash.clone()));
        match what {
            What::Suppressed if of(What::Unsuppressed) <= Some(at) => {
                let sql = "INSERT OR IGNORE INTO suppressed (mark, at) VALUES (unhex(?1), ?2)";
                if state.prepare_cached(sql)?.execute((hash, at.0))? > 0 {
                    new.insert(hash.clone());
                }
            }
            What::Unsuppressed if of(What::Suppressed) < Some(at) => {
                state.prepare_cached("DELETE FROM suppressed WHERE mark = unhex(?1)")?.execute([hash])?;
            }
            What::Suppressed | What::Unsuppressed | What::Erased | What::Forgotten | What::Withdrawn => {}
        }
    }
    Ok(new)
}

/// What a record notes and the backup does not know, by hash.
struct News {
    key: ring::hmac::Key,
    erased: BTreeMap<String, bool>,
    withdrawn: BTreeMap<String, UnixMicros>,
}

impl News {
    /// Those who were erased since are remembered from here on: what they said before counts no more.
    fn of(state: &Connection, noted: &Noted, made_at: UnixMicros) -> Result<Self, StoreError> {
        let mut news =
            Self { key: tombstones::key(state)?, erased: BTreeMap::new(), withdrawn: BTreeMap::new() };
        for ((what, hash), at) in &noted.moments {
            match what {
                What::Withdrawn if *at >= made_at => drop(news.withdrawn.insert(hash.clone(), *at)),
                What::Withdrawn | What::Suppressed | What::Unsuppressed => {}
                What::Erased | What::Forgotten => {
                    // The record has milliseconds, the state microseconds.
                    let sql = "INSERT INTO tombstones (mark, at) SELECT unhex(?1), ?2
                               WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE mark = unhex(?1) AND at / 1000 >= ?2 / 1000)
                               ON CONFLICT DO UPDATE SET at = excluded.at";
                    if state.prepare_cached(sql)?.execute((hash, at.0))? > 0 {
                        *news.erased.entry(hash.clone()).or_default() |= *what == What::Forgotten;
                    }
                }
            }
        }
        Ok(news)
    }

    fn erased(&self, mark: &Mark) -> Option<(String, bool)> {
        if self.erased.is_empty() {
            return None;
        }
        self.erased.get_key_value(&hash_of(&self.key, mark)).map(|(hash, forget)| (hash.clone(), *forget))
    }

    fn withdrawn(&self, mark: &Mark) -> Option<(String, UnixMicros)> {
        if self.withdrawn.is_empty() {
            return None;
        }
        self.withdrawn.get_key_value(&hash_of(&self.key, mark)).map(|(hash, at)| (hash.clone(), *at))
    }
}

fn texts(state: &Connection, sql: &str) -> Result<Vec<String>, StoreError> {
    Ok(state.prepare(sql)?.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Whether an address is nobody's with a user id: otherwise it goes with the order for its user, or stays with who has it too.
fn is_nobodys(state: &Connection, email: &Email) -> Result<bool, StoreError> {
    let sql = "SELECT body FROM contacts WHERE email = ?1";
    let body: String = state.prepare_cached(sql)?.query_row([email.as_str()], |row| row.get(0))?;
    let Ok(contact) = from_text::<Contact>("contact", &body) else { return Ok(true) };
    let is_user = |member: &String| matches!(member.parse(), Ok(PersonKey { id: PersonId::User(_), .. }));
    Ok(!contact.members.iter().any(is_user))
}

/// Anonymous ids that went with who was erased: they are nobody's but theirs.
fn devices(state: &Connection, news: &News, found: &mut BTreeSet<String>) -> Result<(), StoreError> {
    let rows: Vec<(String, String)> = state
        .prepare("SELECT people, anonymous_id FROM timelines")?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (people, anonymous_id) in rows {
        let key = TimelineKey { people, anonymous_id };
        let Some((hash, _)) = news.erased(&Mark::of_device(&key)) else { continue };
        found.insert(hash);
        let sql = "DELETE FROM timelines WHERE people = ?1 AND anonymous_id = ?2";
        state.execute(sql, params![key.people, key.anonymous_id])?;
        let person = PersonKey { people: key.people, id: PersonId::Anonymous(key.anonymous_id) };
        state.execute("DELETE FROM people WHERE key = ?1", [person.to_string()])?;
    }
    Ok(())
}

/// The event that says that an address withdrew consent.
fn withdrawal(email: &Email, at: UnixMicros, now: UnixMicros, nth: usize) -> NewRecord {
    let message_id = format!("restore-{}-{nth}", now.0);
    let raw = json!({
        "type": "identify", "messageId": message_id, "timestamp": at.to_rfc3339(),
        "traits": { "email": email.as_str() }, "consent": { "marketing": "withdrawn" },
    });
    NewRecord {
        source: SourceName(SOURCE.to_owned()),
        people: DEFAULT_PEOPLE.to_owned(),
        kind: Kind::Identify,
        received_at: now,
        at,
        message_id,
        backfill: false,
        // What stood before the restore was believed already.
        trust: Trust::Server,
        raw: raw.to_string(),
    }
}

/// Puts events behind the last one of the journal.
pub(super) fn append(journal: &Connection, end: u64, records: &[NewRecord]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let bytes = crate::store::sqlite::records::encode(records.iter())?;
    let sql = "INSERT INTO groups (first, count, bytes) VALUES (?1, ?2, ?3)";
    journal.execute(sql, params![int(end + 1), int(records.len() as u64), bytes])?;
    Ok(())
}
