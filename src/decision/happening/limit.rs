//! The limit on what is told of one record in a day: what is beyond it is counted, and told by one note when the day is over.

use super::super::action::{Action, ActionState};
use super::super::{Settings, World};
use crate::clock::UnixMicros;
use crate::delivery::{HappeningId, Lane};
use crate::event::Stamp;
use crate::happening::{Happening, Says, Standing, day_of};

/// Counts a happening for its day. One that is too many goes, and is counted in the day's last note, which is to be evaluated.
pub(super) fn refuse(
    id: &HappeningId,
    happening: &mut Happening,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<(Action, Option<HappeningId>)> {
    if matches!(happening.says, Says::More { .. }) {
        return None;
    }
    let (day, over_at) = day_of(now);
    let whose = happening.counts_for();
    let counts = |(other, it): &(&HappeningId, &Happening)| {
        let same =
            it.account == happening.account && it.standing.day == Some(day) && it.counts_for() == whose;
        same && *other != id
    };
    let told = world.happenings.iter().filter(counts).count();
    let max = usize::try_from(settings.happenings.per_target_per_day_max).unwrap_or(usize::MAX);
    if told < max {
        happening.standing.day = Some(day);
        return None;
    }
    world.happenings.remove(id);
    let target = happening.target().map(|target| target.to_string());
    let more = target.map(|target| HappeningId::of_day(&settings.marker_key, &target, day));
    if let Some(more) = &more {
        count_one_more(more, happening, over_at, world, now);
    }
    let why = format!(
        "{max} were told of it today already (happenings.per_target_per_day_max); how many more there were is told when the day is over"
    );
    Some((Action::happening(id, ActionState::TooMany, &why, None), more))
}

fn count_one_more(
    more: &HappeningId,
    one: &Happening,
    due_at: UnixMicros,
    world: &mut World,
    now: UnixMicros,
) {
    match world.happenings.get(more).map(|it| &it.says) {
        Some(Says::More { events, due_at }) => {
            let says = Says::More { events: events + 1, due_at: *due_at };
            world.happenings.edit(more).says = says;
        }
        Some(_) => {}
        None => {
            *world.happenings.edit(more) = Happening {
                event: one.event.clone(),
                stamp: Stamp { at: now, message_id: String::new(), trust: one.stamp.trust },
                received_at: now,
                lane: Lane::Refresh,
                says: Says::More { events: 1, due_at },
                standing: Standing::default(),
                ..one.clone()
            };
        }
    }
}
