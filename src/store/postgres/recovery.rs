//! What a holder of an earlier epoch left behind: calls on their way whose answers nobody will read.
//!
//! Only the holder of a new lease does this, and only to claims whose calls can't be on their way any more.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::apply::apply;
use super::core::Core;
use super::deliveries::{NEVER, set_aside};
use super::link::{Link, Step};
use super::load;
use super::slots;
use super::value::{string, values};
use crate::decision::{World, open_delivery, void_claim};
use crate::delivery::{BulkJob, DeliveryId};
use crate::store::columns::{from_text, or_passed_over};
use crate::store::{Keys, Plan, StoreError};

/// Spends the slots of earlier epochs, gives what was set aside another try, and voids the claims that may be. Answers
/// whether there are claims that have to be waited for.
pub(super) async fn take_over(core: &Core) -> Result<bool, StoreError> {
    let mut held = core.hold().await?;
    let id = core.begin(&mut held, Vec::new()).await?;
    if let Err(error) = begin(&held, core).await {
        return Err(core.undo(&mut held, id, error).await);
    }
    core.commit(held, id).await?;
    void_all(core).await
}

async fn begin(link: &Link, core: &Core) -> Result<(), StoreError> {
    super::same::is_the_same(link, core).await?;
    slots::spend(link, core, core.now()).await?;
    // The code may be another one now.
    let sql = "UPDATE deliveries SET next_attempt_at = 0 WHERE tenant = 1 AND next_attempt_at = $1 AND state IN (0, 2)";
    link.change(sql, values![NEVER]).await?;
    let jobs = link.rows("SELECT account, id, body FROM bulk_jobs WHERE tenant = 1", values![]).await?;
    for row in jobs {
        // Nobody can ask for the job of one that can't be read, so its claims are void as others are.
        if or_passed_over("bulk job", from_text::<BulkJob>("bulk job", &string(&row, 2)?))?.is_none() {
            let sql = "DELETE FROM bulk_jobs WHERE tenant = 1 AND account = $1 AND id = $2";
            let (account, id): (String, String) =
                (super::value::column(&row, 0)?, super::value::column(&row, 1)?);
            link.change(sql, values![account, id]).await?;
        }
    }
    Ok(())
}

/// Voids the claims of earlier epochs whose calls have had their time; answers whether others are left.
pub(super) async fn void_all(core: &Core) -> Result<bool, StoreError> {
    let held = core.hold().await?;
    let carried = carried(&held).await?;
    let sql = "SELECT id, call_until IS NULL OR call_until <= clock_timestamp() FROM deliveries
               WHERE tenant = 1 AND state = 1 AND coalesce(epoch, 0) < $1 ORDER BY sequence";
    let epoch = core.epoch.load(Ordering::Acquire);
    let mut ids = Vec::new();
    let mut left = false;
    for row in held.rows(sql, values![epoch]).await? {
        let id = DeliveryId(string(&row, 0)?);
        if carried.contains(&id) {
            continue;
        }
        if super::value::column::<bool>(&row, 1)? {
            ids.push(id);
        } else {
            left = true;
        }
    }
    drop(held);
    for id in ids {
        match void(core, &id).await {
            Ok(()) => {}
            // One that can't be read must not keep all others from being served.
            Err(StoreError::Unreadable(kind, _)) => {
                tracing::error!(
                    delivery = id.0,
                    kind,
                    "a stored document can't be read: its contact is set aside"
                );
                write(core, vec![set_aside(&id)]).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

async fn write(core: &Core, steps: Vec<Step>) -> Result<(), StoreError> {
    let mut held = core.hold().await?;
    let id = core.begin(&mut held, steps).await?;
    core.commit(held, id).await
}

/// Deliveries in bulk calls whose jobs have not ended: their answers are still to be had.
async fn carried(link: &Link) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let mut carried = BTreeSet::new();
    for row in link.rows("SELECT body FROM bulk_jobs WHERE tenant = 1", values![]).await? {
        let job = or_passed_over("bulk job", from_text::<BulkJob>("bulk job", &string(&row, 0)?))?;
        carried.extend(job.into_iter().flat_map(|job| job.rows).map(|row| row.delivery));
    }
    Ok(carried)
}

/// Makes one claim void.
async fn void(core: &Core, id: &DeliveryId) -> Result<(), StoreError> {
    let held = core.hold().await?;
    let now = core.now();
    let mut world = World::default();
    let claim = Keys { deliveries: BTreeSet::from([id.clone()]), ..Keys::default() };
    load::load(&held, core, claim).await?.add_to(&mut world);
    let Some(claimed) = world.deliveries.get(id) else { return Ok(()) };
    let (subject, account) = (claimed.subject.clone(), claimed.account.clone());
    let mut keys = Keys::default();
    keys.add(&subject);
    load::load(&held, core, keys).await?.add_to(&mut world);
    // One that was opened while the call was on its way.
    let newer = open_delivery(&subject, &world, &account).filter(|newer| *newer != id).cloned();
    let newer = Keys { deliveries: newer.into_iter().collect(), ..Keys::default() };
    load::load(&held, core, newer).await?.add_to(&mut world);
    drop(held);
    void_claim(id, &mut world, now);
    apply(core, Plan::of(world, &account)).await
}
