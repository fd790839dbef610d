//! Calls: what that of a contact carries when it leaves, and what its answer changes. Rebuilt from the newest state, always.

use std::collections::BTreeSet;
use std::time::Duration;

use super::forward::{self, Move};
use super::lead;
use super::refusal::{RecordRefusal, after_refused};
use super::rename;
use super::settings::rules;
pub use super::settlement::{CallOrder, Settlement};
use super::shown;
use super::tags;
use super::tell::{self, Answered};
pub(super) use super::transition::{CARRIED, Transition, go_on};
use super::wish::consider;
pub(super) use super::world::standing_of;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::{
    AfterStored, COMPANIES, Call, Owed, Standing, did_not_stick, owed, shown_blank, shown_theirs,
};
use crate::delivery::{BlockCause, Bound, DeliveryId, Request, Stored, Verdict};
use crate::event::Email;
use crate::mapping::TAGS;

/// Settles an attempt of a contact.
pub(super) fn settle_contact(
    settlement: Settlement,
    email: &Email,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let CallOrder { delivery: id, attempt, .. } = &settlement.order;
    // A contact that is gone must not come back by an answer.
    let standing =
        world.contacts.get(email).map(|contact| contact.with(&settings.account)).unwrap_or_default();
    if !is_claim(&standing, id, *attempt) {
        return;
    }
    let before = (!settings.receivers.is_empty()).then(|| standing.clone());
    let mut next = standing;
    if let Some(taken) = rename::answered((id, *attempt), &settlement.verdict, &mut next, world, settings) {
        end(settlement, Transition::Wait(taken), world, settings, now);
        *standing_of(email, world, settings) = next;
        return;
    }
    let frozen: BTreeSet<_> = next.hearing.frozen().map(|(name, at)| (name.clone(), at)).collect();
    let question = next.in_flight.clone().filter(|call| call.asks && next.doubted_at.is_some());
    let call = next.in_flight.clone().filter(|call| !call.asks);
    let transition = after(&settlement, email, &mut next, world, settings, now);
    let mut transition = lead::unless_converted(transition, &settlement, &mut next, now);
    if let Some(question) = question {
        let what = (&question, &settlement.order.request, &settlement.verdict);
        let notes = shown::read(email, what, &mut next, world, settings);
        transition = after_reading(transition, notes, email, &mut next, world, settings, now);
    }
    if let (Verdict::Stored(answer), Some(call)) = (&settlement.verdict, call) {
        let what = (&call.delivery, &call.sent);
        let notes = shown::hear(email, what, answer, &mut next, world, settings, now);
        transition = notes.into_iter().fold(transition, Transition::with_note);
    }
    let turned = next.hearing.frozen().filter(|(name, at)| !frozen.contains(&((*name).clone(), *at)));
    for (name, _) in turned {
        world.freeze(format!("contact {name}"), now);
    }
    let died = if let Transition::Die(why) = &transition { Some(why.clone()) } else { None };
    let (id, attempt, verdict) = (id.clone(), *attempt, settlement.verdict.clone());
    end(settlement, transition, world, settings, now);
    *standing_of(email, world, settings) = next.clone();
    let Some(before) = &before else { return };
    let created = matches!(&verdict, Verdict::Stored(answer) if answer.created);
    let answered = Answered { email, delivery: &id, attempt, before, after: &next, created };
    match (verdict, died) {
        (Verdict::Stored(_), _) => tell::contact_stored(&answered, world, settings, now),
        (Verdict::Refused { .. }, Some(why)) => tell::lead_refused(&answered, &why, world, settings, now),
        (
            Verdict::Refused { .. }
            | Verdict::Passing { .. }
            | Verdict::Throttled { .. }
            | Verdict::Blocked { .. }
            | Verdict::Gone { .. }
            | Verdict::Shut { .. },
            _,
        ) => {}
    }
}

/// Ends an attempt: what its answer says of the destination, and what its delivery does then.
pub(super) fn end(
    settlement: Settlement,
    transition: Transition,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let destination = settlement.destination(world, matches!(transition, Transition::Die(_)), settings, now);
    world.deliveries.change(&settlement.order.delivery, |mut delivery| {
        delivery.record(settlement.attempt);
        transition.apply(delivery, settings, settlement.jitter, now)
    });
    if destination != world.destination.document {
        world.destination.document = destination;
        world.destination.changed = true;
    }
}

/// Whether the call on its way is this attempt of this delivery.
pub(super) fn is_claim(standing: &Standing, id: &DeliveryId, attempt: u32) -> bool {
    standing.in_flight.as_ref().is_some_and(|call| call.delivery == *id && call.attempt == attempt)
}

/// What the answer does to the standing of the contact, and what the delivery does then.
fn after(
    settlement: &Settlement,
    email: &Email,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let id = &settlement.order.delivery;
    // A change that came meanwhile opened the next delivery: it carries everything this one did not bring.
    let newer = standing.open.take();
    if let Some(transition) = lead::after(settlement, newer.as_ref(), standing, world, settings, now) {
        return transition;
    }
    let question = standing.in_flight.as_ref().is_some_and(|call| call.asks);
    let seen = forward::seen(&settlement.verdict, question, now);
    let tags = tags::seen(&settlement.verdict, question, now).filter(|_| settings.preset.sends_tags());
    if question && seen.is_some() {
        let why = if matches!(settlement.order.request, Request::FindContact { .. }) {
            looked_up(&settlement.verdict, standing, settings, now);
            LOOKED_UP
        } else {
            (standing.stage_seen, standing.tags_seen) = (seen, tags);
            LOOKED
        };
        return go_on(why, newer, id, standing);
    }
    let transition = match &settlement.verdict {
        Verdict::Stored(answer) => {
            let known_blank = shown::companies_known_blank(answer, standing);
            let done = after_stored(answer, standing, newer, id, now);
            standing.blank = shown_blank(settings.preset.empty_attributes(), answer);
            let (names, refusal) = (settings.preset.sent_names(), &settings.consent.unsubscribed);
            let accepted = standing.accepted.clone().unwrap_or_default();
            if let Some(theirs) = shown_theirs(names, answer, &accepted, refusal) {
                standing.theirs = theirs;
            }
            standing.blank.extend(known_blank.then(|| COMPANIES.to_owned()));
            standing.stage_seen = seen.filter(|_| settings.preset.forward_only_stage().is_some());
            standing.tags_seen = tags;
            return what_is_left(done, id, email, standing, world, settings, now);
        }
        Verdict::Refused { reason, attribute, demanded, again } => {
            let refusal =
                RecordRefusal { reason, attribute: attribute.as_ref(), demanded: *demanded, again: *again };
            return after_refused(refusal, standing, newer, world.deliveries.get(id), settings, now);
        }
        Verdict::Passing { reason } => {
            standing.unanswered();
            settlement.passing(reason, world, settings, now)
        }
        Verdict::Throttled { reason, .. } => {
            standing.not_applied();
            Transition::Wait(format!("the account is throttled: {reason}"))
        }
        Verdict::Blocked { cause, reason } => {
            standing.not_applied();
            Transition::Wait(format!("{}: {reason}", cause_in_words(*cause)))
        }
        // No answer to an upsert of a contact is judged so: it names no id, and its right is that of the account.
        Verdict::Gone { reason } | Verdict::Shut { reason } => {
            standing.not_applied();
            Transition::Backoff(reason.clone(), Duration::ZERO)
        }
    };
    match newer {
        Some(newer) => {
            standing.open = Some(newer);
            Transition::Supersede(CARRIED.to_owned())
        }
        None => transition,
    }
}

const LOOKED: &str = "Freshsales was asked for the contact, before its lifecycle stage is moved or its tags are joined with ours";
const LOOKED_UP: &str =
    "Freshsales was asked for the contact first: what it has from elsewhere stays as it is";
const READ: &str = "Freshsales was asked for the contact, since a message that is not believed by itself said that it changed (hooks.*.verify)";
const JOINS: &str = "Freshsales showed which tags the contact has, so ours are added now";
const MOVES: &str = "Freshsales showed where the contact stands, so its lifecycle stage is moved now";

/// A contact was read that a message spoke of: where nothing is owed by what is known now, its delivery is at its end.
fn after_reading(
    transition: Transition,
    notes: Vec<String>,
    email: &Email,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let open = standing.open.take();
    let left = left_to_send(email, standing, world, settings, now);
    match transition {
        Transition::Wait(_) if standing.doubted_at.is_none() && left.is_none() => {
            let read = if standing.lead.is_some() { lead::STILL } else { READ };
            let notes = std::iter::once(read.to_owned()).chain(notes);
            Transition::Deliver(Some(notes.collect::<Vec<_>>().join("; ")))
        }
        Transition::Wait(_) if !notes.is_empty() => {
            standing.open = open;
            Transition::Wait(notes.join("; "))
        }
        other => {
            standing.open = open;
            other
        }
    }
}

/// It is known whether Freshsales has the contact, and what it has of it from elsewhere.
fn looked_up(verdict: &Verdict, standing: &mut Standing, settings: &Settings, now: UnixMicros) {
    standing.looked_up = true;
    let found = if let Verdict::Stored(answer) = verdict { shown::found_contact(answer) } else { None };
    let Some(found) = found else { return };
    shown::take_in(&found, standing, settings);
    standing.contact_id = found.id;
    let seen = forward::seen(&Verdict::Stored(found), false, now);
    standing.stage_seen = seen.filter(|_| settings.preset.forward_only_stage().is_some());
}

/// What becomes of a lifecycle stage that the call did not carry, or of another since. One that the contact is past of is
/// settled here.
fn moves_on(
    email: &Email,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Move> {
    settings.preset.forward_only_stage()?;
    let Owed::Call(mut call) = owed(&consider(email, world, settings).wish, standing, &rules(settings, now))
    else {
        return None;
    };
    let moves = forward::judge(&call.attributes, standing, settings, now)?;
    if let Move::Past(stands) = &moves {
        let taken = forward::take_out(&mut call.attributes);
        return Some(Move::Past(forward::settle_past(taken, stands, standing)));
    }
    Some(moves)
}

/// What follows for a contact that was stored: what was kept back until it was, or nothing.
fn what_is_left(
    done: Transition,
    id: &DeliveryId,
    email: &Email,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let mut done = done;
    if standing.open.is_none()
        && let Some(moved) = moves_on(email, standing, world, settings, now)
    {
        match moved {
            Move::Past(stands) => done = done.with_note(stands),
            Move::Goes | Move::Look(_) | Move::Later => {
                standing.open = Some(id.clone());
                return Transition::Wait(MOVES.to_owned());
            }
        }
    }
    if standing.open.is_none() && tags::follow(email, standing, world, settings, now) {
        standing.open = Some(id.clone());
        return Transition::Wait(JOINS.to_owned());
    }
    let Some(call) = left_to_send(email, standing, world, settings, now) else { return done };
    if let Some(source) = call.stranger_of {
        standing.open = Some(id.clone());
        return Transition::WaitFor(Bound::Withdrawals(source));
    }
    if call.attributes.keys().any(|name| standing.blank.contains(name)) {
        standing.open = Some(id.clone());
        return Transition::Wait(FILLS.to_owned());
    }
    done
}

const FILLS: &str = "Freshsales has no value for an attribute that is sent only then, so it is sent now";

/// What is owed right after an answer: what is wanted only where Freshsales has no value, and what a stranger refused, which
/// goes by itself.
fn left_to_send(
    email: &Email,
    standing: &Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Call> {
    if standing.open.is_some() {
        return None;
    }
    match owed(&consider(email, world, settings).wish, standing, &rules(settings, now)) {
        Owed::Nothing(_) => None,
        Owed::Call(call) => Some(call),
    }
}

fn after_stored(
    answer: &Stored,
    standing: &mut Standing,
    newer: Option<DeliveryId>,
    id: &DeliveryId,
    now: UnixMicros,
) -> Transition {
    let mut sent = standing.in_flight.as_ref().map(|call| call.sent.clone()).unwrap_or_default();
    // They were joined with what there was.
    sent.remove(TAGS);
    let lost = answer.shown.as_ref().map(|contact| did_not_stick(&sent, contact)).unwrap_or_default();
    let note = (!lost.is_empty())
        .then(|| format!("stored, but Freshsales shows these otherwise than sent: {}", lost.join(", ")));
    let after = standing.stored(answer, now);
    match (newer, after) {
        (Some(newer), AfterStored::Settled | AfterStored::OnceMore(_)) => {
            standing.open = Some(newer);
            Transition::Deliver(note)
        }
        (None, AfterStored::Settled) => Transition::Deliver(note),
        (None, AfterStored::OnceMore(why)) => {
            standing.open = Some(id.clone());
            Transition::Wait(why.to_owned())
        }
    }
}

pub(super) fn cause_in_words(cause: BlockCause) -> &'static str {
    match cause {
        BlockCause::Unauthorized => "the API key is refused",
        BlockCause::Forbidden => "the user of the API key may not edit contacts",
        BlockCause::NoSuchAccount => "the bundle alias names no account",
    }
}
