//! The trail of events and the deliveries, as the debugger asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio_postgres::Row;

use super::core::Reader;
use super::link::Link;
use super::value::{Value, column, int, maybe, string, text, texts, uint, values};
use crate::cause::{Alert, Cause};
use crate::clock::UnixMicros;
use crate::decision::Outcome;
use crate::delivery::{Account, Delivery, DeliveryId, State};
use crate::event::{Email, Position, SourceName};
use crate::store::columns::{from_text, int as signed, or_passed_over, state, state_number, subject};
use crate::store::{
    DeliveryQuery, DeliveryStands, DeliverySummary, EventQuery, Failed, Sought, StoreError, bodies,
};
use crate::trail::{Act, ActKind, EventTrail, Look, Said, Span, Tallied};

const COLUMNS: &str =
    "position, message_id, source, person, email, outcome, duplicates, received_at, body, worth";

fn trail(row: &Row) -> Result<EventTrail, StoreError> {
    let columns = bodies::TrailColumns {
        position: uint(row, 0)?,
        message_id: string(row, 1)?,
        source: string(row, 2)?,
        person: maybe(row, 3)?,
        email: maybe(row, 4)?,
        outcome: string(row, 5)?,
        duplicates: uint(row, 6)?,
        received_at: int(row, 7)?,
        worth: int(row, 9)?,
    };
    columns.with(&string(row, 8)?)
}

/// Conditions of a look-up and their values, in the same order. `?` in a condition stands for its value.
pub(super) struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Filter {
    pub(super) fn new() -> Self {
        Self { conditions: vec!["tenant = 1".to_owned()], values: Vec::new() }
    }

    pub(super) fn with<T>(mut self, condition: &str, value: Option<T>) -> Self
    where
        T: tokio_postgres::types::ToSql + Sync + Send + 'static,
    {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            self.conditions.push(condition.replace('?', &format!("${}", self.values.len())));
        }
        self
    }

    /// A text in an event, or somebody who is called so.
    fn with_text(mut self, sought: Option<Sought>) -> Self {
        let Some(Sought { text: words, people, emails }) = sought else { return self };
        if people.is_empty() {
            return self.with(HAS_TEXT, Some(text(&words)));
        }
        self.values.push(Box::new(text(&words)));
        let nth = self.values.len();
        self.values.push(Box::new(texts(&people)));
        self.values.push(Box::new(texts(emails.iter().map(Email::as_str))));
        let has_text = HAS_TEXT.replace('?', &format!("${nth}"));
        let condition = format!("({has_text} OR person = ANY(${}) OR email = ANY(${}))", nth + 1, nth + 2);
        self.conditions.push(condition);
        self
    }

    /// Rows of a table under the conditions, the largest of `order` first.
    pub(super) async fn rows(
        self,
        link: &Link,
        (columns, table, order): (&str, &str, &str),
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let conditions = self.conditions.join(" AND ");
        let sql =
            format!("SELECT {columns} FROM {table} WHERE {conditions} ORDER BY {order} DESC LIMIT {limit}");
        link.rows(&sql, self.values).await
    }
}

/// Where in the trail a time begins and ends. Requests that arrive together may be stored in another order than they
/// were received in, so the neighbourhood belongs to it; `received_at` decides exactly.
const NOT_BEFORE: &str = "position >= (SELECT coalesce(min(n.position), 9223372036854775807)
    FROM (VALUES (0), (1), (2)) AS w(worth) CROSS JOIN LATERAL (SELECT position FROM events AS e
        WHERE e.tenant = 1 AND e.worth = w.worth AND e.received_at >= ? ORDER BY e.received_at LIMIT 1000) AS n)";
const NOT_AFTER: &str = "position <= (SELECT coalesce(max(n.position), -1)
    FROM (VALUES (0), (1), (2)) AS w(worth) CROSS JOIN LATERAL (SELECT position FROM events AS e
        WHERE e.tenant = 1 AND e.worth = w.worth AND e.received_at <= ? ORDER BY e.received_at DESC LIMIT 1000) AS n)";
/// Where a text may stand in an event: its name, its message id, whose it is, its page.
const HAS_TEXT: &str =
    "strpos(lower(name || ' ' || message_id || ' ' || coalesce(email, '') || ' ' || coalesce(person, '')
    || ' ' || coalesce(page, '')), ?) > 0";

/// Events, newest first.
pub(super) async fn events(reader: &Reader, query: EventQuery) -> Result<Vec<EventTrail>, StoreError> {
    if query.outcomes.len() < 2 {
        return of_outcome(reader, query).await;
    }
    // Each has its own place in the index: as many of each are read as may be answered.
    reader.snapshot().await?;
    let (rows, mut found) = (query.limit.rows(), Vec::new());
    for outcome in &query.outcomes {
        found.extend(of_outcome(reader, EventQuery { outcomes: vec![*outcome], ..query.clone() }).await?);
    }
    reader.end().await?;
    found.sort_by_key(|trail| std::cmp::Reverse(trail.position));
    found.dedup_by_key(|trail| trail.position);
    found.truncate(rows);
    Ok(found)
}

/// Events with one outcome or with any.
async fn of_outcome(link: &Link, query: EventQuery) -> Result<Vec<EventTrail>, StoreError> {
    let begins = "left(person, 300) = left(?, 300) AND person = ?";
    let named = "left(name, 300) = left(?, 300) AND name = ?";
    let rows = Filter::new()
        .with("position > ?", query.after.map(|position| signed(position.0)))
        .with_text(query.text)
        .with("position < ?", query.before.map(|position| signed(position.0)))
        .with("email = ?", query.email.map(|email| text(email.as_str())))
        .with(begins, query.person.map(|person| text(&person)))
        .with(named, query.event.map(|name| text(&name.to_lowercase())))
        .with("outcome = ?", query.outcomes.first().copied().map(|outcome| outcome.as_str().to_owned()))
        .with("source = ?", query.source.map(|source| text(&source.0)))
        .with(NOT_BEFORE, query.since.map(|since| since.0))
        .with("received_at >= ?", query.since.map(|since| since.0))
        .with(NOT_AFTER, query.until.map(|until| until.0))
        .with("received_at <= ?", query.until.map(|until| until.0))
        .rows(link, (COLUMNS, "events", "position"), query.limit.rows())
        .await?;
    rows.iter().map(trail).collect()
}

/// The first event with a message id.
pub(super) async fn event(
    link: &Link,
    message_id: &str,
    source: Option<&SourceName>,
) -> Result<Option<EventTrail>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE tenant = 1 AND message_id = $1 AND ($2::text IS NULL OR source = $2)
         ORDER BY position LIMIT 1"
    );
    let row = link.row(&sql, values![text(message_id), source.map(|source| text(&source.0))]).await?;
    row.as_ref().map(trail).transpose()
}

/// Events after a position that were put aside, oldest first.
pub(super) async fn failed(link: &Link, after: Position, limit: usize) -> Result<Vec<Failed>, StoreError> {
    let sql =
        "SELECT position, body FROM failed WHERE tenant = 1 AND position > $1 ORDER BY position LIMIT $2";
    let rows = link.rows(sql, values![signed(after.0), signed(limit as u64)]).await?;
    rows.iter().map(|row| bodies::failed(Position(uint(row, 0)?), &column::<Vec<u8>>(row, 1)?)).collect()
}

/// Deliveries, newest first.
pub(super) async fn deliveries(
    link: &Link,
    query: DeliveryQuery,
) -> Result<Vec<DeliverySummary>, StoreError> {
    let rows = Filter::new()
        .with("sequence < ?", query.before.map(signed))
        .with("email = ?", query.email.map(|email| text(email.as_str())))
        .with("subject = ?", query.subject.map(|subject| text(&subject.to_string())))
        .with("state = ?", query.state.map(state_number))
        .with("account = ?", query.account.map(|account| text(&account.0)))
        .with("strpos(lower(reason), ?) > 0", query.reason.map(|words| text(&words.to_lowercase())))
        .rows(link, ("sequence, body", "deliveries", "sequence"), query.limit.rows())
        .await?;
    let summary = |row: &Row| {
        Ok(DeliverySummary { sequence: uint(row, 0)?, delivery: from_text("delivery", &string(row, 1)?)? })
    };
    rows.iter().map(summary).collect()
}

/// One delivery.
pub(super) async fn delivery(link: &Link, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let row =
        link.row("SELECT body FROM deliveries WHERE tenant = 1 AND id = $1", values![text(&id.0)]).await?;
    row.map(|row| from_text("delivery", &string(&row, 0)?)).transpose()
}

/// How deliveries stand, in one look-up.
pub(super) async fn stands(
    link: &Link,
    ids: &BTreeSet<DeliveryId>,
) -> Result<BTreeMap<DeliveryId, DeliveryStands>, StoreError> {
    let sql = "SELECT id, state, ended_at, next_attempt_at, reason, account, subject FROM deliveries
               WHERE tenant = 1 AND id = ANY($1)";
    let mut found = BTreeMap::new();
    for row in link.rows(sql, values![texts(ids.iter().map(|id| &id.0))]).await? {
        let ended_at: Option<i64> = column(&row, 2)?;
        let (state, next) = (state(int(&row, 1)?)?, UnixMicros(int(&row, 3)?));
        let (account, subject) = (Account(string(&row, 5)?), subject(&string(&row, 6)?)?);
        let stands =
            DeliveryStands::new(account, subject, state, maybe(&row, 4)?, ended_at.map(UnixMicros), next);
        found.insert(DeliveryId(string(&row, 0)?), stands);
    }
    Ok(found)
}

/// How long deliveries took that were delivered lately, the latest first.
pub(super) async fn delivered_since(
    link: &Link,
    account: &Account,
    since: UnixMicros,
    limit: usize,
) -> Result<Vec<Duration>, StoreError> {
    let sql = "SELECT opened_at, ended_at FROM deliveries
        WHERE tenant = 1 AND state IN (3, 4, 6, 7) AND state = $1 AND account = $2 AND ended_at > $3
        ORDER BY ended_at DESC LIMIT $4";
    let values = values![state_number(State::Delivered), text(&account.0), since.0, signed(limit as u64)];
    let rows = link.rows(sql, values).await?;
    rows.iter().map(|row| Ok(UnixMicros(int(row, 1)?).since(UnixMicros(int(row, 0)?)))).collect()
}

/// What was counted from a half hour on and before another.
pub(super) async fn tallies(link: &Link, from: Span, to: Span) -> Result<Vec<(Tallied, u64)>, StoreError> {
    let sql = "SELECT kind, source, name, beside, word, sum(count)::bigint FROM tallies
        WHERE tenant = 1 AND span >= $1 AND span < $2 GROUP BY kind, source, name, beside, word";
    let mut found = Vec::new();
    for row in link.rows(sql, values![from.0, to.0]).await? {
        // What another version counted is none of this one's.
        let read = or_passed_over("tally", tallied(&row))?;
        if let Some(tallied) = read {
            found.push((tallied, uint(&row, 5)?));
        }
    }
    Ok(found)
}

fn tallied(row: &Row) -> Result<Tallied, StoreError> {
    let (kind, word) = (int(row, 0)?, string(row, 4)?);
    let unknown = || StoreError::Unreadable("tally", format!("{kind} {word}"));
    let (source, name) = (SourceName(string(row, 1)?), string(row, 2)?);
    match kind {
        1 => Ok(Tallied::Event(source, name, Outcome::parse(&word).ok_or_else(unknown)?)),
        2 => {
            let said = Said::ALL.into_iter().find(|said| said.as_str() == word).ok_or_else(unknown)?;
            Ok(Tallied::Consent(source, name, string(row, 3)?, said))
        }
        3 => Ok(Tallied::Ended(state(word.parse().map_err(|_| unknown())?)?)),
        _ => Err(unknown()),
    }
}

/// The reasons with the most dead letters of an account, those first.
pub(super) async fn refusals(
    link: &Link,
    account: &Account,
    limit: usize,
) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = "SELECT reason, count FROM refusals WHERE tenant = 1 AND account = $1 AND count > 0
               ORDER BY count DESC LIMIT $2";
    let rows = link.rows(sql, values![text(&account.0), signed(limit as u64)]).await?;
    rows.iter().map(|row| Ok((string(row, 0)?, uint(row, 1)?))).collect()
}

/// The latest acts, the last one first. Those of kinds that this version does not know are left out.
pub(super) async fn acts(link: &Link, limit: usize) -> Result<Vec<Act>, StoreError> {
    let sql = "SELECT at, kind, who, about FROM acts WHERE tenant = 1 ORDER BY place DESC LIMIT $1";
    let mut found = Vec::new();
    for row in link.rows(sql, values![signed(limit as u64)]).await? {
        if let Some(kind) = ActKind::parse(&string(&row, 1)?) {
            found.push(Act {
                at: UnixMicros(int(&row, 0)?),
                kind,
                who: string(&row, 2)?,
                about: string(&row, 3)?,
            });
        }
    }
    Ok(found)
}

/// The latest looks, of anybody or at one, the last one first.
pub(super) async fn looks(link: &Link, whom: Option<String>, limit: usize) -> Result<Vec<Look>, StoreError> {
    let filter = Filter::new().with("whom = ?", whom.map(|whom| text(&whom)));
    let rows = filter.rows(link, ("at, who, route, whom", "looks", "place"), limit).await?;
    rows.iter()
        .map(|row| {
            let (who, route, whom) = (string(row, 1)?, string(row, 2)?, string(row, 3)?);
            Ok(Look { at: UnixMicros(int(row, 0)?), who, route, whom })
        })
        .collect()
}

/// All alerts that this version knows the cause of.
pub(super) async fn alerts(link: &Link) -> Result<Vec<Alert>, StoreError> {
    let mut found = Vec::new();
    for row in link.rows("SELECT cause, body FROM alerts WHERE tenant = 1", values![]).await? {
        if Cause::parse(&string(&row, 0)?).is_some() {
            found.extend(or_passed_over("alert", from_text("alert", &string(&row, 1)?))?);
        }
    }
    Ok(found)
}
