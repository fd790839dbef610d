//! Distrust: of deals, notes, activities and tasks that are not known to be there nobody knows whether calls have created
//! them, so Freshsales is asked before they are.

use super::World;
use crate::clock::UnixMicros;
use crate::delivery::{Account, Birth};

/// Doubts what the working set holds of an account since a moment; answers how many deals, and how many happenings, are asked
/// for first now.
pub fn distrust(world: &mut World, account: &Account, since: UnixMicros, now: UnixMicros) -> (u64, u64) {
    let planned = |birth: Birth| birth == Birth::Planned;
    let deals = world.deals.iter().filter(|(_, deal)| {
        let waits = deal.standing.get(account).is_none_or(|it| planned(it.birth) && it.in_flight.is_none());
        waits && deal.first_received_at.is_some_and(|at| at >= since)
    });
    let deals: Vec<_> = deals.map(|(key, _)| key.clone()).collect();
    for key in &deals {
        world.deals.edit(key).standing.entry(account.clone()).or_default().distrust(now);
    }
    let happenings = world.happenings.iter().filter(|(_, it)| {
        let waits = planned(it.standing.birth) && it.standing.is_open() && it.standing.rides.is_none();
        waits && it.standing.in_flight.is_none() && it.account == *account && it.received_at >= since
    });
    let happenings: Vec<_> = happenings.map(|(id, _)| id.clone()).collect();
    for id in &happenings {
        world.happenings.edit(id).standing.distrust(now);
    }
    (deals.len() as u64, happenings.len() as u64)
}
