//! Happenings in the decision: what an event tells is kept, and told once the record it hangs on has an id.
//!
//! One that can be told has a delivery, or goes along in the call of another; until then it is held, with a cause.

mod call;
mod evaluate;
mod limit;
mod merge;
mod order;
mod shown;
mod wish;

use super::action::Action;
use super::{Reading, Settings, World};
use crate::clock::UnixMicros;
use crate::delivery::{DeliveryId, Lane};
use crate::happening::{Happening, On, Standing};
use crate::mapping::Hangs;

pub(super) use call::{claim, discarded, open, played, redrive, settle, void};
use evaluate::evaluate;
pub(super) use evaluate::{evaluate_held, evaluate_without_event};
pub use order::{HappeningOrder, NoHappening, may_drop, may_tell, order_happening};
pub use shown::{ConsideredHappening, consider_happening, told_body};
pub(super) use wish::company_needed;

/// Keeps what an event tells.
pub(super) fn learn(reading: &Reading, world: &mut World, settings: &Settings) {
    for (id, told) in &reading.happenings {
        let on = match told.on {
            Hangs::Contact => On::Contact,
            Hangs::Deal => match reading.deal_key() {
                Some(key) => On::Deal(key),
                None => continue,
            },
            Hangs::Company => On::Company(reading.company_key()),
        };
        if world.happenings.get(id).is_some() {
            // The same message, older than what is remembered of messages: it was told then.
            continue;
        }
        let mut standing = Standing::default();
        if let Some(doubt) = world.destination.document.doubt.filter(|doubt| doubt.holds(reading.stamp.at)) {
            // It comes again: a call that nobody knows of may have told it.
            standing.distrust(doubt.until);
        }
        let lane = told.lane.unwrap_or(reading.lane).min(Lane::Conversion);
        *world.happenings.edit(id) = Happening {
            account: settings.account.clone(),
            event: reading.name.clone(),
            source: reading.source.clone(),
            person: reading.deal_person(),
            stamp: reading.stamp.clone(),
            received_at: reading.received_at,
            lane,
            on,
            says: told.says.clone(),
            email: None,
            standing,
        };
    }
}

/// Evaluates what an event tells, a line each, and what waited for what it changed. `opened` is how many deliveries the event
/// opened before.
pub(super) fn owe(
    reading: &Reading,
    opened: usize,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<Action> {
    let mut actions = Vec::new();
    for (id, told) in &reading.happenings {
        if world.happenings.get(id).is_none() {
            // The deal that it would hang on is not named.
            actions.push(Action::untold(id, on_no_deal(told.on)));
            continue;
        }
        let delivery = DeliveryId::of(reading.position, opened + actions.len());
        actions.extend(evaluate(id, delivery, true, world, settings, now));
    }
    evaluate_held(world, settings, now);
    actions
}

fn on_no_deal(on: Hangs) -> &'static str {
    match on {
        Hangs::Deal => "the event does not say which deal it speaks of, so nothing is told of it",
        Hangs::Contact | Hangs::Company => "it was told before",
    }
}
