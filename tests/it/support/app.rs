//! The real service in this process: free ports, a data folder of its own, the sandbox behind it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use freshsignal::app::{App, Listeners, RunError};
use freshsignal::clock::{Clock, ManualClock, SystemClock, UnixMicros};
use freshsignal::config;
use freshsignal::freshsales::{Timeouts, http_client};
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cluster;
use super::crm::Crm;
use super::folders;
use super::wait::{WITHIN, eventually, in_time};

/// The write key of the source `website`.
pub const WRITE_KEY: &str = "it-write-key";
/// Where a driven clock begins: 2026-03-01T09:00:00Z.
const START: UnixMicros = UnixMicros(1_772_355_600_000_000);

/// What a service is like before it starts.
pub struct Setup {
    environment: Vec<(String, String)>,
    clock: Option<ManualClock>,
    sandbox: SandboxOptions,
    /// The data folder of an earlier version that it finds.
    found: Option<&'static str>,
    /// The folder of its mapping file.
    mapping: Option<TempDir>,
    /// Whether its account stands in the settings of the page.
    account_on_page: bool,
}

impl Setup {
    pub fn new() -> Self {
        Self {
            environment: Vec::new(),
            clock: None,
            sandbox: SandboxOptions::default(),
            found: None,
            mapping: None,
            account_on_page: false,
        }
    }

    /// Its account stands in the settings of the page and nowhere else.
    pub fn account_on_page(mut self) -> Self {
        self.account_on_page = true;
        self.with("ADMIN__EDIT", "true")
    }

    /// Sets a key the way the environment does, as in `CONSENT__REQUIRED`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.environment.push((format!("FRESHSIGNAL_{key}"), value.to_owned()));
        self
    }

    /// It maps by a file with this content.
    pub fn mapping(mut self, content: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mapping.toml");
        std::fs::write(&file, content).unwrap();
        self.mapping = Some(folder);
        self.with("MAPPING__FILE", &file.display().to_string())
    }

    /// The service and the CRM go by a clock that the test drives.
    pub fn driven_clock(mut self) -> Self {
        self.clock = Some(ManualClock::at(START));
        self
    }

    /// It finds a data folder that an earlier version wrote, and goes by a clock that shows a moment soon afterwards.
    pub fn data_folder(mut self, name: &'static str) -> Self {
        self.clock = Some(ManualClock::at(folders::AFTERWARDS));
        self.found = Some(name);
        self
    }

    pub fn sandbox(mut self, options: SandboxOptions) -> Self {
        self.sandbox = options;
        self
    }

    pub async fn start(self) -> Service {
        let clock: Arc<dyn Clock> = match &self.clock {
            Some(driven) => Arc::new(driven.clone()),
            None => Arc::new(SystemClock::default()),
        };
        let crm = Crm::start(self.sandbox.clone(), Arc::clone(&clock)).await;
        let folder = tempfile::tempdir().unwrap();
        if let Some(name) = self.found {
            let account = format!("{}/{}", crm.address, self.sandbox.bundle_alias);
            folders::make(name, folder.path(), &account);
        }
        if self.account_on_page {
            write_account(&self.sandbox, &crm, folder.path());
        }
        let environment = Arc::new(Mutex::new(environment(&self, &crm, &folder)));
        let running = Running::start(&environment, Arc::clone(&clock)).await;
        let client = http_client(Timeouts { connect: WITHIN, attempt: WITHIN }).unwrap();
        Service {
            crm,
            client,
            environment,
            driven: self.clock,
            clock,
            folder,
            _mapping: self.mapping,
            running,
        }
    }
}

/// Puts the account into the settings of the page, as the page does.
fn write_account(sandbox: &SandboxOptions, crm: &Crm, folder: &Path) {
    let settings = folder.join("settings");
    std::fs::create_dir(&settings).unwrap();
    let account = serde_json::json!({ "bundle_alias": sandbox.bundle_alias, "api_key": "api-key-1",
        "base_url": format!("http://{}", crm.address) });
    let document = serde_json::json!({ "revision": 1, "values": { "freshsales": account } });
    let secrets = serde_json::json!({ "api-key-1": sandbox.api_key });
    std::fs::write(settings.join("managed.json"), document.to_string()).unwrap();
    std::fs::write(settings.join("secrets.json"), secrets.to_string()).unwrap();
}

fn environment(setup: &Setup, crm: &Crm, folder: &TempDir) -> config::Environment {
    let pairs = [
        ("SOURCES__WEBSITE__WRITE_KEY", WRITE_KEY.to_owned()),
        ("FRESHSALES__BUNDLE_ALIAS", setup.sandbox.bundle_alias.clone()),
        ("FRESHSALES__API_KEY", setup.sandbox.api_key.clone()),
        ("FRESHSALES__BASE_URL", format!("http://{}", crm.address)),
        ("ADMIN__LISTEN", "127.0.0.1:0".to_owned()),
        ("STORE__PATH", folder.path().display().to_string()),
        ("STORE__EPHEMERAL", "true".to_owned()),
    ];
    let database = if setup.clock.is_none() { database(folder) } else { Vec::new() };
    let elsewhere = |key: &str| setup.account_on_page && key.starts_with("FRESHSALES__");
    let pairs = pairs.into_iter().filter(|(key, _)| !elsewhere(key)).chain(database);
    let fixed = pairs.map(|(key, value)| (format!("FRESHSIGNAL_{key}"), value));
    // The test's own keys come last: the last one counts.
    fixed.chain(setup.environment.iter().cloned()).collect()
}

/// The keys of a database that stands in for the data folder, where `FRESHSIGNAL_TEST_STORE=postgres` asks for that. A service on a
/// driven clock keeps its folder: a database goes by a clock of its own, and refuses another.
#[expect(clippy::disallowed_methods, reason = "it says how the tests run, and nothing of the service")]
fn database(folder: &TempDir) -> Vec<(&'static str, String)> {
    if std::env::var("FRESHSIGNAL_TEST_STORE").as_deref() != Ok("postgres") {
        return Vec::new();
    }
    let Some(cluster) = cluster::private() else { return Vec::new() };
    let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
    let schema = name.bytes().fold(String::new(), |schema, byte| format!("{schema}{byte:02x}"));
    vec![
        ("STORE__KIND", "postgres".to_owned()),
        ("STORE__URL", cluster.url().to_owned()),
        ("STORE__SCHEMA", format!("t{schema}")),
        ("STORE__TLS", "off".to_owned()),
        ("STORE__DURABILITY", "single".to_owned()),
        ("STORE__APPEND_DEADLINE_MS", "20000".to_owned()),
        ("STORE__LEASE_SECONDS", "300".to_owned()),
    ]
}

struct Running {
    public: SocketAddr,
    private: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    async fn start(environment: &Arc<Mutex<config::Environment>>, clock: Arc<dyn Clock>) -> Self {
        let environment = Arc::clone(environment);
        let load = move |texts: config::Texts<'_>| {
            config::examine_with(None, texts, &environment.lock().unwrap())?.approved()
        };
        let config = load(config::Texts::default()).expect("the configuration is right").config;
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listeners = Listeners { public: bind().await.unwrap(), private: bind().await.unwrap() };
        let (public, private) =
            (listeners.public.local_addr().unwrap(), listeners.private.local_addr().unwrap());
        let building = tokio::task::spawn_blocking(move || App::build(config, Arc::new(load), clock));
        let app = building.await.unwrap().expect("the service can be built");
        let stop = CancellationToken::new();
        let task = tokio::spawn(app.run(listeners, stop.clone()));
        Self { public, private, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        in_time("the service stops", self.task).await.unwrap().expect("the service ran without an error");
    }
}

/// A running service and the CRM behind it.
pub struct Service {
    pub crm: Crm,
    pub client: Client,
    /// Read again by a reload and a restart.
    environment: Arc<Mutex<config::Environment>>,
    driven: Option<ManualClock>,
    clock: Arc<dyn Clock>,
    folder: TempDir,
    _mapping: Option<TempDir>,
    running: Running,
}

impl Service {
    /// A service with nothing but what it needs.
    pub async fn start() -> Self {
        Setup::new().start().await
    }

    /// A request to the public listener, with the write key.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.post_without_key(path).basic_auth(WRITE_KEY, Some(""))
    }

    pub fn post_without_key(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.running.public))
    }

    /// A request to the public listener with any method.
    pub fn public(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.running.public))
    }

    /// Where the public listener is, as pages know it.
    pub fn public_url(&self) -> String {
        format!("http://{}", self.running.public)
    }

    /// Where the private listener is.
    pub fn private_url(&self) -> String {
        format!("http://{}", self.running.private)
    }

    /// A request to the private listener.
    pub fn private(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.running.private))
    }

    /// A DELETE to the private listener, which succeeds.
    pub async fn delete(&self, path: &str) -> Value {
        let address = format!("http://{}{path}", self.running.private);
        let (status, answer) = said(self.client.delete(address)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// A POST to the private listener.
    pub fn private_post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.running.private))
    }

    /// What a person orders at the private listener, which is done.
    pub async fn order(&self, path: &str, body: Value) -> Value {
        let (status, answer) = said(self.private_post(path).json(&body)).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{path}: {answer}");
        answer
    }

    /// A DELETE to the private listener.
    pub fn private_delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("http://{}{path}", self.running.private))
    }

    /// Sends one event, which is accepted. On a driven clock a millisecond passes, so that events keep their order.
    pub async fn send(&self, event: Value) {
        let (status, answer) = said(self.post("/ingest").json(&event)).await;
        assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(1)), "{event}: {answer}");
        self.pass(Duration::from_millis(1));
    }

    /// Sends events as one batch, all of which are accepted.
    pub async fn send_all(&self, events: Vec<Value>) {
        let count = events.len();
        let (status, answer) = said(self.post("/v1/batch").json(&json!({"batch": events}))).await;
        assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(count)), "{answer}");
        self.pass(Duration::from_millis(count.try_into().unwrap()));
    }

    /// Lets time pass on a driven clock; on the real one it passes by itself.
    pub fn pass(&self, time: Duration) {
        if let Some(clock) = &self.driven {
            clock.advance(time);
        }
    }

    /// Sets the time of day of a driven clock back, as a time server may.
    pub fn set_back(&self, time: Duration) {
        let clock = self.driven.as_ref().expect("the clock is driven");
        clock.jump_wall_to(clock.wall().minus(time));
    }

    /// Sets the time of day of a driven clock forward.
    pub fn set_forward(&self, time: Duration) {
        let clock = self.driven.as_ref().expect("the clock is driven");
        clock.jump_wall_to(clock.wall().plus(time));
    }

    /// The present, by the machine's clock.
    pub fn now(&self) -> UnixMicros {
        self.clock.wall()
    }

    /// A document of the private listener, with the token where one is needed.
    pub async fn get(&self, path: &str) -> Value {
        let request = self.token().into_iter().fold(self.private(path), RequestBuilder::bearer_auth);
        let (status, answer) = said(request).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    pub async fn status(&self) -> Value {
        self.get("/api/status").await
    }

    /// What became of an event: its outcome.
    pub async fn outcome(&self, message_id: &str) -> String {
        self.get(&format!("/api/events/{message_id}")).await["outcome"].as_str().unwrap().to_owned()
    }

    /// Ends when all accepted events have taken effect.
    pub async fn processed(&self) {
        self.until("all accepted events take effect", |status| status["journal_lag_events"] == 0).await;
    }

    /// Ends when all accepted events have taken effect and nothing is owed or on its way.
    pub async fn settled(&self) {
        let settled = |status: &Value| status["journal_lag_events"] == 0 && sum(&status["owed"]) == 0;
        self.until("everything owed is delivered", settled).await;
    }

    /// Ends when the destination is in this state.
    pub async fn destination(&self, state: &str) -> Value {
        let is = |status: &Value| status["destination"]["state"] == state;
        self.until(&format!("the destination is {state}"), is).await
    }

    /// Ends when so many deliveries are open in this state.
    pub async fn open(&self, state: &str, deliveries: u64) -> Value {
        let is = |status: &Value| status["open"][state] == deliveries;
        self.until(&format!("{deliveries} deliveries are {state}"), is).await
    }

    /// Ends when the status satisfies a condition; answers that status.
    pub async fn until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(what, async || {
            let status = self.status().await;
            if condition(&status) { Ok(status) } else { Err(status.to_string()) }
        });
        found.await
    }

    /// Ends when Freshsales holds records that satisfy a condition, while time passes; answers them.
    pub async fn holds(
        &self,
        what: &str,
        records: impl Fn(&Sandbox) -> Vec<Value>,
        fits: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let found = eventually(what, async || {
            self.pass(Duration::from_secs(1));
            let records = records(&self.crm.sandbox);
            if fits(&records) { Ok(records) } else { Err(format!("{records:?} {}", self.status().await)) }
        });
        found.await
    }

    /// Sets a key for the next reload or restart, the way the environment does.
    pub fn set(&self, key: &str, value: &str) {
        self.environment.lock().unwrap().push((format!("FRESHSIGNAL_{key}"), value.to_owned()));
    }

    /// Stops the service and starts it again on the same data folder.
    pub async fn restart(mut self) -> Self {
        self.running.end().await;
        self.running = Running::start(&self.environment, Arc::clone(&self.clock)).await;
        self
    }

    /// Nothing has vanished: each accepted event waits or has an outcome, each delivery is open or has an end.
    pub async fn check_books(&self) {
        let status = self.status().await;
        let number = |key: &str| status[key].as_u64().unwrap();
        assert_eq!(
            number("accepted"),
            number("journal_lag_events") + sum(&status["outcomes"]),
            "accepted = journal lag + outcomes: {status}"
        );
        assert_eq!(
            number("queued"),
            sum(&status["open"]) + sum(&status["ended"]),
            "queued = open + ended: {status}"
        );
    }

    pub fn data_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The admin token, where there is one: configured, or made at first start.
    pub fn token(&self) -> Option<String> {
        let environment = self.environment.lock().unwrap();
        let configured = environment.iter().find(|(key, _)| key == "FRESHSIGNAL_ADMIN__TOKEN");
        let made = || std::fs::read_to_string(self.data_folder().join("admin-token")).ok();
        configured.map(|(_, token)| token.clone()).or_else(made)
    }

    /// Lets time pass on a driven clock, a second at a time, until the service has ended by itself; answers why.
    pub async fn failed_after(self, at_most: Duration) -> String {
        let mut left = at_most + Duration::from_secs(1);
        while !self.running.task.is_finished() && !left.is_zero() {
            self.pass(Duration::from_secs(1));
            left = left.saturating_sub(Duration::from_secs(1));
            // What waits for the clock has to be let on.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        let ended = in_time("the service ends by itself", self.running.task).await.unwrap();
        ended.expect_err("it failed").to_string()
    }

    /// The end of every test: the books are right, and the service stops by itself.
    pub async fn finish(self) {
        self.check_books().await;
        self.running.end().await;
        self.folder.close().unwrap();
    }
}

/// The status and the JSON of an answer; null when it has none.
pub async fn said(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

/// The sum of an object of counters.
pub fn sum(counters: &Value) -> u64 {
    counters.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}
