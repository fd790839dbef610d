//! What is owed: deliveries that are due, bulk calls, destinations, totals.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::core::{Core, Reader, processed};
use super::deliveries::NEVER;
use super::link::Link;
use super::value::{column, int, maybe, string, text, texts, uint, values};
use super::{outputs, retention, slots};
use crate::clock::UnixMicros;
use crate::delivery::{Account, Bound, BulkJob, CallKind, DeliveryId, Lane, ListKey};
use crate::selectors::{Kind, List, Selectors};
use crate::store::columns::{from_text, int as signed, lane, lane_number, or_passed_over, state, subject};
use crate::store::{
    DeadLetter, Destination, Due, DueOrder, DueQuery, StoreError, Totals, Versioned, counters,
};

/// Up to so many due deliveries are sorted; of more, those that are due are looked for in order.
const SORTED_MAX: i64 = 256;
/// The kind of call of a subject: the word before its key, and of a happening the one before its code.
const KIND: &str = "CASE WHEN subject LIKE 'happening:%' THEN split_part(substr(subject, 11), '-', 1)
                         ELSE split_part(subject, ':', 1) END";
/// What may not be called though it is due.
const FREE: &str = "NOT EXISTS (SELECT 1 FROM deliveries AS f
                        WHERE f.tenant = 1 AND f.account = $1 AND f.subject = d.subject AND f.state = 1)
                    AND NOT EXISTS (SELECT 1 FROM forget_orders AS g
                        WHERE g.tenant = 1 AND g.account = $1 AND g.email = d.email AND g.email IS NOT NULL)";

/// Due deliveries of some lanes: of few, those that the index on the time finds are sorted; of many, what is owed is read in
/// order, less what is not due.
fn due_sql(many: bool, order: DueOrder) -> String {
    let (rows, lanes, states) = if many {
        ("deliveries", "lane = ($3::bigint[])[1]", "state IN (0, 1, 2) AND state <> 1")
    } else {
        ("soon", "lane = ANY($3::bigint[])", "true")
    };
    let soon = if many {
        ""
    } else {
        "WITH soon AS MATERIALIZED (SELECT * FROM deliveries
            WHERE tenant = 1 AND account = $1 AND next_attempt_at <= $2 AND state IN (0, 2)) "
    };
    let direction = match order {
        DueOrder::LongestFirst => "ASC",
        DueOrder::NewestFirst => "DESC",
    };
    format!(
        "{soon}SELECT id, subject, lane, opened_at, CASE WHEN state = 0 THEN new_contact_of END FROM {rows} AS d
         WHERE tenant = 1 AND account = $1 AND next_attempt_at <= $2 AND {lanes} AND {states}
           AND (new_contact_of IS NULL OR state <> 0 OR new_contact_of <> ALL($5::text[]))
           AND {KIND} <> ALL($6::text[]) AND {FREE}
         ORDER BY lane, opened_at {direction}, sequence {direction} LIMIT $4"
    )
}

/// Deliveries that may be tried, and when the next of the others may.
pub(super) async fn due(
    reader: &Reader,
    query: &DueQuery,
) -> Result<(Vec<Due>, Option<UnixMicros>), StoreError> {
    let DueQuery { account, now, lanes, order, held, shut, limit } = query;
    reader.snapshot().await?;
    let sql = "SELECT count(*) FROM (SELECT 1 FROM deliveries
        WHERE tenant = 1 AND account = $1 AND next_attempt_at <= $2 AND state IN (0, 2) LIMIT $3) AS d";
    let count = reader.row(sql, values![text(&account.0), now.0, SORTED_MAX + 1]).await?;
    let count = count.map(|row| int(&row, 0)).transpose()?.unwrap_or(0);
    let many = count > SORTED_MAX;
    let numbers: Vec<i64> = lanes.iter().map(|lane| lane_number(*lane)).collect();
    let parts: Vec<Vec<i64>> =
        if many { numbers.into_iter().map(|lane| vec![lane]).collect() } else { vec![numbers] };
    let sql = due_sql(many, *order);
    let held = texts(held.iter().map(ToString::to_string));
    let shut: Vec<String> = shut.iter().copied().map(kind).collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for lanes in parts.into_iter().filter(|_| count > 0) {
        let missing = signed(limit.saturating_sub(found.len()) as u64);
        let values = values![text(&account.0), now.0, lanes, missing, held.clone(), shut.clone()];
        for row in reader.rows(&sql, values).await? {
            found.extend(or_passed_over("delivery", due_row(&row))?);
        }
    }
    let sql = "SELECT min(next_attempt_at) FROM deliveries WHERE tenant = 1 AND account = $1
               AND next_attempt_at > $2 AND next_attempt_at < $3 AND state IN (0, 2)";
    let next = reader.row(sql, values![text(&account.0), now.0, NEVER]).await?;
    let next = next.map(|row| column::<Option<i64>>(&row, 0)).transpose()?.flatten();
    reader.end().await?;
    Ok((found, next.map(UnixMicros)))
}

fn kind(kind: CallKind) -> Result<String, StoreError> {
    let word = serde_json::to_value(kind).ok();
    let word = word.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned);
    word.ok_or_else(|| StoreError::Unreadable("kind", "its word".to_owned()))
}

fn due_row(row: &Row) -> Result<Due, StoreError> {
    Ok(Due {
        id: DeliveryId(string(row, 0)?),
        subject: subject(&string(row, 1)?)?,
        lane: lane(int(row, 2)?)?,
        opened_at: UnixMicros(int(row, 3)?),
        bound: maybe(row, 4)?.map(Bound::from),
    })
}

/// Places on one list that may go along in a call.
pub(super) async fn due_in_list(
    link: &Link,
    (account, list): (&Account, &ListKey),
    now: UnixMicros,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let sql = format!(
        "SELECT id, subject, lane, opened_at, NULL::text FROM deliveries AS d
         WHERE tenant = 1 AND account = $1 AND subject >= $2 AND subject < $3 AND state IN (0, 2) AND subject LIKE 'list:%'
           AND (next_attempt_at <= $4 OR (state = 0 AND next_attempt_at < $5)) AND {FREE}
         ORDER BY subject LIMIT $6"
    );
    // Behind the colon stands an address, and no address has one.
    let (from, to) = (text(&format!("list:{list}:")), text(&format!("list:{list};")));
    let values = values![text(&account.0), from, to, now.0, NEVER, signed(limit as u64)];
    let mut found = Vec::new();
    for row in link.rows(&sql, values).await? {
        let due = or_passed_over("delivery", due_row(&row))?;
        found.extend(due.filter(|due| due.subject.member().is_some_and(|key| key.list == *list)));
    }
    Ok(found)
}

/// Calls on their way that withdrawals of their contacts wait for.
pub(super) async fn held_withdrawals(
    link: &Link,
    account: &Account,
) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let sql = "SELECT id FROM deliveries AS f WHERE tenant = 1 AND account = $1 AND state = 1
        AND EXISTS (SELECT 1 FROM deliveries AS d WHERE d.tenant = 1 AND d.subject = f.subject AND d.account = $1
                    AND d.lane = $2 AND d.state IN (0, 2))";
    let rows = link.rows(sql, values![text(&account.0), lane_number(Lane::Withdrawal)]).await?;
    rows.iter().map(|row| string(row, 0).map(DeliveryId)).collect()
}

/// The lists of an account. What another version wrote and this one can't read is asked for again.
pub(super) async fn selectors(link: &Link, account: &Account) -> Result<Selectors, StoreError> {
    let sql = "SELECT kind, body FROM selectors WHERE tenant = 1 AND account = $1";
    let mut selectors = Selectors::default();
    for row in link.rows(sql, values![text(&account.0)]).await? {
        let (kind, body) = (string(&row, 0)?, string(&row, 1)?);
        if let (Some(kind), Ok(list)) = (Kind::named(&kind), from_text::<List>("selectors", &body)) {
            selectors.learn(kind, list.asked_at, list.answer);
        }
    }
    Ok(selectors)
}

/// Bulk calls whose jobs have not ended.
pub(super) async fn bulk_jobs(link: &Link, account: &Account) -> Result<Vec<BulkJob>, StoreError> {
    let sql = "SELECT body FROM bulk_jobs WHERE tenant = 1 AND account = $1 ORDER BY id";
    let rows = link.rows(sql, values![text(&account.0)]).await?;
    rows.iter().map(|row| from_text("bulk job", &string(row, 0)?)).collect()
}

/// Dead letters of an account after a place, oldest first.
pub(super) async fn dead_letters(
    link: &Link,
    account: &Account,
    after: u64,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let sql = "SELECT sequence, subject FROM deliveries
               WHERE tenant = 1 AND state = 5 AND sequence > $1 AND account = $2 ORDER BY sequence LIMIT $3";
    let mut found = Vec::new();
    for row in link.rows(sql, values![signed(after), text(&account.0), signed(limit as u64)]).await? {
        let place = uint(&row, 0)?;
        let letter = subject(&string(&row, 1)?).map(|subject| DeadLetter { place, subject });
        found.extend(or_passed_over("dead letter", letter)?);
    }
    Ok(found)
}

/// How the destinations of all accounts stand.
pub(super) async fn destinations(
    link: &Link,
) -> Result<BTreeMap<Account, Versioned<Destination>>, StoreError> {
    let mut found = BTreeMap::new();
    let sql = "SELECT account, revision, body FROM destinations WHERE tenant = 1";
    for row in link.rows(sql, values![]).await? {
        let read = from_text("destination", &string(&row, 2)?);
        if let Some(document) = or_passed_over("destination", read)? {
            found.insert(Account(string(&row, 0)?), Versioned { revision: uint(&row, 1)?, document });
        }
    }
    Ok(found)
}

async fn count(link: &Link, sql: &str, values: Vec<super::value::Value>) -> Result<u64, StoreError> {
    Ok(link.row(sql, values).await?.map(|row| uint(&row, 0)).transpose()?.unwrap_or(0))
}

/// The counters and what is owed, one snapshot.
pub(super) async fn totals(reader: &Reader, core: &Core, account: &Account) -> Result<Totals, StoreError> {
    reader.snapshot().await?;
    let mut totals = Totals { processed: processed(reader).await?.events, ..Totals::default() };
    totals.accepted = count(reader, "SELECT last FROM heads WHERE tenant = 1", values![]).await?;
    for row in reader.rows("SELECT name, value FROM counters WHERE tenant = 1", values![]).await? {
        or_passed_over("counter", counters::read(&string(&row, 0)?, uint(&row, 1)?, &mut totals))?;
    }
    counters::tidy(&mut totals);
    open(reader, account, &mut totals).await?;
    let sql = "SELECT held, count FROM held_deals WHERE tenant = 1 AND account = $1 AND count > 0";
    for row in reader.rows(sql, values![text(&account.0)]).await? {
        totals.held_deals.insert(string(&row, 0)?, uint(&row, 1)?);
    }
    let sql =
        "SELECT state, held, count FROM counted_happenings WHERE tenant = 1 AND account = $1 AND count > 0";
    for row in reader.rows(sql, values![text(&account.0)]).await? {
        let (state, held, count) = (string(&row, 0)?, string(&row, 1)?, uint(&row, 2)?);
        *totals.happenings.entry(state).or_default() += count;
        if !held.is_empty() {
            *totals.held_happenings.entry(held).or_default() += count;
        }
    }
    let sql = "SELECT (SELECT count(*) FROM deliveries WHERE tenant = 1 AND account = $1 AND next_attempt_at = $2 AND state IN (0, 2))
                    + (SELECT count(*) FROM deliveries WHERE tenant = 1 AND account = $1 AND next_attempt_at = $2 AND state = 1)";
    totals.set_aside = count(reader, sql, values![text(&account.0), NEVER]).await?;
    totals.failed = count(reader, "SELECT count(*) FROM failed WHERE tenant = 1", values![]).await?;
    outputs::totals(reader, &mut totals.outputs).await?;
    totals.trail_since = retention::trail_since(reader).await?;
    totals.slots = slots::taken(reader, core, account, core.now()).await?;
    let walk = "SELECT body FROM walks WHERE tenant = 1 AND name = $1";
    // What is owed and how calls stand is told, and calls are made, without them.
    if let Some(row) = reader.row(walk, values!["review".to_owned()]).await? {
        totals.review = or_passed_over("review", from_text("review", &string(&row, 0)?))?;
    }
    if let Some(row) = reader.row(walk, values!["redrive".to_owned()]).await? {
        totals.redrive = or_passed_over("redrive", from_text("redrive", &string(&row, 0)?))?;
    }
    let sql = "SELECT body FROM destinations WHERE tenant = 1 AND account = $1";
    if let Some(row) = reader.row(sql, values![text(&account.0)]).await? {
        totals.destination = from_text("destination", &string(&row, 0)?)?;
    }
    reader.end().await?;
    Ok(totals)
}

async fn open(link: &Link, account: &Account, totals: &mut Totals) -> Result<(), StoreError> {
    let sql = "SELECT account, lane, state, alone, new_contact_of, count FROM open_deliveries
               WHERE tenant = 1 AND count > 0";
    for row in link.rows(sql, values![]).await? {
        let open = counters::Open {
            account: Account(string(&row, 0)?),
            lane: lane(int(&row, 1)?)?,
            state: state(int(&row, 2)?)?,
            alone: int(&row, 3)?,
            bound: string(&row, 4)?,
            count: uint(&row, 5)?,
        };
        open.add_to(account, totals);
    }
    let sql = "SELECT opened_at FROM deliveries
               WHERE tenant = 1 AND account = $1 AND lane = $2 AND state IN (0, 1, 2) ORDER BY opened_at LIMIT 1";
    for (lane, owed) in &mut totals.owed {
        let oldest = link.row(sql, values![text(&account.0), lane_number(*lane)]).await?;
        owed.oldest = oldest.map(|row| int(&row, 0).map(UnixMicros)).transpose()?;
    }
    Ok(())
}
