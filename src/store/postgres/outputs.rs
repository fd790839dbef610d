//! Outputs: what receivers are told. Bounded in rows and bytes for each of them.
//!
//! Must not decide what is told or when it is tried again.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::link::{Link, Step};
use super::rows::by_revision;
use super::value::{column, int, maybe, string, text, uint, values};
use crate::clock::UnixMicros;
use crate::output::{
    CROWDED_OUT, DEAD_BYTES_MAX, DEAD_MAX, Gate, Message, Output, OutputState, WAITING_BYTES_MAX, WAITING_MAX,
};
use crate::store::columns::{from_text, int as signed, or_passed_over, to_text, uint as unsigned};
use crate::store::counters::Counter;
use crate::store::{OutputKey, OutputQuery, OutputTotals, OutputsOf, PutOutput, StoreError, Versioned};

/// A row takes about this beside its texts.
const ROW_BYTES: u64 = 300;
const COLUMNS: &str = "sequence, state, attempts, tried_at, next_attempt_at, error, body";

/// What becomes of outputs in a plan, in its order.
#[derive(Default)]
pub(super) struct Batch {
    steps: Vec<Step>,
    /// Receivers that may have more waiting than they may, or more dead letters.
    crowded: BTreeSet<String>,
}

impl Batch {
    pub(super) fn put(&mut self, put: &PutOutput) -> Result<(), StoreError> {
        let step = match put {
            PutOutput::Made(output) => {
                self.crowded.insert(output.message.receiver.clone());
                made(output)?
            }
            PutOutput::Taken(OutputKey { receiver, id }) => taken(receiver, id),
            PutOutput::Failed { key, error, at, next_attempt_at } => Step::any(
                "UPDATE outputs SET attempts = attempts + 1, tried_at = $3, next_attempt_at = $4, error = $5
                 WHERE tenant = 1 AND receiver = $1 AND id = $2 AND state = 0",
                values![text(&key.receiver), text(&key.id), at.0, next_attempt_at.0, text(error)],
            ),
            PutOutput::GivenUp { key, error, at } => {
                self.crowded.insert(key.receiver.clone());
                Step::any(
                    "UPDATE outputs SET attempts = attempts + 1, tried_at = $3, error = $4, state = 1
                     WHERE tenant = 1 AND receiver = $1 AND id = $2 AND state = 0",
                    values![text(&key.receiver), text(&key.id), at.0, text(error)],
                )
            }
            PutOutput::Due { receiver, failed_since, at } => Step::any(
                "UPDATE outputs SET next_attempt_at = least(next_attempt_at, $3)
                 WHERE tenant = 1 AND receiver = $1 AND state = 0 AND tried_at >= $2",
                values![text(receiver), failed_since.0, at.0],
            ),
            PutOutput::Redriven(OutputsOf { receiver, id }, at) => Step::any(
                "UPDATE outputs SET state = 0, attempts = 0, next_attempt_at = $3
                 WHERE tenant = 1 AND receiver = $1 AND state = 1 AND ($2::text IS NULL OR id = $2)",
                values![text(receiver), id.as_deref().map(text), at.0],
            ),
            PutOutput::Discarded(OutputsOf { receiver, id }) => Step::any(
                "DELETE FROM outputs
                 WHERE tenant = 1 AND receiver = $1 AND state = 1 AND ($2::text IS NULL OR id = $2)",
                values![text(receiver), id.as_deref().map(text)],
            ),
            PutOutput::Withheld(email) => Step::any(
                "DELETE FROM outputs WHERE tenant = 1 AND person = $1 AND consent",
                values![text(email.as_str())],
            ),
            // The id begins with what it tells.
            PutOutput::NoConversion(email) => Step::any(
                "DELETE FROM outputs WHERE tenant = 1 AND person = $1 AND id LIKE 'conversion-%'",
                values![text(email.as_str())],
            ),
            PutOutput::Erased(email) => Step::any(
                "DELETE FROM outputs WHERE tenant = 1 AND person = $1",
                values![text(email.as_str())],
            ),
            PutOutput::Gate(receiver, revision, gate) => {
                by_revision(("receivers", "name"), receiver, *revision, to_text("receiver", gate)?)
            }
        };
        self.steps.push(step);
        Ok(())
    }

    pub(super) fn steps(self) -> Vec<Step> {
        let Self { mut steps, crowded } = self;
        steps.extend(crowded.iter().flat_map(|receiver| [bound_waiting(receiver), bound_dead(receiver)]));
        steps
    }
}

fn made(output: &Output) -> Result<Step, StoreError> {
    let message = &output.message;
    let body = to_text("output", message)?;
    let bytes = signed(body.len() as u64 + ROW_BYTES);
    let sql = "INSERT INTO outputs
        (receiver, id, subject, person, consent, state, attempts, next_attempt_at, made_at, bytes, body)
        VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $7, $8, $9) ON CONFLICT (tenant, receiver, id) DO NOTHING";
    let values = values![
        text(&message.receiver),
        text(&message.id),
        text(&message.subject.to_string()),
        message.person.as_ref().map(|email| text(email.as_str())),
        message.topic.needs_consent(),
        output.next_attempt_at.0,
        message.at.0,
        bytes,
        body,
    ];
    Ok(Step::any(sql, values))
}

fn taken(receiver: &str, id: &str) -> Step {
    let sql = "WITH gone AS (DELETE FROM outputs WHERE tenant = 1 AND receiver = $1 AND id = $2 RETURNING 1)
        INSERT INTO counters AS c (name, value) SELECT $3::text, count(*) FROM gone HAVING count(*) > 0
        ON CONFLICT (tenant, name) DO UPDATE SET value = c.value + excluded.value";
    Step::any(sql, values![text(receiver), text(id), text(&Counter::Taken.of(receiver))])
}

/// The oldest of a state beyond what may be; one is always kept.
const BEYOND: &str = "SELECT sequence FROM (
        SELECT sequence, row_number() OVER w AS nth, sum(bytes) OVER w AS upto FROM outputs
        WHERE tenant = 1 AND receiver = $1 AND state = $2::bigint WINDOW w AS (ORDER BY sequence DESC)) AS o
    WHERE nth > 1 AND (nth > $3::bigint OR upto > $4::bigint) AND EXISTS (
        SELECT 1 FROM output_sizes WHERE tenant = 1 AND receiver = $1 AND state = $2 AND (count > $3::bigint OR bytes > $4::bigint))";

/// Puts the oldest aside until as many wait as may.
fn bound_waiting(receiver: &str) -> Step {
    let sql = format!(
        "WITH moved AS (UPDATE outputs SET state = 1, error = $6 WHERE tenant = 1 AND sequence IN ({BEYOND}) RETURNING 1)
         INSERT INTO counters AS c (name, value) SELECT $5::text, count(*) FROM moved HAVING count(*) > 0
         ON CONFLICT (tenant, name) DO UPDATE SET value = c.value + excluded.value"
    );
    let (rows, bytes) = (signed(WAITING_MAX), signed(WAITING_BYTES_MAX));
    let counter = text(&Counter::CrowdedOut.of(receiver));
    Step::any(sql, values![text(receiver), 0_i64, rows, bytes, counter, CROWDED_OUT.to_owned()])
}

/// Gives up the oldest dead letters until there are as many as may be.
fn bound_dead(receiver: &str) -> Step {
    let sql = format!(
        "WITH gone AS (DELETE FROM outputs WHERE tenant = 1 AND sequence IN ({BEYOND}) RETURNING 1)
         INSERT INTO counters AS c (name, value) SELECT $5::text, count(*) FROM gone HAVING count(*) > 0
         ON CONFLICT (tenant, name) DO UPDATE SET value = c.value + excluded.value"
    );
    let (rows, bytes) = (signed(DEAD_MAX), signed(DEAD_BYTES_MAX));
    let counter = text(&Counter::Lost.of(receiver));
    Step::any(sql, values![text(receiver), 1_i64, rows, bytes, counter])
}

/// Deletes a part of what was made before a moment, whatever its state.
pub(super) async fn prune(link: &Link, before: UnixMicros, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM outputs WHERE tenant = 1 AND sequence IN
        (SELECT sequence FROM outputs WHERE tenant = 1 AND made_at < $1 ORDER BY made_at LIMIT $2) RETURNING receiver";
    let mut lost = BTreeMap::<String, i64>::new();
    let rows = link.rows(sql, values![before.0, limit]).await?;
    for row in &rows {
        *lost.entry(string(row, 0)?).or_default() += 1;
    }
    for (receiver, count) in lost {
        let sql = "INSERT INTO counters AS c (name, value) VALUES ($1, $2)
                   ON CONFLICT (tenant, name) DO UPDATE SET value = c.value + excluded.value";
        link.change(sql, values![text(&Counter::Lost.of(&receiver)), count]).await?;
    }
    Ok(rows.len() as u64)
}

/// Deletes what names one of some people though it is told of somebody else.
pub(super) async fn erase_mentions(link: &Link, names: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let mut found = Vec::new();
    for row in link.rows("SELECT sequence, body, error FROM outputs WHERE tenant = 1", values![]).await? {
        let (body, error) = (string(&row, 1)?, maybe(&row, 2)?);
        if names(&body) || error.as_deref().is_some_and(&names) {
            found.push(int(&row, 0)?);
        }
    }
    link.change("DELETE FROM outputs WHERE tenant = 1 AND sequence = ANY($1)", values![found])
        .await
        .map(|_| ())
}

fn read(row: &Row) -> Result<(u64, Output), StoreError> {
    let message: Message = from_text("output", &string(row, 6)?)?;
    let state = if int(row, 1)? == 1 { OutputState::Dead } else { OutputState::Waiting };
    let output = Output {
        message,
        state,
        attempts: u32::try_from(int(row, 2)?).unwrap_or(u32::MAX),
        tried_at: column::<Option<i64>>(row, 3)?.map(UnixMicros),
        next_attempt_at: UnixMicros(int(row, 4)?),
        error: maybe(row, 5)?,
    };
    Ok((uint(row, 0)?, output))
}

/// Outputs of a receiver that may be told now, and when the next is due. Of each record the oldest alone may.
pub(super) async fn due(
    link: &Link,
    receiver: &str,
    now: UnixMicros,
    limit: usize,
) -> Result<(Vec<Output>, Option<UnixMicros>), StoreError> {
    let heads =
        "SELECT min(sequence) FROM outputs WHERE tenant = 1 AND receiver = $1 AND state = 0 GROUP BY subject";
    let sql = format!(
        "SELECT {COLUMNS} FROM outputs WHERE tenant = 1 AND sequence IN ({heads}) AND next_attempt_at <= $2
         ORDER BY sequence LIMIT $3"
    );
    let mut found = Vec::new();
    for row in link.rows(&sql, values![text(receiver), now.0, signed(limit as u64)]).await? {
        found.extend(or_passed_over("output", read(&row))?.map(|(_, output)| output));
    }
    let sql = format!(
        "SELECT min(next_attempt_at) FROM outputs WHERE tenant = 1 AND sequence IN ({heads}) AND next_attempt_at > $2"
    );
    let later = link.row(&sql, values![text(receiver), now.0]).await?;
    let later = later.map(|row| column::<Option<i64>>(&row, 0)).transpose()?.flatten();
    Ok((found, later.map(UnixMicros)))
}

/// Outputs, the newest first.
pub(super) async fn page(link: &Link, query: &OutputQuery) -> Result<Vec<(u64, Output)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM outputs WHERE tenant = 1 AND ($1::bigint IS NULL OR sequence < $1)
            AND ($2::text IS NULL OR receiver = $2) AND ($3::bigint IS NULL OR state = $3)
            AND ($4::text IS NULL OR person = $4) ORDER BY sequence DESC LIMIT $5"
    );
    let state = query.state.map(|state| match state {
        OutputState::Waiting => 0_i64,
        OutputState::Dead => 1,
    });
    let values = values![
        query.before.map(signed),
        query.receiver.as_deref().map(text),
        state,
        query.person.as_ref().map(|email| text(email.as_str())),
        signed(query.limit.rows() as u64),
    ];
    let mut found = Vec::new();
    for row in link.rows(&sql, values).await? {
        found.extend(or_passed_over("output", read(&row))?);
    }
    Ok(found)
}

/// How a receiver does.
pub(super) async fn gate(link: &Link, receiver: &str) -> Result<Versioned<Gate>, StoreError> {
    let sql = "SELECT revision, body FROM receivers WHERE tenant = 1 AND name = $1";
    let Some(row) = link.row(sql, values![text(receiver)]).await? else {
        return Ok(Versioned { revision: 0, document: Gate::default() });
    };
    let document = or_passed_over("receiver", from_text("receiver", &string(&row, 1)?))?.unwrap_or_default();
    Ok(Versioned { revision: uint(&row, 0)?, document })
}

/// How many outputs each receiver has, and how each does.
pub(super) async fn totals(
    link: &Link,
    totals: &mut BTreeMap<String, OutputTotals>,
) -> Result<(), StoreError> {
    let sql = "SELECT receiver, state, count, bytes FROM output_sizes WHERE tenant = 1";
    for row in link.rows(sql, values![]).await? {
        let of = totals.entry(string(&row, 0)?).or_default();
        let (rows, bytes) = (unsigned(int(&row, 2)?), unsigned(int(&row, 3)?));
        if int(&row, 1)? == 1 {
            of.dead = rows;
        } else {
            (of.waiting, of.waiting_bytes) = (rows, bytes);
        }
    }
    for row in link.rows("SELECT name, body FROM receivers WHERE tenant = 1", values![]).await? {
        let gate = or_passed_over("receiver", from_text("receiver", &string(&row, 1)?))?;
        totals.entry(string(&row, 0)?).or_default().gate = gate.unwrap_or_default();
    }
    for (receiver, of) in totals.iter_mut().filter(|(_, of)| of.waiting > 0) {
        let sql = "SELECT made_at FROM outputs WHERE tenant = 1 AND receiver = $1 AND state = 0 ORDER BY sequence LIMIT 1";
        let oldest = link.row(sql, values![text(receiver)]).await?;
        of.oldest = oldest.map(|row| int(&row, 0).map(UnixMicros)).transpose()?;
    }
    Ok(())
}
