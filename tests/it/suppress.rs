//! Addresses of which nothing is ever sent, by a person's order.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};

const ORDERS: &str = "/api/people/suppress";

async fn suppress(service: &Service, email: &str) -> Value {
    let (status, answer) = said(service.private_post(ORDERS).json(&json!({ "email": email }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// The addresses of the list, the newest first.
async fn listed(service: &Service) -> Vec<Value> {
    let list = service.get(ORDERS).await;
    list["suppressed"].as_array().unwrap().iter().map(|row| row["email"].clone()).collect()
}

#[tokio::test]
async fn nothing_of_a_suppressed_address_is_sent_whatever_is_said_of_it_until_a_person_undoes_that() {
    let service = Service::start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1), identify_ann(2), lead_of_ann(2)]).await;
    service.settled().await;
    let made = service.crm.calls();
    let since = suppress(&service, &ann(1).to_uppercase()).await["since"].clone();
    assert_eq!(suppress(&service, &ann(1)).await["since"], since, "ordered again it changes nothing");
    let withdrawal = json!({"type": "identify", "userId": "ann-1", "messageId": "no-more",
        "context": {"consent": {"categoryPreferences": {"marketing": false}}}, "traits": {"city": "Rome"}});
    service.send_all(vec![ann_says(1, "moved", &json!({"city": "Berlin"})), withdrawal]).await;
    service
        .send(json!({"type": "track", "event": "Lead Generated", "userId": "friend", "messageId": "friend",
        "context": {"traits": {"email": ann(1)}}}))
        .await;
    service.settled().await;
    assert_eq!(service.crm.calls(), made);
    for message in ["moved", "no-more", "friend"] {
        assert_eq!(service.outcome(message).await, "excluded", "{message}");
    }
    let contact = service.get(&format!("/api/contacts/{}", ann(1))).await;
    assert_eq!((&contact["suppressed_at"], &contact["owed"]), (&since, &Value::Null));
    assert!(contact["why"].as_str().unwrap().starts_with("the address is suppressed"), "{contact}");
    assert_eq!(listed(&service).await, [json!(ann(1))]);
    // Nobody else is touched, and a restart forgets nothing.
    service.send(ann_says(2, "other", &json!({"city": "Oslo"}))).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), made + 1);
    let service = service.restart().await;
    service.send(ann_says(1, "later", &json!({"city": "Paris"}))).await;
    service.settled().await;
    assert_eq!((service.outcome("later").await.as_str(), service.crm.calls()), ("excluded", made + 1));

    let path = format!("{ORDERS}?email={}", ann(1));
    let (status, _) = said(service.private_delete(&path)).await;
    assert_eq!(status, StatusCode::OK);
    service.settled().await;
    let contact = service.crm.contact(&ann(1)).unwrap();
    assert_eq!((&contact["city"], service.crm.calls()), (&json!("Paris"), made + 2));
    assert_eq!(contact["subscription_status"], "unsubscribed");
    assert_eq!(listed(&service).await, Vec::<Value>::new());
    let (status, _) = said(service.private_delete(&path)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it is undone already");
    service.finish().await;
}

#[tokio::test]
async fn what_waits_for_its_call_or_was_refused_ends_with_the_order() {
    let service = Setup::new().start().await;
    service.crm.fault(json!({"status": 422, "email": ann(1), "times": 9,
        "body": {"errors": {"code": 422, "message": ["Last name can't be blank"]}}}));
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.until("Ann is refused", |status| status["dead_letters"] == 1).await;
    let _ = service.order("/api/pause", json!({})).await;
    service.send_all(vec![identify_ann(2), lead_of_ann(2)]).await;
    service.processed().await;
    let made = service.crm.calls();
    suppress(&service, &ann(1)).await;
    suppress(&service, &ann(2)).await;
    let status = service.status().await;
    assert_eq!((&status["dead_letters"], &status["ended"]["superseded"]), (&json!(0), &json!(2)), "{status}");
    let _ = service.order("/api/resume", json!({})).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), made);
    assert_eq!(listed(&service).await, [json!(ann(2)), json!(ann(1))]);
    let (status, answer) = said(service.private_post(ORDERS).json(&json!({"email": "nobody"}))).await;
    assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_parameter")));
    let (status, answer) = said(service.private_post(ORDERS).body("{}")).await;
    assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_body")));
    service.finish().await;
}

#[tokio::test]
async fn an_erasure_leaves_the_order_in_force_and_of_the_address_a_hash() {
    let service = Service::start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    suppress(&service, &ann(1)).await;
    service.delete(&format!("/api/people?email={}", ann(1))).await;
    assert_eq!(listed(&service).await, [Value::Null]);
    let made = service.crm.calls();
    let again = json!({"type": "track", "event": "Lead Generated", "userId": "ann-1", "messageId": "again",
        "context": {"traits": {"email": ann(1), "first_name": "Ann"}}});
    service.send(again).await;
    service.settled().await;
    assert_eq!((service.outcome("again").await.as_str(), service.crm.calls()), ("excluded", made));
    service.finish().await;
}
