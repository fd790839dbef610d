//! Exports that the configuration orders: begun when they are due, written into a folder of the user once they are read, and old
//! files deleted.
//!
//! The calls are the delivering stage's. A file of a day that is there was made, so a restart makes none twice.

mod config;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub use config::{Config, ExportConfig, problems};

use crate::clock::{Clock, UnixMicros};
use crate::decision::Settings;
use crate::export::{At, EXPORTS_MAX, Export, Format, State, csv_line, date_of, header_line, last_due};
use crate::store::{ExportRows, Plan, Put, PutExport, SharedStore, StoreError};
use crate::turn::{self, Next, Stage, Stalls};

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How often it is looked whether one that goes on is read.
const LOOK_EVERY_WHILE_READ: Duration = Duration::from_secs(2);
/// Rows that are written together.
const PAGE: usize = 500;

/// What the stage needs.
pub struct Exports {
    /// Where exports stand.
    pub store: SharedStore,
    /// Which account is asked.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The `[exports]` section.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung when an export was begun.
    pub owed: Arc<Notify>,
    /// Where it is noted when nothing comes of it.
    pub stalls: Stalls,
}

impl Exports {
    /// Begins and writes exports until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        if self.config.is_empty() {
            stop.cancelled().await;
            return Ok(());
        }
        let (clock, stalls) = (Arc::clone(&self.clock), self.stalls.clone());
        turn::run(self, &stalls, &*clock, &stop).await
    }
}

impl Stage for Exports {
    const NAME: &'static str = "exports";

    async fn work(&mut self) -> Result<Next, StoreError> {
        // By a time of day that may be wrong nothing is due.
        let mut read = false;
        if self.clock.is_proven() {
            for (name, config) in &self.config {
                read |= self.look_after(name, config).await?;
            }
        }
        Ok(Next::After(if read { LOOK_EVERY_WHILE_READ } else { LOOK_EVERY }))
    }

    async fn rung(&mut self) {
        std::future::pending::<()>().await;
    }
}

impl Exports {
    /// Tells whether it goes on.
    async fn look_after(&self, name: &str, config: &ExportConfig) -> Result<bool, StoreError> {
        let (now, Some(at)) = (self.clock.wall(), config.at()) else { return Ok(false) };
        let due = last_due(config.every, at, now);
        let all = self.store.exports().await?;
        let known = all.iter().find(|export| export.name.as_deref() == Some(name));
        match known {
            Some(export) if export.is_running() => return Ok(true),
            Some(export) if export.state == State::Done => self.deliver(export, config, at).await?,
            Some(export) if export.begun_at >= due => {}
            Some(_) | None if config.file(name, due).exists() => {}
            Some(_) | None => {
                self.begin(name, config, &all, now).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn begin(
        &self,
        name: &str,
        config: &ExportConfig,
        all: &[Export],
        now: UnixMicros,
    ) -> Result<(), StoreError> {
        let mut puts: Vec<Put> = all
            .iter()
            .filter(|export| export.name.as_deref() == Some(name))
            .map(|export| Put::Export(PutExport::Gone(export.id)))
            .collect();
        if puts.is_empty() && all.len() >= EXPORTS_MAX {
            let ended = all.iter().find(|export| !export.is_running() && export.name.is_none());
            let Some(oldest) = ended else {
                tracing::warn!(export = name, "an export waits: too many others go on");
                return Ok(());
            };
            puts.push(Put::Export(PutExport::Gone(oldest.id)));
        }
        let id = all.last().map_or(1, |last| last.id + 1);
        let account = self.settings.borrow().account.clone();
        let export = Export::new(id, account, config.wanted(), Some(name.to_owned()), now);
        puts.push(Put::Export(PutExport::Export(Box::new(export))));
        self.store.apply(Plan { puts, ..Plan::default() }).await?;
        tracing::info!(export = name, "an export has begun, as the configuration orders");
        self.owed.notify_one();
        Ok(())
    }

    /// Writes the file of an export that is read, then lets it go.
    async fn deliver(&self, export: &Export, config: &ExportConfig, at: At) -> Result<(), StoreError> {
        let name = export.name.clone().unwrap_or_default();
        // It is called by the day on which it was due, whenever it was begun.
        let file = config.file(&name, last_due(config.every, at, export.begun_at));
        match self.write(export, config.format, &file).await? {
            Ok(()) => {
                let (calls, missed) = (export.calls, export.missed);
                tracing::info!(export = name, calls, missed, "an export was written");
                let puts = vec![Put::Export(PutExport::Gone(export.id))];
                self.store.apply(Plan { puts, ..Plan::default() }).await?;
                if let Err(error) = config.keep_newest(&name) {
                    tracing::warn!(export = name, %error, "old files of an export could not be deleted");
                }
            }
            Err(error) => tracing::error!(
                export = name,
                %error,
                "the file of an export could not be written; it is tried again each minute. Look at its folder"
            ),
        }
        Ok(())
    }

    async fn write(
        &self,
        export: &Export,
        format: Format,
        file: &Path,
    ) -> Result<std::io::Result<()>, StoreError> {
        let mut text = match format {
            Format::Csv => header_line(&export.custom),
            Format::Jsonl => String::new(),
        };
        let part = part_of(file);
        let mut out = match open(&part).await {
            Ok(out) => out,
            Err(error) => return Ok(Err(error)),
        };
        let mut after = 0;
        loop {
            let query = ExportRows { export: export.id, after, thin: false, limit: PAGE };
            let rows = self.store.export_rows(query).await?;
            for row in &rows {
                match format {
                    Format::Csv => text.push_str(&csv_line(row, &export.custom)),
                    Format::Jsonl => text.push_str(&row.json_line()),
                }
            }
            if let Err(error) = out.write_all(text.as_bytes()).await {
                return Ok(Err(error));
            }
            text.clear();
            match rows.last().filter(|_| rows.len() == PAGE) {
                Some(last) => after = last.id,
                None => break,
            }
        }
        let done = async {
            out.sync_all().await?;
            tokio::fs::rename(&part, file).await
        };
        Ok(done.await)
    }
}

async fn open(part: &Path) -> std::io::Result<tokio::fs::File> {
    if let Some(folder) = part.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    // It holds personal data: nobody else reads it.
    tokio::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part).await
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

impl ExportConfig {
    /// The file of the export that was due at a moment.
    fn file(&self, name: &str, moment: UnixMicros) -> PathBuf {
        self.folder.join(format!("{name}-{}.{}", date_of(moment), self.format.as_str()))
    }

    /// Deletes files of an export beyond as many as are kept, the oldest first: its own by their names, and nothing else.
    fn keep_newest(&self, name: &str) -> std::io::Result<()> {
        let mut own: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if is_own(file, name, self.format) {
                own.push(path);
            }
        }
        own.sort();
        let beyond = own.len().saturating_sub(self.keep_files_max);
        own.iter().take(beyond).try_for_each(std::fs::remove_file)
    }
}

/// Whether a file is one of an export: its name, a date, its ending.
fn is_own(file: &str, name: &str, format: Format) -> bool {
    let date = file
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(format.as_str()))
        .and_then(|rest| rest.strip_suffix('.'));
    date.is_some_and(|date| {
        date.len() == 10
            && date
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
    })
}
