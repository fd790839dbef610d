//! A stage: does what there is to do, waits until there is more, and outlives every failure that passes, and every defect.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Stalls;
use crate::clock::Clock;
use crate::store::{ErrorClass, StoreError};
use crate::telemetry::{Panicked, caught_in};

/// After a failure that passes by itself, or that one document is the cause of.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// After the first defect in a row; doubled with each that follows.
const DEFECT_AFTER: Duration = Duration::from_secs(1);
/// After the first conflict; doubled with each that follows.
const BACK_OFF: Duration = Duration::from_millis(10);
/// How often it is doubled at most.
const DOUBLED_MAX: u32 = 6;

/// When a stage has something to do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Now: there may be more.
    AtOnce,
    /// When it is rung for.
    Rung,
    /// When it is rung for, or after a while.
    After(Duration),
}

/// What one stage does.
pub trait Stage: Send {
    /// Its name in the log.
    const NAME: &'static str;

    /// Does a part of what there is to do. Dropped in between when the service stops.
    fn work(&mut self) -> impl Future<Output = Result<Next, StoreError>> + Send;

    /// Ends when there may be something to do.
    fn rung(&mut self) -> impl Future<Output = ()> + Send;

    /// How the last piece of work went: it failed because of this, or it did not.
    fn went(&mut self, failed: Option<&str>) {
        let _ = failed;
    }
}

/// How long to wait after so many conflicts in a row; `chance` of 0 to 1 sets apart who met at the same document.
#[must_use]
pub fn backoff(in_a_row: u32, chance: f64) -> Duration {
    (BACK_OFF * 2_u32.pow(in_a_row.min(DOUBLED_MAX))).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// Works until it is told to stop, and notes where nothing comes of it.
///
/// # Errors
/// The store failed for good; the process has to end and recover by starting again.
pub async fn run<S: Stage>(
    mut stage: S,
    stalls: &Stalls,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut in_a_row = InARow::default();
    loop {
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            done = caught_in(stage.work()) => done,
        };
        let failed = match &done {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panicked) => Some(panicked.to_string()),
        };
        stage.went(failed.as_deref());
        stalls.went(S::NAME, failed.as_deref(), clock.wall());
        let (wait, may_be_rung) = match done {
            Ok(Ok(next)) => {
                in_a_row = InARow::default();
                match next {
                    Next::AtOnce => continue,
                    Next::Rung => (None, true),
                    Next::After(wait) => (Some(wait), true),
                }
            }
            Ok(Err(error)) => (Some(in_a_row.wait_after::<S>(error)?), false),
            Err(panicked) => (Some(in_a_row.wait_after_defect::<S>(&panicked)), false),
        };
        let over = async {
            match wait {
                Some(wait) => clock.sleep_until(clock.monotonic() + wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = over => {}
            () = stage.rung(), if may_be_rung => {}
        }
    }
}

/// Failures of a stage since it last had success.
#[derive(Default)]
struct InARow {
    conflicts: u32,
    defects: u32,
}

impl InARow {
    fn wait_after<S: Stage>(&mut self, error: StoreError) -> Result<Duration, StoreError> {
        match error.class() {
            ErrorClass::Ends => Err(error),
            ErrorClass::Again => {
                self.conflicts += 1;
                Ok(backoff(self.conflicts - 1, rand::random_range(0.0..1.0)))
            }
            ErrorClass::Passes => {
                tracing::warn!(stage = S::NAME, %error, "a stage is paused: the store is busy or full; retrying in 1 s, nothing is lost");
                Ok(RETRY_AFTER)
            }
            ErrorClass::Document => {
                let StoreError::Unreadable(kind, _) = &error else { return Ok(RETRY_AFTER) };
                tracing::error!(
                    stage = S::NAME,
                    kind,
                    "a stage is paused: a stored document can't be read; retrying in 1 s"
                );
                Ok(RETRY_AFTER)
            }
        }
    }

    /// What was being done is lost with what it held; nothing of it was written.
    fn wait_after_defect<S: Stage>(&mut self, panicked: &Panicked) -> Duration {
        let wait = DEFECT_AFTER * 2_u32.pow(self.defects.min(DOUBLED_MAX));
        self.defects = self.defects.saturating_add(1);
        tracing::error!(
            stage = S::NAME,
            code = "stage_defect",
            place = panicked.place,
            retry_seconds = wait.as_secs(),
            "a stage met a defect in the code and tries again; everything else goes on. Report the place"
        );
        wait
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::{ManualClock, UnixMicros};

    const LATER: UnixMicros = UnixMicros(3_600_000_000);

    /// Meets a defect so many times before it has success.
    struct Clumsy {
        defects: u32,
        tries: Arc<AtomicU32>,
    }

    impl Stage for Clumsy {
        const NAME: &'static str = "clumsy";

        async fn work(&mut self) -> Result<Next, StoreError> {
            let tries = self.tries.fetch_add(1, Ordering::Relaxed);
            assert!(tries >= self.defects, "a defect of the test");
            Ok(Next::Rung)
        }

        async fn rung(&mut self) {
            std::future::pending::<()>().await;
        }
    }

    #[tokio::test]
    async fn a_stage_that_meets_a_defect_waits_and_tries_again_and_says_so_meanwhile() {
        let (clock, stop, stalls) =
            (ManualClock::at(UnixMicros(0)), CancellationToken::new(), Stalls::default());
        let tries = Arc::new(AtomicU32::new(0));
        let stage = Clumsy { defects: 3, tries: Arc::clone(&tries) };
        let running = tokio::spawn({
            let (clock, stop, stalls) = (clock.clone(), stop.clone(), stalls.clone());
            async move { run(stage, &stalls, &clock, &stop).await }
        });
        for (nth, seconds) in [1_u32, 2, 4].into_iter().enumerate() {
            while tries.load(Ordering::Relaxed) != u32::try_from(nth).unwrap() + 1 {
                tokio::task::yield_now().await;
            }
            assert_eq!(stalls.long(LATER).len(), 1, "{nth}");
            // The stage sleeps once it has yielded to us again.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_secs(seconds.into()));
        }
        while !stalls.long(LATER).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tries.load(Ordering::Relaxed), 4);
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}
