//! The service as a child process of its own, and the plain HTTP connections that load it.
//!
//! For what can be seen only from outside: being killed, being told to stop, the exit code. Every wait has a
//! deadline. Must not look into the data folder.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use axum::Router;
use freshsignal::clock::{Clock, SystemClock};
use freshsignal::http::{ServeLimits, serve};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The write key of the one source.
pub const WRITE_KEY: &str = "write-key-of-the-website";
/// How often a condition is looked at that nothing rings a bell for. Each look costs the service as much as a call.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A start may take this long, recovery included, on a busy machine.
const START_MAX: Duration = Duration::from_mins(1);
/// A socket that says nothing for so long is broken: the service's own deadlines are shorter.
const SOCKET_MAX: Duration = Duration::from_mins(2);
/// What it says once it listens, with both addresses.
const LISTENS: &str = "freshsignal accepts events";

/// What a child is started with.
pub struct Setup {
    data: PathBuf,
    log: File,
    log_path: PathBuf,
    variables: Vec<(String, String)>,
}

impl Setup {
    /// A service on this data folder that calls this CRM, with an allowance that is never short.
    pub fn new(folder: &Path, crm: SocketAddr) -> Self {
        let set = |name: &str, value: &str| (format!("FRESHSIGNAL_{name}"), value.to_owned());
        let variables = vec![
            set("SOURCES__WEBSITE__WRITE_KEY", WRITE_KEY),
            set("FRESHSALES__BUNDLE_ALIAS", "acme"),
            set("FRESHSALES__API_KEY", "sandbox-key"),
            set("FRESHSALES__BASE_URL", &format!("http://{crm}")),
            set("ALLOWANCE__PER_HOUR", "1000000"),
            set("ALLOWANCE__PER_MINUTE", "1000000"),
            set("ALLOWANCE__RESERVE_PERCENT", "0"),
            set("DELIVERY__RETRY_FIRST_SECONDS", "1"),
            set("DELIVERY__RETRY_MAX_SECONDS", "1"),
            set("LOG__LEVEL", "warn,freshsignal::cli::serve=info"),
        ];
        let log_path = folder.join("log.txt");
        let log = File::create(&log_path).unwrap();
        Self { data: folder.join("data"), log, log_path, variables }
    }

    /// Sets a key the way the environment does, as in `ALLOWANCE__PER_HOUR`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.variables.push((format!("FRESHSIGNAL_{key}"), value.to_owned()));
        self
    }

    /// Starts a child and waits until it is ready. It chooses its ports by itself: one that was looked for before could
    /// belong to the child of another test by then.
    pub async fn start(&self) -> Service {
        let clock = SystemClock::default();
        let said_before = self.log().len();
        let mut child = Command::new(env!("CARGO_BIN_EXE_freshsignal"))
            .arg("serve")
            .env_clear()
            .env("FRESHSIGNAL_STORE__PATH", &self.data)
            .env("FRESHSIGNAL_STORE__EPHEMERAL", "true")
            .env("FRESHSIGNAL_SERVER__LISTEN", "127.0.0.1:0")
            .env("FRESHSIGNAL_ADMIN__LISTEN", "127.0.0.1:0")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(self.log.try_clone().unwrap())
            .stderr(self.log.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut addresses = None;
        until("the service to listen", START_MAX, async || {
            let log = self.log();
            assert!(child.try_wait().unwrap().is_none(), "the service ended: {log}");
            addresses = addresses_in(&log[said_before..]);
            addresses.is_some()
        })
        .await;
        let (public, private) = addresses.unwrap();
        let mut service = Service { child, public, private, ready_after: Duration::ZERO };
        until("the service to be ready", START_MAX, async || service.is_ready().await).await;
        service.ready_after = clock.monotonic();
        service
    }

    /// What it said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log_path).unwrap()
    }
}

/// The public and the private address, once the whole line is there that names them.
fn addresses_in(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = log.split_inclusive('\n').find(|line| line.contains(LISTENS) && line.ends_with('\n'))?;
    let named = |key: &str| line.split(key).nth(1)?.split_whitespace().next()?.parse().ok();
    Some((named(" public=")?, named(" private=")?))
}

/// A running child; killed when dropped.
pub struct Service {
    child: Child,
    /// Where events go.
    pub public: SocketAddr,
    /// Where the debugger is.
    pub private: SocketAddr,
    /// From being started to being ready.
    pub ready_after: Duration,
}

impl Service {
    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.private).await else { return false };
        matches!(connection.get("/readyz").await, Ok(answer) if answer.status == 200)
    }

    /// SIGKILL: nothing of it runs on.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM: it should come to an end.
    pub fn terminate(&self) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        assert!(sent.unwrap().success(), "the signal was not sent");
    }

    /// Waits for it to end by itself.
    pub async fn ended(mut self, deadline: Duration) -> ExitStatus {
        let mut status = None;
        until("the service to end", deadline, async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// What a route of the private listener answers.
    pub async fn ask(&self, path: &str) -> Value {
        let answer = async { Connection::open(self.private).await?.get(path).await }.await;
        let answer =
            answer.unwrap_or_else(|error| panic!("{path}: {error}; its threads: {}", self.threads()));
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }
}

impl Service {
    /// What each thread of the child does, for whoever has to find out why it does not answer.
    fn threads(&self) -> String {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let said = tasks.map(|task| {
            let of =
                |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default().trim().to_owned();
            let stat = of("stat");
            let state =
                stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
            format!("{} {} in {}", of("comm"), state.unwrap_or_default(), of("wchan"))
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A router served in this process, until dropped.
pub struct Served {
    /// Where.
    pub address: SocketAddr,
    _stop: DropGuard,
}

impl Served {
    /// Serves on a port of its own.
    pub async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, router, ServeLimits::default(), stop.clone()));
        Self { address, _stop: stop.drop_guard() }
    }
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// A kept HTTP/1.1 connection that shows every error as it is: no pool, no retry.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = within(SOCKET_MAX, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks.
    pub async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask(format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").as_bytes()).await
    }

    /// Sends events and waits for what becomes of them.
    pub async fn ingest(&mut self, body: &str) -> io::Result<Answer> {
        self.ask(&ingest_request(body)).await
    }

    /// Sends a request and waits for what becomes of it.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request).await?;
        self.answer().await
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(SOCKET_MAX, self.stream.write_all(bytes)).await?
    }

    /// Reads one answer. The end of the connection is an error.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        within(SOCKET_MAX, self.read_answer()).await?
    }

    async fn read_answer(&mut self) -> io::Result<Answer> {
        let line = self.line().await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let mut length = None;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(broken)?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let mut body = vec![0; length.ok_or_else(broken)?];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body })
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(line.to_owned())
    }
}

fn broken() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// A request that sends events, byte for byte.
pub fn ingest_request(body: &str) -> Vec<u8> {
    post_request("/ingest", &[("x-write-key", WRITE_KEY), ("content-type", "application/json")], body)
}

/// A POST, byte for byte.
pub fn post_request(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers =
        headers.iter().fold(String::new(), |all, (name, value)| all + *name + ": " + *value + "\r\n");
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Looks again and again until a condition holds.
pub async fn until(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let clock = SystemClock::default();
    while !holds().await {
        assert!(clock.monotonic() < limit, "waited {limit:?} for {what}");
        clock.sleep_until(clock.monotonic() + LOOK_EVERY).await;
    }
}

/// Puts a limit on a wait.
#[expect(clippy::disallowed_methods, reason = "a test that hangs must fail instead")]
pub async fn within<T>(limit: Duration, wait: impl Future<Output = T>) -> io::Result<T> {
    tokio::time::timeout(limit, wait).await.map_err(|_| io::ErrorKind::TimedOut.into())
}
