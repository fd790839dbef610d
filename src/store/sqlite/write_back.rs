//! Writes the log of the state back into its file, beside the thread that writes: nobody who plans waits for it.
//!
//! What was written meanwhile is left. Once that is little, or the log has grown too long, the thread that writes does the rest
//! itself, and the log begins anew. Must not change what is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::failure::Fatal;
use super::files::{self, Checkpoint, Wal};
use crate::store::StoreError;

/// Pages of the log after which it is written back: 16 MiB.
const PAGES_MAX: i64 = 4096;
/// The same in a quiet moment: 4 MiB.
const PAGES_IDLE_MAX: i64 = 1024;
/// Pages that the thread that writes writes back itself, so that the log begins anew: 1 MiB, about 2 ms.
const PAGES_LITTLE: i64 = 256;
/// A log of so many times the pages is written back whole, whoever waits.
const TOO_LONG_TIMES: i64 = 4;

/// The thread that writes the log back, and what it knows.
pub(super) struct WriteBack {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    /// Pages that somebody who reads for long, as a backup does, kept from being written back the last time. They do not count,
    /// so that it is not tried again with every order.
    held: Arc<AtomicI64>,
    fatal: Fatal,
}

impl WriteBack {
    /// Starts the thread with a connection of its own.
    pub(super) fn start(connection: Connection, fatal: Fatal) -> Result<Self, StoreError> {
        let (wake, woken) = sync_channel::<()>(1);
        let held = Arc::<AtomicI64>::default();
        let (known, failed) = (Arc::clone(&held), fatal.clone());
        let thread = std::thread::Builder::new().name("write back".to_owned()).spawn(move || {
            crate::store::give_way();
            while woken.recv().is_ok() {
                let done = files::checkpoint(&connection, Checkpoint::Look).and_then(|wal| {
                    // Woken while it wrote, it has done so already.
                    if left(wal, &known) > PAGES_LITTLE {
                        write(&connection, Checkpoint::Passive, &known)
                    } else {
                        Ok(())
                    }
                });
                note(done, &failed);
            }
        });
        let thread = thread.map_err(|error| StoreError::Fatal(error.to_string()))?;
        Ok(Self { wake, thread, held, fatal })
    }

    /// Has the log written back where it is long, for nothing waits to be done, or for all that does.
    pub(super) fn look(&self, connection: &Connection, idle: bool) {
        let pages_max = if idle { PAGES_IDLE_MAX } else { PAGES_MAX };
        let done = files::checkpoint(connection, Checkpoint::Look).and_then(|wal| {
            let left = left(wal, &self.held);
            if wal.pages > TOO_LONG_TIMES * PAGES_MAX && left > pages_max {
                return write(connection, Checkpoint::Truncate, &self.held);
            }
            if left > pages_max {
                // Woken already, it will see this too.
                let _ = self.wake.try_send(());
            } else if wal.pages > pages_max && (1..=PAGES_LITTLE).contains(&left) {
                return write(connection, Checkpoint::Passive, &self.held);
            }
            Ok(())
        });
        note(done, &self.fatal);
    }

    /// Ends the thread, then writes back whatever is left.
    pub(super) fn shut(self, connection: &Connection) {
        drop(self.wake);
        let _ = self.thread.join();
        note(write(connection, Checkpoint::Truncate, &self.held), &self.fatal);
    }
}

/// Pages of the log that are to be written back and nobody keeps from it.
fn left(wal: Wal, held: &AtomicI64) -> i64 {
    if wal.pages < held.load(Ordering::Relaxed) {
        held.store(0, Ordering::Relaxed);
    }
    wal.pages - wal.written_back.max(held.load(Ordering::Relaxed))
}

fn write(connection: &Connection, how: Checkpoint, held: &AtomicI64) -> Result<(), rusqlite::Error> {
    let after = files::checkpoint(connection, how)?;
    let kept = if after.written_back < after.pages { after.pages } else { 0 };
    held.store(kept, Ordering::Relaxed);
    Ok(())
}

/// A full disk passes; the pages stay in the log until then.
fn note(done: Result<(), rusqlite::Error>, fatal: &Fatal) {
    if let Err(error) = done {
        fatal.note(&error.into());
    }
}
