//! The `[store]` section, and the limits of the embedded engine. Must not open anything.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The `[store]` section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Config {
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
        }
    }
}

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The embedded one: two files in the data folder.
    Sqlite,
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
        assert_eq!(config, Config::default());
        assert!(toml::from_str::<Config>("kind = \"sqlite\"\npath = \"data\"\nsize = 3").is_err());
        assert!(toml::from_str::<Config>("kind = \"mysql\"\npath = \"data\"").is_err());
    }
}
