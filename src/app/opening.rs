//! Opens the store that the configuration names.

use std::sync::Arc;

use super::BuildError;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::sqlite::SqliteStore;
use crate::store::{Engine, SharedStore, StoreSettings};

/// Opens it. Blocks while another process has the data folder.
pub(super) fn store_of(config: &Config, clock: &Arc<dyn Clock>) -> Result<SharedStore, BuildError> {
    let limits = StoreSettings {
        network_file_system: config.store.network_file_system,
        ephemeral: config.store.ephemeral,
        withdrawn_file: config.store.record(),
        journal_bytes_max: config.retention.journal_bytes_max,
        ..StoreSettings::default()
    };
    match config.store.kind {
        Engine::Sqlite => Ok(SqliteStore::open(&config.store.path, limits, Arc::clone(clock))?),
        Engine::Postgres => postgres::open(config, limits, clock),
    }
}

#[cfg(feature = "postgres")]
pub use postgres::settings as database_settings;

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::BuildError;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::store::postgres::{PostgresSettings, PostgresStore};
    use crate::store::{SharedStore, StoreSettings};

    /// A call that was claimed leaves within this time, or not at all.
    const CALL_LEAVES_WITHIN: Duration = Duration::from_secs(5);
    /// Connections that are not for look-ups: appends, turns, the lease.
    const NOT_FOR_LOOK_UPS: usize = 3;

    pub(super) fn open(
        config: &Config,
        limits: StoreSettings,
        clock: &Arc<dyn Clock>,
    ) -> Result<SharedStore, BuildError> {
        Ok(PostgresStore::open(settings(config, limits), Arc::clone(clock))?)
    }

    /// The name of this machine, for people.
    fn machine() -> String {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name: String =
            name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
        if name.is_empty() { "node".to_owned() } else { name }
    }

    /// What the configuration says of the database.
    #[must_use]
    pub fn settings(config: &Config, limits: StoreSettings) -> PostgresSettings {
        let store = &config.store;
        let mut random = [0; 4];
        // Two nodes of one name work as two all the same: the name is for people.
        let _ = getrandom::fill(&mut random);
        let attempt = Duration::from_secs(config.freshsales.attempt_timeout_seconds);
        PostgresSettings {
            url: store.url.clone(),
            schema: store.schema.clone(),
            tls: store.tls,
            authorities: store.ca.clone(),
            durability: store.durability,
            append_deadline: Duration::from_millis(store.append_deadline_ms),
            lease: Duration::from_secs(store.lease_seconds),
            call_lasts: attempt + CALL_LEAVES_WITHIN,
            by_database_clock: true,
            node: format!("{}-{}-{:08x}", machine(), std::process::id(), u32::from_be_bytes(random)),
            limits: StoreSettings { readers_max: store.connections_max - NOT_FOR_LOOK_UPS, ..limits },
        }
    }
}

#[cfg(not(feature = "postgres"))]
mod postgres {
    use std::sync::Arc;

    use super::super::BuildError;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::config_problem::Problem;
    use crate::store::{SharedStore, StoreSettings};

    pub(super) fn open(_: &Config, _: StoreSettings, _: &Arc<dyn Clock>) -> Result<SharedStore, BuildError> {
        let expected = "\"sqlite\": this program was built without PostgreSQL";
        Err(BuildError::Config(vec![Problem::new("store.kind", "postgres", expected)]))
    }
}
