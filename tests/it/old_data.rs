//! Old data that is being loaded waits for what happens now, and never the other way round.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};
use crate::support::events::{identify_ann, lead_of_ann};
use crate::support::wait::eventually;

/// The nth event of an import, with so many bytes of text.
fn imported(nth: usize, bytes: usize) -> Value {
    json!({"type": "identify", "userId": format!("old-{nth}"), "messageId": format!("old-{nth}"),
        "timestamp": "2020-01-01T00:00:00Z", "traits": {"city": "Oslo", "text": "x".repeat(bytes)}})
}

async fn import(service: &Service, events: &[Value]) -> (StatusCode, Value) {
    said(service.post("/v1/import").json(&json!({"batch": events}))).await
}

#[tokio::test]
async fn a_live_lead_takes_effect_while_an_import_before_it_still_waits() {
    let service = Service::start().await;
    let events: Vec<Value> = (0..12_500).map(|nth| imported(nth, 1)).collect();
    for batch in events.chunks(2_500) {
        let (status, answer) = import(&service, batch).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.crm.called(1).await;
    let status = service.status().await;
    let waits = status["journal_lag_events"].as_u64().unwrap();
    assert!(waits > 2_500, "{status}");
    service.check_books().await;
    service.finish().await;
}

#[tokio::test]
async fn old_data_beyond_its_half_of_the_journal_is_refused_alone_until_it_took_effect() {
    let setup = Setup::new().with("RETENTION__JOURNAL_BYTES_MAX", "16777216");
    let service = setup.driven_clock().start().await;
    let mut taken = 0;
    let refused = loop {
        let batch: Vec<Value> = (taken..taken + 15).map(|nth| imported(nth, 32_000)).collect();
        let response = service.post("/v1/import").json(&json!({"batch": batch})).send().await.unwrap();
        if response.status() != StatusCode::OK {
            break response;
        }
        taken += 15;
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!((240..=262).contains(&taken), "{taken} of 32 kB are half of 16 MiB");
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    let status = service.status().await;
    let risks = status["risks"].as_array().unwrap();
    assert!(risks.iter().any(|risk| risk["risk"] == "old_data_waits"), "{status}");

    service.processed().await;
    service.pass(Duration::from_secs(11));
    eventually("the import goes on", async || {
        let (status, answer) = import(&service, &[imported(taken, 32_000)]).await;
        if status == StatusCode::OK { Ok(()) } else { Err(answer.to_string()) }
    })
    .await;
    service.processed().await;
    assert_eq!(service.outcome(&format!("old-{}", taken - 1)).await, "person_updated");
    service.check_books().await;
    service.finish().await;
}
