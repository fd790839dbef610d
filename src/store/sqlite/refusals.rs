//! Refusals: how many dead letters there are for which reason, so that nobody reads a million of them to tell.

use rusqlite::Connection;

use super::columns::{int, uint};
use crate::delivery::Account;
use crate::store::StoreError;

/// The step of the schema. A reason goes with its last dead letter.
pub(super) const STEP: &str = "
    CREATE TABLE refusals (
        account TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (account, reason)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX refusals_by_count ON refusals (account, count);
    INSERT INTO refusals
        SELECT account, coalesce(iif(json_valid(body), body ->> '$.reason', ''), '') AS why, count(*)
        FROM deliveries WHERE state = 5 GROUP BY account, why;
    CREATE TRIGGER refusal_put AFTER INSERT ON deliveries WHEN new.state = 5 BEGIN
        INSERT INTO refusals VALUES (new.account, coalesce(iif(json_valid(new.body), new.body ->> '$.reason', ''), ''), 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER refusal_came AFTER UPDATE OF state, body ON deliveries WHEN new.state = 5 BEGIN
        INSERT INTO refusals VALUES (new.account, coalesce(iif(json_valid(new.body), new.body ->> '$.reason', ''), ''), 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER refusal_left AFTER UPDATE OF state, body ON deliveries WHEN old.state = 5 BEGIN
        UPDATE refusals SET count = count - 1 WHERE account = old.account
            AND reason = coalesce(iif(json_valid(old.body), old.body ->> '$.reason', ''), '');
        DELETE FROM refusals WHERE account = old.account AND count <= 0
            AND reason = coalesce(iif(json_valid(old.body), old.body ->> '$.reason', ''), '');
    END;
    CREATE TRIGGER refusal_gone AFTER DELETE ON deliveries WHEN old.state = 5 BEGIN
        UPDATE refusals SET count = count - 1 WHERE account = old.account
            AND reason = coalesce(iif(json_valid(old.body), old.body ->> '$.reason', ''), '');
        DELETE FROM refusals WHERE account = old.account AND count <= 0
            AND reason = coalesce(iif(json_valid(old.body), old.body ->> '$.reason', ''), '');
    END;
";

/// The reasons with the most dead letters of an account, those first.
pub(super) fn most(
    connection: &Connection,
    account: &Account,
    limit: usize,
) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = "SELECT reason, count FROM refusals INDEXED BY refusals_by_count
               WHERE account = ?1 AND count > 0 ORDER BY count DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map((&account.0, int(limit as u64)), |row| Ok((row.get(0)?, uint(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
