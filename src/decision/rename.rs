//! Renaming: somebody's address changes, and the contact they have in Freshsales gets the new one, by its id, so that its deals
//! and notes stay (`identity.on_email_change = "rename"`).
//!
//! Only a server says that an address has changed, of the same user id, and both addresses have to be vouched for by one: else
//! a visitor could have somebody else's contact renamed. Safe to repeat: the call names the id. Until it is answered, the
//! standing stays with the old address; what is wanted of the new one is compared with that. Must not make calls.

use super::considered::Considered;
use super::settings::rules;
use super::wish::consider;
use super::world::standing_of;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::{Attributes, Call, Owed, Renames, Standing, WhyNothing, owed};
use crate::delivery::{DeliveryId, Verdict};
use crate::event::{Email, Trust};
use crate::person::{PersonId, PersonKey};
use crate::senders::OnEmailChange;

/// A contact that is to be renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renaming {
    /// By this id.
    Is(u64),
    /// A call of the old address is on its way, and its answer brings the id.
    Waits,
}

/// Notes that a contact is to be renamed: somebody who had `before` has another address now.
pub(super) fn begin(key: &PersonKey, before: Option<&Email>, world: &mut World, settings: &Settings) {
    if settings.on_email_change != OnEmailChange::Rename || !matches!(key.id, PersonId::User(_)) {
        return;
    }
    let Some(facts) = world.people.get(key).map(|person| person.facts().into_owned()) else { return };
    let (Some(before), Some(email)) = (before, facts.email().cloned()) else { return };
    let by_server = |email: &Email| {
        let claim = facts.emails.get(email).and_then(|claim| claim.as_trait.as_ref());
        claim.is_some_and(|stamp| stamp.trust == Trust::Server)
    };
    if *before == email || !by_server(before) || !by_server(&email) {
        return;
    }
    // An address that was to be had and never was told leads to the one before it.
    let passed_on = renames_of(before, world, settings).filter(|renames| renames.person == key.to_string());
    let from = passed_on.map_or_else(|| before.clone(), |renames| renames.from);
    let old = world.contacts.get(&from).map(|contact| contact.with(&settings.account)).unwrap_or_default();
    let new = world.contacts.get(&email).map(|contact| contact.with(&settings.account)).unwrap_or_default();
    if from == email || !old.known() || old.lead.is_some() || new.known() || new.contact_id.is_some() {
        return;
    }
    if [&from, &email].into_iter().any(|email| world.suppressed.contains_key(email)) {
        return;
    }
    if from != *before {
        standing_of(before, world, settings).renames = None;
    }
    standing_of(&from, world, settings).renamed_to = Some(email.clone());
    standing_of(&email, world, settings).renames = Some(Renames { from, person: key.to_string() });
}

fn renames_of(email: &Email, world: &World, settings: &Settings) -> Option<Renames> {
    world.contacts.get(email)?.standing.get(&settings.account)?.renames.clone()
}

/// The contact that is to get this address, as far as that still holds: whoever it was for has the address, and nobody has the old
/// one.
fn of(email: &Email, world: &World, settings: &Settings) -> Option<(Renaming, Standing)> {
    let renames = renames_of(email, world, settings)?;
    let key: PersonKey = renames.person.parse().ok()?;
    let person = world.people.get(&key).filter(|_| settings.counts(&key))?;
    let old = world.contacts.get(&renames.from)?;
    let new = world.contacts.get(email)?.with(&settings.account);
    let had_alone = old.crowd.is_none() && !consider(&renames.from, world, settings).wish.has_member;
    let is_new = new.contact_id.is_none() && new.accepted.is_none();
    let suppressed = world.suppressed.contains_key(&renames.from);
    if person.facts().email() != Some(email) || !had_alone || !is_new || suppressed {
        return None;
    }
    let old = old.with(&settings.account);
    let renaming = match old.contact_id {
        Some(_) | None if old.in_flight.is_some() => Renaming::Waits,
        Some(id) => Renaming::Is(id),
        None => return None,
    };
    Some((renaming, joined(&new, old)))
}

/// How a contact stands that is to be renamed: what Freshsales has of it under the old address, and what goes on under the new.
fn joined(new: &Standing, old: Standing) -> Standing {
    let mut unanswered = old.unanswered;
    unanswered.extend(new.unanswered.clone());
    let mut left_out = old.left_out;
    left_out.extend(new.left_out.clone());
    Standing {
        unanswered,
        left_out,
        send_whole: old.send_whole || new.send_whole,
        open: new.open.clone(),
        in_flight: new.in_flight.clone(),
        refused: new.refused.clone(),
        renames: new.renames.clone(),
        renamed_to: None,
        ..old
    }
}

/// How a contact stands, what it is owed, and whether that call renames it.
pub(super) fn owed_to(
    email: &Email,
    considered: &Considered,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> (Standing, Owed, Option<Renaming>) {
    let own = world.contacts.get(email).map(|contact| contact.with(&settings.account)).unwrap_or_default();
    let (wish, rules) = (&considered.wish, rules(settings, now));
    if own.renamed_to.is_some() && !wish.has_member {
        // Whatever there is to tell goes with the new address.
        return (own, Owed::Nothing(WhyNothing::NoPerson), None);
    }
    let Some((renaming, standing)) = of(email, world, settings) else {
        let owed = owed(wish, &own, &rules);
        return (own, owed, None);
    };
    let found = match owed(wish, &standing, &rules) {
        Owed::Nothing(WhyNothing::Unchanged) if standing.in_flight.is_none() => Owed::Call(the_name_alone()),
        found => found,
    };
    (standing, found, Some(renaming))
}

/// How a contact stands, and what it is owed.
#[must_use]
pub fn owed_now(
    email: &Email,
    considered: &Considered,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> (Standing, Owed) {
    let (standing, owed, _) = owed_to(email, considered, world, settings, now);
    (standing, owed)
}

/// A call that changes nothing but the address.
fn the_name_alone() -> Call {
    Call { attributes: Attributes::new(), whole: false, withdrawal: false, resend: false, stranger_of: None }
}

/// What the answer to a call that renames does before it is judged like any other. Answers a note where the address is another
/// contact's, so that nothing is renamed.
pub(super) fn answered(
    (id, attempt): (&DeliveryId, u32),
    verdict: &Verdict,
    standing: &mut Standing,
    world: &mut World,
    settings: &Settings,
) -> Option<String> {
    let call = standing.in_flight.as_ref().filter(|call| call.delivery == *id && call.attempt == attempt)?;
    let from = call.renames.clone()?;
    match verdict {
        Verdict::Stored(_) => {
            let old = give_up(&from, world, settings);
            *standing = joined(standing, old);
            standing.renames = None;
            None
        }
        Verdict::Gone { .. } => {
            give_up(&from, world, settings);
            standing.renames = None;
            None
        }
        Verdict::Refused { attribute, again, .. } if *again || attribute.as_deref() == Some("emails") => {
            standing.renames = None;
            standing.open = Some(call.delivery.clone());
            standing.in_flight = None;
            standing_of(&from, world, settings).renamed_to = None;
            Some(
                "Freshsales has another contact with the new address: that one is kept current from here on, and the one with \
                 the old address stays as it is"
                    .to_owned(),
            )
        }
        Verdict::Refused { .. }
        | Verdict::Throttled { .. }
        | Verdict::Passing { .. }
        | Verdict::Blocked { .. }
        | Verdict::Shut { .. } => None,
    }
}

/// An address that Freshsales does not have any more. Whoever uses it now is told whole.
fn give_up(from: &Email, world: &mut World, settings: &Settings) -> Standing {
    if world.contacts.get(from).is_none() {
        return Standing::default();
    }
    let standing = standing_of(from, world, settings);
    let left = Standing {
        open: standing.open.clone(),
        in_flight: standing.in_flight.clone(),
        ..Standing::default()
    };
    let used = left.open.is_some() || left.in_flight.is_some();
    std::mem::replace(standing, Standing { send_whole: used, ..left })
}
