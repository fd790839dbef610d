//! Webhooks of other vendors, from the signed message to the contact.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};

const SECRET: &str = "a secret of a shop";

async fn start() -> Service {
    let hook = [("KIND", "shopify"), ("SOURCE", "website"), ("SECRET", SECRET)];
    let with = |setup: Setup, (key, value): (&str, &str)| setup.with(&format!("HOOKS__SHOP__{key}"), value);
    hook.into_iter().fold(Setup::new(), with).start().await
}

/// What a shop sends: topic, id of the message, body.
async fn send(service: &Service, secret: &str, topic: &str, id: &str, body: &Value) -> (StatusCode, Value) {
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let request = service
        .post_without_key("/hooks/shop")
        .header("X-Shopify-Hmac-Sha256", STANDARD.encode(hmac::sign(&key, body.as_bytes())))
        .header("X-Shopify-Topic", topic)
        .header("X-Shopify-Webhook-Id", id)
        .body(body);
    said(request).await
}

fn order() -> Value {
    json!({"id": 820_982, "email": "jon@example.com", "total_price": "388.00", "currency": "USD",
        "customer": {"first_name": "Jon", "last_name": "Snow"}})
}

#[tokio::test]
async fn an_order_that_is_told_three_times_is_one_contact_and_one_call() {
    let service = start().await;
    for _ in 0..3 {
        let (status, answer) = send(&service, SECRET, "orders/create", "w-1", &order()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    service.settled().await;
    let contact = service.crm.contact("jon@example.com").unwrap();
    assert_eq!(contact["first_name"], "Jon", "{contact}");
    assert_eq!(service.crm.calls(), 1);
    service.finish().await;
}

#[tokio::test]
async fn what_no_rule_takes_is_not_mapped_and_what_is_signed_wrong_is_in_the_list_of_refused() {
    let service = start().await;
    let (status, answer) = send(&service, SECRET, "carts/update", "w-2", &order()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    service.processed().await;
    assert_eq!(service.outcome("shop-w-2").await, "not_mapped");
    let shown = service.get("/api/events/shop-w-2").await;
    assert!(!shown.to_string().contains("jon@"), "{shown}");
    let status = service.status().await;
    assert_eq!(status["risks"], json!([]), "that no rule takes it is nothing to warn of");
    let (status, answer) = send(&service, "another secret", "orders/create", "w-3", &order()).await;
    assert_eq!((status, &answer["code"]), (StatusCode::UNAUTHORIZED, &json!("wrong_signature")));
    let rejected = service.get("/api/events?outcome=rejected").await.to_string();
    assert!(rejected.contains("wrong_signature") && rejected.contains("signature_differs"), "{rejected}");
    assert!(!rejected.contains("jon@"), "{rejected}");
    service.settled().await;
    assert!(service.crm.contact("jon@example.com").is_none());
    service.finish().await;
}

const TOKEN: &str = "a token of a workflow, long enough to be one";

/// What the workflow of a contact sends.
async fn workflow_says(service: &Service, status: &str, updated_at: &str) -> StatusCode {
    let body = json!({"kind": "contact", "id": "7", "email": "ann@example.com", "subscription_status": status, "updated_at": updated_at});
    let request =
        service.post_without_key("/hooks/freshsales").header("X-Freshsignal-Token", TOKEN).json(&body);
    said(request).await.0
}

#[tokio::test]
async fn whoever_unsubscribes_in_freshsales_is_subscribed_no_more_before_they_say_yes() {
    let hook = [("KIND", "freshsales"), ("SOURCE", "website"), ("SECRET", TOKEN)];
    let with =
        |setup: Setup, (key, value): (&str, &str)| setup.with(&format!("HOOKS__FRESHSALES__{key}"), value);
    let service = hook.into_iter().fold(Setup::new(), with).start().await;
    let agrees = |id: &str, at: &str| {
        json!({"type": "track", "event": "Lead Generated", "messageId": id, "userId": "ann", "timestamp": at,
            "context": {"consent": {"marketing": true}, "traits": {"email": "ann@example.com", "first_name": "Ann"}}})
    };
    let status =
        |service: &Service| service.crm.contact("ann@example.com").unwrap()["subscription_status"].clone();
    service.send(agrees("one", "2026-02-01T10:00:00Z")).await;
    service.settled().await;
    assert_eq!(status(&service), "subscribed");
    assert_eq!(workflow_says(&service, "Unsubscribed", "2026-02-02T10:00:00Z").await, StatusCode::OK);
    service.settled().await;
    assert_eq!(status(&service), "unsubscribed");
    let calls = service.crm.calls();
    // What our own call makes the workflow say, what it says of others, and a yes from before change nothing.
    for (said, at) in [
        ("Unsubscribed", "2026-02-02T10:01:00Z"),
        ("Subscribed", "2026-02-03T10:00:00Z"),
        ("{{status}}", "{{at}}"),
    ] {
        assert_eq!(workflow_says(&service, said, at).await, StatusCode::OK);
    }
    service.send(agrees("two", "2026-02-02T09:00:00Z")).await;
    service.settled().await;
    assert_eq!((status(&service), service.crm.calls()), (json!("unsubscribed"), calls));
    let service = service.restart().await;
    service.send(agrees("three", "2026-02-04T10:00:00Z")).await;
    service.settled().await;
    assert_eq!(status(&service), "subscribed");
    service.finish().await;
}
