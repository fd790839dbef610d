//! A happening as it stands, for whoever shows it. Must not change anything.

use serde_json::Value;

use super::super::{Settings, World};
use super::wish::wish_of;
use crate::clock::UnixMicros;
use crate::delivery::{HappeningId, TargetKind};
use crate::event::Email;
use crate::happening::{Next, Part, body_of, next};

/// What follows from how a happening stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsideredHappening {
    /// The address of its contact.
    pub email: Option<Email>,
    /// The record it hangs on, by its id in Freshsales.
    pub target: Option<(TargetKind, u64)>,
    /// What is done next.
    pub next: Next,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// How a happening stands; `None` where nothing is known of it.
#[must_use]
pub fn consider_happening(
    id: &HappeningId,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<ConsideredHappening> {
    let happening = world.happenings.get(id)?;
    let wanted = wish_of(happening, world, settings, now);
    let next = next(&wanted.wish, &happening.standing);
    Some(ConsideredHappening { email: wanted.email, target: wanted.target, next, notes: wanted.notes })
}

/// The body that tells a happening by itself, as far as it can be built now; where the record it hangs on has no id yet, 0
/// stands for it.
#[must_use]
pub fn told_body(id: &HappeningId, world: &World, settings: &Settings, now: UnixMicros) -> Option<Value> {
    let happening = world.happenings.get(id)?;
    let wanted = wish_of(happening, world, settings, now);
    let kind = match &happening.on {
        crate::happening::On::Contact => TargetKind::Contact,
        crate::happening::On::Deal(_) => TargetKind::Deal,
        crate::happening::On::Company(_) => TargetKind::Company,
    };
    let target = wanted.target.unwrap_or((kind, 0));
    let part = Part { id, happening, known: wanted.known };
    Some(body_of(&[part], target, wanted.names, settings.happenings.marker))
}
