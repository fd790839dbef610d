//! Days of a small shop under simulated time: what `cargo bench --bench simulation` shows at full size.

#[path = "../../benches/support/simulation/mod.rs"]
pub mod harness;

use std::time::Duration;

use harness::account::{Allowed, Weather};
use harness::day::{AFTERMATH, Scenario};
use harness::outage::Outage;
use harness::peers::POLICIES;
use harness::promise;
use harness::report::Report;
use harness::shop::Shop;

/// A twentieth of the account of the full size.
const ALLOWED: Allowed = Allowed { per_hour: 50, per_minute: 20 };
const SHOP: Shop = Shop { people: 250, events: 5_000, seed: 1 };

#[test]
fn a_day_with_an_outage_delivers_every_conversion_with_a_fraction_of_the_calls() {
    let outage = Duration::from_hours(12)..Duration::from_hours(14);
    let scenario = Scenario {
        weather: Weather { outages: vec![outage.clone()], ..Weather::default() },
        ..Scenario::of(SHOP, ALLOWED)
    };
    let day = SHOP.day();
    let (own, _) = scenario.service(&day);
    promise::keeps_up(&own, ALLOWED.per_hour, &[outage.start..outage.end + AFTERMATH]);
    let peers: Vec<Report> = POLICIES.into_iter().map(|policy| scenario.peer(policy, &day)).collect();
    promise::spares_calls(&own, &peers);
}

/// Calls that take effect without an answer, throttles without a reason, and a service that is killed when it is busy.
#[test]
fn lost_answers_throttles_and_kills_leave_the_account_as_the_events_say() {
    let scenario = Scenario {
        weather: Weather { lost_answers: 20, throttled: 10, ..Weather::default() },
        ..Scenario::of(Shop { people: 300, events: 3_000, seed: 2 }, ALLOWED)
    };
    let day = scenario.shop.day();
    // A call is on its way a moment after a conversion.
    let busy = day
        .happenings
        .iter()
        .filter(|one| one.forwarded.as_ref().is_some_and(|one| one.conversion.is_some()));
    let kills = busy.map(|one| one.at + Duration::from_millis(50)).step_by(30).take(3).collect();
    let (own, totals) = Scenario { kills, ..scenario }.service(&day);
    assert_eq!((own.right, own.lost), (own.contacts, 0));
    assert_eq!(own.delivered(), own.conversions.len());
    assert!(own.busiest_hour <= ALLOWED.per_hour as usize, "{}", own.busiest_hour);
    assert!(own.unanswered > 0 && own.throttled > 0, "the weather was fine");
    assert_eq!(totals.accepted, 3_000);
}

#[test]
fn a_time_of_day_that_jumps_by_days_changes_neither_order_nor_schedule() {
    let day_in_seconds = 24 * 3_600;
    let hours = Duration::from_hours;
    let scenario = Scenario {
        weather: Weather { outages: vec![hours(10)..hours(11)], ..Weather::default() },
        jumps: vec![
            (hours(8), 3 * day_in_seconds),
            (hours(9), -3 * day_in_seconds),
            (hours(15), -5 * day_in_seconds),
            (hours(18), 6 * day_in_seconds),
            (hours(20), -2 * day_in_seconds),
        ],
        kills: vec![hours(12), hours(21)],
        ..Scenario::of(Shop { people: 200, events: 2_000, seed: 3 }, ALLOWED)
    };
    let day = scenario.shop.day();
    let (own, _) = scenario.service(&day);
    promise::keeps_up(&own, ALLOWED.per_hour, &[hours(10)..hours(11) + AFTERMATH]);
}

#[test]
fn three_days_without_the_account_lose_nobody_and_cost_about_a_call_a_probe() {
    let outage = Outage {
        contacts: 2_000,
        lasts: Duration::from_hours(72),
        per_hour: 1_000,
        drained_for: Duration::from_hours(4),
    };
    let found = outage.live_through(|_, _| {});
    found.check(outage, 72 * 12 + 40);
    assert_eq!(found.arrived, outage.contacts);
}
