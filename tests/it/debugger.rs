//! The debugger over real HTTP: what a person who looks for an event, a delivery or a contact is shown.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};
use crate::support::events::{ann, ann_says, identify_ann, identify_sam, lead_of_ann, lead_of_sam};

const TOKEN: &str = "it-admin-token-of-more-than-32-characters";

async fn with_sam() -> Service {
    let service = Service::start().await;
    service.send(identify_sam()).await;
    service.send(lead_of_sam()).await;
    service.settled().await;
    service
}

fn ids(list: &Value) -> Vec<&str> {
    list["events"].as_array().unwrap().iter().map(|event| event["message_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn events_are_listed_newest_first_filtered_and_in_pages() {
    let service = with_sam().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.send(json!({"type": "track", "event": "Clicked", "userId": "ann-1", "messageId": "click"})).await;
    service.settled().await;
    let all = ["click", "ann-1-lead", "ann-1-identify", "sam-lead", "sam-identify"];
    let cases: [(&str, &[&str]); 8] = [
        ("", &all),
        ("?limit=2", &all[..2]),
        ("?email=sam.lee@example.com", &all[3..]),
        ("?person=user:ann-1", &all[..3]),
        ("?outcome=queued", &["ann-1-lead", "sam-lead"]),
        ("?event=Lead%20Generated", &["ann-1-lead", "sam-lead"]),
        ("?source=website&event=Clicked", &["click"]),
        ("?source=another", &[]),
    ];
    for (query, expected) in cases {
        let list = service.get(&format!("/api/events{query}")).await;
        assert_eq!(ids(&list), expected, "{query}");
    }
    let mut seen = Vec::new();
    let mut page = service.get("/api/events?limit=2").await;
    loop {
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str().map(str::to_owned) else { break };
        page = service.get(&format!("/api/events?limit=2&before={next}")).await;
    }
    assert_eq!(seen, all);
    for wrong in ["?limit=0", "?outcome=lost", "?email=nobody", "?colour=red", "?before=x"] {
        let (status, answer) = said(service.private(&format!("/api/events{wrong}"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {answer}");
    }
    service.finish().await;
}

#[tokio::test]
async fn one_event_is_shown_from_receipt_to_answer() {
    let service = with_sam().await;
    let event = service.get("/api/events/sam-lead").await;
    for (key, expected) in [
        ("message_id", json!("sam-lead")),
        ("source", json!("website")),
        ("type", json!("track")),
        ("event", json!("Lead Generated")),
        ("email", json!("sam.lee@example.com")),
        ("person", json!("user:user-456")),
        ("outcome", json!("queued")),
        ("duplicates", json!(0)),
    ] {
        assert_eq!(event[key], expected, "{key}: {event}");
    }
    assert_eq!(event["raw"], lead_of_sam());
    assert_eq!(event["delivery"]["state"], "delivered");
    assert_eq!(event["delivery"]["id"], event["delivery_id"]);
    for time in ["received_at", "timestamp"] {
        assert!(event[time].as_str().unwrap().ends_with('Z'), "{event}");
    }
    let (status, answer) = said(service.private("/api/events/never-sent")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
    service.finish().await;
}

#[tokio::test]
async fn a_delivery_is_shown_with_its_attempts_and_without_the_key() {
    let service = Setup::new().driven_clock().start().await;
    service.crm.fault(json!({"status": 500, "body": {"errors": "try later"}}));
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.open("retrying", 1).await;
    let retrying = service.get("/api/deliveries?state=retrying").await;
    assert!(retrying["deliveries"][0]["next_attempt_at"].is_string(), "{retrying}");
    service.pass(std::time::Duration::from_secs(2));
    service.settled().await;

    let list = service.get(&format!("/api/deliveries?email={}&state=delivered", ann(1))).await;
    let id = list["deliveries"][0]["id"].as_str().unwrap();
    let delivery = service.get(&format!("/api/deliveries/{id}")).await;
    assert_eq!(
        (&delivery["email"], &delivery["lane"]),
        (&json!(ann(1)), &json!("new_contact")),
        "{delivery}"
    );
    assert_eq!((&delivery["state"], &delivery["events"]), (&json!("delivered"), &json!(1)), "{delivery}");
    let attempts = delivery["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{delivery}");
    assert_eq!((&attempts[0]["attempt"], &attempts[0]["response"]["status"]), (&json!(1), &json!(500)));
    assert!(attempts[0]["response"]["body"].as_str().unwrap().contains("try later"), "{delivery}");
    let request = &attempts[1]["request"];
    let url = format!("http://{}/crm/sales/api/contacts/upsert", service.crm.address);
    assert_eq!((&request["method"], &request["url"]), (&json!("POST"), &json!(url)));
    assert_eq!(request["body"], service.crm.call(1).json());
    let headers = request["headers"].to_string().to_lowercase();
    assert!(headers.contains("token token="), "{headers}");
    assert!(!delivery.to_string().contains("sandbox-key"), "{delivery}");
    assert_eq!(attempts[1]["response"]["status"], 201);
    assert!(attempts[1]["started_at"].is_string() && attempts[1]["duration_ms"].is_u64(), "{delivery}");
    service.finish().await;
}

#[tokio::test]
async fn a_contact_shows_what_is_wanted_what_was_accepted_and_why_it_waits() {
    let service = Setup::new().driven_clock().start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    let path = format!("/api/contacts/{}", ann(1));
    let settled = service.get(&path).await;
    assert_eq!((&settled["owed"], &settled["why"]), (&Value::Null, &json!("Freshsales has it as wanted")));
    assert_eq!(settled["wanted"], settled["accepted"]);
    assert!(settled["contact_id"].as_u64().unwrap() > u64::from(u32::MAX), "{settled}");

    service.crm.fault(json!({"status": 429, "retry_after": 90, "body": {"errors": "slow down"}}));
    service.send(ann_says(1, "moved", &json!({"city": "Berlin"}))).await;
    service.destination("throttled").await;
    let waiting = service.get(&path).await;
    assert_eq!((&waiting["wanted"]["city"], &waiting["accepted"]["city"]), (&json!("Berlin"), &Value::Null));
    let payload =
        json!({"unique_identifier": {"emails": ann(1)}, "contact": {"emails": ann(1), "city": "Berlin"}});
    assert_eq!(waiting["owed"]["payload"], payload, "{waiting}");
    let why = waiting["why"].as_str().unwrap();
    assert!(why.contains("throttled until 2026-03-01T09:01:3"), "{why}");
    service.pass(std::time::Duration::from_mins(2));
    service.settled().await;
    assert_eq!(service.get(&path).await["accepted"]["city"], "Berlin");
    let (status, _) = said(service.private("/api/contacts/nobody@example.com")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    service.finish().await;
}

#[tokio::test]
async fn the_status_is_one_look_at_everything() {
    let service = with_sam().await;
    let status = service.status().await;
    assert_eq!(status["destination"], json!({"state": "running", "reason": null, "until": null, "shut": []}));
    let lanes = ["withdrawal", "new_contact", "conversion", "login", "refresh", "backfill"];
    for lane in lanes {
        assert_eq!(status["owed"][lane], 0, "{status}");
    }
    assert_eq!(status["owed"].as_object().unwrap().len(), lanes.len());
    for (key, expected) in [("oldest_owed_seconds", 0), ("drain_seconds", 0), ("journal_lag_events", 0)] {
        assert_eq!(status[key], expected, "{key}: {status}");
    }
    // Ten percent of the plan is left to others.
    assert_eq!(status["allowance"]["hour"], json!({"limit": 900, "used": 1}));
    assert_eq!(status["allowance"]["minute"], json!({"limit": 360, "used": 1}));
    assert_eq!((&status["accepted"], &status["queued"]), (&json!(2), &json!(1)), "{status}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(service.get(path).await["status"], "ok");
    }
    service.finish().await;
}

#[tokio::test]
async fn map_tells_what_an_event_would_do_and_does_nothing() {
    let service = Service::start().await;
    let event = json!({"type": "track", "event": "Lead Generated", "userId": "u", "messageId": "m",
        "context": {"traits": {"email": "map@example.com", "name": "Mia Map"}}});
    let (status, decided) = said(service.private_post("/api/map").json(&event)).await;
    assert_eq!(status, StatusCode::OK, "{decided}");
    assert_eq!((&decided["message_id"], &decided["outcome"]), (&json!("m"), &json!("queued")), "{decided}");
    assert_eq!(
        decided["payload"],
        json!({"unique_identifier": {"emails": "map@example.com"},
            "contact": {"emails": "map@example.com", "first_name": "Mia", "last_name": "Map"}})
    );
    let (status, refused) = said(service.private_post("/api/map").body("{}")).await;
    assert_eq!((status, &refused["reason"]), (StatusCode::BAD_REQUEST, &json!("unknown_type")), "{refused}");
    assert_eq!((service.status().await["accepted"].as_u64(), service.crm.calls()), (Some(0), 0));
    service.finish().await;
}

#[tokio::test]
async fn every_promised_metric_is_there() {
    let service = with_sam().await;
    let answer = service.private("/metrics").send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let metrics = answer.text().await.unwrap();
    for name in [
        "build_info{version=",
        "events_accepted_total{source=\"website\"}",
        "events_total{outcome=\"queued\"}",
        "events_absorbed_total",
        "contacts_owed{lane=\"new_contact\"}",
        "oldest_owed_seconds",
        "drain_seconds",
        "calls_total{status=\"201\"}",
        "allowance_remaining{window=\"hour\"}",
        "allowance_remaining{window=\"minute\"}",
        "destination_up",
        "journal_lag_events",
        "ingest_seconds_count",
        "event_to_crm_seconds_count",
        "dead_letters",
    ] {
        assert!(
            metrics.lines().any(|line| line.starts_with(&format!("freshsignal_{name}"))),
            "{name}:\n{metrics}"
        );
    }
    assert!(!metrics.contains("sam.lee") && !metrics.contains("user-456"), "{metrics}");
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
        assert!(metrics.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}: {metrics}");
    }
    service.finish().await;
}

#[tokio::test]
async fn a_configured_token_is_asked_for_everywhere_but_health() {
    let service = Setup::new().with("ADMIN__TOKEN", TOKEN).start().await;
    let routes = [
        "/api/events",
        "/api/events/m",
        "/api/deliveries",
        "/api/deliveries/1",
        "/api/contacts/a@example.com",
        "/api/status",
        "/metrics",
        "/no/such/route",
    ];
    for path in routes {
        for request in [
            service.private(path),
            service.private(path).bearer_auth("another"),
            service.private(path).basic_auth(TOKEN, Some("")),
            service.private(&format!("{path}?token={TOKEN}")),
        ] {
            let (status, answer) = said(request).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {answer}");
            assert_eq!(answer["code"], "unauthorized", "{path}: {answer}");
        }
    }
    let (status, _) = said(service.private_post("/api/map").body("{}")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(said(service.private(path)).await, (StatusCode::OK, json!({"status": "ok"})), "{path}");
    }
    let (status, answer) = said(service.private("/api/status").bearer_auth(TOKEN)).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(0)));
    service.finish().await;
}

#[tokio::test]
async fn off_loopback_a_token_is_made_once_and_asked_for() {
    // The listener of the test is on loopback; what counts is what the configuration says.
    let service = Setup::new().with("ADMIN__LISTEN", "0.0.0.0:0").start().await;
    let token = service.token().expect("one was made");
    assert!(token.len() >= 32, "{} characters", token.len());
    assert_eq!(said(service.private("/api/status")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(said(service.private("/api/status").bearer_auth(&token)).await.0, StatusCode::OK);
    let service = service.restart().await;
    assert_eq!(said(service.private("/api/status").bearer_auth(&token)).await.0, StatusCode::OK);
    service.finish().await;
}

#[tokio::test]
async fn pages_and_names_of_others_are_turned_away() {
    let service = Service::start().await;
    for (header, value, code) in [
        ("host", "debugger.evil.example", "host_not_allowed"),
        ("origin", "https://evil.example", "origin_not_allowed"),
        ("origin", "null", "origin_not_allowed"),
    ] {
        let (status, answer) = said(service.private("/api/status").header(header, value)).await;
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!(code)), "{header} {value}");
    }
    service.finish().await;
}
