//! Backups of a service under load, and what a restore of them does: the real binary, looked at from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock, SystemClock};
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::crash::load::{Load, Memory};
use crate::support::command::{freshsignal, output};
use crate::support::process::{Connection, Served, Service, Setup, until};

const PER_HOUR: u64 = 40;
const CLIENTS: u64 = 4;
/// Acknowledged before the backup begins, and while it is made.
const BEFORE: u64 = 300;
const DRAIN_MAX: Duration = Duration::from_mins(10);

fn on(data: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("STORE__PATH", data.to_str().unwrap().to_owned()),
        ("FRESHSALES__BUNDLE_ALIAS", "acme".to_owned()),
        ("ALLOWANCE__PER_HOUR", PER_HOUR.to_string()),
        ("ALLOWANCE__RESERVE_PERCENT", "0".to_owned()),
    ]
}

/// Runs a command on a data folder; answers its exit code and all it said.
fn run(data: &Path, arguments: &[&str]) -> (i32, String) {
    let environment = on(data);
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let (code, stdout, stderr) = output(&mut freshsignal(arguments, &environment), "");
    (code, format!("{stdout}{stderr}"))
}

fn succeed(data: &Path, arguments: &[&str]) -> String {
    let (code, said) = run(data, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no number `{key}` in {value}"))
}

/// The folders of a test: a name that exists already, the others do not.
struct Folders(tempfile::TempDir);

impl Folders {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A service of its own folder; its data is below that.
    fn setup(&self, name: &str, crm: &Served) -> (Setup, PathBuf) {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        let setup = Setup::new(&folder, crm.address).with("ALLOWANCE__PER_HOUR", &PER_HOUR.to_string());
        (setup, folder.join("data"))
    }
}

fn as_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn crm() -> (Sandbox, Served) {
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let served = Served::start(sandbox.router()).await;
    (sandbox, served)
}

async fn processed(service: &Service) -> Value {
    let mut status = Value::Null;
    until("everything to take effect", DRAIN_MAX, async || {
        status = service.ask("/api/status").await;
        number(&status, "journal_lag_events") == 0
    })
    .await;
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_all_that_was_acknowledged_before_and_nobody_is_called_again_within_the_hour()
{
    let (sandbox, crm) = crm().await;
    let folders = Folders::new();
    let (setup, data) = folders.setup("first", &crm);
    let service = setup.start().await;
    let memory = Memory::new(SystemClock::default().wall());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(Load::new(memory.clone(), service.public, client).until_cut());
    }
    memory.until_acknowledged(BEFORE).await;
    // Calls were made: the backup knows the account by them, and nobody knows of those that follow.
    until("the first call", DRAIN_MAX, async || !sandbox.requests().is_empty()).await;
    let before = memory.acknowledged_ids();
    let backup = folders.path("backup");
    let made = {
        let (data, backup) = (data.clone(), backup.clone());
        tokio::task::spawn_blocking(move || {
            let made = succeed(&data, &["backup", as_text(&backup)]);
            succeed(&data, &["verify"]);
            made
        })
    };
    let made = made.await.unwrap();
    assert!(made.contains("is whole: "), "{made}");
    let during = memory.acknowledged();
    memory.until_acknowledged(during + 1).await;
    service.kill();
    clients.join_all().await;
    let calls = sandbox.requests().len();

    succeed(&data, &["verify", as_text(&backup)]);
    let (setup, data) = folders.setup("second", &crm);
    let said = succeed(&data, &["restore", as_text(&backup)]);
    assert!(said.contains("no call is made for an hour"), "{said}");
    assert!(
        said.contains("there is no record of erasures and withdrawals of this data folder at "),
        "{said}"
    );
    let service = setup.start().await;
    let status = processed(&service).await;
    assert_eq!(number(&status["allowance"]["hour"], "used"), PER_HOUR, "{status}");
    let mut connection = Connection::open(service.private).await.unwrap();
    for message in &before {
        let answer = connection.get(&format!("/api/events/{message}")).await.unwrap();
        assert_eq!(answer.status, 200, "{message} was acknowledged before the backup and is lost");
    }
    assert_eq!(sandbox.requests().len(), calls, "nobody is called");
    service.terminate();
    assert_eq!(service.ended(DRAIN_MAX).await.code(), Some(0));
    succeed(&data, &["verify"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_or_withdrew_after_the_backup_is_gone_and_unsubscribed_after_the_restore() {
    let (sandbox, crm) = crm().await;
    let folders = Folders::new();
    let record = folders.path("elsewhere.log");
    let (setup, data) = folders.setup("first", &crm);
    let setup = setup.with("STORE__WITHDRAWN_FILE", as_text(&record));
    let service = setup.start().await;
    let mut connection = Connection::open(service.public).await.unwrap();
    let lead = |name: &str, consent: Value| {
        json!({ "type": "track", "event": "Lead Generated", "userId": name, "messageId": format!("{name}-{consent}"),
            "consent": consent,
            "context": { "traits": { "email": format!("{name}@example.com"), "lastName": "Lee" } } })
        .to_string()
    };
    for name in ["erika", "kim", "stays"] {
        let sent = connection.ingest(&lead(name, json!({ "marketing": true }))).await.unwrap();
        assert_eq!(sent.status, 200);
    }
    until("three contacts are there", DRAIN_MAX, async || sandbox.contacts().len() == 3).await;
    let backup = folders.path("backup");
    succeed(&data, &["backup", as_text(&backup)]);
    let no = lead("kim", json!({ "marketing": false }));
    assert_eq!(connection.ingest(&no).await.unwrap().status, 200);
    let mut private = Connection::open(service.private).await.unwrap();
    private
        .send(b"DELETE /api/people?email=erika%40example.com HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(private.answer().await.unwrap().status, 200);
    processed(&service).await;
    service.terminate();
    assert_eq!(service.ended(DRAIN_MAX).await.code(), Some(0));

    let (setup, data) = folders.setup("second", &crm);
    let said = succeed(&data, &["restore", as_text(&backup), "--withdrawn", as_text(&record)]);
    assert!(
        said.contains("1 orders to erase people who were erased after the backup, 1 withdrawals"),
        "{said}"
    );
    let service = setup.start().await;
    processed(&service).await;
    let mut connection = Connection::open(service.private).await.unwrap();
    until("erika is erased again", DRAIN_MAX, async || {
        let answer = connection.get("/api/contacts/erika%40example.com").await.unwrap();
        answer.status == 404
    })
    .await;
    let kim = service.ask("/api/contacts/kim%40example.com").await;
    assert_eq!(kim["wanted"]["subscription_status"], "unsubscribed", "{kim}");
    let stays = service.ask("/api/contacts/stays%40example.com").await;
    assert_eq!(stays["wanted"]["subscription_status"], "subscribed", "{stays}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_in_the_middle_and_a_kill_leave_no_backup() {
    let (_sandbox, crm) = crm().await;
    let folders = Folders::new();
    let (setup, data) = folders.setup("first", &crm);
    let service = setup.start().await;
    let mut connection = Connection::open(service.public).await.unwrap();
    for batch in 0..20 {
        let events = crate::crash::load::pages(&batch.to_string(), 500);
        assert_eq!(connection.ingest(&events).await.unwrap().status, 200);
    }
    processed(&service).await;
    let backup = folders.path("backup");
    // A limit on the size of a file is the disk that is full.
    let script = format!(
        "trap '' XFSZ; ulimit -f 1000; exec {} backup {}",
        env!("CARGO_BIN_EXE_freshsignal"),
        backup.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env_clear().env("FRESHSIGNAL_STORE__PATH", &data);
    command.env("FRESHSIGNAL_STORE__EPHEMERAL", "true");
    let (code, stdout, stderr) = output(&mut command, "");
    assert_eq!((code, stdout.as_str()), (74, ""), "{stderr}");
    assert!(!stderr.is_empty());
    assert!(!backup.exists() && !folders.path("backup.partial").exists(), "what was written is removed");

    let mut killed = freshsignal(&["backup", as_text(&backup)], &[("STORE__PATH", as_text(&data))]);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let partial = folders.path("backup.partial");
    until("the backup has begun", DRAIN_MAX, async || partial.join("state.db").exists() || backup.exists())
        .await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    if !backup.exists() {
        let (code, said) = run(&folders.path("second"), &["restore", as_text(&partial)]);
        assert_eq!(code, 74, "{said}");
        succeed(&data, &["backup", as_text(&backup)]);
    }
    succeed(&data, &["verify", as_text(&backup)]);
    assert_eq!(number(&service.ask("/api/status").await, "accepted"), 10_000, "the service goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_nothing_is_told_before_freshsales_was_asked_for_it() {
    let (_sandbox, crm) = crm().await;
    let folders = Folders::new();
    let mapping = folders.path("mapping.toml");
    fs::write(&mapping, "[events.\"Lead Generated\".note]\ntext = \"A lead\"\n").unwrap();
    let (setup, data) = folders.setup("first", &crm);
    let service = setup.with("MAPPING__FILE", as_text(&mapping)).start().await;
    let mut private = Connection::open(service.private).await.unwrap();
    private.send(b"POST /api/pause HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(private.answer().await.unwrap().status, 200);
    let mut connection = Connection::open(service.public).await.unwrap();
    let lead = |message: &str, at: Option<String>| {
        json!({ "type": "track", "event": "Lead Generated", "userId": message, "messageId": message, "timestamp": at,
            "context": { "traits": { "email": format!("{message}@example.com"), "lastName": "Lee" } } })
        .to_string()
    };
    assert_eq!(connection.ingest(&lead("waits", None)).await.unwrap().status, 200);
    processed(&service).await;
    let backup = folders.path("backup");
    succeed(&data, &["backup", as_text(&backup)]);
    // Told after the backup, and not known afterwards.
    let after = SystemClock::default().wall().to_rfc3339();
    service.terminate();
    assert_eq!(service.ended(DRAIN_MAX).await.code(), Some(0));

    let (setup, data) = folders.setup("second", &crm);
    succeed(&data, &["restore", as_text(&backup)]);
    succeed(&data, &["verify"]);
    let service = setup.with("MAPPING__FILE", as_text(&mapping)).start().await;
    let mut connection = Connection::open(service.public).await.unwrap();
    for (message, at) in [("again", Some(after)), ("new", None)] {
        assert_eq!(connection.ingest(&lead(message, at)).await.unwrap().status, 200);
    }
    processed(&service).await;
    let page = service.ask("/api/happenings").await;
    let mut stands: Vec<(&str, &str)> = page["happenings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["message_id"].as_str().unwrap(), it["state"].as_str().unwrap()))
        .collect();
    stands.sort_unstable();
    assert_eq!(stands, [("again", "unanswered"), ("new", "planned"), ("waits", "unanswered")]);
}
