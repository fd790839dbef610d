//! Settings that were changed on the page, with the secrets that were made or entered there: in a backup where somebody asked
//! for them.
//!
//! A change that still waits stays out of it: whoever revokes it later would have it back by a restore. Must not read anything else of
//! what they say, or make their files readable by anybody else.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::problem::CopyError;
use crate::store::sqlite::files;

/// Their folder, in a data folder and in a backup.
pub(super) const FOLDER: &str = "settings";
/// The files in it: what was changed, and the secrets that it names.
pub const SETTINGS_FILES: [&str; 2] = ["settings/managed.json", "settings/secrets.json"];
/// What a document calls a change of where data goes that has not taken effect yet.
const PENDING: &str = "pending";
/// How often they are read again because somebody writes meanwhile.
const READS_MAX: usize = 10;

/// Copies them into a backup, as of one moment; answers which there are.
pub(super) fn copy(data: &Path, to: &Path) -> Result<Vec<&'static str>, CopyError> {
    let [document, secrets] = SETTINGS_FILES;
    let mut found = [read(data, document)?, read(data, secrets)?];
    // Secrets go with the document that names them.
    for _ in 0..READS_MAX {
        let again = read(data, document)?;
        if again == found[0] {
            break;
        }
        found = [again, read(data, secrets)?];
    }
    let [document, secrets] = found;
    let found = [document.map(|content| without_pending(&content).unwrap_or(content)), secrets];
    let mut copied = Vec::new();
    for (name, content) in SETTINGS_FILES.into_iter().zip(found) {
        if let Some(content) = content {
            make_room_for(to, name)?;
            let path = to.join(name);
            let write = |mut file: fs::File| file.write_all(&content).and_then(|()| file.sync_all());
            files::private_file(&path).and_then(write).map_err(CopyError::of(&path))?;
            copied.push(name);
        }
    }
    if !copied.is_empty() {
        files::sync_folder(&to.join(FOLDER)).map_err(CopyError::of(to))?;
    }
    Ok(copied)
}

/// The document without the change that waits; nothing where none does.
fn without_pending(document: &[u8]) -> Option<Vec<u8>> {
    let mut document: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(document).ok()?;
    document.shift_remove(PENDING).filter(|pending| !pending.is_null())?;
    serde_json::to_vec_pretty(&document).ok()
}

/// Makes the folder that a file of a backup lies in, where it is not the backup itself.
pub(super) fn make_room_for(folder: &Path, name: &str) -> Result<(), CopyError> {
    if !SETTINGS_FILES.contains(&name) {
        return Ok(());
    }
    let folder = folder.join(FOLDER);
    files::make(&folder).map_err(CopyError::of(&folder))
}

fn read(data: &Path, name: &str) -> Result<Option<Vec<u8>>, CopyError> {
    let path = data.join(name);
    match fs::read(&path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CopyError::of(&path)(error)),
    }
}
