//! Records: what differs between contacts, companies, deals and happenings is told apart here, and nowhere else.
//!
//! What each kind does is in a file of its own. Must not know what a record holds.

use std::collections::BTreeSet;

use super::call::{CallOrder, Settlement, settle_contact};
use super::claiming::claim_contact;
use super::{Considered, Settings, World, company, consider, deal, erase, happening, lists};
use crate::clock::UnixMicros;
use crate::delivery::{Account, CompanyKey, Delivery, DeliveryId, State, Subject};
use crate::erasure::CallEnd;
use crate::event::Email;
use crate::happening::Happening;

/// The reason of a delivery whose record has a newer one.
const FOLDED: &str = "the service stopped during the call; a newer delivery of the contact carries the rest";

/// Claims a delivery: decides anew what the call carries and marks it as on its way. `None` when it is no
/// longer to be tried, or nothing is owed any more (it is superseded then).
pub fn claim(id: &DeliveryId, world: &mut World, settings: &Settings, now: UnixMicros) -> Option<CallOrder> {
    let delivery = world.deliveries.get(id)?;
    if !matches!(delivery.state, State::Waiting | State::Retrying) {
        return None;
    }
    let (subject, attempt) = (delivery.subject.clone(), delivery.attempts_made + 1);
    let request = match &subject {
        Subject::Contact(email) => claim_contact(id, email, world, settings, now),
        Subject::Company(key) => company::claim(id, key, world, settings, now),
        Subject::Deal(key) => deal::claim(id, key, world, settings, now),
        Subject::Happening(key) => happening::claim(id, key, world, settings, now),
        Subject::Member(key) => lists::claim(id, key, world, settings, now),
    }?;
    Some(CallOrder { delivery: id.clone(), subject, attempt, request })
}

/// Settles an attempt. An answer to a claim that is void changes nothing.
pub fn settle(settlement: Settlement, world: &mut World, settings: &Settings, now: UnixMicros) {
    let id = &settlement.order.delivery;
    if world.deliveries.get(id).is_some_and(|delivery| delivery.erasure.is_some()) {
        erase::settle_erased(&settlement, world, settings, now);
        return;
    }
    match settlement.order.subject.clone() {
        Subject::Contact(email) => {
            settle_contact(settlement, &email, world, settings, now);
            deal::evaluate_waiting(&email, world, settings, now);
            lists::evaluate_without_event(&email, world, settings, now);
        }
        Subject::Company(key) => company::settle(settlement, &key, world, settings, now),
        Subject::Deal(key) => deal::settle(settlement, &key, world, settings, now),
        Subject::Happening(key) => happening::settle(settlement, &key, world, settings, now),
        Subject::Member(_) => lists::settle(settlement, world, settings, now),
    }
    happening::evaluate_held(world, settings, now);
}

/// Makes a claim void. The working set has to hold its delivery, the record it is about, and the newer delivery of that.
pub fn void_claim(id: &DeliveryId, world: &mut World, now: UnixMicros) {
    let Some(claimed) = world.deliveries.get(id).cloned() else { return };
    if claimed.erasure.is_some() {
        // The answer that was waited for will not come.
        world.deliveries.erase(id);
        world.erased_calls.push((id.clone(), CallEnd::Unknown));
        return;
    }
    match &claimed.subject {
        Subject::Contact(email) => void_contact(&claimed, email, world, now),
        Subject::Company(key) => company::void(&claimed, key, world, now),
        Subject::Deal(key) => deal::void(&claimed, key, world, now),
        Subject::Happening(id) => happening::void(&claimed, id, world, now),
        Subject::Member(key) => lists::void(&claimed, key, world, now),
    }
}

fn void_contact(claimed: &Delivery, email: &Email, world: &mut World, now: UnixMicros) {
    let contact = world.contacts.edit(email);
    let standing = contact.standing.entry(claimed.account.clone()).or_default();
    // One that was opened while the call was on its way.
    let newer = standing.open.take().filter(|open| *open != claimed.id);
    standing.unanswered();
    let is_open = |id: &DeliveryId| world.deliveries.get(id).is_some_and(|newer| newer.state.is_open());
    let newer = newer.filter(is_open);
    standing.open = Some(newer.clone().unwrap_or_else(|| claimed.id.clone()));
    match newer {
        Some(newer) => {
            world.deliveries.change(&claimed.id, |delivery| delivery.supersede(FOLDED, now));
            let lane = claimed.lane;
            world.deliveries.change(&newer, |newer| Delivery { lane: newer.lane.max(lane), ..newer });
        }
        None => world.deliveries.change(&claimed.id, |delivery| delivery.void_claim(now)),
    }
}

/// The dead letter of a record.
#[must_use]
pub fn dead_letter<'w>(subject: &Subject, world: &'w World, account: &Account) -> Option<&'w Delivery> {
    let open = open_delivery(subject, world, account)?;
    world.deliveries.get(open).filter(|delivery| delivery.state == State::Dead)
}

/// The delivery that is open, or dead, for a record with an account.
#[must_use]
pub fn open_delivery<'w>(subject: &Subject, world: &'w World, account: &Account) -> Option<&'w DeliveryId> {
    match subject {
        Subject::Contact(email) => world.contacts.get(email)?.standing.get(account)?.open.as_ref(),
        Subject::Company(key) => company::open(key, world, account),
        Subject::Deal(key) => deal::open(key, world, account),
        Subject::Happening(id) => happening::open(id, world, account),
        Subject::Member(key) => lists::open(key, world, account),
    }
}

/// The companies that the evaluation of contacts, and of the deals in the working set, needs.
#[must_use]
pub fn companies_needed(
    emails: &BTreeSet<Email>,
    world: &World,
    settings: &Settings,
) -> BTreeSet<CompanyKey> {
    if settings.preset.company().is_none() {
        return BTreeSet::new();
    }
    let of_contact = |email: &Email| CompanyKey::of(consider(email, world, settings).company.as_deref()?);
    let of_deals =
        world.deals.iter().filter_map(|(key, deal)| deal::company_needed(key, deal, world, settings));
    let named = |happening: &Happening| happening::company_needed(happening, &Considered::default());
    let of_happenings = world.happenings.iter().filter_map(|(_, happening)| named(happening));
    emails.iter().filter_map(of_contact).chain(of_deals).chain(of_happenings).collect()
}

/// Its open delivery was given up: it speaks of none any more.
pub(super) fn close(subject: &Subject, world: &mut World, account: &Account, now: UnixMicros) {
    match subject {
        Subject::Contact(email) => {
            if let Some(standing) = world.contacts.edit(email).standing.get_mut(account) {
                standing.open = None;
            }
        }
        Subject::Company(key) => company::discarded(key, world, account),
        Subject::Deal(key) => deal::discarded(key, world, account),
        Subject::Happening(id) => happening::discarded(id, world, account, now),
        Subject::Member(key) => lists::close(key, world, account),
    }
}
