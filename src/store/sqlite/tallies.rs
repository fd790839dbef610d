//! Tallies: a row for each half hour and what was counted in it.
//!
//! Must not hold a word that a stranger chose: their names come from the configuration.

use rusqlite::Connection;

use super::change::change;
use super::columns::{or_passed_over, state, state_number, uint};
use crate::decision::Outcome;
use crate::event::SourceName;
use crate::store::StoreError;
use crate::trail::{Said, Span, Tallied, Tallies};

/// The step of the schema.
pub(super) const STEP: &str = "
    -- What came and what became of it, by the half hour: 1 events by source, name and outcome; 2 what was said of consent, by
    -- source, tool, category and choice; 3 deliveries by the state that they ended in.
    CREATE TABLE tallies (
        span INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        source TEXT NOT NULL,
        name TEXT NOT NULL,
        beside TEXT NOT NULL,
        word TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (span, kind, source, name, beside, word)
    ) STRICT, WITHOUT ROWID;
";

/// Spans that are kept: those of a week ago are compared with.
const SPANS_KEPT: i64 = 9 * 48;

/// Adds to the counts.
pub(super) fn add(connection: &Connection, tallies: &Tallies) -> Result<(), StoreError> {
    let sql = "INSERT INTO tallies (span, kind, source, name, beside, word, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT DO UPDATE SET count = count + excluded.count";
    for ((span, tallied), by) in tallies {
        let number;
        let (kind, source, name, beside, word) = match tallied {
            Tallied::Event(source, name, outcome) => {
                (1, source.0.as_str(), name.as_str(), "", outcome.as_str())
            }
            Tallied::Consent(source, tool, category, said) => {
                (2, source.0.as_str(), tool.as_str(), category.as_str(), said.as_str())
            }
            Tallied::Ended(state) => {
                number = state_number(*state).to_string();
                (3, "", "", "", number.as_str())
            }
        };
        change(connection, sql, (span.0, kind, source, name, beside, word, by))?;
    }
    Ok(())
}

/// What was counted from a half hour on and before another.
pub(super) fn between(
    connection: &Connection,
    (from, to): (Span, Span),
) -> Result<Vec<(Tallied, u64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, source, name, beside, word, sum(count) FROM tallies WHERE span >= ?1 AND span < ?2
         GROUP BY kind, source, name, beside, word",
    )?;
    let mut rows = statement.query((from.0, to.0))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| row.get::<_, String>(column);
        let (kind, source, name) = (row.get(0)?, SourceName(text(1)?), text(2)?);
        let read = read(kind, source, name, text(3)?, &text(4)?);
        // What another version counted is none of this one's.
        let read = or_passed_over("tally", read)?;
        found.extend(
            read.map(|tallied| (tallied, row.get(5).map(uint)))
                .and_then(|(tallied, count)| Some((tallied, count.ok()?))),
        );
    }
    Ok(found)
}

fn read(
    kind: i64,
    source: SourceName,
    name: String,
    beside: String,
    word: &str,
) -> Result<Tallied, StoreError> {
    let unknown = || StoreError::Unreadable("tally", format!("{kind} {word}"));
    match kind {
        1 => Ok(Tallied::Event(source, name, Outcome::parse(word).ok_or_else(unknown)?)),
        2 => {
            let said = Said::ALL.into_iter().find(|said| said.as_str() == word).ok_or_else(unknown)?;
            Ok(Tallied::Consent(source, name, beside, said))
        }
        3 => Ok(Tallied::Ended(state(word.parse().map_err(|_| unknown())?)?)),
        _ => Err(unknown()),
    }
}

/// Deletes what is older than anybody compares with.
pub(super) fn prune(connection: &Connection, now: Span, rows_max: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM tallies WHERE (span, kind, source, name, beside, word) IN
        (SELECT span, kind, source, name, beside, word FROM tallies WHERE span < ?1 LIMIT ?2)";
    Ok(change(connection, sql, (now.0 - SPANS_KEPT, rows_max))? as u64)
}
