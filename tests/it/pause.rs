//! Calls paused and resumed by hand.

use serde_json::{Value, json};

use crate::support::app::{Service, Setup, sum};
use crate::support::events::{identify_ann, identify_sam, lead_of_ann, lead_of_sam};

#[tokio::test]
async fn a_pause_holds_every_call_survives_a_restart_and_ends_by_hand_alone() {
    let service = Service::start().await;
    let answer = service.order("/api/pause", json!({})).await;
    assert_eq!(answer["destination"]["state"], "paused");
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.processed().await;
    let service = service.restart().await;
    let status = service.status().await;
    assert_eq!((&status["destination"]["state"], sum(&status["owed"])), (&json!("paused"), 1));
    assert_eq!((&status["drain_seconds"], service.crm.calls()), (&Value::Null, 0));
    let contact = service.get("/api/contacts/sam.lee@example.com").await;
    assert!(contact["why"].as_str().unwrap().starts_with("calls are paused by hand"), "{contact}");
    let metrics = service.private("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("freshsignal_destination_paused 1"), "{metrics}");
    let answer = service.order("/api/resume", json!({})).await;
    assert_eq!(
        (&answer["destination"]["state"], &answer["message"]),
        (&json!("running"), &json!("calls are made"))
    );
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    service.finish().await;
}

#[tokio::test]
async fn a_pause_is_of_every_account_and_ends_once() {
    let service = Setup::new().with("FRESHSALES__MODE", "dry_run").start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    service.order("/api/pause", json!({})).await;
    service.set("FRESHSALES__MODE", "live");
    let service = service.restart().await;
    let owed = |status: &Value| status["owed"]["backfill"] == 1;
    let status = service.until("the account is owed the contact", owed).await;
    assert_eq!((&status["destination"]["state"], service.crm.calls()), (&json!("paused"), 0), "{status}");
    service.order("/api/resume", json!({})).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    service.set("FRESHSALES__MODE", "dry_run");
    let service = service.restart().await;
    assert_eq!(service.status().await["destination"]["state"], "running", "resumed is resumed");
    service.finish().await;
}

#[tokio::test]
async fn what_was_throttled_before_a_pause_is_throttled_after_it() {
    let service = Setup::new().start().await;
    service.crm.fault(json!({"status": 429, "retry_after": 600, "times": 1}));
    service.send_all(vec![identify_ann(0), lead_of_ann(0)]).await;
    let throttled = service.destination("throttled").await;
    service.order("/api/pause", json!({})).await;
    service.order("/api/pause", json!({})).await;
    let answer = service.order("/api/resume", json!({})).await;
    assert_eq!(answer["destination"], throttled["destination"], "resuming never shortens a Retry-After");
    let told = answer["message"].as_str().unwrap();
    assert!(
        told.starts_with("calls stay paused until 20") && told.ends_with("that cannot be shortened"),
        "{told}"
    );
    service.order("/api/resume", json!({})).await;
    assert_eq!(service.crm.calls(), 1);
    service.finish().await;
}
