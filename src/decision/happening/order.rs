//! What a person orders of a happening: send one again of which nobody can tell whether it was told, or leave it.
//!
//! Must not ask Freshsales.

use super::super::{Settings, World};
use super::call::drop_all;
use super::evaluate::evaluate_without_event;
use crate::clock::UnixMicros;
use crate::delivery::HappeningId;
use crate::happening::{Standing, State};

/// What a person wants done with a happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HappeningOrder {
    /// Freshsales does not have it: it is sent again.
    Tell,
    /// Freshsales has it, or is not to have it: it is not told.
    Drop,
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHappening {
    /// There is no such happening.
    #[error("nothing is known of this note, activity or task")]
    Unknown,
    /// It goes by itself.
    #[error(
        "it is told by itself, or Freshsales is asked for it first; only what is unclear is decided by hand"
    )]
    GoesByItself,
    /// It is over.
    #[error("it was told, or is not to be told any more; nothing is to be decided")]
    Over,
}

/// Whether it makes sense to send it again.
#[must_use]
pub fn may_tell(standing: &Standing) -> bool {
    standing.state() == State::Unclear
}

/// Whether it makes sense to leave it.
#[must_use]
pub fn may_drop(standing: &Standing) -> bool {
    standing.in_flight.is_none() && standing.rides.is_none() && standing.is_open()
}

/// Carries out what a person orders.
///
/// # Errors
/// The order makes no sense as the happening stands.
pub fn order_happening(
    id: &HappeningId,
    order: HappeningOrder,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Result<(), NoHappening> {
    let standing = world.happenings.get(id).map(|it| it.standing.clone()).ok_or(NoHappening::Unknown)?;
    if !standing.is_open() {
        return Err(NoHappening::Over);
    }
    match order {
        HappeningOrder::Tell if !may_tell(&standing) => return Err(NoHappening::GoesByItself),
        HappeningOrder::Drop if !may_drop(&standing) => return Err(NoHappening::GoesByItself),
        HappeningOrder::Tell => {
            world.happenings.edit(id).standing.send_again();
            evaluate_without_event(id, world, settings, now);
        }
        HappeningOrder::Drop => {
            drop_all(id, "somebody has decided that it is not to be told again", world, now);
        }
    }
    Ok(())
}
