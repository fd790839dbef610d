//! Loading documents: one look-up a table, all on their way at once.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::core::Core;
use super::documents::line_key;
use super::link::Link;
use super::privacy;
use super::value::{column, hash, string, text, texts, uint, values};
use crate::clock::UnixMicros;
use crate::delivery::{DealKey, HappeningId, NoSubject, Subject};
use crate::erasure::Mark;
use crate::event::{CrmRecord, Email, Position, SourceName};
use crate::person::PersonKey;
use crate::store::columns::{from_text, int as signed};
use crate::store::{DEALS_OF_MAX, Destination, Documents, HAPPENINGS_OF_MAX, Keys, StoreError, Versioned};

/// Rows of one stamp that are looked at: one message says a thing of few persons.
const TIES_MAX: i64 = 8;

/// A document from a row that has its key first, then its revision and its body.
fn document<T: DeserializeOwned>(what: &'static str, row: &Row) -> Result<Versioned<T>, StoreError> {
    Ok(Versioned { revision: uint(row, 1)?, document: from_text(what, &string(row, 2)?)? })
}

/// A key from a column.
pub(super) fn key<K: FromStr<Err = NoSubject>>(what: &'static str, text: &str) -> Result<K, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable(what, "its key".to_owned()))
}

/// A person from a column.
pub(super) fn person(text: &str) -> Result<PersonKey, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("person", "its key".to_owned()))
}

/// Loads what exists of the documents asked for.
pub(super) async fn load(link: &Link, core: &Core, keys: Keys) -> Result<Documents, StoreError> {
    let lines = keys.timelines.into_iter().map(|key| (line_key(&key), key)).collect();
    let people = keys.people.into_iter().map(|key| (key.to_string(), key)).collect();
    let (people, timelines, contacts, suppressed, deliveries) = tokio::try_join!(
        by_hash(link, "person", "people", people),
        by_hash(link, "timeline", "timelines", lines),
        by_key(link, "contact", ("contacts", "email"), named(&keys.contacts, Email::as_str)),
        if_any(&keys.contacts, privacy::suppressed(link, &core.key, &keys.contacts)),
        by_key(link, "delivery", ("deliveries", "id"), named(&keys.deliveries, |id| id.0.as_str())),
    )?;
    let deals = keys.deals.into_iter().map(|key| (key.to_string(), key)).collect();
    let happenings = keys.happenings.into_iter().map(|key| (key.to_string(), key)).collect();
    let (mut deals, deals_of, companies, mut happenings, happenings_of) = tokio::try_join!(
        by_key(link, "deal", ("deals", "key"), deals),
        if_any(&keys.deals_of, held_deals(link, &keys.deals_of)),
        by_key(link, "company", ("companies", "key"), named(&keys.companies, |key| key.as_str())),
        by_key(link, "happening", ("happenings", "key"), happenings),
        if_any(&keys.happenings_of, happenings_about(link, &keys.happenings_of)),
    )?;
    deals.extend(deals_of);
    happenings.extend(happenings_of);
    let (marked, seen, crowds, by_id) = tokio::try_join!(
        if_any(&keys.marks, privacy::tombstones(link, &core.key, keys.marks.clone())),
        if_any(&keys.seen, privacy::seen(link, &core.key, keys.seen.clone())),
        if_any(&keys.crowds, crowds(link, &keys.crowds, &keys.without)),
        if_any(&keys.crm_ids, ids(link, keys.destination.as_ref().map(|of| of.0.as_str()), &keys.crm_ids)),
    )?;
    let destination = match &keys.destination {
        Some(account) => {
            one::<Destination>(link, ("destinations", "account"), "destination", &account.0).await?
        }
        None => None,
    };
    let (seen, erased): (BTreeMap<(SourceName, String), Position>, Vec<Mark>) = seen;
    let mut tombstones = marked;
    tombstones.extend(erased.into_iter().map(|message| (message, UnixMicros(i64::MAX))));
    let mut found = Documents {
        seen,
        people,
        timelines,
        contacts,
        crowds,
        deals,
        companies,
        happenings,
        deliveries,
        destination,
        by_id,
        tombstones,
        suppressed,
        ..Documents::default()
    };
    if keys.walks {
        found.gathering = one(link, ("walks", "name"), "gathering", "gathering").await?;
        found.review = one(link, ("walks", "name"), "review", "review").await?;
        found.redrive = one(link, ("walks", "name"), "redrive", "redrive").await?;
    }
    Ok(found)
}

/// Does not ask where nothing is asked for.
async fn if_any<K, T: Default>(
    asked: &BTreeSet<K>,
    look_up: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if asked.is_empty() { Ok(T::default()) } else { look_up.await }
}

fn named<K: Clone>(keys: &BTreeSet<K>, name: impl Fn(&K) -> &str) -> Vec<(String, K)> {
    keys.iter().map(|key| (name(key).to_owned(), key.clone())).collect()
}

async fn by_hash<K: Ord, T: DeserializeOwned>(
    link: &Link,
    what: &'static str,
    table: &str,
    keys: Vec<(String, K)>,
) -> Result<BTreeMap<K, Versioned<T>>, StoreError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut by_hash: BTreeMap<Vec<u8>, K> = keys.into_iter().map(|(name, key)| (hash(&name), key)).collect();
    let hashes: Vec<Vec<u8>> = by_hash.keys().cloned().collect();
    let sql = format!("SELECT hash, revision, body FROM {table} WHERE tenant = 1 AND hash = ANY($1)");
    let mut found = BTreeMap::new();
    for row in link.rows(&sql, values![hashes]).await? {
        if let Some(key) = by_hash.remove(&column::<Vec<u8>>(&row, 0)?) {
            found.insert(key, document(what, &row)?);
        }
    }
    Ok(found)
}

async fn by_key<K: Ord, T: DeserializeOwned>(
    link: &Link,
    what: &'static str,
    (table, column): (&str, &str),
    keys: Vec<(String, K)>,
) -> Result<BTreeMap<K, Versioned<T>>, StoreError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut by_name: BTreeMap<String, K> = keys.into_iter().collect();
    let sql = format!("SELECT {column}, revision, body FROM {table} WHERE tenant = 1 AND {column} = ANY($1)");
    let mut found = BTreeMap::new();
    for row in link.rows(&sql, values![texts(by_name.keys())]).await? {
        if let Some(key) = by_name.remove(&string(&row, 0)?) {
            found.insert(key, document(what, &row)?);
        }
    }
    Ok(found)
}

async fn one<T: DeserializeOwned>(
    link: &Link,
    (table, column): (&str, &str),
    what: &'static str,
    key: &str,
) -> Result<Option<Versioned<T>>, StoreError> {
    let sql = format!("SELECT {column}, revision, body FROM {table} WHERE tenant = 1 AND {column} = $1");
    link.row(&sql, values![text(key)]).await?.map(|row| document(what, &row)).transpose()
}

/// The deals of some people that are held back, some of each.
async fn held_deals(
    link: &Link,
    of: &BTreeSet<String>,
) -> Result<BTreeMap<DealKey, Versioned<crate::deal::Deal>>, StoreError> {
    let sql = "SELECT d.key, d.revision, d.body FROM unnest($1::text[]) AS u(by)
        CROSS JOIN LATERAL (SELECT key, revision, body FROM deals
            WHERE tenant = 1 AND left(found_by, 300) = left(u.by, 300) AND found_by = u.by AND held IS NOT NULL
            ORDER BY n LIMIT $2) AS d";
    let rows = link.rows(sql, values![texts(of), signed(DEALS_OF_MAX as u64)]).await?;
    rows.iter().map(|row| Ok((key("deal", &string(row, 0)?)?, document("deal", row)?))).collect()
}

/// What is told of some people, or hangs on some records: of each the latest, which tell how much was told today, and of those
/// that wait the oldest, which go first.
async fn happenings_about(
    link: &Link,
    of: &BTreeSet<String>,
) -> Result<BTreeMap<HappeningId, Versioned<crate::happening::Happening>>, StoreError> {
    let mut found = BTreeMap::new();
    for by in ["email", "person", "target"] {
        let is =
            format!("tenant = 1 AND {by} IS NOT NULL AND left({by}, 300) = left(u.by, 300) AND {by} = u.by");
        let sql = format!(
            "SELECT h.key, h.revision, h.body FROM unnest($1::text[]) AS u(by) CROSS JOIN LATERAL (
                (SELECT key, revision, body FROM happenings WHERE {is} ORDER BY n DESC LIMIT $2)
                UNION (SELECT key, revision, body FROM happenings WHERE {is} AND open ORDER BY n LIMIT $2)) AS h"
        );
        for row in link.rows(&sql, values![texts(of), signed(HAPPENINGS_OF_MAX as u64)]).await? {
            found.insert(key("happening", &string(&row, 0)?)?, document("happening", &row)?);
        }
    }
    Ok(found)
}

/// The persons of contacts whose statements are the newest, but for some who are known anyway.
async fn crowds(
    link: &Link,
    emails: &BTreeSet<Email>,
    without: &BTreeSet<PersonKey>,
) -> Result<BTreeMap<Email, BTreeSet<PersonKey>>, StoreError> {
    // What anybody says is found by skipping from one to the next, however many say it.
    let sql = "WITH RECURSIVE said(email, what) AS (
            SELECT u.email, (SELECT min(what) FROM contributions AS c WHERE c.tenant = 1 AND c.email = u.email)
            FROM unnest($1::text[]) AS u(email)
            UNION ALL
            SELECT s.email, (SELECT min(what) FROM contributions AS c
                WHERE c.tenant = 1 AND c.email = s.email AND c.what > s.what)
            FROM said AS s WHERE s.what IS NOT NULL)
        SELECT said.email, newest.member FROM said CROSS JOIN LATERAL (
            SELECT member, rank() OVER (ORDER BY at DESC, message_id DESC) AS rank FROM (
                SELECT member, at, message_id FROM contributions AS c
                WHERE c.tenant = 1 AND c.email = said.email AND c.what = said.what AND c.member <> ALL($2::text[])
                ORDER BY at DESC, message_id DESC, member LIMIT $3) AS some) AS newest
        WHERE said.what IS NOT NULL AND newest.rank = 1";
    let values = values![
        texts(emails.iter().map(Email::as_str)),
        texts(without.iter().map(ToString::to_string)),
        TIES_MAX,
    ];
    let mut found: BTreeMap<Email, BTreeSet<PersonKey>> =
        emails.iter().map(|email| (email.clone(), BTreeSet::new())).collect();
    let by_name: BTreeMap<String, &Email> =
        emails.iter().map(|email| (email.as_str().to_owned(), email)).collect();
    for row in link.rows(sql, values).await? {
        let member = person(&string(&row, 1)?)?;
        if let Some(email) = by_name.get(&string(&row, 0)?) {
            found.entry((*email).clone()).or_default().insert(member);
        }
    }
    Ok(found)
}

/// The records that have some ids with an account.
async fn ids(
    link: &Link,
    account: Option<&str>,
    asked: &BTreeSet<(CrmRecord, u64)>,
) -> Result<BTreeSet<Subject>, StoreError> {
    let Some(account) = account else { return Ok(BTreeSet::new()) };
    let kinds = texts(asked.iter().map(|(record, _)| record.as_str()));
    let numbers: Vec<i64> = asked.iter().map(|(_, id)| signed(*id)).collect();
    let sql = "SELECT c.kind, c.key FROM unnest($2::text[], $3::bigint[]) AS u(kind, id)
               JOIN crm_ids AS c ON c.tenant = 1 AND c.account = $1 AND c.kind = u.kind AND c.id = u.id";
    let mut found = BTreeSet::new();
    for row in link.rows(sql, values![text(account), kinds, numbers]).await? {
        let (kind, key) = (string(&row, 0)?, string(&row, 1)?);
        let subject = if kind == CrmRecord::Contact.as_str() {
            Email::from_store(&key).ok().map(Subject::from)
        } else {
            key.parse::<DealKey>().ok().map(Subject::Deal)
        };
        found.extend(subject);
    }
    Ok(found)
}
