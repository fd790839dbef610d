//! Days of a small shop under simulated time: what `cargo bench --bench simulation` shows at full size.

#[path = "../../benches/support/simulation/mod.rs"]
mod harness;

use std::time::Duration;

use harness::account::{Allowed, Weather};
use harness::day::{AFTERMATH, Scenario};
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
