//! The allowance holds in every window, across restarts; a CRM that enforces it never has to.

use std::time::Duration;

use freshsignal::allowance::{HOUR, MINUTE};
use freshsignal::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, sum};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};

/// A service that may make so many calls, before a CRM that answers no more.
async fn allowed(per_hour: u32, per_minute: u32) -> Service {
    let limits = SandboxOptions {
        per_hour: Some(per_hour),
        per_minute: Some(per_minute),
        ..SandboxOptions::default()
    };
    let setup = Setup::new().driven_clock().sandbox(limits);
    let setup = setup.with("ALLOWANCE__RESERVE_PERCENT", "0");
    let setup = setup.with("ALLOWANCE__PER_HOUR", &per_hour.to_string());
    setup.with("ALLOWANCE__PER_MINUTE", &per_minute.to_string()).start().await
}

async fn leads(service: &Service, people: usize) {
    let pairs = (0..people).flat_map(|number| [identify_ann(number), lead_of_ann(number)]);
    service.send_all(pairs.collect()).await;
    service.processed().await;
}

/// Ends when so many calls in all have been answered, and the window is full or nothing is owed: no more may leave now.
async fn no_more_than(service: &Service, calls: usize, window: &str) -> Value {
    let quiet = |status: &Value| {
        let window = &status["allowance"][window];
        let full = window["used"].as_u64() >= window["limit"].as_u64();
        status["ended"]["delivered"] == calls && (full || sum(&status["owed"]) == 0)
    };
    let status = service.until("nothing more may leave now", quiet).await;
    assert_eq!(service.crm.calls(), calls);
    status
}

fn never_throttled(service: &Service) {
    assert!(service.crm.sandbox.requests().iter().all(|call| call.status == Some(201)));
}

#[tokio::test]
async fn no_minute_holds_more_calls_than_allowed() {
    let service = allowed(1_000, 3).await;
    leads(&service, 8).await;
    for calls in [3, 6] {
        no_more_than(&service, calls, "minute").await;
        // A moment before the minute is over nothing leaves.
        service.pass(Duration::from_secs(59));
        no_more_than(&service, calls, "minute").await;
        service.pass(Duration::from_secs(1));
    }
    service.settled().await;
    assert_eq!((service.crm.calls(), service.crm.calls_in_any(MINUTE)), (8, 3));
    never_throttled(&service);
    service.finish().await;
}

#[tokio::test]
async fn no_hour_holds_more_calls_than_allowed() {
    let service = allowed(4, 100).await;
    leads(&service, 6).await;
    no_more_than(&service, 4, "hour").await;
    for _ in 0..11 {
        service.pass(Duration::from_mins(5));
        no_more_than(&service, 4, "hour").await;
    }
    service.pass(Duration::from_mins(5));
    service.settled().await;
    assert_eq!((service.crm.calls(), service.crm.calls_in_any(HOUR)), (6, 4));
    never_throttled(&service);
    service.finish().await;
}

#[tokio::test]
async fn a_restart_grants_nothing() {
    let mut service = allowed(1_000, 3).await;
    leads(&service, 5).await;
    no_more_than(&service, 3, "minute").await;
    for _ in 0..3 {
        service.pass(Duration::from_secs(10));
        service = service.restart().await;
        no_more_than(&service, 3, "minute").await;
    }
    service.pass(MINUTE);
    service.settled().await;
    assert_eq!((service.crm.calls(), service.crm.calls_in_any(MINUTE)), (5, 3));
    never_throttled(&service);
    service.finish().await;
}

#[tokio::test]
async fn what_changes_while_calls_are_scarce_is_one_call() {
    let service = allowed(1_000, 1).await;
    leads(&service, 2).await;
    no_more_than(&service, 1, "minute").await;
    let (served, waiting) = if service.crm.contact(&ann(0)).is_some() { (0, 1) } else { (1, 0) };
    assert!(service.crm.contact(&ann(served)).is_some());
    for change in 0..100 {
        let traits = serde_json::json!({"city": format!("City {change}")});
        service.send(ann_says(waiting, &format!("change-{change}"), &traits)).await;
    }
    service.processed().await;
    service.pass(MINUTE);
    service.settled().await;
    assert_eq!(service.crm.calls(), 2);
    assert_eq!(service.crm.contact(&ann(waiting)).unwrap()["city"], "City 99");
    let status = service.status().await;
    assert_eq!(status["outcomes"]["absorbed"], 100, "{status}");
    service.finish().await;
}

#[tokio::test]
async fn a_source_makes_no_more_contacts_an_hour_than_it_may_and_the_others_wait_visibly() {
    let setup = Setup::new().driven_clock().with("SOURCES__WEBSITE__NEW_CONTACTS_PER_HOUR_MAX", "3");
    let setup = setup.with("SOURCES__SHOP__WRITE_KEY", "shop-write-key");
    let service = setup.start().await;
    service.send_all((0..8).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.crm.called(3).await;
    service
        .until("five wait", |status| status["open"]["waiting"] == 5 && status["open"]["in_flight"] == 0)
        .await;
    let quota = service.status().await["new_contacts"]["website"].clone();
    assert_eq!((&quota["limit"], &quota["used"]), (&json!(3), &json!(3)));
    let (made, wait): (Vec<usize>, Vec<usize>) =
        (0..8).partition(|nth| service.crm.contact(&ann(*nth)).is_some());
    let why = service.get(&format!("/api/contacts/{}", ann(wait[0]))).await["why"].clone();
    assert!(
        why.as_str().unwrap().starts_with("its source has reached its limit of 3 new contacts an hour"),
        "{why}"
    );

    // Another source, and what a contact that Freshsales has is owed, are not held up.
    let shop = json!({"type": "track", "event": "Lead Generated", "userId": "s", "messageId": "s",
        "context": {"traits": {"email": "s@example.com", "name": "Sue Ray"}}});
    let sent = service.post_without_key("/ingest").header("x-write-key", "shop-write-key").json(&shop);
    assert!(sent.send().await.unwrap().status().is_success());
    service.send(ann_says(made[0], "moved", &json!({"city": "Oslo"}))).await;
    service.crm.called(5).await;

    // A restart grants nothing; an hour after the first three the next three leave.
    let service = service.restart().await;
    service.processed().await;
    service.pass(Duration::from_mins(59));
    assert_eq!(service.status().await["open"]["waiting"], 5);
    assert_eq!(service.crm.calls(), 5);
    service.pass(Duration::from_mins(2));
    service.crm.called(8).await;
    service.until("two wait", |status| status["open"]["waiting"] == 2).await;
    service.pass(Duration::from_mins(61));
    service.settled().await;
    assert_eq!(service.crm.calls(), 10);
    service.finish().await;
}
