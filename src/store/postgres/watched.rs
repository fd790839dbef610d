//! What is watched of the database, for the metrics: each node looks by itself, and sees what its user may.

use std::time::Duration;

use super::core::Core;
use super::link::Link;
use super::value::{column, values};
use crate::store::columns::uint;
use crate::store::{Durability, EngineReading, StoreError};

/// Between two looks.
pub(super) const EVERY: Duration = Duration::from_secs(15);

/// Looks.
pub(super) async fn look(core: &Core, link: &Link) -> Result<(), StoreError> {
    let sql = "SELECT
        (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),
        (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::bigint FROM pg_stat_replication),
        (SELECT max(extract(epoch FROM clock_timestamp() - xact_start))::bigint FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()),
        (SELECT sum(n_dead_tup)::bigint FROM pg_stat_user_tables WHERE schemaname = current_schema())";
    let Some(row) = link.row(sql, values![]).await? else { return Ok(()) };
    let number = |nth: usize| Ok::<_, StoreError>(column::<Option<i64>>(&row, nth)?.map(uint));
    let must_wait = core.settings.durability == Durability::Verify;
    core.watched.send_replace(EngineReading {
        standbys: number(0)?.filter(|_| must_wait),
        replication_lag_bytes: number(1)?,
        oldest_transaction_seconds: Some(number(2)?.unwrap_or(0)),
        dead_tuples: number(3)?,
        ..EngineReading::default()
    });
    Ok(())
}
