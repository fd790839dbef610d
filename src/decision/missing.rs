//! Records that hang on a contact which is not there any more. Must not judge what a refusal says beyond that.

use std::collections::BTreeSet;

use super::settlement::Settlement;
use super::transition::Transition;
use super::{Settings, World, owe};
use crate::clock::UnixMicros;
use crate::delivery::Verdict;
use crate::event::Email;

/// Whether a refusal says that what the record hangs on is not there (seen on the sandbox alone; nobody documents the words).
pub(super) fn names_contact(reason: &str, attribute: Option<&str>) -> bool {
    let says = |text: &str| ["contact", "target"].iter().any(|word| text.to_lowercase().contains(word));
    attribute.map_or_else(|| says(reason), says)
}

/// What a record does that was to hang on a contact with one of these ids, and was refused because it is not there: it waits until it
/// is known which contact has the address, which is asked once for each id; nothing where that was asked.
pub(super) fn waits(
    email: &Email,
    ids: impl IntoIterator<Item = u64>,
    reason: &str,
    (world, settings): (&mut World, &Settings),
    now: UnixMicros,
) -> Option<Transition> {
    let mut missed = |id: u64| owe::ask_about(email, |standing| standing.miss(id, now), world, settings, now);
    ids.into_iter().any(&mut missed).then(|| {
        Transition::Wait(format!(
            "its contact is not there, so Freshsales is asked which contact has the address: {reason}"
        ))
    })
}

/// What a deal does whose contact is not there; nothing where the refusal is about something else.
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
    waits(email, contacts.iter().copied(), reason, (world, settings), now)
}
