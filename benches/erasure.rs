//! Erases one person from a service whose journal holds about a gigabyte: `cargo bench --bench erasure`.
//!
//! It says how long that takes, how much memory, and whether ingest is held up meanwhile; what it found is in
//! `benches/RESULTS.md`. It fails when a byte of the person's address is left in the data folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a harness may fail loudly, prints what it finds and measures real time"
)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::client::{Client, load};
use support::events::PageViews;
use support::service::{Service, timed};
use support::{events, percentile};

/// Events, each of about this size.
const EVENTS: u64 = 100_000;
const EVENT_BYTES: usize = 10_000;
const BATCH_EVENTS: u64 = 40;
/// One of so many is about the person who is erased.
const THEIRS: u64 = 100;
const EMAIL: &str = "erased.person@example.com";
/// How long ingest is watched before.
const BEFORE: Duration = Duration::from_secs(5);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let settings = [
        ("FRESHSALES__BUNDLE_ALIAS", "acme"),
        ("FRESHSALES__MODE", "dry_run"),
        ("ALLOWANCE__PER_HOUR", "10"),
    ];
    let service = Service::start(&runtime, &settings.map(|(key, value)| (key, value.to_owned())));
    let (seconds, ()) = timed(|| fill(&service));
    println!("{EVENTS} events, 1 of {THEIRS} about the person, in {seconds:.0} s");
    for file in ["journal.db", "state.db"] {
        println!("  {file}: {} MB", fs::metadata(service.data().join(file)).unwrap().len() / 1_000_000);
    }
    println!("  the address stands there {} times", stands(service.data(), EMAIL));
    load(service.public, &PageViews::single(), Duration::from_secs(1));
    service.catch_up();

    let watched = Ingest::watch(&service);
    std::thread::sleep(BEFORE);
    watched.end().print("before");

    let at_rest = memory("VmRSS");
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let watched = Ingest::watch(&service);
    let (took, receipt) = timed(|| erase(&service));
    watched.end().print("during the erasure");
    println!("erased in {took:.1} s: {}", receipt["erased"]);
    println!(
        "memory, everything in one process: {at_rest} MB before, {} MB at the most meanwhile",
        memory("VmHWM")
    );
    let left = stands(service.data(), EMAIL);
    println!("the address stands there {left} times");
    service.stop(&runtime);
    assert_eq!(left, 0);
}

fn fill(service: &Service) {
    let mut client = Client::connect(service.public);
    let text = "lorem ipsum dolor sit amet ".repeat(EVENT_BYTES / 27);
    for first in (0..EVENTS).step_by(usize::try_from(BATCH_EVENTS).unwrap()) {
        let items: Vec<String> = (first..first + BATCH_EVENTS).map(|number| event(number, &text)).collect();
        client.ask(&events::post("/v1/batch", &format!(r#"{{"batch":[{}]}}"#, items.join(","))));
    }
    service.catch_up();
}

/// The nth event: what somebody did on a page with much text.
fn event(number: u64, text: &str) -> String {
    let (user, traits) = match number % THEIRS {
        0 => ("erased".to_owned(), format!(r#""email":"{EMAIL}""#)),
        other => (format!("{other}-{}", number % 5_000), format!(r#""email":"person-{number}@example.com""#)),
    };
    format!(
        r#"{{"type":"track","event":"Product Viewed","messageId":"erasure-{number}","userId":"user-{user}",
"context":{{"traits":{{{traits}}}}},"properties":{{"text":"{text}"}}}}"#
    )
}

/// Orders the erasure and waits until it is done.
fn erase(service: &Service) -> Value {
    let mut client = Client::connect(service.private);
    let mut ask = |line: &str| -> Value {
        let answer = client.ask(format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        serde_json::from_str(&answer).unwrap()
    };
    let mut receipt = ask(&format!("DELETE /api/people?email={EMAIL}"));
    while receipt["done"] == false {
        std::thread::sleep(Duration::from_millis(50));
        receipt = ask(&format!("GET /api/erasures/{}", receipt["erasure"]));
    }
    receipt
}

/// One client that posts an event after the other and measures how long each answer takes.
struct Ingest {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<f64>>,
}

/// Milliseconds to each durable answer.
struct Latencies(Vec<f64>);

impl Ingest {
    fn watch(service: &Service) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, public) = (Arc::clone(&stop), service.public);
        let thread = std::thread::spawn(move || {
            let mut client = Client::connect(public);
            let view = events::post("/v1/page", r#"{"type":"page","anonymousId":"visitor-of-meanwhile"}"#);
            let mut latencies = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let left = Instant::now();
                client.ask(&view);
                latencies.push(left.elapsed().as_secs_f64() * 1_000.0);
            }
            latencies
        });
        Self { stop, thread }
    }

    fn end(self) -> Latencies {
        self.stop.store(true, Ordering::Relaxed);
        Latencies(self.thread.join().unwrap())
    }
}

impl Latencies {
    fn print(mut self, when: &str) {
        let [median, p99, longest] = [50, 99, 100].map(|percent| percentile(&mut self.0, percent));
        println!(
            "{} events one at a time {when}: ms to the durable answer: median {median:.1}, 99 % {p99:.1}, longest {longest:.0}",
            self.0.len()
        );
    }
}

/// How often a text stands in the files of a folder.
fn stands(folder: &Path, text: &str) -> usize {
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| times_in(&fs::read(file.unwrap().path()).unwrap(), text.as_bytes())).sum()
}

fn times_in(bytes: &[u8], text: &[u8]) -> usize {
    let first = text[0];
    let begins = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    begins.filter(|(at, _)| bytes[*at..].starts_with(text)).count()
}

/// Megabytes of this process, by a line of `/proc/self/status`.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|each| each.strip_prefix(line)?.strip_prefix(':')).unwrap();
    found.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_000
}
