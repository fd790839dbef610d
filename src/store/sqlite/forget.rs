//! Orders to forget contacts in the CRM, and how they ended.
//!
//! Must not decide what follows an answer: that is the order's.

use rusqlite::{Connection, OptionalExtension, Row};

use super::columns::{from_text, int, or_passed_over, to_text, uint};
use super::state;
use crate::clock::UnixMicros;
use crate::delivery::{Account, DeliveryId};
use crate::erasure::{AfterAnswer, CallEnd, ForgetEnd, ForgetId, ForgetOrder, Forgetting};
use crate::event::Email;
use crate::store::StoreError;

/// The step of the schema that knows contacts by their address while they are looked up.
pub(super) const STEP: &str = "
    -- Contacts that the CRM is to forget; the address is there only while it is looked up.
    CREATE TABLE forget_orders (
        erasure INTEGER NOT NULL,
        nth INTEGER NOT NULL,
        account TEXT NOT NULL,
        email TEXT,
        behind TEXT,
        next_attempt_at INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (erasure, nth)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX forget_orders_due ON forget_orders (account, next_attempt_at) WHERE behind IS NULL;
    CREATE INDEX forget_orders_by_email ON forget_orders (account, email) WHERE email IS NOT NULL;
    CREATE INDEX forget_orders_behind ON forget_orders (behind) WHERE behind IS NOT NULL;
    -- How those ended that have, by erasure.
    CREATE TABLE forget_ends (
        erasure INTEGER NOT NULL,
        name TEXT NOT NULL,
        contacts INTEGER NOT NULL,
        PRIMARY KEY (erasure, name)
    ) STRICT, WITHOUT ROWID;
    -- Which erasure the orders of before were part of is not known.
    INSERT INTO forget_orders
        SELECT 0, nth, account, NULL, NULL, next_attempt_at, json_object(
            'id', json_object('erasure', 0, 'nth', nth),
            'account', account,
            'target', json_object('contact', json_array(contact_id, json_array())),
            'may_exist', json('true'),
            'next_attempt_at', next_attempt_at,
            'failures', attempts,
            'misses', 0)
        FROM (SELECT *, row_number() OVER (ORDER BY account, contact_id) AS nth FROM forgets);
    DROP TABLE forgets;
";

/// Writes an order.
pub(super) fn put(connection: &Connection, order: &ForgetOrder) -> Result<(), StoreError> {
    let sql =
        "INSERT OR REPLACE INTO forget_orders (erasure, nth, account, email, behind, next_attempt_at, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = (
        int(order.id.erasure),
        int(order.id.nth),
        &order.account.0,
        order.address().map(Email::as_str),
        order.behind.as_ref().map(|delivery| &delivery.0),
        order.next_attempt_at.0,
        to_text("order to forget", order)?,
    );
    state::change(connection, sql, values).map(|_| ())
}

/// An order has ended: it goes, and is counted.
pub(super) fn end(connection: &Connection, id: ForgetId, end: ForgetEnd) -> Result<(), StoreError> {
    let gone = "DELETE FROM forget_orders WHERE erasure = ?1 AND nth = ?2";
    if state::change(connection, gone, (int(id.erasure), int(id.nth)))? == 0 {
        return Ok(());
    }
    let counted =
        "INSERT INTO forget_ends VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET contacts = contacts + 1";
    state::change(connection, counted, (int(id.erasure), end.as_str())).map(|_| ())
}

/// The call has ended that orders may wait for.
pub(super) fn call_ended(
    connection: &Connection,
    delivery: &DeliveryId,
    ended: CallEnd,
) -> Result<(), StoreError> {
    let waiting = orders(
        connection,
        "SELECT body FROM forget_orders INDEXED BY forget_orders_behind WHERE behind = ?1",
        [&delivery.0],
    )?;
    for order in waiting {
        let id = order.id;
        match order.after_call(ended) {
            AfterAnswer::Open(order) => put(connection, &order)?,
            AfterAnswer::Ended(how) => end(connection, id, how)?,
        }
    }
    Ok(())
}

/// The order to carry on with now, if one is due, and else when one is.
pub(super) fn due(
    connection: &Connection,
    account: &Account,
    now: UnixMicros,
) -> Result<(Option<ForgetOrder>, Option<UnixMicros>), StoreError> {
    let sql = "SELECT body FROM forget_orders INDEXED BY forget_orders_due
               WHERE account = ?1 AND behind IS NULL ORDER BY next_attempt_at";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([&account.0])?;
    let mut next = None;
    while let Some(row) = rows.next()?.filter(|_| next.is_none()) {
        next = or_passed_over("order to forget", read(row)?)?;
    }
    Ok(match next {
        Some(order) if order.next_attempt_at <= now => (Some(order), None),
        Some(order) => (None, Some(order.next_attempt_at)),
        None => (None, None),
    })
}

/// Orders that hold an address.
pub(super) fn look_ups(connection: &Connection) -> Result<Vec<ForgetOrder>, StoreError> {
    orders(connection, "SELECT body FROM forget_orders WHERE email IS NOT NULL", [])
}

/// How far an erasure is in the CRM.
pub(super) fn forgetting(connection: &Connection, erasure: u64) -> Result<Forgetting, StoreError> {
    let count = |sql: &str, name: Option<ForgetEnd>| -> Result<u64, StoreError> {
        let mut statement = connection.prepare_cached(sql)?;
        let found: Option<i64> = match name {
            Some(end) => statement.query_row((int(erasure), end.as_str()), |row| row.get(0)).optional()?,
            None => statement.query_row([int(erasure)], |row| row.get(0)).optional()?,
        };
        Ok(found.map_or(0, uint))
    };
    let ended = "SELECT contacts FROM forget_ends WHERE erasure = ?1 AND name = ?2";
    Ok(Forgetting {
        waiting: count("SELECT count(*) FROM forget_orders WHERE erasure = ?1", None)?,
        forgotten: count(ended, Some(ForgetEnd::Forgotten))?,
        deleted: count(ended, Some(ForgetEnd::Deleted))?,
        not_found: count(ended, Some(ForgetEnd::NotFound))?,
        unclear: count(ended, Some(ForgetEnd::Unclear))?,
    })
}

fn orders(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<ForgetOrder>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(or_passed_over("order to forget", read(row)?)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<ForgetOrder, StoreError>> {
    Ok(from_text("order to forget", row.get_ref(0)?.as_str()?))
}
