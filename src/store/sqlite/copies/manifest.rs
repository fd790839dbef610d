//! The manifest of a backup: which files belong to it, how large they are, their checksums, and how far they go.
//!
//! It is written last, so a folder without one is no backup. Must not know what the files hold.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use ring::digest;
use serde::{Deserialize, Serialize};

use super::problem::CopyError;
use super::settings::SETTINGS_FILES;
use crate::store::sqlite::files::{self, JOURNAL_FILE, STATE_FILE};

/// The name of the manifest.
pub(in crate::store::sqlite) const MANIFEST_FILE: &str = "manifest.json";
/// The token of the private listener, where one was made.
pub(super) const TOKEN_FILE: &str = "admin-token";
/// What a backup may hold, and nothing else is read.
const KNOWN: [&str; 5] = [STATE_FILE, JOURNAL_FILE, TOKEN_FILE, SETTINGS_FILES[0], SETTINGS_FILES[1]];
const FORMAT: u32 = 1;
/// A manifest has some 700 bytes.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

/// What belongs to a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// The version that made it.
    pub made_by: String,
    /// When, as RFC 3339.
    pub made_at: String,
    /// The position of the last event in the copy of the journal.
    pub journal_end: u64,
    /// How many of the events have taken effect in the copy of the state.
    pub taken_effect: u64,
    /// The files.
    pub files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its checksum, in hexadecimal digits.
    pub sha256: String,
}

impl Entry {
    pub(in crate::store::sqlite) fn of(folder: &Path, name: &str) -> Result<Self, CopyError> {
        let path = folder.join(name);
        let (bytes, sha256) = checksum(&path)?;
        Ok(Self { name: name.to_owned(), bytes, sha256 })
    }
}

impl Manifest {
    pub(in crate::store::sqlite) fn new(
        made_at: String,
        journal_end: u64,
        taken_effect: u64,
        files: Vec<Entry>,
    ) -> Self {
        let made_by = concat!("freshsignal ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { format: FORMAT, made_by, made_at, journal_end, taken_effect, files }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Whether the settings of the page are in it.
    #[must_use]
    pub fn has_settings(&self) -> bool {
        self.files.iter().any(|file| SETTINGS_FILES.contains(&file.name.as_str()))
    }

    pub(in crate::store::sqlite) fn write(&self, folder: &Path) -> Result<(), CopyError> {
        let path = folder.join(MANIFEST_FILE);
        let written = files::private_file(&path).and_then(|mut file| {
            file.write_all(format!("{}\n", serde_json::to_string_pretty(self)?).as_bytes())?;
            file.sync_all()
        });
        written.map_err(CopyError::of(&path))
    }

    /// The manifest of a backup.
    pub(super) fn read(folder: &Path) -> Result<Self, CopyError> {
        let damaged = |why: String| CopyError::Damaged { folder: folder.to_owned(), why };
        let path = folder.join(MANIFEST_FILE);
        if !folder.is_dir() {
            return Err(CopyError::NoFolder(folder.to_owned()));
        }
        let found = fs::metadata(&path).map_err(|error| {
            damaged(format!(
                "it has no {MANIFEST_FILE}, so it is not a backup, or only a part of one ({error})"
            ))
        })?;
        if found.len() > MANIFEST_BYTES_MAX {
            return Err(damaged(format!("{MANIFEST_FILE} is too large")));
        }
        let text = fs::read_to_string(&path).map_err(CopyError::of(&path))?;
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|error| damaged(format!("{MANIFEST_FILE} can't be understood ({error})")))?;
        if manifest.format != FORMAT {
            return Err(damaged(format!("it was made by a later version ({})", manifest.made_by)));
        }
        let missing = [STATE_FILE, JOURNAL_FILE]
            .into_iter()
            .find(|name| !manifest.files.iter().any(|file| file.name == *name));
        if let Some(name) = missing {
            return Err(damaged(format!("{MANIFEST_FILE} does not name {name}")));
        }
        match manifest.files.iter().find(|file| !KNOWN.contains(&file.name.as_str())) {
            Some(file) => Err(damaged(format!("{MANIFEST_FILE} names {:?}, which no backup has", file.name))),
            None => Ok(manifest),
        }
    }

    /// What differs from when the backup was made, a sentence for each file.
    pub(super) fn differences(&self, folder: &Path) -> Vec<String> {
        let different = |file: &Entry| match Entry::of(folder, &file.name) {
            Err(error) => Some(error.to_string()),
            Ok(found) if found.bytes != file.bytes => Some(format!(
                "{} has {} bytes and had {} when the backup was made",
                file.name, found.bytes, file.bytes
            )),
            Ok(found) if found.sha256 != file.sha256 => Some(format!(
                "{} is not what it was when the backup was made (its checksum differs)",
                file.name
            )),
            Ok(_) => None,
        };
        self.files.iter().filter_map(different).collect()
    }
}

fn checksum(path: &Path) -> Result<(u64, String), CopyError> {
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut bytes = 0;
    let read = File::open(path).and_then(|mut file| {
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut buffer)?;
            let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { return Ok(()) };
            sum.update(part);
            bytes += part.len() as u64;
        }
    });
    read.map_err(CopyError::of(path))?;
    let sum = sum.finish();
    let digits = sum.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    Ok((bytes, digits))
}
