//! Erasure in the state: deletes rows a part at a time.
//!
//! Must not decide who goes: that is in the order.

use super::core::{Core, Held};
use super::link::{Link, Step};
use super::value::{int, maybe, string, text, uint, values};
use super::{deliveries, lists, orders, outputs, plan, privacy};
use crate::delivery::{Delivery, State};
use crate::erasure::{Erasure, ErasureStage, Extent, Receipt};
use crate::event::{Email, Position, SourceName};
use crate::store::columns::{from_text, int as signed, state};
use crate::store::named::{self, left_of, names};
use crate::store::{Counts, StoreError};

/// Rows of the trail, of the deliveries and of the messages looked through at once, so that plans do not wait long.
const EVENTS_MAX: u64 = 2_000;
const DELIVERIES_MAX: u64 = 250;
const MESSAGES_MAX: i64 = 2_000;

/// Deletes a part of the rows that an erasure reaches, in one transaction with how far it is then.
pub(super) async fn rows(core: &Core, mut erasure: Erasure) -> Result<Erasure, StoreError> {
    let mut held = core.hold().await?;
    let id = core.begin(&mut held, Vec::new()).await?;
    if let Err(error) = part(&held, core, &mut erasure).await {
        return Err(core.undo(&mut held, id, error).await);
    }
    core.commit(held, id).await?;
    Ok(erasure)
}

async fn part(held: &Held, core: &Core, erasure: &mut Erasure) -> Result<(), StoreError> {
    let Erasure { stage, receipt, .. } = &mut *erasure;
    if let ErasureStage::Rows { extent, last, events_after, deliveries_after, messages_after } = stage {
        if events_after < last {
            *events_after = events(held, core, extent, (*events_after, *last), receipt).await?;
        } else if let Some(after) = deliveries(held, core, extent, *deliveries_after, receipt).await? {
            *deliveries_after = after;
        } else if let Some(after) = messages(held, core, extent, messages_after, receipt).await? {
            *messages_after = after;
        } else {
            // What is told is bounded, so it is looked through at once.
            outputs::erase_mentions(held, |text| names(extent, text)).await?;
            lists::erase_mentions(held, |text| names(extent, text)).await?;
            orders::erase_mentions(held, |text| names(extent, text)).await?;
            let (extent, last) = (std::mem::take(extent), *last);
            *stage = ErasureStage::Journal { extent, last, after: Position(0) };
        }
    }
    held.steps(vec![privacy::ordered(erasure)?]).await
}

/// Deletes trails of the person's events, and what is remembered of their messages; their content is to go too.
async fn events(
    link: &Link,
    core: &Core,
    extent: &Extent,
    (after, last): (Position, Position),
    receipt: &mut Receipt,
) -> Result<Position, StoreError> {
    let to = Position(after.0.saturating_add(EVENTS_MAX).min(last.0));
    let sql = "SELECT position, source, message_id, person, email, name, body FROM events
               WHERE tenant = 1 AND position > $1 AND position <= $2";
    let (mut positions, mut theirs) = (Vec::new(), Vec::new());
    for row in link.rows(sql, values![signed(after.0), signed(to.0)]).await? {
        let (person, email, message_id) = (maybe(&row, 3)?, maybe(&row, 4)?, string(&row, 2)?);
        let (name, body) = (string(&row, 5)?, string(&row, 6)?);
        let event = named::Event {
            person: person.as_deref(),
            email: email.as_deref(),
            message_id: &message_id,
            name: &name,
            body: &body,
        };
        let Some(is_theirs) = event.speaks_of(extent) else { continue };
        positions.push(int(&row, 0)?);
        if is_theirs {
            theirs.push((SourceName(string(&row, 1)?), message_id));
        }
    }
    let sql = "DELETE FROM events WHERE tenant = 1 AND position = ANY($1)";
    receipt.trail_events += link.change(sql, values![positions.clone()]).await?;
    let sql = "INSERT INTO blanks (position) SELECT * FROM unnest($1::bigint[]) ON CONFLICT DO NOTHING";
    link.change(sql, values![positions]).await?;
    for (source, message_id) in theirs {
        let sql = "DELETE FROM events WHERE tenant = 1 AND message_id = $1 AND source = $2 AND outcome = 'duplicate'";
        receipt.trail_events += link.change(sql, values![text(&message_id), text(&source.0)]).await?;
        receipt.message_ids += unsee(link, core, &source, &message_id).await?;
    }
    Ok(to)
}

async fn unsee(link: &Link, core: &Core, source: &SourceName, message_id: &str) -> Result<u64, StoreError> {
    let step = privacy::unsee(&core.key, source, message_id);
    link.change(&step.sql, step.values).await
}

/// Deletes ended deliveries of the person's contacts, and of others whose answers named an address; where one is still
/// owed, only what was sent and answered goes.
async fn deliveries(
    link: &Link,
    core: &Core,
    extent: &Extent,
    after: u64,
    receipt: &mut Receipt,
) -> Result<Option<u64>, StoreError> {
    let newest =
        link.row("SELECT coalesce(max(sequence), 0) FROM deliveries WHERE tenant = 1", values![]).await?;
    let newest = newest.map(|row| uint(&row, 0)).transpose()?.unwrap_or(0);
    if after >= newest {
        return Ok(None);
    }
    let to = after.saturating_add(DELIVERIES_MAX).min(newest);
    let sql = "SELECT revision, body, email, state FROM deliveries
               WHERE tenant = 1 AND sequence > $1 AND sequence <= $2 AND opened_at <= $3";
    let mut batch = deliveries::Batch::new(core.settings.call_lasts.as_secs_f64());
    let mut counts = Counts::default();
    let mut gone = Vec::new();
    for row in link.rows(sql, values![signed(after), signed(to), receipt.erased_at.0]).await? {
        let (body, address, state) = (string(&row, 1)?, string(&row, 2)?, state(int(&row, 3)?)?);
        let is = |email: &Email| email.is(&address);
        let theirs = extent.emails.iter().any(is);
        if !(theirs || extent.shared.iter().any(is) || names(extent, &body)) {
            continue;
        }
        let delivery = from_text::<Delivery>("delivery", &body)?;
        let id = text(&delivery.id.0);
        if let Some(left) = left_of(delivery, state, theirs, extent) {
            batch.put(uint(&row, 0)?, &left)?;
            continue;
        }
        receipt.deliveries += 1;
        if state == State::Dead {
            counts.moved(Some(State::Dead), State::Erased);
        }
        gone.push(id);
    }
    let mut steps: Vec<Step> = batch.steps().collect();
    steps.extend(plan::counted(&counts));
    let sql = "DELETE FROM deliveries WHERE tenant = 1 AND id = ANY($1)";
    steps.push(Step::any(sql, values![gone]));
    link.steps(steps).await?;
    Ok(Some(to))
}

/// Forgets messages whose ids hold an address.
async fn messages(
    link: &Link,
    core: &Core,
    extent: &Extent,
    after: &(String, String),
    receipt: &mut Receipt,
) -> Result<Option<(String, String)>, StoreError> {
    let sql = "SELECT source, message_id FROM seen WHERE tenant = 1 AND (source, message_id) > ($1, $2)
               ORDER BY source, message_id LIMIT $3";
    let mut last = None;
    for row in link.rows(sql, values![text(&after.0), text(&after.1), MESSAGES_MAX]).await? {
        let (source, message_id) = (string(&row, 0)?, string(&row, 1)?);
        if names(extent, &message_id) {
            receipt.message_ids += unsee(link, core, &SourceName(source.clone()), &message_id).await?;
        }
        last = Some((source, message_id));
    }
    Ok(last)
}
