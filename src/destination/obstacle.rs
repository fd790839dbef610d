//! The obstacle: why calls can't be made as they come, and when the next probe of it leaves.
//!
//! One probe an interval, each interval twice as long as the one before, so that an outage costs a few calls and not a
//! call per contact. Must not know how a probe is made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::delivery::{BlockCause, DeliveryId};

/// A blocked destination is probed after this long, doubling while it stays blocked.
const BLOCKED_FIRST: Duration = Duration::from_secs(10);
const BLOCKED_MAX: Duration = Duration::from_mins(15);
/// One that does not answer is probed after this long, doubling up to the longest wait of a contact.
const UNREACHABLE_FIRST: Duration = Duration::from_secs(1);
/// So many contacts in vain, and the CRM answers nobody: who comes after them waits for the next probe.
const NEWCOMERS_MAX: usize = 5;
/// Contacts tried last that are remembered, so that each probe tries another.
pub const TRIED_MAX: usize = 16;
/// Deliveries refused by a rule that are remembered; more than are on their way when it shows.
const REFUSED_MAX: usize = 1_000;

/// What stands in the way of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// Which kind.
    pub kind: ObstacleKind,
    /// Why, for a person.
    pub reason: String,
    /// Since when.
    pub since: UnixMicros,
    /// The next probe leaves at this moment.
    pub probe_at: UnixMicros,
    /// When the next probe would leave by itself, while one is made sooner because somebody ordered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_itself_at: Option<UnixMicros>,
    /// Probes that failed.
    pub probes: u32,
    /// The deliveries that probed last, the latest at the end.
    pub tried: Vec<DeliveryId>,
}

/// The kinds of obstacles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObstacleKind {
    /// The CRM can't be reached, or answers with errors of its own.
    Unreachable,
    /// Every call would be refused.
    Blocked {
        /// By what.
        cause: BlockCause,
        /// The account answered a question that proves alias and key, so one contact may try.
        account_answers: bool,
    },
    /// A rule of the account refuses contact after contact with the same words, which are the reason.
    AccountRule {
        /// The deliveries that were refused by it; they are tried again once the rule is gone.
        refused: Vec<DeliveryId>,
    },
}

/// How an obstacle is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// By a question that proves alias and key.
    Account,
    /// By the call of one contact.
    Contact,
}

impl Obstacle {
    /// One that begins now.
    #[must_use]
    pub fn new(kind: ObstacleKind, reason: &str, now: UnixMicros) -> Self {
        let obstacle = Self {
            kind,
            reason: reason.to_owned(),
            since: now,
            probe_at: now,
            by_itself_at: None,
            probes: 0,
            tried: Vec::new(),
        };
        Self { probe_at: now.plus(obstacle.interval(Duration::MAX)), ..obstacle }
    }

    /// How its next probe is made.
    #[must_use]
    pub fn probe(&self) -> Probe {
        match &self.kind {
            ObstacleKind::Blocked {
                cause: BlockCause::Unauthorized | BlockCause::NoSuchAccount,
                account_answers: false,
            } => Probe::Account,
            ObstacleKind::Blocked { .. } | ObstacleKind::Unreachable | ObstacleKind::AccountRule { .. } => {
                Probe::Contact
            }
        }
    }

    /// Makes the next probe due at once, because somebody ordered it.
    pub fn probe_at_once(&mut self, now: UnixMicros) {
        if self.probe_at > now {
            self.by_itself_at.get_or_insert(self.probe_at);
            self.probe_at = now;
        }
    }

    /// What a probe failed of, where that may differ from time to time.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        if matches!(self.kind, ObstacleKind::Unreachable) {
            reason.clone_into(&mut self.reason);
        }
        self
    }

    /// A probe failed in a way that leaves the obstacle as it is.
    #[must_use]
    pub fn stays(mut self, by: Option<&DeliveryId>, retry_max: Duration, now: UnixMicros) -> Self {
        // One that was ordered is beside the growing series, and lengthens no wait.
        let ordered = self.by_itself_at.take();
        self.probes = self.probes.saturating_add(u32::from(ordered.is_none()));
        let next = now.plus(self.interval(retry_max));
        self.probe_at = ordered.filter(|by_itself| *by_itself > now).unwrap_or(next);
        if let Some(by) = by {
            self.tried.retain(|tried| tried != by);
            self.tried.push(by.clone());
            let surplus = self.tried.len().saturating_sub(TRIED_MAX);
            self.tried.drain(..surplus);
        }
        self
    }

    /// A probe showed that something else, or the same again, blocks every call.
    #[must_use]
    pub fn blocked(self, cause: BlockCause, reason: &str, by: Option<&DeliveryId>, now: UnixMicros) -> Self {
        let kind = ObstacleKind::Blocked { cause, account_answers: false };
        let before = match &self.kind {
            ObstacleKind::Blocked { .. } => self,
            ObstacleKind::Unreachable | ObstacleKind::AccountRule { .. } => {
                Self::new(kind.clone(), reason, now)
            }
        };
        let changed = Self { kind, reason: reason.to_owned(), ..before };
        changed.stays(by, Duration::MAX, now)
    }

    /// The account answered a question: one contact may try at once.
    #[must_use]
    pub fn account_answers(mut self, now: UnixMicros) -> Self {
        if let ObstacleKind::Blocked { account_answers, .. } = &mut self.kind {
            *account_answers = true;
        }
        self.probe_at = now;
        self
    }

    /// Whether it is a rule of the account that refuses in these words.
    #[must_use]
    pub fn is_rule(&self, words: &str) -> bool {
        matches!(self.kind, ObstacleKind::AccountRule { .. }) && self.reason == words
    }

    /// Whether its next probe is the newest owed contact in place of the longest owed.
    #[must_use]
    pub fn tries_the_newest(&self) -> bool {
        match self.kind {
            ObstacleKind::AccountRule { .. } => self.probes.is_multiple_of(2),
            ObstacleKind::Unreachable | ObstacleKind::Blocked { .. } => false,
        }
    }

    /// Since when whoever became owed a call may probe before its time. A few contacts whose calls the CRM can't
    /// answer look like one that answers nobody, and then others must not wait for them.
    #[must_use]
    pub fn lets_newcomers_try(&self) -> Option<UnixMicros> {
        match self.kind {
            ObstacleKind::Unreachable if self.tried.len() < NEWCOMERS_MAX => Some(self.since),
            ObstacleKind::Unreachable | ObstacleKind::Blocked { .. } | ObstacleKind::AccountRule { .. } => {
                None
            }
        }
    }

    /// A rule of the account refused one more.
    pub fn refuses(&mut self, delivery: &DeliveryId) {
        if let ObstacleKind::AccountRule { refused } = &mut self.kind
            && refused.len() < REFUSED_MAX
            && !refused.contains(delivery)
        {
            refused.push(delivery.clone());
        }
    }

    /// How long after its last probe the next one leaves.
    fn interval(&self, retry_max: Duration) -> Duration {
        match self.kind {
            ObstacleKind::Unreachable => doubled(UNREACHABLE_FIRST, self.probes + 1, retry_max),
            ObstacleKind::Blocked { .. } | ObstacleKind::AccountRule { .. } => {
                doubled(BLOCKED_FIRST, self.probes + 1, BLOCKED_MAX)
            }
        }
    }
}

/// `first`, doubled for each time after the first, at most `max`.
pub(super) fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1).min(16))).min(max)
}
