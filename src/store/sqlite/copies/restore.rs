//! Puts a backup into an empty data folder and makes it careful: see [`super::afterwards`].
//!
//! While it is under way the folder says so, and no service starts on it: killed, it is begun again. Must not start anything.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use rusqlite::TransactionBehavior;

use super::afterwards::{self, Applied};
use super::manifest::Manifest;
use super::pair::Pair;
use super::problem::CopyError;
use super::settings;
use super::take::copy_file;
use crate::clock::{Clock, UnixMicros};
use crate::delivery::Account;
use crate::store::sqlite::files::{self, Checkpoint, FileAccess, Folder, JOURNAL_FILE, Places, STATE_FILE};
use crate::store::sqlite::withdrawn::Noted;
use crate::store::sqlite::{journal, migrations, present, tombstones, withdrawn};

/// What to restore, and where.
#[derive(Clone, Debug)]
pub struct RestoreOrder {
    /// The backup.
    pub backup: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// What it may be on.
    pub on: Places,
    /// What is in the data folder is moved aside.
    pub replace: bool,
    /// The account that calls go to.
    pub account: Account,
    /// How many calls an hour allows.
    pub calls_per_hour: u32,
    /// Where the service keeps the record of erasures and withdrawals; none: in the data folder.
    pub record: Option<PathBuf>,
    /// A record that was kept elsewhere.
    pub other_record: Option<PathBuf>,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The manifest of the backup.
    pub manifest: Manifest,
    /// Contacts whose next call carries everything.
    pub contacts: u64,
    /// Where the record was, and what of it was news; none where there is no record.
    pub record: Option<(PathBuf, Applied)>,
    /// Where it was looked for.
    pub looked_for: PathBuf,
    /// Where what was in the folder is now.
    pub moved_to: Option<PathBuf>,
}

/// Restores a backup.
///
/// # Errors
/// Says why not. A backup that can't be used and a folder that is in use or not empty are left as they are.
pub fn restore(order: &RestoreOrder, clock: &Arc<dyn Clock>) -> Result<Restored, CopyError> {
    CopyError::refuse_inside(&order.data, &order.backup)?;
    let manifest = Manifest::read(&order.backup)?;
    if let Some(why) = manifest.differences(&order.backup).into_iter().next() {
        return Err(CopyError::Damaged { folder: order.backup.clone(), why });
    }
    if let Some(record) = &order.other_record {
        tells_of(record, &order.backup)?;
    }
    let folder = Folder::take(&order.data, order.on, Duration::ZERO)?;
    let record = order.record.clone().unwrap_or_else(|| folder.file(withdrawn::FILE));
    let moved_to = make_room(&folder, order, &record, clock.wall())?;
    for file in &manifest.files {
        settings::make_room_for(&order.data, &file.name)?;
        copy_file(&order.backup.join(&file.name), &folder.file(&file.name))?;
    }
    if let Some(why) = manifest.differences(&order.data).into_iter().next() {
        return Err(CopyError::Damaged { folder: order.data.clone(), why });
    }
    let (contacts, applied) = make_careful(order, &folder, &record, &manifest, clock)?;
    let pair = Pair::begin(&order.data)?;
    if !pair.standing.adds_up() {
        let why = "its two files do not belong to one moment".to_owned();
        return Err(CopyError::Damaged { folder: order.backup.clone(), why });
    }
    drop(pair);
    folder.set_unfinished(None).map_err(CopyError::of(&order.data))?;
    Ok(Restored { manifest, contacts, record: applied, looked_for: record, moved_to })
}

/// Refuses a record that tells nothing of whom the backup knows, before anything is changed.
fn tells_of(record: &Path, backup: &Path) -> Result<(), CopyError> {
    let refused = |why| Err(CopyError::Record { path: record.to_owned(), why });
    let state = files::look_at(&backup.join(STATE_FILE))?;
    // A backup of a version without a key gets one when it is brought to this version.
    let Ok(key) = tombstones::key(&state) else { return Ok(()) };
    match withdrawn::read(record, &key) {
        Ok(None) => refused("there is no such file"),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => refused("it is not a text"),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => refused("it is a folder"),
        Err(error) => Err(CopyError::of(record)(error)),
        Ok(Some(noted)) if noted.is_ours => Ok(()),
        Ok(Some(_)) => refused("it is the record of another data folder, or none at all"),
    }
}

/// Notes that a restore is under way, and takes away what is there. A record of erasures stays where it is.
fn make_room(
    folder: &Folder,
    order: &RestoreOrder,
    record: &Path,
    now: UnixMicros,
) -> Result<Option<PathBuf>, CopyError> {
    let data = &order.data;
    let begins = |path: &PathBuf, name: &str| {
        path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(name))
    };
    let mut content = folder.content().map_err(CopyError::of(data))?;
    // What was moved aside before stays, too.
    content.retain(|path| path != record && !begins(path, withdrawn::FILE) && !begins(path, MOVED));
    let how_far = folder.unfinished();
    // One that was killed while it moved left some of what was there before; afterwards all that is there is its own.
    let is_ours = how_far.is_some_and(|how_far| how_far != MOVING);
    let mut moved_to = None;
    if is_ours {
        for path in content.iter().filter(|path| path.is_file()) {
            fs::remove_file(path).map_err(CopyError::of(path))?;
        }
        for path in content.iter().filter(|path| path.ends_with(settings::FOLDER)) {
            fs::remove_dir_all(path).map_err(CopyError::of(path))?;
        }
    } else if !content.is_empty() {
        if !order.replace {
            return Err(CopyError::NotEmpty(data.clone()));
        }
        let name = format!("{MOVED}{}", now.to_rfc3339().replace(':', ""));
        let names =
            (1_u32..).map(|nth| data.join(if nth == 1 { name.clone() } else { format!("{name}-{nth}") }));
        let aside = names.into_iter().find(|path| !path.exists()).unwrap_or_else(|| data.join(&name));
        files::make(&aside).map_err(CopyError::of(&aside))?;
        folder.set_unfinished(Some(MOVING)).map_err(CopyError::of(data))?;
        for path in content {
            let to = aside.join(path.file_name().unwrap_or_default());
            fs::rename(&path, to).map_err(CopyError::of(&path))?;
        }
        moved_to = Some(aside);
    }
    folder.set_unfinished(Some(COPYING)).map_err(CopyError::of(data))?;
    Ok(moved_to)
}

/// What the folder for what was there before is called, with the time.
const MOVED: &str = "replaced-";
const MOVING: &str = "moving what was there";
const COPYING: &str = "copying";

type Used = Option<(PathBuf, Applied)>;

/// Brings the files to the schema of this version and counts what is not known as against us.
fn make_careful(
    order: &RestoreOrder,
    folder: &Folder,
    record: &Path,
    manifest: &Manifest,
    clock: &Arc<dyn Clock>,
) -> Result<(u64, Used), CopyError> {
    let (journal_file, state_file) = (folder.file(JOURNAL_FILE), folder.file(STATE_FILE));
    let mut journal = files::connect(&journal_file, FileAccess::Write)?;
    migrations::migrate(&mut journal, migrations::JOURNAL, &journal_file)?;
    let mut state = files::connect(&state_file, FileAccess::Write)?;
    migrations::migrate(&mut state, migrations::STATE, &state_file)?;
    present::tell(&state, clock)?;
    let now = clock.wall();
    let made_at = UnixMicros::parse(&manifest.made_at).unwrap_or_default();
    let key = tombstones::key(&state)?;
    let noted = noted(order, record, &key)?;
    let transaction = state.transaction_with_behavior(TransactionBehavior::Immediate)?;
    afterwards::spend_allowance(&transaction, &order.account, order.calls_per_hour, now)?;
    let contacts = afterwards::distrust_contacts(&transaction)?;
    afterwards::distrust_deals(&transaction, &order.account, now)?;
    afterwards::distrust_happenings(&transaction, now)?;
    afterwards::doubt_since(&transaction, &order.account, made_at, now)?;
    let mut used = None;
    if let Some(noted) = &noted {
        let (applied, records) = afterwards::apply(&transaction, noted, made_at, now)?;
        afterwards::append(&journal, journal::end(&journal)?.0, &records)?;
        used = Some((order.other_record.clone().unwrap_or_else(|| record.to_owned()), applied));
    }
    transaction.commit()?;
    if let (Some(noted), Some(_)) = (&noted, &order.other_record) {
        keep(record, noted, &key).map_err(CopyError::of(record))?;
    }
    for file in [&journal, &state] {
        files::checkpoint(file, Checkpoint::Truncate)?;
    }
    drop((journal, state));
    for path in [journal_file, state_file] {
        File::open(&path).and_then(|file| file.sync_all()).map_err(CopyError::of(&path))?;
    }
    Ok((contacts, used))
}

/// What is noted of erasures and withdrawals, here and in the record that was kept elsewhere.
fn noted(order: &RestoreOrder, record: &Path, key: &hmac::Key) -> Result<Option<Noted>, CopyError> {
    // One that is of other data folders alone says as little as none.
    let here = withdrawn::read(record, key).map_err(CopyError::of(record))?.filter(|here| here.is_ours);
    let Some(other) = &order.other_record else { return Ok(here) };
    match withdrawn::read(other, key).map_err(CopyError::of(other))? {
        Some(there) => Ok(Some(there.and(here.unwrap_or_default()))),
        None => Err(CopyError::File { path: other.clone(), cause: io::ErrorKind::NotFound.into() }),
    }
}

/// Keeps a record where the service goes on with it.
fn keep(record: &Path, noted: &Noted, key: &hmac::Key) -> io::Result<()> {
    let mut file = files::private_file(record)?;
    file.set_len(0)?;
    file.write_all(withdrawn::lines(noted, key).as_bytes())?;
    file.sync_all()
}
