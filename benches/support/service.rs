//! A service under load: the real one on loopback, with its data on disk for as long as it runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use freshsignal::app::{App, Listeners, RunError};
use freshsignal::clock::SystemClock;
use freshsignal::config;
use freshsignal::http::{self, ServeLimits};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::events::WRITE_KEY;

/// Between two looks at how far processing has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running service.
pub struct Service {
    /// Where events go.
    pub public: SocketAddr,
    /// Where it is asked and ordered.
    pub private: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
    data: tempfile::TempDir,
}

impl Service {
    /// Starts one on a runtime; its data is beside what was built, so on disk and not in memory.
    pub fn start(runtime: &Runtime, settings: &[(&str, String)]) -> Self {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (public, private) = (listener(runtime), listener(runtime));
        let (public_at, private_at) = (public.local_addr().unwrap(), private.local_addr().unwrap());
        let own = [
            ("SOURCES__SHOP__WRITE_KEY", WRITE_KEY.to_owned()),
            ("ADMIN__LISTEN", private_at.to_string()),
            ("STORE__PATH", data.path().display().to_string()),
            ("STORE__EPHEMERAL", "true".to_owned()),
        ];
        let pairs = own.iter().chain(settings);
        let environment: config::Environment =
            pairs.map(|(key, value)| (format!("FRESHSIGNAL_{key}"), value.clone())).collect();
        let config = config::load(None, &environment).unwrap().config;
        let load = Arc::new(move |texts: config::Texts<'_>| {
            config::examine_with(None, texts, &environment)?.approved()
        });
        let app = App::build(config, load, Arc::new(SystemClock::default())).unwrap();
        let stop = CancellationToken::new();
        let running = runtime.spawn(app.run(Listeners { public, private }, stop.clone()));
        Self { public: public_at, private: private_at, stop, running, data }
    }

    /// Where its data is.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Waits until every accepted event has its outcome; answers how many had none at first.
    #[expect(clippy::disallowed_methods, reason = "what is measured lives in real time")]
    pub fn catch_up(&self) -> u64 {
        let mut client = Client::connect(self.private);
        let mut lag = || {
            let status = client.ask(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let status: serde_json::Value = serde_json::from_str(&status).unwrap();
            status["journal_lag_events"].as_u64().unwrap()
        };
        let at_first = lag();
        while lag() > 0 {
            std::thread::sleep(LOOK_EVERY);
        }
        at_first
    }

    /// Stops it and deletes its data.
    pub fn stop(self, runtime: &Runtime) {
        self.stop.cancel();
        runtime.block_on(self.running).unwrap().unwrap();
    }
}

/// A free port of this machine.
fn listener(runtime: &Runtime) -> TcpListener {
    runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap()
}

/// Serves a router the way the service serves its own, until the runtime ends.
pub fn serve(runtime: &Runtime, router: Router) -> SocketAddr {
    let listener = listener(runtime);
    let at = listener.local_addr().unwrap();
    runtime.spawn(http::serve(listener, router, ServeLimits::default(), CancellationToken::new()));
    at
}

/// Seconds that something takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let began = Instant::now();
    let done = work();
    (began.elapsed().as_secs_f64(), done)
}
