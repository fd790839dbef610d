//! Outputs: what receivers are told. Bounded in rows and bytes for each of them.
//!
//! Must not decide what is told or when it is tried again.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::change::{by_revision, change, change_one};
use super::columns::{from_text, int, or_passed_over, to_text, uint};
use crate::clock::UnixMicros;
use crate::output::{
    CROWDED_OUT, DEAD_BYTES_MAX, DEAD_MAX, Gate, Message, Output, OutputState, WAITING_BYTES_MAX, WAITING_MAX,
};
use crate::store::counters::Counter;
use crate::store::{
    OutputKey, OutputQuery, OutputTotals, OutputsOf, Plan, Put, PutOutput, StoreError, Versioned,
};

/// The tables of outputs: one step of the schema, which is never changed.
pub(super) const SCHEMA: &str = "
    -- What other systems of the user are told: a row for each receiver. No place is given twice, so that the end of a call
    -- never meets another row. `consent` is whether it goes when the gate of its person shuts; state 0 waits, 1 is dead.
    CREATE TABLE outputs (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        receiver TEXT NOT NULL,
        id TEXT NOT NULL,
        subject TEXT NOT NULL,
        person TEXT,
        consent INTEGER NOT NULL,
        state INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        tried_at INTEGER,
        next_attempt_at INTEGER NOT NULL,
        error TEXT,
        made_at INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX outputs_by_id ON outputs (receiver, id);
    CREATE INDEX outputs_waiting ON outputs (receiver, subject, sequence) WHERE state = 0;
    CREATE INDEX outputs_by_state ON outputs (receiver, state, sequence);
    CREATE INDEX outputs_by_person ON outputs (person) WHERE person IS NOT NULL;
    CREATE INDEX outputs_by_age ON outputs (made_at);
    -- How receivers do.
    CREATE TABLE receivers (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    -- How many rows and bytes there are, so that nobody counts many rows.
    CREATE TABLE output_sizes (
        receiver TEXT NOT NULL,
        state INTEGER NOT NULL,
        count INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (receiver, state)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER output_put AFTER INSERT ON outputs BEGIN
        INSERT INTO output_sizes VALUES (new.receiver, new.state, 1, new.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER output_gone AFTER DELETE ON outputs BEGIN
        UPDATE output_sizes SET count = count - 1, bytes = bytes - old.bytes
            WHERE receiver = old.receiver AND state = old.state;
    END;
    CREATE TRIGGER output_moved AFTER UPDATE OF state ON outputs WHEN new.state <> old.state BEGIN
        UPDATE output_sizes SET count = count - 1, bytes = bytes - old.bytes
            WHERE receiver = old.receiver AND state = old.state;
        INSERT INTO output_sizes VALUES (new.receiver, new.state, 1, new.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
    END;
";

const WAITING: i64 = 0;
const DEAD: i64 = 1;
/// A row takes about this beside its texts.
const ROW_BYTES: u64 = 300;
const COLUMNS: &str = "sequence, state, attempts, tried_at, next_attempt_at, error, body";

fn count(connection: &Connection, receiver: &str, what: Counter, by: usize) -> Result<(), StoreError> {
    if by == 0 {
        return Ok(());
    }
    let sql = "INSERT INTO counters (name, value) VALUES (?1, ?2)
               ON CONFLICT DO UPDATE SET value = value + excluded.value";
    change(connection, sql, (what.of(receiver), int(by as u64))).map(|_| ())
}

/// Whether something may be due once a plan is applied.
pub(super) fn may_be_due(plan: &Plan) -> bool {
    let wakes = |put: &Put| {
        matches!(put, Put::Output(PutOutput::Made(_) | PutOutput::Redriven(..) | PutOutput::Gate(..)))
    };
    plan.puts.iter().any(wakes)
}

/// Writes what became of outputs.
pub(super) fn put(connection: &Connection, put: &PutOutput) -> Result<(), StoreError> {
    match put {
        PutOutput::Made(output) => made(connection, output),
        PutOutput::Taken(OutputKey { receiver, id }) => {
            let sql = "DELETE FROM outputs WHERE receiver = ?1 AND id = ?2";
            count(connection, receiver, Counter::Taken, change(connection, sql, (receiver, id))?)
        }
        PutOutput::Failed { key, error, at, next_attempt_at } => {
            let sql =
                "UPDATE outputs SET attempts = attempts + 1, tried_at = ?3, next_attempt_at = ?4, error = ?5
                       WHERE receiver = ?1 AND id = ?2 AND state = 0";
            change(connection, sql, (&key.receiver, &key.id, at.0, next_attempt_at.0, error)).map(|_| ())
        }
        PutOutput::GivenUp { key, error, at } => {
            let sql = "UPDATE outputs SET attempts = attempts + 1, tried_at = ?3, error = ?4, state = 1
                       WHERE receiver = ?1 AND id = ?2 AND state = 0";
            change(connection, sql, (&key.receiver, &key.id, at.0, error))?;
            bound_dead(connection, &key.receiver)
        }
        PutOutput::Due { receiver, failed_since, at } => {
            let sql = "UPDATE outputs SET next_attempt_at = min(next_attempt_at, ?3)
                       WHERE receiver = ?1 AND state = 0 AND tried_at >= ?2";
            change(connection, sql, (receiver, failed_since.0, at.0)).map(|_| ())
        }
        PutOutput::Redriven(OutputsOf { receiver, id }, at) => {
            let sql = "UPDATE outputs SET state = 0, attempts = 0, next_attempt_at = ?3
                       WHERE receiver = ?1 AND state = 1 AND (?2 IS NULL OR id = ?2)";
            change(connection, sql, (receiver, id, at.0)).map(|_| ())
        }
        PutOutput::Discarded(OutputsOf { receiver, id }) => {
            let sql = "DELETE FROM outputs WHERE receiver = ?1 AND state = 1 AND (?2 IS NULL OR id = ?2)";
            change(connection, sql, (receiver, id)).map(|_| ())
        }
        PutOutput::Withheld(email) => {
            let sql = "DELETE FROM outputs WHERE person = ?1 AND consent = 1";
            change(connection, sql, [email.as_str()]).map(|_| ())
        }
        PutOutput::NoConversion(email) => {
            // The id begins with what it tells.
            let sql = "DELETE FROM outputs WHERE person = ?1 AND substr(id, 1, 11) = 'conversion-'";
            change(connection, sql, [email.as_str()]).map(|_| ())
        }
        PutOutput::Erased(email) => {
            change(connection, "DELETE FROM outputs WHERE person = ?1", [email.as_str()]).map(|_| ())
        }
        PutOutput::Gate(receiver, revision, gate) => {
            let insert = "INSERT INTO receivers (name, body, revision) VALUES (?1, ?2, ?3 + 1)";
            let update =
                "UPDATE receivers SET body = ?2, revision = ?3 + 1 WHERE name = ?1 AND revision = ?3";
            let values = (receiver, to_text("receiver", gate)?, int(*revision));
            change_one(connection, by_revision(*revision, insert, update), values)
        }
    }
}

fn made(connection: &Connection, output: &Output) -> Result<(), StoreError> {
    let message = &output.message;
    let body = to_text("output", message)?;
    let bytes = body.len() as u64 + ROW_BYTES;
    let sql = "INSERT OR IGNORE INTO outputs
        (receiver, id, subject, person, consent, state, attempts, next_attempt_at, made_at, bytes, body)
        VALUES (:receiver, :id, :subject, :person, :consent, 0, 0, :next_attempt_at, :made_at, :bytes, :body)";
    let values = named_params! {
        ":receiver": message.receiver,
        ":id": message.id,
        ":subject": message.subject.to_string(),
        ":person": message.person.as_ref().map(crate::event::Email::as_str),
        ":consent": message.topic.needs_consent(),
        ":next_attempt_at": output.next_attempt_at.0,
        ":made_at": message.at.0,
        ":bytes": int(bytes),
        ":body": body,
    };
    change(connection, sql, values)?;
    bound_waiting(connection, &message.receiver)
}

/// How many rows of a receiver are in a state, and their bytes.
fn sizes(connection: &Connection, receiver: &str, state: i64) -> Result<(u64, u64), StoreError> {
    let found = connection
        .prepare_cached("SELECT count, bytes FROM output_sizes WHERE receiver = ?1 AND state = ?2")?
        .query_row((receiver, state), |row| Ok((uint(row.get(0)?), uint(row.get(1)?))))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Puts the oldest aside until as many wait as may.
fn bound_waiting(connection: &Connection, receiver: &str) -> Result<(), StoreError> {
    let (mut rows, mut bytes) = sizes(connection, receiver, WAITING)?;
    while rows > 1 && (rows > WAITING_MAX || bytes > WAITING_BYTES_MAX) {
        let sql = "UPDATE outputs SET state = 1, error = ?2 WHERE sequence =
            (SELECT min(sequence) FROM outputs WHERE receiver = ?1 AND state = 0)";
        let moved = change(connection, sql, (receiver, CROWDED_OUT))?;
        count(connection, receiver, Counter::CrowdedOut, moved)?;
        bound_dead(connection, receiver)?;
        if moved == 0 {
            return Ok(());
        }
        (rows, bytes) = sizes(connection, receiver, WAITING)?;
    }
    Ok(())
}

/// Gives up the oldest dead letters until there are as many as may be.
fn bound_dead(connection: &Connection, receiver: &str) -> Result<(), StoreError> {
    let (mut rows, mut bytes) = sizes(connection, receiver, DEAD)?;
    while rows > 1 && (rows > DEAD_MAX || bytes > DEAD_BYTES_MAX) {
        let sql = "DELETE FROM outputs WHERE sequence =
            (SELECT min(sequence) FROM outputs WHERE receiver = ?1 AND state = 1)";
        let gone = change(connection, sql, [receiver])?;
        count(connection, receiver, Counter::Lost, gone)?;
        if gone == 0 {
            return Ok(());
        }
        (rows, bytes) = sizes(connection, receiver, DEAD)?;
    }
    Ok(())
}

/// Deletes a part of what was made before a moment, whatever its state: a receiver that is off, or is configured no more, keeps
/// nothing for ever.
pub(super) fn prune(connection: &Connection, before: UnixMicros, limit: i64) -> Result<u64, StoreError> {
    let old: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT sequence, receiver FROM outputs WHERE made_at < ?1 ORDER BY made_at LIMIT ?2",
        )?
        .query_map((before.0, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (sequence, receiver) in &old {
        let gone = change(connection, "DELETE FROM outputs WHERE sequence = ?1", [sequence])?;
        count(connection, receiver, Counter::Lost, gone)?;
    }
    Ok(old.len() as u64)
}

/// Deletes what names one of some people though it is told of somebody else.
pub(super) fn erase_mentions(
    connection: &Connection,
    names: impl Fn(&str) -> bool,
) -> Result<(), StoreError> {
    let mut found = Vec::new();
    {
        let mut statement = connection.prepare_cached("SELECT sequence, body, error FROM outputs")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let text = |index| row.get_ref(index)?.as_str_or_null().map_err(rusqlite::Error::from);
            if [text(1)?, text(2)?].into_iter().flatten().any(&names) {
                found.push(row.get::<_, i64>(0)?);
            }
        }
    }
    for sequence in &found {
        change(connection, "DELETE FROM outputs WHERE sequence = ?1", [sequence])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<(u64, Output), StoreError> {
    let text = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
    let message: Message = from_text("output", text)?;
    let state = if row.get::<_, i64>(1)? == DEAD { OutputState::Dead } else { OutputState::Waiting };
    let output = Output {
        message,
        state,
        attempts: u32::try_from(row.get::<_, i64>(2)?).unwrap_or(u32::MAX),
        tried_at: row.get::<_, Option<i64>>(3)?.map(UnixMicros),
        next_attempt_at: UnixMicros(row.get(4)?),
        error: row.get(5)?,
    };
    Ok((uint(row.get(0)?), output))
}

/// Outputs of a receiver that may be told now, and when the next is due. Of each record the oldest alone may.
pub(super) fn due(
    connection: &Connection,
    receiver: &str,
    now: UnixMicros,
    limit: usize,
) -> Result<(Vec<Output>, Option<UnixMicros>), StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let heads = "SELECT min(sequence) FROM outputs INDEXED BY outputs_waiting
                 WHERE receiver = ?1 AND state = 0 GROUP BY subject";
    let mut found = Vec::new();
    {
        let sql = format!(
            "SELECT {COLUMNS} FROM outputs WHERE sequence IN ({heads}) AND next_attempt_at <= ?2
             ORDER BY sequence LIMIT ?3"
        );
        let mut statement = snapshot.prepare_cached(&sql)?;
        let mut rows = statement.query((receiver, now.0, int(limit as u64)))?;
        while let Some(row) = rows.next()? {
            found.extend(or_passed_over("output", read(row))?.map(|(_, output)| output));
        }
    }
    let sql = format!(
        "SELECT min(next_attempt_at) FROM outputs WHERE sequence IN ({heads}) AND next_attempt_at > ?2"
    );
    let later: Option<i64> = snapshot.prepare_cached(&sql)?.query_row((receiver, now.0), |row| row.get(0))?;
    Ok((found, later.map(UnixMicros)))
}

/// Outputs, the newest first.
pub(super) fn page(connection: &Connection, query: &OutputQuery) -> Result<Vec<(u64, Output)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM outputs WHERE (:before IS NULL OR sequence < :before)
            AND (:receiver IS NULL OR receiver = :receiver) AND (:state IS NULL OR state = :state)
            AND (:person IS NULL OR person = :person) ORDER BY sequence DESC LIMIT :limit"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! {
        ":before": query.before.map(int),
        ":receiver": query.receiver,
        ":state": query.state.map(|state| match state {
            OutputState::Waiting => WAITING,
            OutputState::Dead => DEAD,
        }),
        ":person": query.person.as_ref().map(crate::event::Email::as_str),
        ":limit": int(query.limit.rows() as u64),
    })?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(or_passed_over("output", read(row))?);
    }
    Ok(found)
}

/// How a receiver does.
pub(super) fn gate(connection: &Connection, receiver: &str) -> Result<Versioned<Gate>, StoreError> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("SELECT revision, body FROM receivers WHERE name = ?1")?
        .query_row([receiver], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((revision, body)) = found else {
        return Ok(Versioned { revision: 0, document: Gate::default() });
    };
    let document = or_passed_over("receiver", from_text("receiver", &body))?.unwrap_or_default();
    Ok(Versioned { revision: uint(revision), document })
}

/// How many outputs each receiver has, and how each does.
pub(super) fn totals(
    connection: &Connection,
    totals: &mut BTreeMap<String, OutputTotals>,
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT receiver, state, count, bytes FROM output_sizes")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let of = totals.entry(row.get(0)?).or_default();
        let (rows, bytes) = (uint(row.get(2)?), uint(row.get(3)?));
        if row.get::<_, i64>(1)? == DEAD {
            of.dead = rows;
        } else {
            (of.waiting, of.waiting_bytes) = (rows, bytes);
        }
    }
    let mut statement = connection.prepare_cached("SELECT name, body FROM receivers")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let gate = or_passed_over("receiver", from_text("receiver", text))?;
        totals.entry(row.get(0)?).or_default().gate = gate.unwrap_or_default();
    }
    for (receiver, of) in totals.iter_mut().filter(|(_, of)| of.waiting > 0) {
        let oldest: Option<i64> = connection
            .prepare_cached(
                "SELECT made_at FROM outputs WHERE receiver = ?1 AND state = 0 ORDER BY sequence LIMIT 1",
            )?
            .query_row([receiver], |row| row.get(0))
            .optional()?;
        of.oldest = oldest.map(UnixMicros);
    }
    Ok(())
}
