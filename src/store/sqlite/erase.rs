//! Erasure in the state: keeps the orders, deletes rows a part at a time.
//!
//! Must not decide who goes: that is in the order.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

use super::columns::{from_text, int, or_passed_over, state, to_text, uint};
use super::{exports, forget, outputs, state, suppressed, tombstones};
use crate::delivery::{Delivery, State};
use crate::erasure::{Erasure, ErasureStage, Extent, Forgetting, Receipt};
use crate::event::{Email, Position, SourceName};
use crate::store::named::{self, left_of, names};
use crate::store::{Counts, OpenErasures, Privacy, StoreError};

/// Rows of the trail, of the deliveries and of the messages looked through at once, so that plans do not wait long.
const EVENTS_MAX: u64 = 2_000;
const DELIVERIES_MAX: u64 = 250;
const MESSAGES_MAX: i64 = 2_000;

/// Notes something for an erasure.
pub(super) fn note(connection: &Connection, note: &Privacy) -> Result<(), StoreError> {
    match note {
        Privacy::Tombstone(mark, at) => {
            suppressed::forget_address(connection, mark)?;
            tombstones::put(connection, mark, *at)
        }
        Privacy::Suppress(email, at) => suppressed::put(connection, email, *at),
        Privacy::Unsuppress(email) => suppressed::lift(connection, email),
        Privacy::Blank(position) => {
            let sql = "INSERT OR IGNORE INTO blanks VALUES (?1)";
            state::change(connection, sql, [int(position.0)]).map(|_| ())
        }
        Privacy::Unsee(source, message_id) => unsee(connection, source, message_id).map(|_| ()),
        Privacy::Forget(order) => forget::put(connection, order),
        Privacy::ForgetEnded(id, end) => forget::end(connection, *id, *end),
        Privacy::CallEnded(delivery, end) => forget::call_ended(connection, delivery, *end),
        Privacy::Erasure(erasure) => put(connection, erasure),
    }
}

/// Writes an order, or its receipt.
fn put(connection: &Connection, erasure: &Erasure) -> Result<(), StoreError> {
    let body = to_text("erasure", erasure)?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO erasures (id, done, body) VALUES (?1, ?2, ?3)")?
        .execute((int(erasure.id), erasure.stage.is_done(), body))?;
    Ok(())
}

/// Orders that are not carried out.
pub(super) fn open(connection: &Connection) -> Result<OpenErasures, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let mut statement = snapshot
        .prepare_cached("SELECT body FROM erasures INDEXED BY erasures_open WHERE done = 0 ORDER BY id")?;
    let mut rows = statement.query(())?;
    let mut open = OpenErasures::default();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        match or_passed_over("erasure", from_text("erasure", text))? {
            Some(order) => open.orders.push(order),
            None => open.unreadable += 1,
        }
    }
    let last: Option<i64> = snapshot.query_row("SELECT max(id) FROM erasures", (), |row| row.get(0))?;
    Ok(OpenErasures { next_id: last.map_or(1, |last| uint(last) + 1), ..open })
}

/// One order or receipt, and how far it is in the CRM.
pub(super) fn one(connection: &Connection, id: u64) -> Result<Option<(Erasure, Forgetting)>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let body: Option<String> = snapshot
        .prepare_cached("SELECT body FROM erasures WHERE id = ?1")?
        .query_row([int(id)], |row| row.get(0))
        .optional()?;
    let Some(body) = body else { return Ok(None) };
    Ok(Some((from_text("erasure", &body)?, forget::forgetting(&snapshot, id)?)))
}

/// Deletes a part of the rows that an erasure reaches, in one transaction with how far it is then.
pub(super) fn rows(connection: &mut Connection, mut erasure: Erasure) -> Result<Erasure, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Erasure { stage, receipt, .. } = &mut erasure;
    if let ErasureStage::Rows { extent, last, events_after, deliveries_after, messages_after } = stage {
        if events_after < last {
            *events_after = events(&transaction, extent, *events_after, *last, receipt)?;
        } else if let Some(after) = deliveries(&transaction, extent, *deliveries_after, receipt)? {
            *deliveries_after = after;
        } else if let Some(after) = messages(&transaction, extent, messages_after, receipt)? {
            *messages_after = after;
        } else {
            // What is told is bounded, so it is looked through at once.
            outputs::erase_mentions(&transaction, |text| names(extent, text))?;
            exports::erase_mentions(&transaction, |text| names(extent, text))?;
            let (extent, last) = (std::mem::take(extent), *last);
            *stage = ErasureStage::Journal { extent, last, after: Position(0) };
        }
    }
    put(&transaction, &erasure)?;
    transaction.commit()?;
    Ok(erasure)
}

/// What the trail has on one event.
struct Trail {
    position: i64,
    source: String,
    message_id: String,
    theirs: bool,
}

fn trail_of_person(row: &Row<'_>, extent: &Extent) -> Result<Option<Trail>, StoreError> {
    let text = |index| row.get_ref(index)?.as_str_or_null().map_err(rusqlite::Error::from);
    let (person, email, message_id, name, body) = (text(3)?, text(4)?, text(2)?, text(5)?, text(6)?);
    let message_id = message_id.unwrap_or_default();
    let event = named::Event {
        person,
        email,
        message_id,
        name: name.unwrap_or_default(),
        body: body.unwrap_or_default(),
    };
    let Some(theirs) = event.speaks_of(extent) else { return Ok(None) };
    let message_id = message_id.to_owned();
    Ok(Some(Trail { position: row.get(0)?, source: row.get(1)?, message_id, theirs }))
}

/// Deletes trails of the person's events, and what is remembered of their messages; their content is to go too.
fn events(
    connection: &Connection,
    extent: &Extent,
    after: Position,
    last: Position,
    receipt: &mut Receipt,
) -> Result<Position, StoreError> {
    let to = Position(after.0.saturating_add(EVENTS_MAX).min(last.0));
    let mut found = Vec::new();
    {
        let mut statement = connection.prepare_cached(
            "SELECT position, source, message_id, person, email, name, body FROM events
             WHERE position > ?1 AND position <= ?2",
        )?;
        let mut rows = statement.query((int(after.0), int(to.0)))?;
        while let Some(row) = rows.next()? {
            found.extend(trail_of_person(row, extent)?);
        }
    }
    for Trail { position, source, message_id, theirs } in found {
        receipt.trail_events +=
            connection.prepare_cached("DELETE FROM events WHERE position = ?1")?.execute([position])? as u64;
        connection.prepare_cached("INSERT OR IGNORE INTO blanks VALUES (?1)")?.execute([position])?;
        if theirs {
            receipt.trail_events += connection
                .prepare_cached(
                    "DELETE FROM events WHERE message_id = ?1 AND source = ?2 AND outcome = 'duplicate'",
                )?
                .execute((&message_id, &source))? as u64;
            receipt.message_ids += unsee(connection, &SourceName(source), &message_id)?;
        }
    }
    Ok(to)
}

/// Forgets the id of a message that was seen; that it is not to be heard again is remembered as a hash.
pub(super) fn unsee(
    connection: &Connection,
    source: &SourceName,
    message_id: &str,
) -> Result<u64, StoreError> {
    let hashed = tombstones::message_id(connection, source, message_id)?;
    let sql = "UPDATE OR REPLACE seen SET message_id = ?3 WHERE source = ?1 AND message_id = ?2";
    Ok(connection.prepare_cached(sql)?.execute((&source.0, message_id, hashed))? as u64)
}

/// Deletes ended deliveries of the person's contacts, and of others whose answers named an address; where one is still
/// owed, only what was sent and answered goes.
fn deliveries(
    connection: &Connection,
    extent: &Extent,
    after: u64,
    receipt: &mut Receipt,
) -> Result<Option<u64>, StoreError> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(sequence) FROM deliveries", (), |row| row.get(0))?;
    let newest = uint(newest.unwrap_or_default());
    if after >= newest {
        return Ok(None);
    }
    let to = after.saturating_add(DELIVERIES_MAX).min(newest);
    let mut found = Vec::new();
    {
        let mut statement = connection.prepare_cached(
            "SELECT revision, body, email, state FROM deliveries
             WHERE sequence > ?1 AND sequence <= ?2 AND opened_at <= ?3",
        )?;
        let mut rows = statement.query((int(after), int(to), receipt.erased_at.0))?;
        while let Some(row) = rows.next()? {
            let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
            let (body, address) = (text(1)?, text(2)?);
            let is = |email: &Email| email.is(address);
            let theirs = extent.emails.iter().any(is);
            if theirs || extent.shared.iter().any(is) || names(extent, body) {
                let delivery = from_text::<Delivery>("delivery", body)?;
                found.push((uint(row.get(0)?), delivery, state(row.get(3)?)?, theirs));
            }
        }
    }
    for (revision, delivery, state, theirs) in found {
        let id = delivery.id.clone();
        if let Some(left) = left_of(delivery, state, theirs, extent) {
            state::put_delivery(connection, revision, &left)?;
            continue;
        }
        receipt.deliveries += 1;
        if state == State::Dead {
            let mut counts = Counts::default();
            counts.moved(Some(State::Dead), State::Erased);
            state::count(connection, &counts)?;
        }
        connection.prepare_cached("DELETE FROM deliveries WHERE id = ?1")?.execute([&id.0])?;
    }
    Ok(Some(to))
}

/// Forgets messages whose ids hold an address.
fn messages(
    connection: &Connection,
    extent: &Extent,
    after: &(String, String),
    receipt: &mut Receipt,
) -> Result<Option<(String, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT source, message_id FROM seen WHERE (source, message_id) > (?1, ?2)
         ORDER BY source, message_id LIMIT ?3",
    )?;
    let seen: Vec<(String, String)> = statement
        .query_map((&after.0, &after.1, MESSAGES_MAX), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (source, message_id) in &seen {
        if names(extent, message_id) {
            receipt.message_ids += unsee(connection, &SourceName(source.clone()), message_id)?;
        }
    }
    Ok(seen.into_iter().next_back())
}

/// Events of the journal that are to be blanked.
pub(super) fn blanks(connection: &Connection, limit: usize) -> Result<BTreeSet<Position>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT position FROM blanks ORDER BY position LIMIT ?1")?;
    let positions = statement.query_map([int(limit as u64)], |row| row.get(0))?;
    Ok(positions
        .map(|position| position.map(|position| Position(uint(position))))
        .collect::<Result<_, _>>()?)
}

/// Events that are blanked.
pub(super) fn blanked(connection: &mut Connection, done: &[Position]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for position in done {
        transaction.prepare_cached("DELETE FROM blanks WHERE position = ?1")?.execute([int(position.0)])?;
    }
    transaction.commit()?;
    Ok(())
}
