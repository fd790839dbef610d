//! Applying a plan: all of it in one transaction, or nothing.

use std::sync::atomic::Ordering;

use super::core::{Core, Held};
use super::dial::Purpose;
use super::link::{Link, Step};
use super::pen::Pen;
use super::plan::{self, Rare};
use super::privacy;
use super::retention;
use super::value::{column, text, uint, values};
use crate::store::bodies::{self, FAILED_BYTES_MAX, FAILED_MAX};
use crate::store::columns::int as signed;
use crate::store::{Failed, Plan, Progress, Put, PutOutput, StoreError, Stream};

/// Whether something may be due once a plan is applied.
fn makes_outputs(plan: &Plan) -> bool {
    let wakes = |put: &Put| {
        matches!(put, Put::Output(PutOutput::Made(_) | PutOutput::Redriven(..) | PutOutput::Gate(..)))
    };
    plan.puts.iter().any(wakes)
}

/// Applies a plan whole or not at all; once answered it is durable.
pub(super) async fn apply(core: &Core, plan: Plan) -> Result<(), StoreError> {
    if core.epoch.load(Ordering::Acquire) == 0 && !plan.puts.is_empty() && plan.is_of_notes_alone() {
        return note(core, plan).await;
    }
    let (progress, outputs) = (plan.progress, makes_outputs(&plan));
    let changes = core.herald.changes(&plan);
    let written = plan::written(plan, &Pen::at(core, core.now()))?;
    let mut held = core.hold().await?;
    let id = core.begin(&mut held, written.steps).await?;
    if let Err(error) = rare(&held, written.rare).await {
        return Err(core.undo(&mut held, id, error).await);
    }
    core.commit(held, id).await?;
    if let Some(Progress { stream, to, events, .. }) = progress {
        core.processed.send_modify(|processed| {
            match stream {
                Stream::Live => processed.live = to,
                Stream::Old => processed.old = to,
            }
            processed.events += events;
        });
    }
    if outputs {
        core.outputs_made.send_modify(|times| *times += 1);
    }
    core.herald.tell_all(changes);
    Ok(())
}

/// Writes notes where another node works: they rest on nothing, so nothing has to be fenced.
async fn note(core: &Core, plan: Plan) -> Result<(), StoreError> {
    let written = plan::written(plan, &Pen::at(core, core.now()))?;
    let link = core.dial.connect(Purpose::Write).await?;
    let mut steps = vec![Step::any("BEGIN", values![])];
    steps.extend(written.steps);
    link.steps(steps).await?;
    link.batch("COMMIT").await?;
    link.waited_for(0)
}

async fn rare(held: &Held, rare: Vec<Rare>) -> Result<(), StoreError> {
    for one in rare {
        match one {
            Rare::Failed(failed) => put_failed(held, &failed).await?,
            Rare::CallEnded(delivery, end) => privacy::call_ended(held, &delivery, end).await?,
        }
    }
    Ok(())
}

/// Puts an event aside.
async fn put_failed(link: &Link, failed: &Failed) -> Result<(), StoreError> {
    let (position, event) = (signed(failed.record.position.0), &failed.record.event);
    let body = bodies::of_failed(failed)?;
    make_room(link, body.len() as u64).await?;
    let sql = "INSERT INTO failed (position, source, received_at, bytes, body) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant, position) DO UPDATE SET source = excluded.source, received_at = excluded.received_at,
            bytes = excluded.bytes, body = excluded.body";
    let bytes = signed(body.len() as u64);
    link.change(sql, values![position, text(&event.source.0), event.received_at.0, bytes, body]).await?;
    let sql = "INSERT INTO seen (source, message_id, position, received_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING";
    let values = values![text(&event.source.0), text(&event.message_id), position, event.received_at.0];
    link.change(sql, values).await.map(|_| ())
}

/// Gives up the oldest of the source with most until another one fits.
async fn make_room(link: &Link, bytes: u64) -> Result<(), StoreError> {
    loop {
        let sql = "SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM failed WHERE tenant = 1";
        let Some(row) = link.row(sql, values![]).await? else { return Ok(()) };
        let (rows, used) = (uint(&row, 0)?, uint(&row, 1)?);
        if rows == 0 || (rows < FAILED_MAX && used.saturating_add(bytes) <= FAILED_BYTES_MAX) {
            return Ok(());
        }
        let sql = "SELECT min(position) FROM failed WHERE tenant = 1 GROUP BY source ORDER BY count(*) DESC, source LIMIT 1";
        let Some(row) = link.row(sql, values![]).await? else { return Ok(()) };
        let Some(oldest) = column::<Option<i64>>(&row, 0)? else { return Ok(()) };
        link.change("DELETE FROM failed WHERE tenant = 1 AND position = $1", values![oldest]).await?;
        retention::lost(link, 1).await?;
    }
}
