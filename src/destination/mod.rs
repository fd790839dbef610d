//! The destination as a whole: whether calls may leave, and what an answer changes about that.
//!
//! Three things hold calls up, each without regard to the others: a person's order, a throttle of the account, and an
//! obstacle that is probed. Beside them a kind of call may be shut alone, because the key's user has no right to it.
//! Whatever the answers are, the destination gets out of all but the person's order by itself.

mod attributes;
mod doubt;
mod obstacle;
mod shut;
mod streak;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use attributes::Attributes;
pub use doubt::Doubt;
pub use obstacle::{Obstacle, ObstacleKind, Probe};
pub use shut::{SHUT_TRIED_EVERY, Shut};

use crate::clock::UnixMicros;
use crate::delivery::{BlockCause, CallKind, DeliveryId, RetryAfter, Verdict};
use obstacle::doubled;
use streak::{Failures, Refusals};

/// A throttle that does not say how long: this long at first, doubling while it repeats.
const THROTTLE_FIRST: Duration = Duration::from_mins(1);
const THROTTLE_MAX: Duration = Duration::from_mins(15);
/// A throttle that asks for nonsense.
const THROTTLE_ABSURD: Duration = Duration::from_hours(1);

/// How the destination as a whole stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Destination {
    /// Since when calls are paused by hand.
    pub paused_since: Option<UnixMicros>,
    /// The account was told to wait, and no call was answered since.
    pub throttle: Option<Throttle>,
    /// What stands in the way of calls.
    pub obstacle: Option<Obstacle>,
    /// Passing failures in a row.
    pub failures: Failures,
    /// Refusals in a row with the same words.
    pub refusals: Refusals,
    /// Deliveries that a rule of the account refused that is gone: they are to be tried again.
    pub redrive: Vec<DeliveryId>,
    /// Kinds of calls that are refused as such, while others are answered.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shut: BTreeMap<CallKind, Shut>,
    /// Attributes that the account does not keep, or that turn without end.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// Of this span of time nobody knows which calls were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// When a backup was restored: from then on every call that an hour allows counts as made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<UnixMicros>,
}

/// A wait that the CRM asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// No call leaves before this moment, whatever anybody orders.
    pub until: UnixMicros,
    /// How often in a row; lengthens the next wait where the CRM does not say how long.
    pub repeats: u32,
    /// Why, for a person.
    pub reason: String,
}

/// The states of a destination, as they are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationState {
    /// Calls are made.
    #[default]
    Running,
    /// The account's allowance is used up.
    Throttled,
    /// The CRM does not answer.
    Unreachable,
    /// Paused by hand.
    Paused,
    /// Every call would be refused: key, rights, alias, a rule of the account.
    Blocked,
}

impl DestinationState {
    /// The word in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Paused => "paused",
            Self::Blocked => "blocked",
        }
    }
}

/// What may leave now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing before a moment; without one nothing before somebody orders it.
    Shut(Option<UnixMicros>),
    /// One question to the account.
    AskAccount,
    /// One contact's call, because nobody knows yet whether it is answered; rather one that did not try lately.
    OneContact,
    /// Calls, as many as fit.
    Open,
}

/// How the call of a delivery ended, as far as it concerns the destination.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// What its answer means.
    pub verdict: &'a Verdict,
    /// Which kind of call it was.
    pub kind: CallKind,
    /// Which delivery it was of.
    pub delivery: &'a DeliveryId,
    /// It left alone, to see whether calls are answered ([`Gate::OneContact`]). Answers to calls that left before
    /// the obstacle was detected do not clear it.
    pub probe: bool,
    /// The record is refused for good by this answer, and was not for the same reason before.
    pub refused_for_good: bool,
    /// The longest wait between two probes of a CRM that does not answer.
    pub retry_max: Duration,
}

impl Destination {
    /// Pauses calls by hand. What was throttled or blocked before is so after the pause.
    pub fn pause(&mut self, now: UnixMicros) {
        self.paused_since.get_or_insert(now);
    }

    /// Takes a pause back, and makes the next probe due at once. A wait that the CRM asked for stays as it is.
    pub fn resume(&mut self, now: UnixMicros) {
        self.paused_since = None;
        self.probe_at_once(now);
        self.try_shut_kinds_at_once(now);
        self.try_attributes_again();
    }

    /// Settings were taken over, the key among them: whether a rule of the account still refuses what they make, or every call
    /// is still refused, is worth a probe.
    pub fn settings_changed(&mut self, now: UnixMicros) {
        match self.obstacle.as_ref().map(|obstacle| &obstacle.kind) {
            Some(ObstacleKind::AccountRule { .. } | ObstacleKind::Blocked { .. }) => self.probe_at_once(now),
            Some(ObstacleKind::Unreachable) | None => {}
        }
    }

    /// Since when a delivery that was opened, and was not tried, may probe before its time; see [`Self::newcomer_tries`].
    #[must_use]
    pub fn lets_newcomers_try(&self) -> Option<UnixMicros> {
        let is_free = self.paused_since.is_none() && self.throttle.is_none();
        self.obstacle.as_ref().filter(|_| is_free)?.lets_newcomers_try()
    }

    /// The next probe is due at once for a newcomer; like one that a person ordered, it lengthens no wait if it fails.
    pub fn newcomer_tries(&mut self, now: UnixMicros) {
        if self.lets_newcomers_try().is_some() {
            self.probe_at_once(now);
        }
    }

    fn probe_at_once(&mut self, now: UnixMicros) {
        if let Some(obstacle) = &mut self.obstacle {
            obstacle.probe_at_once(now);
        }
    }

    /// The state that is shown: what a person ordered, else what is worst.
    #[must_use]
    pub fn state(&self) -> DestinationState {
        let obstacle = self.obstacle.as_ref().map(|obstacle| &obstacle.kind);
        match (self.paused_since, obstacle, &self.throttle) {
            (Some(_), _, _) => DestinationState::Paused,
            (None, Some(ObstacleKind::Blocked { .. } | ObstacleKind::AccountRule { .. }), _) => {
                DestinationState::Blocked
            }
            (None, Some(ObstacleKind::Unreachable), _) => DestinationState::Unreachable,
            (None, None, Some(_)) => DestinationState::Throttled,
            (None, None, None) => DestinationState::Running,
        }
    }

    /// Whether a throttle began, or was repeated, since then. What stragglers say of one that runs is none.
    #[must_use]
    pub fn is_throttled_anew(&self, before: &Self) -> bool {
        let repeats =
            |destination: &Self| destination.throttle.as_ref().map_or(0, |throttle| throttle.repeats);
        repeats(self) > repeats(before)
    }

    /// Why it is in that state, for a person.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        let obstacle = self.obstacle.as_ref().map(|obstacle| obstacle.reason.as_str());
        obstacle.or(self.throttle.as_ref().map(|throttle| throttle.reason.as_str()))
    }

    /// No call leaves before this moment; `None` where nothing but a person's order holds calls up, or nothing.
    #[must_use]
    pub fn until(&self) -> Option<UnixMicros> {
        let probe_at = self.obstacle.as_ref().map(|obstacle| obstacle.probe_at);
        probe_at.max(self.throttle.as_ref().map(|throttle| throttle.until))
    }

    /// Where among the probes of the obstacle a delivery was tried last, the latest with the highest number; `None`
    /// comes first.
    #[must_use]
    pub fn tried_lately(&self, delivery: &DeliveryId) -> Option<usize> {
        self.obstacle.as_ref()?.tried.iter().position(|tried| tried == delivery)
    }

    /// The delivery that may show whether a rule of the account is gone where nothing else is owed: of those it refused
    /// the one that was not tried for the longest.
    #[must_use]
    pub fn probe_among_refused(&self) -> Option<&DeliveryId> {
        match &self.obstacle.as_ref()?.kind {
            ObstacleKind::AccountRule { refused } => {
                refused.iter().min_by_key(|refused| self.tried_lately(refused))
            }
            ObstacleKind::Unreachable | ObstacleKind::Blocked { .. } => None,
        }
    }

    /// A delivery that a rule of the account refused is dead no more.
    pub fn is_refused_no_more(&mut self, delivery: &DeliveryId) {
        if let Some(Obstacle { kind: ObstacleKind::AccountRule { refused }, .. }) = &mut self.obstacle {
            refused.retain(|other| other != delivery);
        }
    }

    /// Forgets words of the CRM that name somebody who was erased; tells whether there were any. Words of refusals are a
    /// contact's own, so none of them stay.
    pub fn forget_words(&mut self, named: impl Fn(&str) -> bool) -> bool {
        let reasons = [
            self.obstacle.as_mut().map(|obstacle| &mut obstacle.reason),
            self.throttle.as_mut().map(|throttle| &mut throttle.reason),
        ];
        let found = reasons.into_iter().flatten().filter(|reason| named(reason));
        let forgotten = found.map(String::clear).count() > 0;
        let refusals = std::mem::take(&mut self.refusals);
        forgotten || refusals != Refusals::default()
    }

    /// Whether the next probe is the newest owed contact in place of the longest owed. Contacts that are wrong
    /// themselves come in crowds, and one that came since may be right.
    #[must_use]
    pub fn tries_the_newest(&self) -> bool {
        self.obstacle.as_ref().is_some_and(Obstacle::tries_the_newest)
    }

    /// Whether the next probe is better made by a contact: what blocks, or a rule of the account, was met by contacts, and
    /// the call of another record shows less of it.
    #[must_use]
    pub fn is_probed_by_contacts(&self) -> bool {
        match self.obstacle.as_ref().map(|obstacle| &obstacle.kind) {
            Some(ObstacleKind::Blocked { .. } | ObstacleKind::AccountRule { .. }) => true,
            Some(ObstacleKind::Unreachable) | None => false,
        }
    }

    /// What may leave at `now`.
    #[must_use]
    pub fn gate(&self, now: UnixMicros) -> Gate {
        if self.paused_since.is_some() {
            return Gate::Shut(None);
        }
        match (self.until().filter(|until| *until > now), &self.obstacle, &self.throttle) {
            (Some(until), _, _) => Gate::Shut(Some(until)),
            (None, Some(obstacle), _) => match obstacle.probe() {
                Probe::Account => Gate::AskAccount,
                Probe::Contact => Gate::OneContact,
            },
            (None, None, Some(_)) => Gate::OneContact,
            (None, None, None) => Gate::Open,
        }
    }

    /// How the destination stands after the call of a delivery ended at `now`.
    #[must_use]
    pub fn after(&self, ended: Ended<'_>, now: UnixMicros) -> Self {
        let mut next = self.clone();
        match (ended.verdict, ended.kind) {
            (Verdict::Stored(_), CallKind::Contact) => next.stored(ended),
            (Verdict::Refused { reason, .. }, CallKind::Contact) => next.refused(reason, ended, now),
            (Verdict::Stored(_) | Verdict::Refused { .. } | Verdict::Gone { .. }, kind) => {
                next.open(kind);
                next.answered_beside(ended);
            }
            (Verdict::Shut { reason }, kind) => {
                next.shut(kind, reason, now);
                next.answered_beside(ended);
            }
            (Verdict::Throttled { retry_after, reason }, _) => {
                next.throttled(*retry_after, reason, ended.probe, now);
            }
            (Verdict::Passing { reason }, _) => next.failed(reason, ended, now),
            (Verdict::Blocked { cause, reason }, _) => {
                next.blocked(*cause, reason, ended.probe.then_some(ended.delivery), now);
            }
        }
        next
    }

    /// How the destination stands after the account was asked and answered at `now`.
    #[must_use]
    pub fn after_question(&self, verdict: &Verdict, retry_max: Duration, now: UnixMicros) -> Self {
        let mut next = self.clone();
        let Some(obstacle) = next.obstacle.take() else { return next };
        next.obstacle = Some(match verdict {
            // Whose key may not read this may still write contacts: one of them finds out.
            Verdict::Stored(_)
            | Verdict::Refused { .. }
            | Verdict::Gone { .. }
            | Verdict::Shut { .. }
            | Verdict::Blocked { cause: BlockCause::Forbidden, .. } => obstacle.account_answers(now),
            Verdict::Blocked { cause, reason } => obstacle.blocked(*cause, reason, None, now),
            Verdict::Passing { .. } => obstacle.stays(None, retry_max, now),
            Verdict::Throttled { .. } => obstacle,
        });
        if let Verdict::Throttled { retry_after, reason } = verdict {
            next.throttled(*retry_after, reason, true, now);
        }
        next
    }

    /// How the destination stands after a call that concerns no delivery was answered at `now`: that the account was told
    /// to wait counts for all calls. A `probe` left alone where nobody was owed a call who could show whether calls are
    /// answered: it shows that much, and nothing of keys and rights.
    #[must_use]
    pub fn after_order(&self, verdict: &Verdict, probe: bool, now: UnixMicros) -> Self {
        let mut next = self.clone();
        match verdict {
            Verdict::Throttled { retry_after, reason } => next.throttled(*retry_after, reason, probe, now),
            Verdict::Stored(_) | Verdict::Refused { .. } | Verdict::Gone { .. } | Verdict::Shut { .. }
                if probe =>
            {
                next.answered();
            }
            Verdict::Stored(_)
            | Verdict::Refused { .. }
            | Verdict::Gone { .. }
            | Verdict::Shut { .. }
            | Verdict::Passing { .. }
            | Verdict::Blocked { .. } => {}
        }
        next
    }

    fn answered(&mut self) {
        let is_away = |obstacle: &mut Obstacle| matches!(obstacle.kind, ObstacleKind::Unreachable);
        self.obstacle.take_if(is_away);
        self.throttle = None;
        self.failures = Failures::default();
    }

    /// A call that is not a contact's was answered. It says nothing of what the account's rules make of contacts, so it
    /// takes such an obstacle away only where nobody else could show anything: where it was the probe.
    fn answered_beside(&mut self, ended: Ended<'_>) {
        if self.is_hindered() && !ended.probe {
            return;
        }
        if let Some(Obstacle { kind: ObstacleKind::AccountRule { refused }, .. }) = self.obstacle.take() {
            self.redrive.extend(refused);
        }
        self.throttle = None;
        self.failures = Failures::default();
    }

    fn is_hindered(&self) -> bool {
        self.throttle.is_some() || self.obstacle.is_some()
    }

    fn stored(&mut self, ended: Ended<'_>) {
        if self.is_hindered() && !ended.probe {
            return;
        }
        if let Some(Obstacle { kind: ObstacleKind::AccountRule { refused }, reason, .. }) =
            self.obstacle.take()
        {
            self.refusals.disprove(&reason);
            self.redrive.extend(refused);
        }
        self.throttle = None;
        self.failures = Failures::default();
        self.refusals.end();
    }

    fn refused(&mut self, words: &str, ended: Ended<'_>, now: UnixMicros) {
        if let Some(mut obstacle) = self.obstacle.take_if(|obstacle| obstacle.is_rule(words)) {
            if ended.refused_for_good {
                obstacle.refuses(ended.delivery);
            }
            let by = Some(ended.delivery);
            self.obstacle =
                Some(if ended.probe { obstacle.stays(by, ended.retry_max, now) } else { obstacle });
            return;
        }
        if self.is_hindered() && !ended.probe {
            return;
        }
        // It was answered for this contact: nothing but the contact itself is in the way.
        if let Some(Obstacle { kind: ObstacleKind::AccountRule { refused }, .. }) = self.obstacle.take() {
            self.redrive.extend(refused);
        }
        self.throttle = None;
        self.failures = Failures::default();
        if ended.refused_for_good
            && let Some(refused) = self.refusals.add(words, ended.delivery)
        {
            self.obstacle = Some(Obstacle::new(ObstacleKind::AccountRule { refused }, words, now));
        }
    }

    fn throttled(&mut self, retry_after: RetryAfter, reason: &str, probe: bool, now: UnixMicros) {
        // Calls that were on their way when the first answer came say nothing new.
        let repeats =
            self.throttle.as_ref().map_or(1, |before| before.repeats.saturating_add(u32::from(probe)));
        let until = match retry_after {
            RetryAfter::For(wait) => now.plus(wait),
            RetryAfter::Until(moment) => moment.max(now),
            RetryAfter::Absent => now.plus(doubled(THROTTLE_FIRST, repeats, THROTTLE_MAX)),
            RetryAfter::Absurd => now.plus(THROTTLE_ABSURD),
        };
        // Never shorter than what was asked for before.
        let until = self.throttle.as_ref().map_or(until, |before| before.until.max(until));
        self.throttle = Some(Throttle { until, repeats, reason: reason.to_owned() });
    }

    fn failed(&mut self, reason: &str, ended: Ended<'_>, now: UnixMicros) {
        self.obstacle = match self.obstacle.take() {
            Some(obstacle) if ended.probe => {
                Some(obstacle.because(reason).stays(Some(ended.delivery), ended.retry_max, now))
            }
            Some(obstacle) => Some(obstacle),
            None => {
                let fails = self.failures.add(ended.delivery);
                fails.then(|| Obstacle::new(ObstacleKind::Unreachable, reason, now))
            }
        };
    }

    fn blocked(&mut self, cause: BlockCause, reason: &str, probe: Option<&DeliveryId>, now: UnixMicros) {
        let kind = ObstacleKind::Blocked { cause, account_answers: false };
        self.obstacle = Some(match self.obstacle.take() {
            // What an obstacle of the account's rules refused is tried again when calls are answered.
            Some(obstacle) if probe.is_some() => {
                if let ObstacleKind::AccountRule { refused } = &obstacle.kind {
                    self.redrive.extend(refused.iter().cloned());
                }
                obstacle.blocked(cause, reason, probe, now)
            }
            Some(obstacle) if matches!(obstacle.kind, ObstacleKind::Blocked { .. }) => obstacle,
            Some(_) | None => Obstacle::new(kind, reason, now),
        });
    }
}

/// When a contact is tried again after its `failures`th failure in a row: d = min(max, first × 2^(n−1)), then
/// evenly between d/2 and d; `jitter` from 0 to 1 chooses where.
#[must_use]
pub fn backoff(first: Duration, max: Duration, failures: u32, jitter: f64) -> Duration {
    let whole = doubled(first, failures, max);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}
