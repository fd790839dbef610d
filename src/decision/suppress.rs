//! Suppressing: a person orders that nothing of an address is ever sent, or that it may be again.
//!
//! Which addresses these are is loaded with their contacts. Must not make calls, or hold what is on its way already.

use super::owe::evaluate_without_event;
use super::{Settings, World, lists};
use crate::clock::UnixMicros;
use crate::delivery::DeliveryId;
use crate::event::Email;

/// Nothing of an address is sent from now on: what is owed to it is owed no more.
pub fn suppress(email: &Email, world: &mut World, settings: &Settings, now: UnixMicros) {
    world.suppressed.entry(email.clone()).or_insert(now);
    evaluate(email, world, settings, now);
}

/// An address may be called again: what was said of it meanwhile is owed.
pub fn unsuppress(email: &Email, world: &mut World, settings: &Settings, now: UnixMicros) {
    world.suppressed.remove(email);
    evaluate(email, world, settings, now);
}

fn evaluate(email: &Email, world: &mut World, settings: &Settings, now: UnixMicros) {
    if world.contacts.get(email).is_some() {
        evaluate_without_event(email, DeliveryId::of_order(now), world, settings, now);
        lists::evaluate_without_event(email, world, settings, now);
    }
}
