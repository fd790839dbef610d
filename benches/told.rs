//! Notes, activities and tasks at full size: `cargo bench --bench told`. It fails when one is told twice or not at all.
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

use std::time::Instant;

use simulation::account::{Allowed, Weather};
use simulation::told::Told;

fn main() {
    let allowed = Allowed { per_hour: 2_000, per_minute: 400 };
    let told = Told { people: 2_000, count: 10_000, kills: 100, seed: 7 };
    let began = Instant::now();
    let own = told.service(allowed, Weather { lost_answers: 40, lost_calls: 40, ..Weather::default() });
    assert_eq!((own.doubled, own.missing, own.unclear), (0, 0, 0));
    assert!(own.busiest_hour <= allowed.per_hour as usize, "{} calls in an hour", own.busiest_hour);
    println!(
        "10,000 happenings of 2,000 people, 8 % of calls without an answer (half of them applied), 100 kills"
    );
    println!("| calls | unanswered | records | doubled | lost | unclear |");
    println!("| --- | --- | --- | --- | --- | --- |");
    println!(
        "| {} | {} | {} | {} | {} | {} |",
        own.calls, own.unanswered, own.records, own.doubled, own.missing, own.unclear
    );
    println!("the most in any hour: {}; took {:.0} s", own.busiest_hour, began.elapsed().as_secs_f64());
}
