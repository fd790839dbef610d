//! Deals in the decision: what an event says of one is learned, and what is owed to it is opened, joined or held back.
//!
//! A deal that is owed a call has a delivery as soon as a call can be built; until then it is held, with a cause.

mod call;
mod converted;
mod heard;
mod order;
mod refusal;
mod shown;
mod wish;

use super::action::{Action, ActionState};
use super::{Reading, Settings, World, company, lead};
use crate::allowance::HOUR;
use crate::clock::UnixMicros;
use crate::deal::{self, Deal, DealSaid, HeldBack, Next, Standing};
use crate::delivery::{DealKey, Delivery, DeliveryId, Lane, State, Subject};
use crate::event::Email;

pub(super) use heard::hear;

pub(super) use call::{claim, discarded, open, played, redrive, settle, void};
pub use converted::conversion_of;
pub use order::{DealOrder, NoOrder, may_be_ordered, order_deal};
pub use shown::{ConsideredDeal, consider_deal, creation_of_deal};
use wish::{Company, DealWish, wish_of};

pub(super) use wish::company_needed;

/// Takes in what an event says of a deal.
pub(super) fn learn(reading: &Reading, world: &mut World, settings: &Settings) {
    let (Some(key), Some(Ok(said))) = (reading.deal_key(), &reading.deal) else { return };
    let doubt = world.destination.document.doubt.filter(|doubt| doubt.holds(reading.stamp.at));
    if let Some(doubt) = doubt.filter(|_| world.deals.get(&key).is_none()) {
        // It comes again: a call that nobody knows of may have created it.
        let standings = &mut world.deals.edit(&key).standing;
        standings.entry(settings.account.clone()).or_default().distrust(doubt.until);
    }
    let person = reading.deal_person();
    world.deals.edit(&key).learn(&DealSaid {
        event: &said.event,
        said: &said.said,
        person: person.as_ref(),
        stamp: &reading.stamp,
        received_at: reading.received_at,
    });
}

/// What is wanted of a deal now, in names, as its creation would carry it.
pub(super) fn wanted(key: &DealKey, world: &World, settings: &Settings) -> Option<deal::Attributes> {
    Some(wish_of(key, world.deals.get(key)?, world, settings)?.whole())
}

/// Why a deal is evaluated, and in which lane what it is owed goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion {
    /// The lane of a change. Creation is a conversion, unless it is old data.
    pub lane: Lane,
    /// An event of this deal.
    pub by_event: bool,
}

/// Evaluates the deal that an event speaks of, and those that waited for what it changed. `opened` is how many deliveries the
/// event opened before.
pub(super) fn owe(
    reading: &Reading,
    touched: &[Email],
    opened: usize,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let own = reading.deal_key();
    match (&reading.deal, &own) {
        (Some(Err(why)), _) => actions.push(Action::no_key(why)),
        (Some(Ok(said)), None) => actions.push(Action::nobody(&said.kind)),
        (Some(Ok(_)), Some(key)) => {
            let occasion = Occasion { lane: reading.lane, by_event: true };
            let id = DeliveryId::of(reading.position, opened);
            actions.push(evaluate(key, id, occasion, world, settings, now));
        }
        (None, _) => {}
    }
    for key in waiting(touched, own.as_ref(), world, settings) {
        let occasion = Occasion { lane: reading.lane, by_event: false };
        let id = DeliveryId::of(reading.position, opened + actions.len());
        actions.push(evaluate(&key, id, occasion, world, settings, now));
    }
    actions
}

/// The deals in the working set that are held and belong to one of these contacts, or to somebody who had none.
fn waiting(emails: &[Email], but: Option<&DealKey>, world: &World, settings: &Settings) -> Vec<DealKey> {
    let waits = |(key, deal): &(&DealKey, &Deal)| {
        let held = deal.held(&settings.account).is_some() && Some(*key) != but;
        held && deal.email.as_ref().is_none_or(|email| emails.contains(email))
    };
    world.deals.iter().filter(waits).map(|(key, _)| key.clone()).collect()
}

/// Evaluates the deals that waited for a contact whose call has ended, or for another record of theirs.
pub(super) fn evaluate_waiting(email: &Email, world: &mut World, settings: &Settings, now: UnixMicros) {
    for key in waiting(std::slice::from_ref(email), None, world, settings) {
        let occasion = Occasion { lane: Lane::Conversion, by_event: false };
        let id = DeliveryId::without_event(&Subject::Deal(key.clone()), now);
        evaluate(&key, id, occasion, world, settings, now);
    }
}

/// Evaluates a deal that no event touched; tells whether it is owed a call now that was not owed before.
pub(super) fn evaluate_without_event(
    key: &DealKey,
    id: DeliveryId,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let occasion = Occasion { lane: Lane::Refresh, by_event: false };
    evaluate(key, id, occasion, world, settings, now).state == ActionState::Queued
}

fn evaluate(
    key: &DealKey,
    id: DeliveryId,
    occasion: Occasion,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Action {
    let Some(deal) = world.deals.get(key) else { return Action::unchanged(key, None) };
    let mut standing = deal.with(&settings.account);
    if deal.events.is_empty() && standing.birth.id().is_some() {
        // Freshsales told of it, and no event has: nothing is wanted of it.
        return Action::unchanged(key, standing.last_delivered);
    }
    let Some(wanted) = wish_of(key, deal, world, settings) else {
        return Action::unchanged(key, standing.last_delivered);
    };
    let (before, email_before) = (standing.clone(), deal.email.clone());
    standing.hearing.note_wanted(&wanted.wish.attributes, &wanted.wish.said_at);
    let action = if let Some(call) = &standing.in_flight {
        // What has changed meanwhile is looked at when its answer comes.
        Action::absorbed(key, call.delivery.clone())
    } else {
        match step(&wanted, &mut standing, settings, now).next {
            Next::Nothing | Next::Ahead { .. } => {
                drop_open(&mut standing, "the deal is as Freshsales has it", world, now);
                standing.held = None;
                Action::unchanged(key, standing.last_delivered.clone())
            }
            Next::Refused => Action::refused(key, standing.open.clone()),
            Next::Held(held) => {
                drop_open(&mut standing, &held.words(), world, now);
                let action = Action::held(key, &held);
                if let (HeldBack::Company, Company::Waits(company, name), Some(email)) =
                    (&held, &wanted.company, &wanted.email)
                {
                    let subject = Subject::Company(company.clone());
                    company::begin(company, name, email, world, settings);
                    company::evaluate(
                        company,
                        DeliveryId::without_event(&subject, now),
                        occasion.lane,
                        world,
                        settings,
                        now,
                    );
                }
                if let (HeldBack::Lead, true, Some(email)) = (&held, occasion.by_event, &wanted.email) {
                    lead::doubt(email, world, settings, now);
                }
                standing.held = Some(held);
                action
            }
            next @ (Next::Ask(..) | Next::Create(_) | Next::Update(..)) => {
                standing.held = None;
                let touch = Touch { key, id, occasion, email: wanted.email.as_ref(), next: &next };
                open_or_join(touch, &mut standing, world, settings, now)
            }
        }
    };
    if standing != before || email_before != wanted.email {
        let deal = world.deals.edit(key);
        deal.email = wanted.email;
        deal.standing.insert(settings.account.clone(), standing);
    }
    action
}

/// A step, and what a person should know of it.
struct Step {
    next: Next,
    notes: Vec<String>,
}

/// The next step of a deal that can be made now. What a person has moved further counts as accepted on the way.
fn step(wanted: &DealWish, standing: &mut Standing, settings: &Settings, now: UnixMicros) -> Step {
    let mut notes = wanted.notes.clone();
    if let Some(held) = &wanted.held {
        return Step { next: Next::Held(held.clone()), notes };
    }
    let mut next = deal::next(&wanted.wish, standing, now);
    if let Next::Ahead { stage, at } = next {
        notes.extend(at.map(|at| format!("a person has moved it to {at}, so it stays there")));
        standing.ahead(stage);
        next = deal::next(&wanted.wish, standing, now);
    }
    let sent = match &next {
        Next::Create(_) if matches!(wanted.company, Company::Waits(..)) => {
            return Step { next: Next::Held(HeldBack::Company), notes };
        }
        Next::Create(attributes) | Next::Update(_, attributes, _) => attributes,
        Next::Nothing | Next::Refused | Next::Held(_) | Next::Ask(..) | Next::Ahead { .. } => {
            return Step { next, notes };
        }
    };
    match wanted.resolve(sent, settings) {
        Ok((_, left_out)) => notes.extend(left_out),
        Err(why) => next = Next::Held(HeldBack::Name(why)),
    }
    Step { next, notes }
}

struct Touch<'a> {
    key: &'a DealKey,
    id: DeliveryId,
    occasion: Occasion,
    email: Option<&'a Email>,
    next: &'a Next,
}

fn open_or_join(
    touch: Touch<'_>,
    standing: &mut Standing,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Action {
    let Touch { key, id, occasion, email, next } = touch;
    let exists = standing.birth.id().is_some();
    let lane = match occasion.lane {
        Lane::Backfill => Lane::Backfill,
        lane @ (Lane::Refresh | Lane::Login | Lane::Conversion | Lane::NewContact | Lane::Withdrawal) => {
            if exists {
                lane.min(Lane::Conversion)
            } else {
                Lane::Conversion
            }
        }
    };
    let hold = settings.preset.deal_kind(key.kind()).filter(|_| exists).map(crate::mapping::DealRule::hold);
    let due = now.plus(hold.unwrap_or_default());
    let due = if let Next::Ask(_, at) = next { due.max(*at) } else { due };
    let waiting = standing.open.as_ref().and_then(|open| world.deliveries.get(open)).cloned();
    if let Some(waiting) = waiting {
        let dead = waiting.state == State::Dead;
        let mut joined = if occasion.by_event { waiting.clone().absorb(lane) } else { waiting.clone() };
        if dead {
            let refused_at = standing.refused.as_ref().map(|refused| refused.at);
            let mends = occasion.by_event || refused_at.is_none();
            let not_before = if mends { now } else { refused_at.map_or(now, |at| at.plus(HOUR)) };
            joined = joined.reopen(not_before.max(now));
        } else if waiting.state == State::Waiting {
            joined.next_attempt_at = joined.next_attempt_at.min(due);
        }
        if joined != waiting {
            world.deliveries.change(&waiting.id, |_| joined);
        }
        return Action::absorbed(key, waiting.id);
    }
    let account = settings.account.clone();
    let mut delivery = Delivery::open(id.clone(), account, Subject::Deal(key.clone()), lane, now);
    (delivery.next_attempt_at, delivery.person) = (due, email.cloned());
    if !occasion.by_event {
        delivery.events = 0;
    }
    world.deliveries.open(delivery);
    standing.open = Some(id.clone());
    Action::queued(key, id, exists)
}

/// What was owed is owed no more, or can't be sent now.
fn drop_open(standing: &mut Standing, why: &str, world: &mut World, now: UnixMicros) {
    if let Some(open) = standing.open.take() {
        world.deliveries.change(&open, |delivery| delivery.supersede(why, now));
        standing.refused = None;
    }
}
