//! The sandbox over real HTTP, and what tests ask of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::Clock;
use freshsignal::http::{ServeLimits, serve};
use freshsignal::sandbox::{Fault, RecordedRequest, Sandbox, SandboxOptions};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::wait::in_time;

/// A CRM that runs until it is dropped.
pub struct Crm {
    pub sandbox: Sandbox,
    pub address: SocketAddr,
    _stop: DropGuard,
}

impl Crm {
    pub async fn start(options: SandboxOptions, clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sandbox = Sandbox::new(options, clock);
        let stop = CancellationToken::new();
        // A call that a fault lets hang must not hold up the end of a test.
        let limits = ServeLimits { shutdown_timeout: Duration::ZERO, ..ServeLimits::default() };
        tokio::spawn(serve(listener, sandbox.router(), limits, stop.clone()));
        Self { sandbox, address, _stop: stop.drop_guard() }
    }

    /// Lets something go wrong with the calls to come.
    pub fn fault(&self, order: Value) {
        self.sandbox.fault(Fault::from_json(order).unwrap());
    }

    /// Lets nothing go wrong any more.
    pub fn mend(&self) {
        self.sandbox.mend();
    }

    /// How many calls were received.
    pub fn calls(&self) -> usize {
        self.sandbox.requests().len()
    }

    /// How many calls of a method were received for paths that end so.
    pub fn calls_to(&self, method: &str, path: &str) -> usize {
        let requests = self.sandbox.requests();
        requests.iter().filter(|it| it.method == method && it.path.ends_with(path)).count()
    }

    /// The nth call, from 0.
    pub fn call(&self, nth: usize) -> RecordedRequest {
        self.sandbox.requests().into_iter().nth(nth).expect("so many calls were made")
    }

    /// The body of the nth call, byte for byte.
    pub fn body(&self, nth: usize) -> String {
        String::from_utf8(self.call(nth).body.to_vec()).unwrap()
    }

    /// Ends when so many calls were received.
    pub async fn called(&self, calls: usize) {
        let many = self.sandbox.until(|seen| seen.requests().len() >= calls);
        in_time(&format!("{calls} calls to the CRM"), many).await;
    }

    /// The contact as stored, without what the CRM adds to it.
    pub fn contact(&self, email: &str) -> Option<Value> {
        let mut contact = self.sandbox.contact(email)?;
        let attributes = contact.as_object_mut()?;
        for added in ["id", "created_at", "updated_at"] {
            attributes.remove(added).expect("the sandbox adds it");
        }
        Some(contact)
    }

    /// The most calls that any window of this length holds.
    pub fn calls_in_any(&self, window: Duration) -> usize {
        let times: Vec<_> = self.sandbox.requests().iter().map(|call| call.at).collect();
        let in_window =
            |from: usize| times[from..].iter().filter(|at| at.since(times[from]) < window).count();
        (0..times.len()).map(in_window).max().unwrap_or(0)
    }
}
