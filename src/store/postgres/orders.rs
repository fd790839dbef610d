//! Orders that were given on a node that does not work: rows that the one that works reads.
//!
//! They are the one thing of the state that whoever does not hold the lease writes: a row rests on nothing, and what it asks for is
//! done by a plan that is fenced as any other.

use std::time::Duration;

use tokio_postgres::Row;

use super::core::{Core, TRY_AGAIN};
use super::dial::{Purpose, within};
use super::link::{Link, Step};
use super::value::{column, int, maybe, string, text, uint, values};
use crate::clock::UnixMicros;
use crate::store::columns::int as signed;
use crate::store::{Order, OrderEnd, OrderId, OrderStands, PutOrder, StoreError};

/// Orders that may wait.
const WAITING_MAX: i64 = 1_000;
/// How long it is tried to keep an order of which it is not known whether it is kept.
const KEPT_WITHIN: Duration = Duration::from_secs(10);
/// How long what came of an order is kept for whoever asks: it may name people.
const KEPT: Duration = Duration::from_hours(1);

const COLUMNS: &str =
    "id, at, who, role, method, route, target, body, taken, done_at, status, coalesce(answer, '')";

/// Keeps an order. Acknowledged is what was written, never what was only read.
pub(super) async fn leave(core: &Core, order: Order) -> Result<OrderId, StoreError> {
    let mut mark = vec![0; 16];
    getrandom::fill(&mut mark).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let until = core.clock.monotonic() + KEPT_WITHIN;
    loop {
        core.check()?;
        let error = match within(KEPT_WITHIN / 2, try_to_leave(core, &order, &mark)).await {
            Ok(id) => return Ok(id),
            Err(error @ StoreError::Unavailable(_)) => error,
            Err(error) => return Err(error),
        };
        if core.clock.monotonic() >= until {
            return Err(error);
        }
        core.clock.sleep_until(core.clock.monotonic() + TRY_AGAIN).await;
    }
}

async fn try_to_leave(core: &Core, order: &Order, mark: &[u8]) -> Result<OrderId, StoreError> {
    let link = core.dial.connect(Purpose::Write).await?;
    let sql = "INSERT INTO orders (mark, at, who, role, method, route, target, body)
        SELECT $1::bytea, $2::bigint, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bytea
        WHERE (SELECT count(*) FROM orders WHERE tenant = 1 AND done_at IS NULL) < $9
        ON CONFLICT (tenant, mark) DO UPDATE SET mark = excluded.mark RETURNING id";
    let values = values![
        mark.to_vec(),
        order.at.0,
        text(&order.who),
        text(&order.role),
        text(&order.method),
        text(&order.route),
        text(&order.target),
        order.body.clone(),
        WAITING_MAX,
    ];
    let row = link.row(sql, values).await?.ok_or(StoreError::Overloaded)?;
    link.waited_for(0)?;
    Ok(OrderId(uint(&row, 0)?))
}

/// Orders that have not ended.
pub(super) async fn left(link: &Link, limit: usize) -> Result<Vec<(OrderId, OrderStands)>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM orders WHERE tenant = 1 AND done_at IS NULL ORDER BY id LIMIT $1");
    let rows = link.rows(&sql, values![signed(limit as u64)]).await?;
    rows.iter().map(|row| Ok((OrderId(uint(row, 0)?), stands(row)?))).collect()
}

/// How one stands.
pub(super) async fn one(link: &Link, id: OrderId) -> Result<Option<OrderStands>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE tenant = 1 AND id = $1");
    link.row(&sql, values![signed(id.0)]).await?.map(|row| stands(&row)).transpose()
}

fn stands(row: &Row) -> Result<OrderStands, StoreError> {
    let order = Order {
        at: UnixMicros(int(row, 1)?),
        who: string(row, 2)?,
        role: string(row, 3)?,
        method: string(row, 4)?,
        route: string(row, 5)?,
        target: string(row, 6)?,
        body: column(row, 7)?,
    };
    let end = match (column::<Option<i64>>(row, 9)?, column::<Option<i64>>(row, 10)?) {
        (Some(at), Some(status)) => Some(OrderEnd {
            at: UnixMicros(at),
            status: u16::try_from(status).unwrap_or_default(),
            answer: string(row, 11)?,
        }),
        (_, _) => None,
    };
    Ok(OrderStands { order, taken: column(row, 8)?, end })
}

/// Forgets an order that has ended.
pub(super) async fn forget(core: &Core, id: OrderId) -> Result<(), StoreError> {
    let link = core.dial.connect(Purpose::Write).await?;
    let sql = "DELETE FROM orders WHERE tenant = 1 AND id = $1 AND done_at IS NOT NULL";
    link.change(sql, values![signed(id.0)]).await.map(|_| ())
}

/// What is noted of an order in a plan. What was asked for names people, so it goes with the end.
pub(super) fn put(put: &PutOrder) -> Step {
    match put {
        PutOrder::Taken(id) => {
            let sql = "UPDATE orders SET taken = true WHERE tenant = 1 AND id = $1 AND NOT taken AND done_at IS NULL";
            Step::must(1, sql, values![signed(id.0)])
        }
        PutOrder::Ended(id, end) => {
            let sql = "UPDATE orders SET done_at = $2, status = $3, answer = $4, target = '', body = ''
                WHERE tenant = 1 AND id = $1 AND done_at IS NULL";
            Step::must(1, sql, values![signed(id.0), end.at.0, i64::from(end.status), text(&end.answer)])
        }
    }
}

/// Deletes orders that ended long ago.
pub(super) async fn prune(link: &Link, now: UnixMicros) -> Result<u64, StoreError> {
    link.change("DELETE FROM orders WHERE tenant = 1 AND done_at < $1", values![now.minus(KEPT).0]).await
}

/// Answers that name somebody who is erased go.
pub(super) async fn erase_mentions(link: &Link, names: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let sql = "SELECT id, answer FROM orders WHERE tenant = 1 AND done_at IS NOT NULL AND answer <> ''";
    let mut ids = Vec::new();
    for row in link.rows(sql, values![]).await? {
        if maybe(&row, 1)?.is_some_and(|answer| names(&answer)) {
            ids.push(int(&row, 0)?);
        }
    }
    let sql = "UPDATE orders SET answer = '' WHERE tenant = 1 AND id = ANY($1::bigint[])";
    link.change(sql, values![ids]).await.map(|_| ())
}
