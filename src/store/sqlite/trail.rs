//! The trail of events and the deliveries, as the debugger asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rusqlite::{Connection, Row, ToSql, named_params};

use super::columns::{from_text, int, state, state_number, subject, to_text, uint};
use super::retention;
use crate::clock::UnixMicros;
use crate::decision::Outcome;
use crate::delivery::{Account, Delivery, DeliveryId, State};
use crate::event::{Email, SourceName};
use crate::store::bodies;
use crate::store::{DeliveryQuery, DeliveryStands, DeliverySummary, EventQuery, Sought, StoreError};
use crate::trail::{EventTrail, Worth};

const COLUMNS: &str =
    "position, message_id, source, person, email, outcome, duplicates, received_at, body, worth";

/// Writes the trail of an event.
pub(super) fn put(connection: &Connection, event: &EventTrail) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO events
                (position, message_id, source, name, person, email, outcome, duplicates, received_at, worth, body)
             VALUES (:position, :message_id, :source, :name, :person, :email, :outcome, :duplicates,
                :received_at, :worth, :body)",
        )?
        .execute(named_params! {
            ":position": int(event.position.0),
            ":message_id": event.message_id,
            ":source": event.source.0,
            ":name": event.event.to_lowercase(),
            ":person": event.person,
            ":email": event.email.as_ref().map(Email::as_str),
            ":outcome": event.outcome.as_str(),
            ":duplicates": int(event.duplicates),
            ":received_at": event.received_at.0,
            ":worth": retention::number(event.worth),
            ":body": bodies::of_trail(event)?,
        })?;
    Ok(())
}

fn trail(row: &Row<'_>) -> Result<EventTrail, StoreError> {
    let columns = bodies::TrailColumns {
        position: uint(row.get(0)?),
        message_id: row.get(1)?,
        source: row.get(2)?,
        person: row.get(3)?,
        email: row.get(4)?,
        outcome: row.get(5)?,
        duplicates: uint(row.get(6)?),
        received_at: row.get(7)?,
        worth: row.get(9)?,
    };
    columns.with(row.get_ref(8)?.as_str().map_err(rusqlite::Error::from)?)
}

/// Conditions of a look-up and their values, in the same order.
#[derive(Default)]
struct Filter {
    conditions: Vec<&'static str>,
    values: Vec<Box<dyn ToSql>>,
}

impl Filter {
    fn with<T: ToSql + 'static>(mut self, condition: &'static str, value: Option<T>) -> Self {
        if let Some(value) = value {
            self.conditions.push(condition);
            self.values.push(Box::new(value));
        }
        self
    }

    /// A text in an event, or somebody who is called so.
    fn with_text(mut self, sought: Option<Sought>) -> Result<Self, StoreError> {
        let Some(Sought { text, people, emails }) = sought else { return Ok(self) };
        if people.is_empty() {
            return Ok(self.with(HAS_TEXT, Some(text)));
        }
        self.conditions.push(HAS_TEXT_OR_NAME);
        let names = [to_text("people", &people)?, to_text("addresses", &emails)?];
        self.values.push(Box::new(text));
        self.values.extend(names.map(|names| Box::new(names) as Box<dyn ToSql>));
        Ok(self)
    }

    /// A condition that holds a moment once for each worth of an event.
    fn with_moment(mut self, condition: &'static str, moment: Option<UnixMicros>) -> Self {
        if let Some(moment) = moment {
            self.conditions.push(condition);
            self.values.extend(Worth::ALL.map(|_| Box::new(moment.0) as Box<dyn ToSql>));
        }
        self
    }

    /// Rows of a table under the conditions, the largest of `order` first.
    fn rows<T>(
        &self,
        connection: &Connection,
        (columns, table, order): (&str, &str, &str),
        limit: usize,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let conditions =
            if self.conditions.is_empty() { "1".to_owned() } else { self.conditions.join(" AND ") };
        let sql =
            format!("SELECT {columns} FROM {table} WHERE {conditions} ORDER BY {order} DESC LIMIT {limit}");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(&self.values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

/// Where in the trail a time begins and ends. Requests that arrive together may be stored in another order than they
/// were received in, so the neighbourhood belongs to it; `received_at` decides exactly.
const NOT_BEFORE: &str = "position >= (SELECT coalesce(min(position), 9223372036854775807) FROM (
    SELECT * FROM (SELECT position FROM events WHERE worth = 0 AND received_at >= ? ORDER BY received_at LIMIT 1000) UNION ALL
    SELECT * FROM (SELECT position FROM events WHERE worth = 1 AND received_at >= ? ORDER BY received_at LIMIT 1000) UNION ALL
    SELECT * FROM (SELECT position FROM events WHERE worth = 2 AND received_at >= ? ORDER BY received_at LIMIT 1000)))";
const NOT_AFTER: &str = "position <= (SELECT coalesce(max(position), -1) FROM (
    SELECT * FROM (SELECT position FROM events WHERE worth = 0 AND received_at <= ? ORDER BY received_at DESC LIMIT 1000) UNION ALL
    SELECT * FROM (SELECT position FROM events WHERE worth = 1 AND received_at <= ? ORDER BY received_at DESC LIMIT 1000) UNION ALL
    SELECT * FROM (SELECT position FROM events WHERE worth = 2 AND received_at <= ? ORDER BY received_at DESC LIMIT 1000)))";

/// Events, newest first. Those of a contact, a person, a name, an outcome or a time are found; for a text, a source, or a name with
/// an outcome the trail is walked back until enough fit ([`EventQuery::walks`]).
pub(super) fn events(connection: &Connection, query: EventQuery) -> Result<Vec<EventTrail>, StoreError> {
    if query.outcomes.len() < 2 {
        return of_outcome(connection, query);
    }
    // Each has its own place in the index: as many of each are read as may be answered.
    let snapshot = connection.unchecked_transaction()?;
    let (rows, mut found) = (query.limit.rows(), Vec::new());
    for outcome in &query.outcomes {
        found.extend(of_outcome(&snapshot, EventQuery { outcomes: vec![*outcome], ..query.clone() })?);
    }
    found.sort_by_key(|trail| std::cmp::Reverse(trail.position));
    found.dedup_by_key(|trail| trail.position);
    found.truncate(rows);
    Ok(found)
}

/// Where a text may stand in an event: its name, its message id, whose it is, its page.
macro_rules! has_text {
    () => {
        "instr(lower(name || ' ' || message_id || ' ' || coalesce(email, '') || ' ' || coalesce(person, '') || ' '
            || coalesce(iif(json_valid(body), body ->> '$.page', ''), '')), ?) > 0"
    };
}
const HAS_TEXT: &str = has_text!();
/// The same, or it is of one of these.
const HAS_TEXT_OR_NAME: &str = concat!(
    "(",
    has_text!(),
    " OR person IN (SELECT value FROM json_each(?)) OR email IN (SELECT value FROM json_each(?)))"
);

/// Events with one outcome or with any.
fn of_outcome(connection: &Connection, query: EventQuery) -> Result<Vec<EventTrail>, StoreError> {
    // Of one person or contact there are few: they are found, and the rest is looked at.
    let of_somebody = query.email.is_some() || query.person.is_some();
    let by = |looked_at: &'static str, found: &'static str| if of_somebody { looked_at } else { found };
    Filter::default()
        .with("position > ?", query.after.map(|position| int(position.0)))
        .with_text(query.text)?
        .with("position < ?", query.before.map(|position| int(position.0)))
        .with("email = ?", query.email.map(|email| email.as_str().to_owned()))
        .with("person = ?", query.person)
        .with(by("+name = ?", "name = ?"), query.event.map(|name| name.to_lowercase()))
        .with(by("+outcome = ?", "outcome = ?"), query.outcomes.first().copied().map(Outcome::as_str))
        .with("source = ?", query.source.map(|source| source.0))
        .with_moment(NOT_BEFORE, query.since)
        .with("received_at >= ?", query.since.map(|since| since.0))
        .with_moment(NOT_AFTER, query.until)
        .with("received_at <= ?", query.until.map(|until| until.0))
        .rows(connection, (COLUMNS, "events", "position"), query.limit.rows(), trail)
}

/// The first event with a message id.
pub(super) fn event(
    connection: &Connection,
    message_id: &str,
    source: Option<&SourceName>,
) -> Result<Option<EventTrail>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE message_id = ?1 AND (?2 IS NULL OR source = ?2)
         ORDER BY position LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((message_id, source.map(|source| &source.0)))?;
    rows.next()?.map(trail).transpose()
}

/// Deliveries, newest first.
pub(super) fn deliveries(
    connection: &Connection,
    query: DeliveryQuery,
) -> Result<Vec<DeliverySummary>, StoreError> {
    Filter::default()
        .with("sequence < ?", query.before.map(int))
        .with("email = ?", query.email.map(|email| email.as_str().to_owned()))
        .with("subject = ?", query.subject.map(|subject| subject.to_string()))
        .with("state = ?", query.state.map(state_number))
        .with("account = ?", query.account.map(|account| account.0))
        .with("instr(lower(body ->> '$.reason'), ?) > 0", query.reason.map(|words| words.to_lowercase()))
        .rows(connection, ("sequence, body", "deliveries", "sequence"), query.limit.rows(), |row| {
            Ok(DeliverySummary {
                sequence: uint(row.get(0)?),
                delivery: from_text("delivery", row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
            })
        })
}

/// One delivery.
pub(super) fn delivery(connection: &Connection, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT body FROM deliveries WHERE id = ?1")?;
    let mut rows = statement.query([&id.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    from_text("delivery", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?).map(Some)
}

/// How deliveries stand, in one look-up. Of their bodies, which may be large, the reason alone is taken.
pub(super) fn stands(
    connection: &Connection,
    ids: &BTreeSet<DeliveryId>,
) -> Result<BTreeMap<DeliveryId, DeliveryStands>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, state, ended_at, next_attempt_at, body ->> '$.reason', account, subject FROM deliveries
         WHERE id IN (SELECT value FROM json_each(?1))",
    )?;
    let mut rows = statement.query([to_text("ids", ids)?])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let ended_at: Option<i64> = row.get(2)?;
        let (state, next) = (state(row.get(1)?)?, UnixMicros(row.get(3)?));
        let account = Account(row.get(5)?);
        let subject = subject(row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?)?;
        let stands =
            DeliveryStands::new(account, subject, state, row.get(4)?, ended_at.map(UnixMicros), next);
        found.insert(DeliveryId(row.get(0)?), stands);
    }
    Ok(found)
}

/// How long deliveries took that were delivered lately, the latest first.
pub(super) fn delivered_since(
    connection: &Connection,
    account: &Account,
    since: UnixMicros,
    limit: usize,
) -> Result<Vec<Duration>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT opened_at, ended_at FROM deliveries INDEXED BY deliveries_by_end
         WHERE state IN (3, 4, 6, 7) AND state = ?1 AND account = ?2 AND ended_at > ?3
         ORDER BY ended_at DESC LIMIT ?4",
    )?;
    let parameters = (state_number(State::Delivered), &account.0, since.0, int(limit as u64));
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(UnixMicros(row.get(1)?).since(UnixMicros(row.get(0)?)));
    }
    Ok(found)
}
