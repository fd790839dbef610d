//! Every view of the page with a million events stored, beside a static page of the same run: `cargo bench --bench views`.
//!
//! The real service is filled through its public listener by a shop of 100,000 people, with deals, companies, notes and some
//! refused contacts. Then each view is opened in headless Chromium, as by whoever types its address, until its first row is on
//! screen; and each question that it asks of the service is asked once more without a browser. `-- --postgres` does it on a
//! database of its own, `-- --events N` with fewer, `-- --only TEXT` for the views with this in their address. It fails when a
//! view shows its first row over 300 ms later than the static page. What it found is in `benches/RESULTS.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a harness may fail loudly, prints what it finds and measures real time"
)]

mod support;
/// What drives a browser and a database, as the tests do.
#[path = "../tests/it/support"]
mod driven {
    #![allow(dead_code, reason = "the tests take the rest of it")]
    pub mod browser;
    pub mod cluster;
    pub mod wait;
}

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use driven::browser::Browser;
use driven::cluster::{self, Cluster};
use freshsignal::clock::SystemClock;
use freshsignal::sandbox::{Fault, Sandbox, SandboxOptions};
use serde_json::{Value, json};
use support::client::Client;
use support::events::{of_a_shop, post};
use support::percentile;
use support::service::{Service, serve};
use tokio::runtime::Runtime;

const PEOPLE: u64 = 100_000;
const EVENTS: u64 = 1_000_000;
/// Events of one request, and of a part of the filling, after which the service catches up.
const BATCH: u64 = 500;
const PART: u64 = 100_000;
/// How often each view is opened.
const ROUNDS: usize = 5;
/// How much later than the static page a view may show its first row.
const LATER_MS_MAX: f64 = 300.0;
/// Of a contact that calls are made of while the service is filled, one in so many is refused.
const REFUSED_OF: usize = 150;

/// The views, each with what its first row is.
const VIEWS: &[(&str, &str)] = &[
    ("#/now", ".tile"),
    ("#/events", "tbody tr"),
    ("#/events?outcome=queued", "tbody tr"),
    ("#/events?outcome=queued%2Cabsorbed%2Cno_email", "tbody tr"),
    ("#/events?outcome=invalid_email", ".empty"),
    ("#/events?email=person-782%40example.com", "tbody tr"),
    ("#/events?person=user-782", "tbody tr"),
    ("#/events?event=Lead+Generated", "tbody tr"),
    ("#/events?event=Never+Sent", ".empty"),
    ("#/events?source=shop", "tbody tr"),
    ("#/events?source=never-heard-of", ".empty"),
    ("#/events?event=page&outcome=queued", ".empty, tbody tr"),
    ("#/events?span=900&event=page", "tbody tr"),
    ("#/events?search=order", "tbody tr"),
    ("#/events?search=Jane+Doe+782", "tbody tr"),
    ("#/events?outcome=rejected", ".empty"),
    ("#/events/EVENT", ".step"),
    ("#/contacts", "tbody tr"),
    ("#/contacts/person-782%40example.com", ".facts dd"),
    ("#/deals", "tbody tr"),
    ("#/deals?search=A-77", "tbody tr"),
    ("#/deals?email=person-782%40example.com", "tbody tr, .empty"),
    ("#/companies", "tbody tr"),
    ("#/deliveries", "tbody tr"),
    ("#/deliveries?state=delivered", "tbody tr"),
    ("#/deliveries?email=person-782%40example.com", "tbody tr"),
    ("#/deliveries/DELIVERY", ".facts dd"),
    ("#/dead-letters", "tbody tr"),
    ("#/dead-letters?reason=last_name", "tbody tr"),
    ("#/happenings", "tbody tr"),
    ("#/outputs", ".empty"),
    ("#/playground", "form"),
    ("#/status", ".tile"),
    ("#/connect", ".connected"),
    ("#/plan", "form"),
    ("#/settings", ".note, .card"),
    ("#/acts", "tbody tr"),
    ("#/start", ".first-steps li"),
];

/// Nothing fits, which is known once the page has walked back over all events: there is no first row.
const WITHOUT_A_ROW: [&str; 2] = ["#/events?source=never-heard-of", "#/events?event=page&outcome=queued"];

/// What the shop wants of deals, companies and notes.
const MAPPING: &str = r#"
[company]
name = ["traits.company"]
[fields.company_name]
from = []
[deals.order]
key = ["properties.order_id"]
key_field = "custom_field.cf_order_id"
name = "{email} order #{key}"
forward_only = true
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[events."Lead Generated".note]
text = "Lead worth {properties.value}"
"#;

struct Wanted {
    events: u64,
    postgres: bool,
    only: String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |word: &str| {
        let at = arguments.iter().position(|argument| argument == word)?;
        arguments.get(at + 1).cloned()
    };
    let wanted = Wanted {
        events: after("--events").map_or(EVENTS, |number| number.parse().unwrap()),
        postgres: arguments.iter().any(|argument| argument == "--postgres"),
        only: after("--only").unwrap_or_default(),
    };
    let runtime = Runtime::new().unwrap();
    let database = wanted.postgres.then(|| cluster::private().expect("PostgreSQL is installed"));
    let crm = refusing_some();
    let at = serve(&runtime, crm.router());
    let service = Service::start(&runtime, &settings(at, database));
    fill(&service, wanted.events);
    let stored = stored(&service, database);
    println!("{stored} events stored, {} calls were made", crm.calls());
    assert_eq!(stored, wanted.events, "all of them are kept");
    let static_page = serve(&runtime, Router::new().route("/", get(async || Html(a_static_page()))));
    let slow = runtime.block_on(look(&service, static_page, &wanted.only));
    service.stop(&runtime);
    assert!(slow.is_empty(), "over {LATER_MS_MAX} ms later than the static page: {slow:?}");
}

/// A CRM that refuses one contact in so many, so that there are dead letters.
fn refusing_some() -> Sandbox {
    let crm = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    for person in (0..PEOPLE).step_by(REFUSED_OF) {
        let body = json!({"errors": {"code": 422, "message": ["last_name is refused here"]}});
        let email = format!("person-{person}@example.com");
        crm.fault(
            Fault::from_json(json!({"status": 422, "email": email, "times": 9, "body": body})).unwrap(),
        );
    }
    crm
}

fn settings(crm: SocketAddr, database: Option<&Cluster>) -> Vec<(&'static str, String)> {
    let mapping = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("views-mapping.toml");
    std::fs::write(&mapping, MAPPING).unwrap();
    let mut settings = vec![
        ("FRESHSALES__BUNDLE_ALIAS", "acme".to_owned()),
        ("FRESHSALES__API_KEY", SandboxOptions::default().api_key),
        ("FRESHSALES__BASE_URL", format!("http://{crm}")),
        ("ALLOWANCE__PER_HOUR", "5000".to_owned()),
        ("ALLOWANCE__PER_MINUTE", "5000".to_owned()),
        ("MAPPING__FILE", mapping.display().to_string()),
        ("RETENTION__TRAIL_BYTES_MAX", (4_u64 << 30).to_string()),
    ];
    if let Some(cluster) = database {
        let of_node = [
            ("STORE__KIND", "postgres".to_owned()),
            ("STORE__URL", cluster.url().to_owned()),
            ("STORE__SCHEMA", "views".to_owned()),
            ("STORE__TLS", "off".to_owned()),
            ("STORE__DURABILITY", "single".to_owned()),
        ];
        settings.extend(of_node);
    }
    settings
}

fn fill(service: &Service, events: u64) {
    let mut client = Client::connect(service.public);
    let began = Instant::now();
    for first in (0..events).step_by(usize::try_from(BATCH).unwrap()) {
        let last = events.min(first + BATCH);
        let all: Vec<String> = (first..last).map(an_event).collect();
        client.ask(&post("/v1/batch", &format!(r#"{{"batch":[{}]}}"#, all.join(","))));
        if last.is_multiple_of(PART) || last == events {
            service.catch_up();
            println!("{last} events after {:.0} s", began.elapsed().as_secs_f64());
        }
    }
}

/// An event of the shop; an order has a number, and some companies are many.
fn an_event(number: u64) -> String {
    let event = of_a_shop(number, PEOPLE);
    let order = format!(r#""properties":{{"order_id":"A-{number}","#);
    let event = event.replacen(r#""properties":{"#, &order, usize::from(event.contains("Order Completed")));
    event.replace("Globex", &format!("Globex {}", number % 1_000))
}

/// How many events the trail holds.
fn stored(service: &Service, database: Option<&Cluster>) -> u64 {
    if let Some(cluster) = database {
        return cluster.ask("SELECT count(*) FROM views.events").parse().unwrap();
    }
    let file = service.data().join("state.db");
    let state =
        rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count: i64 = state.query_row("SELECT count(*) FROM events", (), |row| row.get(0)).unwrap();
    u64::try_from(count).unwrap()
}

/// A table of fifty rows and nothing else.
fn a_static_page() -> String {
    let row = "<tr><td>09:00</td><td>Lead Generated</td><td>sam@example.com</td><td>Queued</td></tr>";
    format!(
        "<!doctype html><html lang=en><title>Static</title><main><table><tbody>{}</table></main>",
        row.repeat(50)
    )
}

/// Opens every view, prints the table, and answers those that were late.
async fn look(service: &Service, static_page: SocketAddr, only: &str) -> Vec<String> {
    let browser = Browser::start().await;
    let (event, delivery) = some_ids(service);
    let still = first_row(&browser, &format!("http://{static_page}/"), "tbody tr").await.0;
    println!("\nthe static page: {still:.0} ms until its first row, median of {ROUNDS}\n");
    println!("| view | first row, ms | later than the static page, ms | its slowest question, ms |");
    println!("| --- | --- | --- | --- |");
    let mut slow = Vec::new();
    for (hash, row) in VIEWS.iter().filter(|(hash, _)| hash.contains(only)) {
        let hash = hash.replace("EVENT", &event).replace("DELIVERY", &delivery);
        let url = format!("http://{}/debug{hash}", service.private);
        let (took, asked) = first_row(&browser, &url, row).await;
        let (slowest, path) = slowest(service.private, &asked);
        let later = took - still;
        println!("| `{hash}` | {took:.0} | {later:.0} | {slowest:.1} (`{path}`) |");
        if later > LATER_MS_MAX && !WITHOUT_A_ROW.contains(&hash.as_str()) {
            slow.push(format!("{hash}: {later:.0} ms"));
        }
    }
    slow
}

/// The ids of an event with a delivery, and of that.
fn some_ids(service: &Service) -> (String, String) {
    let mut client = Client::connect(service.private);
    let answer = client.ask(b"GET /api/events?outcome=queued&limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let text = |name: &str| answer["events"][0][name].as_str().unwrap().to_owned();
    (text("message_id"), text("delivery_id"))
}

/// Milliseconds from the order to open a page until its first row is on screen, the median, and what it asked of the service.
async fn first_row(browser: &Browser, url: &str, row: &str) -> (f64, Vec<String>) {
    let rows: Vec<String> = row.split(',').map(|row| format!("main {}", row.trim())).collect();
    let watch = format!(
        "new MutationObserver((_, observer) => {{
           const found = [...document.querySelectorAll({})].some((row) => row.getClientRects().length);
           if (!found) return;
           observer.disconnect();
           requestAnimationFrame(() => {{ window.firstRow = performance.now(); }});
         }}).observe(document, {{ childList: true, subtree: true }});",
        json!(rows.join(", "))
    );
    let added = browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": watch})).await;
    let (mut took, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        browser.open("about:blank").await;
        browser.open(url).await;
        let found = browser.eventually(&format!("{url} shows {row}"), "return window.firstRow").await;
        took.push(found.as_f64().unwrap());
        let entries =
            browser.run("return performance.getEntriesByType('resource').map((one) => one.name)").await;
        let paths = entries.as_array().unwrap().iter().filter_map(|name| name.as_str()?.split_once("/api/"));
        // The stream goes on, and one question is a POST.
        let is_asked =
            |path: &String| !["/api/stream", "/api/map"].iter().any(|other| path.starts_with(other));
        asked.extend(paths.map(|(_, path)| format!("/api/{path}")).filter(is_asked));
    }
    browser
        .devtools("Page.removeScriptToEvaluateOnNewDocument", json!({"identifier": added["identifier"]}))
        .await;
    asked.sort();
    asked.dedup();
    (percentile(&mut took, 50), asked)
}

/// The question that takes longest, in milliseconds, the median of each.
fn slowest(private: SocketAddr, asked: &[String]) -> (f64, String) {
    let mut client = Client::connect(private);
    let mut worst = (0.0, String::new());
    for path in asked {
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            client.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
            took.push(began.elapsed().as_secs_f64() * 1000.0);
            std::thread::sleep(Duration::from_millis(1));
        }
        let median = percentile(&mut took, 50);
        if median > worst.0 {
            worst = (median, path.clone());
        }
    }
    worst
}
