//! Calls that put contacts on lists or take them off: one carries many contacts, and each of them is settled by itself.
//!
//! Safe to repeat, so nothing has to be asked before. Must not choose which contacts share a call.

use serde_json::json;

use super::super::call::{CARRIED, CallOrder, Settlement, Transition, cause_in_words, end};
use super::super::{Settings, World, consider, erase};
use super::{evaluate_without_event, member, member_of, wanted_place};
use crate::clock::UnixMicros;
use crate::contact::{Member, Place, PlaceCall, PlaceOwed};
use crate::delivery::{Account, Delivery, DeliveryId, MemberKey, Request, State, Subject, Verdict};

/// How a contact is to stand with a list by its next call; nothing where none is owed.
#[must_use]
pub fn place_of(key: &MemberKey, world: &World, settings: &Settings) -> Option<Place> {
    let considered = consider(&key.email, world, settings);
    let place = wanted_place(key, &considered, world, settings)?.place.ok()?;
    (member(key, world, settings).owed(place) == PlaceOwed::Call).then_some(place)
}

/// The next call of a place on a list, for this contact alone; nothing when none is owed any more.
pub(in crate::decision) fn claim(
    delivery: &DeliveryId,
    key: &MemberKey,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Request> {
    let attempt = world.deliveries.get(delivery)?.attempts_made + 1;
    let standing = member(key, world, settings);
    if standing.in_flight.is_some() {
        return None;
    }
    if standing.open.as_ref() != Some(delivery) {
        world.deliveries.change(delivery, |delivery| delivery.supersede(CARRIED, now));
        return None;
    }
    let Some(place) = place_of(key, world, settings) else {
        // What is to become of it is decided as for whatever changes.
        evaluate_without_event(&key.email, world, settings, now);
        return None;
    };
    let call = PlaceCall { delivery: delivery.clone(), attempt, place };
    member_of(key, world, settings).leave(call);
    world.deliveries.change(delivery, Delivery::claim);
    let body = json!({ "ids": [place.contact] });
    Some(Request::ListContacts { list: place.list, on: place.on, body })
}

/// The call of many contacts has ended: each is settled by what was answered to all. The destination learns of it once.
pub fn settle_members(settlements: Vec<Settlement>, world: &mut World, settings: &Settings, now: UnixMicros) {
    let shared = SharedCall { contacts: settlements.len() };
    for (nth, settlement) in settlements.into_iter().enumerate() {
        let before = world.destination.document.clone();
        settle_one(settlement, shared, world, settings, now);
        if nth > 0 {
            world.destination.document = before;
        }
    }
}

/// What a contact shares a call with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SharedCall {
    /// So many contacts are in it.
    contacts: usize,
}

/// Settles the call of one contact alone.
pub(in crate::decision) fn settle(
    settlement: Settlement,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    settle_one(settlement, SharedCall { contacts: 1 }, world, settings, now);
}

fn settle_one(
    settlement: Settlement,
    shared: SharedCall,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let CallOrder { delivery: id, subject, attempt, .. } = &settlement.order;
    if world.deliveries.get(id).is_some_and(|delivery| delivery.erasure.is_some()) {
        erase::settle_erased(&settlement, world, settings, now);
        return;
    }
    let Subject::Member(key) = subject.clone() else { return };
    let mut standing = member(&key, world, settings);
    if !standing.is_claim(id, *attempt) {
        return;
    }
    let id = id.clone();
    // A change that came meanwhile opened the next delivery.
    let newer = standing.open.take();
    let transition = after(&settlement, shared, &mut standing, world, settings, now);
    let goes_on = match &transition {
        Transition::Deliver(_) | Transition::Supersede(_) => None,
        Transition::Die(_)
        | Transition::Backoff(..)
        | Transition::Wait(_)
        | Transition::WaitFor(_)
        | Transition::TryOnceMore(..)
        | Transition::Salvage(_) => Some(id),
    };
    let transition = match (&newer, &goes_on) {
        (Some(_), Some(_)) => Transition::Supersede(CARRIED.to_owned()),
        (_, None) | (None, _) => transition,
    };
    standing.open = newer.or(goes_on);
    end(settlement, transition, world, settings, now);
    *member_of(&key, world, settings) = standing;
    evaluate_without_event(&key.email, world, settings, now);
}

fn after(
    settlement: &Settlement,
    SharedCall { contacts }: SharedCall,
    standing: &mut Member,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    match &settlement.verdict {
        Verdict::Stored(_) => {
            standing.stored();
            let others = contacts.saturating_sub(1);
            Transition::Deliver((others > 0).then(|| format!("{others} others went along in its call")))
        }
        Verdict::Refused { reason, .. } | Verdict::Gone { reason } if contacts > 1 => {
            standing.not_applied();
            Transition::Wait(format!(
                "Freshsales refused a call with {contacts} contacts, so they go in smaller ones: {reason}"
            ))
        }
        Verdict::Refused { reason, .. } | Verdict::Gone { reason } => {
            standing.refused();
            Transition::Die(reason.clone())
        }
        Verdict::Passing { reason } => {
            standing.unanswered();
            settlement.passing(reason, world, settings, now)
        }
        Verdict::Throttled { reason, .. } => {
            standing.not_applied();
            Transition::Wait(format!("the account is throttled: {reason}"))
        }
        Verdict::Blocked { cause, reason } => {
            standing.not_applied();
            Transition::Wait(format!("{}: {reason}", cause_in_words(*cause)))
        }
        Verdict::Shut { reason } => {
            standing.not_applied();
            Transition::Wait(reason.clone())
        }
    }
}

/// A list refuses everybody: a delivery waits until it is tried again.
pub fn wait_for_list(delivery: &DeliveryId, until: UnixMicros, world: &mut World) {
    const WHY: &str = "Freshsales refused one contact of this list after another; it is tried again in an hour at the latest";
    world.deliveries.change(delivery, |delivery| {
        if matches!(delivery.state, State::Waiting | State::Retrying) {
            delivery.wait(WHY.to_owned(), until)
        } else {
            delivery
        }
    });
}

/// The claim of a process that is gone: nobody knows how its call ended.
pub(in crate::decision) fn void(claimed: &Delivery, key: &MemberKey, world: &mut World, now: UnixMicros) {
    let contact = world.contacts.edit(&key.email);
    let standing = contact.standing.entry(claimed.account.clone()).or_default();
    let member = standing.lists.entry(key.list.clone()).or_default();
    member.unanswered();
    let newer = member.open.clone().filter(|open| *open != claimed.id);
    let newer = newer.filter(|open| world.deliveries.get(open).is_some_and(|open| open.state.is_open()));
    if newer.is_some() {
        world.deliveries.change(&claimed.id, |delivery| delivery.supersede(CARRIED, now));
        return;
    }
    member.open = Some(claimed.id.clone());
    world.deliveries.change(&claimed.id, |delivery| delivery.void_claim(now));
}

/// A call is played: Freshsales accepted it.
pub(in crate::decision) fn played(key: &MemberKey, world: &mut World, settings: &Settings) {
    member_of(key, world, settings).stored();
}

/// The delivery that is open, or dead, for a place on a list with an account.
pub(in crate::decision) fn open<'w>(
    key: &MemberKey,
    world: &'w World,
    account: &Account,
) -> Option<&'w DeliveryId> {
    world.contacts.get(&key.email)?.standing.get(account)?.lists.get(&key.list)?.open.as_ref()
}

/// Its open delivery was given up: it speaks of none any more. What was refused stays known.
pub(in crate::decision) fn close(key: &MemberKey, world: &mut World, account: &Account) {
    change(key, world, account, |member| member.open = None);
}

/// Notes that what was refused is sent again.
pub(in crate::decision) fn redrive(key: &MemberKey, world: &mut World, account: &Account) {
    change(key, world, account, |member| member.refused = None);
}

fn change(key: &MemberKey, world: &mut World, account: &Account, change: impl FnOnce(&mut Member)) {
    let standing = world.contacts.edit(&key.email).standing.get_mut(account);
    if let Some(member) = standing.and_then(|standing| standing.lists.get_mut(&key.list)) {
        change(member);
    }
}
