//! What a process that is gone left behind: calls on their way whose answers nobody will read.
//!
//! Runs once, before anything else touches the state.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{outbox, records, state};
use crate::clock::UnixMicros;
use crate::decision::{World, open_delivery, void_claim};
use crate::delivery::{Account, DeliveryId};
use crate::event::Position;
use crate::store::{Keys, Plan, StoreError};

/// The latest moment that either file has seen: the time of day never was before it, whatever the clock says now. A last
/// event that can't be read says nothing here: whoever needs what it holds meets the damage, and nobody else has to.
pub(super) fn latest(
    journal: &Connection,
    end: Position,
    state: &Connection,
) -> Result<UnixMicros, StoreError> {
    let slots = "SELECT max(coalesce(max(taken_at), 0), coalesce(max(answered_at), 0)) FROM slots";
    let called = UnixMicros(state.query_row(slots, (), |row| row.get(0))?);
    let last = match records::record(journal, end) {
        Ok(last) => last,
        Err(StoreError::Fatal(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(last.map_or(called, |record| record.event.received_at.max(called)))
}

/// Voids the claims and spends the slots of earlier processes.
pub(super) fn recover(connection: &mut Connection, now: UnixMicros) -> Result<(), StoreError> {
    // A slot whose call nobody answered may have reached the account as late as now.
    connection.execute(
        "UPDATE slots SET answered_at = ?1, boottime = boottime(), boot = boot() WHERE answered_at IS NULL",
        [now.0],
    )?;
    let ids: Vec<String> = connection
        .prepare("SELECT id FROM deliveries INDEXED BY deliveries_in_flight WHERE state = 1")?
        .query_map((), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    outbox::take_back(connection)?;
    outbox::drop_unreadable_jobs(connection)?;
    let carried = carried(connection)?;
    for id in ids.into_iter().map(DeliveryId).filter(|id| !carried.contains(id)) {
        match void(connection, &id, now) {
            Ok(plan) => state::apply(connection, &plan, now)?,
            // One that can't be read must not keep all others from being served.
            Err(StoreError::Unreadable(kind, _)) => {
                tracing::error!(
                    delivery = id.0,
                    kind,
                    "a stored document can't be read: its contact is set aside"
                );
                outbox::set_aside(connection, &id)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Deliveries in bulk calls whose jobs have not ended: their answers are still to be had.
fn carried(connection: &Connection) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let accounts: Vec<String> = connection
        .prepare("SELECT DISTINCT account FROM bulk_jobs")?
        .query_map((), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut carried = BTreeSet::new();
    for account in accounts.into_iter().map(Account) {
        let jobs = outbox::bulk_jobs(connection, &account)?;
        carried.extend(jobs.into_iter().flat_map(|job| job.rows).map(|row| row.delivery));
    }
    Ok(carried)
}

/// What makes one claim void.
fn void(connection: &Connection, id: &DeliveryId, now: UnixMicros) -> Result<Plan, StoreError> {
    let mut world = World::default();
    load(connection, Keys { deliveries: BTreeSet::from([id.clone()]), ..Keys::default() }, &mut world)?;
    let Some(claimed) = world.deliveries.get(id) else { return Ok(Plan::default()) };
    let (subject, account) = (claimed.subject.clone(), claimed.account.clone());
    let mut keys = Keys::default();
    keys.add(&subject);
    load(connection, keys, &mut world)?;
    // One that was opened while the call was on its way.
    let newer = open_delivery(&subject, &world, &account).filter(|newer| *newer != id).cloned();
    load(connection, Keys { deliveries: newer.into_iter().collect(), ..Keys::default() }, &mut world)?;
    void_claim(id, &mut world, now);
    Ok(Plan::of(world, &account))
}

fn load(connection: &Connection, keys: Keys, world: &mut World) -> Result<(), StoreError> {
    state::load(connection, keys)?.add_to(world);
    Ok(())
}
