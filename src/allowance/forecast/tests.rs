//! The forecast beside the ledger, and what sharing and quotas make of it.

use super::super::{HOUR, Ledger};
use super::*;
use crate::clock::UnixMicros;
use crate::event::SourceName;

const PLAN: AllowanceLimits = AllowanceLimits { per_hour: 900, per_minute: 360 };

const SHARING: Sharing = Sharing {
    contacts_min: 200,
    until_fewer_than: 10,
    asked_after: Duration::from_secs(5),
    jobs_max: 8,
    jobs_open: 0,
};

fn single(calls: u64, share_percent: u32) -> LaneOwed {
    let load = LaneLoad { single: calls, ..LaneLoad::default() };
    LaneOwed { lane: Lane::Conversion, share_percent, load }
}

fn shared(lane: Lane, contacts: u64, share_percent: u32) -> LaneOwed {
    LaneOwed { lane, share_percent, load: LaneLoad { shared: contacts, ..LaneLoad::default() } }
}

fn first(lane: Lane, of: &[(&str, u64)]) -> LaneOwed {
    let first = of
        .iter()
        .map(|(source, contacts)| (Bound::NewContacts(SourceName((*source).to_owned())), *contacts))
        .collect();
    LaneOwed { lane, share_percent: 100, load: LaneLoad { first, ..LaneLoad::default() } }
}

fn ages(seconds: &[u64]) -> Vec<Duration> {
    seconds.iter().copied().map(Duration::from_secs).collect()
}

fn foreseen(
    lanes: &[LaneOwed],
    limits: AllowanceLimits,
    past: &[u64],
    sharing: Option<Sharing>,
    quotas: &Quotas,
) -> (Vec<u64>, u64) {
    let means = Means { limits, ages: ages(past), sharing, quotas };
    let Forecast { ends, calls, .. } = forecast(lanes, &means).unwrap();
    (ends.iter().map(Duration::as_secs).collect(), calls)
}

fn seconds(lanes: &[LaneOwed], limits: AllowanceLimits, past: &[u64]) -> Vec<u64> {
    foreseen(lanes, limits, past, None, &Quotas::default()).0
}

/// The quotas of sources whose contacts left so many seconds ago, the longest ago first.
fn quotas(of: &[(&str, u64, &[u64])]) -> Quotas {
    let now = UnixMicros(0).plus(HOUR * 2);
    let name = |source: &str| Bound::NewContacts(SourceName(source.to_owned()));
    let limits = of.iter().map(|(source, limit, _)| (name(source), *limit)).collect();
    let made = of.iter().flat_map(|(source, _, made)| {
        made.iter().map(|ago| (name(source), now.minus(Duration::from_secs(*ago))))
    });
    Quotas::of(&limits, &made.collect::<Vec<_>>(), now)
}

#[test]
fn what_fits_goes_at_once_and_the_minute_holds_the_rest_back() {
    assert_eq!(seconds(&[single(0, 100)], PLAN, &[]), [0]);
    assert_eq!(seconds(&[single(360, 100)], PLAN, &[]), [0]);
    assert_eq!(seconds(&[single(361, 100)], PLAN, &[]), [60]);
    assert_eq!(seconds(&[single(900, 100)], PLAN, &[]), [120]);
    assert_eq!(seconds(&[single(901, 100)], PLAN, &[]), [3600]);
}

#[test]
fn a_lane_uses_no_more_than_its_share() {
    // 540 of 900 an hour: the 541st waits for the hour.
    assert_eq!(seconds(&[single(540, 60)], PLAN, &[]), [120]);
    assert_eq!(seconds(&[single(541, 60)], PLAN, &[]), [3600]);
    // What the lanes above used counts.
    assert_eq!(seconds(&[single(300, 100), single(200, 60)], PLAN, &[]), [0, 60]);
    assert_eq!(seconds(&[single(540, 100), single(1, 60)], PLAN, &[]), [60, 3600]);
}

#[test]
fn slots_that_are_taken_are_waited_for() {
    let limits = AllowanceLimits { per_hour: 2, per_minute: 2 };
    assert_eq!(seconds(&[single(1, 100)], limits, &[3000, 10]), [600]);
    assert_eq!(seconds(&[single(2, 100)], limits, &[3000, 10]), [3590]);
    assert_eq!(seconds(&[single(3, 100)], limits, &[3000, 10]), [4200]);
    assert_eq!(seconds(&[single(1, 100)], limits, &[9000]), [0]);
}

#[test]
fn a_million_take_the_hours_that_the_share_gives() {
    let none = Quotas::default();
    assert_eq!(foreseen(&[single(1_000_000, 100)], PLAN, &[], None, &none), (vec![1_111 * 3600], 1_000_000));
    assert_eq!(seconds(&[single(54_000, 60)], PLAN, &[]), [99 * 3600 + 120]);
    let slow_minute = AllowanceLimits { per_hour: 5_000, per_minute: 10 };
    assert_eq!(seconds(&[single(1_000_000, 100)], slow_minute, &[]), [99_999 * 60]);
}

#[test]
fn nothing_can_be_said_where_nothing_may_leave() {
    let nothing = AllowanceLimits { per_hour: 0, per_minute: 9 };
    let none = Quotas::default();
    let said =
        |lane, limits| forecast(&[lane], &Means { limits, ages: Vec::new(), sharing: None, quotas: &none });
    assert_eq!(said(single(1, 100), nothing), None);
    assert_eq!(said(single(1, 0), PLAN), None);
    let over = Forecast { ends: vec![Duration::ZERO], ..Forecast::default() };
    assert_eq!(said(single(0, 100), nothing).as_ref(), Some(&over));
    assert_eq!(said(single(0, 0), PLAN), Some(over));
}

#[test]
fn a_backlog_that_shares_calls_costs_two_for_a_hundred_contacts() {
    let none = Quotas::default();
    let bulk = |lanes: &[LaneOwed]| foreseen(lanes, PLAN, &[], Some(SHARING), &none);
    // The last question is asked 5 s after the last call.
    assert_eq!(bulk(&[shared(Lane::Backfill, 800, 50)]), (vec![5], 16));
    // Eight jobs are open at one time, so the next eight leave after the questions.
    assert_eq!(bulk(&[shared(Lane::Backfill, 1_600, 50)]), (vec![10], 32));
    let (ends, calls) = bulk(&[shared(Lane::Backfill, 50_000, 50)]);
    assert_eq!(calls, 1_000);
    assert!((2 * 3600..2 * 3600 + 600).contains(&ends[0]), "{ends:?}");
    // The last few, and what is no backlog, go by themselves.
    assert_eq!(bulk(&[shared(Lane::Backfill, 305, 50)]).1, 6 + 5);
    assert_eq!(bulk(&[shared(Lane::Backfill, 199, 50)]), (vec![60], 199));
    // Lanes share one call; what may not share goes beside it.
    let lanes = [single(20, 100), shared(Lane::Login, 150, 75), shared(Lane::Refresh, 50, 60)];
    assert_eq!(bulk(&lanes).1, 20 + 4);
    assert_eq!(bulk(&[shared(Lane::NewContact, 300, 100)]).1, 300, "somebody waits for new contacts");
    // A job on its way is asked for.
    let open = Sharing { jobs_open: 3, contacts_min: 10, ..SHARING };
    assert_eq!(foreseen(&[shared(Lane::Backfill, 0, 50)], PLAN, &[], Some(open), &none).1, 3);
}

#[test]
fn a_source_makes_no_more_contacts_than_its_quota_while_others_go() {
    let form = quotas(&[("form", 10, &[3000])]);
    let lanes = [first(Lane::NewContact, &[("form", 25), ("shop", 5)]), single(100, 95)];
    // Nine at once, one after 600 s; nine after an hour, one 600 s later; the last five after two hours.
    assert_eq!(foreseen(&lanes, PLAN, &[], None, &form), (vec![7200, 0], 130));
    // A million of a robot's take as long as they take; everybody else is done at once.
    let lanes = [first(Lane::NewContact, &[("form", 1_000_000)]), single(100, 95)];
    assert_eq!(foreseen(&lanes, PLAN, &[], None, &form).0, [99_999 * 3600 + 600, 0]);
    // Two lanes of a source share its quota.
    let lanes = [first(Lane::NewContact, &[("form", 9)]), first(Lane::Backfill, &[("form", 1)])];
    assert_eq!(foreseen(&lanes, PLAN, &[], Some(SHARING), &form).0, [0, 600]);
    // Old data of a source without a quota shares calls.
    assert_eq!(
        foreseen(&[first(Lane::Backfill, &[("shop", 400)])], PLAN, &[], Some(SHARING), &form),
        (vec![5], 8)
    );
}

proptest::proptest! {
    #[test]
    fn the_ledger_lets_calls_leave_as_forecast(
        calls in proptest::collection::vec(0_u64..150, 3),
        per_hour in 1_u32..20, per_minute in 1_u32..8,
        ages in proptest::collection::vec(0_u64..4000, 0..10),
    ) {
        let limits = AllowanceLimits { per_hour, per_minute };
        let lanes: Vec<LaneOwed> =
            calls.iter().zip([100, 75, 50]).map(|(calls, share)| single(*calls, share)).collect();
        let start = Duration::from_secs(10_000);
        let mut old: Vec<Duration> = ages.iter().copied().map(Duration::from_secs).collect();
        old.sort_unstable();
        let mut ledger = Ledger::restored(limits, old.iter().copied(), start, 1);
        let (mut now, mut ends) = (start, Vec::new());
        for lane in &lanes {
            for _ in 0..lane.load.single {
                now = ledger.free_at(now, lane.share_percent).unwrap().max(now);
                let slot = ledger.take(now, lane.share_percent).unwrap();
                ledger.answer(slot, now);
            }
            ends.push(if lane.load.single > 0 { now.saturating_sub(start) } else { Duration::ZERO });
        }
        let none = Quotas::default();
        let means = Means { limits, ages: old, sharing: None, quotas: &none };
        let forecast = forecast(&lanes, &means).unwrap();
        proptest::prop_assert_eq!(forecast.ends, ends);
        proptest::prop_assert_eq!(forecast.calls, calls.iter().sum::<u64>());
    }

    /// Hours that are counted in place of played make no difference.
    #[test]
    fn twice_a_rhythm_takes_hours_longer_by_what_is_added(
        contacts in 20_000_u64..30_000, held in 50_u64..80, more in 1_u64..20, per_hour in 100_u32..300,
    ) {
        let limits = AllowanceLimits { per_hour, per_minute: 40 };
        let form = quotas(&[("form", 3, &[])]);
        let lanes = |hours: u64| [first(Lane::NewContact, &[("form", held + 3 * hours)]), shared(Lane::Backfill, contacts, 50)];
        let few = foreseen(&lanes(0), limits, &[], Some(SHARING), &form);
        let many = foreseen(&lanes(more), limits, &[], Some(SHARING), &form);
        proptest::prop_assert_eq!(many.0[0], few.0[0] + more * 3600);
        proptest::prop_assert_eq!(many.1, few.1 + 3 * more);
    }
}
