//! What the log says about delivering. The CRM's own words stay out of it: they may repeat personal data.

use crate::clock::UnixMicros;
use crate::delivery::{Delivery, State};
use crate::destination::{Destination, DestinationState, ObstacleKind};

/// Says, loudly where somebody has to do something, how the destination stands now.
pub(super) fn destination(destination: &Destination) {
    let until = destination.until().map(UnixMicros::to_rfc3339).unwrap_or_default();
    match destination.state() {
        DestinationState::Running => tracing::info!("Freshsales answers again"),
        DestinationState::Throttled => {
            tracing::warn!(
                until,
                "calls paused: Freshsales says that the account is over its rate limit; they resume at `until`"
            );
        }
        DestinationState::Blocked => tracing::error!(until, "{}", blocked(destination)),
        DestinationState::Unreachable => {
            tracing::warn!(
                until,
                "calls paused: Freshsales does not answer; one contact is tried at `until`"
            );
        }
        DestinationState::Paused => tracing::warn!("calls are paused by hand; POST /api/resume resumes them"),
    }
}

fn blocked(destination: &Destination) -> &'static str {
    match destination.obstacle.as_ref().map(|obstacle| &obstacle.kind) {
        Some(ObstacleKind::AccountRule { .. }) => {
            "calls paused: Freshsales refuses every contact for the same reason, so a rule of the account is in the way; /api/status shows it"
        }
        Some(ObstacleKind::Blocked { .. } | ObstacleKind::Unreachable) | None => {
            "calls paused: Freshsales refuses every call; check the API key, its rights and the bundle alias"
        }
    }
}

/// Says how the destination stands where that has changed.
pub(super) fn change(before: &Destination, after: &Destination) {
    if (before.state(), before.until()) != (after.state(), after.until()) {
        destination(after);
    }
}

/// Says that a contact was refused. Who and why stays out of the log: both are personal data.
pub(super) fn refusal(delivery: Option<&Delivery>) {
    if let Some(dead) = delivery.filter(|delivery| delivery.state == State::Dead) {
        tracing::warn!(delivery = %dead.id, "Freshsales refused a contact; it is kept as a dead letter, /api/dead-letters shows why");
    }
}
