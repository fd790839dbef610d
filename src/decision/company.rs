//! Companies: what the call of one carries when it leaves, and what its answer changes.
//!
//! Nothing owes a company yet: a delivery of one that is found all the same ends, and says so.

use super::call::{Transition, end};
use super::{Settings, Settlement, World};
use crate::clock::UnixMicros;
use crate::delivery::{Account, CompanyKey, Delivery, DeliveryId, Request};

const NOTHING_OWED: &str = "nothing is owed for this company";

/// Claims a delivery that waits: the next call of the company, or nothing when none is owed.
pub(super) fn claim(
    id: &DeliveryId,
    _key: &CompanyKey,
    world: &mut World,
    _settings: &Settings,
    now: UnixMicros,
) -> Option<Request> {
    world.deliveries.change(id, |delivery| delivery.supersede(NOTHING_OWED, now));
    None
}

/// Settles an attempt.
pub(super) fn settle(
    settlement: Settlement,
    _key: &CompanyKey,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    end(settlement, Transition::Supersede(NOTHING_OWED.to_owned()), world, settings, now);
}

/// The claim of a process that is gone: nobody knows how its call ended.
pub(super) fn void(claimed: &Delivery, _key: &CompanyKey, world: &mut World, now: UnixMicros) {
    world.deliveries.change(&claimed.id, |delivery| delivery.void_claim(now));
}

/// The delivery that is open, or dead, for a company with an account.
pub(super) fn open<'w>(_key: &CompanyKey, _world: &'w World, _account: &Account) -> Option<&'w DeliveryId> {
    None
}

/// Its open delivery was given up.
pub(super) fn discarded(_key: &CompanyKey, _world: &mut World, _account: &Account) {}
