//! Slots of the allowance. Their age is taken from the clock of the database, which all nodes share.

use std::time::Duration;

use tokio_postgres::Row;

use super::core::Core;
use super::link::{Link, Step};
use super::pen::Pen;
use super::value::{column, int, string, text, uint, values};
use crate::allowance::{HOUR, SlotId};
use crate::clock::UnixMicros;
use crate::delivery::{Account, Bound};
use crate::store::columns::{self, uint as unsigned};
use crate::store::{Slot, StoreError};

/// Answered slots are forgotten after this; the allowance asks for an hour.
const KEPT: Duration = Duration::from_hours(2);
const KEPT_MICROS: i64 = 2 * 3_600 * 1_000_000;
/// How long slots have been lasting, in microseconds: the parameter, or else the clock of the database.
const RAN: &str = "coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";

/// A call takes a slot.
pub(super) fn take(account: &Account, slot: SlotId, at: UnixMicros, pen: &Pen<'_>) -> [Step; 2] {
    let sql = format!(
        "INSERT INTO slots (account, id, epoch, taken_at, ran)
         SELECT $2::text, $3::bigint, epoch, $4::bigint, {RAN} FROM turns WHERE tenant = 1"
    );
    let next = "INSERT INTO next_slots AS n (account, id) VALUES ($1, $2)
                ON CONFLICT (tenant, account) DO UPDATE SET id = greatest(n.id, excluded.id)";
    let id = columns::int(slot.0);
    [
        Step::must(1, sql, values![pen.ran, text(&account.0), id, at.0]),
        Step::must(1, next, values![text(&account.0), id + 1]),
    ]
}

/// Notes which quota the call of a slot counts for.
pub(super) fn bound(account: &Account, slot: SlotId, bound: &Bound) -> Step {
    let sql = "UPDATE slots SET new_contact_of = $3 WHERE tenant = 1 AND account = $1 AND id = $2";
    Step::must(1, sql, values![text(&account.0), columns::int(slot.0), text(&bound.to_string())])
}

/// The call of a slot was answered; slots that are old go.
pub(super) fn answer(account: &Account, slot: SlotId, at: UnixMicros, pen: &Pen<'_>) -> [Step; 2] {
    let sql = format!(
        "UPDATE slots SET answered_at = $4, ran = {RAN} WHERE tenant = 1 AND account = $2 AND id = $3"
    );
    // Also by the clock of the database: the time of day may be wrong.
    let old = format!(
        "DELETE FROM slots WHERE tenant = 1 AND answered_at < $2 AND ($1::bigint IS NOT NULL OR ran < {RAN} - $3)"
    );
    [
        Step::any(sql, values![pen.ran, text(&account.0), columns::int(slot.0), at.0]),
        Step::any(old, values![pen.ran, pen.now.minus(KEPT).0, KEPT_MICROS]),
    ]
}

/// Slots that may not be free yet, and the next id.
pub(super) async fn slots(
    link: &Link,
    core: &Core,
    account: &Account,
    now: UnixMicros,
) -> Result<(Vec<Slot>, u64), StoreError> {
    let slots = taken(link, core, account, now).await?;
    let sql = "SELECT id FROM next_slots WHERE tenant = 1 AND account = $1";
    let next = link.row(sql, values![text(&account.0)]).await?;
    Ok((slots, next.map(|row| uint(&row, 0)).transpose()?.unwrap_or(1)))
}

/// Slots that may not be free yet.
pub(super) async fn taken(
    link: &Link,
    core: &Core,
    account: &Account,
    now: UnixMicros,
) -> Result<Vec<Slot>, StoreError> {
    let sql = format!(
        "SELECT id, taken_at, answered_at, {RAN} - ran FROM slots WHERE tenant = 1 AND account = $2 ORDER BY id"
    );
    let rows = link.rows(&sql, values![core.ran(), text(&account.0)]).await?;
    let by_database = core.settings.by_database_clock;
    let mut slots: Vec<Slot> =
        rows.iter().map(|row| slot(row, now, by_database)).collect::<Result<_, _>>()?;
    slots.retain(|slot| slot.answered_at.is_none_or(|answered_at| answered_at > now.minus(HOUR)));
    Ok(slots)
}

/// When it was answered is counted back from the present, whatever the time of day was then.
fn slot(row: &Row, now: UnixMicros, by_database: bool) -> Result<Slot, StoreError> {
    let answered: Option<i64> = column(row, 2)?;
    let age = Duration::from_micros(unsigned(int(row, 3)?));
    Ok(Slot {
        id: SlotId(uint(row, 0)?),
        taken_at: UnixMicros(int(row, 1)?),
        answered_at: answered.map(|said| if by_database { now.minus(age) } else { UnixMicros(said) }),
    })
}

/// The first calls that left after a moment and count for a quota.
pub(super) async fn bounded(
    link: &Link,
    account: &Account,
    since: UnixMicros,
) -> Result<Vec<(Bound, UnixMicros)>, StoreError> {
    let sql = "SELECT new_contact_of, taken_at FROM slots
               WHERE tenant = 1 AND account = $1 AND taken_at > $2 AND new_contact_of IS NOT NULL ORDER BY taken_at, id";
    let rows = link.rows(sql, values![text(&account.0), since.0]).await?;
    rows.iter().map(|row| Ok((Bound::from(string(row, 0)?), UnixMicros(int(row, 1)?)))).collect()
}

/// What calls of earlier epochs have taken counts as answered as late as they may still have been on their way.
pub(super) async fn spend(link: &Link, core: &Core, now: UnixMicros) -> Result<(), StoreError> {
    let late = core.settings.call_lasts;
    let micros = i64::try_from(late.as_micros()).unwrap_or(i64::MAX);
    let sql = format!(
        "UPDATE slots SET answered_at = $2, ran = {RAN} + $3 WHERE tenant = 1 AND answered_at IS NULL"
    );
    link.change(&sql, values![core.ran(), now.plus(late).0, micros]).await.map(|_| ())
}
