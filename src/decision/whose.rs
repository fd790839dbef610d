//! Whose a record or a happening is: the address of its person, and what that person has to do with a call that is not made.
//!
//! What deals and happenings have in common. Must not change anything.

use super::owe::excluded_by;
use super::{Considered, Settings, World};
use crate::event::{Email, Stamp};
use crate::person::{PersonId, PersonKey, TimelineKey};

/// What a person, or their contact, has to do with a call that is not made.
pub(super) enum PersonHold {
    /// Nobody has said their email.
    NoEmail,
    /// The contact was refused, or is none, for this reason.
    Refused(String),
    /// Consent is required and not given; says which.
    Consent(String),
}

/// The address that a person has now; of a device, that of whom it belonged to then.
pub(super) fn email_of(person: &PersonKey, at: &Stamp, world: &World) -> Option<Email> {
    let known = |key: &PersonKey| world.people.get(key).and_then(|person| person.facts().email().cloned());
    match &person.id {
        PersonId::Email(email) => Some(email.clone()),
        PersonId::User(_) => known(person),
        PersonId::Anonymous(device) => {
            let line = TimelineKey { people: person.people.clone(), anonymous_id: device.clone() };
            match world.timelines.get(&line)?.owner_at(at)? {
                PersonId::Email(email) => Some(email),
                PersonId::Anonymous(_) => None,
                id @ PersonId::User(_) => known(&PersonKey { people: person.people.clone(), id }),
            }
        }
    }
}

/// What a person, or their contact, has to do with a call that is not made.
pub(super) fn hold_of(
    email: Option<&Email>,
    considered: &Considered,
    world: &World,
    settings: &Settings,
) -> Option<PersonHold> {
    let Some(email) = email else { return Some(PersonHold::NoEmail) };
    if let Some(pattern) = &considered.wish.excluded {
        return Some(PersonHold::Refused(excluded_by(pattern)));
    }
    if let Some(why) = &considered.wish.gate_shut {
        return Some(PersonHold::Consent(why.clone()));
    }
    let standing = world.contacts.get(email)?.with(&settings.account);
    let refused =
        standing.refused.is_some() && standing.record_id().is_none() && standing.in_flight.is_none();
    let letter = standing.open.as_ref().filter(|_| refused).and_then(|open| world.deliveries.get(open));
    letter.map(|letter| PersonHold::Refused(letter.reason.clone().unwrap_or_default()))
}
