//! Connections that only read: a few to a file, each look-up short and with a deadline.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::failure::{Fatal, OpenError};
use super::files::{self, FileAccess};
use super::under_way::UnderWay;
use crate::clock::Clock;
use crate::store::{Answer, StoreError, StoreSettings};

/// Steps of `SQLite`'s machine between two looks at the clock: well under a millisecond.
const STEPS: i32 = 5_000;

/// The readers of one file.
#[derive(Clone)]
pub(super) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    idle: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    fatal: Fatal,
    under_way: UnderWay,
}

impl Readers {
    /// Opens all of them at once, so that a want of file handles later can't keep the store from reading.
    pub(super) fn open(
        file: &Path,
        settings: &StoreSettings,
        clock: Arc<dyn Clock>,
        fatal: Fatal,
        under_way: UnderWay,
    ) -> Result<Self, OpenError> {
        let idle: Vec<Connection> = (0..settings.readers_max)
            .map(|_| files::connect(file, FileAccess::Read))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            shared: Arc::new(Shared {
                places: Arc::new(Semaphore::new(idle.len())),
                idle: Mutex::new(idle),
                timeout: settings.lookup_timeout,
                clock,
                fatal,
                under_way,
            }),
        })
    }

    /// Looks something up.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let shared = Arc::clone(&self.shared);
        self.shared.under_way.until_taken(async move {
            let place = Arc::clone(&shared.places).acquire_owned().await;
            let place = place.map_err(|_| StoreError::Shut)?;
            let asked = tokio::task::spawn_blocking(move || {
                let result = shared.ask(question);
                drop(place);
                result
            });
            asked.await.unwrap_or(Err(StoreError::Shut))
        })
    }

    /// Takes no more questions and closes the connections.
    pub(super) fn shut(&self) {
        self.shared.places.close();
        self.shared.idle().clear();
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.fatal.check()?;
        // There is one for each place until the store is shut.
        let mut connection = self.idle().pop().ok_or(StoreError::Shut)?;
        let result = self.within_time(&mut connection).and_then(|()| question(&connection));
        if !self.places.is_closed() {
            self.idle().push(connection);
        }
        if let Err(error) = &result {
            self.fatal.note(error);
        }
        result
    }

    /// Interrupts what the connection does once it takes too long.
    fn within_time(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let (clock, timeout) = (Arc::clone(&self.clock), self.timeout);
        let asked = clock.monotonic();
        let too_slow = move || clock.monotonic().saturating_sub(asked) > timeout;
        connection.progress_handler(STEPS, Some(too_slow))?;
        Ok(())
    }
}
