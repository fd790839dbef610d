//! The peers: a call for each mapped event, first in, first out, tried again as their documentation says.
//!
//! Played kinder than documented where that is vague: one call at a time, and after a 429 none until `Retry-After` is
//! over, so that few calls and tries are burnt on a full hour; an event that waits in the queue burns none; every call
//! carries everything known of the person by then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock as _, ManualClock};
use freshsignal::delivery::{Request, RetryAfter, Verdict};
use freshsignal::freshsales::Crm;

use super::shop::{Forwarded, Happening};

/// How a peer tries again.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub name: &'static str,
    /// The wait after the first failure; doubles.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How often an event is tried at most.
    pub tries_max: u32,
    /// How long after its arrival an event is given up.
    pub given_up_after: Duration,
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// What the documentation of the peers says.
pub const POLICIES: [Policy; 4] = [
    // 10 tries with exponential backoff within four hours.
    Policy {
        name: "10 tries within 4 h (Segment)",
        first: Duration::from_secs(15),
        longest: Duration::from_hours(2),
        tries_max: 10,
        given_up_after: Duration::from_hours(4),
    },
    Policy {
        name: "tries for 180 min (RudderStack)",
        first: Duration::from_secs(10),
        longest: Duration::from_mins(5),
        tries_max: u32::MAX,
        given_up_after: Duration::from_hours(3),
    },
    Policy {
        name: "5 tries within 24 h",
        first: MINUTE,
        longest: Duration::from_hours(12),
        tries_max: 5,
        given_up_after: Duration::from_hours(24),
    },
    Policy {
        name: "tries for ever",
        first: MINUTE,
        longest: HOUR,
        tries_max: u32::MAX,
        given_up_after: Duration::MAX,
    },
];

/// An event on its way. The order is that of the queue: who may go first, then who came first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    not_before: Duration,
    arrived: Duration,
    number: usize,
    tries: u32,
}

/// Forwards every event of a day; answers how many were given up.
pub async fn forward(policy: Policy, happenings: &[Happening], crm: Arc<dyn Crm>, clock: ManualClock) -> u64 {
    let events: Vec<(Duration, &Forwarded)> =
        happenings.iter().filter_map(|one| Some((one.at, one.forwarded.as_ref()?))).collect();
    let waiting = events.iter().zip(0..);
    let waiting =
        waiting.map(|((at, _), number)| Waiting { not_before: *at, arrived: *at, number, tries: 0 });
    let mut queue: BinaryHeap<Reverse<Waiting>> = waiting.map(Reverse).collect();
    let mut given_up = 0;
    while let Some(Reverse(mut first)) = queue.pop() {
        clock.sleep_until(first.not_before).await;
        if policy.gives_up(&first, clock.monotonic()) {
            given_up += 1;
            continue;
        }
        first.tries += 1;
        let verdict = crm
            .call(Request::UpsertContact {
                body: events[first.number].1.body.clone(),
                shows_companies: false,
            })
            .await
            .verdict;
        let now = clock.monotonic();
        match verdict {
            Verdict::Stored(_) => continue,
            Verdict::Throttled { retry_after: RetryAfter::For(wait), .. } => {
                clock.sleep_until(now + wait).await;
            }
            Verdict::Passing { .. } | Verdict::Throttled { .. } => {}
            Verdict::Refused { reason, .. }
            | Verdict::Blocked { reason, .. }
            | Verdict::Gone { reason }
            | Verdict::Shut { reason } => panic!("{reason}"),
        }
        first.not_before = now + policy.wait_after(first.tries);
        queue.push(Reverse(first));
    }
    given_up
}

impl Policy {
    fn gives_up(&self, event: &Waiting, now: Duration) -> bool {
        event.tries >= self.tries_max || now.saturating_sub(event.arrived) >= self.given_up_after
    }

    /// Doubles with each try.
    fn wait_after(&self, tries: u32) -> Duration {
        self.first.saturating_mul(2_u32.pow(tries.saturating_sub(1).min(20))).min(self.longest)
    }
}
