//! The route that says what an event would do.

use super::*;

#[tokio::test]
async fn an_event_with_an_email_of_its_own_has_a_payload() {
    let lab = Lab::new();
    let event = json!({
        "type": "track", "event": "Lead Generated", "messageId": "m1", "userId": "u",
        "traits": {"email": "sam@example.com", "name": "Sam Lee"},
        "context": {"consent": {"categoryPreferences": {"marketing": true}}},
    });
    let reply = lab.map(event.to_string()).await;
    assert_eq!(reply.status, 200);
    let name = |attribute: &str, value: &str| json!({"attribute": attribute, "path": "traits.name", "message_id": "m1", "value": value, "when": "always"});
    assert_eq!(
        reply.json(),
        json!({
            "message_id": "m1",
            "outcome": "queued",
            "reason": "Freshsales does not have the contact yet; a call is owed",
            "notes": ["marketing granted by context.consent.categoryPreferences.marketing = true"],
            "fields": [name("first_name", "Sam"), name("last_name", "Lee")],
            "left_out": [],
            "payload": {
                "unique_identifier": {"emails": "sam@example.com"},
                "contact": {
                    "emails": "sam@example.com",
                    "first_name": "Sam",
                    "last_name": "Lee",
                    "subscription_status": "subscribed",
                },
            },
        })
    );
    let payload = &reply.text[reply.text.find("\"payload\"").unwrap()..];
    let order: Vec<_> = payload.match_indices("_name\"").map(|(at, _)| &payload[at - 5..at]).collect();
    assert_eq!(order, ["first", "\"last"]);
}

#[tokio::test]
async fn an_event_that_owes_nothing_has_none_and_each_request_starts_anew() {
    let lab = Lab::new();
    for _ in 0..2 {
        let reply = lab.map(r#"{"type":"page","anonymousId":"a"}"#).await.json();
        assert_eq!((&reply["message_id"], &reply["outcome"]), (&json!("line-1"), &json!("no_email")));
        assert_eq!(reply["payload"], Value::Null);
    }
}

#[tokio::test]
async fn what_ingest_would_refuse_is_refused() {
    let lab = Lab::new();
    let large = json!({"type": "page", "userId": "u", "x": "x".repeat(1000)}).to_string();
    for (body, status, code, reason) in [
        ("{".to_owned(), 400, "malformed_body", Value::Null),
        (String::new(), 400, "malformed_body", Value::Null),
        ("[]".to_owned(), 400, "invalid_event", json!("not_an_object")),
        (r#"{"type":"page"}"#.to_owned(), 400, "invalid_event", json!("missing_identity")),
        (large, 400, "invalid_event", json!("event_too_large")),
        ("x".repeat(65_537), 413, "body_too_large", Value::Null),
    ] {
        assert_eq!(lab.map(body).await.refusal(), (status, code.to_owned(), reason));
    }
    assert_eq!(lab.map(vec![b'"', 0xff, b'"']).await.refusal().1, "malformed_body");
}
