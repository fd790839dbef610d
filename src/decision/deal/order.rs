//! What a person orders of a deal that does not go by itself: take over one that is there, create it, leave it alone.
//!
//! Must not ask Freshsales: the call that follows from an order finds out whether the person was right.

use super::{Occasion, drop_open, evaluate};
use crate::clock::UnixMicros;
use crate::deal::{Birth, HeldBack, Standing};
use crate::delivery::{DealKey, DeliveryId, Lane, Subject};

use super::super::action::Action;
use super::super::{Settings, World};

/// What a person wants done with a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealOrder {
    /// It is the deal with this id in Freshsales.
    Adopt(u64),
    /// Freshsales does not have it: it is created.
    Create,
    /// It is neither created nor taken over, until somebody says otherwise.
    LeaveAlone,
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOrder {
    /// There is no such deal.
    #[error("nothing is known of this deal")]
    Unknown,
    /// A call may be creating it right now.
    #[error(
        "a call of this deal is on its way, and Freshsales is asked for its result first; try again in a few minutes"
    )]
    OnItsWay,
    /// There is nothing to decide.
    #[error("Freshsales has this deal under the id {0}; nothing is to be decided")]
    Exists(u64),
}

/// The orders that make sense for a deal as it stands: taking one over and leaving it alone, and creating it.
#[must_use]
pub fn may_be_ordered(standing: &Standing) -> bool {
    refusal(standing).is_none() && standing.held.as_ref().is_some_and(is_a_persons)
}

/// What only a person can decide.
fn is_a_persons(held: &HeldBack) -> bool {
    match held {
        HeldBack::Several(_) | HeldBack::LeftAlone | HeldBack::Gone | HeldBack::Unclear => true,
        HeldBack::NoEmail
        | HeldBack::Contact
        | HeldBack::Lead
        | HeldBack::ContactRefused(_)
        | HeldBack::Company
        | HeldBack::Name(_)
        | HeldBack::Consent(_)
        | HeldBack::NotBegun => false,
    }
}

fn refusal(standing: &Standing) -> Option<NoOrder> {
    if standing.in_flight.is_some() {
        return Some(NoOrder::OnItsWay);
    }
    let unclear = standing.held == Some(HeldBack::Unclear);
    match standing.birth {
        Birth::Told { id } => Some(NoOrder::Exists(id)),
        Birth::Unanswered { .. } | Birth::Taken { .. } if unclear => None,
        Birth::Sent | Birth::Unanswered { .. } | Birth::Taken { .. } => Some(NoOrder::OnItsWay),
        Birth::Planned | Birth::Unclear => None,
    }
}

/// Carries out what a person orders of a deal; answers what became of it.
///
/// # Errors
/// The order makes no sense as the deal stands.
pub fn order_deal(
    key: &DealKey,
    order: DealOrder,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Result<Action, NoOrder> {
    let deal = world.deals.get(key).ok_or(NoOrder::Unknown)?;
    let mut standing = deal.with(&settings.account);
    if let Some(refusal) = refusal(&standing) {
        return Err(refusal);
    }
    match order {
        DealOrder::Adopt(id) => standing.adopt(id, None),
        DealOrder::Create => standing.create_by_hand(now),
        DealOrder::LeaveAlone => {
            drop_open(&mut standing, "somebody has decided to leave the deal alone", world, now);
            standing.leave_alone(now);
        }
    }
    world.deals.edit(key).standing.insert(settings.account.clone(), standing);
    let id = DeliveryId::without_event(&Subject::Deal(key.clone()), now);
    let occasion = Occasion { lane: Lane::Conversion, by_event: false };
    Ok(evaluate(key, id, occasion, world, settings, now))
}
