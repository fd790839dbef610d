//! 50,000 people imported through `/v1/import` at 1,000 calls an hour, in simulated time: `cargo bench --bench import`.
//!
//! What it found is in `benches/RESULTS.md`. It fails when somebody is missing or was written twice, when the allowance is
//! broken, and when it takes three simulated hours.
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

use simulation::account::Allowed;
use simulation::import::Import;
use simulation::report::shown;

const PEOPLE: usize = 50_000;
const ALLOWED: Allowed = Allowed { per_hour: 1_000, per_minute: 400 };

fn main() {
    let began = Instant::now();
    let found = Import { people: PEOPLE, allowed: ALLOWED, bulk: true, new_contacts_per_hour_max: 0 }.run();
    let [bulk, jobs, single] = found.calls;
    println!(
        "{PEOPLE} people in {} of simulated and {} of real time",
        shown(found.took),
        shown(began.elapsed())
    );
    println!("foreseen at the start: {}", shown(found.foreseen));
    println!("calls: {bulk} in bulk, {jobs} questions for their jobs, {single} single");
    println!("the most calls in any hour {}, throttled {}", found.busiest_hour, found.throttled);
    assert_eq!((found.contacts, found.written_again, found.throttled), (PEOPLE, 0, 0));
    assert!(found.busiest_hour <= 900, "the reserve of a tenth stays unused");
    assert!(found.took < Duration::from_hours(3));
}
