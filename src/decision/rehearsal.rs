//! Rehearsals: events of a source that is tried out are decided as all others are, and nothing of it is sent.
//!
//! Their people stand in a name space of their own and their records with an account of their own, so that nothing of a
//! rehearsal reaches what is live. Each call that they owe counts as accepted at once.

use super::simulate::play_all;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::delivery::{Attempt, AttemptRequest, Request};

/// What a call that is not made is called, as in a dry run of everything.
const SIMULATED: &str = "simulated";

/// Plays the calls that follow from an event of a source that is tried out.
pub(super) fn play(world: &mut World, settings: &Settings, now: UnixMicros) {
    for (id, _, request) in play_all(world, settings, now) {
        let Some(request) = described(&request, settings) else { continue };
        let attempt = Attempt {
            attempt: 1,
            started_at: now,
            duration_ms: 0,
            request,
            response: None,
            error: Some(SIMULATED.to_owned()),
        };
        world.deliveries.change(&id, |mut delivery| {
            (delivery.attempts_made, delivery.attempts) = (1, vec![attempt]);
            delivery
        });
    }
}

/// The call as it would be shown, had it been made.
fn described(request: &Request, settings: &Settings) -> Option<AttemptRequest> {
    let shown = settings.rehearsal.requests.get(&request.kind())?.clone();
    let body = request.body()?.clone();
    Some(if let Request::UpdateDeal { id, .. } | Request::UpdateLead { id, .. } = request {
        AttemptRequest { method: "PUT".to_owned(), url: format!("{}/{id}", shown.url), body, ..shown }
    } else {
        AttemptRequest { body, ..shown }
    })
}
