//! What is owed: deliveries that are due, slots of the allowance, bulk calls, totals.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row};

use super::columns::{self, from_text, int, lane, lane_number, or_passed_over, subject, to_text, uint};
use super::{deals, failed, happenings, outputs, present, retention, state, walks};
use crate::allowance::{HOUR, SlotId};
use crate::clock::{Moment, UnixMicros};
use crate::delivery::{Account, Bound, BulkJob, DeliveryId, JobId, Lane};
use crate::event::Position;
use crate::store::counters;
use crate::store::{Destination, Due, DueOrder, DueQuery, Slot, StoreError, Totals, Versioned};

/// Up to so many due deliveries are sorted; of more, those that are due are looked for in order.
const SORTED_MAX: i64 = 256;

/// The kind of call of a subject: the word before its key, and of a happening the one before its code.
const KIND: &str = "iif(subject GLOB 'happening:*', substr(subject, 11, instr(subject, '-') - 11),
                        substr(subject, 1, instr(subject, ':') - 1))";

/// Due deliveries of the lanes in a set of bits, by lane.
fn due_sql(index: DueIndex, order: DueOrder) -> String {
    let (index, lanes, states) = match index {
        DueIndex::ByTime => ("deliveries_by_time", "(?3 >> lane) & 1", "state IN (0, 2)"),
        DueIndex::InOrder => ("deliveries_owed", "lane = ?3", "state IN (0, 1, 2) AND state <> 1"),
    };
    let direction = match order {
        DueOrder::LongestFirst => "ASC",
        DueOrder::NewestFirst => "DESC",
    };
    format!(
        "SELECT id, subject, lane, opened_at, iif(state = 0, new_contact_of, NULL) FROM deliveries AS d INDEXED BY {index}
         WHERE account = ?1 AND next_attempt_at <= ?2 AND {lanes} AND {states}
           AND (new_contact_of IS NULL OR state <> 0 OR new_contact_of NOT IN (SELECT value FROM json_each(?5)))
           AND {KIND} NOT IN (SELECT value FROM json_each(?6))
           AND NOT EXISTS (SELECT 1 FROM deliveries AS f INDEXED BY deliveries_in_flight
                           WHERE f.account = ?1 AND f.subject = d.subject AND f.state = 1)
           AND NOT EXISTS (SELECT 1 FROM forget_orders AS g INDEXED BY forget_orders_by_email
                           WHERE g.account = ?1 AND g.email = d.email)
         ORDER BY lane, opened_at {direction}, sequence {direction} LIMIT ?4"
    )
}

/// Where due deliveries are looked for.
#[derive(Clone, Copy)]
enum DueIndex {
    /// What the index on the time finds, sorted: fast while little is due, however much waits for later. The third
    /// value is a set of lanes.
    ByTime,
    /// All that is owed in order, less what is not due: fast while much is due. The third value is a lane.
    InOrder,
}

/// Deliveries that may be tried, and when the next of the others may.
pub(super) fn due(
    connection: &Connection,
    query: &DueQuery,
) -> Result<(Vec<Due>, Option<UnixMicros>), StoreError> {
    let DueQuery { account, now, lanes, order, held, shut, limit } = query;
    let (held, shut) = (to_text("sources", held)?, to_text("kinds", shut)?);
    let snapshot = connection.unchecked_transaction()?;
    let due: i64 = snapshot
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM deliveries INDEXED BY deliveries_by_time
             WHERE account = ?1 AND next_attempt_at <= ?2 AND state IN (0, 2) LIMIT ?3)",
        )?
        .query_row((&account.0, now.0, SORTED_MAX + 1), |row| row.get(0))?;
    let (index, keys): (_, Vec<i64>) = if due > SORTED_MAX {
        (DueIndex::InOrder, lanes.iter().map(|lane| lane_number(*lane)).collect())
    } else {
        (DueIndex::ByTime, vec![lanes.iter().fold(0, |set, lane| set | (1 << lane_number(*lane)))])
    };
    let mut statement = snapshot.prepare_cached(&due_sql(index, *order))?;
    let mut found = Vec::new();
    for key in keys.into_iter().filter(|_| due > 0) {
        let missing = int(limit.saturating_sub(found.len()) as u64);
        let mut rows = statement.query((&account.0, now.0, key, missing, &held, &shut))?;
        while let Some(row) = rows.next()? {
            found.extend(or_passed_over("delivery", due_row(row))?);
        }
    }
    let next: Option<i64> = snapshot
        .prepare_cached(
            "SELECT next_attempt_at FROM deliveries INDEXED BY deliveries_by_time
             WHERE account = ?1 AND next_attempt_at > ?2 AND next_attempt_at < ?3 AND state IN (0, 2)
             ORDER BY next_attempt_at LIMIT 1",
        )?
        .query_row((&account.0, now.0, NEVER), |row| row.get(0))
        .optional()?;
    Ok((found, next.map(UnixMicros)))
}

pub(super) fn due_row(row: &Row<'_>) -> Result<Due, StoreError> {
    Ok(Due {
        id: DeliveryId(row.get(0)?),
        subject: subject(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
        lane: lane(row.get(2)?)?,
        opened_at: UnixMicros(row.get(3)?),
        bound: row.get::<_, Option<String>>(4)?.map(Bound::from),
    })
}

/// When a delivery is due that is set aside: never.
pub(super) const NEVER: i64 = i64::MAX;

/// Keeps a delivery from being due. Its body is left alone: it may be what can't be read.
pub(super) fn set_aside(connection: &Connection, id: &DeliveryId) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET next_attempt_at = ?2 WHERE id = ?1";
    state::change(connection, sql, (&id.0, NEVER)).map(|_| ())
}

/// Gives what was set aside another try: the code may be another one now.
pub(super) fn take_back(connection: &Connection) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET next_attempt_at = 0 WHERE next_attempt_at = ?1 AND state IN (0, 2)";
    state::change(connection, sql, [NEVER]).map(|_| ())
}

fn count_set_aside(connection: &Connection, account: &Account) -> Result<u64, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM deliveries INDEXED BY deliveries_by_time
                       WHERE account = ?1 AND next_attempt_at = ?2 AND state IN (0, 2))
                    + (SELECT count(*) FROM deliveries INDEXED BY deliveries_in_flight
                       WHERE account = ?1 AND next_attempt_at = ?2 AND state = 1)";
    let count = connection.prepare_cached(sql)?.query_row((&account.0, NEVER), |row| row.get(0))?;
    Ok(uint(count))
}

/// Calls on their way that withdrawals of their contacts wait for.
pub(super) fn held_withdrawals(
    connection: &Connection,
    account: &Account,
) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM deliveries AS f INDEXED BY deliveries_in_flight WHERE account = ?1 AND state = 1
         AND EXISTS (SELECT 1 FROM deliveries AS d INDEXED BY deliveries_by_subject
                     WHERE d.subject = f.subject AND d.account = ?1 AND d.lane = ?2 AND d.state IN (0, 2))",
    )?;
    let values = (&account.0, lane_number(Lane::Withdrawal));
    let held = statement.query_map(values, |row| row.get(0).map(DeliveryId))?.collect::<Result<_, _>>()?;
    Ok(held)
}

/// The first calls that left after a moment and count for a quota.
pub(super) fn bounded(
    connection: &Connection,
    account: &Account,
    since: UnixMicros,
) -> Result<Vec<(Bound, UnixMicros)>, StoreError> {
    let made = connection
        .prepare_cached(
            "SELECT new_contact_of, taken_at FROM slots
             WHERE account = ?1 AND taken_at > ?2 AND new_contact_of IS NOT NULL ORDER BY taken_at, id",
        )?
        .query_map((&account.0, since.0), |row| {
            Ok((Bound::from(row.get::<_, String>(0)?), UnixMicros(row.get(1)?)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(made)
}

/// Slots that may not be free yet, and the next id.
pub(super) fn slots(
    connection: &Connection,
    account: &Account,
    now: UnixMicros,
    present: Moment,
) -> Result<(Vec<Slot>, u64), StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let slots = taken(&snapshot, account, now, present)?;
    let next: Option<i64> = snapshot
        .prepare_cached("SELECT id FROM next_slots WHERE account = ?1")?
        .query_row([&account.0], |row| row.get(0))
        .optional()?;
    Ok((slots, next.map_or(1, uint)))
}

fn taken(
    connection: &Connection,
    account: &Account,
    now: UnixMicros,
    present: Moment,
) -> Result<Vec<Slot>, StoreError> {
    let mut slots: Vec<Slot> = connection
        .prepare_cached(
            "SELECT id, taken_at, answered_at, boottime, boot FROM slots WHERE account = ?1 ORDER BY id",
        )?
        .query_map([&account.0], |row| {
            let (boottime, boot) = (row.get(3)?, row.get(4)?);
            let said = row.get::<_, Option<i64>>(2)?.map(UnixMicros);
            Ok(Slot {
                id: SlotId(uint(row.get(0)?)),
                taken_at: UnixMicros(row.get(1)?),
                answered_at: said.map(|said| present::answered_at(said, boottime, boot, now, present)),
            })
        })?
        .collect::<Result<_, _>>()?;
    slots.retain(|slot| slot.answered_at.is_none_or(|answered_at| answered_at > now.minus(HOUR)));
    Ok(slots)
}

/// Notes a bulk call that was taken.
pub(super) fn put_bulk_job(
    connection: &Connection,
    account: &Account,
    job: &BulkJob,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO bulk_jobs (account, id, body) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET body = excluded.body";
    let values = (&account.0, job.id.as_str(), to_text("bulk job", job)?);
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Forgets a bulk call whose job has ended.
pub(super) fn end_bulk_job(connection: &Connection, account: &Account, id: &JobId) -> Result<(), StoreError> {
    let sql = "DELETE FROM bulk_jobs WHERE account = ?1 AND id = ?2";
    connection.prepare_cached(sql)?.execute((&account.0, id.as_str()))?;
    Ok(())
}

/// Forgets bulk calls that can't be read: nobody can ask for their jobs, so their claims are void as others are.
pub(super) fn drop_unreadable_jobs(connection: &Connection) -> Result<(), StoreError> {
    let jobs: Vec<(String, String, String)> = connection
        .prepare("SELECT account, id, body FROM bulk_jobs")?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (account, id, body) in jobs {
        if or_passed_over("bulk job", from_text::<BulkJob>("bulk job", &body))?.is_none() {
            connection.execute("DELETE FROM bulk_jobs WHERE account = ?1 AND id = ?2", (account, id))?;
        }
    }
    Ok(())
}

/// Bulk calls whose jobs have not ended.
pub(super) fn bulk_jobs(connection: &Connection, account: &Account) -> Result<Vec<BulkJob>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT body FROM bulk_jobs WHERE account = ?1 ORDER BY id")?;
    let mut rows = statement.query([&account.0])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(from_text("bulk job", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(jobs)
}

/// The counters and what is owed at `now`, one snapshot. `journal_end` is asked after it was taken, so that no more
/// has taken effect than was accepted.
pub(super) fn totals(
    connection: &Connection,
    account: &Account,
    present: Moment,
    journal_end: impl FnOnce() -> Position,
) -> Result<Totals, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let mut totals = Totals { processed: state::processed(&snapshot)?.events, ..Totals::default() };
    totals.accepted = journal_end().0;
    read_counters(&snapshot, &mut totals)?;
    read_open(&snapshot, account, &mut totals)?;
    totals.held_deals = deals::held(&snapshot, account)?;
    (totals.happenings, totals.held_happenings) = happenings::counts(&snapshot, account)?;
    totals.set_aside = count_set_aside(&snapshot, account)?;
    totals.failed = failed::count(&snapshot)?;
    outputs::totals(&snapshot, &mut totals.outputs)?;
    let destination: Option<String> = snapshot
        .prepare_cached("SELECT body FROM destinations WHERE account = ?1")?
        .query_row([&account.0], |row| row.get(0))
        .optional()?;
    totals.trail_since = retention::trail_since(&snapshot)?;
    totals.slots = taken(&snapshot, account, present.wall, present)?;
    // What is owed and how calls stand is told, and calls are made, without them.
    let review = or_passed_over("review", walks::review(&snapshot))?;
    totals.review = review.flatten().map(|found| found.document);
    let redrive = or_passed_over("redrive", walks::redrive(&snapshot))?;
    totals.redrive = redrive.flatten().map(|found| found.document);
    if let Some(body) = destination {
        totals.destination = from_text::<Destination>("destination", &body)?;
    }
    Ok(totals)
}

/// How the destinations of all accounts stand.
pub(super) fn destinations(
    connection: &Connection,
) -> Result<BTreeMap<Account, Versioned<Destination>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT account, revision, body FROM destinations")?;
    let mut rows = statement.query(())?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        if let Some(document) = or_passed_over("destination", from_text("destination", text))? {
            found.insert(Account(row.get(0)?), Versioned { revision: uint(row.get(1)?), document });
        }
    }
    Ok(found)
}

fn read_counters(connection: &Connection, totals: &mut Totals) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("SELECT name, value FROM counters")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (name, value): (String, i64) = (row.get(0)?, row.get(1)?);
        or_passed_over("counter", counters::read(&name, uint(value), totals))?;
    }
    counters::tidy(totals);
    Ok(())
}

fn read_open(connection: &Connection, account: &Account, totals: &mut Totals) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT account, lane, state, alone, new_contact_of, count FROM open_deliveries WHERE count > 0",
    )?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let open = counters::Open {
            account: Account(row.get(0)?),
            lane: lane(row.get(1)?)?,
            state: columns::state(row.get(2)?)?,
            alone: row.get(3)?,
            bound: row.get(4)?,
            count: uint(row.get(5)?),
        };
        open.add_to(account, totals);
    }
    for (lane, owed) in &mut totals.owed {
        let oldest: Option<i64> = connection
            .prepare_cached(
                "SELECT opened_at FROM deliveries INDEXED BY deliveries_owed
                 WHERE account = ?1 AND lane = ?2 AND state IN (0, 1, 2) ORDER BY opened_at LIMIT 1",
            )?
            .query_row((&account.0, lane_number(*lane)), |row| row.get(0))
            .optional()?;
        owed.oldest = oldest.map(UnixMicros);
    }
    Ok(())
}
