//! A day of a shop before an account with 1,000 calls an hour, simulated: `cargo bench --bench simulation`.
//!
//! The real stages and the real store under simulated time, and beside them the policies of the peers. What it found is
//! in `benches/RESULTS.md`. It fails when the service does not keep what it promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a harness may fail loudly, prints what it finds and measures real time"
)]

#[path = "support/simulation/mod.rs"]
mod simulation;

use std::time::{Duration, Instant};

use simulation::account::{Allowed, Weather};
use simulation::day::{AFTERMATH, Scenario};
use simulation::peers::POLICIES;
use simulation::promise;
use simulation::report::{Report, heading, shown};
use simulation::shop::Shop;

const ALLOWED: Allowed = Allowed { per_hour: 1_000, per_minute: 400 };

fn main() {
    let began = Instant::now();
    day_of_a_shop();
    day_of_bad_connections();
    println!("\nall of it took {}", shown(began.elapsed()));
}

fn day_of_a_shop() {
    let outage = Duration::from_hours(12)..Duration::from_hours(14);
    let scenario = Scenario {
        weather: Weather { outages: vec![outage.clone()], ..Weather::default() },
        ..Scenario::of(Shop { people: 5_000, events: 100_000, seed: 1 }, ALLOWED)
    };
    let day = scenario.shop.day();
    println!(
        "{} events of {} people in a day, {} of them become contacts; no connection from {} to {}\n",
        day.happenings.len(),
        scenario.shop.people,
        day.contacts.len(),
        shown(outage.start),
        shown(outage.end)
    );
    let without = [outage.start..outage.end + AFTERMATH];
    println!("{}", heading());
    let (own, totals) = scenario.service(&day);
    println!("{}", own.row(&without));
    let forwarded = |policy| {
        let peer = scenario.peer(policy, &day);
        println!("{}", peer.row(&without));
        peer
    };
    let peers: Vec<Report> = POLICIES.into_iter().map(forwarded).collect();
    println!("\nfreshsignal: {} calls in its busiest hour; outcomes {:?}", own.busiest_hour, totals.outcomes);
    promise::keeps_up(&own, ALLOWED.per_hour, &without);
    promise::spares_calls(&own, &peers);
}

/// Of a hundred calls two take effect without an answer and one is answered with a 429; three times the service is killed.
fn day_of_bad_connections() {
    let scenario = Scenario {
        weather: Weather { lost_answers: 20, throttled: 10, ..Weather::default() },
        kills: [9, 14, 20].map(Duration::from_hours).to_vec(),
        ..Scenario::of(Shop { people: 10_000, events: 100_000, seed: 2 }, ALLOWED)
    };
    let day = scenario.shop.day();
    println!(
        "\n{} events of {} people; 2 % of the calls not answered, 1 % throttled, killed three times\n\n{}",
        day.happenings.len(),
        scenario.shop.people,
        heading()
    );
    let (own, _) = scenario.service(&day);
    println!("{}", own.row(&[]));
    assert_eq!((own.right, own.lost), (own.contacts, 0), "contacts that are right, events lost");
    assert_eq!(own.delivered(), own.conversions.len(), "conversions delivered");
    assert!(own.busiest_hour <= ALLOWED.per_hour as usize, "{} calls in an hour", own.busiest_hour);
}
