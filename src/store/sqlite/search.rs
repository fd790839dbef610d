//! Searches through all documents, a page at a time: which of them name somebody, and which were silent for long.

use rusqlite::{Connection, ToSql};

use super::columns::{email, or_passed_over};
use super::deals;
use crate::clock::UnixMicros;
use crate::person::TimelineKey;
use crate::store::{Keys, Place, Silent, StoreError};

/// Documents looked through at once.
const NAMED_MAX: i64 = 2_000;
/// The same where what is found is decided on in the same turn.
const SILENT_MAX: i64 = 500;
const DAY_MICROS: i64 = 86_400_000_000;

/// The day of a moment.
pub(super) fn day(moment: UnixMicros) -> i64 {
    moment.0.div_euclid(DAY_MICROS)
}

/// Documents in which one of some texts stands, from a place on; and the next place.
pub(super) fn named(
    connection: &Connection,
    texts: &[String],
    from: Place,
) -> Result<(Keys, Option<Place>), StoreError> {
    let stands = vec!["instr(body, ?) OR instr(key, ?)"; texts.len()].join(" OR ");
    let values: Vec<&dyn ToSql> = texts.iter().flat_map(|text| [text as &dyn ToSql, text]).collect();
    page(connection, from, NAMED_MAX, if texts.is_empty() { "0" } else { &stands }, &values)
}

/// People, time lines and deals last written on a day before, and contacts without anybody.
pub(super) fn silent(
    connection: &Connection,
    silent: Silent,
    from: Place,
) -> Result<(Keys, Option<Place>), StoreError> {
    match from {
        Place::People(_) | Place::Deals(_) => {
            page(connection, from, SILENT_MAX, "day < ?", &[&day(silent.people)])
        }
        Place::Timelines(_) => page(connection, from, SILENT_MAX, "day < ?", &[&day(silent.devices)]),
        Place::Contacts(_) => page(connection, from, SILENT_MAX, "instr(body, '\"members\":[]')", &[]),
        // What is known of a company is nobody's.
        Place::Companies(_) => Ok((Keys::default(), Some(Place::Happenings(0)))),
        Place::Happenings(_) => {
            let (open, told) = (day(silent.people), day(silent.told));
            // Nobody waits as long for an email or for consent as for anything else.
            let old = "day < iif(open = 'open', ?, ?)";
            page(connection, from, SILENT_MAX, old, &[&open, &told])
        }
    }
}

fn page(
    connection: &Connection,
    from: Place,
    rows_max: i64,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<(Keys, Option<Place>), StoreError> {
    let open = if let Place::Happenings(_) = from {
        "iif(open AND held NOT IN ('no_email', 'consent'), 'open', '')"
    } else {
        "''"
    };
    let (table, key, day, after) = match from {
        Place::People(after) => ("people", "key", "day", after),
        Place::Timelines(after) => ("timelines", "people || char(10) || anonymous_id", "day", after),
        Place::Contacts(after) => ("contacts", "email", "0", after),
        Place::Deals(after) => ("deals", "key", "day", after),
        Place::Companies(after) => ("companies", "key", "0", after),
        Place::Happenings(after) => ("happenings", "key", "day", after),
    };
    let to = after.saturating_add(rows_max);
    let sql = format!(
        "SELECT key FROM (SELECT {key} AS key, body, {day} AS day, {open} AS open FROM {table} WHERE rowid > {after} AND rowid <= {to})
         WHERE {condition}"
    );
    let mut keys = Keys::default();
    {
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            or_passed_over("key", take(&row.get::<_, String>(0)?, from, &mut keys))?;
        }
    }
    let last: Option<i64> =
        connection.query_row(&format!("SELECT max(rowid) FROM {table}"), (), |row| row.get(0))?;
    let more = last.is_some_and(|last| to < last);
    let next = match from {
        Place::People(_) if more => Some(Place::People(to)),
        Place::Timelines(_) if more => Some(Place::Timelines(to)),
        Place::Contacts(_) if more => Some(Place::Contacts(to)),
        Place::Deals(_) if more => Some(Place::Deals(to)),
        Place::Companies(_) if more => Some(Place::Companies(to)),
        Place::Happenings(_) if more => Some(Place::Happenings(to)),
        Place::People(_) => Some(Place::Timelines(0)),
        Place::Timelines(_) => Some(Place::Contacts(0)),
        Place::Contacts(_) => Some(Place::Deals(0)),
        Place::Deals(_) => Some(Place::Companies(0)),
        Place::Companies(_) => Some(Place::Happenings(0)),
        Place::Happenings(_) => None,
    };
    Ok((keys, next))
}

fn take(key: &str, place: Place, keys: &mut Keys) -> Result<(), StoreError> {
    match place {
        Place::People(_) => {
            let unreadable = |_| StoreError::Unreadable("person", "its key".to_owned());
            keys.people.insert(key.parse().map_err(unreadable)?);
        }
        Place::Timelines(_) => {
            let (people, id) = key.split_once('\n').unwrap_or_default();
            let (people, anonymous_id) = (people.to_owned(), id.to_owned());
            keys.timelines.insert(TimelineKey { people, anonymous_id });
        }
        Place::Contacts(_) => {
            keys.contacts.insert(email(key)?);
        }
        Place::Deals(_) => {
            keys.deals.insert(deals::key("deal", key)?);
        }
        Place::Companies(_) => {
            keys.companies.insert(deals::key("company", key)?);
        }
        Place::Happenings(_) => {
            keys.happenings.insert(deals::key("happening", key)?);
        }
    }
    Ok(())
}
