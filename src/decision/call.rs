//! Calls: what that of a contact carries when it leaves, and what its answer changes. Rebuilt from the newest state, always.

use std::collections::BTreeSet;
use std::time::Duration;

use super::forward::{self, Move};
use super::refusal::{RecordRefusal, after_refused};
use super::rename;
use super::settings::rules;
use super::shown;
use super::tags;
use super::tell::{self, Answered};
use super::wish::consider;
pub(super) use super::world::standing_of;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::{
    AfterStored, Attributes, COMPANIES, Call, Owed, Standing, did_not_stick, owed, shown_blank, shown_theirs,
};
use crate::delivery::{Attempt, BlockCause, Bound, Delivery, DeliveryId, Request, Stored, Subject, Verdict};
use crate::destination::{Destination, Ended, backoff};
use crate::event::Email;
use crate::mapping::TAGS;

/// A call to make.
#[derive(Clone, Debug, PartialEq)]
pub struct CallOrder {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// The record that it is about.
    pub subject: Subject,
    /// Which attempt it is: the fence against answers of older claims.
    pub attempt: u32,
    /// What is sent.
    pub request: Request,
}

/// How an attempt ended, and what else bears on what follows.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The call.
    pub order: CallOrder,
    /// What its answer means.
    pub verdict: Verdict,
    /// The attempt for the debugger.
    pub attempt: Attempt,
    /// From 0 to 1: where between half and whole the next wait lies.
    pub jitter: f64,
    /// Whether other contacts were answered since this one failed last.
    pub others_answered: bool,
    /// The call left alone, to see whether calls are answered.
    pub probe: bool,
}

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
    let mut transition = after(&settlement, email, &mut next, world, settings, now);
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

impl Settlement {
    /// What follows a failure that will pass: it is a failure of this record, unless the destination is in trouble.
    pub(super) fn passing(
        &self,
        reason: &str,
        world: &World,
        settings: &Settings,
        now: UnixMicros,
    ) -> Transition {
        if self.destination(world, false, settings, now).obstacle.is_some() {
            return Transition::Wait(reason.to_owned());
        }
        after_failure(reason, world.deliveries.get(&self.order.delivery), self.others_answered, settings, now)
    }

    /// How the destination stands after it.
    pub(super) fn destination(
        &self,
        world: &World,
        refused_for_good: bool,
        settings: &Settings,
        now: UnixMicros,
    ) -> Destination {
        let ended = Ended {
            verdict: &self.verdict,
            kind: self.order.request.kind(),
            delivery: &self.order.delivery,
            probe: self.probe,
            refused_for_good,
            retry_max: settings.retry.max,
        };
        world.destination.document.after(ended, now)
    }
}

/// Whether the call on its way is this attempt of this delivery.
pub(super) fn is_claim(standing: &Standing, id: &DeliveryId, attempt: u32) -> bool {
    standing.in_flight.as_ref().is_some_and(|call| call.delivery == *id && call.attempt == attempt)
}

/// What a delivery does after an attempt.
pub(super) enum Transition {
    Deliver(Option<String>),
    Supersede(String),
    Die(String),
    /// Tried again after its own wait; so much of the time since its last failure counts towards giving it up.
    Backoff(String, Duration),
    /// Waits without burning anything.
    Wait(String),
    /// What is left waits for a quota.
    WaitFor(Bound),
    /// Tried once more at a moment.
    TryOnceMore(String, UnixMicros),
    /// Tried once more without an attribute.
    Salvage(String),
}

impl Transition {
    /// The same, and something more to tell of what was stored.
    fn with_note(self, more: String) -> Self {
        match self {
            Self::Deliver(note) => {
                Self::Deliver(Some(note.into_iter().chain([more]).collect::<Vec<_>>().join("; ")))
            }
            Self::Supersede(_)
            | Self::Die(_)
            | Self::Backoff(..)
            | Self::Wait(_)
            | Self::WaitFor(_)
            | Self::TryOnceMore(..)
            | Self::Salvage(_) => self,
        }
    }

    fn apply(self, delivery: Delivery, settings: &Settings, jitter: f64, now: UnixMicros) -> Delivery {
        match self {
            Self::Deliver(note) => {
                let notes: Vec<String> = delivery.notes.iter().cloned().chain(note).collect();
                let reason = (!notes.is_empty()).then(|| notes.join("; "));
                Delivery { reason, ..delivery.deliver(now) }
            }
            Self::Supersede(why) => delivery.supersede(&why, now),
            Self::Die(why) => delivery.die(why, now),
            Self::Backoff(why, counts) => {
                let wait = backoff(settings.retry.first, settings.retry.max, delivery.failures + 1, jitter);
                let failing = delivery.failing.saturating_add(counts);
                Delivery { failing, ..delivery }.retry(why, now, now.plus(wait))
            }
            Self::Wait(why) => delivery.wait(why, now),
            Self::WaitFor(bound) => delivery.wait_for(bound, now),
            Self::TryOnceMore(why, at) => delivery.retry(why, now, at),
            Self::Salvage(note) => delivery.salvage(note, now),
        }
    }
}

pub(super) const CARRIED: &str = "a newer delivery of the contact carries it";

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

/// A question was answered: the delivery goes on with that, or leaves it to a newer one.
fn go_on(why: &str, newer: Option<DeliveryId>, id: &DeliveryId, standing: &mut Standing) -> Transition {
    standing.in_flight = None;
    let is_newer = newer.is_some();
    standing.open = newer.or_else(|| Some(id.clone()));
    if is_newer { Transition::Supersede(CARRIED.to_owned()) } else { Transition::Wait(why.to_owned()) }
}

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
            let notes = std::iter::once(READ.to_owned()).chain(notes);
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
    let (names, refusal) = (settings.preset.sent_names(), &settings.consent.unsubscribed);
    standing.theirs = shown_theirs(names, &found, &Attributes::new(), refusal).unwrap_or_default();
    standing.blank = shown_blank(settings.preset.empty_attributes(), &found);
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

/// A failure of this contact that will pass. It is given up once it has failed for long enough; only its own waits
/// between two tries count, and only while other contacts got answers.
fn after_failure(
    reason: &str,
    delivery: Option<&Delivery>,
    others_answered: bool,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let retry = settings.retry;
    let Some(delivery) = delivery else { return Transition::Backoff(reason.to_owned(), Duration::ZERO) };
    let own_wait = backoff(retry.first, retry.max, delivery.failures, 1.0);
    let since = delivery.last_failure_at.map_or(Duration::ZERO, |last| now.since(last));
    let counts = if others_answered { since.min(own_wait) } else { Duration::ZERO };
    if delivery.failing.saturating_add(counts) >= retry.give_up_after {
        Transition::Die(format!("given up: {reason}"))
    } else {
        Transition::Backoff(reason.to_owned(), counts)
    }
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
