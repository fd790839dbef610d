//! People who are leads, or become leads (`freshsales.classic_new = "lead"`): which call comes next.
//!
//! A lead stands where a contact does, with the same delivery; only which record a call writes differs. Converting one is a
//! person's to do there. Must not build bodies.

mod answer;
mod lacks;

use super::{Settings, World, owe};
use crate::clock::UnixMicros;
use crate::contact::{LeadStep, Standing};
use crate::delivery::Birth;
use crate::event::Email;

pub(super) use answer::{after, unless_converted};
pub(super) use lacks::leave_what_leads_lack;

/// Why a question waits for its time.
pub(super) const ASKED_LATER: &str = "before a lead is created, Freshsales is asked once more which record has the address: its search shows late what was written";
/// Why a delivery ends that only asked what has become of a lead.
pub(super) const STILL: &str =
    "Freshsales was asked whether the lead has become a contact, and still has the lead";

/// Which call of a contact comes next; one that renames a contact is of no lead.
pub(super) fn step(standing: &Standing, renames: bool, settings: &Settings, now: UnixMicros) -> LeadStep {
    if renames {
        LeadStep::Contact
    } else {
        standing.lead_step(settings.leads, settings.attempt_timeout, now)
    }
}

/// Whether somebody is a lead, or becomes one unless Freshsales has them already.
pub(super) fn may_be(email: &Email, world: &World, settings: &Settings) -> bool {
    let standing = world.contacts.get(email).map(|contact| contact.with(&settings.account));
    standing.unwrap_or_default().may_be_lead(settings.leads)
}

/// Something waits for a lead to become a contact: Freshsales is asked whether it did, unless it was lately. Tells
/// whether it is.
pub(super) fn doubt(email: &Email, world: &mut World, settings: &Settings, now: UnixMicros) -> bool {
    owe::ask_about(email, |standing| standing.doubts_lead(now), world, settings, now)
}

/// Whether somebody has no record that is known, while one may be there.
pub(super) fn is_looked_for(standing: &Standing) -> bool {
    standing.lead.is_some_and(|lead| matches!(lead.birth, Birth::Unanswered { .. } | Birth::Taken { .. }))
}
