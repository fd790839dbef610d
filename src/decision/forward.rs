//! A lifecycle stage that never goes back by an event of ours (`forward_only`): people in Freshsales move contacts too, so it is
//! moved only once it is known where the contact stands.
//!
//! That is shown by the answer to an upsert; where none was lately, one question goes before. What the contact is past of
//! already counts as accepted. Must not know how calls are made.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Settings;
use crate::clock::UnixMicros;
use crate::contact::{Attributes, StageSeen, Standing};
use crate::delivery::Verdict;
use crate::person::Facts;
use crate::selectors::{Kind, Resolved, name_in};

/// What was shown of the stage counts so long; then it is asked for anew.
const SEEN_COUNTS_FOR: Duration = Duration::from_mins(10);
/// What a lifecycle stage is sent as.
pub(super) const STAGE: &str = "lifecycle_stage_id";
/// A status belongs to a stage: it goes with it, or not at all.
const STATUS: &str = "contact_status_id";

/// What becomes of the stage that a call would carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// It goes.
    Goes,
    /// The contact of this id has to be looked at first.
    Look(u64),
    /// Freshsales may have the contact, and nobody has seen where: it goes once the first call has shown that.
    Later,
    /// The contact is there, or past it; says where.
    Past(String),
}

/// Whether the stage of a call may go; `None` where the call carries none, or stages may go back.
pub(super) fn judge(
    attributes: &Attributes,
    standing: &Standing,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Move> {
    let wanted = attributes.get(STAGE).and_then(Value::as_u64)?;
    settings.preset.forward_only_stage()?;
    if !standing.known() {
        return Some(Move::Later);
    }
    let seen = standing.stage_seen.filter(|seen| now.since(seen.at) < SEEN_COUNTS_FOR);
    let Some(seen) = seen else {
        return Some(standing.contact_id.map_or(Move::Goes, Move::Look));
    };
    let Some(stands) = seen.id else { return Some(Move::Goes) };
    let place = |id: u64| settings.selectors.lifecycle_stage(id);
    Some(match (place(stands), place(wanted)) {
        (Some((at, stage)), Some((to, _))) if at >= to => Move::Past(stage.name.clone()),
        // Where it stands is none of the stages that are known: nobody can tell which of the two is further.
        (None, _) if stands != wanted => Move::Past(format!("another stage ({stands})")),
        _ => Move::Goes,
    })
}

/// Takes the stage out of a call, and the status that belongs to it.
pub(super) fn take_out(attributes: &mut Attributes) -> Attributes {
    let taken = [STAGE, STATUS].into_iter().filter_map(|name| attributes.remove_entry(name));
    taken.collect()
}

/// What a stage that the contact is past of becomes: settled, and a note that says so.
pub(super) fn settle_past(taken: Attributes, stands: &str, standing: &mut Standing) -> String {
    standing.accepted.get_or_insert_default().extend(taken);
    format!(
        "its lifecycle stage was left as it is: Freshsales has the contact in {stands}, and forward_only is set"
    )
}

/// What an answer shows of where the contact stands. `question`: it was asked for; its answer holds more than the contact.
pub(super) fn seen(verdict: &Verdict, question: bool, now: UnixMicros) -> Option<StageSeen> {
    let stage = |contact: &Map<String, Value>| contact.get(STAGE).and_then(Value::as_u64);
    match verdict {
        Verdict::Stored(answer) if question => {
            let contact =
                answer.shown.as_ref().and_then(|shown| shown.get("contact")).and_then(Value::as_object);
            Some(StageSeen { id: contact.and_then(stage), at: now })
        }
        Verdict::Stored(answer) => {
            answer.shown.as_ref().map(|contact| StageSeen { id: stage(contact), at: now })
        }
        // There is no contact that could stand anywhere.
        Verdict::Gone { .. } | Verdict::Refused { .. } | Verdict::Shut { .. } if question => {
            Some(StageSeen { id: None, at: now })
        }
        Verdict::Gone { .. }
        | Verdict::Refused { .. }
        | Verdict::Shut { .. }
        | Verdict::Throttled { .. }
        | Verdict::Passing { .. }
        | Verdict::Blocked { .. } => None,
    }
}

/// The furthest of the stages that were said of people, where stages do not go back: its name, and where it was said.
pub(super) fn furthest(here: &[&Facts], settings: &Settings) -> Option<(Value, String, String)> {
    let attribute = settings.preset.forward_only_stage()?;
    let said = here.iter().flat_map(|facts| settings.preset.all_said(facts, attribute));
    let placed = said.filter_map(|(path, said)| {
        let id = match said.value.as_u64() {
            Some(id) => Resolved::Id(id),
            None => settings.selectors.resolve(Kind::LifecycleStages, &name_in(&said.value)),
        };
        let (place, _) = settings.selectors.lifecycle_stage(id.id()?)?;
        Some((place, path, said))
    });
    let (_, path, said) = placed.max_by_key(|(place, _, said)| (*place, said.stamp.clone()))?;
    Some((said.value, path.to_owned(), said.stamp.message_id))
}
