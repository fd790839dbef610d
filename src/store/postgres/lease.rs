//! Who works: a row with a holder, an epoch and an end. It is renewed every third of its time and given back at the end.
//!
//! The clock of the database alone says when another may try; that nobody works who lost it is the fence's doing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Mutex;

use super::core::{Core, TRY_AGAIN, processed, processed_in};
use super::dial::{Purpose, within};
use super::journal::{self, Journal};
use super::link::Link;
use super::value::{column, int, string, text, uint, values};
use super::{recovery, watched};
use crate::store::{Fingerprint, Processed, StoreError, Work};

/// A node with other settings takes over once the one that worked has been away for so many leases.
const OTHERS_AFTER: f64 = 10.0;
/// How long one look may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);

/// Takes the lease where it is free, and over what its last holder left; answers whether it did.
pub(super) async fn try_lead(core: Arc<Core>, turn: Arc<Mutex<()>>) -> Result<bool, StoreError> {
    let epoch = core.epoch.load(Ordering::Acquire);
    if epoch != 0 && core.took_over.load(Ordering::Acquire) == epoch {
        return Ok(true);
    }
    let _turn = Arc::clone(&turn).lock_owned().await;
    let link = core.dial.connect(Purpose::Write).await?;
    // What was begun and failed since goes on.
    if core.epoch.load(Ordering::Acquire) == 0 && !taken(&core, &link).await? {
        return Ok(false);
    }
    let epoch = core.epoch.load(Ordering::Acquire);
    if recovery::take_over(&core).await? {
        let (core, turn) = (Arc::clone(&core), Arc::clone(&turn));
        tokio::spawn(void_the_rest(core, turn, epoch));
    }
    core.took_over.store(epoch, Ordering::Release);
    core.work.send_modify(|work| work.here = true);
    // Lost meanwhile, perhaps before the line above.
    if core.epoch.load(Ordering::Acquire) != epoch {
        core.work.send_modify(|work| work.here = false);
        return Err(StoreError::Elsewhere);
    }
    // The plans of a database that was never analysed are bad ones.
    let _ = link.batch("ANALYZE deliveries; ANALYZE people; ANALYZE contacts; ANALYZE outputs").await;
    Ok(true)
}

/// Takes the lease where it is free, unless whoever held it last works by other settings and may come back: only where it has been
/// away for long, or was stopped in order.
async fn taken(core: &Core, link: &Link) -> Result<bool, StoreError> {
    let lease = core.settings.lease.as_secs_f64();
    let sql = "SELECT settings, expires_at < clock_timestamp() - make_interval(secs => $1::float8) FROM turns
               WHERE tenant = 1 AND expires_at < clock_timestamp()";
    let Some(row) = link.row(sql, values![lease * OTHERS_AFTER]).await? else { return Ok(false) };
    let (theirs, is_long_gone) = (string(&row, 0)?, column::<bool>(&row, 1)?);
    let apart = apart(core, &theirs);
    if !apart.is_empty() && !is_long_gone {
        return Ok(false);
    }
    let sql = "UPDATE turns SET holder = $1, epoch = epoch + 1, last_plan = 0, settings = $3,
            expires_at = clock_timestamp() + make_interval(secs => $2::float8)
        WHERE tenant = 1 AND expires_at < clock_timestamp() AND settings = $4 RETURNING epoch";
    let values = values![text(&core.settings.node), lease, ours(core), theirs];
    let Some(row) = link.row(sql, values).await? else { return Ok(false) };
    link.waited_for(0)?;
    let epoch = int(&row, 0)?;
    core.processed.send_replace(processed(link).await?);
    core.epoch.store(epoch, Ordering::Release);
    tracing::info!(epoch, "this node does the work now");
    if !apart.is_empty() {
        tracing::warn!(
            sections = apart.join(", "),
            "the node that worked before has been away for long, and this one works by other settings than that one did"
        );
    }
    Ok(true)
}

/// By which settings this process works, as it is kept beside the lease.
fn ours(core: &Core) -> String {
    let ours = &*core.settings_now.borrow();
    if ours.sections.is_empty() { String::new() } else { serde_json::to_string(ours).unwrap_or_default() }
}

/// In what this process is apart from settings that are kept beside the lease. What can't be read is not compared.
fn apart(core: &Core, theirs: &str) -> Vec<String> {
    let theirs: Option<Fingerprint> = serde_json::from_str(theirs).ok();
    let ours = core.settings_now.borrow();
    theirs.filter(|_| !ours.sections.is_empty()).map(|theirs| ours.apart_from(&theirs)).unwrap_or_default()
}

/// Calls of the last holder that may still be on their way are waited for.
async fn void_the_rest(core: Arc<Core>, turn: Arc<Mutex<()>>, epoch: i64) {
    loop {
        core.clock.sleep_until(core.clock.monotonic() + TRY_AGAIN * 4).await;
        let _turn = Arc::clone(&turn).lock_owned().await;
        // Whoever took over since does it.
        if core.check().is_err() || core.epoch.load(Ordering::Acquire) != epoch {
            return;
        }
        let voided = recovery::void_all(&core).await;
        core.beside.send_modify(|times| *times += 1);
        match voided {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "claims of the node that worked before could not be voided yet");
            }
        }
    }
}

/// Waits until this node does the work.
pub(super) async fn lead(core: Arc<Core>, turn: Arc<Mutex<()>>) -> Result<(), StoreError> {
    let mut waits = false;
    loop {
        core.check()?;
        if core.ending.load(Ordering::Acquire) {
            return Err(StoreError::Shut);
        }
        match try_lead(Arc::clone(&core), Arc::clone(&turn)).await {
            Ok(true) => return Ok(()),
            Ok(false) if !waits => {
                waits = true;
                tracing::info!(
                    "another node does the work; this one takes events, and takes over when that one is gone"
                );
            }
            Err(error @ (StoreError::Fatal(_) | StoreError::Shut)) => return Err(error),
            Ok(false) | Err(_) => {}
        }
        core.clock.sleep_until(core.clock.monotonic() + TRY_AGAIN).await;
    }
}

/// Looks how far everything is, for what other nodes do, and renews the lease.
pub(super) async fn look(core: Arc<Core>, journal: Arc<Journal>) {
    let mut link: Option<Link> = None;
    let mut renewed = core.clock.monotonic();
    let mut watched: Option<Duration> = None;
    loop {
        core.clock.sleep_until(core.clock.monotonic() + TRY_AGAIN).await;
        if core.shut.load(Ordering::Acquire) {
            return;
        }
        let due = core.clock.monotonic().saturating_sub(renewed) >= core.settings.lease / 3;
        match within(LOOK_DEADLINE, look_once(&core, &journal, &mut link, due)).await {
            Ok(()) if due => renewed = core.clock.monotonic(),
            Ok(()) => {}
            Err(error) => {
                core.fatal.note(&error);
                link = None;
            }
        }
        let now = core.clock.monotonic();
        if let Some(link) = &link
            && watched.is_none_or(|at| now.saturating_sub(at) >= watched::EVERY)
        {
            // What can't be seen is not shown.
            let _ = within(LOOK_DEADLINE, watched::look(&core, link)).await;
            watched = Some(now);
        }
    }
}

pub(super) async fn look_once(
    core: &Core,
    journal: &Journal,
    link: &mut Option<Link>,
    renew: bool,
) -> Result<(), StoreError> {
    let link = match link.take().filter(|link| !link.is_closed()) {
        Some(open) => link.insert(open),
        None => link.insert(core.dial.connect(Purpose::Write).await?),
    };
    let known = *journal.end.borrow();
    journal.looked(known, journal::head(link).await?);
    let epoch = core.epoch.load(Ordering::Acquire);
    let seen = seen(link).await?;
    say_who_works(core, &seen);
    if seen.orders {
        core.orders_given.send_modify(|times| *times += 1);
    }
    if epoch == 0 {
        core.processed.send_if_modified(|known| std::mem::replace(known, seen.processed) != seen.processed);
        return Ok(());
    }
    if !renew {
        return Ok(());
    }
    let sql =
        "UPDATE turns SET expires_at = clock_timestamp() + make_interval(secs => $2::float8), settings = $3
               WHERE tenant = 1 AND epoch = $1";
    if link.change(sql, values![epoch, core.settings.lease.as_secs_f64(), ours(core)]).await? == 0 {
        return Err(core.lost(epoch));
    }
    Ok(())
}

/// What a look sees of who works, how far they are, and whether something was ordered elsewhere.
struct Seen {
    processed: Processed,
    epoch: u64,
    holder: String,
    orders: bool,
    settings: String,
}

/// Notes who works, and says so where this node can't take over.
fn say_who_works(core: &Core, seen: &Seen) {
    let (was, now) = {
        let was = core.work.borrow().clone();
        let vacant = seen.holder.is_empty().then(|| was.vacant_since.unwrap_or_else(|| core.now()));
        let apart = if was.here { Vec::new() } else { apart(core, &seen.settings) };
        let now = Work {
            epoch: seen.epoch,
            holder: seen.holder.clone(),
            vacant_since: vacant,
            apart,
            ..was.clone()
        };
        (was, now)
    };
    core.work.send_if_modified(|work| {
        let now = Work { here: work.here, ..now.clone() };
        std::mem::replace(work, now.clone()) != now
    });
    match (was.apart.is_empty(), now.apart.is_empty()) {
        (true, false) => tracing::warn!(
            sections = now.apart.join(", "),
            "this node has other settings than the one that works, so it takes events and does not take over from it: give all nodes \
             the same configuration, and reload"
        ),
        (false, true) if !now.here => {
            tracing::info!(
                "this node may take over again: the one that worked has handed over, or has the same settings now"
            );
        }
        (true, true) | (false, false | true) => {}
    }
}

async fn seen(link: &Link) -> Result<Seen, StoreError> {
    let sql = "SELECT position, old_position, events, epoch, CASE WHEN expires_at > clock_timestamp() THEN holder ELSE '' END,
            EXISTS (SELECT 1 FROM orders WHERE tenant = 1 AND done_at IS NULL), settings
        FROM turns WHERE tenant = 1";
    let row = link.row(sql, values![]).await?;
    let row = row.ok_or_else(|| StoreError::Fatal("a row is missing".to_owned()))?;
    Ok(Seen {
        processed: processed_in(&row)?,
        epoch: uint(&row, 3)?,
        holder: string(&row, 4)?,
        orders: column(&row, 5)?,
        settings: string(&row, 6)?,
    })
}

/// Lets another node begin at once.
pub(super) async fn give_back(core: &Core) {
    let epoch = core.epoch.load(Ordering::Acquire);
    if epoch == 0 {
        return;
    }
    let work = async {
        // Whatever is being written is done first.
        let held = core.hold().await?;
        let sql = "UPDATE turns SET expires_at = '-infinity', holder = '', settings = '' WHERE tenant = 1 AND epoch = $1";
        held.change(sql, values![epoch]).await?;
        core.epoch.store(0, Ordering::Release);
        Ok(())
    };
    if let Err(error) = within(LOOK_DEADLINE, work).await {
        tracing::warn!(%error, "the work could not be given back: another node takes over when the lease has run out");
    }
}
