//! Rehearsals: events of a source that is tried out are decided as all others are, and nothing of it is sent.
//!
//! Their people stand in a name space of their own and their contacts with an account of their own, so that nothing of a
//! rehearsal reaches what is live. Each call that they owe counts as accepted at once.

use std::collections::BTreeSet;

use super::{Decided, Reading, Settings, World, decide, simulate};
use crate::clock::UnixMicros;
use crate::delivery::{Account, Attempt, AttemptRequest, DeliveryId};
use crate::event::SourceName;
use crate::person::PersonKey;

/// What the name of a name space of people ends with in a rehearsal: no name of a configuration may hold a `~`.
const SPACE: &str = "~dry_run";
/// What a call that is not made is called, as in a dry run of everything.
const SIMULATED: &str = "simulated";
/// Contacts that one event can touch, generously.
const OPENED_MAX: usize = 256;

/// Which sources are tried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsal {
    /// Them.
    pub sources: BTreeSet<SourceName>,
    /// A call of a contact as it would be described.
    pub request: Option<AttemptRequest>,
    /// These settings are those of the rehearsal.
    pub playing: bool,
}

impl Settings {
    /// The settings by which events of sources that are tried out are decided, where there are such sources.
    #[must_use]
    pub fn rehearsal(&self) -> Option<Self> {
        if self.rehearsal.sources.is_empty() || self.rehearsal.playing {
            return None;
        }
        let mut settings = self.clone();
        settings.account = Account(format!("dry_run:{}", self.account.0));
        settings.rehearsal.playing = true;
        Some(settings)
    }

    /// Whether somebody counts for what is decided by these settings.
    pub(super) fn counts(&self, key: &PersonKey) -> bool {
        key.people.ends_with(SPACE) == self.rehearsal.playing
    }

    /// The name space of the people that a source speaks of.
    pub(super) fn people_of(&self, source: &SourceName, people: &str) -> String {
        if self.rehearsal.sources.contains(source) { format!("{people}{SPACE}") } else { people.to_owned() }
    }
}

/// Decides on one event of a source that is tried out, and plays the calls that it owes.
pub fn rehearse(reading: &Reading, world: &mut World, settings: &Settings, now: UnixMicros) -> Decided {
    let decided = decide(reading, world, settings, now);
    for nth in 0..OPENED_MAX {
        let id = DeliveryId::of(reading.position, nth);
        let Some(body) = simulate(&id, world, settings, now) else { continue };
        let Some(request) = settings.rehearsal.request.clone() else { continue };
        let attempt = Attempt {
            attempt: 1,
            started_at: now,
            duration_ms: 0,
            request: AttemptRequest { body, ..request },
            response: None,
            error: Some(SIMULATED.to_owned()),
        };
        world.deliveries.change(&id, |mut delivery| {
            (delivery.attempts_made, delivery.attempts) = (1, vec![attempt]);
            delivery
        });
    }
    decided
}
