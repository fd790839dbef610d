//! What is to be said of new contacts and orders that wait for their call.

use super::snapshot::Snapshot;
use super::standing::{Around, Way, standings};
use crate::store::Store;

/// A new contact or an order that is due and has waited too long, in words, with what stands in its way.
pub(super) fn wait(snapshot: Snapshot<'_>, store: &dyn Store) -> Option<String> {
    let since = snapshot.reading.lead_waits_since?;
    let minutes = (snapshot.now.since(since).as_secs() / 60).max(1);
    let minutes = if minutes == 1 { "a minute".to_owned() } else { format!("{minutes} minutes") };
    let around = Around { refusing: store.refusing(), away: store.away(), dry_run: false };
    let standing = standings(snapshot, &around).into_iter().find(|standing| match standing.way {
        Way::Blocked
        | Way::Unreachable
        | Way::Paused
        | Way::CallsStand
        | Way::Throttled
        | Way::AllowanceUsedUp
        | Way::LaneShut => true,
        Way::StoreAway
        | Way::RefusingEvents
        | Way::ProcessingStands
        | Way::MinuteUsedUp
        | Way::ProcessingBehind
        | Way::DryRun
        | Way::Running => false,
    });
    let why = match standing.map(|standing| standing.way) {
        Some(Way::Paused) => "calls are paused by hand; resume them",
        Some(Way::Blocked) => {
            "Freshsales refuses every call; look at the key, the alias and the rights of its user"
        }
        Some(Way::Unreachable) => "Freshsales takes no calls now; it is tried again automatically",
        Some(Way::Throttled) => "Freshsales asked to wait; calls resume automatically",
        Some(Way::CallsStand) => {
            "the part of the service that makes calls comes to nothing; look into the log"
        }
        Some(
            Way::AllowanceUsedUp
            | Way::LaneShut
            | Way::StoreAway
            | Way::RefusingEvents
            | Way::ProcessingStands
            | Way::MinuteUsedUp
            | Way::ProcessingBehind
            | Way::DryRun
            | Way::Running,
        )
        | None => {
            "though Freshsales answers: the allowance is used up, or calls are slow; compare `allowance` with what the plan \
             allows, and look at what else uses the account's calls"
        }
    };
    Some(format!(
        "a new contact or an order is due and has waited {minutes} for its call, {why}. Nothing is lost"
    ))
}
