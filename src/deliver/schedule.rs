//! The schedule: which lanes may make a call now, and whose turn it is.
//!
//! The most valuable call goes first, inside the share of its lane; every twentieth goes to the longest owed of any
//! lane inside its share, so that none starves. Must not know what a call carries.

use std::time::Duration;

use super::config::DeliveryConfig;
use crate::allowance::{Ledger, RateHint, SlotId, Usage};
use crate::delivery::{Lane, RetryAfter};
use crate::store::Due;

/// One call in so many goes to the longest owed of any lane.
const AGEING: u64 = 20;

/// The allowance, and what each lane may use of it.
pub(super) struct Schedule {
    ledger: Ledger,
    shares: Vec<(Lane, u32)>,
}

impl Schedule {
    pub fn new(ledger: Ledger, config: &DeliveryConfig) -> Self {
        let shares = Lane::BY_PRECEDENCE.map(|lane| (lane, config.share_percent(lane)));
        Self { ledger, shares: shares.into() }
    }

    /// The lanes that may make a call now, in the order of precedence.
    pub fn open_lanes(&mut self, now: Duration) -> Vec<Lane> {
        let ledger = &mut self.ledger;
        let open = self.shares.iter().filter(|(_, share)| ledger.has_room(now, *share));
        open.map(|(lane, _)| *lane).collect()
    }

    /// The lanes that may not, and when each may at the latest, where time alone brings that.
    pub fn shut_lanes(&mut self, now: Duration) -> Vec<(Lane, Duration)> {
        let ledger = &mut self.ledger;
        let shut = self.shares.iter().filter_map(|(lane, share)| Some((*lane, ledger.free_at(now, *share)?)));
        shut.filter(|(_, at)| *at > now).collect()
    }

    /// Whether one of the next calls goes to the longest owed of any lane.
    pub fn ages_within(&self, calls: usize) -> bool {
        let next = self.ledger.next_slot().0;
        (next..next.saturating_add(calls as u64)).any(|slot| slot.is_multiple_of(AGEING))
    }

    /// Puts what is due in the order in which it is called: by lane, and the longest owed where its turn is. What does
    /// not fit into the share of its lane is left out, and what may not leave; that is asked of nothing else, because it counts.
    pub fn choose(
        &self,
        due: Vec<Due>,
        longest_owed: Option<Due>,
        free: usize,
        now: Duration,
        mut may_leave: impl FnMut(&Due) -> bool,
    ) -> Vec<Due> {
        // Slots are only tried here; they are taken when the claims are known to hold.
        let mut trial = self.ledger.clone();
        let mut aged = longest_owed;
        let mut by_lane = due.into_iter().peekable();
        let mut chosen: Vec<Due> = Vec::new();
        while chosen.len() < free {
            let turn = aged.take_if(|_| trial.next_slot().0.is_multiple_of(AGEING));
            let Some(next) = turn.or_else(|| by_lane.next()) else { break };
            let known = chosen.iter().any(|other| other.id == next.id);
            let share = self.share(next.lane);
            if !known && trial.has_room(now, share) && may_leave(&next) && trial.take(now, share).is_some() {
                chosen.push(next);
            }
        }
        chosen
    }

    /// Takes a slot for a call of a lane.
    pub fn take(&mut self, lane: Lane, now: Duration) -> Option<SlotId> {
        let share = self.share(lane);
        self.ledger.take(now, share)
    }

    /// Takes a slot for a question, which any lane's calls wait for.
    pub fn take_for_question(&mut self, now: Duration) -> Result<SlotId, Option<Duration>> {
        let slot = self.ledger.take(now, 100);
        slot.ok_or_else(|| self.ledger.free_at(now, 100))
    }

    /// Gives back a slot whose call never left.
    pub fn give_back(&mut self, slot: SlotId) {
        self.ledger.give_back(slot);
    }

    /// The call of a slot was answered or timed out.
    pub fn answer(&mut self, slot: SlotId, now: Duration) {
        self.ledger.answer(slot, now);
    }

    /// The account was throttled: others use it too, so less is used from now on.
    pub fn throttled(&mut self, retry_after: RetryAfter, now: Duration) {
        let wait = match retry_after {
            RetryAfter::For(wait) => Some(wait),
            RetryAfter::Until(_) | RetryAfter::Absent | RetryAfter::Absurd => None,
        };
        self.ledger.throttled(wait, now);
    }

    /// An answer says how much of the allowance is left.
    pub fn told(&mut self, hint: RateHint, now: Duration) {
        self.ledger.told(hint, now);
    }

    /// What is used now.
    pub fn usage(&mut self, now: Duration) -> Usage {
        self.ledger.usage(now)
    }

    fn share(&self, lane: Lane) -> u32 {
        self.shares.iter().find(|(of, _)| *of == lane).map_or(100, |(_, share)| *share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allowance::AllowanceLimits;
    use crate::clock::UnixMicros;
    use crate::delivery::DeliveryId;
    use crate::event::Email;

    const NOW: Duration = Duration::from_secs(9);

    fn schedule(per_hour: u32, next: u64) -> Schedule {
        let limits = AllowanceLimits { per_hour, per_minute: 1_000 };
        Schedule::new(Ledger::restored(limits, [], NOW, next), &DeliveryConfig::default())
    }

    fn due(name: &str, lane: Lane) -> Due {
        let subject = Email::parse(&format!("{name}@example.com")).unwrap().into();
        Due { id: DeliveryId(name.into()), subject, lane, opened_at: UnixMicros(0), bound: None }
    }

    fn anybody(_: &Due) -> bool {
        true
    }

    fn names(chosen: &[Due]) -> Vec<&str> {
        chosen.iter().map(|due| due.id.0.as_str()).collect()
    }

    #[test]
    fn a_lane_makes_no_call_once_its_share_is_used_by_anybody() {
        let mut schedule = schedule(10, 1);
        let rows =
            |range: std::ops::Range<u32>, lane| range.map(move |nth| due(&format!("{lane:?}{nth}"), lane));
        let all = rows(0..3, Lane::NewContact).chain(rows(0..9, Lane::Refresh)).collect();
        let chosen = schedule.choose(all, None, 8, NOW, anybody);
        assert_eq!(
            names(&chosen),
            ["NewContact0", "NewContact1", "NewContact2", "Refresh0", "Refresh1", "Refresh2"]
        );
        for due in chosen {
            schedule.take(due.lane, NOW).unwrap();
        }
        assert_eq!(
            schedule.open_lanes(NOW),
            [Lane::Withdrawal, Lane::NewContact, Lane::Conversion, Lane::Login]
        );
        assert!(schedule.take(Lane::Refresh, NOW).is_none());
        assert!(schedule.take(Lane::NewContact, NOW).is_some());
    }

    #[test]
    fn every_twentieth_call_goes_to_the_longest_owed_of_any_lane() {
        let schedule = schedule(1_000, 18);
        assert!(!schedule.ages_within(2) && schedule.ages_within(3));
        let valuable = (0..4).map(|nth| due(&format!("n{nth}"), Lane::NewContact));
        let old = due("old", Lane::Backfill);
        let chosen = schedule.choose(valuable.collect(), Some(old), 4, NOW, anybody);
        assert_eq!(names(&chosen), ["n0", "n1", "old", "n2"]);
    }

    #[test]
    fn the_longest_owed_has_its_turn_inside_the_share_of_its_lane_alone() {
        let mut schedule = schedule(2, 19);
        schedule.take(Lane::NewContact, NOW).unwrap();
        let new = vec![due("new", Lane::NewContact)];
        let chosen = schedule.choose(new, Some(due("old", Lane::Backfill)), 2, NOW, anybody);
        assert_eq!(names(&chosen), ["new"]);
    }
    #[test]
    fn only_what_leaves_is_asked_whether_it_may() {
        let schedule = schedule(1_000, 1);
        let mut asked = Vec::new();
        let once = |due: &Due| {
            asked.push(due.id.0.clone());
            asked.len() == 1
        };
        // The longest owed is due as well; its turn is not near.
        let (old, next) = (due("old", Lane::Backfill), due("next", Lane::Backfill));
        let chosen = schedule.choose(vec![old.clone(), next], Some(old), 2, NOW, once);
        assert_eq!(names(&chosen), ["old"]);
        assert_eq!(asked, ["old", "next"]);
    }
}
