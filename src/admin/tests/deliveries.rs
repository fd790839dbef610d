//! The routes of deliveries.

use super::*;
use crate::delivery::{Attempt, AttemptRequest, AttemptResponse, Delivery, Lane, State};

fn delivery(number: u64) -> Delivery {
    let id = DeliveryId(format!("d{number}-0"));
    Delivery::open(id, settings().account, email("sam@example.com"), Lane::NewContact, START)
}

fn tried() -> Delivery {
    let mut delivery = delivery(1).absorb(Lane::Refresh).claim();
    delivery.record(Attempt {
        attempt: 1,
        started_at: seconds_later(1),
        duration_ms: 42,
        request: AttemptRequest {
            method: "POST".into(),
            url: "https://acme.myfreshworks.com/crm/sales/api/contacts/upsert".into(),
            headers: vec![("authorization".into(), "Token token=[redacted]".into())],
            body: json!({"contact": {"emails": "sam@example.com"}}),
        },
        response: Some(AttemptResponse { status: 429, body: "slow down".into() }),
        error: None,
    });
    delivery.wait("the account is throttled".into(), seconds_later(60))
}

fn shape(attempts: &Value) -> Value {
    json!({
        "id": "d1-0",
        "account": "acme.myfreshworks.com",
        "subject": "contact:sam@example.com",
        "email": "sam@example.com",
        "lane": "new_contact",
        "state": "retrying",
        "reason": "the account is throttled",
        "notes": [],
        "events": 2,
        "opened_at": "2030-03-17T17:46:40.000Z",
        "ended_at": null,
        "next_attempt_at": "2030-03-17T17:47:40.000Z",
        "attempts_made": 1,
        "attempts": attempts,
    })
}

#[tokio::test]
async fn one_delivery_shows_every_attempt_whole() {
    let lab = Lab::new().holding(|held| held.deliveries = vec![tried()]);
    let attempts = json!([{
        "attempt": 1,
        "started_at": "2030-03-17T17:46:41.000Z",
        "duration_ms": 42,
        "request": {
            "method": "POST",
            "url": "https://acme.myfreshworks.com/crm/sales/api/contacts/upsert",
            "headers": {"authorization": "Token token=[redacted]"},
            "body": {"contact": {"emails": "sam@example.com"}},
        },
        "response": {"status": 429, "body": "slow down"},
        "error": null,
    }]);
    assert_eq!(lab.json("/api/deliveries/d1-0").await, shape(&attempts));
    assert_eq!(lab.get("/api/deliveries/d9-0").await.refusal(), (404, "not_found".into(), Value::Null));
}

#[tokio::test]
async fn the_list_leaves_headers_and_bodies_out() {
    let lab = Lab::new().holding(|held| held.deliveries = vec![tried()]);
    let attempts = json!([{
        "attempt": 1,
        "started_at": "2030-03-17T17:46:41.000Z",
        "duration_ms": 42,
        "request": {
            "method": "POST",
            "url": "https://acme.myfreshworks.com/crm/sales/api/contacts/upsert",
        },
        "response": {"status": 429},
        "error": null,
    }]);
    assert_eq!(lab.json("/api/deliveries").await, json!({"deliveries": [shape(&attempts)], "next": null}));
}

#[tokio::test]
async fn a_cursor_leads_through_the_list() {
    let lab = Lab::new().holding(|held| held.deliveries = (1..=3).map(delivery).collect());
    let ids = |page: &Value| {
        let rows = page["deliveries"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = lab.json("/api/deliveries?limit=2").await;
    assert_eq!(ids(&first), ["d3-0", "d2-0"]);
    let next = first["next"].as_str().unwrap();
    let second = lab.json(&format!("/api/deliveries?limit=2&before={next}")).await;
    assert_eq!(ids(&second), ["d1-0"]);
    assert_eq!(second["next"], Value::Null);
    let of_events = lab.get(&format!("/api/events?before={next}")).await;
    assert_eq!(of_events.refusal(), (400, "invalid_parameter".into(), json!("before")));
}

#[tokio::test]
async fn filters_reach_the_store_and_bad_ones_are_named() {
    let lab = Lab::new();
    lab.json("/api/deliveries?email=Sam@example.com&state=in_flight").await;
    let query = lab.store.0.lock().unwrap().delivery_queries.remove(0);
    assert_eq!((query.email, query.state), (Some(email("sam@example.com")), Some(State::InFlight)));
    for (query, name) in [("state=lost", "state"), ("email=x", "email"), ("outcome=queued", "query")] {
        let reply = lab.get(&format!("/api/deliveries?{query}")).await;
        assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!(name)));
    }
}

#[tokio::test]
async fn what_has_ended_is_not_tried_again() {
    let lab = Lab::new().holding(|held| held.deliveries = vec![tried().deliver(seconds_later(9))]);
    let shown = lab.json("/api/deliveries/d1-0").await;
    assert_eq!(shown["state"], "delivered");
    assert_eq!(shown["ended_at"], "2030-03-17T17:46:49.000Z");
    assert_eq!(shown["next_attempt_at"], Value::Null);
}
