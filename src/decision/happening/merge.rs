//! Merging: notes that wait for the same record go in one call, and so do equal activities.
//!
//! Which of them carries the others makes no difference to what is told.

use std::collections::BTreeMap;

use super::super::action::{Action, ActionState};
use super::super::{Settings, World};
use super::wish::wish_of;
use crate::clock::UnixMicros;
use crate::delivery::{Birth, HappeningId, State};
use crate::happening::{Happening, Part, Says, TEXT_CHARS_MAX};

/// The happening in whose call this one can go along.
pub(super) fn carrier_for(
    id: &HappeningId,
    happening: &Happening,
    known: &BTreeMap<String, String>,
    world: &World,
    settings: &Settings,
) -> Option<HappeningId> {
    let part = Part { id, happening, known: known.clone() };
    let waits = |(other, it): &(&HappeningId, &Happening)| {
        let open = it.standing.open.as_ref().and_then(|open| world.deliveries.get(open));
        let due = open.is_some_and(|open| matches!(open.state, State::Waiting | State::Retrying));
        let planned =
            it.standing.birth == Birth::Planned && it.standing.in_flight.is_none() && !it.standing.refused;
        *other != id && due && planned && it.account == happening.account && it.email == happening.email
    };
    let fits = |other: &HappeningId, it: &Happening| {
        if it.target().is_none() || it.target() != happening.target() {
            return false;
        }
        let theirs = Part { id: other, happening: it, known: known.clone() };
        match (&it.says, &happening.says) {
            (Says::Note { .. }, Says::Note { .. }) => {
                let riders = it.standing.riders.iter().filter_map(|rider| {
                    let rider = world.happenings.get(rider)?;
                    Some(Part { id: other, happening: rider, known: known.clone() }.chars())
                });
                let chars = part.chars() + theirs.chars() + riders.sum::<usize>();
                settings.happenings.merge_notes && chars <= TEXT_CHARS_MAX
            }
            (Says::Activity { .. }, Says::Activity { .. }) => {
                let apart = it.stamp.at.since(happening.stamp.at).max(happening.stamp.at.since(it.stamp.at));
                apart <= settings.happenings.merge_within() && alike(&theirs, &part)
            }
            (Says::Note { .. } | Says::Activity { .. } | Says::Task { .. } | Says::More { .. }, _) => false,
        }
    };
    let mut found = world.happenings.iter().filter(waits);
    found.find(|(other, it)| fits(other, it)).map(|(other, _)| other.clone())
}

/// Whether two activities are the same but for their time.
fn alike(one: &Part<'_>, other: &Part<'_>) -> bool {
    let of = |part: &Part<'_>| match &part.happening.says {
        Says::Activity { activity_type, outcome, owner, .. } => {
            Some((activity_type.clone(), outcome.clone(), owner.clone(), part.title()))
        }
        Says::Note { .. } | Says::Task { .. } | Says::More { .. } => None,
    };
    of(one) == of(other)
}

/// Lets a happening go along in the call of another.
pub(super) fn ride(
    id: &HappeningId,
    happening: &mut Happening,
    carrier: &HappeningId,
    by_event: bool,
    world: &mut World,
) -> Action {
    happening.standing.rides = Some(carrier.clone());
    world.happenings.edit(carrier).standing.riders.insert(id.clone());
    let open = world.happenings.get(carrier).and_then(|carrier| carrier.standing.open.clone());
    if let Some(open) = open.as_ref().filter(|_| by_event) {
        let lane = happening.lane;
        world.deliveries.change(open, |delivery| delivery.absorb(lane));
    }
    Action::happening(id, ActionState::Absorbed, "it goes along in the call of another that waits", open)
}

/// A happening does not go along in the call of this one any more.
pub(super) fn put_down(rider: &HappeningId, carrier: &HappeningId, world: &mut World) {
    if world.happenings.get(rider).is_some_and(|it| it.standing.rides.as_ref() == Some(carrier)) {
        world.happenings.edit(rider).standing.rides = None;
    }
}

/// One that goes along in a call, and what is known of its person.
pub(super) struct Rider {
    pub id: HappeningId,
    pub happening: Happening,
    pub known: BTreeMap<String, String>,
}

/// Those that go along in a call and may be told now; the others are put down, and are to be looked at by themselves.
pub(super) fn riders_to_tell(
    id: &HappeningId,
    carrier: &mut Happening,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> (Vec<Rider>, Vec<HappeningId>) {
    let (mut told, mut others) = (Vec::new(), Vec::new());
    for rider in std::mem::take(&mut carrier.standing.riders) {
        let Some(happening) = world.happenings.get(&rider).cloned() else { continue };
        let wanted = wish_of(&happening, world, settings, now);
        let may = wanted.wish.held.is_none() && wanted.wish.drop.is_none();
        if may && happening.standing.rides.as_ref() == Some(id) {
            carrier.standing.riders.insert(rider.clone());
            told.push(Rider { id: rider, happening, known: wanted.known });
        } else {
            put_down(&rider, id, world);
            others.push(rider);
        }
    }
    (told, others)
}
