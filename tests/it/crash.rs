//! `kill -9` under load, again and again, on one data folder: what was acknowledged has taken effect, exactly once. The load
//! comes by every door: events, posted forms, webhooks.
//!
//! The service is the real binary, the CRM the sandbox in this process, which outlives it. Where the kills fall is
//! chosen by a seed; `CRASH_CYCLES` and `CRASH_SEED` in the environment run it longer or otherwise.

pub mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock, SystemClock};
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::task::JoinSet;

use self::load::{Load, Memory};
use crate::support::process::{Connection, Served, Service, Setup, until, within};

const CYCLES: u64 = 20;
const SEED: u64 = 20_260_301;
const CLIENTS: u64 = 6;
/// A cycle ends after as many acknowledged events at most.
const ACKNOWLEDGED_MAX: u64 = 700;
/// The events of the large backlog, by how many clients they come and how many at a time.
const BACKLOG_EVENTS: u64 = 20_000;
const BACKLOG_CLIENTS: u64 = 4;
const BACKLOG_BATCH: u64 = 500;
/// Every fifth kill comes at once: while what the kill before left behind is being worked off.
const AT_ONCE_EVERY: u64 = 5;
/// The threads that work give way to everything else on the machine: beside other tests they get little.
const DRAIN_MAX: Duration = Duration::from_mins(10);

#[expect(clippy::disallowed_methods, reason = "only whoever runs the test can ask for a longer one")]
fn asked_for(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[expect(clippy::print_stderr, reason = "figures of a run, for people")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_loses_nothing_and_does_nothing_twice() {
    let (cycles, seed) = (asked_for("CRASH_CYCLES", CYCLES), asked_for("CRASH_SEED", SEED));
    // Slow answers: most kills meet calls that took effect and whose answer never came.
    let options = SandboxOptions { latency: Duration::from_millis(20), ..SandboxOptions::default() };
    let clock = Arc::new(SystemClock::default());
    let memory = Memory::new(clock.wall());
    let sandbox = Sandbox::new(options, clock);
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setup = with_every_door(Setup::new(folder.path(), crm.address));
    let mut kills = StdRng::seed_from_u64(seed);
    let (mut slowest_start, mut backlog_max) = (Duration::ZERO, 0);

    for cycle in 0..cycles {
        let service = setup.start().await;
        slowest_start = slowest_start.max(service.ready_after);
        let status = service.ask("/api/status").await;
        assert_conserved(&status);
        assert!(number(&status, "accepted") >= memory.acknowledged(), "lost by kill {cycle}: {status}");
        backlog_max = backlog_max.max(number(&status, "journal_lag_events"));
        let events = if cycle % AT_ONCE_EVERY == 0 { 0 } else { kills.random_range(1..ACKNOWLEDGED_MAX) };
        load_and_kill(service, &memory, seed.wrapping_add(cycle << 8), events).await;
    }

    let service = setup.start().await;
    let status = drained(&service).await;
    say(&format!(
        "{cycles} kills: {} events sent, {} acknowledged, {} calls; slowest start {slowest_start:?} with at most \
         {backlog_max} events waiting",
        memory.sent().len(),
        memory.acknowledged(),
        sandbox.requests().len(),
    ));
    assert_nothing_is_lost_or_doubled(&service, &memory, &status).await;
    assert_contacts_are_the_fold(&service, &memory, &sandbox).await;
    assert_every_call_took_a_slot(&status, &sandbox);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_at_once_with_a_large_backlog() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there, so nothing is delivered.
    let setup = Setup::new(folder.path(), "127.0.0.1:9".parse().unwrap());
    let service = setup.start().await;
    let mut clients = JoinSet::new();
    for client in 0..BACKLOG_CLIENTS {
        let mut connection = Connection::open(service.public).await.unwrap();
        clients.spawn(async move {
            for batch in 0..BACKLOG_EVENTS / BACKLOG_CLIENTS / BACKLOG_BATCH {
                let events = load::pages(&format!("{client}-{batch}"), BACKLOG_BATCH);
                assert_eq!(connection.ingest(&events).await.unwrap().status, 200);
            }
        });
    }
    clients.join_all().await;
    service.kill();

    let service = setup.start().await;
    let status = service.ask("/api/status").await;
    let waiting = number(&status, "journal_lag_events");
    say(&format!("ready after {:?} with {waiting} of {BACKLOG_EVENTS} events waiting", service.ready_after));
    assert_conserved(&status);
    assert_eq!(number(&status, "accepted"), BACKLOG_EVENTS);
    assert!(service.ready_after < Duration::from_secs(10), "{:?}", service.ready_after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_an_hour_it_is_granted_no_call_more() {
    const PER_HOUR: u64 = 12;
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(folder.path(), crm.address).with("ALLOWANCE__PER_HOUR", &PER_HOUR.to_string());
    let used = |status: &Value| status["allowance"]["hour"]["used"].as_u64().unwrap();
    for kill in 0..4 {
        let service = setup.start().await;
        let mut connection = Connection::open(service.public).await.unwrap();
        assert_eq!(connection.ingest(&load::new_contacts(&kill.to_string(), 5)).await.unwrap().status, 200);
        let calls_max = PER_HOUR.min(5 * (kill + 1));
        until("calls are made as far as the allowance goes", DRAIN_MAX, async || {
            let status = service.ask("/api/status").await;
            used(&status) == calls_max && number(&status["open"], "in_flight") == 0
        })
        .await;
        service.kill();
    }
    assert_eq!(sandbox.requests().len() as u64, PER_HOUR);
}

/// A service that takes forms and webhooks too, as many as come.
pub fn with_every_door(setup: Setup) -> Setup {
    [
        ("SOURCES__WEBSITE__FORM", "true"),
        ("SOURCES__WEBSITE__NEW_CONTACTS_PER_HOUR_MAX", "0"),
        ("SOURCES__WEBSITE__EVENTS_PER_MINUTE_MAX", "0"),
        ("HOOKS__SHOP__KIND", "shopify"),
        ("HOOKS__SHOP__SOURCE", "website"),
        ("HOOKS__SHOP__SECRET", load::HOOK_SECRET),
    ]
    .into_iter()
    .fold(setup, |setup, (key, value)| setup.with(key, value))
}

/// Lets clients send until as many events more are acknowledged, then kills the service under them.
async fn load_and_kill(service: Service, memory: &Memory, seed: u64, events: u64) {
    let enough = memory.acknowledged() + events;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let load = Load::new(memory.clone(), service.public, seed + client).by_every_door();
        clients.spawn(load.until_cut());
    }
    memory.until_acknowledged(enough).await;
    service.kill();
    let all = async { while clients.join_next().await.transpose().unwrap().is_some() {} };
    within(Duration::from_mins(2), all).await.expect("a client still waits for a dead service");
}

pub fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no number `{key}` in {value}"))
}

fn sum(value: &Value) -> u64 {
    value.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// The conservation identity: each event accepted has one outcome or waits for it, each delivery one end or is open.
pub fn assert_conserved(status: &Value) {
    let events = number(status, "journal_lag_events") + sum(&status["outcomes"]);
    assert_eq!(number(status, "accepted"), events, "{status}");
    let deliveries = sum(&status["open"]) + sum(&status["ended"]);
    assert_eq!(number(status, "queued"), deliveries, "{status}");
    assert_eq!(number(status, "queued"), number(&status["outcomes"], "queued"), "{status}");
}

/// The status once nothing waits any more.
pub async fn drained(service: &Service) -> Value {
    let mut status = Value::Null;
    until("everything to be delivered", DRAIN_MAX, async || {
        status = service.ask("/api/status").await;
        number(&status, "journal_lag_events") == 0 && sum(&status["open"]) == 0
    })
    .await;
    status
}

/// Every event the debugger lists, oldest first.
async fn listed(service: &Service) -> Vec<Value> {
    let (mut events, mut before) = (Vec::new(), String::new());
    loop {
        let mut page = service.ask(&format!("/api/events?limit=200{before}")).await;
        let Value::Array(rows) = page["events"].take() else { panic!("no list: {page}") };
        events.extend(rows);
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    events.reverse();
    events
}

pub async fn assert_nothing_is_lost_or_doubled(service: &Service, memory: &Memory, status: &Value) {
    assert_conserved(status);
    let events = listed(service).await;
    let (again, first): (Vec<&Value>, Vec<&Value>) =
        events.iter().partition(|event| event["outcome"] == "duplicate");
    let ids: BTreeSet<&str> = first.iter().map(|event| message_id(event)).collect();
    assert_eq!(ids.len(), first.len(), "a message took effect twice");
    let sent = memory.sent();
    assert!(ids.iter().all(|id| sent.contains_key(*id)), "a message took effect that nobody sent");
    let counted: u64 = first.iter().map(|event| number(event, "duplicates")).sum();
    assert_eq!(counted, again.len() as u64, "duplicates, on the trail of their first and by themselves");
    assert!(counted > 0, "no message came twice, so nothing was shown about those");

    for door in ["form-", "shop-"] {
        let acknowledged = memory.acknowledged_ids().into_iter().filter(|id| id.starts_with(door)).count();
        assert!(acknowledged > 0, "nothing came by the door of {door}");
    }

    let mut outcomes = BTreeMap::<&str, u64>::new();
    for event in &events {
        *outcomes.entry(event["outcome"].as_str().unwrap()).or_default() += 1;
    }
    for (outcome, counted) in status["outcomes"].as_object().unwrap() {
        let listed = outcomes.get(outcome.as_str()).copied().unwrap_or(0);
        assert_eq!(counted.as_u64(), Some(listed), "events with the outcome {outcome}");
    }

    let mut connection = Connection::open(service.private).await.unwrap();
    for message in memory.acknowledged_ids() {
        let answer = connection.get(&format!("/api/events/{message}")).await.unwrap();
        assert_eq!(answer.status, 200, "{message} was acknowledged and is lost");
        let event: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(ids.contains(message_id(&event)), "{message} was acknowledged and is not listed");
        assert_ne!(event["outcome"], "duplicate", "{event}");
        assert_eq!(event["raw"]["messageId"], *message, "{event}");
    }
}

fn message_id(event: &Value) -> &str {
    event["message_id"].as_str().unwrap()
}

/// The contacts are what the events that came through say, whatever was sent on the way.
pub async fn assert_contacts_are_the_fold(service: &Service, memory: &Memory, sandbox: &Sandbox) {
    let sent = memory.sent();
    let came_through = listed(service).await;
    let ids: BTreeSet<&str> = came_through.iter().map(message_id).collect();
    let expected = load::fold(ids.into_iter().map(|id| (id, &sent[id])));
    let mut contacts = BTreeMap::new();
    for contact in sandbox.contacts() {
        let email = contact["emails"].as_str().unwrap_or_else(|| panic!("no email: {contact}")).to_owned();
        let known = |key: &str| contact[key].as_str().map(str::to_owned);
        assert!(contacts.insert(email, (known("city"), known("job_title"))).is_none(), "a contact twice");
    }
    assert_eq!(contacts, expected);
}

/// A call that left has a slot of the allowance on disk, killed or not, so a restart can't spend it again.
pub fn assert_every_call_took_a_slot(status: &Value, sandbox: &Sandbox) {
    let calls = sandbox.requests().len() as u64;
    let hour = &status["allowance"]["hour"];
    assert!(number(hour, "used") >= calls, "{calls} calls, slots: {hour}");
    assert!(number(hour, "used") <= number(hour, "limit"), "{hour}");
}
