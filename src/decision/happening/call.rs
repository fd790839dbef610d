//! Calls of happenings: what one carries when it leaves, and what its answer changes. Each call is one claim and one settle; a
//! question leaves its delivery due at once, and the next claim builds what follows.

use serde_json::Map;

use super::super::call::{CARRIED, Settlement, Transition, cause_in_words, end};
use super::super::tell::{Noted, note_added};
use super::super::{Settings, World, lead, missing};
use super::evaluate::evaluate_without_event;
use super::merge::{Rider, riders_to_tell};
use super::wish::{HappeningWish, wish_of};
use crate::clock::UnixMicros;
use crate::delivery::{
    Account, Birth, CallKind, Delivery, DeliveryId, HappeningId, HappeningKind, Request, State, Stored,
    TargetKind, Verdict,
};
use crate::happening::{
    Carried, Happening, InFlight, Next, PAGES_MAX, Part, Standing, Wanted, body_of, found_in, next,
};

/// The next call of a happening; nothing when it goes along in another, when it can't be told, or when its time has not come.
pub(in crate::decision) fn claim(
    delivery: &DeliveryId,
    id: &HappeningId,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Request> {
    let attempt = world.deliveries.get(delivery)?.attempts_made + 1;
    let happening = world.happenings.get(id).cloned().unwrap_or_default();
    if happening.standing.in_flight.is_some() {
        return None;
    }
    if happening.standing.open.as_ref() != Some(delivery) {
        world.deliveries.change(delivery, |delivery| delivery.supersede(CARRIED, now));
        return None;
    }
    let wanted = wish_of(&happening, world, settings, now);
    let step = next(&wanted.wish, &happening.standing);
    let later = match &step {
        Next::Ask { at, .. } => Some((*at, ASKED_LATER)),
        Next::Tell => happening.says.due_at().map(|at| (at, TOLD_LATER)),
        Next::Nothing | Next::Refused | Next::Held(_) | Next::Drop(_) => {
            // What is to become of it is decided as for whatever changes.
            evaluate_without_event(id, world, settings, now);
            close_if_open(delivery, id, world, now);
            return None;
        }
    };
    if let Some((at, why)) = later.filter(|(at, _)| *at > now) {
        world.deliveries.change(delivery, |delivery| delivery.wait(why.to_owned(), at));
        return None;
    }
    let mut happening = happening;
    let (request, carried) = match step {
        Next::Ask { page, everywhere, .. } => {
            let request = Request::ListTold { what: id.kind(), target: wanted.target?, everywhere, page };
            (request, Carried::Question(page))
        }
        Next::Tell | Next::Nothing | Next::Refused | Next::Held(_) | Next::Drop(_) => {
            let body = told(id, &mut happening, &wanted, world, settings, now)?;
            (Request::Tell { what: id.kind(), body }, Carried::Tell)
        }
    };
    happening.standing.leave(InFlight { delivery: delivery.clone(), attempt, carried, left_at: now });
    world.deliveries.change(delivery, Delivery::claim);
    *world.happenings.edit(id) = happening;
    Some(request)
}

const ASKED_LATER: &str =
    "the call that tells it was not answered; Freshsales is asked whether it has it before it is repeated";
const TOLD_LATER: &str = "it is told when the day is over";

/// A delivery that nothing speaks of any more ends.
fn close_if_open(delivery: &DeliveryId, id: &HappeningId, world: &mut World, now: UnixMicros) {
    let spoken_of = world.happenings.get(id).is_some_and(|it| it.standing.open.as_ref() == Some(delivery));
    let waits =
        world.deliveries.get(delivery).is_some_and(|it| matches!(it.state, State::Waiting | State::Retrying));
    if waits {
        if spoken_of {
            world.happenings.edit(id).standing.open = None;
        }
        world
            .deliveries
            .change(delivery, |delivery| delivery.supersede("nothing is to be told of it any more", now));
    }
}

/// The body of the call that tells it and whatever goes along, the oldest first.
pub(super) fn told(
    id: &HappeningId,
    happening: &mut Happening,
    wanted: &HappeningWish,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<serde_json::Value> {
    let target = wanted.target?;
    let (riders, others) = riders_to_tell(id, happening, world, settings, now);
    for other in others {
        evaluate_without_event(&other, world, settings, now);
    }
    let mut parts = Vec::new();
    for Rider { id, happening, known } in &riders {
        parts.push(Part { id, happening, known: known.clone() });
    }
    parts.push(Part { id, happening, known: wanted.known.clone() });
    parts.sort_by(|one, other| (&one.happening.stamp, one.id).cmp(&(&other.happening.stamp, other.id)));
    Some(body_of(&parts, target, wanted.names, settings.happenings.marker))
}

/// Settles an attempt of a happening. An answer to a claim that is void changes nothing.
pub(in crate::decision) fn settle(
    settlement: Settlement,
    id: &HappeningId,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let order = &settlement.order;
    let Some(mut happening) = world.happenings.get(id).cloned() else { return };
    let claim = |call: &InFlight| call.delivery == order.delivery && call.attempt == order.attempt;
    if !happening.standing.in_flight.as_ref().is_some_and(claim) {
        return;
    }
    let transition = after(&settlement, id, &mut happening, world, settings, now);
    let transition = unless_converted(transition, &settlement, &mut happening, world, settings, now);
    end(settlement, transition, world, settings, now);
    let told = happening.standing.birth.id();
    *world.happenings.edit(id) = happening;
    if let Some(told) = told {
        tell_others(id, told, world, settings, now);
        riders_are_told(id, told, world, now);
    }
}

/// What hangs on a contact that is not there is told again once it is known which contact has the address.
fn unless_missing(
    why: &str,
    settlement: &Settlement,
    happening: &mut Happening,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Transition> {
    let says = match &settlement.verdict {
        Verdict::Refused { reason, attribute, .. } => missing::names_contact(reason, attribute.as_deref()),
        Verdict::Gone { .. } => true,
        Verdict::Stored(_)
        | Verdict::Passing { .. }
        | Verdict::Throttled { .. }
        | Verdict::Blocked { .. }
        | Verdict::Shut { .. } => false,
    };
    let told = settlement.order.request.attributes().filter(|_| says)?;
    let of_contact = told.get("targetable_type")?.as_str()? == TargetKind::Contact.as_type();
    let id = told.get("targetable_id")?.as_u64().filter(|_| of_contact)?;
    let email = happening.email.clone()?;
    let waits = missing::waits(&email, [id], why, (world, settings), now)?;
    happening.standing.refused = false;
    Some(waits)
}

/// A lead that takes nothing may have become a contact: that is asked before anybody has to look at it.
fn unless_converted(
    transition: Transition,
    settlement: &Settlement,
    happening: &mut Happening,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let Transition::Die(why) = transition else { return transition };
    if let Some(waits) = unless_missing(&why, settlement, happening, world, settings, now) {
        return waits;
    }
    let told = settlement.order.request.attributes();
    let of_lead =
        told.and_then(|told| told.get("targetable_type")?.as_str()) == Some(TargetKind::Lead.as_type());
    let email = happening.email.clone().filter(|_| of_lead);
    if !email.is_some_and(|email| lead::doubt(&email, world, settings, now)) {
        return Transition::Die(why);
    }
    happening.standing.refused = false;
    Transition::Wait(format!(
        "its lead did not take it, so Freshsales is asked which record has the address now: {why}"
    ))
}

/// Other systems are told of a note, with all that went along in it.
fn tell_others(id: &HappeningId, told: u64, world: &mut World, settings: &Settings, now: UnixMicros) {
    if id.kind() != HappeningKind::Note || settings.receivers.is_empty() {
        return;
    }
    let Some(carrier) = world.happenings.get(id).cloned() else { return };
    let along = carrier.standing.riders.iter();
    let mut all: Vec<Happening> = along.filter_map(|rider| world.happenings.get(rider).cloned()).collect();
    all.push(carrier.clone());
    all.sort_by(|one, other| one.stamp.cmp(&other.stamp));
    let mut text = Vec::new();
    for happening in &all {
        let known = wish_of(happening, world, settings, now).known;
        text.push(Part { id, happening, known }.text());
    }
    let noted = Noted {
        on: &carrier.on,
        email: carrier.email.as_ref(),
        id: told,
        event: &carrier.event,
        text: text.join("\n"),
        cause: id.to_string(),
    };
    note_added(&noted, world, settings, now);
}

/// Those that went along in a call are told with it.
fn riders_are_told(id: &HappeningId, told: u64, world: &mut World, now: UnixMicros) {
    let Some(carrier) = world.happenings.get(id).map(|carrier| carrier.standing.clone()) else { return };
    for rider in &carrier.riders {
        if world.happenings.get(rider).is_some_and(|it| it.standing.rides.as_ref() == Some(id)) {
            world.happenings.edit(rider).standing.told(told, carrier.last_delivered.clone(), now);
        }
    }
}

/// What the answer does to the happening, and what the delivery does then.
fn after(
    settlement: &Settlement,
    id: &HappeningId,
    happening: &mut Happening,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let delivery = &settlement.order.delivery;
    let standing = &mut happening.standing;
    let carried = standing.in_flight.as_ref().map_or(Carried::Tell, |call| call.carried);
    let notes = match (&settlement.verdict, carried) {
        (Verdict::Stored(answer), Carried::Tell) => {
            match answer.id {
                Some(told) => standing.told(told, Some(delivery.clone()), now),
                None => standing.unanswered(),
            }
            Vec::new()
        }
        (Verdict::Stored(answer), Carried::Question(page)) => {
            standing.not_applied();
            answered(answer, id, page, delivery, standing, now)
        }
        (Verdict::Refused { reason, .. } | Verdict::Gone { reason }, Carried::Question(_)) => {
            standing.not_applied();
            standing.no_clear_answer();
            vec![format!("Freshsales did not answer whether it has it: {reason}")]
        }
        (Verdict::Refused { reason, .. } | Verdict::Gone { reason }, Carried::Tell) => {
            standing.not_applied();
            standing.refused = true;
            return Transition::Die(reason.clone());
        }
        (Verdict::Passing { reason }, _) => {
            standing.unanswered();
            return settlement.passing(reason, world, settings, now);
        }
        (Verdict::Throttled { reason, .. }, _) => {
            standing.not_applied();
            return Transition::Wait(format!("the account is throttled: {reason}"));
        }
        (Verdict::Blocked { cause, reason }, _) => {
            standing.not_applied();
            return Transition::Wait(format!("{}: {reason}", cause_in_words(*cause)));
        }
        (Verdict::Shut { reason }, _) => {
            standing.not_applied();
            let what = plural(id);
            return Transition::Wait(format!("the user of the API key may not edit {what}: {reason}"));
        }
    };
    go_on(notes, delivery, happening, world, settings, now)
}

fn plural(id: &HappeningId) -> &'static str {
    CallKind::plural(id.kind().call_kind())
}

/// Freshsales showed a list. Tells what a person should know.
fn answered(
    answer: &Stored,
    id: &HappeningId,
    page: u32,
    delivery: &DeliveryId,
    standing: &mut Standing,
    now: UnixMicros,
) -> Vec<String> {
    let nothing = Map::new();
    let shown = answer.shown.as_ref().unwrap_or(&nothing);
    let since = match standing.birth {
        Birth::Unanswered { left_at, .. } => left_at,
        Birth::Planned | Birth::Sent | Birth::Taken { .. } | Birth::Told { .. } | Birth::Unclear => {
            UnixMicros(0)
        }
    };
    let Some(found) = found_in(shown, Wanted { kind: id.kind(), marker: id.marker(), since, page }) else {
        standing.no_clear_answer();
        return vec!["Freshsales answered no list that could show it".to_owned()];
    };
    match found.ids.as_slice() {
        [told, others @ ..] => {
            standing.told(*told, Some(delivery.clone()), now);
            let mut notes = vec![format!("Freshsales has it already as {told}, so it is not sent again")];
            if !others.is_empty() {
                let others: Vec<String> = others.iter().map(u64::to_string).collect();
                notes.push(format!("{} say the same; they are left as they are", others.join(", ")));
            }
            notes
        }
        [] if found.more && page < PAGES_MAX => {
            standing.pages = page;
            Vec::new()
        }
        [] if found.more => {
            standing.no_clear_answer();
            vec![format!("it is on none of the first {PAGES_MAX} pages of the list, and there are more")]
        }
        [] => {
            standing.not_there();
            vec!["Freshsales does not have it, so it is sent again".to_owned()]
        }
    }
}

/// After an answer: the same delivery goes on while something is owed.
fn go_on(
    mut notes: Vec<String>,
    delivery: &DeliveryId,
    happening: &mut Happening,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let wanted = wish_of(happening, world, settings, now);
    let step = next(&wanted.wish, &happening.standing);
    let standing = &mut happening.standing;
    standing.open = None;
    match step {
        Next::Nothing | Next::Refused => {
            let notes = notes.join("; ");
            Transition::Deliver(Some(notes).filter(|notes| !notes.is_empty()))
        }
        Next::Held(held) => {
            notes.push(held.words());
            standing.held = Some(held);
            Transition::Supersede(notes.join("; "))
        }
        Next::Drop(why) => {
            standing.drop(why.clone());
            notes.push(why);
            Transition::Supersede(notes.join("; "))
        }
        Next::Ask { .. } | Next::Tell => {
            standing.open = Some(delivery.clone());
            notes.push("more is to be found out or told".to_owned());
            Transition::Wait(notes.join("; "))
        }
    }
}

/// The claim of a process that is gone: nobody knows how its call ended. What it told may be there.
pub(in crate::decision) fn void(claimed: &Delivery, id: &HappeningId, world: &mut World, now: UnixMicros) {
    if world.happenings.get(id).is_some() {
        world.happenings.edit(id).standing.unanswered();
    }
    world.deliveries.change(&claimed.id, |delivery| delivery.void_claim(now));
}

/// A call of a happening is played: it was told under this id, or, without one, a question found nothing.
pub(in crate::decision) fn played(
    delivery: &DeliveryId,
    id: &HappeningId,
    told: Option<u64>,
    world: &mut World,
    now: UnixMicros,
) {
    if let Some(told) = told {
        world.happenings.edit(id).standing.told(told, Some(delivery.clone()), now);
        riders_are_told(id, told, world, now);
    } else {
        let standing = &mut world.happenings.edit(id).standing;
        standing.not_applied();
        standing.not_there();
    }
}

/// The delivery that is open, or dead, for a happening with an account.
pub(in crate::decision) fn open<'w>(
    id: &HappeningId,
    world: &'w World,
    account: &Account,
) -> Option<&'w DeliveryId> {
    world.happenings.get(id).filter(|it| it.account == *account)?.standing.open.as_ref()
}

/// Its open delivery was given up: it is not told.
pub(in crate::decision) fn discarded(
    id: &HappeningId,
    world: &mut World,
    account: &Account,
    now: UnixMicros,
) {
    if world.happenings.get(id).is_some_and(|it| it.account == *account) {
        drop_all(id, "its call was given up by hand", world, now);
    }
}

/// It is not told any more, and neither is what went along in its call.
pub(super) fn drop_all(id: &HappeningId, why: &str, world: &mut World, now: UnixMicros) {
    let Some(standing) = world.happenings.get(id).map(|it| it.standing.clone()) else { return };
    if let Some(open) = &standing.open {
        world.deliveries.change(open, |delivery| {
            if matches!(delivery.state, State::Waiting | State::Retrying | State::Dead) {
                delivery.supersede(why, now)
            } else {
                delivery
            }
        });
    }
    world.happenings.edit(id).standing.drop(why.to_owned());
    for rider in &standing.riders {
        if world.happenings.get(rider).is_some_and(|it| it.standing.rides.as_ref() == Some(id)) {
            world.happenings.edit(rider).standing.drop(why.to_owned());
        }
    }
}

/// Notes that what was refused is sent again.
pub(in crate::decision) fn redrive(id: &HappeningId, world: &mut World, account: &Account) {
    if world.happenings.get(id).is_some_and(|it| it.account == *account) {
        world.happenings.edit(id).standing.refused = false;
    }
}
