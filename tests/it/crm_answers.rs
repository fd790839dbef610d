//! What the CRM may answer, and what becomes of the contact: in the end it is right, and nothing was lost or doubled.
//!
//! The clock is driven; only the time-out of a call that hangs is real.

use std::time::Duration;

use freshsignal::clock::UnixMicros;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, sum};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};

async fn service() -> Service {
    Setup::new().driven_clock().with("FRESHSALES__ATTEMPT_TIMEOUT_SECONDS", "1").start().await
}

async fn lead(service: &Service, number: usize) {
    service.send_all(vec![identify_ann(number), lead_of_ann(number)]).await;
}

/// When the nth call arrived.
fn called_at(service: &Service, nth: usize) -> UnixMicros {
    service.crm.call(nth).at
}

/// The only delivery there is, with its attempts.
async fn the_delivery(service: &Service) -> Value {
    let list = service.get("/api/deliveries").await;
    let deliveries = list["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 1, "{list}");
    service.get(&format!("/api/deliveries/{}", deliveries[0]["id"].as_str().unwrap())).await
}

fn contact_is_right(service: &Service, number: usize) {
    let contact = service.crm.contact(&ann(number));
    let expected = json!({"emails": ann(number), "first_name": "Ann", "last_name": format!("No{number}"),
        "subscription_status": "subscribed"});
    assert_eq!(contact, Some(expected));
}

#[tokio::test]
async fn a_throttle_holds_the_whole_account_as_long_as_it_says() {
    for (order, wait_seconds) in [
        (json!({"status": 429, "retry_after": 2}), 2),
        (json!({"status": 429, "retry_after": "240"}), 240),
        (json!({"status": 429, "retry_after": 1.5}), 1),
        (json!({"status": 429, "retry_after": "Sun, 01 Mar 2026 09:05:00 GMT"}), 299),
        (json!({"status": 429}), 60),
        (json!({"status": 429, "retry_after": "soon"}), 3_600),
        (json!({"status": 429, "retry_after": "-5"}), 3_600),
        (json!({"status": 405}), 60),
        (json!({"status": 400, "body": {"errors": {"code": 400, "message": ["Too many requests"]}}}), 60),
        (
            json!({"status": 400, "body": {"errors": {"code": 429, "message": "UCR contact fetch failure"}}}),
            60,
        ),
    ] {
        let service = service().await;
        service.crm.fault(order.clone());
        lead(&service, 1).await;
        let status = service.destination("throttled").await;
        assert!(status["destination"]["until"].is_string(), "{order}: {status}");
        lead(&service, 2).await;
        service.processed().await;
        service.pass(Duration::from_millis(wait_seconds * 1_000 - 100));
        assert_eq!(service.destination("throttled").await["open"]["in_flight"], 0, "{order}");
        service.pass(Duration::from_secs(2));
        service.settled().await;
        assert_eq!(service.crm.calls(), 3, "{order}");
        let waited = called_at(&service, 1).since(called_at(&service, 0));
        assert!(waited >= Duration::from_secs(wait_seconds), "{order}: {waited:?}");
        assert_eq!(service.status().await["destination"]["state"], "running", "{order}");
        contact_is_right(&service, 1);
        contact_is_right(&service, 2);
        service.finish().await;
    }
}

#[tokio::test]
async fn a_throttle_that_repeats_without_saying_how_long_waits_twice_as_long() {
    let service = service().await;
    service.crm.fault(json!({"status": 429, "times": 3}));
    lead(&service, 1).await;
    for (calls, minutes) in [(1, 1), (2, 2), (3, 4)] {
        service.crm.called(calls).await;
        let until = |status: &Value| status["destination"]["until"].as_str().map(str::to_owned);
        let due = service.now().plus(Duration::from_mins(minutes)).to_rfc3339();
        let says = format!("calls wait for {minutes} minutes");
        service.until(&says, |status| until(status) == Some(due.clone())).await;
        service.pass(Duration::from_mins(minutes));
    }
    service.settled().await;
    assert_eq!(service.crm.calls(), 4);
    contact_is_right(&service, 1);
    service.finish().await;
}

#[tokio::test]
async fn a_refused_contact_is_kept_with_the_words_of_the_crm_and_comes_back_when_its_data_changes() {
    let service = service().await;
    let mut nameless = identify_ann(1);
    nameless["traits"] = json!({"email": ann(1), "city": "Rome"});
    service.send_all(vec![nameless, lead_of_ann(1)]).await;
    service.settled().await;
    let dead = the_delivery(&service).await;
    assert_eq!(
        (&dead["state"], &dead["attempts"][0]["response"]["status"]),
        (&json!("dead"), &json!(422)),
        "{dead}"
    );
    let words = "First name or last name is mandatory.";
    assert!(dead["reason"].as_str().unwrap().contains(words), "{dead}");
    let contact = service.get(&format!("/api/contacts/{}", ann(1))).await;
    assert!(contact["why"].as_str().unwrap().contains(words), "{contact}");
    assert_eq!(service.crm.contact(&ann(1)), None);

    // Others go on meanwhile.
    lead(&service, 2).await;
    service.settled().await;
    contact_is_right(&service, 2);

    service.send(ann_says(1, "named", &json!({"name": "Ann No1"}))).await;
    service.settled().await;
    assert_eq!(service.outcome("named").await, "absorbed");
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["last_name"], "No1");
    let status = service.status().await;
    assert_eq!((&status["ended"]["delivered"], &status["ended"]["dead"]), (&json!(2), &json!(0)), "{status}");
    service.finish().await;
}

#[tokio::test]
async fn a_refusal_without_a_reason_in_words_is_kept_all_the_same() {
    for order in [
        json!({"status": 400, "times": 5}),
        json!({"status": 400, "html": true, "times": 5}),
        json!({"status": 422, "body": "", "times": 5}),
        json!({"status": 400, "body": {"errors": [{"message": "odd"}]}, "times": 5}),
        json!({"status": 409, "body": "[]", "times": 5}),
        json!({"status": 413, "times": 5}),
    ] {
        let service = service().await;
        service.crm.fault(order.clone());
        lead(&service, 1).await;
        service.settled().await;
        let dead = the_delivery(&service).await;
        assert_eq!(dead["state"], "dead", "{order}: {dead}");
        assert!(!dead["reason"].as_str().unwrap().is_empty(), "{order}: {dead}");
        assert_eq!(service.status().await["destination"]["state"], "running", "{order}");
        service.finish().await;
    }
}

#[tokio::test]
async fn after_a_failure_the_newest_state_is_sent() {
    let service = service().await;
    service.crm.fault(json!({"status": 500}));
    lead(&service, 1).await;
    service.open("retrying", 1).await;
    service.send(ann_says(1, "moved", &json!({"city": "Berlin"}))).await;
    service.processed().await;
    assert_eq!(service.outcome("moved").await, "absorbed");
    assert_eq!(service.crm.calls(), 1);
    service.pass(Duration::from_secs(2));
    service.settled().await;
    assert_eq!(service.crm.call(1).json()["contact"]["city"], "Berlin");
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["city"], "Berlin");
    assert_eq!(the_delivery(&service).await["state"], "delivered");
    service.finish().await;
}

#[tokio::test]
async fn what_will_pass_is_tried_again_until_the_contact_is_right() {
    let passing = [
        json!({"status": 500}),
        json!({"status": 502, "html": true}),
        json!({"status": 503, "retry_after": 3}),
        json!({"status": 504, "body": ""}),
        json!({"status": 408}),
        json!({"status": 425}),
        json!({"status": 200, "html": true}),
        json!({"reset": true}),
        json!({"truncated": true, "status": 200, "body": {"contact": {"id": 1, "first_name": "Ann"}}}),
        json!({"truncated": true, "apply": true}),
        json!({"reset": true, "apply": true}),
    ];
    let service = service().await;
    for (number, order) in passing.iter().enumerate() {
        let before = service.crm.calls();
        service.crm.fault(order.clone());
        lead(&service, number).await;
        service.open("retrying", 1).await;
        assert_eq!(service.crm.calls(), before + 1, "{order}");
        service.pass(Duration::from_secs(2));
        service.settled().await;
        assert_eq!(service.crm.calls(), before + 2, "{order}");
        contact_is_right(&service, number);
    }
    assert_eq!(service.crm.sandbox.contacts().len(), passing.len());
    service.finish().await;
}

#[tokio::test]
async fn a_success_is_one_whatever_its_body_holds() {
    let odd = [
        json!({"status": 200, "body": "", "apply": true}),
        json!({"status": 201, "body": "not json", "apply": true}),
        json!({"status": 202, "body": [], "apply": true}),
        json!({"status": 200, "body": {"contact": {"id": "70054866612"}}, "apply": true}),
        json!({"endless": true, "status": 200, "apply": true}),
    ];
    let service = service().await;
    for (number, order) in odd.iter().enumerate() {
        service.crm.fault(order.clone());
        lead(&service, number).await;
        service.settled().await;
        assert_eq!(service.crm.calls(), number + 1, "{order}");
        contact_is_right(&service, number);
    }
    assert_eq!(service.status().await["ended"]["delivered"], odd.len());
    service.finish().await;
}

#[tokio::test]
async fn a_call_that_hangs_is_given_up_and_made_again() {
    let service = service().await;
    service.crm.fault(json!({"hang": true}));
    lead(&service, 1).await;
    service.open("retrying", 1).await;
    let retrying = the_delivery(&service).await;
    let error = retrying["attempts"][0]["error"].as_str().unwrap();
    assert_eq!(error, "no whole answer within 1 s");
    service.pass(Duration::from_secs(2));
    service.settled().await;
    assert_eq!(service.crm.calls(), 2);
    contact_is_right(&service, 1);
    service.finish().await;
}

#[tokio::test]
async fn a_call_that_took_effect_without_an_answer_makes_one_contact() {
    let service = service().await;
    service.crm.fault(json!({"hang": true, "apply": true}));
    lead(&service, 1).await;
    service.open("retrying", 1).await;
    service.send(ann_says(1, "renamed", &json!({"last_name": "Newer"}))).await;
    service.processed().await;
    service.pass(Duration::from_secs(2));
    service.settled().await;
    assert_eq!(service.crm.sandbox.contacts().len(), 1);
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["last_name"], "Newer");
    assert_eq!(service.status().await["ended"]["delivered"], 1);
    service.finish().await;
}

#[tokio::test]
async fn what_every_call_would_end_in_blocks_the_destination_until_it_is_mended() {
    for (order, words) in [
        (json!({"status": 401}), "refused the API key"),
        (json!({"status": 403}), "may not edit contacts"),
        (json!({"status": 404}), "bundle alias"),
        (json!({"status": 302, "location": "https://login.example.com/"}), "bundle alias"),
    ] {
        let service = service().await;
        service.crm.fault(order.clone());
        lead(&service, 1).await;
        let status = service.destination("blocked").await;
        let reason = status["destination"]["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{order}: {reason}");
        assert_eq!(status["drain_seconds"], Value::Null, "{order}: {status}");

        // Nothing leaves meanwhile, and nothing is lost.
        for number in 2..5 {
            lead(&service, number).await;
        }
        service.processed().await;
        service.pass(Duration::from_secs(9));
        let status = service.destination("blocked").await;
        assert_eq!((&status["open"]["in_flight"], sum(&status["open"])), (&json!(0), 4), "{order}");
        assert_eq!(service.crm.calls(), 1, "{order}");

        service.pass(Duration::from_secs(1));
        service.settled().await;
        assert_eq!(service.status().await["destination"]["state"], "running", "{order}");
        for number in 1..5 {
            contact_is_right(&service, number);
        }
        service.finish().await;
    }
}

#[tokio::test]
async fn a_block_survives_a_restart_and_is_probed_by_one_call_at_a_time() {
    let service = service().await;
    service.crm.fault(json!({"status": 401, "times": 3}));
    for number in 0..3 {
        lead(&service, number).await;
    }
    service.destination("blocked").await;
    service.open("in_flight", 0).await;
    let before = service.crm.calls();
    let mut service = service.restart().await;
    assert_eq!(service.status().await["destination"]["state"], "blocked");
    while service.status().await["destination"]["state"] == "blocked" {
        service.pass(Duration::from_mins(15));
        let calls = service.crm.calls();
        service.crm.called(calls + 1).await;
        service.open("in_flight", 0).await;
        service = service.restart().await;
    }
    service.settled().await;
    assert!(before <= 3, "{before}");
    // Three refusals, a question that is answered, three contacts.
    assert_eq!(service.crm.calls(), 7);
    for number in 0..3 {
        contact_is_right(&service, number);
    }
    service.finish().await;
}

#[tokio::test]
async fn a_failing_contact_holds_up_nobody_else() {
    let service = service().await;
    service.crm.fault(json!({"status": 500, "times": 3, "email": ann(0)}));
    for number in 0..4 {
        lead(&service, number).await;
    }
    service.until("the others are delivered", |status| status["ended"]["delivered"] == 3).await;
    assert_eq!(service.crm.contact(&ann(0)), None);
    for (calls, wait_seconds) in [(4, 1), (5, 2), (6, 4)] {
        service.crm.called(calls).await;
        service.open("in_flight", 0).await;
        service.pass(Duration::from_secs(wait_seconds));
    }
    service.settled().await;
    for number in 0..4 {
        contact_is_right(&service, number);
    }
    service.finish().await;
}

#[tokio::test]
async fn a_stop_while_the_crm_hangs_is_quick_and_loses_nothing() {
    // On the real clock: how long a stop may take is a promise to whoever sends the signal.
    let service = Setup::new().with("SERVER__SHUTDOWN_SECONDS", "1").start().await;
    service.crm.fault(json!({"hang": true, "apply": true}));
    lead(&service, 1).await;
    service.crm.called(1).await;
    let began = service.now();
    let service = service.restart().await;
    let took = service.now().since(began);
    assert!(took < Duration::from_secs(4), "{took:?}");
    service.settled().await;
    assert_eq!((service.crm.calls(), service.crm.sandbox.contacts().len()), (2, 1));
    contact_is_right(&service, 1);
    assert_eq!(service.status().await["allowance"]["minute"]["used"], 2);
    service.finish().await;
}
