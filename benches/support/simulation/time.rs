//! Simulated time: it passes when everybody waits for it, and never by itself.
//!
//! The stages run on one thread. When that thread has nothing to do and the store owes nobody an answer, nothing can
//! happen until time passes: then it jumps to the first moment that somebody waits for.

use std::future::Future;
use std::sync::{Arc, Mutex, Weak};

use freshsignal::clock::{ManualClock, UnixMicros};
use freshsignal::store::sqlite::SqliteStore;

/// When a simulation begins: 2026-03-01T00:00:00Z.
const START: UnixMicros = UnixMicros(1_772_323_200_000_000);

/// The time of one simulation.
#[derive(Clone)]
pub struct SimulatedTime {
    pub clock: ManualClock,
    /// The store that is open now.
    store: Arc<Mutex<Weak<SqliteStore>>>,
}

impl SimulatedTime {
    pub fn new() -> Self {
        Self { clock: ManualClock::at(START), store: Arc::default() }
    }

    /// Time stands still while this store works.
    pub fn heed(&self, store: &Arc<SqliteStore>) {
        *self.store.lock().unwrap() = Arc::downgrade(store);
    }

    /// Runs something to its end. Fails when nothing would ever happen again.
    pub fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let time = self.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .on_thread_park(move || time.pass())
            .build()
            .unwrap();
        runtime.block_on(async { tokio::spawn(work).await.unwrap() })
    }

    /// Nothing is left to do now.
    fn pass(&self) {
        let store = self.store.lock().unwrap().upgrade();
        if store.is_none_or(|store| store.under_way() == 0) {
            assert!(self.clock.advance_to_next_wake(), "nothing will ever happen again");
        }
    }
}
