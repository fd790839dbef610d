//! People with tokens of their own: what somebody is shown who may not see people, and who did what.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};
use crate::support::wait::eventually;

pub const OWNER: &str = "owner-0123456789abcdef0123456789abcdef";
pub const VIEWER: &str = "viewer-0123456789abcdef0123456789abcdef";
pub const READER: &str = "reader-0123456789abcdef0123456789abcdef";

/// A service with an admin token, and with Vera who may look and Rita who may see people.
pub fn with_people() -> Setup {
    Setup::new()
        .with("ADMIN__TOKEN", OWNER)
        .with("ADMIN__TOKENS__VERA__TOKEN", VIEWER)
        .with("ADMIN__TOKENS__VERA__ROLE", "view")
        .with("ADMIN__TOKENS__RITA__TOKEN", READER)
        .with("ADMIN__TOKENS__RITA__ROLE", "act")
}

/// Whatever of Jane must not be in an answer: in her address, names, phones, ids, her page, what she wrote.
const OF_JANE: [&str; 9] = [
    "jane",
    "Jane",
    "acme.example",
    "Ködel",
    "79460018",
    "7946 0018",
    "u-4711",
    "secret-page",
    "private words",
];

fn jane() -> Vec<Value> {
    let traits = json!({"email": "jane@acme.example", "first_name": "Jane", "last_name": "Ködel", "phone": "+44 20 7946 0018",
        "number": 442_079_460_018_u64, "jane@acme.example": "private words"});
    let page =
        json!({"page": {"url": "https://shop.example/secret-page", "path": "/secret-page", "title": "Jane"}});
    vec![
        json!({"type": "identify", "userId": "u-4711", "messageId": "m-identify", "traits": traits, "context": page}),
        json!({"type": "track", "event": "Lead Generated", "userId": "u-4711", "messageId": "m-lead", "context": page,
            "properties": {"note": "private words", "tel": "020 7946 0018"}}),
        json!({"type": "track", "event": "Button Clicked", "userId": "u-4711", "messageId": "m-jane@acme.example", "context": page}),
        json!({"type": "track", "event": "Lead Generated", "userId": "jane-without", "messageId": "m-none", "context": page}),
    ]
}

async fn eventful() -> Service {
    let service = with_people().start().await;
    // Freshsales repeats what it refuses.
    let refused = json!({"errors": {"code": 422, "message": ["Jane Ködel jane@acme.example is invalid: +44 20 7946 0018"]}});
    service.crm.fault(json!({"status": 422, "email": "jane@acme.example", "times": 9, "body": refused}));
    service.send_all(jane()).await;
    service.until("it was refused", |status| status["dead_letters"] == 1).await;
    service
}

async fn as_whom(service: &Service, token: &str, path: &str) -> (StatusCode, String) {
    let answer = service.private(path).bearer_auth(token).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn no_answer_to_somebody_who_may_not_see_people_holds_any_of_a_person() {
    let service = eventful().await;
    let me: Value = serde_json::from_str(&as_whom(&service, VIEWER, "/api/me").await.1).unwrap();
    let may = me["may"].as_array().unwrap().iter().filter_map(|route| route.as_str()?.strip_prefix("GET "));
    let delivery = service.get("/api/deliveries").await["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let mut asked = 0;
    for route in may.filter(|route| *route != "/api/stream" && !route.contains("{file}")) {
        let ids: &[&str] = match route {
            "/api/events/{message_id}" => &["m-identify", "m-lead", "m-jane%40acme.example", "m-none"],
            "/api/deliveries/{id}" => &[&delivery],
            _ => &["1"],
        };
        for id in ids {
            let path = route.replace("{message_id}", id).replace("{id}", id).replace("{erasure}", id);
            let (status, text) = as_whom(&service, VIEWER, &path).await;
            assert!(status.is_success() || [303, 404].contains(&status.as_u16()), "{path}: {status} {text}");
            for part in OF_JANE {
                assert!(!text.contains(part), "{part} in {path}: {text}");
            }
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    // The same routes do show her to whoever may see her, so the test can fail.
    for path in
        ["/api/events", "/api/events/m-lead", &format!("/api/deliveries/{delivery}"), "/api/dead-letters"]
    {
        let (_, text) = as_whom(&service, READER, path).await;
        assert!(text.contains("jane@acme.example"), "{path}: {text}");
        let (_, text) = as_whom(&service, VIEWER, path).await;
        assert!(
            text.contains("•••") && text.contains("website") | text.contains("contact:•••"),
            "{path}: {text}"
        );
    }
    service.finish().await;
}

#[tokio::test]
async fn the_live_stream_of_somebody_who_may_not_see_people_holds_none() {
    let service = with_people().start().await;
    let mut stream = service.private("/api/stream").bearer_auth(VIEWER).send().await.unwrap();
    service.send_all(jane()).await;
    let mut text = String::new();
    while !(text.contains("m-lead") && text.contains("event: delivery")) {
        text.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("it goes on")));
    }
    for part in OF_JANE {
        assert!(!text.contains(part), "{part} in {text}");
    }
    drop(stream);
    service.settled().await;
    service.finish().await;
}

#[tokio::test]
async fn who_ordered_and_who_looked_is_told_and_whom_only_to_who_names_them() {
    let service = eventful().await;
    let paused = service.private_post("/api/pause").bearer_auth(READER);
    assert_eq!(said(paused).await.0, StatusCode::OK);
    let (status, refused) = said(service.private_post("/api/resume").bearer_auth(VIEWER)).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("role_too_low")));
    let acts = service.get("/api/acts").await;
    assert_eq!((&acts["acts"][0]["kind"], &acts["acts"][0]["who"]), (&json!("paused"), &json!("rita")));

    for path in [
        "/api/contacts/jane%40acme.example",
        "/api/contacts/jane%40acme.example",
        "/api/people?email=jane%40acme.example",
        "/api/events?email=Jane%40acme.example",
        "/api/events/m-lead",
        "/api/events",
        "/api/exports/contacts",
    ] {
        assert_eq!(as_whom(&service, READER, path).await.0, StatusCode::OK, "{path}");
    }
    as_whom(&service, VIEWER, "/api/events/m-lead").await;
    let looks = service.get("/api/looks?email=jane%40acme.example").await;
    let routes = |looks: &Value| -> Vec<Value> {
        looks["looks"].as_array().unwrap().iter().map(|look| json!([look["who"], look["route"]])).collect()
    };
    let expected = [
        json!(["rita", "/api/events/{message_id}"]),
        json!(["rita", "/api/events"]),
        json!(["rita", "/api/people"]),
        json!(["rita", "/api/contacts/{email}"]),
    ];
    assert_eq!(routes(&looks), expected);
    let all = service.get("/api/looks").await;
    // The question who looked at somebody is a look itself.
    assert_eq!(routes(&all)[..2], [json!(["", "/api/looks"]), json!(["rita", "/api/exports/contacts"])]);
    assert_eq!(service.get("/api/looks?email=joe%40acme.example").await, json!({"looks": []}));
    assert!(!all.to_string().contains("jane"), "{all}");
    assert_eq!(as_whom(&service, READER, "/api/looks").await.0, StatusCode::FORBIDDEN);
    service.finish().await;
}

#[tokio::test]
async fn a_reload_takes_over_who_has_a_token() {
    let service = with_people().start().await;
    let other = "other-0123456789abcdef0123456789abcdef0";
    assert_eq!(as_whom(&service, other, "/api/me").await.0, StatusCode::UNAUTHORIZED);
    service.set("ADMIN__TOKENS__VERA__TOKEN", other);
    service.set("ADMIN__TOKENS__VERA__ROLE", "edit");
    let reloaded = said(service.private_post("/api/reload").bearer_auth(OWNER)).await.1;
    assert_eq!(reloaded["taken_over"], json!(["admin.tokens"]), "{reloaded}");
    eventually("it is good", async || match as_whom(&service, other, "/api/me").await {
        (StatusCode::OK, text) if text.contains("\"edit\"") => Ok(()),
        (_, text) => Err(text),
    })
    .await;
    assert_eq!(as_whom(&service, VIEWER, "/api/me").await.0, StatusCode::UNAUTHORIZED);
    service.finish().await;
}
