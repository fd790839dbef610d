//! Opens connections, each set up for what it is for and read back: a server that does not do what it is told is refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::OpenError;
use super::link::{Link, Server};
use super::settings::{PostgresSettings, SettingsProblem};
use super::value::{column, int, values};
use crate::clock::Clock;
use crate::store::{Durability, StoreError, Tls};

/// Versions before lack what is needed.
const VERSION_MIN: i32 = 150_000;
/// A server that refuses is asked again after this long, while another is silent.
const TRIED_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long all of connecting to a server may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Clocks of nodes and of the database are no further apart.
const APART_MAX_MICROS: u64 = 5_000_000;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Writing: appends, turns and the lease.
    Write,
    /// Look-ups, which have a deadline.
    Read,
}

/// Where to connect and how.
pub(super) struct Dial {
    shared: Arc<Shared>,
}

/// What each try to connect needs.
struct Shared {
    targets: Vec<Config>,
    tls: Option<MakeRustlsConnect>,
    schema: String,
    lookup_timeout: Duration,
    /// The server that took writes last.
    newest: watch::Sender<Server>,
}

impl Dial {
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, SettingsProblem> {
        let tls = match settings.tls {
            Tls::VerifyFull => Some(MakeRustlsConnect::new(settings.tls_config()?)),
            Tls::Off => None,
        };
        let shared = Shared {
            targets: settings.targets()?,
            tls,
            schema: settings.schema.clone(),
            lookup_timeout: settings.limits.lookup_timeout,
            newest: watch::Sender::new(Server::default()),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The schema that holds the tables.
    pub(super) fn schema(&self) -> &str {
        &self.shared.schema
    }

    /// Connects to whichever server takes writes. One that refuses is asked again while another has not answered at all: it may
    /// be promoted meanwhile. The address and the password are in no error.
    pub(super) async fn connect(&self, purpose: Purpose) -> Result<Link, StoreError> {
        let mut tries = JoinSet::new();
        let mut silent: BTreeSet<usize> = (0..self.shared.targets.len()).collect();
        let begin = |tries: &mut JoinSet<_>, nth: usize, again: bool| {
            let shared = Arc::clone(&self.shared);
            tries.spawn(async move {
                if again {
                    a_moment().await;
                }
                (nth, within(CONNECT_DEADLINE, shared.connect(nth, purpose)).await)
            });
        };
        for nth in &silent {
            begin(&mut tries, *nth, false);
        }
        let mut why = StoreError::Unavailable("the address names no server".to_owned());
        while let Some(tried) = tries.join_next().await {
            let Ok((nth, connected)) = tried else { return Err(StoreError::Shut) };
            match connected {
                Ok(link) => return Ok(link),
                Err(error) => why = error,
            }
            silent.remove(&nth);
            if silent.is_empty() {
                return Err(why);
            }
            begin(&mut tries, nth, true);
        }
        Err(why)
    }
}

impl Shared {
    async fn connect(&self, nth: usize, purpose: Purpose) -> Result<Link, StoreError> {
        let Some(target) = self.targets.get(nth) else { return Err(StoreError::Shut) };
        let newest = self.newest.subscribe();
        let mut link = if let Some(tls) = &self.tls {
            let (client, connection) = target.connect(tls.clone()).await?;
            Link::over(client, connection, newest)
        } else {
            let (client, connection) = target.connect(NoTls).await?;
            Link::over(client, connection, newest)
        };
        self.set_up(&link, purpose).await?;
        link.is_of(server(&link).await?, &self.newest)?;
        Ok(link)
    }

    async fn set_up(&self, link: &Link, purpose: Purpose) -> Result<(), StoreError> {
        let (timeout, plans) = match purpose {
            Purpose::Write => (0, "auto"),
            Purpose::Read => (self.lookup_timeout.as_millis(), "force_custom_plan"),
        };
        let read_only = if purpose == Purpose::Read { "on" } else { "off" };
        let sql = format!(
            "SET search_path = \"{}\"; SET synchronous_commit = on; SET statement_timeout = {timeout};
             SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'; SET jit = off;
             SET plan_cache_mode = {plans}; SET TimeZone = 'UTC'; SET default_transaction_isolation = 'read committed';
             SET client_min_messages = warning; SET default_transaction_read_only = {read_only}",
            self.schema
        );
        link.batch(&sql).await?;
        let sql = "SELECT current_setting('synchronous_commit'), current_setting('search_path'),
                          current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('fsync'),
                          current_setting('full_page_writes'), current_setting('server_encoding')";
        let Some(row) = link.row(sql, values![]).await? else {
            return Err(StoreError::Unavailable("the database answers nothing".to_owned()));
        };
        let said = |index| column::<String>(&row, index);
        let expected = [(0, "on"), (4, "on"), (5, "on"), (6, "UTF8")];
        for (index, expected) in expected {
            let found = said(index)?;
            if found != expected {
                return Err(StoreError::Unavailable(format!(
                    "the database has {found} where {expected} is needed (synchronous_commit, fsync, full_page_writes, \
                     server_encoding)"
                )));
            }
        }
        if said(1)?.trim_matches('"') != self.schema {
            return Err(StoreError::Unavailable(
                "a setting of the session was not kept: connect to the database itself or to a pooler in session mode"
                    .to_owned(),
            ));
        }
        if column::<i32>(&row, 2)? < VERSION_MIN {
            return Err(StoreError::Unavailable("PostgreSQL 15 or newer is needed".to_owned()));
        }
        if column::<bool>(&row, 3)? {
            return Err(StoreError::Unavailable("the server is a standby".to_owned()));
        }
        Ok(())
    }
}

/// Which server answers. What a provider does not tell stays unknown.
async fn server(link: &Link) -> Result<Server, StoreError> {
    let sql = "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint";
    let Some(row) = link.row(sql, values![]).await? else { return Ok(Server::default()) };
    let started = int(&row, 0)?;
    let sql = "SELECT (SELECT system_identifier FROM pg_control_system()),
                      ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint";
    let (cluster, timeline) = match link.row(sql, values![]).await {
        Ok(Some(row)) => (int(&row, 0)?, int(&row, 1)?),
        Ok(None) | Err(_) => (0, 0),
    };
    Ok(Server { cluster, timeline, started })
}

/// Between two tries to connect to a server that refuses.
#[expect(clippy::disallowed_methods, reason = "the other side lives in real time")]
async fn a_moment() {
    tokio::time::sleep(TRIED_AGAIN_AFTER).await;
}

/// Fails where something of the network takes longer than it may.
#[expect(clippy::disallowed_methods, reason = "it guards a socket: the other side lives in real time")]
pub(super) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Unavailable("the database did not answer in time".to_owned())),
    }
}

/// What work ends with, where it ends in time; else it may go on.
#[expect(clippy::disallowed_methods, reason = "it guards a socket: the other side lives in real time")]
pub(super) async fn in_time<T>(
    deadline: Duration,
    work: &mut (impl Future<Output = T> + Unpin),
) -> Option<T> {
    tokio::time::timeout(deadline, work).await.ok()
}

/// Refuses a machine whose clock is far from that of the database.
pub(super) async fn same_time(link: &Link, clock: &dyn Clock) -> Result<(), OpenError> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let Some(row) = link.row(sql, values![]).await? else { return Ok(()) };
    let apart = clock.wall().0.abs_diff(int(&row, 0)?);
    if apart > APART_MAX_MICROS { Err(OpenError::Clock(apart / 1_000_000)) } else { Ok(()) }
}

/// What a 200 means with a server, or why it is not enough.
pub(super) async fn durability(link: &Link, asked: Durability) -> Result<String, String> {
    let sql = "SELECT current_setting('synchronous_standby_names') <> '',
                      (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))";
    let row = link.row(sql, values![]).await.map_err(|error| error.to_string())?;
    let row = row.ok_or("the database answers nothing")?;
    let named: bool = column(&row, 0).map_err(|error| error.to_string())?;
    let standbys: i64 = column(&row, 1).map_err(|error| error.to_string())?;
    match asked {
        Durability::Verify if named && standbys > 0 => {
            Ok(format!("a 200 means: on disk on this server and on one of {standbys} synchronous standbys"))
        }
        Durability::Verify => Err(
            "no synchronous standby is seen (synchronous_standby_names and pg_stat_replication): what is accepted would be \
             on one machine. Set one up, or say with store.durability what holds: \"managed\" where the provider \
             replicates below the database, \"single\" where one machine is meant"
                .to_owned(),
        ),
        Durability::Managed => {
            Ok("a 200 means: on disk in the database; that its provider keeps it on two machines is taken from \
                store.durability and can't be seen from here"
                .to_owned())
        }
        Durability::Single => {
            Ok("a 200 means: on disk on one server; with its disk everything accepted is lost".to_owned())
        }
    }
}
