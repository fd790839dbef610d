//! Settlements: a call as it was made, how it ended, and what a failure that will pass costs its record.
//!
//! Must not know what a call carries.

use std::time::Duration;

use super::transition::Transition;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::delivery::{Attempt, Delivery, DeliveryId, Request, Subject, Verdict};
use crate::destination::{Destination, Ended, backoff};

/// A call to make.
#[derive(Clone, Debug, PartialEq)]
pub struct CallOrder {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// The record that it is about.
    pub subject: Subject,
    /// Which attempt it is: the fence against answers of older claims.
    pub attempt: u32,
    /// What is sent.
    pub request: Request,
}

/// How an attempt ended, and what else bears on what follows.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The call.
    pub order: CallOrder,
    /// What its answer means.
    pub verdict: Verdict,
    /// The attempt for the debugger.
    pub attempt: Attempt,
    /// From 0 to 1: where between half and whole the next wait lies.
    pub jitter: f64,
    /// Whether other contacts were answered since this one failed last.
    pub others_answered: bool,
    /// The call left alone, to see whether calls are answered.
    pub probe: bool,
}

impl Settlement {
    /// What follows a failure that will pass: it is a failure of this record, unless the destination is in trouble.
    pub(super) fn passing(
        &self,
        reason: &str,
        world: &World,
        settings: &Settings,
        now: UnixMicros,
    ) -> Transition {
        if self.destination(world, false, settings, now).obstacle.is_some() {
            return Transition::Wait(reason.to_owned());
        }
        after_failure(reason, world.deliveries.get(&self.order.delivery), self.others_answered, settings, now)
    }

    /// How the destination stands after it.
    pub(super) fn destination(
        &self,
        world: &World,
        refused_for_good: bool,
        settings: &Settings,
        now: UnixMicros,
    ) -> Destination {
        let ended = Ended {
            verdict: &self.verdict,
            kind: self.order.request.kind(),
            delivery: &self.order.delivery,
            probe: self.probe,
            refused_for_good,
            retry_max: settings.retry.max,
        };
        world.destination.document.after(ended, now)
    }
}

/// A failure of this contact that will pass. It is given up once it has failed for long enough; only its own waits
/// between two tries count, and only while other contacts got answers.
fn after_failure(
    reason: &str,
    delivery: Option<&Delivery>,
    others_answered: bool,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let retry = settings.retry;
    let Some(delivery) = delivery else { return Transition::Backoff(reason.to_owned(), Duration::ZERO) };
    let own_wait = backoff(retry.first, retry.max, delivery.failures, 1.0);
    let since = delivery.last_failure_at.map_or(Duration::ZERO, |last| now.since(last));
    let counts = if others_answered { since.min(own_wait) } else { Duration::ZERO };
    if delivery.failing.saturating_add(counts) >= retry.give_up_after {
        Transition::Die(format!("given up: {reason}"))
    } else {
        Transition::Backoff(reason.to_owned(), counts)
    }
}
