//! Brings the schema of a database up to date, step by step, each whole or not at all.
//!
//! Nodes of two versions work with one schema while they are replaced one after the other: what a step adds, nodes of the version
//! before do not use and do not need. So a node bears a schema that is one step ahead of it, and no more.

use super::link::Link;
use super::tables;
use super::value::{int, values};
use crate::store::StoreError;

/// So many steps a schema may be ahead of a node: those of the next version, which only adds.
pub(super) const AHEAD_MAX: i64 = 1;

/// Why a schema can't be used.
pub(super) enum NotMigrated {
    /// A version after the next made it: its number, and the newest known here.
    Newer(i64, i64),
    /// The database failed.
    Store(StoreError),
}

impl From<StoreError> for NotMigrated {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Makes the schema where it does not exist, and its tables. Several nodes may start at once: one does it.
pub(super) async fn migrate(link: &Link, schema: &str, key: Vec<u8>) -> Result<(), NotMigrated> {
    let lock = format!("SELECT pg_advisory_xact_lock(hashtextextended('freshsignal {schema}', 0))");
    link.batch(&format!("BEGIN; {lock}")).await?;
    let exists =
        link.row("SELECT 1 FROM pg_namespace WHERE nspname = $1", values![schema.to_owned()]).await?;
    if exists.is_none() {
        link.batch(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    let sql = "CREATE TABLE IF NOT EXISTS migrations (version bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())";
    link.batch(sql).await?;
    let done = link.row("SELECT coalesce(max(version), 0) FROM migrations", values![]).await?;
    let done = done.map(|row| int(&row, 0)).transpose()?.unwrap_or(0);
    let steps = tables::steps();
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if done > known + AHEAD_MAX {
        return Err(NotMigrated::Newer(done, known));
    }
    let missing = usize::try_from(done).ok().and_then(|done| steps.get(done..)).unwrap_or_default();
    if done > known {
        tracing::info!(
            schema,
            found = done,
            known,
            "the schema is of the next version, which this one works with"
        );
    }
    for (version, step) in (done + 1..).zip(missing) {
        link.batch(&tables::sql(step)).await?;
        link.change("INSERT INTO migrations (version) VALUES ($1)", values![version]).await?;
    }
    link.change("INSERT INTO store_key (key) VALUES ($1) ON CONFLICT DO NOTHING", values![key]).await?;
    Ok(link.batch("COMMIT").await?)
}
