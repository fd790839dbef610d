//! The embedded engine: two `SQLite` files in the data folder, a thread that writes each, readers beside them.
//!
//! The journal takes events, the state everything else, so that applying a plan never holds up an
//! acknowledgement. The only SQL of the project is in this folder. Must not decide anything.

mod acts;
mod alerts;
mod append;
mod blank;
mod change;
mod columns;
mod copies;
mod crm_ids;
mod crowds;
mod deals;
mod erase;
mod exports;
mod face;
mod failed;
mod failure;
mod files;
mod forget;
mod happenings;
mod in_place;
mod journal;
mod listed;
mod listings;
mod looks;
mod migrations;
#[cfg(feature = "postgres")]
pub(in crate::store) mod moving;
mod names;
mod old_data;
mod outbox;
mod outputs;
mod present;
mod queue;
mod readers;
mod records;
mod recovery;
mod refusals;
mod retention;
mod search;
mod selectors;
mod state;
mod suppressed;
mod tallies;
mod tombstones;
mod trail;
mod under_way;
mod walks;
mod withdrawn;
mod won;
mod worked;
mod write_back;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

pub use copies::{
    Applied, CopyError, Entry, Manifest, RestoreOrder, Restored, SETTINGS_FILES, Verified, back_up,
    back_up_with_settings, restore, verify,
};
pub use failure::OpenError;
pub use files::Places;

use self::failure::Fatal;
use self::files::{FileAccess, Folder, JOURNAL_FILE, STATE_FILE};
use self::in_place::InPlace;
use self::journal::Journal;
use self::readers::Readers;
use self::state::StateThread;
use self::under_way::UnderWay;
use self::withdrawn::Withdrawn;
use self::worked::Worked;
use crate::clock::{Clock, UnixMicros};
use crate::store::{Herald, Processed, StoreSettings};

/// The store in a data folder.
pub struct SqliteStore {
    journal: Journal,
    state: Arc<StateThread>,
    journal_readers: Readers,
    state_readers: Readers,
    turn: Arc<tokio::sync::Mutex<()>>,
    processed: watch::Sender<Processed>,
    outputs_made: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
    herald: Herald,
    fatal: Fatal,
    in_place: InPlace,
    under_way: UnderWay,
    worked: Worked,
    withdrawn: Withdrawn,
    latest: UnixMicros,
    /// Where the disk is that has to have so many bytes free.
    space: (PathBuf, u64),
    /// Held until everything is written.
    folder: Mutex<Option<Folder>>,
}

impl SqliteStore {
    /// Opens a data folder, making it where it does not exist. Blocks while another process has it, for
    /// `settings.lock_wait` at most. Claims and slots of an earlier process are void and spent afterwards.
    ///
    /// # Errors
    /// Says why it can't be used; [`OpenError::exit_code`] is the exit code for it.
    pub fn open(path: &Path, settings: StoreSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let folder = Folder::open(path, Places::of(&settings), settings.lock_wait)?;
        let (journal_file, state_file) = (folder.file(JOURNAL_FILE), folder.file(STATE_FILE));
        let mut journal = files::connect(&journal_file, FileAccess::Write)?;
        migrations::migrate(&mut journal, migrations::JOURNAL, &journal_file)?;
        let mut state = files::connect(&state_file, FileAccess::Write)?;
        migrations::migrate(&mut state, migrations::STATE, &state_file)?;
        present::tell(&state, &clock)?;
        if let Some(known) = present::last(&state, clock.boot_id())? {
            clock.go_on_from(known);
        }
        let latest = recovery::latest(&journal, journal::end(&journal)?, &state)?;
        recovery::recover(&mut state, clock.wall().max(latest))?;
        // Of what was deleted before a kill, the WAL may still hold what it was.
        for file in [&journal, &state] {
            files::checkpoint(file, files::Checkpoint::Truncate)?;
        }
        let processed = state::processed(&state)?;
        let space = (path.to_owned(), settings.free_bytes_min);
        let record = settings.withdrawn_file.clone().unwrap_or_else(|| path.join(withdrawn::FILE));
        let withdrawn = Withdrawn::open(record, &state)?;

        let fatal = Fatal::none();
        let under_way = UnderWay::default();
        let readers = |file: &Path| {
            Readers::open(file, &settings, Arc::clone(&clock), fatal.clone(), under_way.clone())
        };
        let beside = files::connect(&state_file, FileAccess::Write)?;
        let (journal_readers, state_readers) = (readers(&journal_file)?, readers(&state_file)?);
        // All connections are open by now, and the logs with them.
        let in_place = InPlace::remember(&[journal_file, state_file], Arc::clone(&clock), fatal.clone());
        let journal = Journal::start(
            journal,
            path.to_owned(),
            settings,
            Arc::clone(&clock),
            fatal.clone(),
            in_place.clone(),
        )?;
        let end = *journal.end().borrow();
        let seen = processed.live.max(processed.old);
        if seen > end {
            journal.shut();
            return Err(OpenError::Disk(format!(
                "{JOURNAL_FILE} ends at {}, but {STATE_FILE} has seen it up to {}: they do not belong together",
                end.0, seen.0
            )));
        }
        Ok(Arc::new(Self {
            journal,
            state: Arc::new(StateThread::start(state, beside, fatal.clone(), under_way.clone())?),
            journal_readers,
            state_readers,
            turn: Arc::default(),
            processed: watch::Sender::new(processed),
            outputs_made: watch::Sender::new(0),
            worked: Worked::by(Arc::clone(&clock)),
            withdrawn,
            clock,
            herald: Herald::default(),
            fatal,
            in_place,
            under_way,
            latest,
            space,
            folder: Mutex::new(Some(folder)),
        }))
    }

    /// The failure after which nothing is acknowledged any more, once there is one: the process has to end
    /// with 74 and recover by starting again.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.fatal.watch()
    }

    /// The latest moment that was seen before the store opened; a clock that shows an earlier one was set back.
    #[must_use]
    pub fn latest_moment(&self) -> UnixMicros {
        self.latest
    }

    /// How many answers of this store are still waited for. At 0 nothing happens in it by itself: a simulation may let
    /// time pass then.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.count()
    }

    /// Leaves the state no more room than so many pages.
    #[cfg(test)]
    pub(crate) async fn limit_state(&self, pages_max: u32) {
        let limit = move |state: &mut rusqlite::Connection| {
            let sql = format!("PRAGMA max_page_count = {pages_max}");
            Ok(state.query_row(&sql, (), |_| Ok(()))?)
        };
        self.state.order(limit).await.unwrap();
    }

    /// Writes what was accepted, ends the threads and leaves the data folder to others. Blocks meanwhile.
    pub fn shut(&self) {
        self.journal_readers.shut();
        self.state_readers.shut();
        self.journal.shut();
        self.in_place.close();
        self.state.shut();
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shut();
    }
}
