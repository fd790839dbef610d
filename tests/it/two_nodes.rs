//! Two nodes on one database: one works, the other stands by; whoever is killed is replaced, and while the database is away
//! events are refused at once.
//!
//! Needs PostgreSQL; says so and tests nothing where it is not installed.

mod orders;
mod settings;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock, SystemClock};
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use tokio::task::JoinSet;

use crate::crash::load::{self, Load, Memory};
use crate::crash::{
    assert_conserved, assert_contacts_are_the_fold, assert_every_call_took_a_slot,
    assert_nothing_is_lost_or_doubled, drained, number, with_every_door,
};
use crate::support::cluster::{self, Cluster};
use crate::support::process::{Connection, Served, Setup, until};

const KILLS: u64 = 4;
const SEED: u64 = 20_261_129;
/// Clients of each node.
const CLIENTS: u64 = 3;
/// Events acknowledged between two kills.
const EVENTS: u64 = 60;
/// Three leases, and what a busy machine takes.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(30);

/// A node on a database, with a short lease and short calls.
fn node(folder: &Path, name: &str, (cluster, schema): (&Cluster, &str), crm: &Served) -> Setup {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let log = [("LOG__LEVEL", "warn,freshsignal::cli::serve=info,freshsignal::store=info")];
    cluster
        .of_node(schema)
        .into_iter()
        .chain(log)
        .fold(with_every_door(Setup::new(&folder, crm.address)), |setup, (key, value)| setup.with(key, value))
}

#[expect(clippy::print_stderr, reason = "figures of a run, for people")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_that_works_is_killed_again_and_again_and_the_other_goes_on() {
    let Some(cluster) = cluster::private() else { return };
    let options = SandboxOptions { latency: Duration::from_millis(20), ..SandboxOptions::default() };
    let clock = Arc::new(SystemClock::default());
    let memory = Memory::new(clock.wall());
    let sandbox = Sandbox::new(options, Arc::clone(&clock) as Arc<dyn Clock>);
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setups = ["a", "b"].map(|name| node(folder.path(), name, (cluster, "two_nodes"), &crm));
    let [first, second] = &setups;
    // The first works, since it was there first.
    let (mut works, mut beside) = (first.start().await, second.start().await);
    let mut slowest = Duration::ZERO;
    for kill in 0..KILLS {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            for (nth, service) in (0..).zip([&works, &beside]) {
                let seed = SEED.wrapping_add(kill << 8) + client * 2 + nth;
                clients.spawn(Load::new(memory.clone(), service.public, seed).by_every_door().until_cut());
            }
        }
        memory.until_acknowledged(memory.acknowledged() + EVENTS).await;
        works.kill();
        let killed = clock.monotonic();
        let processed = async || {
            let status = beside.ask("/api/status").await;
            number(&status, "accepted") - number(&status, "journal_lag_events")
        };
        let before = processed().await;
        // Events go on being taken meanwhile, a few: two nodes take far more than one works off.
        memory.until_acknowledged(memory.acknowledged() + EVENTS).await;
        clients.shutdown().await;
        until("the other node to work", TAKEN_OVER_WITHIN, async || processed().await > before).await;
        slowest = slowest.max(clock.monotonic().saturating_sub(killed));
        let setup = if kill % 2 == 0 { first } else { second };
        (works, beside) = (beside, setup.start().await);
        assert_conserved(&works.ask("/api/status").await);
    }
    let status = drained(&works).await;
    say(&format!(
        "{KILLS} kills of the working node: {} events sent, {} acknowledged, {} calls; taken over within {slowest:?}",
        memory.sent().len(),
        memory.acknowledged(),
        sandbox.requests().len(),
    ));
    assert_nothing_is_lost_or_doubled(&works, &memory, &status).await;
    assert_contacts_are_the_fold(&works, &memory, &sandbox).await;
    assert_every_call_took_a_slot(&status, &sandbox);
    // What stands by shows the same.
    assert_nothing_is_lost_or_doubled(&beside, &memory, &beside.ask("/api/status").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_hands_over_at_once_and_the_allowance_is_kept() {
    const PER_HOUR: u64 = 6;
    let Some(cluster) = cluster::private() else { return };
    let clock = SystemClock::default();
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setups = ["a", "b"].map(|name| {
        let setup =
            node(folder.path(), name, (cluster, "handed_over"), &crm).with("STORE__LEASE_SECONDS", "300");
        setup.with("ALLOWANCE__PER_HOUR", &PER_HOUR.to_string())
    });
    let [first, second] = &setups;
    let (works, beside) = (first.start().await, second.start().await);
    let mut connection = Connection::open(beside.public).await.unwrap();
    assert_eq!(connection.ingest(&load::new_contacts("1", 4)).await.unwrap().status, 200);
    until("four calls", TAKEN_OVER_WITHIN, async || sandbox.requests().len() == 4).await;
    until("nothing on its way", TAKEN_OVER_WITHIN, async || {
        number(&beside.ask("/api/status").await["open"], "in_flight") == 0
    })
    .await;
    works.terminate();
    let asked = clock.monotonic();
    works.ended(TAKEN_OVER_WITHIN).await;
    // The lease would last for minutes; it was given back.
    assert_eq!(connection.ingest(&load::new_contacts("2", 4)).await.unwrap().status, 200);
    until("the calls that are left", TAKEN_OVER_WITHIN, async || {
        let status = beside.ask("/api/status").await;
        status["allowance"]["hour"]["used"] == PER_HOUR && number(&status["open"], "in_flight") == 0
    })
    .await;
    say(&format!("handed over within {:?}", clock.monotonic().saturating_sub(asked)));
    assert_eq!(sandbox.requests().len() as u64, PER_HOUR);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_its_lease_stands_by_and_works_again_when_the_other_one_is_gone() {
    let Some(cluster) = cluster::private() else { return };
    let options = SandboxOptions { latency: Duration::from_millis(20), ..SandboxOptions::default() };
    let clock = Arc::new(SystemClock::default());
    let memory = Memory::new(clock.wall());
    let sandbox = Sandbox::new(options, Arc::clone(&clock) as Arc<dyn Clock>);
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setup = node(folder.path(), "a", (cluster, "lost"), &crm);
    let service = setup.start().await;
    let epoch = || cluster.ask("SELECT epoch FROM lost.turns").parse::<u64>().unwrap();
    until("it to work", TAKEN_OVER_WITHIN, async || epoch() == 1).await;
    for nth in 0..3 {
        let before = epoch();
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let seed = SEED.wrapping_add(nth << 16) + client;
            clients.spawn(Load::new(memory.clone(), service.public, seed).by_every_door().until_cut());
        }
        memory.until_acknowledged(memory.acknowledged() + EVENTS).await;
        // As if it had been frozen, and another had taken over meanwhile.
        cluster.ask(
            "UPDATE lost.turns SET epoch = epoch + 1, holder = 'other', expires_at = clock_timestamp() + '3 s'",
        );
        until("it to stand by", TAKEN_OVER_WITHIN, async || {
            setup.log().matches("another node has taken over the work").count() as u64 > nth
        })
        .await;
        // Events go on being taken.
        memory.until_acknowledged(memory.acknowledged() + EVENTS).await;
        clients.shutdown().await;
        until("it to work again", TAKEN_OVER_WITHIN, async || epoch() == before + 2).await;
        let taken = format!("SELECT count(*) FROM lost.slots WHERE epoch = {}", before + 1);
        assert_eq!(cluster.ask(&taken), "0", "it made a call without the lease");
    }
    let status = drained(&service).await;
    assert_nothing_is_lost_or_doubled(&service, &memory, &status).await;
    assert_contacts_are_the_fold(&service, &memory, &sandbox).await;
    assert_every_call_took_a_slot(&status, &sandbox);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_events_are_refused_at_once_and_afterwards_all_goes_on() {
    let Some(bin) = cluster::bin() else { return };
    let cluster = Cluster::start(&bin, "away", "");
    let clock = SystemClock::default();
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setup = node(folder.path(), "a", (&cluster, "away"), &crm);
    let service = setup.start().await;
    let mut connection = Connection::open(service.public).await.unwrap();
    assert_eq!(connection.ingest(&load::new_contacts("1", 3)).await.unwrap().status, 200);
    let pid = cluster.pid().unwrap();
    let killed = Command::new("sh").arg("-c").arg(format!("kill -QUIT {pid}")).status().unwrap();
    assert!(killed.success());
    let mut private = Connection::open(service.private).await.unwrap();
    until("the service to know", TAKEN_OVER_WITHIN, async || {
        let opened = Connection::open(service.public).await;
        let mut connection = opened.unwrap_or_else(|error| panic!("{error}: {}", setup.log()));
        connection.ingest(&load::new_contacts("2", 1)).await.unwrap().status == 503
    })
    .await;
    let mut slowest = Duration::ZERO;
    for nth in 0..50 {
        let asked = clock.monotonic();
        let mut connection = Connection::open(service.public).await.unwrap();
        let answer = connection.ingest(&load::new_contacts(&format!("3-{nth}"), 1)).await.unwrap();
        slowest = slowest.max(clock.monotonic().saturating_sub(asked));
        assert_eq!(answer.status, 503);
    }
    assert_eq!(private.get("/readyz").await.unwrap().status, 503);
    say(&format!("50 events refused while the database was away, the slowest within {slowest:?}"));
    // Fifty milliseconds on a machine that does nothing else.
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    cluster.run();
    until("events to be taken again", TAKEN_OVER_WITHIN, async || {
        let opened = Connection::open(service.public).await;
        let mut connection = opened.unwrap_or_else(|error| panic!("{error}: {}", setup.log()));
        connection.ingest(&load::new_contacts("4", 1)).await.unwrap().status == 200
    })
    .await;
    let status = drained(&service).await;
    assert!(number(&status, "accepted") >= 4, "{status}");
    assert_conserved(&status);
}
