//! Three days without the account and a million contacts owed, simulated: `cargo bench --bench outage`.
//!
//! The real store, on a disk of memory where there is one. Looks at the first days of the way back; with `-- --all` at all
//! of it, which are a thousand hours. What it found is in `benches/RESULTS.md`. It fails when something is lost, given up
//! or called in vain, when the allowance is broken or left unused, and when the process needs too much memory.
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

use freshsignal::store::Totals;
use simulation::outage::Outage;
use simulation::report::shown;
use simulation::service::open;

/// What the process may need at its peak.
const MEMORY_MIB_MAX: u64 = 300;
/// The longest wait between two probes is five minutes; the first come sooner.
const IN_VAIN_MAX: u64 = 72 * 12 + 40;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let says = |word: &str| arguments.iter().position(|argument| argument == word);
    let number = |word: &str| says(word).and_then(|at| arguments.get(at + 1)?.parse().ok());
    let hours = if says("--all").is_some() { 2_000 } else { number("--hours").unwrap_or(48) };
    let outage = Outage {
        contacts: number("--contacts").unwrap_or(1_000_000),
        lasts: Duration::from_hours(72),
        per_hour: 1_000,
        drained_for: Duration::from_hours(hours),
    };
    println!("{} contacts owed, {} without the account", outage.contacts, shown(outage.lasts));
    let began = Instant::now();
    let tell = move |what: &str, totals: &Totals| {
        let (took, memory) = (shown(began.elapsed()), peak_memory_mib());
        println!("after {took} of real time: {what}; {} owed; {memory} MiB at the peak", open(totals));
    };
    let found = outage.live_through(tell);
    let (took, memory) = (shown(began.elapsed()), peak_memory_mib());
    println!("after {took} of real time: {} owed; {memory} MiB at the peak", open(&found.totals));
    println!("calls in vain {}, contacts arrived {}", found.in_vain, found.arrived);
    println!("the most calls in any hour {}, by hour {:?}", found.busiest_hour, found.hours);
    found.check(outage, IN_VAIN_MAX);
    assert!(memory <= MEMORY_MIB_MAX, "{memory} MiB at the peak");
}

/// The most memory that this process ever had at once.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
