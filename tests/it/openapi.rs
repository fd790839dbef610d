//! What a running service answers is what its OpenAPI documents describe: fields, types, statuses and codes.
//!
//! The checker knows the words that the documents use. An object with `properties` has no others, unless it says so: what is
//! answered and not described is found too.

pub mod schema;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, WRITE_KEY};
use crate::support::events::{ann, ann_says, identify_ann, identify_sam, lead_of_ann, lead_of_sam};
use schema::Document;

pub async fn documents(service: &Service) -> [Document; 2] {
    let public = service.public(Method::GET, "/openapi.json").send().await.unwrap().json().await.unwrap();
    [Document(public), Document(service.get("/openapi.json").await)]
}

/// Asks and holds the answer against the operation that is described for the path; answers status and body.
pub async fn held(
    document: &Document,
    operation: (&str, &str),
    request: RequestBuilder,
) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    let schema = document.answer(operation, status.as_u16());
    let schema = schema.unwrap_or_else(|| panic!("{operation:?}: {status} is not described: {body}"));
    let wrong = document.wrong(schema, &body);
    assert!(wrong.is_empty(), "{operation:?} {status}: {wrong:#?}\n{body:#}");
    (status, body)
}

/// A service that has seen something of everything.
async fn eventful() -> Service {
    let hook = [("KIND", "stripe"), ("SECRET", "whsec_0123456789"), ("SOURCE", "website")];
    let setup = hook
        .into_iter()
        .fold(Setup::new(), |setup, (key, value)| setup.with(&format!("HOOKS__STRIPE__{key}"), value));
    let setup = setup.with("CONSENT__REQUIRED", "").with("SOURCES__CONTACT__FORM", "true");
    let service = setup.with("SOURCES__WEBSITE__NEW_CONTACTS_PER_HOUR_MAX", "500").start().await;
    service.send_all(vec![identify_sam(), lead_of_sam(), identify_ann(2), lead_of_ann(2)]).await;
    service.settled().await;
    service.crm.fault(json!({"status": 422, "email": ann(1), "times": 9, "body": {"errors": {"code": 422, "message": ["Last name can't be blank"]}}}));
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.send(ann_says(2, "ann-2-moved", &json!({"city": "Berlin", "phone": "12"}))).await;
    service.settled().await;
    service.post("/ingest").body("{").send().await.unwrap();
    service.post_without_key("/hooks/stripe").body("{}").send().await.unwrap();
    service
}

#[tokio::test]
async fn what_a_running_service_shows_is_as_described() {
    let service = eventful().await;
    let [_, private] = documents(&service).await;
    let delivery = service.get("/api/deliveries").await["deliveries"][0]["id"].as_str().unwrap().to_owned();
    for (path, asked) in [
        ("/api/events", "/api/events?limit=3".to_owned()),
        ("/api/events", "/api/events?outcome=rejected".to_owned()),
        ("/api/events/{message_id}", "/api/events/sam-lead".to_owned()),
        ("/api/deliveries", "/api/deliveries".to_owned()),
        ("/api/deliveries/{id}", format!("/api/deliveries/{delivery}")),
        ("/api/contacts/{email}", "/api/contacts/sam.lee@example.com".to_owned()),
        ("/api/contacts/{email}", format!("/api/contacts/{}", ann(1))),
        ("/api/contacts/{email}", format!("/api/contacts/{}", ann(2))),
        ("/api/deals", "/api/deals".to_owned()),
        ("/api/companies", "/api/companies".to_owned()),
        ("/api/happenings", "/api/happenings".to_owned()),
        ("/api/people", "/api/people?email=sam.lee@example.com".to_owned()),
        ("/api/dead-letters", "/api/dead-letters".to_owned()),
        ("/api/connect", "/api/connect".to_owned()),
        ("/api/now", "/api/now?zone=120".to_owned()),
        ("/api/status", "/api/status".to_owned()),
        ("/api/status/history", "/api/status/history".to_owned()),
        ("/healthz", "/healthz?deep=1".to_owned()),
        ("/readyz", "/readyz".to_owned()),
    ] {
        let (status, body) = held(&private, ("get", path), service.private(&asked)).await;
        assert_eq!(status, StatusCode::OK, "{asked}: {body}");
    }
    service.finish().await;
}

#[tokio::test]
async fn what_is_ordered_is_answered_as_described() {
    let service = eventful().await;
    let [_, private] = documents(&service).await;
    let post = |path: &str, body: Value| service.private_post(path).json(&body);
    let redrive = "/api/dead-letters/redrive";
    for (operation, request, status) in [
        (("post", redrive), post(redrive, json!({"emails": [ann(1), ann(2)], "preview": true})), 200),
        (("post", redrive), post(redrive, json!({"emails": []})), 400),
        (("post", "/api/pause"), post("/api/pause", json!({})), 200),
        (("post", "/api/resume"), post("/api/resume", json!({})), 200),
        (
            ("post", "/api/plan"),
            post("/api/plan", json!({"mapping": "[fields.keyword]\nconst = \"x\"\n"})),
            200,
        ),
        (("post", "/api/plan"), post("/api/plan", json!({"mapping": "x"})), 422),
        (("post", "/api/reload"), post("/api/reload", json!({})), 200),
        (("post", "/api/map"), post("/api/map", lead_of_sam()), 200),
        (
            ("post", "/api/ledger/distrust"),
            post("/api/ledger/distrust", json!({"since": "2026-03-01T09:00:00Z"})),
            200,
        ),
        (("post", "/api/ledger/distrust"), post("/api/ledger/distrust", json!({"since": "yesterday"})), 400),
        (("post", "/api/map"), post("/api/map", json!({"type": "odd"})), 400),
        (("post", "/api/events/{message_id}/retry"), post("/api/events/sam-lead/retry", json!({})), 409),
        (("get", "/api/events"), service.private("/api/events?limit=0"), 400),
        (("get", "/api/deliveries/{id}"), service.private("/api/deliveries/none"), 404),
        (("get", "/api/status"), service.private("/api/status").header("host", "evil.example"), 403),
        (("post", "/api/pause"), post("/api/pause", json!({})).header("sec-fetch-site", "cross-site"), 403),
        (
            ("delete", "/api/dead-letters/{email}"),
            service.private_delete(&format!("/api/dead-letters/{}", ann(1))),
            200,
        ),
        (("delete", "/api/people"), service.private_delete("/api/people?email=sam.lee@example.com"), 200),
    ] {
        let (answered, body) = held(&private, operation, request).await;
        assert_eq!(answered.as_u16(), status, "{operation:?}: {body}");
        if operation == ("delete", "/api/people") {
            let receipt = format!("/api/erasures/{}", body["erasure"]);
            held(&private, ("get", "/api/erasures/{erasure}"), service.private(&receipt)).await;
        }
    }
    service.finish().await;
}

#[tokio::test]
async fn what_senders_are_answered_is_as_described() {
    let service = eventful().await;
    let [public, _] = documents(&service).await;
    let bad = json!({"batch": [{"type": "page"}, {"type": "page", "userId": "u"}]});
    let settings = format!("/v1/projects/{WRITE_KEY}/settings");
    let get = |path: &str| service.public(Method::GET, path);
    let form = |body: &'static str| {
        let form = service.post_without_key("/form/contact").header("accept", "application/json");
        form.header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    for (operation, request, status) in [
        (("post", "/ingest"), service.post("/ingest").json(&bad), 200),
        (("post", "/ingest"), service.post("/ingest").body("{"), 400),
        (("post", "/v1/page"), service.post("/v1/page").json(&json!({})), 400),
        (("post", "/v1/p"), service.post_without_key("/v1/p").json(&json!({})), 401),
        (("post", "/v1/batch"), service.post("/v1/batch").body("x".repeat(600_000)), 413),
        (("post", "/v1/merge"), service.post("/v1/merge").body("x"), 200),
        (("post", "/form/{source}"), form("email=ann@example.com"), 200),
        (("post", "/form/{source}"), form("email=ann"), 400),
        (("post", "/form/{source}"), service.post_without_key("/form/none"), 404),
        (("post", "/hooks/{name}"), service.post_without_key("/hooks/stripe").body("{}"), 401),
        (("get", "/v1/projects/{write_key}/settings"), get(&settings), 200),
        (("get", "/sourceConfig"), get("/sourceConfig"), 401),
        (("get", "/health"), get("/health"), 200),
        (("get", "/readyz"), get("/readyz"), 200),
    ] {
        let (answered, body) = held(&public, operation, request).await;
        assert_eq!(answered.as_u16(), status, "{operation:?}: {body}");
    }
    service.finish().await;
}
