//! Retention: deletes what has had its time, oldest first, a bounded part at a time; and blanks events of the journal.
//!
//! Must not touch counters, what has not taken effect, or what is still owed.

use std::collections::BTreeSet;

use super::core::Core;
use super::groups::number;
use super::link::Link;
use super::value::{column, int, uint, values};
use super::{orders, outputs};
use crate::clock::UnixMicros;
use crate::event::Position;
use crate::store::coding;
use crate::store::columns::{int as signed, uint as unsigned, worth_number};
use crate::store::counters::FAILED_LOST;
use crate::store::{Keep, KeepTrail, Processed, StoreError, Stream, Worths};
use crate::trail::{Span, Worth};

/// Rows of one table that go at once, so that plans do not wait long.
const ROWS_MAX: i64 = 250;
/// What goes of the journal at once, so that appends do not wait long.
const BYTES_MAX: u64 = 16 << 20;
/// The same for many small groups.
const GROUPS_MAX: i64 = 1000;
/// The share of its size from which on the journal loses events whatever their age.
const FULL_PERCENT: u64 = 80;
/// Spans that are kept: those of a week ago are compared with.
const SPANS_KEPT: i64 = 9 * 48;
/// Events that are blanked at once.
const BLANKS_MAX: i64 = 1_000;
/// Bytes of groups that are written anew at once.
const BLANKED_BYTES_MAX: usize = 8 << 20;

const SEEN: &str = "DELETE FROM seen WHERE tenant = 1 AND (source, message_id) IN
    (SELECT source, message_id FROM seen WHERE tenant = 1 AND received_at < $1 ORDER BY received_at LIMIT $2)";
const TRAIL: &str = "DELETE FROM events WHERE tenant = 1 AND position IN
    (SELECT position FROM events WHERE tenant = 1 AND worth = $3 AND received_at < $1 ORDER BY received_at LIMIT $2)";
/// Deliveries that ended, of lanes whose contacts were refreshed. Those that are open or dead have to stay.
const REFRESHED: &str = "FROM deliveries WHERE tenant = 1 AND state IN (3, 4, 6, 7) AND lane IN (3, 4, 5)";
/// Those of the other lanes.
const CONVERTED: &str =
    "FROM deliveries WHERE tenant = 1 AND state IN (3, 4, 6, 7) AND lane NOT IN (3, 4, 5)";
const WON: &str = "DELETE FROM won WHERE tenant = 1 AND key IN
    (SELECT key FROM won WHERE tenant = 1 AND at < $1 ORDER BY at LIMIT $2)";
const TALLIES: &str = "DELETE FROM tallies WHERE tenant = 1 AND (span, kind, source, name, beside, word) IN
    (SELECT span, kind, source, name, beside, word FROM tallies WHERE tenant = 1 AND span < $1 LIMIT $2)";

/// How much of the journal old data may hold.
pub(super) fn old_bytes_max(journal_bytes_max: u64) -> u64 {
    journal_bytes_max / 2
}

/// Deletes a part of what need not be kept; answers how many rows and groups.
pub(super) async fn prune(core: &Core, keep: Keep) -> Result<u64, StoreError> {
    // The journal first: its room is what events wait for.
    let mut held = core.hold().await?;
    let id = core.begin(&mut held, Vec::new()).await?;
    let groups = match journal(&held, keep).await {
        Ok(groups) => groups,
        Err(error) => return Err(core.undo(&mut held, id, error).await),
    };
    core.commit(held, id).await?;
    let mut held = core.hold().await?;
    let id = core.begin(&mut held, Vec::new()).await?;
    let rows = match state(&held, keep, core.now()).await {
        Ok(rows) => rows,
        Err(error) => return Err(core.undo(&mut held, id, error).await),
    };
    core.commit(held, id).await?;
    Ok(groups + rows)
}

async fn journal(link: &Link, keep: Keep) -> Result<u64, StoreError> {
    let processed = super::core::processed(link).await?;
    let head = link.row("SELECT bytes, old_bytes FROM heads WHERE tenant = 1", values![]).await?;
    let (bytes, old_bytes) =
        head.map_or(Ok((0, 0)), |row| Ok::<_, StoreError>((uint(&row, 0)?, uint(&row, 1)?)))?;
    let share = |bytes_max: u64| bytes_max / 100 * FULL_PERCENT;
    let excess = bytes.saturating_sub(share(keep.journal_bytes_max));
    let old_excess = old_bytes.saturating_sub(share(old_bytes_max(keep.journal_bytes_max))).max(excess);
    // Old data first: it was loaded at one go and can be loaded again.
    let old = stream(link, (Stream::Old, processed.old), keep, (old_excess, 0)).await?;
    let live = stream(link, (Stream::Live, processed.live), keep, (excess, old.1)).await?;
    if old.0 + live.0 > 0 {
        let sql = "UPDATE heads SET bytes = bytes - $1, old_bytes = old_bytes - $2 WHERE tenant = 1";
        link.change(sql, values![signed(live.1), signed(old.1)]).await?;
    }
    Ok(old.0 + live.0)
}

/// Deletes groups of a stream, oldest first; answers how many went, and how many bytes with those that went before.
async fn stream(
    link: &Link,
    (stream, processed): (Stream, Position),
    keep: Keep,
    (excess, before): (u64, u64),
) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT first, length, received_to FROM groups
               WHERE tenant = 1 AND stream = $1 AND first + count - 1 <= $2 ORDER BY first LIMIT $3";
    let (mut last, mut groups, mut bytes) = (None, 0, before);
    for row in link.rows(sql, values![number(stream), signed(processed.0), GROUPS_MAX]).await? {
        if bytes >= BYTES_MAX || (bytes >= excess && int(&row, 2)? >= keep.journal_since.0) {
            break;
        }
        last = Some(int(&row, 0)?);
        groups += 1;
        bytes += uint(&row, 1)?;
    }
    if let Some(last) = last {
        let sql = "DELETE FROM groups WHERE tenant = 1 AND stream = $1 AND first <= $2";
        link.change(sql, values![number(stream), last]).await?;
    }
    Ok((groups, bytes))
}

/// When the oldest event was received that has not taken effect, in either stream.
async fn waiting_since(link: &Link, processed: Processed) -> Result<Option<UnixMicros>, StoreError> {
    let mut since: Option<UnixMicros> = None;
    for stream in [Stream::Live, Stream::Old] {
        let next = super::groups::read(link, stream, processed.of(stream), (1, 0)).await?;
        since = [since, next.first().map(|record| record.event.received_at)].into_iter().flatten().min();
    }
    Ok(since)
}

async fn state(link: &Link, keep: Keep, now: UnixMicros) -> Result<u64, StoreError> {
    let waiting_since = waiting_since(link, super::core::processed(link).await?).await?;
    // An event that waited that long may repeat any message seen: all are kept until it has taken effect.
    let behind = waiting_since.is_some_and(|since| since < keep.seen_since);
    let mut rows = 0;
    let seen = (!behind).then_some((SEEN, keep.seen_since.0));
    for worth in Worth::ALL {
        rows += prune_trail(link, worth, keep.trail.of(worth)).await?;
    }
    let others = [(WON, keep.won_since.0), (TALLIES, Span::of(now).0 - SPANS_KEPT)];
    for (sql, since) in others.into_iter().chain(seen) {
        rows += link.change(sql, values![since, ROWS_MAX]).await?;
    }
    rows += prune_failed(link, keep.trail.conversion.since).await?;
    rows += outputs::prune(link, keep.trail.conversion.since, ROWS_MAX).await?;
    rows += orders::prune(link, now).await?;
    // The limit holds whatever waits: a message that comes again after so many others counts again.
    let excess = signed(size(link, "seen").await?.saturating_sub(keep.seen_max));
    if excess > 0 {
        rows += link.change(SEEN, values![i64::MAX, excess.min(ROWS_MAX)]).await?;
    }
    Ok(rows)
}

/// Deliveries of a worth that ended, where there are any.
fn ended(worth: Worth) -> Option<&'static str> {
    match worth {
        Worth::Anonymous => None,
        Worth::Refresh => Some(REFRESHED),
        Worth::Conversion => Some(CONVERTED),
    }
}

/// Deletes a part of the trail that is worth so much, and of the deliveries.
async fn prune_trail(link: &Link, worth: Worth, keep: KeepTrail) -> Result<u64, StoreError> {
    let number = worth_number(worth);
    let crowded = size(link, &format!("trail {number}")).await? > keep.bytes_max;
    let oldest = if crowded { oldest_of_the_trail(link, worth).await? } else { None };
    let since = oldest.map_or(keep.since, |oldest| keep.since.max(oldest));
    let mut rows = link.change(TRAIL, values![since.0, ROWS_MAX, number]).await?;
    if let Some(ended) = ended(worth) {
        let sql = format!(
            "DELETE FROM deliveries WHERE tenant = 1 AND sequence IN
             (SELECT sequence {ended} AND ended_at < $1 ORDER BY ended_at LIMIT $2)"
        );
        rows += link.change(&sql, values![since.0, ROWS_MAX]).await?;
    }
    Ok(rows)
}

/// The oldest event of which the trail is kept, by what it is worth.
pub(super) async fn trail_since(link: &Link) -> Result<Worths<Option<UnixMicros>>, StoreError> {
    let mut oldest = std::collections::BTreeMap::new();
    for worth in Worth::ALL {
        let sql = "SELECT min(received_at) FROM events WHERE tenant = 1 AND worth = $1";
        let row = link.row(sql, values![worth_number(worth)]).await?;
        let at = row.map(|row| column::<Option<i64>>(&row, 0)).transpose()?.flatten();
        oldest.insert(worth_number(worth), at.map(UnixMicros));
    }
    Worths::try_each(|worth| Ok(oldest.get(&worth_number(worth)).copied().flatten()))
}

async fn prune_failed(link: &Link, before: UnixMicros) -> Result<u64, StoreError> {
    let sql = "DELETE FROM failed WHERE tenant = 1 AND position IN
        (SELECT position FROM failed WHERE tenant = 1 AND received_at < $1 ORDER BY position LIMIT $2)";
    let rows = link.change(sql, values![before.0, ROWS_MAX]).await?;
    lost(link, rows).await?;
    Ok(rows)
}

/// Counts failed events that were given up.
pub(super) async fn lost(link: &Link, rows: u64) -> Result<(), StoreError> {
    if rows == 0 {
        return Ok(());
    }
    let sql = "INSERT INTO counters AS c (name, value) VALUES ($1, $2)
               ON CONFLICT (tenant, name) DO UPDATE SET value = c.value + excluded.value";
    link.change(sql, values![FAILED_LOST.to_owned(), signed(rows)]).await.map(|_| ())
}

/// How much there is of something that has a limit.
async fn size(link: &Link, name: &str) -> Result<u64, StoreError> {
    let row =
        link.row("SELECT size FROM sizes WHERE tenant = 1 AND name = $1", values![name.to_owned()]).await?;
    Ok(row.map(|row| int(&row, 0)).transpose()?.map_or(0, unsigned))
}

/// A moment before which there is a part of the trail that is worth so much, and about as much as goes at once.
async fn oldest_of_the_trail(link: &Link, worth: Worth) -> Result<Option<UnixMicros>, StoreError> {
    let ended = ended(worth).map_or_else(String::new, |ended| {
        format!(
            "UNION ALL (SELECT ended_at AS at {ended} AND ended_at IS NOT NULL ORDER BY ended_at LIMIT $1)"
        )
    });
    let sql = format!(
        "SELECT max(at) FROM (SELECT at FROM (
            (SELECT received_at AS at FROM events WHERE tenant = 1 AND worth = $2 ORDER BY received_at LIMIT $1)
            {ended}) AS o
         ORDER BY at LIMIT $1) AS p"
    );
    let row = link.row(&sql, values![ROWS_MAX, worth_number(worth)]).await?;
    let oldest = row.map(|row| column::<Option<i64>>(&row, 0)).transpose()?.flatten();
    Ok(oldest.map(|at| UnixMicros(at.saturating_add(1))))
}

/// Blanks a part of the events whose content is to go from the journal; answers how many. Those that are gone are done.
pub(super) async fn blank(core: &Core) -> Result<u64, StoreError> {
    let mut held = core.hold().await?;
    let id = core.begin(&mut held, Vec::new()).await?;
    let done = match blanks(&held).await {
        Ok(done) => done,
        Err(error) => return Err(core.undo(&mut held, id, error).await),
    };
    core.commit(held, id).await?;
    Ok(done)
}

async fn blanks(link: &Link) -> Result<u64, StoreError> {
    let sql = "SELECT position FROM blanks WHERE tenant = 1 ORDER BY position LIMIT $1";
    let rows = link.rows(sql, values![BLANKS_MAX]).await?;
    let positions: BTreeSet<Position> =
        rows.iter().map(|row| Ok(Position(uint(row, 0)?))).collect::<Result<_, StoreError>>()?;
    let mut left = positions.iter().copied().peekable();
    let (mut done, mut written) = (Vec::new(), 0);
    while let Some(position) = left.peek().copied().filter(|_| written < BLANKED_BYTES_MAX) {
        let Some((stream, first, count, bytes)) = super::groups::of(link, position).await? else {
            done.extend(left.next().map(|position| signed(position.0)));
            continue;
        };
        let blanked = coding::blanked(Position(unsigned(first)), unsigned(count), &bytes, &positions)?;
        let less = signed(bytes.len() as u64) - signed(blanked.len() as u64);
        written += bytes.len();
        let sql = "UPDATE groups SET bytes = $3, length = length - $4 WHERE tenant = 1 AND stream = $1 AND first = $2";
        link.change(sql, values![number(stream), first, blanked, less]).await?;
        let old = if stream == Stream::Old { less } else { 0 };
        let sql = "UPDATE heads SET bytes = bytes - $1, old_bytes = old_bytes - $2 WHERE tenant = 1";
        link.change(sql, values![less, old]).await?;
        while let Some(next) = left.next_if(|next| signed(next.0) < first + count) {
            done.push(signed(next.0));
        }
    }
    let count = done.len() as u64;
    link.change("DELETE FROM blanks WHERE tenant = 1 AND position = ANY($1)", values![done]).await?;
    Ok(count)
}
