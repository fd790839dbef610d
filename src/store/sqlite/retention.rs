//! Retention: deletes what has had its time, oldest first, a bounded part at a time.
//!
//! Must not touch counters, what has not taken effect, or what is still owed.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::columns::{int, uint};
use super::{failed, outputs, records, tallies, won};
use crate::clock::UnixMicros;
use crate::event::Position;
pub(super) use crate::store::columns::worth_number as number;
use crate::store::{Keep, Processed, StoreError, Stream, Worths};
use crate::trail::{Span, Worth};

/// Rows of one table that go at once, so that plans do not wait long: together about 20 ms.
const ROWS_MAX: i64 = 250;
/// What goes of the journal at once, so that appends do not wait long.
const BYTES_MAX: u64 = 16 << 20;
/// The same for many small groups.
const GROUPS_MAX: u64 = 1000;
/// The share of its size from which on the journal loses events whatever their age.
const FULL_PERCENT: u64 = 80;

pub(super) const SEEN: &str = "DELETE FROM seen WHERE (source, message_id) IN
    (SELECT source, message_id FROM seen WHERE received_at < ?1 ORDER BY received_at LIMIT ?2)";
pub(super) const TRAIL: &str = "DELETE FROM events WHERE position IN
    (SELECT position FROM events WHERE worth = ?3 AND received_at < ?1 ORDER BY received_at LIMIT ?2)";
/// Deliveries that ended, of lanes whose contacts were refreshed. Those that are open or dead have to stay.
const REFRESHED: &str =
    "FROM deliveries INDEXED BY deliveries_refreshed WHERE state IN (3, 4, 6, 7) AND lane IN (3, 4, 5)";
/// Those of the other lanes.
const CONVERTED: &str =
    "FROM deliveries INDEXED BY deliveries_by_end WHERE state IN (3, 4, 6, 7) AND lane NOT IN (3, 4, 5)";

/// What became of an event is kept by what it is worth: 0 of nobody, 1 a refresh, 2 a lead, an order or a withdrawal. What was
/// kept before counts as the last.
pub(super) const STEP: &str = "
    ALTER TABLE events ADD COLUMN worth INTEGER NOT NULL DEFAULT 2;
    DROP INDEX events_by_receipt;
    CREATE INDEX events_by_worth ON events (worth, received_at);
    CREATE INDEX deliveries_refreshed ON deliveries (ended_at) WHERE state IN (3, 4, 6, 7) AND lane IN (3, 4, 5);
    INSERT INTO sizes VALUES
        ('trail 0', 0),
        ('trail 1', (SELECT coalesce(sum(length(body) + 200), 0) FROM deliveries
            WHERE state IN (3, 4, 6, 7) AND lane IN (3, 4, 5)));
    INSERT INTO sizes SELECT 'trail 2', size - (SELECT size FROM sizes WHERE name = 'trail 1') FROM sizes WHERE name = 'trail';
    DELETE FROM sizes WHERE name = 'trail';
    DROP TRIGGER event_sized;
    DROP TRIGGER event_unsized;
    DROP TRIGGER delivery_sized;
    DROP TRIGGER delivery_unsized;
    DROP TRIGGER delivery_size_left;
    DROP TRIGGER delivery_size_came;
    CREATE TRIGGER event_sized AFTER INSERT ON events BEGIN
        UPDATE sizes SET size = size + length(new.body) + length(new.message_id) + 200 WHERE name = 'trail ' || new.worth;
    END;
    CREATE TRIGGER event_unsized AFTER DELETE ON events BEGIN
        UPDATE sizes SET size = size - length(old.body) - length(old.message_id) - 200 WHERE name = 'trail ' || old.worth;
    END;
    CREATE TRIGGER delivery_sized AFTER INSERT ON deliveries WHEN new.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size + length(new.body) + 200
            WHERE name = iif(new.lane IN (3, 4, 5), 'trail 1', 'trail 2');
    END;
    CREATE TRIGGER delivery_unsized AFTER DELETE ON deliveries WHEN old.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size - length(old.body) - 200
            WHERE name = iif(old.lane IN (3, 4, 5), 'trail 1', 'trail 2');
    END;
    CREATE TRIGGER delivery_size_left AFTER UPDATE OF body ON deliveries WHEN old.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size - length(old.body) - 200
            WHERE name = iif(old.lane IN (3, 4, 5), 'trail 1', 'trail 2');
    END;
    CREATE TRIGGER delivery_size_came AFTER UPDATE OF body ON deliveries WHEN new.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size + length(new.body) + 200
            WHERE name = iif(new.lane IN (3, 4, 5), 'trail 1', 'trail 2');
    END;
";

/// Deliveries of a worth that ended, where there are any.
pub(super) fn ended(worth: Worth) -> Option<&'static str> {
    match worth {
        Worth::Anonymous => None,
        Worth::Refresh => Some(REFRESHED),
        Worth::Conversion => Some(CONVERTED),
    }
}

/// Deletes a part of what the state need not keep; the answer is how many rows. `waiting_since` is when the
/// oldest event was received that has not taken effect, `now` the half hour that it is.
pub(super) fn prune_state(
    state: &mut Connection,
    keep: Keep,
    (waiting_since, now): (Option<UnixMicros>, Span),
) -> Result<u64, StoreError> {
    // An event that waited that long may repeat any message seen: all are kept until it has taken effect.
    let behind = waiting_since.is_some_and(|since| since < keep.seen_since);
    let seen = (!behind).then_some((SEEN, keep.seen_since));
    let transaction = state.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rows = 0;
    for worth in Worth::ALL {
        rows += prune_trail(&transaction, worth, keep)?;
    }
    if let Some((sql, since)) = seen {
        rows += transaction.prepare_cached(sql)?.execute((since.0, ROWS_MAX))? as u64;
    }
    let trail_since = keep.trail.conversion.since;
    rows += failed::prune(&transaction, trail_since, ROWS_MAX)?;
    rows += tallies::prune(&transaction, now, ROWS_MAX)?;
    rows += outputs::prune(&transaction, trail_since, ROWS_MAX)?;
    rows += won::prune(&transaction, keep.won_since, ROWS_MAX)?;
    // The limit holds whatever waits: a message that comes again after so many others counts again.
    let excess = int(size(&transaction, "seen")?.saturating_sub(keep.seen_max));
    if excess > 0 {
        rows += transaction.prepare_cached(SEEN)?.execute((i64::MAX, excess.min(ROWS_MAX)))? as u64;
    }
    transaction.commit()?;
    Ok(rows)
}

/// Deletes a part of the trail that is worth so much, and of the deliveries.
fn prune_trail(state: &Connection, worth: Worth, keep: Keep) -> Result<u64, StoreError> {
    let keep = keep.trail.of(worth);
    let crowded = size(state, &format!("trail {}", number(worth)))? > keep.bytes_max;
    let oldest = if crowded { oldest_of_the_trail(state, worth)? } else { None };
    let since = oldest.map_or(keep.since, |oldest| keep.since.max(oldest));
    let mut rows = state.prepare_cached(TRAIL)?.execute((since.0, ROWS_MAX, number(worth)))?;
    if let Some(ended) = ended(worth) {
        rows += state.prepare_cached(&delete_ended(ended))?.execute((since.0, ROWS_MAX))?;
    }
    Ok(rows as u64)
}

pub(super) fn delete_ended(ended: &str) -> String {
    format!(
        "DELETE FROM deliveries WHERE sequence IN (SELECT sequence {ended} AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)"
    )
}

/// The oldest event of which the trail is kept, by what it is worth.
pub(super) fn trail_since(state: &Connection) -> Result<Worths<Option<UnixMicros>>, StoreError> {
    let mut statement = state.prepare_cached("SELECT min(received_at) FROM events WHERE worth = ?1")?;
    Worths::try_each(|worth| {
        let oldest: Option<i64> = statement.query_row([number(worth)], |row| row.get(0))?;
        Ok(oldest.map(UnixMicros))
    })
}

/// How much there is of something that has a limit.
fn size(state: &Connection, name: &str) -> Result<u64, StoreError> {
    let size = state
        .prepare_cached("SELECT size FROM sizes WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?;
    Ok(uint(size))
}

/// A moment before which there is a part of the trail that is worth so much, and about as much as goes at once.
fn oldest_of_the_trail(state: &Connection, worth: Worth) -> Result<Option<UnixMicros>, StoreError> {
    let ended = ended(worth).map_or_else(String::new, |ended| {
        format!(
            "UNION ALL
             SELECT * FROM (SELECT ended_at AS at {ended} AND ended_at IS NOT NULL ORDER BY ended_at LIMIT ?1)"
        )
    });
    let oldest: Option<i64> = state
        .prepare_cached(&format!(
            "SELECT max(at) FROM (SELECT at FROM (
                SELECT * FROM (SELECT received_at AS at FROM events WHERE worth = ?2 ORDER BY received_at LIMIT ?1)
                {ended}
             ) ORDER BY at LIMIT ?1)"
        ))?
        .query_row([ROWS_MAX, number(worth)], |row| row.get(0))?;
    Ok(oldest.map(|at| UnixMicros(at.saturating_add(1))))
}

/// What was deleted of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pruned {
    pub(super) groups: u64,
    bytes: u64,
    /// Bytes of old data among them.
    pub(super) old_bytes: u64,
}

/// Deletes a part of the groups that took effect and that the journal need not keep, or has no room for;
/// answers what went. `end` is the last position given, `old_bytes` how much old data there is.
pub(super) fn prune_journal(
    journal: &mut Connection,
    keep: Keep,
    processed: Processed,
    end: Position,
    old_bytes: u64,
) -> Result<Pruned, StoreError> {
    let share = |bytes_max: u64| bytes_max / 100 * FULL_PERCENT;
    let excess = used_bytes(journal)?.saturating_sub(share(keep.journal_bytes_max));
    let old_excess = old_bytes.saturating_sub(share(old_bytes_max(keep.journal_bytes_max))).max(excess);
    let transaction = journal.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut pruned = Pruned::default();
    // Old data first: it was loaded at one go and can be loaded again.
    prune_stream(&transaction, Stream::Old, keep, processed.old, old_excess, &mut pruned)?;
    pruned.old_bytes = pruned.bytes;
    prune_stream(&transaction, Stream::Live, keep, processed.live, excess, &mut pruned)?;
    if pruned.groups > 0 {
        transaction.prepare_cached("UPDATE pruned SET journal_end = ?1")?.execute([int(end.0)])?;
        transaction.commit()?;
    }
    Ok(pruned)
}

/// How much of the journal old data may hold.
pub(super) fn old_bytes_max(journal_bytes_max: u64) -> u64 {
    journal_bytes_max / 2
}

fn prune_stream(
    journal: &Connection,
    stream: Stream,
    keep: Keep,
    processed: Position,
    excess: u64,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let groups = records::table(stream);
    while pruned.groups < GROUPS_MAX && pruned.bytes < BYTES_MAX {
        let oldest: Option<(i64, i64, i64)> = journal
            .prepare_cached(&format!(
                "SELECT first, count, length(bytes) FROM {groups} ORDER BY first LIMIT 1"
            ))?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((first, count, length)) =
            oldest.filter(|(first, count, _)| first + count - 1 <= int(processed.0))
        else {
            break;
        };
        if pruned.bytes >= excess && !is_before(journal, groups, (first, count), keep.journal_since)? {
            break;
        }
        journal.prepare_cached(&format!("DELETE FROM {groups} WHERE first = ?1"))?.execute([first])?;
        pruned.groups += 1;
        pruned.bytes += uint(length);
    }
    Ok(())
}

/// Whether all events of a group were received before a moment.
fn is_before(
    journal: &Connection,
    groups: &str,
    (first, count): (i64, i64),
    since: UnixMicros,
) -> Result<bool, StoreError> {
    let mut statement = journal.prepare_cached(&format!("SELECT bytes FROM {groups} WHERE first = ?1"))?;
    let mut rows = statement.query([first])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    records::received_before(Position(uint(first)), uint(count), bytes, since)
}

/// What the journal takes, without the pages that are free for what comes.
fn used_bytes(journal: &Connection) -> Result<u64, StoreError> {
    let pragma = |name| journal.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok(uint(pages) * uint(pragma("page_size")?))
}
