//! Foreseeing: what a contact would be under other settings, beside what it is under these. Changes nothing that is kept: the
//! working set is thrown away.
//!
//! Must not decide anew: it asks the same functions that events and reviews ask.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::learn::learn;
use super::owe::evaluate_without_event;
use super::{Considered, Reading, Settings, World, consider, excluded_by};
use crate::clock::UnixMicros;
use crate::contact::{Attributes, Exclusion, wanted};
use crate::delivery::{DeliveryId, Lane, State};
use crate::event::Email;

/// What other settings would make of a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// Whose.
    pub email: Email,
    /// The lane of the call that would become owed and is not owed now.
    pub owes: Option<Lane>,
    /// A call that is owed now would be owed no more.
    pub drops: bool,
    /// What would be wanted otherwise, by attribute.
    pub changes: BTreeMap<String, Change>,
    /// Why, in words, as far as they can be told.
    pub why: Vec<String>,
}

/// An attribute that would be wanted otherwise: now and then.
pub type Change = (Option<Value>, Option<Value>);

impl Foreseen {
    /// Whether anything would be otherwise.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.owes.is_some() || self.drops || !self.changes.is_empty()
    }
}

/// Foresees a contact. The working set must hold every document that its evaluation needs, and is changed by it.
pub fn foresee(
    email: &Email,
    number: u64,
    world: &mut World,
    (now, then): (&Settings, &Settings),
    at: UnixMicros,
) -> Foreseen {
    let (before, after) = (consider(email, world, now), consider(email, world, then));
    let (is, will) = (wanted_of(email, &before, world, now), wanted_of(email, &after, world, then));
    let names: BTreeSet<&String> = is.keys().chain(will.keys()).collect();
    let change = |name: &String| (is.get(name).cloned(), will.get(name).cloned());
    let changes: BTreeMap<String, Change> = names
        .into_iter()
        .map(|name| (name.clone(), change(name)))
        .filter(|(_, (is, will))| is != will)
        .collect();
    let why = reasons(&before, &after, &changes);
    let open = open_of(email, world, then);
    let id = DeliveryId::of_review(u64::MAX, number);
    let opened = evaluate_without_event(email, id, world, then, at);
    let owes = opened.then(|| open_of(email, world, then)).flatten();
    let lane = owes.and_then(|id| world.deliveries.get(&id).map(|delivery| delivery.lane));
    let superseded = |id: &DeliveryId| {
        world.deliveries.get(id).is_some_and(|delivery| delivery.state == State::Superseded)
    };
    let drops = open.as_ref().is_some_and(superseded);
    Foreseen { email: email.clone(), owes: lane, drops, changes, why }
}

/// Takes in what events say of people by other settings, as if it had been read when they came; answers whose addresses that
/// concerns.
pub fn relearn(readings: Vec<Reading>, world: &mut World) -> BTreeSet<Email> {
    let mut emails = BTreeSet::new();
    for reading in readings {
        // Whose the device was is known already.
        let reading = Reading { anonymous: None, previous: None, ..reading };
        let learned = learn(&reading, world);
        emails.extend(learned.email);
        emails.extend(reading.named.map(|(email, _)| email));
    }
    emails
}

fn open_of(email: &Email, world: &World, settings: &Settings) -> Option<DeliveryId> {
    world.contacts.get(email)?.standing.get(&settings.account)?.open.clone()
}

/// What would be sent of a contact by and by: nothing where the gate is shut or it is none.
fn wanted_of(email: &Email, considered: &Considered, world: &World, settings: &Settings) -> Attributes {
    let wish = &considered.wish;
    let standing = world.contacts.get(email).and_then(|contact| contact.standing.get(&settings.account));
    let standing = standing.cloned().unwrap_or_default();
    let begun = wish.started || standing.known();
    if !begun || !wish.has_member || wish.gate_shut.is_some() || wish.excluded.is_some() {
        return Attributes::new();
    }
    wanted(wish, &standing)
}

fn reasons(before: &Considered, after: &Considered, changes: &BTreeMap<String, Change>) -> Vec<String> {
    let mut why = Vec::new();
    let excluded = |excluded: &Option<Exclusion>| excluded.as_ref().map(excluded_by);
    for (was, is) in [
        (before.wish.gate_shut.clone(), after.wish.gate_shut.clone()),
        (excluded(&before.wish.excluded), excluded(&after.wish.excluded)),
    ] {
        match (was, is) {
            (None, Some(why_not)) => why.push(why_not),
            (Some(why_not), None) => why.push(format!("no longer: {why_not}")),
            (Some(was), Some(is)) if was != is => why.push(is),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    if before.consent != after.consent {
        why.extend(after.consent.clone());
    }
    for name in changes.keys() {
        let left =
            after.left_out.iter().find(|left| left.attribute == *name && !before.left_out.contains(left));
        why.extend(left.map(|left| format!("{name} from {}: {}", left.path, left.why)));
        let from = |considered: &Considered| {
            let field = considered.fields.iter().find(|field| field.attribute == *name);
            field.map(|field| field.path.clone())
        };
        if let Some(path) = from(after).filter(|path| Some(path) != from(before).as_ref()) {
            why.push(format!("{name} is read from {path}"));
        }
    }
    why
}
