//! Data folders as earlier versions wrote them: SQL dumps in `tests/fixtures/folders`, each a moment before 2026-11-28T21:50Z.

use std::path::Path;

use freshsignal::clock::UnixMicros;
use rusqlite::Connection;

/// A moment shortly after the last event in any of the folders.
pub const AFTERWARDS: UnixMicros = UnixMicros(1_795_902_600_000_000);

/// Makes the data folder `name` in `folder`. The account in it is the one whose calls go to `account`.
pub fn make(name: &str, folder: &Path, account: &str) {
    let dumps = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/folders").join(name);
    for file in ["journal", "state"] {
        let dump = std::fs::read_to_string(dumps.join(format!("{file}.sql"))).unwrap();
        let made = Connection::open(folder.join(format!("{file}.db"))).unwrap();
        made.execute_batch(&dump.replace("ACCOUNT", account)).unwrap();
    }
}
