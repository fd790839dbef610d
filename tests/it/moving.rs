//! A store that moves between a data folder and a database: a service goes on where the other one stopped.
//!
//! Needs PostgreSQL; says so and tests nothing where it is not installed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock, SystemClock};
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use freshsignal::store::postgres::{PostgresSettings, PostgresStore};
use freshsignal::store::{Durability, StoreSettings, Tls};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::crash::load::pages;
use crate::crash::number;
use crate::support::cluster::{self, Cluster};
use crate::support::command::{freshsignal, output};
use crate::support::process::{Connection, Served, Service, Setup, until};

/// What a busy machine takes.
const WITHIN: Duration = Duration::from_secs(90);
const NOTE: &str = "\n[events.\"Lead Generated\".note]\ntext = \"A lead\"\n";

/// Runs a command of the nodes; answers its exit code and all it said.
fn run(cluster: &Cluster, schema: &str, arguments: &[&str]) -> (i32, String) {
    let (code, stdout, stderr) = output(&mut freshsignal(arguments, &cluster.of_node(schema)), "");
    (code, format!("{stdout}{stderr}"))
}

fn succeed(cluster: &Cluster, schema: &str, arguments: &[&str]) -> String {
    let (code, said) = run(cluster, schema, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

fn as_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with a service below it, whose data is in `data`.
fn setup(folder: &Path, name: &str, crm: &Served) -> (Setup, PathBuf) {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let mapping = folder.join("mapping.toml");
    std::fs::write(&mapping, format!("{}{NOTE}", include_str!("../../src/cli/demo/mapping.toml"))).unwrap();
    let setup = Setup::new(&folder, crm.address).with("MAPPING__FILE", as_text(&mapping));
    (setup, folder.join("data"))
}

fn node(folder: &Path, crm: &Served, (cluster, schema): (&Cluster, &str)) -> Setup {
    let (setup, _) = setup(folder, "node", crm);
    cluster.of_node(schema).into_iter().fold(setup, |setup, (key, value)| setup.with(key, value))
}

/// A lead of somebody, with a message of their own.
fn lead(name: &str, at: &str) -> String {
    json!({ "type": "track", "event": "Lead Generated", "userId": name, "messageId": format!("lead-{name}"), "timestamp": at,
        "context": { "traits": { "email": format!("{name}@example.com"), "lastName": "Lee" } } })
    .to_string()
}

async fn send(service: &Service, event: &str) {
    let mut connection = Connection::open(service.public).await.unwrap();
    assert_eq!(connection.ingest(event).await.unwrap().status, 200);
}

async fn order(service: &Service, request: &str) {
    let mut private = Connection::open(service.private).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(private.ask(request.as_bytes()).await.unwrap().status, 200);
}

/// The status once everything is in effect and so many deliveries are open.
async fn settled(service: &Service, open: u64) -> Value {
    let mut status = Value::Null;
    until("everything to be in effect and called", WITHIN, async || {
        status = service.ask("/api/status").await;
        number(&status, "journal_lag_events") == 0 && sum(&status["open"]) == open
    })
    .await;
    assert_eq!(number(&status, "accepted"), sum(&status["outcomes"]), "{status}");
    assert_eq!(number(&status, "queued"), open + sum(&status["ended"]), "{status}");
    status
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

async fn stop(service: Service) {
    service.terminate();
    assert_eq!(service.ended(WITHIN).await.code(), Some(0));
}

/// How many calls of the CRM spoke of somebody.
fn calls_of(sandbox: &Sandbox, name: &str) -> usize {
    let email = format!("{name}@example.com");
    let of = |body: &[u8]| String::from_utf8_lossy(body).contains(&email);
    sandbox.requests().iter().filter(|request| request.path.ends_with("upsert") && of(&request.body)).count()
}

/// What was told by each event, and how it stands.
async fn happenings(service: &Service) -> Vec<(String, String)> {
    let page = service.ask("/api/happenings").await;
    let of = |it: &Value| {
        (it["message_id"].as_str().unwrap().to_owned(), it["state"].as_str().unwrap().to_owned())
    };
    let mut all: Vec<_> = page["happenings"].as_array().unwrap().iter().map(of).collect();
    all.sort();
    all
}

/// What stays as it is while a store moves.
fn kept(status: &Value) -> Value {
    json!([
        status["accepted"],
        status["outcomes"],
        status["open"],
        status["ended"],
        status["queued"],
        status["allowance"]["hour"]["used"],
        status["happenings"]
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_goes_on_in_the_other_engine_where_it_stopped_there_and_back() {
    let Some(cluster) = cluster::private() else { return };
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let now = SystemClock::default().wall().to_rfc3339();
    let (first, data) = setup(folder.path(), "first", &crm);
    let service = first.start().await;
    for name in ["ann", "erika"] {
        send(&service, &lead(name, &now)).await;
    }
    let bought = json!({ "type": "track", "event": "Order Completed", "userId": "ann", "messageId": "order",
        "properties": { "order_id": "A-1", "total": "96.00", "currency": "EUR" } });
    send(&service, &bought.to_string()).await;
    until("a deal and two notes", WITHIN, async || sandbox.deals().len() == 1 && sandbox.notes().len() == 2)
        .await;
    settled(&service, 0).await;
    order(&service, "DELETE /api/people?email=erika%40example.com").await;
    order(&service, "POST /api/pause").await;
    send(&service, &lead("waits", &now)).await;
    let before = settled(&service, 1).await;
    let told = happenings(&service).await;
    stop(service).await;

    let schema = "moved";
    let said = succeed(cluster, schema, &["store", "import", as_text(&data)]);
    assert!(said.contains("all compared"), "{said}");
    let nodes = node(folder.path(), &crm, (cluster, schema));
    let service = nodes.start().await;
    assert_eq!(kept(&settled(&service, 1).await), kept(&before));
    assert_eq!(happenings(&service).await, told);
    // What came once comes again, and who was erased stays so.
    for name in ["ann", "erika"] {
        send(&service, &lead(name, &now)).await;
    }
    let status = settled(&service, 1).await;
    assert_eq!(number(&status["outcomes"], "duplicate"), 1, "{status}");
    assert_eq!(number(&status["outcomes"], "erased"), 1, "{status}");
    order(&service, "POST /api/resume").await;
    settled(&service, 0).await;
    assert_eq!(
        (calls_of(&sandbox, "ann"), calls_of(&sandbox, "erika"), calls_of(&sandbox, "waits")),
        (1, 1, 1)
    );
    assert_eq!((sandbox.notes().len(), sandbox.deals().len()), (3, 1));
    order(&service, "POST /api/pause").await;
    send(&service, &lead("later", &now)).await;
    let before = settled(&service, 1).await;
    let back = folder.path().join("back").join("data");
    let (code, said) = run(cluster, schema, &["store", "export", as_text(&back)]);
    assert_eq!((code, back.exists()), (75, false), "{said}");
    // Beside it a backup can be made, and be restored as any other.
    let backup = folder.path().join("backup");
    let said = succeed(cluster, schema, &["store", "export", "--beside-nodes", as_text(&backup)]);
    assert!(said.contains("freshsignal restore"), "{said}");
    let restored = folder.path().join("restored");
    let of_folder = [("STORE__PATH", as_text(&restored)), ("FRESHSALES__BUNDLE_ALIAS", "acme")];
    let (code, said, _) = output(&mut freshsignal(&["restore", as_text(&backup)], &of_folder), "");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("no call is made for an hour"), "{said}");
    assert_eq!(output(&mut freshsignal(&["verify"], &of_folder), "").0, 0);
    stop(service).await;

    let (last, back) = setup(folder.path(), "back", &crm);
    let said = succeed(cluster, schema, &["store", "export", as_text(&back)]);
    assert!(said.contains("is sound: "), "{said}");
    let service = last.start().await;
    assert_eq!(kept(&settled(&service, 1).await), kept(&before));
    send(&service, &lead("erika", &now)).await;
    order(&service, "POST /api/resume").await;
    settled(&service, 0).await;
    let calls = ["ann", "erika", "waits", "later"].map(|name| calls_of(&sandbox, name));
    assert_eq!((calls, sandbox.notes().len(), sandbox.deals().len()), ([1, 1, 1, 1], 4, 1));
    stop(service).await;
}

/// A session that holds a lock until it is dropped.
struct Locked(Child);

impl Locked {
    fn on(cluster: &Cluster, schema: &str, table: &str) -> Self {
        let mut psql = psql(cluster).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let sql = format!("BEGIN; LOCK TABLE {schema}.{table} IN SHARE MODE;\n");
        psql.stdin.as_mut().unwrap().write_all(sql.as_bytes()).unwrap();
        Self(psql)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn psql(cluster: &Cluster) -> Command {
    let mut command = Command::new(cluster::bin().unwrap().join("psql"));
    command.args(["-X", "-q", "-A", "-t", "-d", cluster.url()]);
    command
}

fn asked(cluster: &Cluster, sql: &str) -> String {
    let (code, stdout, stderr) = output(psql(cluster).args(["-c", sql]), "");
    assert_eq!(code, 0, "{stderr}");
    stdout.trim().to_owned()
}

/// Makes the tables of a schema, with nothing in them.
fn make_tables(cluster: &Cluster, schema: &str) {
    let settings = PostgresSettings {
        url: SecretString::from(cluster.url().to_owned()),
        schema: schema.to_owned(),
        tls: Tls::Off,
        authorities: String::new(),
        durability: Durability::Single,
        append_deadline: WITHIN,
        lease: WITHIN,
        call_lasts: Duration::ZERO,
        by_database_clock: true,
        node: "test".to_owned(),
        limits: StoreSettings::default(),
    };
    PostgresStore::open(settings, Arc::new(SystemClock::default())).unwrap().shut();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_leaves_nothing_that_could_be_served_and_the_next_is_whole() {
    const EVENTS: u64 = 2_000;
    let Some(cluster) = cluster::private() else { return };
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let (first, data) = setup(folder.path(), "first", &crm);
    let service = first.start().await;
    for batch in 0..EVENTS / 500 {
        send(&service, &pages(&batch.to_string(), 500)).await;
    }
    settled(&service, 0).await;
    stop(service).await;
    let schema = "import_killed";
    let nodes = node(folder.path(), &crm, (cluster, schema));
    make_tables(cluster, schema);
    let lock = Locked::on(cluster, schema, "events");
    let mut command = freshsignal(&["store", "import", as_text(&data)], &cluster.of_node(schema));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It comes to them after the journal and the people.
    let waits =
        format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{schema}.events'::regclass");
    until("the import to be under way", WITHIN, async || asked(cluster, &waits) != "0").await;
    child.kill().unwrap();
    child.wait().unwrap();
    drop(lock);
    let held =
        format!("SELECT (SELECT count(*) FROM {schema}.groups) + (SELECT count(*) FROM {schema}.people)");
    assert_eq!(asked(cluster, &held), "0");
    let said = succeed(cluster, schema, &["store", "import", as_text(&data)]);
    assert!(said.contains(&format!("{EVENTS} events accepted")), "{said}");
    let service = nodes.start().await;
    let status = settled(&service, 0).await;
    assert_eq!(number(&status, "accepted"), EVENTS);
    stop(service).await;
}
