//! Clocks that jump and come back, and a start with one that is wrong: nothing that hangs on the time is decided by them.

use std::time::Duration;

use freshsignal::clock::UnixMicros;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{ann, identify_ann, lead_of_ann};

const DAY: Duration = Duration::from_hours(24);

/// A lead with the time at which it happened, by a clock that is right.
fn lead_at(number: usize, at: UnixMicros) -> Value {
    let mut lead = lead_of_ann(number);
    lead["timestamp"] = json!(at.to_rfc3339());
    lead
}

async fn received_at(service: &Service, message_id: &str) -> UnixMicros {
    let event = service.get(&format!("/api/events/{message_id}")).await;
    UnixMicros::parse(event["received_at"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_clock_that_is_500_days_ahead_for_14_seconds_changes_nothing() {
    let service = Setup::new().driven_clock().start().await;
    service.send_all(vec![identify_ann(0), lead_of_ann(0)]).await;
    service.settled().await;
    let right = service.now();
    service.set_forward(DAY * 500);
    for second in 0..14 {
        let number = second + 1;
        service
            .send_all(vec![identify_ann(number), lead_at(number, right.plus(Duration::from_secs(1)))])
            .await;
        service.pass(Duration::from_secs(1));
    }
    service.settled().await;
    service.set_back(DAY * 500);
    service.send_all(vec![identify_ann(15), lead_at(15, service.now())]).await;
    service.settled().await;
    for number in 0..=15 {
        // What was there before is there, and what came meanwhile came then.
        let received = received_at(&service, &format!("ann-{number}-lead")).await;
        assert!(received.since(right) < Duration::from_mins(1), "{number}: {}", received.to_rfc3339());
        let deliveries = service.get(&format!("/api/deliveries?email={}", ann(number))).await;
        assert_eq!(deliveries["deliveries"][0]["lane"], "new_contact", "{number} is no old data");
    }
    assert_eq!(service.crm.calls(), 16);
    service.finish().await;
}

#[tokio::test]
async fn a_restart_with_the_clock_ten_days_ahead_makes_no_call_more_than_the_hour_allows() {
    let setup = Setup::new().driven_clock().with("ALLOWANCE__RESERVE_PERCENT", "0");
    let service = setup.with("ALLOWANCE__PER_HOUR", "10").start().await;
    let pairs = (0..15).flat_map(|number| [identify_ann(number), lead_of_ann(number)]);
    service.send_all(pairs.collect()).await;
    let full = |status: &Value| status["allowance"]["hour"] == json!({"limit": 10, "used": 10});
    let used = |status: &Value| full(status) && status["ended"]["delivered"] == 10;
    service.until("the hour is used up", used).await;
    service.pass(Duration::from_mins(30));
    service.set_forward(DAY * 10);
    let service = service.restart().await;
    service.until("the hour is still used up", full).await;
    assert_eq!(service.crm.calls(), 10);
    service.set_back(DAY * 10);
    let service = service.restart().await;
    service.until("the hour is still used up", full).await;
    assert_eq!(service.crm.calls(), 10);
    service.pass(Duration::from_mins(30));
    service.settled().await;
    assert_eq!(service.crm.calls(), 15);
    service.finish().await;
}
