//! What an answer changes of somebody who is a lead, or may become one. Must not decide which call comes next.

use serde_json::{Map, Value};

use super::super::settlement::Settlement;
use super::super::shown::{found_contact, take_in};
use super::super::transition::{CARRIED, Transition, go_on};
use super::super::{Settings, World};
use super::is_looked_for;
use crate::clock::UnixMicros;
use crate::contact::{Holds, Standing};
use crate::delivery::{DeliveryId, Request, Stored, Verdict, whole_number};

const ASKED: &str = "Freshsales was asked which record has the address";
const IS_CONTACT: &str =
    "Freshsales was asked which record has the address: a contact has it, and that is kept current";
const IS_LEAD: &str =
    "Freshsales was asked which record has the address: a lead has it, and that is kept current";
const IS_NOBODY: &str =
    "Freshsales was asked which record has the address: none has it, so a lead is created";
const IS_NOBODY_YET: &str = "Freshsales was asked which record has the address and shows none yet; a search lags behind, so it is asked again";
const NOT_SHOWN: &str = "Freshsales was asked which record has the address and shows none; its lead is kept current until a call says that it is gone";
const GONE: &str = "Freshsales has the lead no more: it was converted, merged or deleted there. Which record has the address now is \
                    asked, and that is kept current";
const NAMELESS: &str =
    "the answer names no lead, so Freshsales is asked whether there is one before it is created again";
const REFUSED: &str = "the lead did not take it, so Freshsales is asked which record has the address now";
const UNREADABLE: &str = "the answer to the question which record has the address can't be read";

/// What an answer does that concerns leads alone, and what the delivery does then; `None`: it is judged like any other of a
/// contact.
pub(in crate::decision) fn after(
    settlement: &Settlement,
    newer: Option<&DeliveryId>,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Transition> {
    let request = &settlement.order.request;
    if let Request::FindPerson { .. } = request {
        return after_look(settlement, newer, standing, world, settings, now);
    }
    if let Request::CreateLead { .. } = request {
        return after_creation(&settlement.verdict, newer, standing, now);
    }
    if let (Request::UpdateLead { .. }, Verdict::Gone { .. }) = (request, &settlement.verdict) {
        standing.lead_gone(&settings.consent.unsubscribed, now);
        // Who refused marketing there is heard of once the record is found.
        standing.doubted_at = standing.doubted_at.max(Some(now));
        return Some(go_on(GONE, newer.cloned(), &settlement.order.delivery, standing));
    }
    None
}

/// After the question which record has the address.
fn after_look(
    settlement: &Settlement,
    newer: Option<&DeliveryId>,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Transition> {
    match &settlement.verdict {
        Verdict::Stored(answer) => {
            if let Some(why) = looked(answer, standing, settings, now) {
                return Some(go_on(why, newer.cloned(), &settlement.order.delivery, standing));
            }
            standing.unanswered();
            let failed = settlement.passing(UNREADABLE, world, settings, now);
            Some(superseded_by(newer, failed, standing))
        }
        Verdict::Refused { reason, .. } => {
            standing.not_applied();
            let died = Transition::Die(format!("{ASKED}, which it refused: {reason}"));
            Some(superseded_by(newer, died, standing))
        }
        Verdict::Throttled { .. }
        | Verdict::Passing { .. }
        | Verdict::Blocked { .. }
        | Verdict::Gone { .. }
        | Verdict::Shut { .. } => None,
    }
}

/// After the call that creates a lead.
fn after_creation(
    verdict: &Verdict,
    newer: Option<&DeliveryId>,
    standing: &mut Standing,
    now: UnixMicros,
) -> Option<Transition> {
    match verdict {
        Verdict::Stored(Stored { id: None, .. }) => {
            standing.unanswered();
            Some(superseded_by(newer, Transition::Wait(NAMELESS.to_owned()), standing))
        }
        Verdict::Refused { again: true, .. } => {
            // Some record has the address: it is looked for before the call is tried once more.
            standing.lead_taken(now);
            None
        }
        Verdict::Stored(_)
        | Verdict::Refused { .. }
        | Verdict::Throttled { .. }
        | Verdict::Passing { .. }
        | Verdict::Blocked { .. }
        | Verdict::Gone { .. }
        | Verdict::Shut { .. } => None,
    }
}

/// A lead that takes nothing may have become a contact: that is asked once before anybody has to look at it.
pub(in crate::decision) fn unless_converted(
    transition: Transition,
    settlement: &Settlement,
    standing: &mut Standing,
    now: UnixMicros,
) -> Transition {
    let updates = matches!(settlement.order.request, Request::UpdateLead { .. });
    let (Transition::Die(why), true) = (&transition, updates) else { return transition };
    let refused = standing.refused.take();
    if standing.doubts_lead(now) {
        return Transition::Wait(format!("{REFUSED}: {why}"));
    }
    standing.refused = refused;
    transition
}

/// A change that came meanwhile has a delivery of its own.
fn superseded_by(newer: Option<&DeliveryId>, transition: Transition, standing: &mut Standing) -> Transition {
    let Some(newer) = newer else { return transition };
    standing.open = Some(newer.clone());
    Transition::Supersede(CARRIED.to_owned())
}

/// Takes in which record has the address; `None` where the answer does not say.
fn looked(
    answer: &Stored,
    standing: &mut Standing,
    settings: &Settings,
    now: UnixMicros,
) -> Option<&'static str> {
    let shown = answer.shown.as_ref()?;
    let (leads, contacts) = (listed("leads", shown)?, listed("contacts", shown)?);
    // A kind of which there is none may not be named; an answer that names neither is none.
    if leads.is_none() && contacts.is_none() {
        return None;
    }
    let gone = standing.lead.and_then(|lead| lead.gone);
    let (found, holds, why) = match (found_contact(answer), oldest(leads.unwrap_or_default(), gone)) {
        (Some(contact), _) => {
            let id = contact.id?;
            (Some(contact), Holds::Contact(id), IS_CONTACT)
        }
        (None, Some(lead)) => {
            let id = lead.id?;
            (Some(lead), Holds::Lead(id), IS_LEAD)
        }
        (None, None) => (None, Holds::Nothing, IS_NOBODY),
    };
    standing.looked_up = true;
    if let Some(found) = &found {
        take_in(found, standing, settings);
    }
    standing.found(holds, now);
    Some(match holds {
        Holds::Nothing if is_looked_for(standing) => IS_NOBODY_YET,
        Holds::Nothing if standing.lead_id().is_some() => NOT_SHOWN,
        Holds::Nothing | Holds::Contact(_) | Holds::Lead(_) => why,
    })
}

/// The records of a kind in an answer, nested under its name, where it names the kind; nothing where what it names is no list.
#[expect(clippy::option_option, reason = "not named is another thing than no list")]
fn listed<'a>(kind: &str, shown: &'a Map<String, Value>) -> Option<Option<&'a [Value]>> {
    match shown.get(kind) {
        Some(named) => Some(Some(named.get(kind)?.as_array()?.as_slice())),
        None => Some(None),
    }
}

/// The oldest of several leads, but for one that is gone.
fn oldest(leads: &[Value], gone: Option<u64>) -> Option<Stored> {
    let stored = |lead: &Value| {
        let id = lead.get("id").and_then(whole_number);
        Some(Stored { id, created: false, shown: Some(lead.as_object()?.clone()) })
    };
    let is_there = |lead: &Stored| lead.id.is_none() || lead.id != gone;
    leads.iter().filter_map(stored).filter(is_there).min_by_key(|lead| lead.id.unwrap_or(u64::MAX))
}
