//! Orders that become deals, at full size: `cargo bench --bench orders`. It fails when a deal is doubled, lost or wrong.
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
use simulation::orders::Orders;

fn main() {
    let allowed = Allowed { per_hour: 1_000, per_minute: 400 };
    let orders = Orders { people: 400, count: 1_000, kills: 50, seed: 7 };
    let began = Instant::now();
    let own = orders.service(allowed, Weather { lost_answers: 40, lost_calls: 40, ..Weather::default() });
    let recipe = orders.recipe(allowed);
    assert_eq!((own.doubled, own.missing, own.wrong.as_slice()), (0, 0, [].as_slice()));
    assert_eq!(own.calls_again, [], "the same events once more");
    assert!(own.busiest_hour <= allowed.per_hour as usize, "{} calls in an hour", own.busiest_hour);
    println!("1,000 orders of 400 people, 8 % of answers lost (half of those calls applied), 50 kills");
    println!("| | calls | deals doubled | lost | wrong |");
    println!("| --- | --- | --- | --- | --- |");
    println!(
        "| freshsignal | {} ({} unanswered) | {} | {} | {} |",
        own.calls,
        own.unanswered,
        own.doubled,
        own.missing,
        own.wrong.len()
    );
    println!("| a script of five calls an event, nothing lost on its way | {recipe} | | | |");
    println!(
        "the same events once more: {} calls; the most in any hour: {}",
        own.calls_again.len(),
        own.busiest_hour
    );
    println!("took {:.0} s", began.elapsed().as_secs_f64());
}
