//! What senders really send, over the whole service: what is switched off, ids that name nobody, a source that is tried out.

use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{ann, identify_ann, lead_of_ann};

#[tokio::test]
async fn what_senders_switch_off_is_seen_counted_and_a_risk() {
    let service = Service::start().await;
    let mut off = lead_of_ann(1);
    off["integrations"] = json!({"All": false});
    service.send(identify_ann(1)).await;
    service.send(off).await;
    service.settled().await;
    assert_eq!(service.outcome("ann-1-lead").await, "switched_off");
    let listed = service.get("/api/events?outcome=switched_off").await;
    assert_eq!(listed["events"].as_array().unwrap().len(), 1);
    let status = service.status().await;
    assert_eq!(status["outcomes"]["switched_off"], 1);
    let risk = &status["risks"][0];
    assert_eq!(risk["risk"], "switched_off");
    assert!(risk["message"].as_str().unwrap().contains("integrations.obey_all"), "{risk}");
    assert_eq!(service.crm.calls(), 0);
    service.finish().await;
}

#[tokio::test]
async fn a_junk_id_and_a_typo_are_risks_that_name_them() {
    let service = Service::start().await;
    let junk = json!({"type": "identify", "userId": "undefined", "anonymousId": "a", "messageId": "junk",
        "traits": {"email": "jane@gmail"}});
    service.send(junk).await;
    service.settled().await;
    let event = service.get("/api/events/junk").await;
    assert!(event["notes"][0].as_str().unwrap().starts_with("userId \"undefined\" is no id"), "{event}");
    let risks = |status: &Value| -> Vec<Value> {
        status["risks"].as_array().unwrap().iter().map(|risk| risk["risk"].clone()).collect()
    };
    // What is seen of senders is counted once the event has taken effect.
    service.until("both are risks", |status| risks(status) == ["junk_ids", "unusable_emails"]).await;
    let status = service.status().await;
    assert!(status["risks"][1]["message"].as_str().unwrap().contains("j…@gmail"), "{status}");
    service.finish().await;
}

#[tokio::test]
async fn a_source_that_is_tried_out_shows_what_it_would_send_and_sends_nothing() {
    let service = Setup::new().with("SOURCES__WEBSITE__MODE", "dry_run").start().await;
    service.send(identify_ann(1)).await;
    service.send(lead_of_ann(1)).await;
    service.settled().await;
    let event = service.get("/api/events/ann-1-lead").await;
    assert_eq!(event["outcome"], "queued");
    let delivery = service.get(&format!("/api/deliveries/{}", event["delivery_id"].as_str().unwrap())).await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"][0]["error"]),
        (&json!("delivered"), &json!("simulated"))
    );
    assert!(delivery["account"].as_str().unwrap().starts_with("dry_run:"), "{delivery}");
    assert_eq!(delivery["attempts"][0]["request"]["body"]["contact"]["emails"], ann(1));
    assert_eq!(service.crm.calls(), 0);
    service.finish().await;
}
