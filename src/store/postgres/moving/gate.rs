//! Whether a store may be moved: who works with it, and what it holds. Must not change it.

use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::moving::carried::TABLES;
use crate::store::postgres::dial::{self, Dial};
use crate::store::postgres::link::Link;
use crate::store::postgres::settings::PostgresSettings;
use crate::store::postgres::value::{column, int, string, values};
use crate::store::postgres::{OpenError, SettingsProblem, tables};

/// What has begun and does not go on is taken back, so that it keeps nobody from the store.
pub(super) const STALLED: &str = "SET idle_in_transaction_session_timeout = '5min'";

/// Why a store may not be moved.
#[derive(Debug)]
pub(in crate::store) enum Refused {
    /// The database can't be used.
    Open(OpenError),
    /// A node works with it.
    InUse,
    /// Calls may be on their way, for so many seconds.
    Calling(i64),
    /// So many orders that were given on nodes wait to be carried out.
    Ordered(i64),
    /// There is no store.
    Nothing,
    /// Its tables are of another version: that, and the one known here.
    Version(i64, i64),
    /// It holds something: in these tables.
    Holds(Vec<String>),
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}

impl From<SettingsProblem> for Refused {
    fn from(problem: SettingsProblem) -> Self {
        Self::Open(problem.into())
    }
}

/// The version of the tables in a schema; none where there are none.
pub(super) async fn version(link: &Link, schema: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'migrations'";
    if link.row(sql, values![schema.to_owned()]).await?.is_none() {
        return Ok(None);
    }
    let row = link.row("SELECT coalesce(max(version), 0) FROM migrations", values![]).await?;
    row.map(|row| int(&row, 0)).transpose().map(|found| found.filter(|version| *version > 0))
}

/// Refuses tables of another version: a column that is not known here would be left behind.
pub(super) async fn is_known(link: &Link, schema: &str) -> Result<(), Refused> {
    let known = i64::try_from(tables::steps().len()).unwrap_or(i64::MAX);
    match version(link, schema).await? {
        None => Err(Refused::Nothing),
        Some(found) if found != known => Err(Refused::Version(found, known)),
        Some(_) => Ok(()),
    }
}

/// Refuses a store that a node works with, by its lease; `locked` keeps everybody from taking it until the transaction ends.
pub(super) async fn nobody_works(link: &Link, locked: bool) -> Result<(), Refused> {
    let lock = if locked { " FOR UPDATE" } else { "" };
    let sql = format!("SELECT expires_at > clock_timestamp() FROM turns WHERE tenant = 1{lock}");
    let row = link.row(&sql, values![]).await?;
    let works = row.map(|row| column::<bool>(&row, 0)).transpose()?.unwrap_or_default();
    if works { Err(Refused::InUse) } else { Ok(()) }
}

/// Refuses a store whose node was killed while calls were on their way that may still arrive.
pub(super) async fn nobody_calls(link: &Link) -> Result<(), Refused> {
    let sql = "SELECT coalesce(ceil(extract(epoch FROM max(call_until) - clock_timestamp())), 0)::bigint FROM deliveries
               WHERE tenant = 1 AND state = 1";
    let row = link.row(sql, values![]).await?;
    let seconds = row.map(|row| int(&row, 0)).transpose()?.unwrap_or_default();
    if seconds > 0 { Err(Refused::Calling(seconds)) } else { Ok(()) }
}

/// Refuses a store in which orders wait: what was acknowledged to whoever gave them would be left behind.
pub(super) async fn nobody_ordered(link: &Link) -> Result<(), Refused> {
    let sql = "SELECT count(*) FROM orders WHERE tenant = 1 AND done_at IS NULL";
    let row = link.row(sql, values![]).await?;
    let orders = row.map(|row| int(&row, 0)).transpose()?.unwrap_or_default();
    if orders > 0 { Err(Refused::Ordered(orders)) } else { Ok(()) }
}

/// Refuses a store that holds anything.
pub(super) async fn is_empty(link: &Link) -> Result<(), Refused> {
    let filled: Vec<String> = TABLES
        .iter()
        .map(|table| format!("('{0}', EXISTS (SELECT 1 FROM {0} WHERE tenant = 1))", table.name))
        .chain([
            "('heads', EXISTS (SELECT 1 FROM heads WHERE tenant = 1 AND last > 0))".to_owned(),
            "('orders', EXISTS (SELECT 1 FROM orders WHERE tenant = 1 AND done_at IS NULL))".to_owned(),
        ])
        .collect();
    let sql = format!("SELECT name FROM (VALUES {}) AS t (name, filled) WHERE filled", filled.join(", "));
    let rows = link.rows(&sql, values![]).await?;
    let names: Vec<String> = rows.iter().map(|row| string(row, 0)).collect::<Result<_, _>>()?;
    if names.is_empty() { Ok(()) } else { Err(Refused::Holds(names)) }
}

/// How far the clock that slots are measured by is ahead of the time of day here, in microseconds.
pub(super) async fn later(
    link: &Link,
    settings: &PostgresSettings,
    clock: &dyn Clock,
) -> Result<i64, OpenError> {
    let wall = clock.wall().0;
    if !settings.by_database_clock {
        return Ok(i64::try_from(clock.boottime().as_micros()).unwrap_or(i64::MAX).saturating_sub(wall));
    }
    dial::same_time(link, clock).await?;
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let row = link.row(sql, values![]).await?;
    Ok(row.map(|row| int(&row, 0)).transpose()?.map_or(0, |there| there.saturating_sub(wall)))
}

/// How a store is connected to.
pub(super) fn dial(settings: &PostgresSettings) -> Result<Dial, SettingsProblem> {
    Dial::new(settings)
}
