//! The account's allowance: how many calls in any hour and any minute. Must not know what the calls are.

use std::collections::VecDeque;
use std::time::Duration;

/// The sliding windows of the account. Calls over a limit are refused and take nothing of it.
#[derive(Debug)]
pub(super) struct Limits {
    windows: [Window; 2],
}

#[derive(Debug)]
struct Window {
    length: Duration,
    calls_max: Option<u32>,
    calls: VecDeque<Duration>,
}

impl Limits {
    /// Windows of an hour and a minute; `None` is no limit.
    pub(super) fn new(per_hour: Option<u32>, per_minute: Option<u32>) -> Self {
        let window = |seconds, calls_max| Window {
            length: Duration::from_secs(seconds),
            calls_max,
            calls: VecDeque::new(),
        };
        Self { windows: [window(3_600, per_hour), window(60, per_minute)] }
    }

    /// Takes one call at `now` (monotonic), or says in how many seconds there is room for one.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), u64> {
        let wait = self.windows.iter_mut().filter_map(|window| window.wait(now)).max();
        if let Some(wait) = wait {
            return Err(whole_seconds(wait));
        }
        for window in &mut self.windows {
            if window.calls_max.is_some() {
                window.calls.push_back(now);
            }
        }
        Ok(())
    }

    /// How many calls the hour has and how many of them are left; `None` without a limit.
    pub(super) fn hour(&self) -> Option<(u32, u32)> {
        let [hour, _] = &self.windows;
        let used = u32::try_from(hour.calls.len()).unwrap_or(u32::MAX);
        hour.calls_max.map(|limit| (limit, limit.saturating_sub(used)))
    }

    /// Forgets all calls.
    pub(super) fn clear(&mut self) {
        self.windows.iter_mut().for_each(|window| window.calls.clear());
    }
}

impl Window {
    /// How long until there is room; `None` when there is.
    fn wait(&mut self, now: Duration) -> Option<Duration> {
        let calls_max = usize::try_from(self.calls_max?).unwrap_or(usize::MAX);
        while self.calls.front().is_some_and(|call| now.saturating_sub(*call) >= self.length) {
            self.calls.pop_front();
        }
        if self.calls.len() < calls_max {
            return None;
        }
        let oldest = self.calls.front().copied().unwrap_or(now);
        Some(self.length.saturating_sub(now.saturating_sub(oldest)))
    }
}

/// Rounded up: whoever waits this long finds room.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
