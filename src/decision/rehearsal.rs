//! Rehearsals: events of a source that is tried out are decided as all others are, and nothing of it is sent.
//!
//! Their people stand in a name space of their own and their contacts with an account of their own, so that nothing of a
//! rehearsal reaches what is live. Each call that they owe counts as accepted at once.

use super::{Reading, Settings, World, simulate};
use crate::clock::UnixMicros;
use crate::delivery::{Attempt, AttemptRequest, DeliveryId};

/// What a call that is not made is called, as in a dry run of everything.
const SIMULATED: &str = "simulated";
/// Contacts that one event can touch, generously.
const OPENED_MAX: usize = 256;

/// Plays the calls that an event of a source that is tried out has opened.
pub(super) fn play(reading: &Reading, world: &mut World, settings: &Settings, now: UnixMicros) {
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
}
