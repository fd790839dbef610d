//! Dead letters: refused contacts are seen with the reason and the exact payload, sent again, given up.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said, sum};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};

/// What Freshsales says of a contact: of each its own, or it would be a rule of the account.
fn words(nth: usize) -> String {
    format!("Territory {nth} is unknown.")
}

/// So many contacts that Freshsales refused, each once.
async fn refused(setup: Setup, count: usize) -> Service {
    let service = setup.start().await;
    for nth in 0..count {
        let body = json!({"errors": {"code": 422, "message": [words(nth)]}});
        service.crm.fault(json!({"status": 422, "email": ann(nth), "times": 1, "body": body}));
    }
    service.send_all((0..count).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    dead(&service, count).await;
    service
}

/// Ends when so many contacts are dead letters and nothing is owed.
async fn dead(service: &Service, count: usize) {
    let is = |status: &Value| {
        status["journal_lag_events"] == 0 && status["dead_letters"] == count && sum(&status["owed"]) == 0
    };
    service.until(&format!("{count} contacts are dead letters"), is).await;
}

fn emails(page: &Value) -> Vec<&str> {
    page["dead_letters"].as_array().unwrap().iter().map(|letter| letter["email"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_dead_letter_is_shown_with_its_reason_and_the_exact_payload() {
    let service = refused(Setup::new(), 3).await;
    let page = service.get("/api/dead-letters?email=ann-1@example.com").await;
    let letter = &page["dead_letters"][0];
    assert_eq!(
        letter["payload"].to_string(),
        r#"{"unique_identifier":{"emails":"ann-1@example.com"},"contact":{"emails":"ann-1@example.com","first_name":"Ann","last_name":"No1"}}"#
    );
    assert_eq!((&letter["status"], letter["reason"].as_str().unwrap()), (&json!(422), words(1).as_str()));
    assert_eq!(letter["first_attempt_at"], letter["last_attempt_at"]);
    assert_eq!(emails(&service.get("/api/dead-letters?reason=territory").await).len(), 3);
    assert_eq!(emails(&service.get("/api/dead-letters?reason=phone").await), [""; 0]);
    let first = service.get("/api/dead-letters?limit=2").await;
    let next = service.get(&format!("/api/dead-letters?before={}", first["next"].as_str().unwrap())).await;
    let mut all = [emails(&first), emails(&next)].concat();
    all.sort_unstable();
    assert_eq!(all, [ann(0), ann(1), ann(2)]);
    service.finish().await;
}

#[tokio::test]
async fn one_and_some_are_sent_again_with_their_newest_state_and_a_preview_changes_nothing() {
    let service = refused(Setup::new(), 4).await;
    let two = json!({"emails": [ann(0), ann(1), "nobody@example.com"]});
    let preview = json!({"emails": [ann(0), ann(1), "nobody@example.com"], "preview": true});
    let answer = service.order("/api/dead-letters/redrive", preview).await;
    assert_eq!(
        (&answer["preview"], &answer["dead_letters"], &answer["calls"], &answer["seconds"]),
        (&json!(true), &json!(2), &json!(2), &json!(1))
    );
    assert_eq!(answer["not_dead"], json!(["nobody@example.com"]));
    dead(&service, 4).await;
    assert_eq!(service.crm.calls(), 4);
    let answer = service.order("/api/dead-letters/redrive", two).await;
    assert_eq!((&answer["preview"], &answer["calls"]), (&json!(false), &json!(2)));
    dead(&service, 2).await;
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["last_name"], "No1");
    service.order("/api/dead-letters/redrive", json!({"emails": [ann(2)]})).await;
    dead(&service, 1).await;
    assert_eq!(emails(&service.get("/api/dead-letters").await), [ann(3)]);
    service.finish().await;
}

#[tokio::test]
async fn all_are_sent_again_in_pages_and_one_that_is_refused_again_is_not_tried_twice() {
    let roomy = Setup::new().with("ALLOWANCE__PER_HOUR", "5000").with("ALLOWANCE__PER_MINUTE", "5000");
    let service = refused(roomy, 250).await;
    let preview = json!({"all": true, "preview": true});
    let answer = service.order("/api/dead-letters/redrive", preview).await;
    assert_eq!((&answer["dead_letters"], &answer["calls"]), (&json!(250), &json!(250)));
    assert_eq!(service.status().await["redrive"], Value::Null);
    service.crm.fault(json!({"status": 422, "email": ann(7), "times": 1}));
    service.order("/api/dead-letters/redrive", json!({"all": true})).await;
    let done = |status: &Value| status["redrive"]["state"] == "done";
    let status = service.until("all are ordered", done).await;
    assert_eq!((&status["redrive"]["done"], &status["redrive"]["total"]), (&json!(250), &json!(250)));
    dead(&service, 1).await;
    assert_eq!(emails(&service.get("/api/dead-letters").await), [ann(7)]);
    assert_eq!(service.crm.calls(), 500);
    service.finish().await;
}

#[tokio::test]
async fn an_order_for_all_survives_a_restart() {
    let service = refused(Setup::new(), 30).await;
    service.order("/api/dead-letters/redrive", json!({"all": true})).await;
    let service = service.restart().await;
    service.until("all are ordered", |status| status["redrive"]["state"] == "done").await;
    dead(&service, 0).await;
    assert_eq!(service.crm.calls(), 60);
    service.finish().await;
}

#[tokio::test]
async fn one_that_is_discarded_is_gone_and_comes_back_only_with_new_data() {
    let service = refused(Setup::new(), 2).await;
    let (status, _) = said(service.private_delete("/api/dead-letters/ann-0@example.com")).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = said(service.private_delete("/api/dead-letters/ann-0@example.com")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(emails(&service.get("/api/dead-letters").await), [ann(1)]);
    let ended = service.get("/api/deliveries?state=discarded").await;
    let reason = ended["deliveries"][0]["reason"].as_str().unwrap();
    assert_eq!(reason, format!("discarded by hand; {}", words(0)));
    service.send(json!({"type": "page", "userId": "ann-0", "messageId": "again"})).await;
    dead(&service, 1).await;
    assert_eq!((service.outcome("again").await.as_str(), service.crm.calls()), ("unchanged", 2));
    service.send(ann_says(0, "moved", &json!({"city": "Oslo"}))).await;
    service.send(lead_of_ann(90)).await;
    service.settled().await;
    assert_eq!(service.outcome("moved").await, "queued");
    assert_eq!(service.crm.contact(&ann(0)).unwrap()["city"], "Oslo");
    service.finish().await;
}

#[tokio::test]
async fn what_makes_no_sense_as_an_order_is_refused() {
    let service = refused(Setup::new(), 1).await;
    for body in [
        json!({}),
        json!({"all": false}),
        json!({"all": true, "emails": [ann(0)]}),
        json!({"emails": ["no address"]}),
        json!({"email": ann(0)}),
        json!({"emails": vec![ann(0); 501]}),
        json!("all"),
    ] {
        let (status, answer) = said(service.private_post("/api/dead-letters/redrive").json(&body)).await;
        assert_eq!(
            (status, &answer["success"]),
            (StatusCode::BAD_REQUEST, &json!(false)),
            "{body}: {answer}"
        );
    }
    dead(&service, 1).await;
    service.finish().await;
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_are_discarded_and_stay_to_be_seen() {
    let service = refused(Setup::new().with("RETENTION__DEAD_LETTERS_MAX", "3"), 3).await;
    dead(&service, 3).await;
    let service = service.restart().await;
    service.crm.fault(json!({"status": 422, "email": ann(5), "times": 1}));
    service.send_all(vec![identify_ann(5), lead_of_ann(5)]).await;
    dead(&service, 4).await;
    let service = service.restart().await;
    dead(&service, 3).await;
    let ended = service.get("/api/deliveries?state=discarded").await;
    let reason = ended["deliveries"][0]["reason"].as_str().unwrap();
    let why = "discarded: there were more dead letters than retention.dead_letters_max";
    assert_eq!(reason, format!("{why}; {}", words(0)));
    service.finish().await;
}

#[tokio::test]
async fn where_calls_are_shared_the_preview_counts_the_calls_that_are_left() {
    let service = refused(Setup::new().with("ALLOWANCE__PER_HOUR", "5000"), 250).await;
    service.set("BULK__MODE", "backlog");
    let service = service.restart().await;
    let preview = json!({"all": true, "preview": true});
    let answer = service.order("/api/dead-letters/redrive", preview.clone()).await;
    // Three bulk calls and a question each.
    assert_eq!((&answer["dead_letters"], &answer["calls"]), (&json!(250), &json!(6)));
    service.order("/api/pause", json!({})).await;
    let answer = service.order("/api/dead-letters/redrive", preview).await;
    assert_eq!((&answer["calls"], &answer["seconds"]), (&json!(6), &Value::Null));
    service.finish().await;
}
