//! The API key is rotated while the service runs.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};
use crate::support::events::{identify_ann, lead_of_ann};

/// The key of the sandbox.
const RIGHT: &str = "sandbox-key";
const OLD: &str = "the-old-key";

/// A service whose key stands in a file, and that file.
async fn service(folder: &tempfile::TempDir, key: &str) -> (Service, std::path::PathBuf) {
    let file = folder.path().join("key");
    fs::write(&file, key).unwrap();
    let setup = Setup::new().driven_clock().with("FRESHSALES__API_KEY", "");
    let setup = setup.with("FRESHSALES__API_KEY_FILE", file.to_str().unwrap());
    (setup.start().await, file)
}

async fn reload(service: &Service) -> Value {
    said(service.private_post("/api/reload")).await.1
}

#[tokio::test]
async fn a_key_that_is_rotated_in_its_file_is_taken_with_the_next_probe() {
    let folder = tempfile::tempdir().unwrap();
    let (service, file) = service(&folder, OLD).await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.destination("blocked").await;
    service.open("in_flight", 0).await;
    // What is no key is not taken: the probe goes with the one that was read last.
    fs::write(&file, "Token token=pasted").unwrap();
    let calls = service.crm.calls();
    service.pass(Duration::from_secs(10));
    service.crm.called(calls + 1).await;
    service.open("in_flight", 0).await;
    assert_eq!(service.status().await["destination"]["state"], "blocked");
    fs::write(&file, format!("{RIGHT}\n")).unwrap();
    service.pass(Duration::from_mins(15));
    service.settled().await;
    assert_eq!(service.status().await["destination"]["state"], "running");
    assert_eq!(service.crm.sandbox.contacts().len(), 1);
    service.finish().await;
}

#[tokio::test]
async fn a_right_key_is_used_at_once_after_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let (service, file) = service(&folder, OLD).await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.destination("blocked").await;
    fs::write(&file, RIGHT).unwrap();
    reload(&service).await;
    // The clock stands still: nothing waits for the next probe.
    service.settled().await;
    assert_eq!(service.crm.sandbox.contacts().len(), 1);
    service.finish().await;
}

#[tokio::test]
async fn a_reload_takes_another_key_over_and_names_it_and_not_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let (service, file) = service(&folder, RIGHT).await;
    fs::write(&file, OLD).unwrap();
    let answer = reload(&service).await;
    assert_eq!(answer["taken_over"], json!(["freshsales.api_key"]), "{answer}");
    assert_eq!(answer["needs_restart"], json!([]), "{answer}");
    assert!(!answer.to_string().contains(OLD));
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.destination("blocked").await;
    assert_eq!(reload(&service).await["taken_over"], json!([]));
    service.finish().await;
}
