//! The journal: one thread that writes groups of events, each with one commit.
//!
//! Whatever arrives during a commit is the next group. Who waits is answered after the commit returned, by
//! this thread, so no dropped connection can undo anything. Must not know what events mean.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{oneshot, watch};

use super::append::{self, Append};
use super::columns::{int, uint};
use super::failure::{Fatal, Full};
use super::files::{self, Checkpoint};
use super::in_place::InPlace;
use super::old_data::OldData;
use super::queue::{Chore, Counted, Queue, Work};
use super::{blank, records, retention};
use crate::clock::Clock;
use crate::event::Position;
use crate::store::{Appended, Keep, NewRecord, Processed, StoreError, StoreSettings, Stream};

/// Pages of the WAL after which they are written back: 16 MiB.
const WAL_PAGES_MAX: i64 = 4096;
/// Fewer pages are not worth writing back in a quiet moment.
const WAL_PAGES_IDLE_MAX: i64 = 256;
/// How long nothing must happen for a quiet moment; and how often a full journal looks for room. Real time:
/// nothing but housekeeping hangs on it.
const QUIET: Duration = Duration::from_millis(500);
/// How often free space is looked at.
const SPACE_CHECK: Duration = Duration::from_millis(100);
/// A full journal takes events again when a 32nd of it is free.
const ROOM_SHARE: i64 = 32;

/// The writing side of the journal.
#[derive(Debug)]
pub(super) struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Gives orders to delete old groups, to blank events and to write everything back.
#[derive(Clone, Debug)]
pub(super) struct Keeper(Arc<Shared>);

impl Keeper {
    /// Takes the content of events away, as far as one order should; answers which are done.
    pub(super) fn blank(
        &self,
        positions: BTreeSet<Position>,
    ) -> oneshot::Receiver<Result<Vec<Position>, StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.give(Chore::Blank(positions, answer));
        answered
    }

    /// Leaves nothing in the WAL; answers whether that was possible now.
    pub(super) fn wipe(&self) -> oneshot::Receiver<Result<bool, StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.give(Chore::Wipe(answer));
        answered
    }

    fn give(&self, chore: Chore) {
        let mut queue = self.0.queue();
        if !queue.shut {
            queue.chores.push_back(chore);
        }
        drop(queue);
        self.0.arrived.notify_one();
    }

    /// Deletes a part of the groups that took effect and need not be kept; the answer is how many. 0 is the
    /// end.
    pub(super) fn prune(
        &self,
        keep: Keep,
        processed: Processed,
    ) -> oneshot::Receiver<Result<u64, StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.give(Chore::Prune(keep, processed, answer));
        answered
    }
}

#[derive(Debug)]
struct Shared {
    settings: StoreSettings,
    queue: Mutex<Queue>,
    arrived: Condvar,
    end: watch::Sender<Position>,
    appended: Counted,
    full: Full,
    in_place: InPlace,
    old_data: OldData,
    fatal: Fatal,
}

impl Journal {
    /// Starts the thread with the only connection that writes.
    pub(super) fn start(
        connection: Connection,
        folder: PathBuf,
        settings: StoreSettings,
        clock: Arc<dyn Clock>,
        fatal: Fatal,
        in_place: InPlace,
    ) -> Result<Self, StoreError> {
        let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages_max = int(settings.journal_bytes_max) / page_bytes.max(1);
        // Answers what holds: never less than the pages there are.
        let pages_max: i64 =
            connection.query_row(&format!("PRAGMA max_page_count = {pages_max}"), (), |row| row.get(0))?;
        let end = end(&connection)?;
        let old_data = OldData::in_journal(&connection, settings.journal_bytes_max)?;
        let shared = Arc::new(Shared {
            settings,
            queue: Mutex::default(),
            arrived: Condvar::new(),
            end: watch::Sender::new(end),
            appended: Counted::default(),
            full: Full::default(),
            in_place,
            old_data,
            fatal,
        });
        let writer = Writer {
            connection,
            folder,
            end,
            pages_max,
            page_bytes,
            wal_pages: 0,
            space_checked: None,
            clock,
            buffer: Vec::new(),
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Fatal(error.to_string()))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Puts events into the queue; refuses at once when it can't.
    pub(super) fn append(
        &self,
        records: &[NewRecord],
    ) -> Result<oneshot::Receiver<Result<Position, StoreError>>, StoreError> {
        let shared = &self.shared;
        shared.fatal.check()?;
        if let Some(why) = shared.full.why() {
            return Err(StoreError::Full(why));
        }
        let (answer, answered) = oneshot::channel();
        let append = Append::of(records, answer)?;
        if let Some(old_bytes) = append.old_data() {
            shared.old_data.check(old_bytes)?;
        }
        let mut queue = shared.queue();
        if queue.shut {
            return Err(StoreError::Shut);
        }
        if append.events() == 0 {
            let next = Position(shared.end.borrow().0 + 1);
            let _ = append.answer.send(Ok(next));
            return Ok(answered);
        }
        let events = queue.events + append.events();
        let bytes = queue.bytes + append.bytes();
        if events > shared.settings.queue_events_max || bytes > shared.settings.queue_bytes_max {
            return Err(StoreError::Overloaded);
        }
        queue.events = events;
        queue.bytes = bytes;
        queue.appends.push_back(append);
        drop(queue);
        shared.arrived.notify_one();
        Ok(answered)
    }

    pub(super) fn keeper(&self) -> Keeper {
        Keeper(Arc::clone(&self.shared))
    }

    pub(super) fn end(&self) -> watch::Receiver<Position> {
        self.shared.end.subscribe()
    }

    pub(super) fn appended(&self) -> Appended {
        self.shared.appended.so_far()
    }

    /// Why events can't be taken now.
    pub(super) fn refusing(&self) -> Option<String> {
        if self.shared.queue().shut {
            return Some(StoreError::Shut.to_string());
        }
        self.shared.full.why().map(|why| StoreError::Full(why).to_string())
    }

    /// Why old data can't be taken now.
    pub(super) fn refusing_old(&self) -> Option<String> {
        self.shared.old_data.refusing()
    }

    /// Writes what is queued, then ends the thread.
    pub(super) fn shut(&self) {
        self.shared.queue().shut = true;
        self.shared.arrived.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; `restless` also for a quiet moment.
    fn next(&self, restless: bool) -> Work {
        let mut queue = self.queue();
        loop {
            if !queue.appends.is_empty() {
                return Work::Append(queue.take_group(&self.settings));
            }
            if let Some(chore) = queue.chores.pop_front() {
                return Work::Chore(chore);
            }
            if queue.shut {
                return Work::Shut;
            }
            if restless {
                let (after, waited) =
                    self.arrived.wait_timeout(queue, QUIET).unwrap_or_else(PoisonError::into_inner);
                queue = after;
                if waited.timed_out() && queue.appends.is_empty() && queue.chores.is_empty() {
                    return Work::Quiet;
                }
            } else {
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// The position of the last event.
pub(super) fn end(connection: &Connection) -> Result<Position, StoreError> {
    let pruned: i64 = connection.query_row("SELECT journal_end FROM pruned", (), |row| row.get(0))?;
    let mut end = pruned;
    for groups in [Stream::Live, Stream::Old].map(records::table) {
        let sql = format!("SELECT first + count - 1 FROM {groups} ORDER BY first DESC LIMIT 1");
        let last: Option<i64> = connection.query_row(&sql, (), |row| row.get(0)).optional()?;
        end = end.max(last.unwrap_or(0));
    }
    Ok(Position(uint(end)))
}

/// What the thread owns.
struct Writer {
    connection: Connection,
    folder: PathBuf,
    end: Position,
    pages_max: i64,
    page_bytes: i64,
    /// Pages in the WAL that are not written back, about.
    wal_pages: i64,
    space_checked: Option<Duration>,
    clock: Arc<dyn Clock>,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

/// However the thread ends, nobody waits for it afterwards.
impl Drop for Writer {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.shut = true;
        queue.appends.clear();
        queue.chores.clear();
    }
}

impl Writer {
    fn run(mut self) {
        loop {
            let restless = self.wal_pages > WAL_PAGES_IDLE_MAX || self.shared.full.why().is_some();
            match self.shared.next(restless) {
                Work::Append(group) => self.append(group),
                Work::Chore(chore) => self.chore(chore),
                Work::Quiet => {
                    self.look_for_room();
                    self.write_back(Checkpoint::Truncate);
                }
                Work::Shut => break,
            }
            if self.wal_pages > WAL_PAGES_MAX {
                self.write_back(Checkpoint::Passive);
            }
        }
        self.write_back(Checkpoint::Truncate);
    }

    /// Does a chore and answers who ordered it, who may be gone.
    fn chore(&mut self, chore: Chore) {
        fn noted<T>(result: Result<T, StoreError>, fatal: &Fatal) -> Result<T, StoreError> {
            result.inspect_err(|error| fatal.note(error))
        }
        match chore {
            Chore::Prune(keep, processed, answer) => {
                let result = self.prune(keep, processed);
                let _ = answer.send(noted(result, &self.shared.fatal));
            }
            Chore::Blank(positions, answer) => {
                let result = blank::blank(&mut self.connection, &positions);
                self.wal_pages += blank::PAGES_MAX;
                let _ = answer.send(noted(result, &self.shared.fatal));
            }
            Chore::Wipe(answer) => {
                let result = files::checkpoint(&self.connection, Checkpoint::Truncate);
                let result = result.map(|wal| wal.pages == 0).map_err(StoreError::from);
                let _ = answer.send(noted(result, &self.shared.fatal));
            }
        }
    }

    fn append(&mut self, group: Vec<Append>) {
        match self.write(&group) {
            Ok((mut live, mut old)) => {
                self.shared.end.send_replace(self.end);
                self.shared.appended.committed(group.len());
                for append in group {
                    let (live_events, old_events) = (append.count(Stream::Live), append.count(Stream::Old));
                    let first = if live_events > 0 { live } else { old };
                    (live, old) = (Position(live.0 + live_events), Position(old.0 + old_events));
                    // Who asked may be gone; the events stay.
                    let _ = append.answer.send(Ok(first));
                }
            }
            Err(error) => {
                self.shared.fatal.note(&error);
                self.shared.full.note(&error);
                for append in group {
                    let _ = append.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Writes the events of each stream as one row; answers where those begin. It holds as a whole or not at all.
    fn write(&mut self, group: &[Append]) -> Result<(Position, Position), StoreError> {
        self.shared.fatal.check()?;
        self.shared.in_place.check_again()?;
        self.check_space()?;
        let count = |stream| group.iter().map(|append| append.count(stream)).sum::<u64>();
        let (live_events, old_events) = (count(Stream::Live), count(Stream::Old));
        let live = Position(self.end.0 + 1);
        let old = Position(live.0 + live_events);
        // A statement by itself is its own transaction, and one stream alone is nearly always all there is.
        let transaction = if live_events > 0 && old_events > 0 {
            Some(self.connection.unchecked_transaction()?)
        } else {
            None
        };
        let buffer = &mut self.buffer;
        let live_bytes = append::insert(&self.connection, buffer, group, Stream::Live, live)?;
        let old_bytes = append::insert(&self.connection, buffer, group, Stream::Old, old)?;
        if let Some(transaction) = transaction {
            transaction.commit()?;
        }
        self.shared.old_data.came(old_bytes);
        self.end = Position(self.end.0 + live_events + old_events);
        self.wal_pages += int(live_bytes + old_bytes) / self.page_bytes + 2;
        // It is on disk; whether a new start finds it there is another question.
        self.shared.in_place.check()?;
        Ok((live, old))
    }

    /// Refuses events before the disk is so full that nothing else can be written.
    fn check_space(&mut self) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        if self.space_checked.is_some_and(|checked| now.saturating_sub(checked) < SPACE_CHECK) {
            return Ok(());
        }
        let free = files::free_bytes(&self.folder).map_err(|error| {
            // A folder that was renamed is not there to be asked.
            let away = self.shared.in_place.check().err();
            away.unwrap_or_else(|| StoreError::Fatal(error.to_string()))
        })?;
        if free < self.shared.settings.free_bytes_min {
            return Err(StoreError::no_disk(free));
        }
        self.space_checked = Some(now);
        Ok(())
    }

    /// Takes events again when there is room for them.
    fn look_for_room(&mut self) {
        if self.shared.full.why().is_none() {
            return;
        }
        self.space_checked = None;
        let pages = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let room = match (pages("page_count"), pages("freelist_count")) {
            (Ok(used), Ok(free)) => self.pages_max - used + free,
            (Err(error), _) | (_, Err(error)) => return self.shared.fatal.note(&error.into()),
        };
        if room > self.pages_max / ROOM_SHARE && self.check_space().is_ok() {
            self.shared.full.ends();
        }
    }

    /// Deletes old groups, which makes room.
    fn prune(&mut self, keep: Keep, processed: Processed) -> Result<u64, StoreError> {
        let old_bytes = self.shared.old_data.held();
        let pruned = retention::prune_journal(&mut self.connection, keep, processed, self.end, old_bytes)?;
        if pruned.groups > 0 {
            self.shared.old_data.went(pruned.old_bytes);
            self.write_back(Checkpoint::Truncate);
            self.look_for_room();
        }
        Ok(pruned.groups)
    }

    /// Writes the WAL back into the file.
    fn write_back(&mut self, how: Checkpoint) {
        let mut done = files::checkpoint(&self.connection, how);
        if matches!(&done, Ok(wal) if wal.pages > 4 * WAL_PAGES_MAX) {
            // Somebody reads all the time, so the WAL never starts over: wait a moment for them.
            done = files::checkpoint(&self.connection, Checkpoint::Truncate);
        }
        match done.map_err(StoreError::from) {
            // Somebody reads for long, as a backup does: tried again after as many pages more, not at every commit.
            Ok(wal) if wal.pages - wal.written_back > WAL_PAGES_MAX => self.wal_pages = 0,
            Ok(wal) => self.wal_pages = wal.pages - wal.written_back,
            Err(error) => {
                // Tried again after as many pages more; a full disk stops events first.
                self.wal_pages = 0;
                self.shared.fatal.note(&error);
                self.shared.full.note(&error);
            }
        }
    }
}
