//! An empty store that is filled in one transaction.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::gate::{self, Refused};
use super::{DatabaseFailed, columns, runtime};
use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::moving::carried::{Ends, Row, TABLES, Table};
use crate::store::postgres::dial::{Dial, Purpose};
use crate::store::postgres::link::Link;
use crate::store::postgres::prepared;
use crate::store::postgres::settings::PostgresSettings;
use crate::store::postgres::value::values;

/// A store that is being filled. Dropped before it is kept, it is as empty as before.
pub(in crate::store) struct Filled {
    dial: Dial,
    link: Link,
    later: i64,
    runtime: Runtime,
}

impl Filled {
    /// Makes the tables where they do not exist, and begins: nobody works with the store or appends to it until this has ended.
    pub(in crate::store) fn begin(
        settings: &PostgresSettings,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Refused> {
        let (runtime, dial) = (runtime()?, gate::dial(settings)?);
        let (link, later) = runtime.block_on(async {
            let link = dial.connect(Purpose::Write).await?;
            // Before anything is changed.
            if gate::version(&link, dial.schema()).await?.is_some() {
                gate::nobody_works(&link, false).await?;
            }
            prepared(settings, &dial, &**clock).await?;
            gate::is_known(&link, dial.schema()).await?;
            let later = gate::later(&link, settings, &**clock).await?;
            link.batch(&format!("{}; BEGIN", gate::STALLED)).await?;
            gate::nobody_works(&link, true).await?;
            link.row("SELECT 1 FROM heads WHERE tenant = 1 FOR UPDATE", values![]).await?;
            gate::is_empty(&link).await?;
            Ok::<_, Refused>((link, later))
        })?;
        Ok(Self { dial, link, later, runtime })
    }

    /// Writes rows of a table.
    pub(in crate::store) fn put(&self, table: &Table, rows: &[Row]) -> Result<(), DatabaseFailed> {
        self.runtime.block_on(columns::put(&self.link, table, rows, self.later))
    }

    /// Hands each row on that was written.
    pub(in crate::store) fn each<E: From<DatabaseFailed>>(
        &self,
        table: &Table,
        take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        columns::each((&self.runtime, &self.link), table, None, take)
    }

    /// Writes what is no table. Whoever held the lease before commits nothing any more.
    pub(in crate::store) fn put_ends(&self, ends: &Ends) -> Result<(), DatabaseFailed> {
        self.runtime.block_on(async {
            let sql = "UPDATE heads SET last = $1, bytes = g.bytes, old_bytes = g.old_bytes FROM (
                    SELECT coalesce(sum(length), 0)::bigint AS bytes,
                        coalesce(sum(length) FILTER (WHERE stream = 1), 0)::bigint AS old_bytes
                    FROM groups WHERE tenant = 1) AS g WHERE tenant = 1";
            self.link.change(sql, values![ends.last]).await?;
            let sql = "UPDATE turns SET position = $1, old_position = $2, events = $3, epoch = epoch + 1, last_plan = 0,
                       holder = '', expires_at = '-infinity' WHERE tenant = 1";
            self.link.change(sql, values![ends.live, ends.old, ends.events]).await?;
            self.link.change("UPDATE store_key SET key = $1 WHERE tenant = 1", values![ends.key.clone()]).await?;
            for table in TABLES {
                let Some(number) = table.number() else { continue };
                let given = ends.given.iter().find(|(name, _)| *name == table.name).map_or(0, |(_, last)| *last);
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{0}', '{number}'), last) FROM (
                        SELECT greatest($1::bigint, (SELECT max({number}) FROM {0} WHERE tenant = 1)) AS last) AS l
                     WHERE last > 0",
                    table.name
                );
                self.link.row(&sql, values![given]).await?;
            }
            Ok(())
        })
    }

    /// Commits. Once this has answered it is known whether the store is filled.
    pub(in crate::store) fn keep(self) -> Result<(), DatabaseFailed> {
        let Self { dial, link, runtime, .. } = self;
        runtime.block_on(async {
            let warned = link.warnings();
            let committed = link.batch("COMMIT").await;
            if committed.is_err() || link.warnings() != warned {
                drop(link);
                confirm(&dial, committed.err()).await?;
            }
            // The plans of a database that was never analysed are bad ones.
            if let Ok(link) = dial.connect(Purpose::Write).await {
                let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
                let _ = link.batch(&format!("ANALYZE {}", names.join(", "))).await;
            }
            Ok(())
        })
    }
}

/// Finds out whether the store is filled, by a commit of its own: what can only be read may still be lost with the server.
async fn confirm(dial: &Dial, failed: Option<StoreError>) -> Result<(), DatabaseFailed> {
    let link = dial.connect(Purpose::Write).await?;
    link.change("UPDATE turns SET confirmed = confirmed + 1 WHERE tenant = 1", values![]).await?;
    link.waited_for(0)?;
    match gate::is_empty(&link).await {
        Err(Refused::Holds(_)) => Ok(()),
        Err(Refused::Open(super::OpenError::Store(error))) => Err(error.into()),
        Ok(()) | Err(_) => Err(failed
            .unwrap_or_else(|| StoreError::Unavailable("the import was not kept".to_owned()))
            .into()),
    }
}
