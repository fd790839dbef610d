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
