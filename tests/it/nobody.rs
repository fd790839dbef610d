//! Events of nobody: no id, and an address that is none. They are accepted, say what became of them, and stop nobody else.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, WRITE_KEY, said};
use crate::support::events::{ann, identify_ann, lead_of_ann};

/// Events without an id whose address is none, each with the outcome it must have. `nth` keeps their messages apart.
fn of_nobody(nth: usize) -> Vec<(Value, &'static str)> {
    let hash = "0123456789abcdef".repeat(4);
    let email = |email: Value| json!({"type": "identify", "traits": {"email": email, "name": "Sam"}});
    let lead =
        |email: Value| json!({"type": "track", "event": "Lead Generated", "properties": {"email": email}});
    let mut events = vec![
        (email(json!("sam@")), "invalid_email"),
        (email(json!("kim.example.com")), "invalid_email"),
        (email(json!(4_155_550_142_i64)), "invalid_email"),
        (email(json!(["sam@", "kim"])), "invalid_email"),
        (email(json!({"work": "sam"})), "invalid_email"),
        (email(json!(hash)), "hashed_email"),
        (lead(json!("sam@")), "invalid_email"),
        (lead(json!(hash)), "hashed_email"),
        (json!({"type": "page", "context": {"traits": {"email": "sam@"}}}), "invalid_email"),
        (json!({"type": "alias", "previousId": "p", "traits": {"email": "sam@"}}), "invalid_email"),
        (json!({"type": "group", "groupId": "g", "context": {"traits": {"email": "sam@"}}}), "invalid_email"),
        (json!({"type": "group", "groupId": "g", "traits": {"email": "sam@"}}), "no_email"),
        (json!({"type": "identify", "userId": ["u"], "traits": {"name": "Sam"}}), "no_email"),
        (json!({"type": "track", "event": "Scrolled", "traits": {"email": "sam@"}}), "not_mapped"),
    ];
    for (index, (event, _)) in events.iter_mut().enumerate() {
        event["messageId"] = json!(format!("nobody-{nth}-{index}"));
    }
    events
}

/// They took effect, each with its outcome, and whoever comes after them is served.
async fn stop_nobody(service: &Service, nth: usize, expected: &[(Value, &str)]) {
    service.processed().await;
    for (event, outcome) in expected {
        assert_eq!(service.outcome(event["messageId"].as_str().unwrap()).await, *outcome, "{event}");
    }
    service.send_all(vec![identify_ann(nth), lead_of_ann(nth)]).await;
    service.settled().await;
    assert!(service.crm.contact(&ann(nth)).is_some());
}

#[tokio::test]
async fn events_of_nobody_stop_nothing_one_by_one_in_a_batch_and_after_a_restart() {
    let mut service = Service::start().await;
    for round in 0..3 {
        let alone = of_nobody(2 * round);
        for (event, _) in &alone {
            service.send(event.clone()).await;
            service.processed().await;
        }
        stop_nobody(&service, 2 * round, &alone).await;
        let together = of_nobody(2 * round + 1);
        service.send_all(together.iter().map(|(event, _)| event.clone()).collect()).await;
        stop_nobody(&service, 2 * round + 1, &together).await;
        service = service.restart().await;
    }
    service.finish().await;
}

#[tokio::test]
async fn a_pixel_of_nobody_stops_nothing() {
    let service = Service::start().await;
    for nth in 0..2 {
        let query = format!(
            "writeKey={WRITE_KEY}&event=Lead%20Generated&messageId=pixel-{nth}&properties.email=sam%40"
        );
        let answer = service.public(Method::GET, &format!("/v1/pixel/track?{query}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        service.processed().await;
        assert_eq!(service.outcome(&format!("pixel-{nth}")).await, "invalid_email");
    }
    stop_nobody(&service, 0, &[]).await;
    service.finish().await;
}

#[tokio::test]
async fn what_became_of_an_event_of_nobody_is_said_and_its_person_is_nobody() {
    let service = Service::start().await;
    let event =
        json!({"type": "identify", "messageId": "m", "userId": {"id": 7}, "traits": {"email": "sam@"}});
    let (status, _) = said(service.post("/ingest").json(&event)).await;
    assert_eq!(status, StatusCode::OK);
    service.processed().await;
    let shown = service.get("/api/events/m").await;
    assert_eq!(
        (&shown["person"], &shown["email"], &shown["reason"]),
        (
            &Value::Null,
            &Value::Null,
            &json!(
                "the email that was sent, s…@ (traits.email), does not look like an address, and no id says whose it is; \
                 nothing of it is kept"
            )
        )
    );
    assert!(
        shown["notes"].as_array().unwrap().contains(&json!("userId is an object, which is no id")),
        "{shown}"
    );
    service.finish().await;
}

#[tokio::test]
async fn a_folder_that_such_events_had_stopped_goes_on_by_itself() {
    let service = Setup::new().data_folder("stuck").start().await;
    service.settled().await;
    assert_eq!(service.outcome("typo-2").await, "invalid_email");
    assert_eq!(service.crm.contact("ann@example.com").unwrap()["last_name"], "Lee");
    let first = service.get("/api/events/typo-1").await;
    assert_eq!((&first["outcome"], &first["person"]), (&json!("person_updated"), &Value::Null), "{first}");
    let state = rusqlite::Connection::open(service.data_folder().join("state.db")).unwrap();
    let lines: i64 = state.query_row("SELECT count(*) FROM timelines", (), |row| row.get(0)).unwrap();
    assert_eq!(lines, 0);
    service.finish().await;
}
