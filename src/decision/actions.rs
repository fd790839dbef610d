//! What an event does beside its contact: companies and deals that it speaks of, what it tells, and what waited for what it
//! changed.

use super::owe::Effect;
use super::{Action, Reading, Settings, World, company, deal, happening, lists};
use crate::clock::UnixMicros;
use crate::event::Email;

/// Evaluates the records that an event touched beside its contacts; a line for each. Nothing follows from an event that
/// is switched off.
pub(super) fn owe(
    reading: &Reading,
    effects: &[Effect],
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<Action> {
    if reading.switched_off.is_some() {
        return Vec::new();
    }
    let touched: Vec<Email> = effects.iter().map(|effect| effect.email.clone()).collect();
    // Deliveries are named by their number among those of an event; contacts have the first ones.
    let contacts = effects.len();
    let (companies, mut actions) = company::owe(reading, effects, contacts, world, settings, now);
    actions.extend(deal::owe(reading, &touched, contacts + companies, world, settings, now));
    // Deals open at most one each, and so does what is told.
    let opened = contacts + companies + actions.len();
    actions.extend(happening::owe(reading, opened, world, settings, now));
    actions.extend(lists::owe(reading, effects, contacts + companies + actions.len(), world, settings, now));
    actions
}
