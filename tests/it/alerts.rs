//! Somebody is told when something is wrong, once, and when it is over; a source that sends too much is refused and seen.
//!
//! The clock is driven.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};
use crate::support::ear::Ear;
use crate::support::events::{identify_ann, identify_sam, lead_of_ann, lead_of_sam};
use crate::support::wait::eventually;

const LOOK: Duration = Duration::from_secs(15);
const SECRET: &str = "/services/T0/B0/very-secret";

async fn told_to(ear: &Ear) -> Service {
    let setup = Setup::new().driven_clock().with("ALERTS__URL", &ear.url(SECRET));
    let setup =
        setup.with("ALERTS__ALLOW_PRIVATE", "true").with("ALERTS__DEBUGGER_URL", "https://f.internal");
    let service = setup.start().await;
    looks(&service).await;
    service
}

/// Ends when the service has looked for the first time.
async fn looks(service: &Service) {
    eventually("the first look", async || {
        let alerts = service.get("/api/alerts").await;
        if alerts["receiver"] == "slack" { Ok(()) } else { Err(alerts.to_string()) }
    })
    .await;
}

/// Lets a minute pass, look by look.
async fn a_minute(service: &Service) {
    for _ in 0..4 {
        service.pass(LOOK);
        // What waits for the clock has to be let on.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }
}

/// Ends when so many messages came; no time passes meanwhile.
async fn heard(ear: &Ear, messages: usize) -> Vec<String> {
    eventually("a message", async || {
        let texts = ear.texts();
        if texts.len() >= messages { Ok(texts) } else { Err(format!("{texts:?}")) }
    })
    .await
}

#[tokio::test]
async fn a_revoked_key_is_told_within_a_minute_once_and_so_is_its_end_whatever_restarts() {
    let ear = Ear::listen().await;
    let service = told_to(&ear).await;
    service.crm.fault(json!({"status": 401, "times": 1000}));
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.destination("blocked").await;
    a_minute(&service).await;
    let texts = heard(&ear, 1).await;
    assert!(
        texts[0]
            .starts_with("\u{1f534} *Freshsales refuses every call*\nFreshsales answers every call with 401")
    );
    assert!(
        texts[0].contains("1 call waits") && texts[0].contains("<https://f.internal/debug|"),
        "{}",
        texts[0]
    );
    assert!(!texts[0].contains("sam"), "nothing personal: {}", texts[0]);

    let service = service.restart().await;
    looks(&service).await;
    for _ in 0..5 {
        a_minute(&service).await;
    }
    service.crm.mend();
    service.order("/api/resume", json!({})).await;
    service.settled().await;
    let texts = eventually("the end", async || {
        a_minute(&service).await;
        let texts = ear.texts();
        if texts.len() >= 2 { Ok(texts) } else { Err(format!("{texts:?}")) }
    })
    .await;
    assert!(
        texts[1].starts_with("\u{1f7e2} *Over: Freshsales refuses every call*\nThis is over"),
        "{texts:?}"
    );

    let service = service.restart().await;
    looks(&service).await;
    for _ in 0..5 {
        a_minute(&service).await;
    }
    assert_eq!(ear.texts().len(), 2);
    let alerts = service.get("/api/alerts").await;
    let alert = &alerts["alerts"][0];
    assert_eq!(
        (&alert["cause"], &alert["open"], &alert["error"]),
        (&json!("blocked"), &json!(false), &Value::Null)
    );
    assert!(
        ["began_at", "told_at", "ended_at", "end_told_at"].iter().all(|at| alert[at].is_string()),
        "{alert}"
    );
    service.finish().await;
}

#[tokio::test]
async fn a_reload_changes_who_is_told_and_nothing_shows_the_address() {
    let ear = Ear::listen().await;
    let service = told_to(&ear).await;
    service.crm.fault(json!({"status": 422, "body": {"errors": {"message": ["no"]}}, "times": 1}));
    service.send_all(vec![identify_ann(0), lead_of_ann(0)]).await;
    service.until("a dead letter", |status| status["dead_letters"] == 1).await;
    a_minute(&service).await;
    let texts = heard(&ear, 1).await;
    assert!(
        texts[0].contains("*Freshsales refused what was sent*") && !texts[0].contains("ann-0"),
        "{texts:?}"
    );
    for path in ["/api/alerts", "/api/status", "/metrics"] {
        let text = service.private(path).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("very-secret"), "{path}: {text}");
    }
    service.set("ALERTS__URL", "");
    let reloaded = service.order("/api/reload", json!({})).await;
    assert_eq!(reloaded["taken_over"], json!(["alerts"]));
    eventually("nobody is told", async || {
        let alerts = service.get("/api/alerts").await;
        if alerts["receiver"].is_null() { Ok(()) } else { Err(alerts.to_string()) }
    })
    .await;
    service.set("ALERTS__URL", "http://hooks.example.com/very-secret");
    let (status, refused) = said(service.private_post("/api/reload").json(&json!({}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        (&refused["problems"][0]["key"], &refused["problems"][0]["value"]),
        (&json!("alerts.url"), &json!("(redacted)"))
    );
    service.finish().await;
}

#[tokio::test]
async fn a_source_that_sends_too_much_is_refused_seen_and_told() {
    let ear = Ear::listen().await;
    let setup = Setup::new()
        .driven_clock()
        .with("ALERTS__URL", &ear.url(SECRET))
        .with("ALERTS__ALLOW_PRIVATE", "true");
    let service = setup.with("SOURCES__WEBSITE__EVENTS_PER_MINUTE_MAX", "2").start().await;
    looks(&service).await;
    service.send_all(vec![identify_ann(0), lead_of_ann(0)]).await;
    let (status, refused) = said(service.post("/ingest").json(&identify_ann(1))).await;
    assert_eq!((status, &refused["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_events")));
    let risk = |status: &Value| {
        status["risks"].as_array().unwrap().iter().any(|risk| risk["risk"] == "too_many_events")
    };
    service.until("the risk", risk).await;
    let rejected = service.get("/api/events?outcome=rejected&source=website").await;
    assert_eq!(rejected["events"][0]["code"], "too_many_events");
    a_minute(&service).await;
    let texts = heard(&ear, 1).await;
    assert!(texts[0].contains("1 of source website"), "{texts:?}");
    let metrics = service.private("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("freshsignal_events_over_rate_total{source=\"website\"}"), "{metrics}");
    service.send(identify_ann(1)).await;
    service.settled().await;
    service.finish().await;
}
