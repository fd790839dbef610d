//! The data folder: its lock and rights, and connections that are set up as they must be.
//!
//! No connection leaves this file whose pragmas were not read back.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::OpenError;
use crate::store::{StoreError, StoreSettings};

pub(super) const JOURNAL_FILE: &str = "journal.db";
pub(super) const STATE_FILE: &str = "state.db";
const LOCK_FILE: &str = "lock";
/// There while a restore is under way: until it is gone the folder is not whole.
const UNFINISHED_FILE: &str = "restore.unfinished";

/// Older ones can lose data when the WAL is reset (fixed in 3.51.3).
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// Between two tries to get the lock.
const LOCK_RETRY: Duration = Duration::from_millis(50);
/// How long a connection waits for another one; ours never hold each other up that long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the log waits to be emptied. A backup reads for minutes, and nobody may wait for it: the log grows meanwhile.
const READERS_TIMEOUT: Duration = Duration::from_millis(100);
const STATEMENTS_CACHED: usize = 64;

/// The data folder, held for this process alone until dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// What a data folder may be on though it is not safe there, because somebody said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// A network file system.
    pub network: bool,
    /// What goes with the container or the machine's memory.
    pub ephemeral: bool,
}

impl Places {
    /// As the settings of a store say.
    pub(super) fn of(settings: &StoreSettings) -> Self {
        Self { network: settings.network_file_system, ephemeral: settings.ephemeral }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileAccess {
    /// The only one that writes to its file.
    Write,
    /// Look-ups.
    Read,
}

impl Folder {
    /// Makes the folder where it does not exist and waits up to `lock_wait` to have it alone.
    pub(super) fn open(path: &Path, on: Places, lock_wait: Duration) -> Result<Self, OpenError> {
        let folder = Self::take(path, on, lock_wait)?;
        if folder.file(UNFINISHED_FILE).exists() {
            return Err(OpenError::Unfinished(path.to_owned()));
        }
        for file in [JOURNAL_FILE, STATE_FILE] {
            // SQLite gives the files beside these the same rights.
            private_file(&path.join(file)).map_err(|error| OpenError::Permission(path.to_owned(), error))?;
        }
        Ok(folder)
    }

    /// The same, whatever is in it or not.
    pub(super) fn take(path: &Path, on: Places, lock_wait: Duration) -> Result<Self, OpenError> {
        let denied = |error| OpenError::Permission(path.to_owned(), error);
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => return Err(OpenError::NotAFolder(path.to_owned())),
            Ok(found) => {
                if holds_other_things(path).map_err(denied)? {
                    return Err(OpenError::NotOurs(path.to_owned()));
                }
                restrict(path, &found, 0o700);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                has_parent(path)?;
                make(path).map_err(denied)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(OpenError::NotAFolder(path.to_owned()));
            }
            Err(error) => return Err(denied(error)),
        }
        check_file_system(path, on)?;
        let lock = private_file(&path.join(LOCK_FILE)).map_err(denied)?;
        have_alone(&lock, path, lock_wait)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Notes on disk that what is in the folder is not whole and how far a restore is, or that it is whole now.
    pub(super) fn set_unfinished(&self, how_far: Option<&str>) -> io::Result<()> {
        let path = self.file(UNFINISHED_FILE);
        match how_far {
            Some(how_far) => {
                let mut file = private_file(&path)?;
                file.set_len(0)?;
                file.write_all(how_far.as_bytes())?;
                file.sync_all()?;
            }
            None => fs::remove_file(&path)?,
        }
        sync_folder(&self.path)
    }

    /// How far a restore is that was not finished.
    pub(super) fn unfinished(&self) -> Option<String> {
        fs::read_to_string(self.file(UNFINISHED_FILE)).ok()
    }

    /// What is in the folder but for what belongs to the folder itself.
    pub(super) fn content(&self) -> io::Result<Vec<PathBuf>> {
        let mut content = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let ours = [LOCK_FILE, UNFINISHED_FILE, "lost+found"].iter().any(|own| name == *own);
            if !ours {
                content.push(entry.path());
            }
        }
        content.sort();
        Ok(content)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Whether there are files in a folder and none of ours: it is somebody else's, and its rights are not to be changed.
fn holds_other_things(path: &Path) -> io::Result<bool> {
    let ours = [JOURNAL_FILE, STATE_FILE, LOCK_FILE, UNFINISHED_FILE, "admin-token", "lost+found"];
    // Settings of the page that were brought here come before everything else.
    if path.join("settings").join("managed.json").is_file() {
        return Ok(false);
    }
    let mut others = false;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if ours.iter().any(|own| name == *own) {
            return Ok(false);
        }
        others = true;
    }
    Ok(others)
}

/// A folder is made where the one above it is: a path that is not there may be that of a disk that is not mounted.
fn has_parent(path: &Path) -> Result<(), OpenError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.exists() => {
            Err(OpenError::NoParent(path.to_owned(), parent.to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

/// Locks the folder, trying again until the wait is over.
#[allow(
    clippy::disallowed_methods,
    reason = "nothing runs yet that could be driven by a clock, and the other process lives in real time"
)]
fn have_alone(lock: &File, path: &Path, lock_wait: Duration) -> Result<(), OpenError> {
    let mut waited = Duration::ZERO;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if waited >= lock_wait => {
                return Err(OpenError::InUse(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => {
                if waited.is_zero() {
                    let seconds = lock_wait.as_secs();
                    tracing::warn!(folder = %path.display(), seconds, "another process uses the data folder; waiting for it to end");
                }
                std::thread::sleep(LOCK_RETRY);
            }
            Err(TryLockError::Error(error)) => return Err(OpenError::Permission(path.to_owned(), error)),
        }
        waited += LOCK_RETRY;
    }
}

/// Makes the folder, so that a power cut can't take it away again with all that is in it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in path.canonicalize()?.ancestors().skip(1) {
        // Those that we may not read existed before.
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    Ok(())
}

/// Has the names in a folder on disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Opens a file that nobody else may read, making it where it does not exist.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    restrict(path, &file.metadata()?, 0o600);
    Ok(file)
}

/// Takes rights of others away. A folder that belongs to somebody else (a mounted volume) can't be changed;
/// the files in it are ours alone all the same.
fn restrict(path: &Path, found: &fs::Metadata, mode: u32) {
    if found.permissions().mode() & 0o777 == mode {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
        tracing::warn!(path = %path.display(), %error, "the data folder is readable by other users (could not take their rights away)");
    }
}

#[cfg(target_os = "linux")]
fn check_file_system(path: &Path, on: Places) -> Result<(), OpenError> {
    // The root of a container, and file systems in memory.
    const EPHEMERAL: [(u32, &str); 3] =
        [(0x794c_7630, "overlay"), (0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];
    const NETWORK: [(u32, &str); 9] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x5346_414f, "AFS"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x4750_4653, "GPFS"),
    ];
    let found = rustix::fs::statfs(path).map_err(|error| OpenError::Disk(error.to_string()))?;
    // The magic numbers have 32 bits; the type of the field differs between architectures.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let magic = found.f_type as u32;
    let named = |known: &[(u32, &'static str)]| {
        known.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
    };
    if let Some(name) = named(&EPHEMERAL) {
        if !on.ephemeral {
            return Err(OpenError::Ephemeral(path.to_owned(), name));
        }
        tracing::warn!(path = %path.display(), file_system = name, "the data folder goes with the container or the machine's memory, and every accepted event with it: mount a volume");
    }
    match named(&NETWORK) {
        Some(name) if !on.network => Err(OpenError::NetworkFileSystem(path.to_owned(), name)),
        Some(_) | None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn check_file_system(_: &Path, _: Places) -> Result<(), OpenError> {
    Ok(())
}

/// Bytes that we may still write to the disk of a path.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Opens a file of the store.
pub(super) fn connect(path: &Path, access: FileAccess) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::Engine(format!("version {} is too old", rusqlite::version())));
    }
    let mode = match access {
        FileAccess::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        FileAccess::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // A statement keeps the plan it was prepared with. Otherwise SQLite plans it anew for other values, which takes longer
    // than most of ours run: https://www.sqlite.org/queryplanner-ng.html#qpstab
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if access == FileAccess::Write {
        connection.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))?;
    }
    let query_only = i64::from(access == FileAccess::Read);
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
    )?;
    // These answer with what they were set to.
    for set in ["PRAGMA secure_delete = ON", "PRAGMA wal_autocheckpoint = 0"] {
        connection.query_row(set, (), |_| Ok(()))?;
    }
    connection.pragma_update(None, "query_only", query_only)?;
    read_back(&connection, query_only)?;
    Ok(connection)
}

/// Opens a file of a data folder or of a copy of one for looking at it, whatever its version.
pub(super) fn look_at(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection
        .execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;")?;
    Ok(connection)
}

/// What the engine finds wrong with a file, in its own words, a few of them.
pub(super) fn unsound(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare("PRAGMA integrity_check(10)")?;
    let found = statement.query_map((), |row| row.get::<_, String>(0))?;
    Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|line| line != "ok").collect())
}

/// Refuses a connection that does not do what it was told.
fn read_back(connection: &Connection, query_only: i64) -> Result<(), OpenError> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::Engine(format!("journal_mode is {mode} and not wal")));
    }
    let expected = [
        ("synchronous", 2),
        ("temp_store", 2),
        ("secure_delete", 1),
        ("wal_autocheckpoint", 0),
        ("query_only", query_only),
    ];
    if !connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG)? {
        return Err(OpenError::Engine("statements do not keep their plans".to_owned()));
    }
    for (pragma, expected) in expected {
        let found: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
        if found != expected {
            return Err(OpenError::Engine(format!("{pragma} is {found} and not {expected}")));
        }
    }
    Ok(())
}

/// Commits once without waiting for the disk: what is committed is there for everybody and survives a kill, and a power cut
/// takes it back, with all that was committed after it, unless [`sync_log`] or a commit that waits comes before.
pub(super) fn without_sync<T>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    let done = work(connection);
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    done
}

/// Has everything that was committed on disk. Needs no room there, as one more commit would.
pub(super) fn sync_log(connection: &Connection) -> Result<(), StoreError> {
    let Some(path) = connection.path() else { return Ok(()) };
    match File::open(format!("{path}-wal")).and_then(|log| log.sync_data()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::Fatal(error.to_string())),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// How far the WAL was written back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wal {
    /// Pages in it.
    pub(super) pages: i64,
    /// Those that are in the file already.
    pub(super) written_back: i64,
}

/// How to write the WAL back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// Only look.
    Look,
    /// What can be without waiting for anybody.
    Passive,
    /// All of it, and make the WAL empty, where the readers are done within a moment.
    Truncate,
}

/// Writes the WAL back. Never left to `SQLite` itself, which would keep a failure to itself.
pub(super) fn checkpoint(connection: &Connection, how: Checkpoint) -> Result<Wal, rusqlite::Error> {
    let sql = match how {
        Checkpoint::Look => "PRAGMA wal_checkpoint(NOOP)",
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let look = || {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row((), |row| Ok(Wal { pages: row.get(1)?, written_back: row.get(2)? }))
    };
    if how != Checkpoint::Truncate {
        return look();
    }
    connection.busy_timeout(READERS_TIMEOUT)?;
    let done = look();
    connection.busy_timeout(BUSY_TIMEOUT)?;
    done
}
