//! Bulk calls: which contacts may share one, and what follows for each when it did not bring them.
//!
//! A contact that the report speaks of is settled like a call of its own; that is `settle`'s.

use super::call::{CARRIED, is_claim, standing_of};
use super::claiming::looks_first;
use super::forward::STAGE;
use super::wish::consider;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::Standing;
use crate::delivery::{Attempt, BulkRow, CallKind, DeliveryId, Lane, Verdict};
use crate::destination::Ended;
use crate::erasure::CallEnd;
use crate::event::Email;
use crate::mapping::TAGS;

/// Whether a delivery may share a call: contacts may. Somebody waits for new contacts and withdrawals: they go by themselves, and so
/// does what a bulk call did not bring.
#[must_use]
pub fn may_share(id: &DeliveryId, world: &World, settings: &Settings) -> bool {
    let Some(delivery) = world.deliveries.get(id).filter(|delivery| !delivery.alone) else { return false };
    let Some(email) = delivery.subject.contact() else { return false };
    let contact = world.contacts.get(email);
    let standing = contact.map(|contact| contact.with(&settings.account)).unwrap_or_default();
    let known = delivery.lane == Lane::Backfill || standing.accepted.is_some();
    delivery.lane.shares_calls()
        && known
        && standing.renames.is_none()
        && standing.doubted_at.is_none()
        && !standing.may_be_lead(settings.leads)
        && !needs_a_look(email, &standing, world, settings)
}

/// Whether the contact may have to be looked at before its lifecycle stage is moved, its tags are joined, or what a visitor said is
/// told: the report of a bulk call shows none of that.
fn needs_a_look(email: &Email, standing: &Standing, world: &World, settings: &Settings) -> bool {
    let stage = settings.preset.forward_only_stage().map(|_| STAGE);
    let looked_at = [stage, settings.preset.sends_tags().then_some(TAGS)];
    if standing.accepted.is_some() && looked_at.iter().all(Option::is_none) {
        return false;
    }
    let considered = consider(email, world, settings);
    let accepted = |name: &str| standing.accepted.as_ref().and_then(|accepted| accepted.get(name));
    let wanted = |name: &str| considered.wish.attributes.get(name);
    let differs = |name: &str| wanted(name).is_some_and(|value| accepted(name) != Some(value));
    looks_first(&considered, standing) || looked_at.into_iter().flatten().any(differs)
}

/// What is known of a claim that a bulk call did not bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The account did not take the call now: nothing was written, and the contact may share the next one.
    NotNow,
    /// The call was refused as a whole: nothing was written, and the contact goes by itself.
    Refused,
    /// Nobody knows whether it was written; the contact goes by itself.
    Unknown,
}

impl Undone {
    /// What that says of a contact that was erased meanwhile.
    fn of_erased(self) -> CallEnd {
        match self {
            Self::NotNow | Self::Refused => CallEnd::NotWritten,
            Self::Unknown => CallEnd::Unknown,
        }
    }
}

/// Gives a claim back. One that is void changes nothing.
pub fn give_back(
    row: &BulkRow,
    undone: Undone,
    attempt: Attempt,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let Some(delivery) = world.deliveries.get(&row.delivery) else { return };
    if delivery.erasure.is_some() {
        world.deliveries.erase(&row.delivery);
        world.erased_calls.push((row.delivery.clone(), undone.of_erased()));
        return;
    }
    // Bulk calls carry contacts alone.
    let Some(email) = delivery.subject.contact().cloned() else { return };
    // A contact that is gone must not come back by an answer.
    let known = world.contacts.get(&email).map(|contact| contact.with(&settings.account));
    if !known.is_some_and(|standing| is_claim(&standing, &row.delivery, row.attempt)) {
        return;
    }
    let standing = standing_of(&email, world, settings);
    // A change that came meanwhile opened the next delivery.
    let newer = standing.open.take();
    match undone {
        Undone::NotNow | Undone::Refused => drop(standing.not_applied()),
        Undone::Unknown => standing.unanswered(),
    }
    if newer.is_some() {
        standing.open.clone_from(&newer);
    }
    let why = why(undone, &attempt);
    world.deliveries.change(&row.delivery, |mut delivery| {
        delivery.record(attempt);
        match (newer, undone) {
            (Some(_), _) => delivery.supersede(CARRIED, now),
            (None, Undone::NotNow) => delivery.wait(why, now),
            (None, Undone::Refused | Undone::Unknown) => delivery.wait_alone(why, now),
        }
    });
}

fn why(undone: Undone, attempt: &Attempt) -> String {
    let error = attempt.error.as_deref().unwrap_or("the answer says why");
    match undone {
        Undone::NotNow => format!("the account did not take the bulk call: {error}"),
        Undone::Refused => format!("the bulk call was refused, so it is sent by itself: {error}"),
        Undone::Unknown => format!("the bulk call has no known end, so it is sent by itself: {error}"),
    }
}

/// What a call that concerns many contacts says of the destination: told once, for one of them.
pub fn bulk_failed(
    verdict: &Verdict,
    row: &BulkRow,
    probe: bool,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let ended = Ended {
        verdict,
        kind: CallKind::Contact,
        delivery: &row.delivery,
        probe,
        refused_for_good: false,
        retry_max: settings.retry.max,
    };
    let destination = world.destination.document.after(ended, now);
    if destination != world.destination.document {
        world.destination.document = destination;
        world.destination.changed = true;
    }
}

/// What the contact's call carries, for who shows it.
#[must_use]
pub fn carried(row: &BulkRow, standing: &Standing) -> Option<crate::contact::Attributes> {
    is_claim(standing, &row.delivery, row.attempt)
        .then(|| standing.in_flight.as_ref().map(|call| call.sent.clone()))?
}
