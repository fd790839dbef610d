//! A stage: does what there is to do, waits until there is more, and outlives every failure that passes.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::{ErrorClass, StoreError};

/// After a failure that passes by itself, or that one document is the cause of.
const RETRY_AFTER: Duration = Duration::from_secs(1);
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

    /// How the last piece of work went.
    fn went(&mut self, failed: Option<&StoreError>) {
        let _ = failed;
    }
}

/// How long to wait after so many conflicts in a row; `chance` of 0 to 1 sets apart who met at the same document.
#[must_use]
pub fn backoff(in_a_row: u32, chance: f64) -> Duration {
    (BACK_OFF * 2_u32.pow(in_a_row.min(DOUBLED_MAX))).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// Works until it is told to stop.
///
/// # Errors
/// The store failed for good; the process has to end and recover by starting again.
pub async fn run<S: Stage>(
    mut stage: S,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut conflicts = 0;
    loop {
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            done = stage.work() => done,
        };
        stage.went(done.as_ref().err());
        let (wait, may_be_rung) = match done {
            Ok(next) => {
                conflicts = 0;
                match next {
                    Next::AtOnce => continue,
                    Next::Rung => (None, true),
                    Next::After(wait) => (Some(wait), true),
                }
            }
            Err(error) => (Some(wait_after::<S>(error, &mut conflicts)?), false),
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

fn wait_after<S: Stage>(error: StoreError, conflicts: &mut u32) -> Result<Duration, StoreError> {
    match error.class() {
        ErrorClass::Ends => Err(error),
        ErrorClass::Again => {
            *conflicts += 1;
            Ok(backoff(*conflicts - 1, rand::random_range(0.0..1.0)))
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
