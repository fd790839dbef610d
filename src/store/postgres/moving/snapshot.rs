//! A store that is read whole, as of one moment. Must not change it.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::gate::{self, Refused};
use super::{DatabaseFailed, columns, runtime};
use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::moving::carried::{Ends, Numbered, Row, TABLES, Table};
use crate::store::postgres::dial::Purpose;
use crate::store::postgres::link::Link;
use crate::store::postgres::settings::PostgresSettings;
use crate::store::postgres::value::{column, int, values};

/// Beside whom a store is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Whom {
    /// Nobody: who works with it is in the way, and whoever begins waits.
    Nobody,
    /// Nodes that go on meanwhile.
    Nodes,
}

/// A store as of one moment.
pub(in crate::store) struct Snapshot {
    link: Link,
    later: i64,
    runtime: Runtime,
}

impl Snapshot {
    /// Begins to read.
    pub(in crate::store) fn begin(
        settings: &PostgresSettings,
        clock: &Arc<dyn Clock>,
        whom: Whom,
    ) -> Result<Self, Refused> {
        let (runtime, dial) = (runtime()?, gate::dial(settings)?);
        let (link, later) = runtime.block_on(async {
            let link = dial.connect(Purpose::Write).await?;
            gate::is_known(&link, dial.schema()).await?;
            let later = gate::later(&link, settings, &**clock).await?;
            link.batch(gate::STALLED).await?;
            match whom {
                Whom::Nobody => {
                    link.batch("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
                    // A change between the beginning and the lock is a conflict.
                    gate::nobody_works(&link, true).await.map_err(or_in_use)?;
                    gate::nobody_calls(&link).await?;
                    gate::nobody_ordered(&link).await?;
                    let sql = "SELECT 1 FROM heads WHERE tenant = 1 FOR UPDATE";
                    link.row(sql, values![]).await.map_err(Refused::from).map_err(or_in_use)?;
                }
                Whom::Nodes => link.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
            }
            Ok::<_, Refused>((link, later))
        })?;
        Ok(Self { link, later, runtime })
    }

    /// How many rows a table has.
    pub(in crate::store) fn count(&self, table: &Table) -> Result<u64, DatabaseFailed> {
        let sql = format!("SELECT count(*) FROM {} WHERE tenant = 1", table.name);
        let row = self.runtime.block_on(self.link.row(&sql, values![]))?;
        Ok(row.map(|row| int(&row, 0)).transpose()?.map_or(0, crate::store::columns::uint))
    }

    /// Hands each row of a table on.
    pub(in crate::store) fn each<E: From<DatabaseFailed>>(
        &self,
        table: &Table,
        take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        columns::each((&self.runtime, &self.link), table, Some(self.later), take)
    }

    /// What is no table.
    pub(in crate::store) fn ends(&self) -> Result<Ends, DatabaseFailed> {
        let missing = || StoreError::Fatal("a row is missing".to_owned());
        self.runtime.block_on(async {
            let sql = "SELECT last, position, old_position, events, key FROM heads
                       JOIN turns ON turns.tenant = 1 JOIN store_key ON store_key.tenant = 1 WHERE heads.tenant = 1";
            let row = self.link.row(sql, values![]).await?.ok_or_else(missing)?;
            let mut ends = Ends {
                last: int(&row, 0)?,
                live: int(&row, 1)?,
                old: int(&row, 2)?,
                events: int(&row, 3)?,
                key: column(&row, 4)?,
                given: Vec::new(),
            };
            for table in TABLES {
                let Numbered::Once(of) = table.numbered else { continue };
                // Others may give more meanwhile: the largest row alone is of this moment, but none is given twice.
                let sql = format!("SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{}', '{of}')::regclass), 0)", table.name);
                let row = self.link.row(&sql, values![]).await?.ok_or_else(missing)?;
                ends.given.push((table.name, int(&row, 0)?));
            }
            Ok(ends)
        })
    }
}

/// Who changed the row of the turn or of the journal's end in this instant works with the store.
fn or_in_use(refused: Refused) -> Refused {
    match refused {
        Refused::Open(super::OpenError::Store(StoreError::Conflict | StoreError::Unavailable(_))) => {
            Refused::InUse
        }
        other => other,
    }
}
