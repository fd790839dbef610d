//! The `[store]` section, and the limits of the embedded engine. Must not open anything.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config_problem::Problem;

/// The `[store]` section of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which engine.
    pub kind: Engine,
    /// The data folder.
    pub path: PathBuf,
    /// The data folder may be on a network file system. Locks and syncs of many of them can't be relied on.
    pub network_file_system: bool,
    /// The data folder may be one that goes with the container or the machine's memory. The image says that it may not.
    pub ephemeral: bool,
    /// Where erasures and withdrawals of consent are noted for a restore; empty: in the data folder.
    pub withdrawn_file: PathBuf,
    /// The address of the database, with user and password.
    pub url: SecretString,
    /// A file that holds it; empty: there is none.
    pub url_file: String,
    /// The schema that holds the tables.
    pub schema: String,
    /// How the connection to the database is protected.
    pub tls: Tls,
    /// A file with certificates of authorities that are trusted beside the usual ones; empty: there is none.
    pub ca_file: String,
    /// Its text.
    #[serde(skip)]
    pub ca: String,
    /// What is demanded of the database.
    pub durability: Durability,
    /// Connections of this node to the database.
    pub connections_max: usize,
    /// How long an append may take before it is given up.
    pub append_deadline_ms: u64,
    /// How long a node that is gone is waited for before another works.
    pub lease_seconds: u64,
}

impl Config {
    /// What is wrong with the section.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let numbers = [
            ("store.connections_max", self.connections_max as u64, 4, 100),
            ("store.append_deadline_ms", self.append_deadline_ms, 100, 60_000),
            ("store.lease_seconds", self.lease_seconds, 2, 300),
        ];
        let outside = numbers.into_iter().filter(|(_, value, min, max)| value < min || value > max);
        let mut problems: Vec<Problem> = outside
            .map(|(key, value, min, max)| Problem::new(key, value.to_string(), format!("{min} to {max}")))
            .collect();
        if self.kind == Engine::Postgres && self.url.expose_secret().is_empty() {
            let expected =
                "the address of the database in store.url_file, like postgres://user:password@host/database";
            problems.push(Problem::new("store.url", "", expected));
        }
        problems
    }

    /// The file for the record of erasures and withdrawals, if it is not in the data folder.
    #[must_use]
    pub fn record(&self) -> Option<PathBuf> {
        Some(self.withdrawn_file.clone()).filter(|path| !path.as_os_str().is_empty())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: Engine::Sqlite,
            path: PathBuf::from("data"),
            network_file_system: false,
            ephemeral: true,
            withdrawn_file: PathBuf::new(),
            url: SecretString::from(String::new()),
            url_file: String::new(),
            schema: "freshsignal".to_owned(),
            tls: Tls::VerifyFull,
            ca_file: String::new(),
            ca: String::new(),
            durability: Durability::Verify,
            connections_max: 8,
            append_deadline_ms: 2_000,
            lease_seconds: 10,
        }
    }
}

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The embedded one: two files in the data folder.
    Sqlite,
    /// A database beside the service, that several nodes share.
    Postgres,
}

/// How the connection to the database is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Encrypted, and the server shows a certificate for its name.
    VerifyFull,
    /// In the clear: for a socket or a loopback address alone.
    Off,
}

/// What is demanded of the database before anything is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A synchronous standby is seen.
    Verify,
    /// The provider replicates below the database, which can't be seen.
    Managed,
    /// One machine is meant.
    Single,
}

/// How the embedded engine opens and where it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// How long to wait for another process to leave the data folder.
    pub lock_wait: Duration,
    /// The data folder may be on a network file system.
    pub network_file_system: bool,
    /// The data folder may be one that goes with the container. The service says so by `store.ephemeral`; whoever opens a store
    /// without one may.
    pub ephemeral: bool,
    /// Where erasures and withdrawals of consent are noted; none: in the data folder.
    pub withdrawn_file: Option<PathBuf>,
    /// Size of the journal; at it events are refused until old ones are pruned (`retention.journal_bytes_max`).
    pub journal_bytes_max: u64,
    /// Free space on the disk below which events are refused, so that delivery and pruning can go on.
    pub free_bytes_min: u64,
    /// Events that may wait to be written; more are refused at once.
    pub queue_events_max: usize,
    /// Bytes of such events.
    pub queue_bytes_max: usize,
    /// Events of one commit.
    pub group_events_max: usize,
    /// Bytes of one commit; a single request may be larger.
    pub group_bytes_max: usize,
    /// What one look-up may take.
    pub lookup_timeout: Duration,
    /// Look-ups of one file at the same time; more wait.
    pub readers_max: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            lock_wait: Duration::from_secs(30),
            network_file_system: false,
            ephemeral: true,
            withdrawn_file: None,
            journal_bytes_max: 2 << 30,
            free_bytes_min: 128 << 20,
            queue_events_max: 20_000,
            queue_bytes_max: 64 << 20,
            group_events_max: 4096,
            group_bytes_max: 8 << 20,
            lookup_timeout: Duration::from_secs(2),
            readers_max: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_read_and_unknown_keys_are_refused() {
        let config: Config = toml::from_str("kind = \"sqlite\"\npath = \"data\"").unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
        assert!(toml::from_str::<Config>("kind = \"sqlite\"\npath = \"data\"\nsize = 3").is_err());
        assert!(toml::from_str::<Config>("kind = \"mysql\"\npath = \"data\"").is_err());
    }

    #[test]
    fn a_database_needs_an_address_and_numbers_have_bounds() {
        let keys = |text: &str| {
            let config: Config = toml::from_str(text).unwrap();
            config.problems().into_iter().map(|problem| problem.key).collect::<Vec<_>>()
        };
        assert!(keys("").is_empty());
        assert_eq!(keys("kind = \"postgres\""), ["store.url"]);
        assert!(keys("kind = \"postgres\"\nurl = \"postgres://u:p@h/d\"").is_empty());
        let outside = "connections_max = 3\nappend_deadline_ms = 1\nlease_seconds = 1";
        assert_eq!(
            keys(outside),
            ["store.connections_max", "store.append_deadline_ms", "store.lease_seconds"]
        );
    }
}
