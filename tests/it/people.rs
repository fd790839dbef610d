//! The right data of the right person, with the right to send it: identity and consent over the whole service.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};

fn consent(granted: bool) -> Value {
    json!({"consent": {"categoryPreferences": {"marketing": granted}}})
}

/// The attributes of the nth call, as sent.
fn sent(service: &Service, nth: usize) -> Value {
    serde_json::from_str::<Value>(&service.crm.body(nth)).unwrap()["contact"].take()
}

#[tokio::test]
async fn a_withdrawal_while_a_refresh_waits_is_exactly_one_call_with_two_attributes() {
    let setup = Setup::new().with("CONSENT__REQUIRED", "marketing").with("DELIVERY__HOLD_SECONDS", "3600");
    let service = setup.driven_clock().start().await;
    let mut identify = identify_ann(1);
    identify["context"] = consent(true);
    service.send(identify).await;
    service.send(lead_of_ann(1)).await;
    service.crm.called(1).await;
    service.settled().await;

    service.send(ann_says(1, "refresh", &json!({"city": "Oslo"}))).await;
    service.open("waiting", 1).await;
    service
        .send(
            json!({"type": "page", "userId": "ann-1", "messageId": "withdrawal", "context": consent(false)}),
        )
        .await;
    service.crm.called(2).await;
    service.settled().await;
    let refresh = service.get("/api/events/refresh").await;
    let delivery =
        service.get(&format!("/api/deliveries/{}", refresh["delivery_id"].as_str().unwrap())).await;
    assert_eq!(
        (&delivery["state"], &delivery["reason"]),
        (&json!("superseded"), &json!("a withdrawal took its place"))
    );
    assert_eq!(sent(&service, 1), json!({"emails": ann(1), "subscription_status": "unsubscribed"}));

    // Nothing more goes out, however long it takes.
    service.send(ann_says(1, "later", &json!({"city": "Rome"}))).await;
    service.pass(Duration::from_hours(2));
    service.settled().await;
    assert_eq!(service.outcome("later").await, "consent_denied");
    assert_eq!(service.crm.calls(), 2);
    let event = service.get("/api/events/withdrawal").await;
    let notes = event["notes"].to_string();
    assert!(
        notes.contains("marketing denied by context.consent.categoryPreferences.marketing = false"),
        "{notes}"
    );
    service.finish().await;
}

#[tokio::test]
async fn two_people_on_one_browser_never_mix() {
    let service = Service::start().await;
    let on_device = |mut event: Value| {
        event["anonymousId"] = json!("shared");
        event
    };
    let form = |phone: &str, id: &str| {
        on_device(
            json!({"type": "track", "event": "Lead Generated", "messageId": id, "properties": {"phone": phone}}),
        )
    };
    service.send(form("+14155550101", "form-1")).await;
    service.send(on_device(identify_ann(1))).await;
    service.send(form("+14155550102", "form-2")).await;
    service.send(on_device(identify_ann(2))).await;
    service.send(on_device(lead_of_ann(2))).await;
    service.settled().await;
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["mobile_number"], "+14155550102");
    assert_eq!(service.crm.contact(&ann(2)).unwrap().get("mobile_number"), None);
    assert_eq!(service.crm.contact(&ann(2)).unwrap()["last_name"], "No2");
    service.finish().await;
}

#[tokio::test]
async fn a_withdrawal_reaches_every_address_the_person_was_delivered_under() {
    let service = Service::start().await;
    service.send(identify_ann(1)).await;
    service.send(lead_of_ann(1)).await;
    service.settled().await;
    service.send(ann_says(1, "renamed", &json!({"email": "new@example.com"}))).await;
    service.settled().await;
    assert_eq!(service.crm.contact("new@example.com").unwrap()["first_name"], "Ann");

    service
        .send(json!({"type": "identify", "userId": "ann-1", "messageId": "no", "context": consent(false)}))
        .await;
    service.settled().await;
    for email in [ann(1), "new@example.com".to_owned()] {
        assert_eq!(service.crm.contact(&email).unwrap()["subscription_status"], "unsubscribed", "{email}");
    }
    service.finish().await;
}

#[tokio::test]
async fn privacy_control_shuts_a_required_gate_and_writes_nothing() {
    let service = Setup::new().with("CONSENT__REQUIRED", "marketing").start().await;
    let mut identify = identify_ann(1);
    identify["context"] = consent(true);
    service.send(identify).await;
    service.send(lead_of_ann(1)).await;
    service.settled().await;
    let page = json!({"type": "page", "userId": "ann-1", "messageId": "gpc", "context": {"gpc": true,
        "traits": {"city": "Oslo"}}});
    service.send(page).await;
    service.settled().await;
    assert_eq!(service.outcome("gpc").await, "consent_denied");
    let contact = service.crm.contact(&ann(1)).unwrap();
    assert_eq!((contact.get("city"), &contact["subscription_status"]), (None, &json!("subscribed")));
    assert_eq!(service.crm.calls(), 1);
    service.finish().await;
}

#[tokio::test]
async fn an_alias_gives_the_user_what_the_visitor_said() {
    let service = Service::start().await;
    service
        .send(json!({"type": "track", "event": "Lead Generated", "anonymousId": "phone-app", "messageId": "form",
            "properties": {"phone": "+14155550101"}}))
        .await;
    service.send(identify_ann(1)).await;
    service.processed().await;
    assert_eq!(service.crm.calls(), 0);
    service
        .send(json!({"type": "alias", "userId": "ann-1", "previousId": "phone-app", "messageId": "alias"}))
        .await;
    service.settled().await;
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["mobile_number"], "+14155550101");
    service.finish().await;
}

#[tokio::test]
async fn sites_with_users_of_their_own_do_not_share_people() {
    let setup =
        Setup::new().with("SOURCES__SHOP__WRITE_KEY", "shop-key").with("SOURCES__SHOP__PEOPLE", "shop");
    let service = setup.start().await;
    service.send(identify_ann(1)).await;
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "ann-1", "messageId": "other"});
    let request = service.post_without_key("/ingest").basic_auth("shop-key", Some("")).json(&lead);
    assert_eq!(request.send().await.unwrap().status(), 200);
    service.settled().await;
    assert_eq!(service.outcome("other").await, "no_email");
    assert_eq!(service.crm.calls(), 0);
    service.finish().await;
}

#[tokio::test]
async fn a_device_with_a_wrong_clock_is_put_right_and_no_time_is_in_the_future() {
    let service = Setup::new().driven_clock().start().await;
    service.send(identify_ann(1)).await;
    service.send(lead_of_ann(1)).await;
    service.settled().await;
    // A clock that is ten years ahead: the sending time shows by how much. The visitor says Rome, then the server Oslo.
    service.pass(Duration::from_mins(1));
    let ahead = json!({"type": "identify", "userId": "ann-1", "messageId": "ahead", "traits": {"city": "Rome"},
        "timestamp": "2036-03-01T09:00:00Z", "sentAt": "2036-03-01T09:00:30Z"});
    service.send(ahead).await;
    service.send(ann_says(1, "now", &json!({"city": "Oslo"}))).await;
    let future = json!({"type": "identify", "userId": "ann-1", "messageId": "future", "traits": {"state": "Nowhere"},
        "timestamp": "2099-01-01T00:00:00Z"});
    service.send(future).await;
    service.pass(Duration::from_mins(1));
    service.send(ann_says(1, "last", &json!({"state": "Viken"}))).await;
    service.settled().await;
    let contact = service.crm.contact(&ann(1)).unwrap();
    assert_eq!((&contact["city"], &contact["state"]), (&json!("Oslo"), &json!("Viken")));
    service.finish().await;
}
