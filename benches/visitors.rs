//! What one event costs of a visitor who makes it as dear as they can: `cargo bench --bench visitors`.
//!
//! Each case sends its events one at a time over one connection, and then a lead of somebody else; it says how long the
//! lead waits until it has taken effect and how much CPU an event took, the client included. What it found is in
//! `benches/RESULTS.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a harness may fail loudly, prints what it finds and measures real time"
)]
#![allow(dead_code, reason = "harnesses share what supports them")]

mod support;

use std::fs;

use support::client::Client;
use support::events::post;
use support::service::{Service, timed};

/// Events of a case.
const EVENTS: u64 = 500;
/// Bytes of a long trait.
const LONG: usize = 3_500;
/// Long traits of an event.
const TRAITS: [&str; 8] =
    ["firstName", "lastName", "phone", "company", "title", "address", "city", "website"];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    case(&runtime, "a page view of one visitor each", |number| {
        identify(&format!(r#""anonymousId":"visitor-{number}""#), r#""city":"Oslo""#)
    });
    case(&runtime, "one visitor, long traits", |number| identify(r#""anonymousId":"one""#, &long(number)));
    case(&runtime, "one user, long traits", |number| {
        identify(r#""anonymousId":"one","userId":"u-1""#, &long(number))
    });
    case(&runtime, "one anonymous id for all users", |number| {
        let traits = format!(r#""email":"person-{number}@example.com","city":"Oslo""#);
        identify(&format!(r#""anonymousId":"server","userId":"user-{number}""#), &traits)
    });
    case(&runtime, "the same with long traits", |number| {
        let traits = format!(r#""email":"person-{number}@example.com",{}"#, long(number));
        identify(&format!(r#""anonymousId":"server","userId":"user-{number}""#), &traits)
    });
    case(&runtime, "one anonymous id for all addresses", |number| {
        let traits = format!(r#""email":"person-{number}@example.com","city":"Oslo""#);
        identify(r#""anonymousId":"server""#, &traits)
    });
}

fn case(runtime: &tokio::runtime::Runtime, name: &str, event: impl Fn(u64) -> String) {
    let settings = [
        ("FRESHSALES__BUNDLE_ALIAS", "acme"),
        ("FRESHSALES__MODE", "dry_run"),
        ("ALLOWANCE__PER_HOUR", "10"),
    ];
    let service = Service::start(runtime, &settings.map(|(key, value)| (key, value.to_owned())));
    let mut client = Client::connect(service.public);
    let before = cpu_seconds();
    for number in 0..EVENTS {
        client.ask(&post("/v1/identify", &event(number)));
    }
    let (waited, ()) = timed(|| {
        let lead = r#"{"type":"track","event":"Lead Generated","userId":"lead","properties":{"email":"lead@example.com"}}"#;
        client.ask(&post("/v1/track", lead));
        service.catch_up();
    });
    let cpu = (cpu_seconds() - before) / f64::from(u32::try_from(EVENTS).unwrap());
    let state = fs::metadata(service.data().join("state.db")).unwrap().len() / 1_000;
    println!(
        "{name:36} {:7.2} ms CPU an event, the lead took effect after {waited:6.2} s, state {state} kB",
        cpu * 1e3
    );
    service.stop(runtime);
}

fn identify(ids: &str, traits: &str) -> String {
    format!(r#"{{"type":"identify",{ids},"traits":{{{traits}}}}}"#)
}

fn long(number: u64) -> String {
    let text = "x".repeat(LONG);
    TRAITS.map(|name| format!(r#""{name}":"{number}{text}""#)).join(",")
}

/// CPU time of this process so far, by the kernel's ticks of a hundredth of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u32>().unwrap();
    f64::from(ticks(11) + ticks(12)) / 100.0
}
