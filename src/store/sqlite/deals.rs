//! Deals and companies: their rows, the lists of them, and how many deals are held back.
//!
//! Must not decide what holds a deal back: that comes with it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use rusqlite::{Connection, params, params_from_iter};

use super::change::{by_revision, change_one};
use super::columns::{document, from_text, int, or_passed_over, to_text, uint};
use super::crm_ids;
use crate::company::Company;
use crate::delivery::{Account, CompanyKey, DealKey, NoSubject};
use crate::store::{DEALS_OF_MAX, DealQuery, Documents, Keys, PutDeal, Revision, StoreError, Versioned};

/// The step of the schema that brings deals and companies.
pub(super) const STEP: &str = "
    -- Deals and companies. `found_by` is the address of a deal's contact, or its newest person while there is none; `held` is
    -- what keeps its calls back, for which account. The day is that on which it was spoken of last.
    CREATE TABLE deals (
        key TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        day INTEGER NOT NULL,
        found_by TEXT,
        held_for TEXT,
        held TEXT,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deals_by_person ON deals (found_by) WHERE found_by IS NOT NULL;
    CREATE INDEX deals_held ON deals (found_by) WHERE held IS NOT NULL;
    CREATE INDEX deals_by_cause ON deals (held_for, held, key) WHERE held IS NOT NULL;
    CREATE TABLE companies (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    -- Held deals counted, so that nobody counts many rows.
    CREATE TABLE held_deals (
        account TEXT NOT NULL,
        held TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (account, held)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER deal_put AFTER INSERT ON deals WHEN new.held IS NOT NULL BEGIN
        INSERT INTO held_deals VALUES (new.held_for, new.held, 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER deal_gone AFTER DELETE ON deals WHEN old.held IS NOT NULL BEGIN
        UPDATE held_deals SET count = count - 1 WHERE account = old.held_for AND held = old.held;
    END;
    CREATE TRIGGER deal_left AFTER UPDATE OF held_for, held ON deals WHEN old.held IS NOT NULL BEGIN
        UPDATE held_deals SET count = count - 1 WHERE account = old.held_for AND held = old.held;
    END;
    CREATE TRIGGER deal_held AFTER UPDATE OF held_for, held ON deals WHEN new.held IS NOT NULL BEGIN
        INSERT INTO held_deals VALUES (new.held_for, new.held, 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
";

/// Loads what exists of the deals and companies asked for.
pub(super) fn load(connection: &Connection, keys: &Keys, found: &mut Documents) -> Result<(), StoreError> {
    for key in &keys.deals {
        let sql = "SELECT revision, body FROM deals WHERE key = ?1";
        let deal = document(connection, "deal", sql, [key.to_string()])?;
        found.deals.extend(deal.map(|deal| (key.clone(), deal)));
    }
    for found_by in &keys.deals_of {
        held_of(connection, found_by, found)?;
    }
    for key in &keys.companies {
        let sql = "SELECT revision, body FROM companies WHERE key = ?1";
        let company = document(connection, "company", sql, [key.as_str()])?;
        found.companies.extend(company.map(|company| (key.clone(), company)));
    }
    Ok(())
}

/// The deals of somebody that are held back, some of them.
fn held_of(connection: &Connection, found_by: &str, found: &mut Documents) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, revision, body FROM deals INDEXED BY deals_held
         WHERE found_by = ?1 AND held IS NOT NULL ORDER BY rowid LIMIT ?2",
    )?;
    let mut rows = statement.query((found_by, int(DEALS_OF_MAX as u64)))?;
    while let Some(row) = rows.next()? {
        let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
        let document = from_text("deal", text(2)?)?;
        let deal = Versioned { revision: uint(row.get(1)?), document };
        found.deals.insert(key("deal", text(0)?)?, deal);
    }
    Ok(())
}

/// Writes a deal. `day` is that of now, where it was spoken of.
pub(super) fn put_deal(connection: &Connection, put: &PutDeal, day: Option<i64>) -> Result<(), StoreError> {
    let PutDeal { key, revision, deal, account, held } = put;
    let insert = "INSERT INTO deals (key, body, revision, day, found_by, held_for, held)
                  VALUES (?1, ?2, ?3 + 1, coalesce(?4, 0), ?5, ?6, ?7)";
    let update = "UPDATE deals SET body = ?2, revision = ?3 + 1, day = coalesce(?4, day), found_by = ?5, held_for = ?6, held = ?7
                  WHERE key = ?1 AND revision = ?3";
    let account = held.map(|_| &account.0);
    let body = to_text("deal", deal)?;
    let values = params![key.to_string(), body, int(*revision), day, deal.found_by(), account, held];
    change_one(connection, by_revision(*revision, insert, update), values)?;
    crm_ids::of_deal(connection, key, deal)
}

/// Writes a company.
pub(super) fn put_company(
    connection: &Connection,
    key: &CompanyKey,
    revision: Revision,
    company: &Company,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO companies (key, body, revision) VALUES (?1, ?2, ?3 + 1)";
    let update = "UPDATE companies SET body = ?2, revision = ?3 + 1 WHERE key = ?1 AND revision = ?3";
    let values = (key.as_str(), to_text("company", company)?, int(revision));
    change_one(connection, by_revision(revision, insert, update), values)
}

/// The keys of deals, in order.
pub(super) fn deals(connection: &Connection, query: &DealQuery) -> Result<Vec<DealKey>, StoreError> {
    let DealQuery { after, found_by, held, limit } = query;
    let after = after.as_ref().map_or_else(String::new, ToString::to_string);
    let mut conditions = "key > ?".to_owned();
    let mut values = vec![after];
    if let Some(found_by) = found_by {
        conditions.push_str(" AND found_by = ?");
        values.push(found_by.clone());
    }
    if let Some((account, cause)) = held {
        conditions.push_str(" AND held_for = ? AND held = ?");
        values.extend([account.0.clone(), cause.clone()]);
    }
    let sql = format!("SELECT key FROM deals WHERE {conditions} ORDER BY key LIMIT {limit}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.extend(or_passed_over("deal", key("deal", text))?);
    }
    Ok(found)
}

/// The keys of companies after one, in order.
pub(super) fn companies(
    connection: &Connection,
    after: Option<&CompanyKey>,
    limit: usize,
) -> Result<Vec<CompanyKey>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT key FROM companies WHERE key > ?1 ORDER BY key LIMIT ?2")?;
    let mut rows = statement.query((after.map_or("", CompanyKey::as_str), int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.extend(or_passed_over("company", key("company", text))?);
    }
    Ok(found)
}

/// How many deals of an account are held back, by cause.
pub(super) fn held(connection: &Connection, account: &Account) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT held, count FROM held_deals WHERE account = ?1 AND count > 0")?;
    let rows = statement.query_map([&account.0], |row| Ok((row.get(0)?, uint(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Deletes a document of one of the two tables.
pub(super) fn gone(
    connection: &Connection,
    table: &'static str,
    key: &impl Display,
    revision: Revision,
) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM {table} WHERE key = ?1 AND revision = ?2");
    change_one(connection, &sql, (key.to_string(), int(revision)))
}

/// A key from a column.
pub(super) fn key<K: FromStr<Err = NoSubject>>(what: &'static str, text: &str) -> Result<K, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable(what, "its key".to_owned()))
}
