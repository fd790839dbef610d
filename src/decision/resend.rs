//! Sending again: a person orders that contacts are owed whole once more, because Freshsales may not have what it accepted.
//!
//! Must not send what nothing is wanted of: whoever Freshsales does not have from us is owed nothing by this.

use super::owe::evaluate_without_event;
use super::world::standing_of;
use super::{Settings, World, lists};
use crate::clock::UnixMicros;
use crate::delivery::{DeliveryId, Subject};
use crate::event::Email;

/// Whether a contact can be sent again: Freshsales has it from us, or may have it.
#[must_use]
pub fn may_resend(email: &Email, world: &World, settings: &Settings) -> bool {
    world.contacts.get(email).is_some_and(|contact| contact.with(&settings.account).known())
}

/// Has a contact owed whole once more, and its places on lists; tells whether a call is owed that was not owed before.
pub fn resend(email: &Email, world: &mut World, settings: &Settings, now: UnixMicros) -> bool {
    if !may_resend(email, world, settings) {
        return false;
    }
    standing_of(email, world, settings).distrust();
    let id = DeliveryId::without_event(&Subject::Contact(email.clone()), now);
    let opened = evaluate_without_event(email, id, world, settings, now);
    lists::evaluate_without_event(email, world, settings, now);
    opened
}
