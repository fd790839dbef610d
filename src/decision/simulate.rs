//! Calls that are played, for dry runs: Freshsales accepts each at once, and nothing is sent.
//!
//! Must not touch how the destination stands: no answer was given.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::call::{CallOrder, standing_of};
use super::{Settings, World, claim, company, deal, happening, lists};
use crate::clock::UnixMicros;
use crate::contact::{Holds, StageSeen};
use crate::delivery::{DeliveryId, Request, Stored, Subject};
use crate::event::Email;

/// Questions that go before a call, generously.
const STEPS_MAX: usize = 4;
/// Calls that follow from one event, generously.
const PLAYED_MAX: usize = 512;
/// A question was answered: there is nothing.
const ANSWERED: &str = "a dry run: a question that goes before was not asked";

/// Plays the call of a delivery: answers its body, or nothing when none is owed.
pub fn simulate(id: &DeliveryId, world: &mut World, settings: &Settings, now: UnixMicros) -> Option<Value> {
    play(id, world, settings, now)?.body().cloned()
}

/// Plays every call that is owed, and those that follow from it: answers of which record each was.
pub(super) fn play_all(
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<(DeliveryId, Subject, Request)> {
    let mut played = Vec::new();
    loop {
        let before = played.len();
        for (id, subject) in world.deliveries.owed_to(&settings.account) {
            if let Some(request) = play(&id, world, settings, now) {
                played.push((id, subject, request));
            }
        }
        if played.len() == before || played.len() >= PLAYED_MAX {
            return played;
        }
    }
}

/// Plays the call of a delivery, and whatever is asked before it.
pub(super) fn play(
    id: &DeliveryId,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Request> {
    for _ in 0..STEPS_MAX {
        let CallOrder { request, subject, .. } = claim(id, world, settings, now)?;
        let is_question = request.body().is_none();
        // Only what other records wait for has to have an id.
        let preset = &settings.preset;
        let needs_ids = preset.deal_kinds().next().is_some() || preset.company().is_some() || preset.tells();
        let needs_ids = needs_ids || preset.lists_contacts();
        let needs_ids = needs_ids || matches!(request, Request::CreateLead { .. });
        let stored = needs_ids.then(|| id_of(&subject));
        match &subject {
            Subject::Contact(email) if is_question => {
                let standing = standing_of(email, world, settings);
                (standing.in_flight, standing.open) = (None, Some(id.clone()));
                standing.stage_seen = Some(StageSeen { id: None, at: now });
                (standing.looked_up, standing.doubted_at) = (true, None);
                if let Request::FindPerson { .. } = request {
                    standing.found(Holds::Nothing, now);
                }
            }
            Subject::Contact(email) => {
                let answer = Stored { id: stored, ..Stored::default() };
                standing_of(email, world, settings).stored(&answer, now);
            }
            Subject::Company(key) => {
                company::played(key, stored.filter(|_| !is_question), world, settings, now);
            }
            Subject::Deal(key) => deal::played(key, stored.filter(|_| !is_question), world, settings, now),
            Subject::Happening(key) => {
                happening::played(id, key, stored.filter(|_| !is_question), world, now);
            }
            Subject::Member(key) => lists::played(key, world, settings),
        }
        if is_question {
            world.deliveries.change(id, |delivery| delivery.wait(ANSWERED.to_owned(), now));
            continue;
        }
        world.deliveries.change(id, |delivery| delivery.deliver(now));
        for email in those_of(&subject, world) {
            deal::evaluate_waiting(&email, world, settings, now);
            lists::evaluate_without_event(&email, world, settings, now);
        }
        happening::evaluate_held(world, settings, now);
        return Some(request);
    }
    None
}

/// The contacts whose deals may have waited for a record.
fn those_of(subject: &Subject, world: &mut World) -> Vec<Email> {
    match subject {
        Subject::Contact(email) => vec![email.clone()],
        Subject::Company(key) => company::let_go(key, world),
        Subject::Deal(key) => world.deals.get(key).and_then(|deal| deal.email.clone()).into_iter().collect(),
        Subject::Happening(_) | Subject::Member(_) => Vec::new(),
    }
}

/// An id for a record that is nowhere: the same each time.
fn id_of(subject: &Subject) -> u64 {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    hasher.finish() >> 32
}
