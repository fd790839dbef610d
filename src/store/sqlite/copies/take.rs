//! Takes a backup, page by page, while a service runs on the files or not.
//!
//! What is read is held by a transaction, so neither pruning nor erasing can change the copy while it is made; the service
//! waits for nobody meanwhile, its logs only grow. Must not write to the data folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::manifest::{Entry, Manifest, TOKEN_FILE};
use super::pair::Pair;
use super::problem::CopyError;
use super::settings;
use crate::clock::UnixMicros;
use crate::store::sqlite::files::{self, JOURNAL_FILE, STATE_FILE};

/// Pages copied at once: 16 MiB.
const PAGES: i32 = 4096;
/// What is left of the disk for the service: the room below which it refuses events.
const SPARE_BYTES: u64 = 128 << 20;
/// Locked while the backup is made.
const LOCK_FILE: &str = "lock";

/// Copies a data folder into a new folder of this name. It is there whole or not at all.
///
/// # Errors
/// Says why there is no backup. What was written of it is removed again.
pub fn back_up(data: &Path, target: &Path, now: UnixMicros) -> Result<Manifest, CopyError> {
    take(data, target, now, |_| Ok(Vec::new()))
}

/// The same with the settings that were changed on the page, and the secrets that were made or entered there.
///
/// # Errors
/// As [`back_up`].
pub fn back_up_with_settings(data: &Path, target: &Path, now: UnixMicros) -> Result<Manifest, CopyError> {
    take(data, target, now, |partial| settings::copy(data, partial))
}

/// `others` copies what else belongs to it, and answers the names.
fn take(
    data: &Path,
    target: &Path,
    now: UnixMicros,
    others: impl FnOnce(&Path) -> Result<Vec<&'static str>, CopyError>,
) -> Result<Manifest, CopyError> {
    if fs::symlink_metadata(target).is_ok() {
        return Err(CopyError::Exists(target.to_owned()));
    }
    CopyError::refuse_inside(data, target)?;
    crate::store::give_way();
    let partial = Partial::begin(target)?;
    let pair = Pair::begin(data)?;
    if !pair.standing.adds_up() {
        return Err(CopyError::Torn);
    }
    check_room(&partial.path, &pair)?;
    copy(&pair.state, &partial.path.join(STATE_FILE))?;
    copy(&pair.journal, &partial.path.join(JOURNAL_FILE))?;
    let mut names = vec![STATE_FILE, JOURNAL_FILE];
    if data.join(TOKEN_FILE).exists() {
        copy_file(&data.join(TOKEN_FILE), &partial.path.join(TOKEN_FILE))?;
        names.push(TOKEN_FILE);
    }
    names.extend(others(&partial.path)?);
    let written: Vec<Entry> =
        names.into_iter().map(|name| Entry::of(&partial.path, name)).collect::<Result<_, _>>()?;
    let taken_effect = pair.standing.counted.map_or(pair.standing.seen.0, |counted| counted.processed.events);
    let manifest = Manifest::new(now.to_rfc3339(), pair.standing.end.0, taken_effect, written);
    manifest.write(&partial.path)?;
    partial.finish(target)?;
    Ok(manifest)
}

/// A backup that is being made; removed when dropped. One that was killed is taken over by the next of the same name.
struct Partial {
    path: PathBuf,
    _lock: File,
    finished: bool,
}

impl Partial {
    fn begin(target: &Path) -> Result<Self, CopyError> {
        let mut name = target.file_name().unwrap_or(target.as_os_str()).to_owned();
        name.push(".partial");
        let path = target.with_file_name(name);
        files::make(&path).map_err(CopyError::of(&path))?;
        let lock = files::private_file(&path.join(LOCK_FILE)).map_err(CopyError::of(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CopyError::UnderWay(target.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(CopyError::File { path, cause }),
        }
        let partial = Self { path, _lock: lock, finished: false };
        partial.empty().map_err(CopyError::of(&partial.path))?;
        Ok(partial)
    }

    /// Removes what one that was killed left.
    fn empty(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else if !path.ends_with(LOCK_FILE) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, target: &Path) -> Result<(), CopyError> {
        let lock = self.path.join(LOCK_FILE);
        fs::remove_file(&lock).map_err(CopyError::of(&lock))?;
        files::sync_folder(&self.path).map_err(CopyError::of(&self.path))?;
        fs::rename(&self.path, target).map_err(CopyError::of(target))?;
        self.finished = true;
        let parent =
            target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        files::sync_folder(parent).map_err(CopyError::of(parent))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            // A folder that stays is no backup: it has no manifest.
            let _ = self.empty().and_then(|()| fs::remove_dir_all(&self.path));
        }
    }
}

fn check_room(folder: &Path, pair: &Pair) -> Result<(), CopyError> {
    let mut needed = SPARE_BYTES;
    for file in [&pair.state, &pair.journal] {
        let pragma = |name| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        needed += u64::try_from(pragma("page_count")? * pragma("page_size")?).unwrap_or(0);
    }
    let free = files::free_bytes(folder).map_err(CopyError::of(folder))?;
    if free < needed {
        return Err(CopyError::Room { folder: folder.to_owned(), free, needed });
    }
    Ok(())
}

/// Copies a file as of the moment that its connection holds, and looks whether the copy is sound.
fn copy(source: &Connection, to: &Path) -> Result<(), CopyError> {
    files::private_file(to).map_err(CopyError::of(to))?;
    let open = || {
        Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    };
    let mut target = open()?;
    // What is not finished is thrown away, so nothing has to be undone.
    target.query_row("PRAGMA journal_mode = OFF", (), |_| Ok(()))?;
    let backup = Backup::new(source, &mut target)?;
    loop {
        match backup.step(PAGES)? {
            StepResult::Done => break,
            StepResult::More => {}
            _ => return Err(CopyError::Torn),
        }
    }
    drop(backup);
    drop(target);
    let target = open()?;
    // A copy is one file that can be read where nothing may be written.
    target.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(()))?;
    let unsound = files::unsound(&target)?;
    drop(target);
    if let Some(why) = unsound.first() {
        return Err(CopyError::Damaged { folder: to.to_owned(), why: why.clone() });
    }
    File::open(to).and_then(|file| file.sync_all()).map_err(CopyError::of(to))
}

/// Copies a small file that nobody else may read.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<(), CopyError> {
    let mut source = File::open(from).map_err(CopyError::of(from))?;
    let mut target = files::private_file(to).map_err(CopyError::of(to))?;
    io::copy(&mut source, &mut target).and_then(|_| target.sync_all()).map_err(CopyError::of(to))
}
