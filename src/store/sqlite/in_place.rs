//! Whether the files that are written are still those that a new start would open.
//!
//! A file that was renamed, removed or replaced under the running service goes on being written: its descriptor is open.
//! What is acknowledged then would be gone after the next start. So each file's device and inode are remembered when it
//! is opened, and compared with those at its path before anything is acknowledged. Must not touch the files.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::failure::Fatal;
use crate::clock::Clock;
use crate::store::StoreError;

/// So long somebody may take to put a file back; then the process ends.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks for a file that is away.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A file, whatever its name is: device and inode. An inode that is open is given to no other file.
type Identity = (u64, u64);

/// The files of a data folder as they were opened.
#[derive(Clone)]
pub(super) struct InPlace(Arc<Inner>);

struct Inner {
    opened: Vec<(PathBuf, Identity)>,
    /// Since when one of them is away, by the monotonic clock.
    away_since: watch::Sender<Option<Duration>>,
    /// The files are closed, which takes their logs away.
    closed: AtomicBool,
    clock: Arc<dyn Clock>,
    fatal: Fatal,
}

impl fmt::Debug for InPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0.opened).finish()
    }
}

impl InPlace {
    /// Remembers the files that are there: databases that are open, each with its log.
    pub(super) fn remember(databases: &[PathBuf], clock: Arc<dyn Clock>, fatal: Fatal) -> Self {
        let files = databases.iter().flat_map(|database| [database.clone(), with_suffix(database, "-wal")]);
        let opened = files.filter_map(|path| identity(&path).map(|found| (path, found))).collect();
        Self(Arc::new(Inner {
            opened,
            away_since: watch::Sender::new(None),
            closed: AtomicBool::new(false),
            clock,
            fatal,
        }))
    }

    /// Fails while a file is away: as [`StoreError::Away`] at first, after a minute for good.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.0.closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let away = self.0.opened.iter().find(|(path, opened)| identity(path) != Some(*opened));
        let Some((path, _)) = away else {
            if self.0.away_since.send_if_modified(|since| since.take().is_some()) {
                tracing::info!("the files of the data folder are back; events are accepted again");
            }
            return Ok(());
        };
        let name = path.file_name().unwrap_or(path.as_os_str()).display();
        let now = self.0.clock.monotonic();
        self.0.away_since.send_if_modified(|since| {
            let first = since.is_none();
            if first {
                *since = Some(now);
                tracing::error!(
                    file = %path.display(),
                    seconds = PATIENCE.as_secs(),
                    "a file of the data folder was renamed, removed or replaced; events are refused, and the service \
                     ends after these seconds unless it is put back"
                );
            }
            first
        });
        let since = self.0.away_since.borrow().unwrap_or(now);
        if now.saturating_sub(since) < PATIENCE {
            return Err(StoreError::Away(name.to_string()));
        }
        let why = format!("{name} was renamed, removed or replaced while the service ran");
        let error = StoreError::Fatal(why);
        self.0.fatal.note(&error);
        Err(error)
    }

    /// Nothing is acknowledged any more, and the files are closed.
    pub(super) fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
    }

    /// The same where a file was away when somebody looked last; else nobody looks.
    pub(super) fn check_again(&self) -> Result<(), StoreError> {
        if self.0.away_since.borrow().is_none() { Ok(()) } else { self.check() }
    }

    /// Looks every second whether a file that is away was put back, once one is, until it is away for good. Waits for ever
    /// otherwise.
    pub(super) async fn watch(&self) {
        let mut away = self.0.away_since.subscribe();
        while away.wait_for(Option::is_some).await.is_ok() {
            while matches!(self.check(), Err(StoreError::Away(_))) {
                self.0.clock.sleep_until(self.0.clock.monotonic() + LOOK_AGAIN).await;
            }
            if self.0.fatal.check().is_err() {
                return;
            }
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
