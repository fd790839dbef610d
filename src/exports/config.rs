//! The `[exports]` section: what is exported by itself, when, and where files go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::config_problem::Problem;
use crate::export::{At, DAYS_MAX, Every, Format, Wanted};

/// A longer name is no name.
const NAME_CHARS_MAX: usize = 64;

/// The `[exports]` section: any number, by name.
pub type Config = BTreeMap<String, ExportConfig>;

/// One `[exports.NAME]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExportConfig {
    /// Deals that are won alone.
    pub won: bool,
    /// Those closed in so many days; 0: all.
    pub days: u32,
    /// Those of this pipeline; empty: of all.
    pub pipeline: String,
    /// The form of the file.
    pub format: Format,
    /// How often.
    pub every: Every,
    /// At what time of day, in UTC.
    pub at: String,
    /// Where files go.
    pub folder: PathBuf,
    /// How many files are kept.
    pub keep_files_max: usize,
    /// No more calls than this; 0: no limit.
    pub calls_max: u64,
}

impl Default for ExportConfig {
    fn default() -> Self {
        Self {
            won: true,
            days: 30,
            pipeline: String::new(),
            format: Format::Csv,
            every: Every::Day,
            at: "03:00".to_owned(),
            folder: PathBuf::new(),
            keep_files_max: 30,
            calls_max: 0,
        }
    }
}

impl ExportConfig {
    /// When it is due.
    #[must_use]
    pub fn at(&self) -> Option<At> {
        At::parse(&self.at)
    }

    /// What is exported.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let pipeline = self.pipeline.trim();
        Wanted {
            won: self.won,
            days: Some(self.days).filter(|days| *days > 0),
            pipeline: Some(pipeline.to_owned()).filter(|name| !name.is_empty()),
            calls_max: Some(self.calls_max).filter(|calls| *calls > 0),
        }
    }
}

/// Everything that is wrong with the exports.
#[must_use]
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, export) in config {
        let mut add = |key: &str, value: String, expected: &str| {
            found.push(Problem::new(format!("exports.{name}.{key}"), value, expected));
        };
        if export.at().is_none() {
            add("at", export.at.clone(), "a time of day in UTC such as 03:00");
        }
        if export.folder.as_os_str().is_empty() {
            add("folder", String::new(), "the folder that files are written into");
        }
        if export.days > DAYS_MAX {
            add("days", export.days.to_string(), "0 (all) to 3650");
        }
        if !(1..=10_000).contains(&export.keep_files_max) {
            add("keep_files_max", export.keep_files_max.to_string(), "1 to 10000");
        }
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(fits) {
            let expected = "a name of 1 to 64 of a-z, 0-9, _ and -";
            found.push(Problem::new(format!("exports.{name}"), name, expected));
        }
    }
    found
}
