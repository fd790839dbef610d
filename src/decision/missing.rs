//! Records that hang on a contact which is not there any more. Must not judge what a refusal says beyond that.

use std::collections::BTreeSet;

use super::deal::id_without_event;
use super::settlement::Settlement;
use super::transition::Transition;
use super::world::standing_of;
use super::{Settings, World, owe};
use crate::clock::UnixMicros;
use crate::delivery::{Subject, Verdict};
use crate::event::Email;

/// Whether a refusal says that what the record hangs on is not there (seen on the sandbox alone; nobody documents the words).
pub(super) fn names_contact(reason: &str, attribute: Option<&str>) -> bool {
    let says = |text: &str| ["contact", "target"].iter().any(|word| text.to_lowercase().contains(word));
    attribute.map_or_else(|| says(reason), says)
}

/// Freshsales refused a record that was to hang on the contact of this id. Tells whether it is to be tried again: the contact is
/// asked for first, once for each id.
pub(super) fn miss(email: &Email, id: u64, world: &mut World, settings: &Settings, now: UnixMicros) -> bool {
    let known = world.contacts.get(email).map(|contact| contact.with(&settings.account));
    let Some(mut standing) = known else { return false };
    let waits = standing.miss(id, now);
    if waits {
        *standing_of(email, world, settings) = standing;
        let delivery = id_without_event(&Subject::Contact(email.clone()), now);
        owe::evaluate_without_event(email, delivery, world, settings, now);
    }
    waits
}

/// A deal whose contact is not there is tried again once it is known which contact has the address; nothing where the refusal is
/// about something else.
pub(super) fn of_deal(
    transition: &Transition,
    settlement: &Settlement,
    (email, contacts): (Option<&Email>, &BTreeSet<u64>),
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Transition> {
    let (Transition::Die(_), Verdict::Refused { reason, attribute, .. }) = (transition, &settlement.verdict)
    else {
        return None;
    };
    let email = email.filter(|_| names_contact(reason, attribute.as_deref()))?;
    let waits = contacts.iter().any(|id| miss(email, *id, world, settings, now));
    waits.then(|| {
        Transition::Wait(format!(
            "its contact is not there, so Freshsales is asked which contact has the address: {reason}"
        ))
    })
}
