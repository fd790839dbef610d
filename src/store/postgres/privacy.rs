//! What is noted for an erasure, and whom nothing is sent of: hashes under the key of the database.
//!
//! Must not decide who goes: that is in the order.

use std::collections::{BTreeMap, BTreeSet};

use ring::hmac;

use super::link::{Link, Step};
use super::value::{int, string, text, texts, uint, values};
use crate::clock::UnixMicros;
use crate::delivery::{Account, DeliveryId};
use crate::erasure::{AfterAnswer, CallEnd, Erasure, ForgetEnd, ForgetId, ForgetOrder, Forgetting, Mark};
use crate::event::{Email, Position, SourceName};
use crate::store::columns::{email, from_text, int as signed, or_passed_over, to_text, uint as unsigned};
use crate::store::marks::{self, hash};
use crate::store::{OpenErasures, Privacy, StoreError, Suppressed};

/// The statements of a note.
pub(super) fn note(note: &Privacy, key: &hmac::Key) -> Result<Vec<Step>, StoreError> {
    let mark = |mark: &Mark| hash(key, mark).as_ref().to_vec();
    Ok(match note {
        Privacy::Tombstone(of, at) => {
            let sql = "INSERT INTO tombstones AS t (mark, at) VALUES ($1, $2)
                       ON CONFLICT (tenant, mark) DO UPDATE SET at = greatest(t.at, excluded.at)";
            let mut steps = vec![Step::any(sql, values![mark(of), at.0])];
            if let Mark::Email(_) = of {
                // Whoever is erased is known by the hash alone from now on.
                let sql = "UPDATE suppressed SET email = NULL WHERE tenant = 1 AND mark = $1";
                steps.push(Step::any(sql, values![mark(of)]));
            }
            steps
        }
        Privacy::Suppress(email, at) => {
            let sql = "INSERT INTO suppressed (mark, at, email) VALUES ($1, $2, $3)
                       ON CONFLICT (tenant, mark) DO UPDATE SET email = excluded.email";
            vec![Step::any(sql, values![mark(&Mark::Email(email.clone())), at.0, text(email.as_str())])]
        }
        Privacy::Unsuppress(email) => {
            let sql = "DELETE FROM suppressed WHERE tenant = 1 AND mark = ANY($1)";
            let all: Vec<Vec<u8>> = spellings(email).map(|email| mark(&Mark::Email(email))).collect();
            vec![Step::any(sql, values![all])]
        }
        Privacy::Blank(position) => {
            let sql = "INSERT INTO blanks (position) VALUES ($1) ON CONFLICT DO NOTHING";
            vec![Step::any(sql, values![signed(position.0)])]
        }
        Privacy::Unsee(source, message_id) => vec![unsee(key, source, message_id)],
        Privacy::Forget(order) => vec![forget(order)?],
        Privacy::ForgetEnded(id, end) => vec![forget_ended(*id, *end)],
        // It reads before it writes: see `Rare`.
        Privacy::CallEnded(..) => Vec::new(),
        Privacy::Erasure(erasure) => vec![ordered(erasure)?],
    })
}

/// An address, and how an earlier version spelled it.
fn spellings(email: &Email) -> impl Iterator<Item = Email> {
    [Some(email.clone()), email.as_stored_before()].into_iter().flatten()
}

/// Forgets the id of a message that was seen; that it is not to be heard again is remembered as a hash.
pub(super) fn unsee(key: &hmac::Key, source: &SourceName, message_id: &str) -> Step {
    let sql =
        "WITH gone AS (DELETE FROM seen WHERE tenant = 1 AND source = $1::text AND message_id = $2::text
                             RETURNING position, received_at)
        INSERT INTO seen (source, message_id, position, received_at)
        SELECT $1::text, $3::text, position, received_at FROM gone ON CONFLICT (tenant, source, message_id)
        DO UPDATE SET position = excluded.position, received_at = excluded.received_at";
    let hashed = marks::message_id(key, source, message_id);
    Step::any(sql, values![text(&source.0), text(message_id), hashed])
}

/// Writes an order, or its receipt.
pub(super) fn ordered(erasure: &Erasure) -> Result<Step, StoreError> {
    let sql = "INSERT INTO erasures (id, done, body) VALUES ($1, $2, $3)
               ON CONFLICT (tenant, id) DO UPDATE SET done = excluded.done, body = excluded.body";
    let body = to_text("erasure", erasure)?;
    Ok(Step::any(sql, values![signed(erasure.id), erasure.stage.is_done(), body]))
}

fn forget(order: &ForgetOrder) -> Result<Step, StoreError> {
    let sql = "INSERT INTO forget_orders (erasure, nth, account, email, behind, next_attempt_at, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, erasure, nth) DO UPDATE SET account = excluded.account,
            email = excluded.email, behind = excluded.behind, next_attempt_at = excluded.next_attempt_at,
            body = excluded.body";
    let values = values![
        signed(order.id.erasure),
        signed(order.id.nth),
        text(&order.account.0),
        order.address().map(|email| text(email.as_str())),
        order.behind.as_ref().map(|delivery| text(&delivery.0)),
        order.next_attempt_at.0,
        to_text("order to forget", order)?,
    ];
    Ok(Step::any(sql, values))
}

/// An order has ended: it goes, and is counted.
fn forget_ended(id: ForgetId, end: ForgetEnd) -> Step {
    let sql = "WITH gone AS (DELETE FROM forget_orders WHERE tenant = 1 AND erasure = $1 AND nth = $2 RETURNING erasure)
        INSERT INTO forget_ends AS f (erasure, name, contacts) SELECT erasure, $3::text, 1 FROM gone
        ON CONFLICT (tenant, erasure, name) DO UPDATE SET contacts = f.contacts + 1";
    Step::any(sql, values![signed(id.erasure), signed(id.nth), end.as_str().to_owned()])
}

/// The call has ended that orders may wait for.
pub(super) async fn call_ended(link: &Link, delivery: &DeliveryId, ended: CallEnd) -> Result<(), StoreError> {
    let sql = "SELECT body FROM forget_orders WHERE tenant = 1 AND behind = $1";
    for order in orders(link, sql, values![text(&delivery.0)]).await? {
        let id = order.id;
        let step = match order.after_call(ended) {
            AfterAnswer::Open(order) => forget(&order)?,
            AfterAnswer::Ended(how) => forget_ended(id, how),
        };
        link.steps(vec![step]).await?;
    }
    Ok(())
}

async fn orders(
    link: &Link,
    sql: &str,
    values: Vec<super::value::Value>,
) -> Result<Vec<ForgetOrder>, StoreError> {
    let mut found = Vec::new();
    for row in link.rows(sql, values).await? {
        found.extend(or_passed_over("order to forget", from_text("order to forget", &string(&row, 0)?))?);
    }
    Ok(found)
}

/// The order to carry on with now, if one is due, and else when one is.
pub(super) async fn forgets(
    link: &Link,
    account: &Account,
    now: UnixMicros,
) -> Result<(Option<ForgetOrder>, Option<UnixMicros>), StoreError> {
    let mut after = (i64::MIN, -1, -1);
    loop {
        let sql = "SELECT body, next_attempt_at, erasure, nth FROM forget_orders
                   WHERE tenant = 1 AND account = $1 AND behind IS NULL AND (next_attempt_at, erasure, nth) > ($2, $3, $4)
                   ORDER BY next_attempt_at, erasure, nth LIMIT 1";
        let Some(row) = link.row(sql, values![text(&account.0), after.0, after.1, after.2]).await? else {
            return Ok((None, None));
        };
        let order: Result<ForgetOrder, _> = from_text("order to forget", &string(&row, 0)?);
        match or_passed_over("order to forget", order)? {
            Some(order) if order.next_attempt_at <= now => return Ok((Some(order), None)),
            Some(order) => return Ok((None, Some(order.next_attempt_at))),
            None => after = (int(&row, 1)?, int(&row, 2)?, int(&row, 3)?),
        }
    }
}

/// Orders that hold an address.
pub(super) async fn look_ups(link: &Link) -> Result<Vec<ForgetOrder>, StoreError> {
    orders(link, "SELECT body FROM forget_orders WHERE tenant = 1 AND email IS NOT NULL", values![]).await
}

/// Orders that are not carried out.
pub(super) async fn open(link: &Link) -> Result<OpenErasures, StoreError> {
    let rows =
        link.rows("SELECT body FROM erasures WHERE tenant = 1 AND NOT done ORDER BY id", values![]).await?;
    let mut open = OpenErasures::default();
    for row in rows {
        match or_passed_over("erasure", from_text("erasure", &string(&row, 0)?))? {
            Some(order) => open.orders.push(order),
            None => open.unreadable += 1,
        }
    }
    let last = link.row("SELECT coalesce(max(id), 0) FROM erasures WHERE tenant = 1", values![]).await?;
    let last = last.map(|row| uint(&row, 0)).transpose()?.unwrap_or(0);
    Ok(OpenErasures { next_id: last + 1, ..open })
}

/// One order or receipt, and how far it is in the CRM.
pub(super) async fn one(link: &Link, id: u64) -> Result<Option<(Erasure, Forgetting)>, StoreError> {
    let row = link.row("SELECT body FROM erasures WHERE tenant = 1 AND id = $1", values![signed(id)]).await?;
    let Some(row) = row else { return Ok(None) };
    let erasure = from_text("erasure", &string(&row, 0)?)?;
    let waiting = "SELECT count(*) FROM forget_orders WHERE tenant = 1 AND erasure = $1";
    let waiting = link.row(waiting, values![signed(id)]).await?;
    let mut ended = BTreeMap::new();
    let sql = "SELECT name, contacts FROM forget_ends WHERE tenant = 1 AND erasure = $1";
    for row in link.rows(sql, values![signed(id)]).await? {
        ended.insert(string(&row, 0)?, uint(&row, 1)?);
    }
    let count = |end: ForgetEnd| ended.get(end.as_str()).copied().unwrap_or(0);
    let forgetting = Forgetting {
        waiting: waiting.map(|row| uint(&row, 0)).transpose()?.unwrap_or(0),
        forgotten: count(ForgetEnd::Forgotten),
        deleted: count(ForgetEnd::Deleted),
        not_found: count(ForgetEnd::NotFound),
        unclear: count(ForgetEnd::Unclear),
    };
    Ok(Some((erasure, forgetting)))
}

/// When each of these was erased; who was not is absent.
pub(super) async fn tombstones(
    link: &Link,
    key: &hmac::Key,
    marks: BTreeSet<Mark>,
) -> Result<BTreeMap<Mark, UnixMicros>, StoreError> {
    let by_hash: BTreeMap<Vec<u8>, Mark> =
        marks.into_iter().map(|mark| (hash(key, &mark).as_ref().to_vec(), mark)).collect();
    let hashes: Vec<Vec<u8>> = by_hash.keys().cloned().collect();
    let sql = "SELECT mark, at FROM tombstones WHERE tenant = 1 AND mark = ANY($1)";
    let mut found = BTreeMap::new();
    for row in link.rows(sql, values![hashes]).await? {
        let hash: Vec<u8> = super::value::column(&row, 0)?;
        if let Some(mark) = by_hash.get(&hash) {
            found.insert(mark.clone(), UnixMicros(int(&row, 1)?));
        }
    }
    Ok(found)
}

/// Where messages were seen first, and which of the others are of somebody who was erased.
pub(super) async fn seen(
    link: &Link,
    key: &hmac::Key,
    asked: BTreeSet<(SourceName, String)>,
) -> Result<(BTreeMap<(SourceName, String), Position>, Vec<Mark>), StoreError> {
    let sources = || asked.iter().map(|(source, _)| &source.0);
    let hashed = asked.iter().map(|(source, id)| marks::message_id(key, source, id));
    let sql = "SELECT u.nth, s.position, h.position IS NOT NULL
        FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u(source, id, hashed, nth)
        LEFT JOIN seen AS s ON s.tenant = 1 AND s.source = u.source AND s.message_id = u.id
        LEFT JOIN seen AS h ON h.tenant = 1 AND h.source = u.source AND h.message_id = u.hashed
        WHERE s.position IS NOT NULL OR h.position IS NOT NULL";
    let values = values![texts(sources()), texts(asked.iter().map(|(_, id)| id)), texts(hashed)];
    let rows = link.rows(sql, values).await?;
    let all: Vec<&(SourceName, String)> = asked.iter().collect();
    let (mut found, mut erased) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let nth = usize::try_from(int(&row, 0)? - 1).unwrap_or(usize::MAX);
        let Some(message) = all.get(nth) else { continue };
        match super::value::column::<Option<i64>>(&row, 1)? {
            Some(position) => drop(found.insert((*message).clone(), Position(unsigned(position)))),
            None => erased.push(Mark::Message(message.0.clone(), message.1.clone())),
        }
    }
    Ok((found, erased))
}

/// Since when nothing of each of these is sent; whoever may be called is absent.
pub(super) async fn suppressed(
    link: &Link,
    key: &hmac::Key,
    emails: &BTreeSet<Email>,
) -> Result<BTreeMap<Email, UnixMicros>, StoreError> {
    let mut by_hash = BTreeMap::new();
    for email in emails {
        for spelled in spellings(email) {
            by_hash.insert(hash(key, &Mark::Email(spelled)).as_ref().to_vec(), email);
        }
    }
    let hashes: Vec<Vec<u8>> = by_hash.keys().cloned().collect();
    let sql = "SELECT mark, at FROM suppressed WHERE tenant = 1 AND mark = ANY($1)";
    let mut found = BTreeMap::new();
    for row in link.rows(sql, values![hashes]).await? {
        let hash: Vec<u8> = super::value::column(&row, 0)?;
        if let Some(email) = by_hash.get(&hash) {
            found.insert((*email).clone(), UnixMicros(int(&row, 1)?));
        }
    }
    Ok(found)
}

/// The orders before a place, the newest first.
pub(super) async fn suppressed_list(
    link: &Link,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Suppressed>, StoreError> {
    let sql = "SELECT place, at, email FROM suppressed
               WHERE tenant = 1 AND ($1::bigint IS NULL OR place < $1) ORDER BY place DESC LIMIT $2";
    let rows = link.rows(sql, values![before.map(signed), signed(limit as u64)]).await?;
    rows.iter()
        .map(|row| {
            let address = super::value::maybe(row, 2)?;
            let email = address.as_deref().map(email).transpose()?;
            Ok(Suppressed { place: uint(row, 0)?, at: UnixMicros(int(row, 1)?), email })
        })
        .collect()
}
