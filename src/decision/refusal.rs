//! Refusals: what Freshsales refuses is tried once more where that may help, else kept, and sent again when somebody
//! or something orders it.

use std::time::Duration;

use super::call::{CARRIED, Transition, standing_of};
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::{InFlight, Redrive, Refused, STATUS, Standing};
use crate::delivery::{Delivery, DeliveryId};
use crate::event::Email;

/// A race or a secondary address of another contact is worth one more try after this long.
const AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Most accounts demand one of these of a new contact.
const NAMES: [&str; 2] = ["first_name", "last_name"];

/// What Freshsales said about a contact that it refused.
#[derive(Clone, Copy)]
pub(super) struct RecordRefusal<'a> {
    pub reason: &'a str,
    pub attribute: Option<&'a String>,
    pub demanded: bool,
    pub again: bool,
}

/// What a refusal does to the standing of the contact, and what the delivery does then.
pub(super) fn after_refused(
    refusal: RecordRefusal<'_>,
    standing: &mut Standing,
    newer: Option<DeliveryId>,
    delivery: Option<&Delivery>,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let call = standing.not_applied();
    let reason = refusal.reason;
    if let Some(newer) = newer {
        standing.open = Some(newer);
        return Transition::Supersede(CARRIED.to_owned());
    }
    let Some(call) = call else { return Transition::Die(reason.to_owned()) };
    if refusal.again && delivery.is_some_and(|delivery| delivery.failures == 0) {
        return Transition::TryOnceMore(reason.to_owned(), now.plus(AGAIN_AFTER));
    }
    if delivery.is_none_or(|delivery| !delivery.salvaged)
        && let Some(attribute) = salvageable(refusal, &call, settings)
    {
        return salvage(attribute, reason, &call, standing);
    }
    let withdrawal_alone = call.sent.len() == 1 && call.sent.contains_key(STATUS);
    if !call.whole && !standing.send_whole && !withdrawal_alone {
        standing.send_whole = true;
        let asked = |id: &u64| standing.missing.is_some_and(|missing| missing.id == *id);
        if let Some(id) = standing.contact_id.filter(|id| refusal.demanded && !asked(id)) {
            // What it has it need not be given: it may have been deleted, so it is asked for first, once.
            standing.doubt_id(id, now);
        }
        return Transition::Wait(format!("refused as a change, so sent whole: {reason}"));
    }
    standing.send_whole = false;
    let redrive = standing.refused.as_ref().map_or(Redrive::Never, |before| before.redrive.refused_again());
    let mut wanted = call.sent;
    wanted.extend(call.kept_back);
    // A whole call leaves out the status that Freshsales was told already.
    let told = standing.accepted.as_ref().and_then(|accepted| accepted.get(STATUS)).filter(|_| call.whole);
    if let Some(told) = told {
        wanted.entry(STATUS.to_owned()).or_insert_with(|| told.clone());
    }
    standing.refused = Some(Refused { wanted, attribute: refusal.attribute.cloned(), at: now, redrive });
    Transition::Die(reason.to_owned())
}

/// The attribute that the contact can do without: its value is refused, it is not what the account demands, and no
/// withdrawal is lost with it.
fn salvageable<'a>(refusal: RecordRefusal<'a>, call: &InFlight, settings: &Settings) -> Option<&'a String> {
    let name = refusal.attribute.filter(|_| !refusal.demanded)?;
    let value = call.sent.get(name)?;
    let withdrawal = name == STATUS && *value == settings.consent.unsubscribed;
    let is_name = |name: &str| NAMES.contains(&name);
    let only_name = is_name(name) && !call.sent.keys().any(|other| other != name && is_name(other));
    (!withdrawal && !only_name).then_some(name)
}

/// Sends the rest at once, if there is any; the refused value counts as sent until it changes.
fn salvage(attribute: &str, reason: &str, call: &InFlight, standing: &mut Standing) -> Transition {
    if let Some(value) = call.sent.get(attribute) {
        standing.left_out.insert(attribute.to_owned(), value.clone());
    }
    if call.whole || call.sent.len() > 1 {
        return Transition::Salvage(format!("sent without {attribute}, which Freshsales refused: {reason}"));
    }
    standing.open = None;
    Transition::Supersede(format!(
        "Freshsales refused {attribute}, and nothing else was to be told: {reason}"
    ))
}

/// Who has a refused contact sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedriveBy {
    /// A person.
    Hand,
    /// The rule of the account that refused it is gone. Once: what is refused again is the contact's own matter.
    Rule,
    /// Nothing else is owed that could show whether the rule of the account is gone.
    Probe,
}

/// Notes with a refused contact that it is sent again; tells whether it is.
pub(super) fn redrive_contact(
    id: &DeliveryId,
    email: &Email,
    by: RedriveBy,
    world: &mut World,
    settings: &Settings,
) -> bool {
    let standing = world.contacts.get(email).and_then(|contact| contact.standing.get(&settings.account));
    let Some(standing) = standing.filter(|standing| standing.open.as_ref() == Some(id)) else { return false };
    let again = standing.refused.as_ref().is_some_and(|refused| refused.redrive == Redrive::Refused);
    if by == RedriveBy::Rule && again {
        return false;
    }
    let standing = standing_of(email, world, settings);
    if let Some(refused) = &mut standing.refused {
        refused.redrive = match by {
            RedriveBy::Hand | RedriveBy::Rule => Redrive::Ordered,
            RedriveBy::Probe => Redrive::Probing,
        };
    }
    match by {
        // A person may have mended what was in the way of single values too.
        RedriveBy::Hand => standing.left_out.clear(),
        RedriveBy::Rule | RedriveBy::Probe => {}
    }
    true
}
