//! Which record of here has which id in the CRM, so that what is said of an id is known to be of it.
//!
//! A row may be old: the record itself says which id it has now.

use rusqlite::{Connection, OptionalExtension};

use super::change::change;
use super::columns::int;
use crate::contact::Contact;
use crate::deal::Deal;
use crate::delivery::{Account, DealKey, Subject};
use crate::event::{CrmRecord, Email};
use crate::store::{Documents, Keys, StoreError};

/// The step of the schema that makes the table, from the records that there are.
pub(super) const STEP: &str = "
    -- Which record of here has which id in the CRM. A row may be old: the record itself says which id it has.
    CREATE TABLE crm_ids (
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        id INTEGER NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (account, kind, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX crm_ids_by_key ON crm_ids (kind, key);
    INSERT OR REPLACE INTO crm_ids
        SELECT standing.key, 'contact', json_extract(standing.value, '$.contact_id'), contacts.email
        FROM contacts, json_each(iif(json_valid(contacts.body), contacts.body, '{}'), '$.standing') AS standing
        WHERE json_type(standing.value, '$.contact_id') = 'integer';
    INSERT OR REPLACE INTO crm_ids
        SELECT standing.key, 'deal', json_extract(standing.value, '$.birth.told.id'), deals.key
        FROM deals, json_each(iif(json_valid(deals.body), deals.body, '{}'), '$.standing') AS standing
        WHERE json_type(standing.value, '$.birth.told.id') = 'integer';
";

/// Notes the ids that a contact has.
pub(super) fn of_contact(
    connection: &Connection,
    email: &Email,
    contact: &Contact,
) -> Result<(), StoreError> {
    let ids = contact.standing.iter().filter_map(|(account, standing)| Some((account, standing.contact_id?)));
    ids.into_iter()
        .try_for_each(|(account, id)| note(connection, account, CrmRecord::Contact, id, email.as_str()))
}

/// Notes the ids that a deal has.
pub(super) fn of_deal(connection: &Connection, key: &DealKey, deal: &Deal) -> Result<(), StoreError> {
    let ids = deal.standing.iter().filter_map(|(account, standing)| Some((account, standing.birth.id()?)));
    let key = key.to_string();
    ids.into_iter().try_for_each(|(account, id)| note(connection, account, CrmRecord::Deal, id, &key))
}

fn note(
    connection: &Connection,
    account: &Account,
    record: CrmRecord,
    id: u64,
    key: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO crm_ids (account, kind, id, key) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET key = excluded.key WHERE key <> excluded.key";
    change(connection, sql, (&account.0, record.as_str(), int(id), key)).map(|_| ())
}

/// Forgets the ids of a record that goes.
pub(super) fn forget(connection: &Connection, record: CrmRecord, key: &str) -> Result<(), StoreError> {
    change(connection, "DELETE FROM crm_ids WHERE kind = ?1 AND key = ?2", (record.as_str(), key)).map(|_| ())
}

/// Finds the records that have ids.
pub(super) fn load(connection: &Connection, keys: &Keys, found: &mut Documents) -> Result<(), StoreError> {
    let Some(account) = &keys.destination else { return Ok(()) };
    for (record, id) in &keys.crm_ids {
        let key: Option<String> = connection
            .prepare_cached("SELECT key FROM crm_ids WHERE account = ?1 AND kind = ?2 AND id = ?3")?
            .query_row((&account.0, record.as_str(), int(*id)), |row| row.get(0))
            .optional()?;
        let Some(key) = key else { continue };
        let subject = match record {
            CrmRecord::Contact => Email::from_store(&key).ok().map(Subject::from),
            CrmRecord::Deal => key.parse::<DealKey>().ok().map(Subject::Deal),
        };
        found.by_id.extend(subject);
    }
    Ok(())
}
