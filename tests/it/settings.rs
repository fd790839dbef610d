//! Settings changed on the page: looked at, applied, undone, by two at once, and with files that are changed by hand meanwhile.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::roles::OWNER;
use crate::support::app::{Service, Setup, WRITE_KEY, said};
use crate::support::events::{ann, identify_ann, lead_of_ann};

pub const EDITOR: &str = "editor-0123456789abcdef0123456789abcdef";

/// A service whose settings Erin may change on the page.
pub fn editable() -> Setup {
    Setup::new()
        .with("ADMIN__EDIT", "true")
        .with("ADMIN__TOKEN", OWNER)
        .with("ADMIN__TOKENS__ERIN__TOKEN", EDITOR)
        .with("ADMIN__TOKENS__ERIN__ROLE", "edit")
}

async fn post(service: &Service, path: &str, body: Value) -> (StatusCode, Value) {
    said(service.private_post(path).bearer_auth(EDITOR).json(&body)).await
}

/// What is answered to an event with this write key.
async fn sent(service: &Service, key: &str) -> u16 {
    let event = json!({"type": "track", "event": "x", "userId": "u"});
    let request = service.post_without_key("/ingest").basic_auth(key, Some(""));
    request.json(&event).send().await.unwrap().status().as_u16()
}

async fn revision(service: &Service) -> u64 {
    service.get("/api/settings").await["revision"].as_u64().unwrap()
}

async fn preview(service: &Service, path: &[&str], value: Value) -> (StatusCode, Value) {
    let revision = revision(service).await;
    let change = json!({"revision": revision, "changes": [{"path": path, "value": value}]});
    post(service, "/api/settings/preview", change).await
}

async fn apply(service: &Service, looked: &Value) -> (StatusCode, Value) {
    post(service, "/api/settings/apply", json!({"preview": looked["preview"]})).await
}

async fn changed(service: &Service, path: &[&str], value: Value) -> Value {
    let (status, looked) = preview(service, path, value).await;
    assert_eq!(status, StatusCode::OK, "{looked}");
    let (status, applied) = apply(service, &looked).await;
    assert_eq!(status, StatusCode::OK, "{applied}");
    applied
}

#[tokio::test]
async fn a_change_is_looked_at_applied_kept_over_a_restart_and_undone() {
    let service = editable().start().await;
    service.send_all((0..3).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    let keyword = ["rules", "fields", "keyword"];
    let (status, looked) = preview(&service, &keyword, json!({"from": ["traits.last_name"]})).await;
    assert_eq!((status, &looked["plan"]["calls"]), (StatusCode::OK, &json!(3)), "{looked}");
    assert_eq!(looked["edits"][0]["key"], "rules.fields.keyword");
    assert_eq!((service.crm.calls(), revision(&service).await), (3, 0), "looking changes nothing");

    let (status, applied) = apply(&service, &looked).await;
    assert_eq!((status, &applied["taken_over"]), (StatusCode::OK, &json!(["mapping"])), "{applied}");
    let reviewed =
        |status: &Value| status["review"]["because"] == "settings" && status["review"]["state"] == "done";
    service.until("all contacts were looked at", reviewed).await;
    service.settled().await;
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["keyword"], "No1");
    let acts = service.get("/api/acts").await;
    let act = &acts["acts"][0];
    assert_eq!(
        (&act["kind"], &act["who"], &act["about"]),
        (&json!("edited"), &json!("erin"), &json!("rules.fields.keyword"))
    );

    let service = service.restart().await;
    let shown = service.get("/api/settings").await;
    let field = |shown: &Value| {
        shown["fields"].as_array().unwrap().iter().find(|one| one["name"] == "keyword").cloned()
    };
    assert_eq!(field(&shown).unwrap()["from"], json!(["traits.last_name"]));
    assert_eq!(shown["changes"][0]["who"], "erin");
    let export = service.get("/api/settings/export").await;
    assert!(export["mapping"].as_str().unwrap().contains("[fields.keyword]"), "{export}");

    let both = json!({"revision": 1, "undo": 1, "changes": [{"path": keyword, "value": null}]});
    assert_eq!(post(&service, "/api/settings/preview", both).await.1["code"], "malformed_body");
    let undo = json!({"revision": 1, "undo": 1});
    let (status, looked) = post(&service, "/api/settings/preview", undo).await;
    assert_eq!(status, StatusCode::OK, "{looked}");
    assert_eq!(apply(&service, &looked).await.0, StatusCode::OK);
    let shown = service.get("/api/settings").await;
    assert_eq!((field(&shown), &shown["revision"]), (None, &json!(2)));
    service.finish().await;
}

#[tokio::test]
async fn a_wrong_change_is_named_and_nothing_of_it_is_kept() {
    let service = editable().start().await;
    for (path, value) in [
        (vec!["delivery", "hold_seconds"], json!("soon")),
        (vec!["rules", "fields", "keyword"], json!({"from": ["nowhere"]})),
        (vec!["rules", "fields", "keyword"], json!({"from": ["traits.x"], "convert": "magic"})),
        (vec!["sources", "website", "allowed_origins"], json!(["no origin"])),
        (vec!["sources", "website", "trust"], json!("friend")),
        (vec!["sources", "website", "enabled"], json!(false)),
    ] {
        let (status, answer) = preview(&service, &path, value).await;
        assert_eq!(
            (status.as_u16(), &answer["code"]),
            (422, &json!("invalid_configuration")),
            "{path:?} {answer}"
        );
    }
    for path in [
        vec!["freshsales", "base_url"],
        vec!["admin", "edit"],
        vec!["alerts", "url"],
        vec!["outputs", "x", "url"],
    ] {
        let (status, answer) = preview(&service, &path, json!("http://127.0.0.1:1")).await;
        assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("not_editable")), "{path:?} {answer}");
    }
    let (_, answer) =
        preview(&service, &["sources", "website", "write_keys"], json!(["a-key-of-mine"])).await;
    assert_eq!(answer["code"], "not_editable", "{answer}");
    assert_eq!(revision(&service).await, 0);
    assert!(!service.data_folder().join("settings").exists());
    service.finish().await;
}

#[tokio::test]
async fn of_two_who_change_at_once_the_second_looks_again() {
    let service = editable().start().await;
    let hold = ["delivery", "hold_seconds"];
    let (_, first) = preview(&service, &hold, json!(5)).await;
    let (_, second) = preview(&service, &hold, json!(9)).await;
    assert_eq!(apply(&service, &first).await.0, StatusCode::OK);
    let (status, answer) = apply(&service, &second).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("settings_changed")), "{answer}");
    let (_, again) = apply(&service, &first).await;
    assert_eq!(again["code"], "settings_changed", "a look is good once");
    let stale = json!({"revision": 0, "changes": [{"path": hold, "value": 9}]});
    assert_eq!(post(&service, "/api/settings/preview", stale).await.1["code"], "settings_changed");
    assert_eq!(service.get("/api/settings").await["values"]["delivery"]["hold_seconds"], json!(5));
    service.finish().await;
}

#[tokio::test]
async fn what_the_file_or_the_environment_says_is_locked_and_a_change_of_it_meanwhile_is_noticed() {
    let service = editable().with("DELIVERY__HOLD_SECONDS", "3").start().await;
    let lock = json!({"path": ["delivery", "hold_seconds"], "by": "FRESHSIGNAL_DELIVERY__HOLD_SECONDS"});
    let shown = service.get("/api/settings").await;
    assert!(shown["locks"].as_array().unwrap().contains(&lock), "{shown}");
    let (status, answer) = preview(&service, &["delivery", "hold_seconds"], json!(5)).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("not_editable")), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("FRESHSIGNAL_DELIVERY__HOLD_SECONDS"), "{answer}");

    let required = ["consent", "required"];
    let (_, looked) = preview(&service, &required, json!(["marketing"])).await;
    service.set("CONSENT__UNKNOWN", "hold");
    let (status, answer) = apply(&service, &looked).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("settings_changed")), "{answer}");
    let applied = changed(&service, &required, json!(["marketing"])).await;
    assert_eq!(applied["taken_over"], json!(["consent"]), "{applied}");
    // The file is wrong by now: nothing can be changed on top of it, and what there was stays.
    service.set("CONSENT__UNKNOWN", "");
    service.set("DELIVERY__HOLD_SECONDS", "soon");
    let wrong = json!({"revision": 1, "changes": [{"path": required, "value": []}]});
    assert_eq!(post(&service, "/api/settings/preview", wrong).await.0.as_u16(), 422);
    service.set("DELIVERY__HOLD_SECONDS", "3");
    assert_eq!(revision(&service).await, 1);
    service.finish().await;
}

#[tokio::test]
async fn a_write_key_is_rotated_with_both_good_until_the_old_one_is_dropped_and_is_said_once() {
    let service = editable().start().await;
    let made = |revision: u64| json!({"revision": revision, "new_key": "website"});
    let (_, looked) = post(&service, "/api/settings/preview", made(0)).await;
    let (_, applied) = apply(&service, &looked).await;
    let key = applied["new_keys"]["website"].as_str().unwrap().to_owned();
    assert_eq!((sent(&service, &key).await, sent(&service, WRITE_KEY).await), (200, 200));
    let shown = service.get("/api/settings").await;
    assert_eq!(
        shown["keys"],
        json!([{"source": "website", "name": "key-1", "ends_with": &key[key.len() - 4..]}])
    );
    for path in ["/api/settings", "/api/settings/export", "/api/connect", "/api/acts"] {
        assert!(!service.get(path).await.to_string().contains(&key), "{path}");
    }
    let service = service.restart().await;
    assert_eq!(sent(&service, &key).await, 200);
    changed(&service, &["sources", "website", "write_keys"], Value::Null).await;
    assert_eq!((sent(&service, &key).await, sent(&service, WRITE_KEY).await), (401, 200));
    service.finish().await;
}

#[tokio::test]
async fn nobody_changes_settings_where_that_is_off_or_without_a_token_on_loopback_or_from_another_site() {
    let off = Service::start().await;
    assert_eq!(off.get("/api/settings").await["editable"], json!(false));
    let change = json!({"revision": 0, "changes": [{"path": ["delivery", "hold_seconds"], "value": 5}]});
    let (status, answer) = said(off.private_post("/api/settings/preview").json(&change)).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("editing_off")));
    off.finish().await;

    // No token is configured, and one is made on loopback, too.
    let service = Setup::new().with("ADMIN__EDIT", "true").start().await;
    assert_eq!(said(service.private("/api/settings")).await.0, StatusCode::UNAUTHORIZED);
    let token = service.token().unwrap();
    let order = service.private_post("/api/settings/preview").bearer_auth(&token);
    let foreign = order.header("sec-fetch-site", "cross-site").json(&change);
    assert_eq!(said(foreign).await.1["code"], "site_not_allowed");
    let good = service.private_post("/api/settings/preview").bearer_auth(&token).json(&change);
    assert_eq!(said(good).await.0, StatusCode::OK);
    service.finish().await;
}

#[tokio::test]
async fn a_hook_made_on_the_page_takes_messages_with_its_token_and_none_once_it_is_removed() {
    let service = editable().start().await;
    let hook = |revision: u64, kind: &str, secret: &str| json!({"revision": revision, "new_hook": {"name": "freshsales", "kind": kind, "source": "website", "secret": secret}});
    let unsigned =
        post(&service, "/api/settings/preview", hook(revision(&service).await, "stripe", "")).await;
    assert_eq!(
        (unsigned.0.as_u16(), &unsigned.1["problems"][0]["key"]),
        (422, &json!("hooks.freshsales.secret")),
        "{unsigned:?}"
    );
    let (_, looked) =
        post(&service, "/api/settings/preview", hook(revision(&service).await, "freshsales", "")).await;
    let (status, applied) = apply(&service, &looked).await;
    assert_eq!(status, StatusCode::OK, "{applied}");
    let token = applied["new_keys"]["hooks.freshsales"].as_str().unwrap().to_owned();
    let says = async |token: &str| {
        let message = json!({"kind": "contact", "id": "7", "email": ann(0), "mobile_number": "+14155550199"});
        let request = service.post_without_key("/hooks/freshsales").header("X-Freshsignal-Token", token);
        request.json(&message).send().await.unwrap().status().as_u16()
    };
    assert_eq!((says(&token).await, says("another-token-of-32-characters-00").await), (200, 401));
    let seen = service.get("/api/settings").await;
    assert_eq!(seen["hooks"], json!([{"name": "freshsales", "kind": "freshsales", "source": "website"}]));
    assert!(!seen.to_string().contains(&token), "it is shown once");
    let named = json!({"revision": revision(&service).await, "changes": [{"path": ["hooks", "freshsales", "secret"], "value": "a-secret-that-somebody-names-0000"}]});
    assert_eq!(
        post(&service, "/api/settings/preview", named).await.0.as_u16(),
        409,
        "no secret stands among settings"
    );
    let exported = service.get("/api/settings/export").await;
    assert!(!exported.to_string().contains(&token), "{exported}");
    assert_eq!(exported["secrets_left_out"], json!(["hooks.freshsales.secret"]), "{exported}");

    let change = |key: &str| json!({"path": ["hooks", "freshsales", key], "value": null});
    let changes = ["kind", "source", "secret"].map(change).to_vec();
    let gone = json!({"revision": revision(&service).await, "changes": changes});
    let (_, looked) = post(&service, "/api/settings/preview", gone).await;
    let (status, applied) = apply(&service, &looked).await;
    assert_eq!(status, StatusCode::OK, "{applied}");
    assert_eq!(says(&token).await, 404);
    service.finish().await;
}
