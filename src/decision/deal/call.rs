//! Calls of deals: the next request of one, and what its answer changes. Each call is one claim and one settle; a question
//! leaves its delivery due at once, and the next claim builds what follows.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::call::{CARRIED, Settlement, Transition, cause_in_words, end};
use super::super::tell::{By, Moved, deal_moved};
use super::super::{Settings, World, missing};
use super::refusal::{RecordRefusal, refused};
use super::wish::{Company, DealWish, open_stages, wish_of};
use super::{evaluate_waiting, heard, step};
use crate::clock::UnixMicros;
use crate::contact::Redrive;
use crate::deal::{
    self, Asked, Birth, CANDIDATES_MAX, Carried, InFlight, LOOKS_MAX, Next, STAGE, Seen, Standing,
    create_body, found_in, open_in, seen_in, update_body,
};
use crate::delivery::{Account, DealKey, Delivery, DeliveryId, Request, Stored, Verdict};

/// The next call of a deal; nothing when a newer delivery carries it, when nothing is owed or can be sent, or when its time has
/// not come.
pub(in crate::decision) fn claim(
    id: &DeliveryId,
    key: &DealKey,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Request> {
    let attempt = world.deliveries.get(id)?.attempts_made + 1;
    let deal = world.deals.get(key).cloned().unwrap_or_default();
    let mut standing = deal.with(&settings.account);
    if standing.in_flight.is_some() {
        return None;
    }
    if standing.open.as_ref() != Some(id) {
        world.deliveries.change(id, |delivery| delivery.supersede(CARRIED, now));
        return None;
    }
    let wanted = wish_of(key, &deal, world, settings);
    let (request, why) = match &wanted {
        Some(wanted) => build(key, wanted, &mut standing, settings, now),
        None => (Built::Nothing, "the mapping does not know this kind of deal any more".to_owned()),
    };
    let request = match request {
        Built::Nothing => {
            standing.open = None;
            world.deliveries.change(id, |delivery| delivery.supersede(&why, now));
            None
        }
        Built::Later(at) => {
            world.deliveries.change(id, |delivery| delivery.wait(why, at));
            None
        }
        Built::Call(request, carried, sent, contacts) => {
            standing.leave(InFlight { delivery: id.clone(), attempt, carried, sent, contacts, left_at: now });
            world.deliveries.change(id, Delivery::claim);
            Some(request)
        }
    };
    world.deals.edit(key).standing.insert(settings.account.clone(), standing);
    request
}

enum Built {
    Nothing,
    Later(UnixMicros),
    Call(Request, Carried, deal::Attributes, BTreeSet<u64>),
}

/// Builds the call of the next step.
fn build(
    key: &DealKey,
    wanted: &DealWish,
    standing: &mut Standing,
    settings: &Settings,
    now: UnixMicros,
) -> (Built, String) {
    let step = step(wanted, standing, settings, now);
    let none = BTreeSet::new();
    let ids = |sent: &deal::Attributes| wanted.resolve(sent, settings).unwrap_or_default().0;
    let built = match step.next {
        Next::Nothing | Next::Refused | Next::Ahead { .. } => Built::Nothing,
        Next::Held(held) => {
            let why = held.words();
            standing.held = Some(held);
            return (Built::Nothing, why);
        }
        Next::Ask(_, at) if at > now => {
            let why = "the call that creates it was not answered; Freshsales is asked whether it exists before it is repeated";
            return (Built::Later(at), why.to_owned());
        }
        Next::Ask(asked, _) => {
            let request = question(asked, key, settings);
            Built::Call(request, Carried::Question(asked), deal::Attributes::new(), none)
        }
        Next::Create(sent) => {
            let company = if let Company::Is(id) = wanted.company { Some(id) } else { None };
            let contacts = wanted.wish.contacts.clone();
            let body = create_body(&ids(&sent), &contacts, company);
            Built::Call(Request::CreateDeal { body }, Carried::Create, sent, contacts)
        }
        Next::Update(id, sent, contacts) => {
            let body = update_body(&ids(&sent), &contacts);
            Built::Call(Request::UpdateDeal { id, body }, Carried::Update, sent, contacts)
        }
    };
    let notes = step.notes.join("; ");
    (built, if notes.is_empty() { "the deal is as Freshsales has it".to_owned() } else { notes })
}

fn question(asked: Asked, key: &DealKey, settings: &Settings) -> Request {
    match asked {
        Asked::Deal(id) => Request::ShowDeal { id },
        Asked::DealsOf(id) => Request::ShowContact { id },
        Asked::Key => {
            let field =
                settings.preset.deal_kind(key.kind()).map(|rule| rule.key_field.as_str()).unwrap_or_default();
            let field = field.strip_prefix("custom_field.").unwrap_or(field).to_owned();
            Request::FindDeal { field, value: key.key().to_owned() }
        }
    }
}

/// Settles an attempt of a deal. An answer to a claim that is void changes nothing.
pub(in crate::decision) fn settle(
    settlement: Settlement,
    key: &DealKey,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let order = &settlement.order;
    let Some(deal) = world.deals.get(key).cloned() else { return };
    let mut standing = deal.with(&settings.account);
    let claim = |call: &InFlight| call.delivery == order.delivery && call.attempt == order.attempt;
    if !standing.in_flight.as_ref().is_some_and(claim) {
        return;
    }
    let wanted = wish_of(key, &deal, world, settings).unwrap_or_default();
    let told = Told::of(&settlement, &standing, key);
    let (before, cause) = (standing.doubted_at.map(|_| standing.clone()), order.delivery.clone());
    let carried = standing.in_flight.as_ref().map(|call| call.contacts.clone()).unwrap_or_default();
    let transition = after(&settlement, key, &wanted, &mut standing, world, settings, now);
    let email = deal.email;
    let hangs_on = (email.as_ref(), &carried);
    let transition = match missing::of_deal(&transition, &settlement, hangs_on, world, settings, now) {
        Some(waits) => {
            standing.refused = None;
            waits
        }
        None => transition,
    };
    end(settlement, transition, world, settings, now);
    world.deals.edit(key).standing.insert(settings.account.clone(), standing.clone());
    if let Some(before) = before {
        let stage = standing.seen.map(|seen| seen.stage_id);
        heard::told_by_freshsales(key, &cause, (&before, &standing), stage, world, settings, now);
    }
    if let Some(told) = told {
        told.tell(&wanted, &standing, world, settings, now);
    }
    if let Some(email) = email {
        evaluate_waiting(&email, world, settings, now);
    }
}

/// A stage that Freshsales was told, and took.
struct Told<'a> {
    key: &'a DealKey,
    from: Option<String>,
    to: String,
    cause: String,
}

impl<'a> Told<'a> {
    fn of(settlement: &Settlement, standing: &Standing, key: &'a DealKey) -> Option<Self> {
        let call = standing.in_flight.as_ref()?;
        let moves = match call.carried {
            Carried::Create | Carried::Update => matches!(settlement.verdict, Verdict::Stored(_)),
            Carried::Question(_) => false,
        };
        let to = call.sent.get(STAGE).and_then(Value::as_str).filter(|_| moves)?.to_owned();
        let from = standing.accepted.get(STAGE).and_then(Value::as_str).map(str::to_owned);
        let cause = format!("{}-{}", settlement.order.delivery, settlement.order.attempt);
        (from.as_ref() != Some(&to)).then_some(Self { key, from, to, cause })
    }

    fn tell(
        &self,
        wanted: &DealWish,
        standing: &Standing,
        world: &mut World,
        settings: &Settings,
        now: UnixMicros,
    ) {
        // A creation whose answer names no deal counts as unanswered: it is told once it is found.
        if standing.accepted.get(STAGE).and_then(Value::as_str) != Some(self.to.as_str()) {
            return;
        }
        let stage = wanted.wish.stages.iter().find(|stage| deal::is_called(stage, &self.to));
        let mut attributes = wanted.whole();
        attributes.extend(standing.accepted.clone());
        let moved = Moved {
            key: self.key,
            email: wanted.email.as_ref(),
            id: standing.birth.id(),
            from: self.from.as_deref(),
            to: (&self.to, stage.map(|stage| stage.forecast).unwrap_or_default()),
            attributes: &attributes,
            at: wanted.wish.said_at.get(STAGE).copied(),
            by: By::Us,
            cause: self.cause.clone(),
        };
        deal_moved(&moved, world, settings, now);
    }
}

/// What the answer does to the standing of the deal, and what the delivery does then.
fn after(
    settlement: &Settlement,
    key: &DealKey,
    wanted: &DealWish,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let id = &settlement.order.delivery;
    match &settlement.verdict {
        Verdict::Stored(answer) => {
            let notes = if let Some(asked) = standing.asked() {
                answered(asked, answer, key, wanted, standing, settings, now)
            } else {
                stored(answer, standing, now);
                Vec::new()
            };
            go_on(notes, id, wanted, standing, settings, now)
        }
        Verdict::Refused { reason, attribute, demanded, again } => {
            let refusal =
                RecordRefusal { reason, attribute: attribute.as_deref(), demanded: *demanded, again: *again };
            refused(&refusal, standing, world.deliveries.get(id), now)
        }
        Verdict::Gone { reason } => {
            match standing.asked() {
                // Its contact is gone, not the deal: nobody can say which deals it had.
                Some((Asked::DealsOf(_), _)) => looked_in_vain(standing, now),
                Some((Asked::Deal(_) | Asked::Key, _)) | None => standing.gone(now),
            }
            standing.in_flight = None;
            go_on(
                vec![format!("Freshsales does not have it any more: {reason}")],
                id,
                wanted,
                standing,
                settings,
                now,
            )
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
        Verdict::Shut { reason } => {
            standing.not_applied();
            Transition::Wait(format!("the user of the API key may not edit deals: {reason}"))
        }
    }
}

/// Freshsales stored the call.
fn stored(answer: &Stored, standing: &mut Standing, now: UnixMicros) {
    let stage = answer.shown.as_ref().and_then(|shown| seen_in(shown, answer.id?, now));
    standing.stored(answer.id, stage.map(|seen| seen.stage_id), now);
}

/// Freshsales answered a question that left then. Tells what a person should know.
fn answered(
    (asked, left_at): (Asked, UnixMicros),
    answer: &Stored,
    key: &DealKey,
    wanted: &DealWish,
    standing: &mut Standing,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<String> {
    let nothing = Map::new();
    let shown = answer.shown.as_ref().unwrap_or(&nothing);
    if let Asked::Deal(id) = asked {
        // Where it does not say, nobody has moved it as far as anybody can tell.
        let notes = heard::read((shown, left_at), key, standing, settings);
        standing.seen = Some(seen_in(shown, id, now).unwrap_or(Seen { stage_id: 0, at: now }));
        return notes;
    }
    let field = settings.preset.deal_kind(key.kind()).map(|rule| rule.key_field.as_str());
    let field = field.filter(|field| !field.is_empty());
    let mut found = found_in(shown, key.key(), field);
    standing.candidates.clear();
    let planned = standing.birth == Birth::Planned;
    if found.is_empty() && planned && wanted.wish.adopt {
        match open_in(shown, &open_stages(&wanted.wish), field).as_slice() {
            [] => {}
            [only] => found.push(only.id),
            // Which one is meant is a person's to say.
            several => standing.candidates = several.iter().take(CANDIDATES_MAX).cloned().collect(),
        }
    }
    match found.as_slice() {
        [] => {
            looked_in_vain_for(asked, standing, now);
            Vec::new()
        }
        [id, others @ ..] => {
            standing.adopt(*id, seen_in(shown, *id, now));
            standing.looked_at = Some(now);
            let mut notes = vec![format!("Freshsales has it already as deal {id}, so none is created")];
            let others: Vec<String> = others.iter().map(u64::to_string).collect();
            if !others.is_empty() {
                notes.push(format!(
                    "deals {} have the same key; they are left as they are",
                    others.join(", ")
                ));
            }
            notes
        }
    }
}

/// A contact's own list is true at once. A search lags behind, so only the last of several is believed.
fn looked_in_vain_for(asked: Asked, standing: &mut Standing, now: UnixMicros) {
    match (asked, standing.birth) {
        (Asked::Key, Birth::Unanswered { left_at, asked }) if asked + 1 < LOOKS_MAX => {
            standing.birth = Birth::Unanswered { left_at, asked: asked + 1 };
        }
        (Asked::Key, Birth::Taken { at, asked }) if asked + 1 < LOOKS_MAX => {
            standing.birth = Birth::Taken { at, asked: asked + 1 };
        }
        (Asked::Key | Asked::DealsOf(_) | Asked::Deal(_), _) => {
            standing.not_found();
            standing.looked_at = Some(now);
        }
    }
}

/// Nobody can be asked which deals the contact had. A creation that was not answered stays unclear.
fn looked_in_vain(standing: &mut Standing, now: UnixMicros) {
    standing.looked_at = Some(now);
    if let Birth::Unanswered { .. } = standing.birth {
        standing.birth = Birth::Unclear;
    }
}

/// After an answer: the same delivery goes on while something is owed.
fn go_on(
    mut notes: Vec<String>,
    id: &DeliveryId,
    wanted: &DealWish,
    standing: &mut Standing,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let step = step(wanted, standing, settings, now);
    standing.open = None;
    let was_told = standing.last_delivered.as_ref() == Some(id);
    match step.next {
        Next::Held(held) => {
            let why = held.words();
            standing.held = Some(held);
            notes.push(why);
            let notes = notes.join("; ");
            if was_told { Transition::Deliver(Some(notes)) } else { Transition::Supersede(notes) }
        }
        Next::Nothing | Next::Refused | Next::Ahead { .. } => {
            notes.extend(step.notes);
            let notes = notes.join("; ");
            Transition::Deliver(Some(notes).filter(|notes| !notes.is_empty()))
        }
        Next::Ask(..) | Next::Create(_) | Next::Update(..) => {
            standing.open = Some(id.clone());
            notes.push("more is to be told of it".to_owned());
            Transition::Wait(notes.join("; "))
        }
    }
}

/// The claim of a process that is gone: nobody knows how its call ended. A deal that it was to create may exist.
pub(in crate::decision) fn void(claimed: &Delivery, key: &DealKey, world: &mut World, now: UnixMicros) {
    if world.deals.get(key).is_some()
        && let Some(standing) = world.deals.edit(key).standing.get_mut(&claimed.account)
    {
        standing.unanswered();
    }
    world.deliveries.change(&claimed.id, |delivery| delivery.void_claim(now));
}

/// A call of a deal is played: it was stored under this id, or, without one, a question found nothing.
pub(in crate::decision) fn played(
    key: &DealKey,
    id: Option<u64>,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let Some(standing) = world.deals.edit(key).standing.get_mut(&settings.account) else { return };
    let Some(id) = id else {
        match standing.asked() {
            Some((Asked::Deal(_), _)) => {
                standing.seen = Some(Seen { stage_id: 0, at: now });
                standing.doubted_at = None;
            }
            Some((Asked::DealsOf(_) | Asked::Key, _)) | None => looked_in_vain(standing, now),
        }
        return;
    };
    standing.stored(Some(standing.birth.id().unwrap_or(id)), None, now);
}

/// The delivery that is open, or dead, for a deal with an account.
pub(in crate::decision) fn open<'w>(
    key: &DealKey,
    world: &'w World,
    account: &Account,
) -> Option<&'w DeliveryId> {
    world.deals.get(key)?.standing.get(account)?.open.as_ref()
}

/// Its open delivery was given up.
pub(in crate::decision) fn discarded(key: &DealKey, world: &mut World, account: &Account) {
    if let Some(standing) = world.deals.edit(key).standing.get_mut(account) {
        standing.open = None;
    }
}

/// Notes that what was refused is sent again.
pub(in crate::decision) fn redrive(key: &DealKey, world: &mut World, account: &Account) {
    if let Some(standing) = world.deals.edit(key).standing.get_mut(account) {
        standing.left_out.clear();
        if let Some(refused) = &mut standing.refused {
            refused.redrive = Redrive::Ordered;
        }
    }
}
