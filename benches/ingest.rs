//! Measures the way of an event on this machine: `cargo bench --bench ingest`, or a part of it: `-- single`, `batches`,
//! `latency`, `shop`, `large`.
//!
//! What depends on the machine is given as a ratio to something else measured in the same run: requests a second to a
//! handler that does nothing behind the same listener, processing to accepting. The load generator runs on the same
//! cores. Figures of a run are in `benches/RESULTS.md`. Must not be taken for a test: nothing here fails for being slow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a harness may fail loudly, prints what it finds and measures real time"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use freshsignal::clock::{Clock, SystemClock};
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use tokio::runtime::Runtime;

use support::client::{Client, Load, load, number};
use support::events::PageViews;
use support::service::{Service, serve, timed};
use support::{events, percentile};

const ROUND: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_secs(1);
const LATENCY_EVENTS: usize = 300;
/// Between two events on an idle machine.
const PAUSE: Duration = Duration::from_millis(10);
const SHOP_EVENTS: u64 = 50_000;
const SHOP_BATCH_EVENTS: u64 = 500;
/// People of a shop that does not fit into any cache.
const MANY_PEOPLE: u64 = 400_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores, load generator and service on the same");
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    if wanted("single") {
        throughput(&runtime, "single events", &PageViews::single(), 5);
    }
    if wanted("batches") {
        // What is accepted in a second of these takes half a minute to take effect.
        throughput(&runtime, "batches of 100", &PageViews::batch(100), 1);
    }
    if wanted("latency") {
        latency(&runtime);
    }
    if wanted("shop") {
        processing(&runtime, events::PEOPLE, false);
        processing(&runtime, events::PEOPLE, true);
    }
    if wanted("large") {
        processing(&runtime, MANY_PEOPLE, false);
    }
}

/// Calls that would be the load are not made.
fn without_calls() -> Vec<(&'static str, String)> {
    [("FRESHSALES__BUNDLE_ALIAS", "acme"), ("FRESHSALES__MODE", "dry_run"), ("ALLOWANCE__PER_HOUR", "10")]
        .map(|(key, value)| (key, value.to_owned()))
        .to_vec()
}

/// Events a second that are accepted, durable, beside a handler that reads them and does nothing.
fn throughput(runtime: &Runtime, what: &str, views: &PageViews, rounds: usize) {
    let answer = async |_: Bytes| StatusCode::OK;
    let nothing = Router::new().route("/v1/page", post(answer)).route("/v1/batch", post(answer));
    let nothing = serve(runtime, nothing);
    let service = Service::start(runtime, &without_calls());
    load(nothing, views, WARM_UP);
    load(service.public, views, WARM_UP);
    service.catch_up();
    let (mut nothings, mut accepted, mut ratios, mut p99s) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    println!("\n{what}: events a second, durable, in {rounds} rounds of {} s", ROUND.as_secs());
    println!("  does nothing   freshsignal   ratio   99 % within   left to process   caught up in");
    for _ in 0..rounds {
        let nothing = load(nothing, views, ROUND).per_second;
        let Load { per_second, p99_ms } = load(service.public, views, ROUND);
        let (caught_up, left) = timed(|| service.catch_up());
        let ratio = per_second / nothing;
        println!(
            "  {nothing:>12.0} {per_second:>13.0} {ratio:>7.2} {p99_ms:>10.2} ms {left:>17} {caught_up:>12.1} s"
        );
        nothings.push(nothing);
        accepted.push(per_second);
        ratios.push(ratio);
        p99s.push(p99_ms);
    }
    service.stop(runtime);
    let median = |samples: &mut Vec<f64>| percentile(samples, 50);
    let (nothing, accepted, p99) = (median(&mut nothings), median(&mut accepted), median(&mut p99s));
    let (ratio, best) = (median(&mut ratios), percentile(&mut ratios, 100));
    println!(
        "  {nothing:>12.0} {accepted:>13.0} {ratio:>7.2} {p99:>10.2} ms   medians; best ratio {best:.2}"
    );
}

/// From the leaving of a lead's event to the arrival of the upsert in the CRM, one person at a time.
fn latency(runtime: &Runtime) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options = SandboxOptions::default();
    let sandbox = Sandbox::new(options.clone(), Arc::clone(&clock));
    let crm = serve(runtime, sandbox.router());
    let settings = [
        ("FRESHSALES__BUNDLE_ALIAS", options.bundle_alias),
        ("FRESHSALES__API_KEY", options.api_key),
        ("FRESHSALES__BASE_URL", format!("http://{crm}")),
        ("ALLOWANCE__PER_HOUR", "1000000".to_owned()),
        ("ALLOWANCE__PER_MINUTE", "1000000".to_owned()),
    ];
    let service = Service::start(runtime, &settings);
    let mut client = Client::connect(service.public);
    let (mut accepted, mut arrived) = (Vec::new(), Vec::new());
    for person in 0..LATENCY_EVENTS {
        let who = format!(r#""userId":"latency-{person}""#);
        let identify = format!(
            r#"{{"type":"identify",{who},"traits":{{"email":"latency-{person}@example.com","name":"Jane Doe"}}}}"#
        );
        client.ask(&events::post("/ingest", &identify));
        service.catch_up();
        std::thread::sleep(PAUSE);
        let lead = events::post("/ingest", &format!(r#"{{"type":"track",{who},"event":"Lead Generated"}}"#));
        let left = clock.wall();
        client.ask(&lead);
        accepted.push(clock.wall().since(left).as_secs_f64() * 1000.0);
        runtime.block_on(sandbox.until(|view| view.requests().len() > person));
        let at = sandbox.requests()[person].at;
        arrived.push(at.since(left).as_secs_f64() * 1000.0);
        std::thread::sleep(PAUSE);
    }
    service.stop(runtime);
    println!("\nmilliseconds on an idle machine, {LATENCY_EVENTS} people one at a time");
    println!("                                 median     p90     p99");
    for (what, mut samples) in [("event to durable answer", accepted), ("event to call at the CRM", arrived)]
    {
        let [median, p90, p99] = [50, 90, 99].map(|percent| percentile(&mut samples, percent));
        println!("  {what:<28} {median:>8.2} {p90:>7.2} {p99:>7.2}");
    }
}

/// Events a second from the first request until all have an outcome: of so many people, known before or not.
fn processing(runtime: &Runtime, people: u64, known: bool) {
    let service = Service::start(runtime, &without_calls());
    let mut client = Client::connect(service.public);
    let mut send = |count: u64, event: &dyn Fn(u64) -> String| {
        let batches: Vec<Vec<u8>> = (0..count)
            .step_by(usize::try_from(SHOP_BATCH_EVENTS).unwrap())
            .map(|first| {
                let items: Vec<String> = (first..first + SHOP_BATCH_EVENTS).map(event).collect();
                events::post("/v1/batch", &format!(r#"{{"batch":[{}]}}"#, items.join(",")))
            })
            .collect();
        timed(|| {
            for batch in &batches {
                client.ask(batch);
            }
            service.catch_up()
        })
    };
    if known {
        send(people, &|person| events::known(person, &format!("known-{person}")));
    }
    let (all, left) = send(SHOP_EVENTS, &|number| events::of_a_shop(number, people));
    service.stop(runtime);
    let before = if known { ", all known before" } else { "" };
    println!(
        "\n{SHOP_EVENTS} events of a shop with {people} people{before}, in batches of {SHOP_BATCH_EVENTS}"
    );
    println!(
        "  {:.0} events a second processed; {left} had no outcome when all were accepted",
        number(SHOP_EVENTS) / all
    );
}
