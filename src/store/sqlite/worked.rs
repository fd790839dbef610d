//! How long the thread of the state worked on documents. Must not count what it waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;

/// Time that went into loading and writing documents.
#[derive(Clone)]
pub(super) struct Worked {
    nanos: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

impl Worked {
    pub(super) fn by(clock: Arc<dyn Clock>) -> Self {
        Self { nanos: Arc::default(), clock }
    }

    /// Counts how long some work takes.
    pub(super) fn on<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = self.clock.monotonic();
        let done = work();
        let took = self.clock.monotonic().saturating_sub(began);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        done
    }

    pub(super) fn so_far(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}
