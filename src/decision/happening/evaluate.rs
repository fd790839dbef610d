//! Evaluating a happening: whether it can be told now, and what becomes of its delivery.
//!
//! Must not build a body or read an answer.

use super::super::action::{Action, ActionState};
use super::super::{Settings, World};
use super::wish::wish_of;
use super::{limit, merge};
use crate::clock::UnixMicros;
use crate::delivery::{Birth, Delivery, DeliveryId, HappeningId, Lane, State, Subject};
use crate::happening::{Happening, Held, Next, Says, Standing, next};

/// Evaluates everything in the working set that is held: what it waited for may have come.
pub(in crate::decision) fn evaluate_held(world: &mut World, settings: &Settings, now: UnixMicros) {
    let held = world.happenings.iter().filter(|(_, it)| it.standing.held.is_some());
    let mut held: Vec<(UnixMicros, HappeningId)> = held.map(|(id, it)| (it.stamp.at, id.clone())).collect();
    held.sort();
    for (_, id) in held {
        evaluate_without_event(&id, world, settings, now);
    }
}

/// Evaluates a happening that no event touched; tells whether it is owed a call now that was not owed before.
pub(in crate::decision) fn evaluate_without_event(
    id: &HappeningId,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let delivery = DeliveryId::without_event(&Subject::Happening(id.clone()), now);
    let action = evaluate(id, delivery, false, world, settings, now);
    action.is_some_and(|action| action.state == ActionState::Queued)
}

/// Looks at what a happening needs now; a line of what became of it.
pub(super) fn evaluate(
    id: &HappeningId,
    delivery: DeliveryId,
    by_event: bool,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Action> {
    // What was for another account, or for a dry run, is told there or nowhere.
    let happening = world.happenings.get(id).filter(|it| it.account == settings.account)?.clone();
    if let Some(call) = &happening.standing.in_flight {
        return Some(Action::happening(
            id,
            ActionState::Absorbed,
            "its call is on its way",
            Some(call.delivery.clone()),
        ));
    }
    let wanted = wish_of(&happening, world, settings, now);
    let mut changed = happening.clone();
    (changed.email, changed.on) = (wanted.email.clone(), wanted.on.clone());
    let step = next(&wanted.wish, &changed.standing);
    if step != Next::Nothing
        && changed.standing.day.is_none()
        && let Some((too_many, more)) = limit::refuse(id, &mut changed, world, settings, now)
    {
        if let Some(more) = more {
            evaluate_without_event(&more, world, settings, now);
        }
        return Some(too_many);
    }
    let mut put_down = Vec::new();
    let action = match step {
        Next::Nothing => of_nothing(id, &changed.standing, world),
        Next::Refused => Action::happening(
            id,
            ActionState::Absorbed,
            "Freshsales refused it before",
            changed.standing.open.clone(),
        ),
        Next::Drop(why) => {
            let action = Action::happening(id, ActionState::Dropped, &why, None);
            put_down = let_go(id, &mut changed.standing, &why, world, now);
            changed.standing.drop(why);
            action
        }
        Next::Held(held) => {
            put_down = let_go(id, &mut changed.standing, &held.words(), world, now);
            if held == Held::Contact {
                lift_contact(&changed, world, settings);
            }
            let action = Action::held_happening(id, &held);
            changed.standing.held = Some(held);
            action
        }
        Next::Ask { .. } | Next::Tell => {
            changed.standing.held = None;
            let alone = changed.standing.open.is_none() && changed.standing.riders.is_empty();
            let carrier = (step == Next::Tell && alone)
                .then(|| merge::carrier_for(id, &changed, &wanted.known, world, settings))
                .flatten();
            match carrier {
                Some(carrier) => merge::ride(id, &mut changed, &carrier, by_event, world),
                None => open_or_join(id, Opens { delivery, by_event, step: &step }, &mut changed, world, now),
            }
        }
    };
    if changed != happening {
        *world.happenings.edit(id) = changed;
    }
    for rider in put_down {
        evaluate_without_event(&rider, world, settings, now);
    }
    Some(action)
}

/// Who is waited for is called in the highest lane of those that wait: else a lead's note would starve behind page views.
fn lift_contact(happening: &Happening, world: &mut World, settings: &Settings) {
    let contact = happening.email.as_ref().and_then(|email| world.contacts.get(email));
    let open = contact.and_then(|contact| contact.standing.get(&settings.account)?.open.clone());
    let waits = |delivery: &Delivery| matches!(delivery.state, State::Waiting | State::Retrying);
    // Freshsales does not have it yet.
    let lane = if happening.lane == Lane::Conversion { Lane::NewContact } else { happening.lane };
    if let Some(open) = open.filter(|open| {
        world.deliveries.get(open).is_some_and(|delivery| waits(delivery) && delivery.lane < lane)
    }) {
        world.deliveries.change(&open, |delivery| Delivery { lane, ..delivery });
    }
}

fn of_nothing(id: &HappeningId, standing: &Standing, world: &World) -> Action {
    let carrier = standing.rides.as_ref().and_then(|carrier| world.happenings.get(carrier));
    if let Some(carrier) = carrier {
        let delivery = carrier.standing.open.clone();
        return Action::happening(
            id,
            ActionState::Absorbed,
            "it goes along in the call of another",
            delivery,
        );
    }
    let why = standing.dropped.clone().unwrap_or_else(|| "Freshsales has it already".to_owned());
    Action::happening(id, ActionState::Unchanged, &why, standing.last_delivered.clone())
}

/// What a delivery is opened by.
struct Opens<'a> {
    delivery: DeliveryId,
    by_event: bool,
    step: &'a Next,
}

fn open_or_join(
    id: &HappeningId,
    opens: Opens<'_>,
    happening: &mut Happening,
    world: &mut World,
    now: UnixMicros,
) -> Action {
    let Opens { delivery, by_event, step } = opens;
    if let Some(open) = happening.standing.open.clone().filter(|open| world.deliveries.get(open).is_some()) {
        let is_dead = world.deliveries.get(&open).is_some_and(|open| open.state == State::Dead);
        if is_dead && !happening.standing.refused {
            world.deliveries.change(&open, |dead| dead.reopen(now));
        }
        return Action::happening(id, ActionState::Absorbed, "its delivery waits", Some(open));
    }
    let at = if let Next::Ask { at, .. } = step { Some(*at) } else { happening.says.due_at() };
    let account = happening.account.clone();
    let mut opened = Delivery::open(delivery.clone(), account, id.clone(), happening.lane, now);
    opened.next_attempt_at = at.map_or(now, |at| at.max(now));
    opened.person.clone_from(&happening.email);
    if !by_event {
        opened.events = 0;
    }
    world.deliveries.open(opened);
    happening.standing.open = Some(delivery.clone());
    let why = match &happening.says {
        Says::Note { .. } => "a note is to be told; a call is owed",
        Says::Activity { .. } => "an activity is to be told; a call is owed",
        Says::Task { .. } => "a task is to be told; a call is owed",
        Says::More { .. } => "how much more there was is told when the day is over",
    };
    Action::happening(id, ActionState::Queued, why, Some(delivery))
}

/// It gets no call now: its delivery ends. Answers those that went along in its call and are to be looked at by themselves.
fn let_go(
    id: &HappeningId,
    standing: &mut Standing,
    why: &str,
    world: &mut World,
    now: UnixMicros,
) -> Vec<HappeningId> {
    if let Some(open) = standing.open.take() {
        world.deliveries.change(&open, |delivery| delivery.supersede(why, now));
    }
    // What may have been told with it is decided on with it.
    if standing.birth != Birth::Planned {
        return Vec::new();
    }
    let riders: Vec<HappeningId> = std::mem::take(&mut standing.riders).into_iter().collect();
    for rider in &riders {
        merge::put_down(rider, id, world);
    }
    riders
}
