//! Measures the way of an event on this machine: `cargo bench --bench ingest`.
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
use axum::http::StatusCode;
use axum::routing::post;
use freshsignal::clock::{Clock, SystemClock};
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use tokio::runtime::Runtime;

use support::client::{Client, number, requests_per_second};
use support::service::{Service, serve, timed};
use support::{events, percentile};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_secs(1);
const LATENCY_EVENTS: usize = 300;
/// Between two events on an idle machine.
const PAUSE: Duration = Duration::from_millis(10);
const SHOP_EVENTS: u64 = 50_000;
const SHOP_BATCH_EVENTS: u64 = 500;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores, load generator and service on the same");
    let requests = throughput(&runtime);
    latency(&runtime);
    processing(&runtime, requests);
}

/// Calls that would be the load are not made.
fn without_calls() -> Vec<(&'static str, String)> {
    [("FRESHSALES__BUNDLE_ALIAS", "acme"), ("FRESHSALES__MODE", "dry_run"), ("ALLOWANCE__PER_HOUR", "10")]
        .map(|(key, value)| (key, value.to_owned()))
        .to_vec()
}

/// Single-event requests a second, durable; answers the median.
fn throughput(runtime: &Runtime) -> f64 {
    let nothing = serve(runtime, Router::new().route("/v1/page", post(async || StatusCode::OK)));
    let service = Service::start(runtime, &without_calls());
    requests_per_second(nothing, WARM_UP);
    requests_per_second(service.public, WARM_UP);
    service.catch_up();
    let (mut nothings, mut requests, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    println!("\nsingle-event requests a second, durable, in {ROUNDS} rounds of {} s", ROUND.as_secs());
    println!("  does nothing   freshsignal   ratio   left to process   caught up in");
    for _ in 0..ROUNDS {
        let nothing = requests_per_second(nothing, ROUND);
        let request = requests_per_second(service.public, ROUND);
        let (caught_up, left) = timed(|| service.catch_up());
        let ratio = request / nothing;
        println!("  {nothing:>12.0} {request:>13.0} {ratio:>7.2} {left:>17} {caught_up:>12.1} s");
        nothings.push(nothing);
        requests.push(request);
        ratios.push(ratio);
    }
    service.stop(runtime);
    let median = |samples: &mut Vec<f64>| percentile(samples, 50);
    let (nothing, request, ratio) = (median(&mut nothings), median(&mut requests), median(&mut ratios));
    let best = percentile(&mut ratios, 100);
    println!("  {nothing:>12.0} {request:>13.0} {ratio:>7.2}   median; best ratio {best:.2}");
    request
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

/// Events a second from the first request until all have an outcome.
fn processing(runtime: &Runtime, requests_per_second: f64) {
    let service = Service::start(runtime, &without_calls());
    let batches: Vec<Vec<u8>> = (0..SHOP_EVENTS)
        .step_by(usize::try_from(SHOP_BATCH_EVENTS).unwrap())
        .map(|first| {
            let items: Vec<String> = (first..first + SHOP_BATCH_EVENTS).map(events::of_a_shop).collect();
            events::post("/v1/batch", &format!(r#"{{"batch":[{}]}}"#, items.join(",")))
        })
        .collect();
    let mut client = Client::connect(service.public);
    let (all, (accepted, left)) = timed(|| {
        let (accepted, ()) = timed(|| {
            for batch in &batches {
                client.ask(batch);
            }
        });
        (accepted, service.catch_up())
    });
    service.stop(runtime);
    let per_second = number(SHOP_EVENTS) / all;
    println!(
        "\n{SHOP_EVENTS} events of a shop with {} people, in batches of {SHOP_BATCH_EVENTS}",
        events::PEOPLE
    );
    println!("  accepted in {accepted:.2} s, {left} without an outcome then; all processed after {all:.2} s");
    println!(
        "  {per_second:.0} events a second processed; {:.2} of the single-event requests a second",
        per_second / requests_per_second
    );
}
