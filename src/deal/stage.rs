//! The stage: which one a deal wants, of all that were said, by the order its pipeline has in the account.
//!
//! Must not know when a call is made.

use std::collections::BTreeMap;

use crate::event::{Stamp, fold_name};
use crate::selectors::{Forecast, Stage};

/// The newest stage that was said is none of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStage(pub String);

/// The stage that a deal wants. `said` holds when each stage was last said, under whatever name the mapping gives it;
/// `stages` are those of its pipeline in their order.
///
/// With `forward_only`: the furthest of the stages said since the last loss, a won one being the furthest of all; the loss,
/// where none was said since. So late and repeated events never move it back, a refund after a win does, and a new checkout
/// after a loss begins anew. Otherwise: the newest.
///
/// Where a server speaks of the deal, what visitors say wins and loses nothing: see [`closes_unbelieved`].
///
/// # Errors
/// A stage that the pipeline does not have was said last. Older ones are passed over: what came after them says where the
/// deal stands.
pub fn wanted_stage<'s>(
    said: &BTreeMap<String, Stamp>,
    stages: &'s [Stage],
    forward_only: bool,
) -> Result<Option<&'s Stage>, UnknownStage> {
    let said: BTreeMap<&String, &Stamp> =
        said.iter().filter(|(name, _)| !closes_unbelieved(said, name, stages)).collect();
    let find = |name: &str| stages.iter().enumerate().find(|(_, stage)| is_called(stage, name));
    let Some((newest, _)) = said.iter().max_by_key(|(name, stamp)| (**stamp, **name)) else {
        return Ok(None);
    };
    let Some((_, newest)) = find(newest) else { return Err(UnknownStage((*newest).clone())) };
    if !forward_only {
        return Ok(Some(newest));
    }
    let known = || said.iter().filter_map(|(name, stamp)| Some((find(name)?, stamp)));
    let losses = known().filter(|((_, stage), _)| stage.forecast == Forecast::Lost);
    let loss = losses.max_by_key(|((place, _), stamp)| (*stamp, *place));
    let since = known().filter(|((_, stage), stamp)| {
        stage.forecast != Forecast::Lost && loss.is_none_or(|(_, lost_at)| *stamp > lost_at)
    });
    let furthest = since.max_by_key(|((place, stage), _)| rank(stage, *place));
    Ok(furthest.or(loss).map(|((_, stage), _)| stage))
}

/// Whether a stage is a closed one that only visitors said, of a deal that a server speaks of: whoever knows the number of an
/// order could lose it otherwise.
#[must_use]
pub fn closes_unbelieved(said: &BTreeMap<String, Stamp>, name: &str, stages: &[Stage]) -> bool {
    let closes = || stages.iter().any(|stage| is_called(stage, name) && stage.forecast != Forecast::Open);
    let by_server = || said.values().any(|stamp| stamp.trust.is_server());
    said.get(name).is_some_and(|stamp| !stamp.trust.is_server()) && by_server() && closes()
}

/// How far a stage is in its pipeline: `place` counts from its beginning.
fn rank(stage: &Stage, place: usize) -> (bool, usize) {
    (stage.forecast == Forecast::Won, place)
}

/// Whether a stage is further than another of the same pipeline.
#[must_use]
pub fn is_further(stage: &Stage, than: &Stage, stages: &[Stage]) -> bool {
    let place = |of: &Stage| stages.iter().position(|stage| stage.id == of.id).unwrap_or(0);
    rank(stage, place(stage)) > rank(than, place(than))
}

/// Whether a stage is called so: without regard to case, spaces, `_` and `-`, or by its id.
#[must_use]
pub fn is_called(stage: &Stage, name: &str) -> bool {
    fold_name(&stage.name) == fold_name(name) || name.parse() == Ok(stage.id)
}
