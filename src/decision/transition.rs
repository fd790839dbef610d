//! Transitions: what a delivery does after an attempt. Must not judge answers.

use std::time::Duration;

use super::Settings;
use crate::clock::UnixMicros;
use crate::contact::Standing;
use crate::delivery::{Bound, Delivery, DeliveryId};
use crate::destination::backoff;

pub(super) const CARRIED: &str = "a newer delivery of the contact carries it";

/// What a delivery does after an attempt.
pub(super) enum Transition {
    Deliver(Option<String>),
    Supersede(String),
    Die(String),
    /// Tried again after its own wait; so much of the time since its last failure counts towards giving it up.
    Backoff(String, Duration),
    /// Waits without burning anything.
    Wait(String),
    /// What is left waits for a quota.
    WaitFor(Bound),
    /// Tried once more at a moment.
    TryOnceMore(String, UnixMicros),
    /// Tried once more without an attribute.
    Salvage(String),
}

impl Transition {
    /// The same, and something more to tell of what was stored.
    pub(super) fn with_note(self, more: String) -> Self {
        match self {
            Self::Deliver(note) => {
                Self::Deliver(Some(note.into_iter().chain([more]).collect::<Vec<_>>().join("; ")))
            }
            Self::Supersede(_)
            | Self::Die(_)
            | Self::Backoff(..)
            | Self::Wait(_)
            | Self::WaitFor(_)
            | Self::TryOnceMore(..)
            | Self::Salvage(_) => self,
        }
    }

    pub(super) fn apply(
        self,
        delivery: Delivery,
        settings: &Settings,
        jitter: f64,
        now: UnixMicros,
    ) -> Delivery {
        match self {
            Self::Deliver(note) => {
                let notes: Vec<String> = delivery.notes.iter().cloned().chain(note).collect();
                let reason = (!notes.is_empty()).then(|| notes.join("; "));
                Delivery { reason, ..delivery.deliver(now) }
            }
            Self::Supersede(why) => delivery.supersede(&why, now),
            Self::Die(why) => delivery.die(why, now),
            Self::Backoff(why, counts) => {
                let wait = backoff(settings.retry.first, settings.retry.max, delivery.failures + 1, jitter);
                let failing = delivery.failing.saturating_add(counts);
                Delivery { failing, ..delivery }.retry(why, now, now.plus(wait))
            }
            Self::Wait(why) => delivery.wait(why, now),
            Self::WaitFor(bound) => delivery.wait_for(bound, now),
            Self::TryOnceMore(why, at) => delivery.retry(why, now, at),
            Self::Salvage(note) => delivery.salvage(note, now),
        }
    }
}

/// A question was answered: the delivery goes on with that, or leaves it to a newer one.
pub(super) fn go_on(
    why: &str,
    newer: Option<DeliveryId>,
    id: &DeliveryId,
    standing: &mut Standing,
) -> Transition {
    standing.in_flight = None;
    let is_newer = newer.is_some();
    standing.open = newer.or_else(|| Some(id.clone()));
    if is_newer { Transition::Supersede(CARRIED.to_owned()) } else { Transition::Wait(why.to_owned()) }
}
