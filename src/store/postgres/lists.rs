//! Everything there is of a kind, a page at a time: keys in order, lists, and searches through all documents.

use tokio_postgres::Row;

use super::link::Link;
use super::load::{key, person};
use super::plan::day;
use super::trail::Filter;
use super::value::{Value, column, int, string, text, texts, uint, values};
use crate::clock::UnixMicros;
use crate::delivery::{CompanyKey, DealKey, HappeningId, Subject};
use crate::event::Email;
use crate::export::{Export, Row as ExportRow};
use crate::person::{PersonKey, TimelineKey};
use crate::store::columns::{email, from_text, int as signed, or_passed_over};
use crate::store::{
    DealQuery, ExportRows, HappeningQuery, Keys, Place, RecordQuery, RecordState, RecordsOf, Silent,
    StoreError, WonQuery,
};

/// Documents looked through at once.
const NAMED_MAX: i64 = 2_000;
/// The same where what is found is decided on in the same turn.
const SILENT_MAX: i64 = 500;

/// The addresses of contacts after one, in order.
pub(super) async fn contacts(
    link: &Link,
    after: Option<&Email>,
    limit: usize,
) -> Result<Vec<Email>, StoreError> {
    let sql = "SELECT email FROM contacts WHERE tenant = 1 AND email > $1 ORDER BY email LIMIT $2";
    let mut found = Vec::new();
    for row in link.rows(sql, values![text(after.map_or("", Email::as_str)), signed(limit as u64)]).await? {
        found.extend(or_passed_over("contact", email(&string(&row, 0)?))?);
    }
    Ok(found)
}

/// How many contacts there are.
pub(super) async fn contacts_count(link: &Link) -> Result<u64, StoreError> {
    let row = link.row("SELECT count(*) FROM contacts WHERE tenant = 1", values![]).await?;
    row.map(|row| uint(&row, 0)).transpose().map(Option::unwrap_or_default)
}

/// The keys of deals, in order.
pub(super) async fn deals(link: &Link, query: &DealQuery) -> Result<Vec<DealKey>, StoreError> {
    let DealQuery { after, found_by, held, limit } = query;
    let sql = "SELECT key FROM deals WHERE tenant = 1 AND key > $1
        AND ($2::text IS NULL OR (left(found_by, 300) = left($2, 300) AND found_by = $2))
        AND ($3::text IS NULL OR (held_for = $3 AND held = $4)) ORDER BY key LIMIT $5";
    let values = values![
        text(&after.as_ref().map(ToString::to_string).unwrap_or_default()),
        found_by.as_deref().map(text),
        held.as_ref().map(|(account, _)| text(&account.0)),
        held.as_ref().map(|(_, cause)| text(cause)),
        signed(*limit as u64),
    ];
    let mut found = Vec::new();
    for row in link.rows(sql, values).await? {
        found.extend(or_passed_over("deal", key("deal", &string(&row, 0)?))?);
    }
    Ok(found)
}

/// The keys of companies after one, in order.
pub(super) async fn companies(
    link: &Link,
    after: Option<&CompanyKey>,
    limit: usize,
) -> Result<Vec<CompanyKey>, StoreError> {
    let sql = "SELECT key FROM companies WHERE tenant = 1 AND key > $1 ORDER BY key LIMIT $2";
    let mut found = Vec::new();
    for row in
        link.rows(sql, values![text(after.map_or("", CompanyKey::as_str)), signed(limit as u64)]).await?
    {
        found.extend(or_passed_over("company", key("company", &string(&row, 0)?))?);
    }
    Ok(found)
}

/// The ids of what is still to be told of an account, after one, in order.
pub(super) async fn open_happenings(
    link: &Link,
    query: &HappeningQuery,
) -> Result<Vec<HappeningId>, StoreError> {
    let sql = "SELECT key FROM happenings WHERE tenant = 1 AND account = $1 AND open AND key > $2 ORDER BY key LIMIT $3";
    let after = query.after.as_ref().map(ToString::to_string).unwrap_or_default();
    let values = values![text(&query.account.0), text(&after), signed(query.limit as u64)];
    let mut found = Vec::new();
    for row in link.rows(sql, values).await? {
        found.extend(or_passed_over("happening", key("happening", &string(&row, 0)?))?);
    }
    Ok(found)
}

/// The persons of a crowd after one, in the order of their keys as text.
pub(super) async fn members(
    link: &Link,
    email: &Email,
    after: Option<&PersonKey>,
    limit: usize,
) -> Result<Vec<PersonKey>, StoreError> {
    let sql = "SELECT DISTINCT member FROM contributions WHERE tenant = 1 AND email = $1 AND member > $2
               ORDER BY member LIMIT $3";
    let after = after.map(ToString::to_string).unwrap_or_default();
    let rows = link.rows(sql, values![text(email.as_str()), text(&after), signed(limit as u64)]).await?;
    rows.iter().map(|row| person(&string(row, 0)?)).collect()
}

/// Deals, companies or happenings, the newest first, each with its place.
pub(super) async fn listed(link: &Link, query: &RecordQuery) -> Result<Vec<(u64, Subject)>, StoreError> {
    let (table, prefix) = match &query.of {
        RecordsOf::Deals { .. } => ("deals", "deal:"),
        RecordsOf::Companies => ("companies", "company:"),
        RecordsOf::Happenings { .. } => ("happenings", "happening:"),
    };
    let account = || Some(text(&query.account.0));
    let mut filter = Filter::new()
        .with("n < ?", query.before.map(signed))
        .with("strpos(lower(key), ?) > 0", query.words.as_ref().map(|words| text(&words.to_lowercase())));
    if let RecordsOf::Deals { email, kind, held } = &query.of {
        // `PEOPLE/KIND/KEY`
        filter = filter
            .with("found_by = ?", email.as_ref().map(|email| text(email.as_str())))
            .with("split_part(key, '/', 2) = ?", kind.as_deref().map(text))
            .with("held_for = ?", held.as_ref().and_then(|_| account()))
            .with("held = ?", held.as_deref().map(text));
    }
    if let RecordsOf::Happenings { email, state, held } = &query.of {
        filter = filter
            .with("email = ?", email.as_ref().map(|email| text(email.as_str())))
            .with("state = ?", state.map(|state| state.as_str().to_owned()))
            .with("held = ?", held.as_deref().map(text));
    }
    if let Some(state) = query.state {
        filter = stands(filter, state, matches!(query.of, RecordsOf::Deals { .. }), (prefix, account()));
    }
    let rows = filter.rows(link, ("n, key", table, "n"), query.limit.rows()).await?;
    rows.iter()
        .map(|row| {
            let name = string(row, 1)?;
            let subject = match &query.of {
                RecordsOf::Deals { .. } => Subject::Deal(key("deal", &name)?),
                RecordsOf::Companies => Subject::Company(key("company", &name)?),
                RecordsOf::Happenings { .. } => Subject::Happening(key("happening", &name)?),
            };
            Ok((uint(row, 0)?, subject))
        })
        .collect()
}

/// How a record stands: by its open delivery, or by what holds it back.
fn stands(
    filter: Filter,
    state: RecordState,
    has_held: bool,
    (prefix, account): (&str, Option<String>),
) -> Filter {
    let open = |states: &str| {
        format!(
            "EXISTS (SELECT 1 FROM deliveries AS d WHERE d.tenant = 1 AND d.subject = '{prefix}' || key
                     AND d.account = ? AND d.state IN ({states}))"
        )
    };
    match state {
        RecordState::Held if has_held => filter.with("held_for = ? AND held IS NOT NULL", account),
        RecordState::Held => filter.with("? = '' AND false", account),
        RecordState::Queued => filter.with(&open("0, 2"), account),
        RecordState::InFlight => filter.with(&open("1"), account),
        RecordState::Refused => filter.with(&open("5"), account),
        RecordState::Settled => {
            let not_held = account.clone().filter(|_| has_held);
            let settled = filter.with(&format!("NOT {}", open("0, 1, 2, 5")), account);
            settled.with("(held IS NULL OR held_for <> ?)", not_held)
        }
    }
}

/// Documents in which one of some texts stands, from a place on; and the next place.
pub(super) async fn find(
    link: &Link,
    words: &[String],
    from: Place,
) -> Result<(Keys, Option<Place>), StoreError> {
    let stands = "EXISTS (SELECT 1 FROM unnest($3::text[]) AS u(word) WHERE strpos(body, u.word) > 0 OR strpos(key, u.word) > 0)";
    page(link, from, NAMED_MAX, stands, vec![Box::new(texts(words))]).await
}

/// People, time lines and deals last written on a day before, and contacts without anybody.
pub(super) async fn silent(
    link: &Link,
    silent: Silent,
    from: Place,
) -> Result<(Keys, Option<Place>), StoreError> {
    match from {
        Place::People(_) | Place::Deals(_) => {
            page(link, from, SILENT_MAX, "day < $3", values![day(silent.people)]).await
        }
        Place::Timelines(_) => page(link, from, SILENT_MAX, "day < $3", values![day(silent.devices)]).await,
        Place::Contacts(_) => {
            page(link, from, SILENT_MAX, "strpos(body, '\"members\":[]') > 0", values![]).await
        }
        // What is known of a company is nobody's.
        Place::Companies(_) => Ok((Keys::default(), Some(Place::Happenings(0)))),
        Place::Happenings(_) => {
            // Nobody waits as long for an email or for consent as for anything else.
            let old = "day < CASE WHEN waits THEN $3::bigint ELSE $4::bigint END";
            page(link, from, SILENT_MAX, old, values![day(silent.people), day(silent.told)]).await
        }
    }
}

async fn page(
    link: &Link,
    from: Place,
    rows_max: i64,
    condition: &str,
    more: Vec<Value>,
) -> Result<(Keys, Option<Place>), StoreError> {
    let (table, key, day, waits, after) = match from {
        Place::People(after) => ("people", "key", "day", "false", after),
        Place::Timelines(after) => ("timelines", "people || chr(10) || anonymous_id", "day", "false", after),
        Place::Contacts(after) => ("contacts", "email", "0", "false", after),
        Place::Deals(after) => ("deals", "key", "day", "false", after),
        Place::Companies(after) => ("companies", "key", "0", "false", after),
        Place::Happenings(after) => {
            ("happenings", "key", "day", "open AND held NOT IN ('no_email', 'consent')", after)
        }
    };
    let sql = format!(
        "WITH part AS MATERIALIZED (SELECT n, {key} AS key, body, {day} AS day, {waits} AS waits FROM {table}
            WHERE tenant = 1 AND n > $1 ORDER BY n LIMIT $2)
         SELECT NULL::text, max(n), count(*) FROM part
         UNION ALL (SELECT key, n, 0 FROM part WHERE {condition} ORDER BY n)"
    );
    let mut all = values![after, rows_max];
    all.extend(more);
    let rows = link.rows(&sql, all).await?;
    let (mut keys, mut last, mut looked) = (Keys::default(), None, 0);
    for row in &rows {
        match column::<Option<String>>(row, 0)? {
            None => (last, looked) = (column::<Option<i64>>(row, 1)?, int(row, 2)?),
            Some(_) => drop(or_passed_over("key", take(&string(row, 0)?, from, &mut keys))?),
        }
    }
    let more = last.filter(|_| looked >= rows_max);
    let next = match (from, more) {
        (Place::People(_), Some(to)) => Some(Place::People(to)),
        (Place::Timelines(_), Some(to)) => Some(Place::Timelines(to)),
        (Place::Contacts(_), Some(to)) => Some(Place::Contacts(to)),
        (Place::Deals(_), Some(to)) => Some(Place::Deals(to)),
        (Place::Companies(_), Some(to)) => Some(Place::Companies(to)),
        (Place::Happenings(_), Some(to)) => Some(Place::Happenings(to)),
        (Place::People(_), None) => Some(Place::Timelines(0)),
        (Place::Timelines(_), None) => Some(Place::Contacts(0)),
        (Place::Contacts(_), None) => Some(Place::Deals(0)),
        (Place::Deals(_), None) => Some(Place::Companies(0)),
        (Place::Companies(_), None) => Some(Place::Happenings(0)),
        (Place::Happenings(_), None) => None,
    };
    Ok((keys, next))
}

fn take(name: &str, place: Place, keys: &mut Keys) -> Result<(), StoreError> {
    match place {
        Place::People(_) => drop(keys.people.insert(person(name)?)),
        Place::Timelines(_) => {
            let (people, id) = name.split_once('\n').unwrap_or_default();
            keys.timelines.insert(TimelineKey { people: people.to_owned(), anonymous_id: id.to_owned() });
        }
        Place::Contacts(_) => drop(keys.contacts.insert(email(name)?)),
        Place::Deals(_) => drop(keys.deals.insert(key("deal", name)?)),
        Place::Companies(_) => drop(keys.companies.insert(key("company", name)?)),
        Place::Happenings(_) => drop(keys.happenings.insert(key("happening", name)?)),
    }
    Ok(())
}

/// Deals that are won, the first first.
pub(super) async fn won(link: &Link, query: &WonQuery) -> Result<Vec<(DealKey, UnixMicros)>, StoreError> {
    let (at, after) =
        query.after.as_ref().map_or((query.since.0, String::new()), |(key, at)| (at.0, key.to_string()));
    let sql = "SELECT key, at FROM won WHERE tenant = 1 AND (at, key) > ($1, $2) AND stands ORDER BY at, key LIMIT $3";
    let mut found = Vec::new();
    for row in link.rows(sql, values![at, text(&after), signed(query.limit.rows() as u64)]).await? {
        let at = UnixMicros(int(&row, 1)?);
        found.extend(or_passed_over("deal", key("deal", &string(&row, 0)?))?.map(|key| (key, at)));
    }
    Ok(found)
}

/// All exports, the oldest first.
pub(super) async fn exports(link: &Link) -> Result<Vec<Export>, StoreError> {
    let mut found = Vec::new();
    for row in link.rows("SELECT body FROM exports WHERE tenant = 1 ORDER BY id", values![]).await? {
        found.extend(or_passed_over("export", from_text("export", &string(&row, 0)?))?);
    }
    Ok(found)
}

/// Rows of an export, in the order of ids.
pub(super) async fn export_rows(link: &Link, query: ExportRows) -> Result<Vec<ExportRow>, StoreError> {
    let which = if query.thin { "whole = 0" } else { "whole < 2" };
    let sql = format!(
        "SELECT body FROM export_rows WHERE tenant = 1 AND export = $1 AND deal > $2 AND {which} ORDER BY deal LIMIT $3"
    );
    let values = values![signed(query.export), signed(query.after), signed(query.limit as u64)];
    let mut found = Vec::new();
    for row in link.rows(&sql, values).await? {
        found.extend(or_passed_over("export", from_text("export", &string(&row, 0)?))?);
    }
    Ok(found)
}

/// How many rows of an export there are, and of how many not everything is known.
pub(super) async fn export_counts(link: &Link, export: u64) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE whole = 0) FROM export_rows
               WHERE tenant = 1 AND export = $1 AND whole < 2";
    let row: Option<Row> = link.row(sql, values![signed(export)]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((uint(&row, 0)?, uint(&row, 1)?)))
}

/// Deletes what exports hold of rows that name one of some people.
pub(super) async fn erase_mentions(link: &Link, names: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let (mut exports, mut deals) = (Vec::new(), Vec::new());
    let sql = "SELECT export, deal, body FROM export_rows WHERE tenant = 1 AND body IS NOT NULL";
    for row in link.rows(sql, values![]).await? {
        if names(&string(&row, 2)?) {
            exports.push(int(&row, 0)?);
            deals.push(int(&row, 1)?);
        }
    }
    let sql = "UPDATE export_rows AS e SET body = NULL, whole = 2
        FROM unnest($1::bigint[], $2::bigint[]) AS u(export, deal)
        WHERE e.tenant = 1 AND e.export = u.export AND e.deal = u.deal";
    link.change(sql, values![exports, deals]).await.map(|_| ())
}
