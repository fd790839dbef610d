//! Telemetry: what is logged and how. Must not know what it is that is logged.
//!
//! Logs go to standard error. Personal data and secrets are never put into them, at any level: whoever logs
//! names routes, codes and counts.

mod panics;

use std::io::IsTerminal;
use std::str::FromStr;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

pub use panics::{Panicked, caught, caught_in, log_places};

use crate::config_problem::Problem;

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The `[log]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// A level or a filter of the tracing library.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl LogConfig {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        // A single word that is no level would be read as the name of a module.
        let word = LevelFilter::from_str(self.level.trim()).is_ok();
        match self.level.parse::<EnvFilter>() {
            Ok(_) if word || self.level.contains('=') => Vec::new(),
            Ok(_) | Err(_) => {
                vec![Problem::new(
                    "log.level",
                    &self.level,
                    "error, warn, info, debug, trace or a tracing filter",
                )]
            }
        }
    }

    /// The filter. Libraries that would log what they send and receive stay at `info`, whatever was asked for.
    fn filter(&self) -> EnvFilter {
        let asked = self.level.parse::<EnvFilter>().unwrap_or_default();
        ["hyper", "hyper_util", "reqwest", "rustls", "h2"].into_iter().fold(asked, |filter, library| {
            match format!("{library}=info").parse() {
                Ok(directive) => filter.add_directive(directive),
                Err(_) => filter,
            }
        })
    }
}

/// Starts logging for the process.
///
/// # Errors
/// Somebody else has started logging already.
pub fn start(config: &LogConfig) -> Result<(), TryInitError> {
    let registry = tracing_subscriber::registry().with(config.filter());
    match config.format {
        LogFormat::Text => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            // Colours are for people who look; a file or a collector gets plain text.
            registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
        }
        LogFormat::Json => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()
        }
    }
}
