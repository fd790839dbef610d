//! SIGTERM under load: who was accepted is answered, then the process ends by itself, in time and with 0.
//!
//! Whatever the CRM does meanwhile: here it never answers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock, SystemClock};
use freshsignal::sandbox::{Fault, Sandbox, SandboxOptions};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::process::{Connection, Served, Service, Setup, ingest_request, until};

/// How long calls may go on after the signal; what comes after it has to fit into the rest, on a busy machine too.
const SHUTDOWN_SECONDS: &str = "4";
/// From the signal to the end.
const END_MAX: Duration = Duration::from_secs(10);
const CLIENTS: u64 = 16;
const ANSWERED_MIN: u64 = 300;

fn lead(id: &str) -> String {
    let traits = json!({ "email": format!("{id}@example.com"), "firstName": "Sam", "lastName": "Lee" });
    json!({ "type": "track", "event": "Lead Generated", "messageId": id, "userId": id, "context": { "traits": traits } })
        .to_string()
}

/// A CRM that takes every call and answers none.
fn silent_crm() -> Sandbox {
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    sandbox.fault(Fault::from_json(json!({ "hang": true, "times": 1_000_000 })).unwrap());
    sandbox
}

fn set_up(folder: &Path, crm: SocketAddr) -> Setup {
    Setup::new(folder, crm).with("SERVER__SHUTDOWN_SECONDS", SHUTDOWN_SECONDS)
}

async fn assert_ends_well(service: Service) {
    let status = service.ended(END_MAX).await;
    assert_eq!(status.code(), Some(0), "{status}");
}

/// One client: sends until the connection closes; answers the ids whose request was out before the signal and got no 200.
async fn send_until_closed(
    mut connection: Connection,
    client: u64,
    clock: Arc<SystemClock>,
    answered: watch::Sender<u64>,
) -> Option<(String, Duration)> {
    for message in 0_u64.. {
        let id = format!("m-{client}-{message}");
        let sent = connection.send(&ingest_request(&lead(&id))).await;
        let sent_at = clock.monotonic();
        let answer = match sent {
            Ok(()) => connection.answer().await,
            // It never left as a whole.
            Err(_) => return None,
        };
        match answer {
            Ok(answer) => assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body)),
            Err(_) => return Some((id, sent_at)),
        }
        answered.send_modify(|count| *count += 1);
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_under_load_it_answers_who_was_accepted_and_ends_in_time() {
    let sandbox = silent_crm();
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let service = set_up(folder.path(), crm.address).start().await;
    let clock = Arc::new(SystemClock::default());
    let answered = watch::Sender::new(0);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let connection = Connection::open(service.public).await.unwrap();
        clients.spawn(send_until_closed(connection, client, Arc::clone(&clock), answered.clone()));
    }
    answered.subscribe().wait_for(|count| *count >= ANSWERED_MIN).await.unwrap();
    sandbox.until(|seen| seen.requests().len() > 0).await;

    let told_at = clock.monotonic();
    service.terminate();
    let without_answer: Vec<(String, Duration)> = clients.join_all().await.into_iter().flatten().collect();
    let lost: Vec<_> = without_answer.iter().filter(|(_, sent_at)| *sent_at < told_at).collect();
    assert!(lost.is_empty(), "sent before the signal at {told_at:?} and not answered: {lost:?}");
    assert_ends_well(service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_body_is_still_on_its_way_is_answered_and_kept() {
    let sandbox = silent_crm();
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setup = set_up(folder.path(), crm.address);
    let service = setup.start().await;

    let mut connection = Connection::open(service.public).await.unwrap();
    let first = connection.ingest(&lead("before")).await.unwrap();
    assert_eq!(first.status, 200);
    sandbox.until(|seen| seen.requests().len() > 0).await;
    let request = ingest_request(&lead("slow"));
    let (first_half, second_half) = request.split_at(request.len() - 20);
    connection.send(first_half).await.unwrap();
    service.terminate();
    // New connections are refused once it has begun to stop.
    until("new connections to be refused", END_MAX, async || Connection::open(service.public).await.is_err())
        .await;
    connection.send(second_half).await.unwrap();
    assert_eq!(connection.answer().await.unwrap().status, 200);
    drop(connection);
    assert_ends_well(service).await;

    let service = setup.start().await;
    let status = service.ask("/api/status").await;
    assert_eq!(status["accepted"], 2, "{status}");
}
