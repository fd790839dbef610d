//! Waiting for something to happen: looked at again and again, never longer than a limit.

use std::time::Duration;

use freshsignal::clock::{Clock, SystemClock};

/// Nothing a test waits for takes this long unless it never happens, on a machine that has much else to do either.
pub const WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// Looks until there is something; fails with what was there instead when nothing came in time.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let clock = SystemClock::default();
    loop {
        let instead = match look().await {
            Ok(found) => return found,
            Err(instead) => instead,
        };
        assert!(clock.monotonic() < WITHIN, "waited {} s in vain: {what}\n{instead}", WITHIN.as_secs());
        clock.sleep_until(clock.monotonic() + LOOK_EVERY).await;
    }
}

/// Waits for a future; fails when it does not end in time.
pub async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    let clock = SystemClock::default();
    tokio::select! {
        output = future => output,
        () = clock.sleep_until(WITHIN) => panic!("waited {} s in vain: {what}", WITHIN.as_secs()),
    }
}
