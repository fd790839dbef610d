//! Lists of deals, companies and happenings, newest first. Must not read documents: a page of keys is enough to load them.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::columns::{int, uint};
use super::deals::key;
use crate::delivery::Subject;
use crate::store::{RecordQuery, RecordState, RecordsOf, StoreError};

/// Places and keys under the conditions, the newest first.
pub(super) fn page(connection: &Connection, query: &RecordQuery) -> Result<Vec<(u64, Subject)>, StoreError> {
    let mut filter = Filter::default();
    let (table, prefix) = match &query.of {
        RecordsOf::Deals { .. } => ("deals", "deal:"),
        RecordsOf::Companies => ("companies", "company:"),
        RecordsOf::Happenings { .. } => ("happenings", "happening:"),
    };
    if let Some(before) = query.before {
        filter.with("rowid < ?", [Value::Integer(int(before))]);
    }
    if let Some(words) = &query.words {
        filter.with("instr(lower(key), ?) > 0", [Value::Text(words.to_lowercase())]);
    }
    if let RecordsOf::Deals { email, kind, held } = &query.of {
        if let Some(email) = email {
            filter.with("found_by = ?", [Value::Text(email.as_str().to_owned())]);
        }
        if let Some(kind) = kind {
            // `PEOPLE/KIND/KEY`
            let has_kind = "substr(key, instr(key, '/') + 1, length(?) + 1) = ? || '/'";
            filter.with(has_kind, [Value::Text(kind.clone()), Value::Text(kind.clone())]);
        }
        if let Some(held) = held {
            let account = Value::Text(query.account.0.clone());
            filter.with("held_for = ? AND held = ?", [account, Value::Text(held.clone())]);
        }
    }
    if let RecordsOf::Happenings { email, state, held } = &query.of {
        if let Some(email) = email {
            filter.with("email = ?", [Value::Text(email.as_str().to_owned())]);
        }
        if let Some(state) = state {
            filter.with("state = ?", [Value::Text(state.as_str().to_owned())]);
        }
        if let Some(held) = held {
            filter.with("held = ?", [Value::Text(held.clone())]);
        }
    }
    if let Some(state) = query.state {
        filter.stands(state, query, prefix);
    }
    let conditions =
        if filter.conditions.is_empty() { "1".to_owned() } else { filter.conditions.join(" AND ") };
    let limit = query.limit.rows();
    let sql = format!("SELECT rowid, key FROM {table} WHERE {conditions} ORDER BY rowid DESC LIMIT {limit}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(filter.values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let subject = match &query.of {
            RecordsOf::Deals { .. } => Subject::Deal(key("deal", text)?),
            RecordsOf::Companies => Subject::Company(key("company", text)?),
            RecordsOf::Happenings { .. } => Subject::Happening(key("happening", text)?),
        };
        found.push((uint(row.get(0)?), subject));
    }
    Ok(found)
}

#[derive(Default)]
struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Filter {
    fn with(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
    }

    /// How a record stands: by its open delivery, or by what holds it back.
    fn stands(&mut self, state: RecordState, query: &RecordQuery, prefix: &str) {
        let account = || Value::Text(query.account.0.clone());
        let has_held = matches!(query.of, RecordsOf::Deals { .. });
        let open = |states: &str| {
            format!(
                "EXISTS (SELECT 1 FROM deliveries AS d INDEXED BY deliveries_by_subject
                         WHERE d.subject = '{prefix}' || key AND d.account = ? AND d.state IN ({states}))"
            )
        };
        match state {
            RecordState::Held if has_held => self.with("held_for = ? AND held IS NOT NULL", [account()]),
            RecordState::Held => self.with("0", []),
            RecordState::Queued => self.with(&open("0, 2"), [account()]),
            RecordState::InFlight => self.with(&open("1"), [account()]),
            RecordState::Refused => self.with(&open("5"), [account()]),
            RecordState::Settled => {
                self.with(&format!("NOT {}", open("0, 1, 2, 5")), [account()]);
                if has_held {
                    self.with("(held IS NULL OR held_for <> ?)", [account()]);
                }
            }
        }
    }
}
