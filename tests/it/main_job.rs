//! The main job: documented events end as exactly the documented contacts, and nothing is sent without a reason.

use std::time::Duration;

use freshsignal::sandbox::RecordedRequest;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{ann, ann_says, identify_ann, identify_sam, lead_of_ann, lead_of_sam};

const SAM: &str = "sam.lee@example.com";
const JANE: &str = "jane.doe@example.com";

fn identify_jane() -> Value {
    json!({"type": "identify", "userId": "user-123", "messageId": "jane-identify",
        "context": {"consent": {"categoryPreferences": {"marketing": true}}},
        "traits": {"email": JANE, "name": "Jane Doe", "phone": "+44 7700 900123", "job_title": "Head of Marketing",
            "company": "Acme Corp", "city": "London", "country": "United Kingdom"}})
}

#[tokio::test]
async fn jane_doe_becomes_exactly_her_contact() {
    let service = Service::start().await;
    service.send(identify_jane()).await;
    let lead = json!({"type": "track", "event": "Signed Up", "userId": "user-123", "messageId": "jane-lead"});
    service.send(lead).await;
    service.settled().await;

    assert_eq!(service.crm.calls(), 1);
    let call = service.crm.call(0);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/crm/sales/api/contacts/upsert"));
    assert_eq!(call.status, Some(201));
    // The sandbox keeps the scheme alone, and answers 401 to any other key or scheme.
    assert_eq!(call.headers["authorization"], "Token token=***");
    assert_eq!(call.headers["content-type"], "application/json");
    assert_eq!(
        service.crm.body(0),
        r#"{"unique_identifier":{"emails":"jane.doe@example.com"},"contact":{"emails":"jane.doe@example.com","first_name":"Jane","last_name":"Doe","mobile_number":"+447700900123","job_title":"Head of Marketing","company_name":"Acme Corp","city":"London","country":"United Kingdom","subscription_status":"subscribed"}}"#
    );
    let contact = json!({"emails": JANE, "first_name": "Jane", "last_name": "Doe",
        "mobile_number": "+447700900123", "job_title": "Head of Marketing", "company_name": "Acme Corp",
        "city": "London", "country": "United Kingdom", "subscription_status": "subscribed"});
    assert_eq!(service.crm.contact(JANE), Some(contact));
    service.finish().await;
}

#[tokio::test]
async fn a_lead_without_an_email_of_its_own_becomes_exactly_sam_lee() {
    let service = Service::start().await;
    service.send(identify_sam()).await;
    service.send(lead_of_sam()).await;
    service.settled().await;

    assert_eq!(service.crm.calls(), 1);
    assert_eq!(
        service.crm.body(0),
        r#"{"unique_identifier":{"emails":"sam.lee@example.com"},"contact":{"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","subscription_status":"subscribed"}}"#
    );
    let contact = json!({"emails": SAM, "first_name": "Sam", "last_name": "Lee", "mobile_number": "+14155550142",
        "company_name": "Globex", "subscription_status": "subscribed"});
    assert_eq!(service.crm.contact(SAM), Some(contact));
    assert_eq!(service.outcome("sam-identify").await, "person_updated");
    assert_eq!(service.outcome("sam-lead").await, "queued");
    service.finish().await;
}

#[tokio::test]
async fn events_that_owe_nothing_send_nothing_and_say_why() {
    let service = Service::start().await;
    let hash = "a".repeat(64);
    let cases = [
        (
            json!({"type": "track", "event": "Lead Generated", "userId": "nobody"}),
            "no_email",
            "no email of this person is known yet; an email that comes in time still creates the contact",
        ),
        (
            json!({"type": "page", "anonymousId": "visitor", "properties": {"title": "Pricing"}}),
            "no_email",
            "no email of this person is known yet; an email that comes in time still creates the contact",
        ),
        (
            json!({"type": "track", "event": "Button Clicked", "userId": "clicker",
                "context": {"traits": {"email": "clicker@example.com"}}}),
            "not_mapped",
            "\"Button Clicked\" is not in the mapping, so no call is made for it",
        ),
        (
            json!({"type": "identify", "userId": "quiet", "traits": {"email": "quiet@example.com"}}),
            "person_updated",
            "remembered; a mapped event of this person makes the contact",
        ),
        (
            json!({"type": "track", "event": "Lead Generated", "userId": "x", "properties": {"email": "no address"}}),
            "invalid_email",
            "",
        ),
        (
            json!({"type": "track", "event": "Lead Generated", "userId": "y", "properties": {"email": hash}}),
            "hashed_email",
            "",
        ),
    ];
    for (number, (event, _, _)) in cases.iter().enumerate() {
        let mut event = event.clone();
        event["messageId"] = json!(format!("nothing-{number}"));
        service.send(event).await;
    }
    service.settled().await;
    for (number, (_, outcome, reason)) in cases.iter().enumerate() {
        let event = service.get(&format!("/api/events/nothing-{number}")).await;
        assert_eq!(event["outcome"], *outcome, "{event}");
        assert!(reason.is_empty() || event["reason"] == *reason, "{event}");
        assert!(!event["reason"].as_str().unwrap().is_empty(), "{event}");
        assert_eq!(event["delivery_id"], Value::Null, "{event}");
    }
    assert_eq!(service.crm.calls(), 0);
    service.finish().await;
}

#[tokio::test]
async fn a_lead_a_second_before_its_identify_still_makes_the_contact() {
    let service = Setup::new().driven_clock().start().await;
    service.send(lead_of_sam()).await;
    service.settled().await;
    assert_eq!(service.outcome("sam-lead").await, "no_email");
    service.pass(Duration::from_secs(1));
    service.send(identify_sam()).await;
    service.settled().await;
    assert_eq!(service.outcome("sam-identify").await, "queued");
    assert_eq!(service.crm.calls(), 1);
    assert_eq!(service.crm.contact(SAM).unwrap()["last_name"], "Lee");
    service.finish().await;
}

#[tokio::test]
async fn a_lead_more_than_a_day_before_its_identify_makes_none() {
    let service = Setup::new().driven_clock().start().await;
    service.send(lead_of_sam()).await;
    service.pass(Duration::from_hours(25));
    service.send(identify_sam()).await;
    service.settled().await;
    assert_eq!(service.outcome("sam-identify").await, "person_updated");
    assert_eq!(service.crm.calls(), 0);
    service.finish().await;
}

#[tokio::test]
async fn each_of_the_five_mapped_events_makes_a_contact_however_it_is_written() {
    let service = Service::start().await;
    let events = [
        json!({"type": "page", "name": "Home"}),
        json!({"type": "track", "event": "Signed Up"}),
        json!({"type": "track", "event": "logged_in"}),
        json!({"type": "track", "event": "LEAD-GENERATED"}),
        json!({"type": "track", "event": "orderCompleted"}),
    ];
    for (number, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event["userId"] = json!(format!("ann-{number}"));
        service.send(identify_ann(number)).await;
        service.send(event).await;
    }
    service.settled().await;
    assert_eq!(service.crm.calls(), events.len());
    for number in 0..events.len() {
        let contact = service.crm.contact(&ann(number)).expect("each makes a contact");
        assert_eq!(contact["last_name"], format!("No{number}"));
    }
    service.finish().await;
}

#[tokio::test]
async fn consent_becomes_the_subscription_status_or_none() {
    let service = Service::start().await;
    let said = [
        (json!({"marketing": true}), Some("subscribed")),
        (json!({"marketing": false}), Some("unsubscribed")),
        (json!({"marketing": "perhaps"}), None),
        (json!({"analytics": true}), None),
    ];
    for (number, (preferences, _)) in said.iter().enumerate() {
        let mut identify = identify_ann(number);
        identify["context"] = json!({"consent": {"categoryPreferences": preferences}});
        service.send_all(vec![identify, lead_of_ann(number)]).await;
    }
    service.settled().await;
    for (number, (preferences, status)) in said.iter().enumerate() {
        let sent = service
            .crm
            .sandbox
            .requests()
            .iter()
            .map(RecordedRequest::json)
            .find(|body| body["unique_identifier"]["emails"] == ann(number));
        let sent = sent.expect("each is sent");
        assert_eq!(
            sent["contact"].get("subscription_status").and_then(Value::as_str),
            *status,
            "{preferences}"
        );
    }
    service.finish().await;
}

#[tokio::test]
async fn two_hundred_page_views_that_change_nothing_cost_no_call() {
    let service = Service::start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    let view = |number| {
        json!({"type": "page", "userId": "user-456", "messageId": format!("view-{number}"),
            "properties": {"title": format!("Page {number}"), "url": format!("https://example.com/{number}")}})
    };
    service.send_all((0..200).map(view).collect()).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    let status = service.status().await;
    assert_eq!(status["outcomes"]["unchanged"], 200, "{status}");
    service.finish().await;
}

#[tokio::test]
async fn a_later_change_sends_the_email_and_what_changed() {
    let service = Service::start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    let moved = json!({"type": "identify", "userId": "user-456", "messageId": "moved",
        "traits": {"email": SAM, "city": "Berlin", "company": "Globex", "last_name": null}});
    service.send(moved).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 2);
    assert_eq!(
        service.crm.body(1),
        r#"{"unique_identifier":{"emails":"sam.lee@example.com"},"contact":{"emails":"sam.lee@example.com","city":"Berlin"}}"#
    );
    assert_eq!(service.crm.call(1).status, Some(200));
    assert_eq!(service.crm.contact(SAM).unwrap()["last_name"], "Lee");
    service.finish().await;
}

#[tokio::test]
async fn send_all_sends_the_whole_state_each_time() {
    let service = Setup::new().with("DELIVERY__SEND", "all").start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    service.send(ann_says(1, "moved", &json!({"city": "Berlin"}))).await;
    service.settled().await;
    assert_eq!(
        service.crm.body(1),
        r#"{"unique_identifier":{"emails":"ann-1@example.com"},"contact":{"emails":"ann-1@example.com","first_name":"Ann","last_name":"No1","city":"Berlin"}}"#
    );
    service.finish().await;
}

#[tokio::test]
async fn a_required_consent_opens_and_shuts_the_gate() {
    let service = Setup::new().with("CONSENT__REQUIRED", "marketing").start().await;
    let choice = |id: &str, granted: bool| {
        json!({"type": "identify", "userId": "ann-1", "messageId": id,
            "context": {"consent": {"categoryPreferences": {"marketing": granted}}}})
    };
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    assert_eq!(service.outcome("ann-1-lead").await, "consent_denied");
    assert_eq!(service.crm.calls(), 0);

    service.send(choice("yes", true)).await;
    service.settled().await;
    assert_eq!(service.outcome("yes").await, "queued");
    assert_eq!(
        service.crm.body(0),
        r#"{"unique_identifier":{"emails":"ann-1@example.com"},"contact":{"emails":"ann-1@example.com","first_name":"Ann","last_name":"No1","subscription_status":"subscribed"}}"#
    );

    // A shut gate lets a withdrawal through, and nothing else.
    service.send(choice("no", false)).await;
    service.settled().await;
    service.send(ann_says(1, "moved", &json!({"city": "Berlin"}))).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 2);
    assert_eq!(
        service.crm.body(1),
        r#"{"unique_identifier":{"emails":"ann-1@example.com"},"contact":{"emails":"ann-1@example.com","subscription_status":"unsubscribed"}}"#
    );
    assert_eq!(service.outcome("moved").await, "consent_denied");
    service.finish().await;
}

#[tokio::test]
async fn a_message_that_comes_twice_counts_once() {
    let service = Service::start().await;
    service.send_all(vec![identify_sam(), lead_of_sam(), identify_sam()]).await;
    service.send(lead_of_sam()).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    let status = service.status().await;
    assert_eq!((&status["accepted"], &status["outcomes"]["duplicate"]), (&json!(4), &json!(2)), "{status}");
    let lead = service.get("/api/events/sam-lead").await;
    assert_eq!((&lead["outcome"], &lead["duplicates"]), (&json!("queued"), &json!(1)), "{lead}");
    service.finish().await;
}

#[tokio::test]
async fn what_was_accepted_before_a_restart_is_known_after_it() {
    let service = Service::start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    let service = service.restart().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.send(json!({"type": "page", "userId": "user-456", "messageId": "view"})).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    assert_eq!(service.outcome("view").await, "unchanged");
    assert_eq!(service.status().await["outcomes"]["duplicate"], 2);
    service.finish().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nothing_older_and_keeps_nothing_waiting() {
    let mut service = Setup::new().driven_clock().start().await;
    service.send(identify_ann(0)).await;
    service.send(lead_of_ann(0)).await;
    service.settled().await;
    for city in ["Leeds", "York"] {
        service.set_back(Duration::from_hours(3 * 24));
        service.send(ann_says(0, city, &json!({ "city": city }))).await;
        service.settled().await;
        assert_eq!(service.crm.contact(&ann(0)).unwrap()["city"], city);
        service = service.restart().await;
    }
    service.finish().await;
}
