//! Where data goes, changed on the page: by its owner alone, tested before, typed again, and after a wait that can be revoked.

use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::SystemClock;
use freshsignal::sandbox::SandboxOptions;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::roles::OWNER;
use crate::settings::EDITOR;
use crate::support::app::{Service, Setup, said};
use crate::support::crm::Crm;
use crate::support::ear::Ear;
use crate::support::events::{ann, identify_ann, lead_of_ann};
use crate::support::wait::eventually;

const PATH: &str = "/api/settings/owned";
const WAIT: Duration = Duration::from_mins(10);

async fn post(service: &Service, token: &str, wish: &Value) -> (StatusCode, Value) {
    said(service.private_post(PATH).bearer_auth(token).json(wish)).await
}

async fn owned(service: &Service) -> Value {
    service.get(PATH).await
}

/// A wish at the revision that is there.
async fn wish(service: &Service, what: &str, value: Value) -> Value {
    json!({ "revision": owned(service).await["revision"], what: value })
}

/// The same with its name typed.
fn typed(wish: &Value, name: &str) -> Value {
    let mut wish = wish.clone();
    wish["name"] = json!(name);
    wish
}

/// A service with two contacts and its account on the page, and another account.
async fn with_contacts(ear: &Ear) -> (Service, Crm) {
    let setup = Setup::new().account_on_page().driven_clock().with("ADMIN__TOKEN", OWNER);
    let setup = setup.with("ADMIN__TOKENS__ERIN__TOKEN", EDITOR).with("ADMIN__TOKENS__ERIN__ROLE", "edit");
    let setup = setup.with("ALERTS__URL", &ear.url("/alerts")).with("ALERTS__ALLOW_PRIVATE", "true");
    let service = setup.start().await;
    service.send_all((0..2).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    let options = SandboxOptions { bundle_alias: "other".into(), ..SandboxOptions::default() };
    (service, Crm::start(options, Arc::new(SystemClock::default())).await)
}

async fn to(service: &Service, crm: &Crm, key: &str) -> Value {
    let account = json!({"alias": "other", "base_url": format!("http://{}", crm.address), "api_key": key});
    wish(service, "account", account).await
}

#[tokio::test]
async fn another_account_is_asked_typed_and_waits_and_who_was_told_of_alerts_hears_of_it() {
    let ear = Ear::listen().await;
    let (service, other) = with_contacts(&ear).await;
    let key = SandboxOptions::default().api_key;
    let wrong = to(&service, &other, "a-wrong-key-of-nobody").await;
    assert_eq!(post(&service, EDITOR, &wrong).await.0, StatusCode::FORBIDDEN);
    let (status, answer) = post(&service, OWNER, &wrong).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("account_refused")), "{answer}");

    let wanted = to(&service, &other, &key).await;
    let (status, looked) = post(&service, OWNER, &wanted).await;
    assert_eq!(
        (status, &looked["ordered"], &looked["name"]),
        (StatusCode::OK, &json!(false), &json!("other")),
        "{looked}"
    );
    assert_eq!(looked["plan"]["calls"], json!(2), "everybody is owed to another account: {looked}");
    let (status, answer) = post(&service, OWNER, &typed(&wanted, "acme")).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("wrong_name")), "{answer}");
    assert_eq!(
        (&owned(&service).await["pending"], ear.messages().len()),
        (&Value::Null, 0),
        "nothing was ordered"
    );

    let (status, ordered) = post(&service, OWNER, &typed(&wanted, "other")).await;
    assert_eq!((status, &ordered["ordered"]), (StatusCode::OK, &json!(true)), "{ordered}");
    let heard =
        async || ear.texts().pop().filter(|text| text.contains("bundle_alias")).ok_or_else(String::new);
    eventually("who was told of alerts hears of it", heard).await;
    service.pass(Duration::from_secs(599));
    let found = owned(&service).await;
    assert_eq!(
        (&found["account"]["alias"], &found["pending"]["due"]),
        (&json!("acme"), &ordered["due"]),
        "{found}"
    );
    assert!(!found.to_string().contains(&key), "no key is told");
    service.pass(Duration::from_secs(2));
    let come = async || {
        let found = owned(&service).await;
        if found["account"]["alias"] == "other" && found["pending"].is_null() {
            Ok(())
        } else {
            Err(found.to_string())
        }
    };
    eventually("it takes effect", come).await;
    let service = service.restart().await;
    service.until("both are sent there", |_| other.contact(&ann(1)).is_some()).await;
    service.settled().await;
    assert!(other.contact(&ann(0)).is_some());
    service.finish().await;
}

#[tokio::test]
async fn the_key_in_use_is_shown_to_no_other_address() {
    let ear = Ear::listen().await;
    let (service, other) = with_contacts(&ear).await;
    for name in [None, Some("other")] {
        let mut wanted = to(&service, &other, "").await;
        wanted["name"] = json!(name);
        let (status, answer) = post(&service, OWNER, &wanted).await;
        assert_eq!(
            (status.as_u16(), &answer["problems"][0]["key"]),
            (422, &json!("freshsales.api_key")),
            "{answer}"
        );
    }
    assert_eq!(other.sandbox.requests().len(), 0, "the other address was asked nothing");
    service.finish().await;
}

#[tokio::test]
async fn what_waits_is_revoked_by_whoever_may_edit_and_a_restart_forgets_neither() {
    let ear = Ear::listen().await;
    let (service, other) = with_contacts(&ear).await;
    let wanted = to(&service, &other, &SandboxOptions::default().api_key).await;
    assert_eq!(post(&service, OWNER, &typed(&wanted, "other")).await.0, StatusCode::OK);
    let service = service.restart().await;
    assert_eq!(owned(&service).await["pending"]["keys"][0], "freshsales.bundle_alias");
    let revoke = service.private_delete(PATH).bearer_auth(EDITOR);
    assert_eq!(said(revoke).await.0, StatusCode::OK);
    assert_eq!(said(service.private_delete(PATH).bearer_auth(EDITOR)).await.0, StatusCode::NOT_FOUND);
    service.pass(WAIT * 2);
    let service = service.restart().await;
    let found = owned(&service).await;
    assert_eq!((&found["account"]["alias"], &found["pending"]), (&json!("acme"), &Value::Null), "{found}");
    let secrets = std::fs::read_to_string(service.data_folder().join("settings/secrets.json")).unwrap();
    assert_eq!(secrets.matches("api-key-").count(), 1, "the key of what was revoked is gone");
    service.finish().await;
}

#[tokio::test]
async fn another_key_of_the_same_account_is_tried_and_taken_over_at_once() {
    let ear = Ear::listen().await;
    let (service, _) = with_contacts(&ear).await;
    let now = owned(&service).await["account"].clone();
    let account = |key: &str| json!({"alias": now["alias"], "base_url": now["base_url"], "api_key": key});
    let wrong = wish(&service, "account", account("a-wrong-key-of-nobody")).await;
    assert_eq!(post(&service, OWNER, &typed(&wrong, "acme")).await.1["code"], "account_refused");
    let right = wish(&service, "account", account(&SandboxOptions::default().api_key)).await;
    let (status, done) = post(&service, OWNER, &typed(&right, "acme")).await;
    assert_eq!(
        (status, &done["due"], &done["ordered"]),
        (StatusCode::OK, &Value::Null, &json!(true)),
        "{done}"
    );
    let secrets = std::fs::read_to_string(service.data_folder().join("settings/secrets.json")).unwrap();
    assert!(secrets.contains("api-key-2") && !secrets.contains("api-key-1"), "the old key is gone");
    service.send_all(vec![identify_ann(7), lead_of_ann(7)]).await;
    service.settled().await;
    assert!(service.crm.contact(&ann(7)).is_some());
    // What the environment says is changed there.
    let alerts =
        wish(&service, "alerts", json!({"url": "https://hooks.example.com/x", "format": "slack"})).await;
    let (status, answer) = post(&service, OWNER, &alerts).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("not_editable")), "{answer}");
    service.finish().await;
}

#[tokio::test]
async fn who_is_told_of_alerts_is_changed_after_a_wait() {
    let (ear, tokens) = (Ear::listen().await, Setup::new().account_on_page().driven_clock());
    let service = tokens.with("ADMIN__TOKEN", OWNER).with("ALERTS__ALLOW_PRIVATE", "true").start().await;
    let wanted = wish(&service, "alerts", json!({"url": ear.url("/secret-path"), "format": "teams"})).await;
    let (_, looked) = post(&service, OWNER, &wanted).await;
    let host = looked["name"].as_str().unwrap().to_owned();
    assert_eq!(post(&service, OWNER, &typed(&wanted, &host)).await.0, StatusCode::OK, "{looked}");
    service.pass(WAIT + Duration::from_secs(1));
    let come = async || {
        let found = owned(&service).await;
        let alerts = (&found["alerts"]["host"], &found["alerts"]["format"]);
        if alerts == (&json!(host), &json!("teams")) { Ok(found) } else { Err(found.to_string()) }
    };
    let found = eventually("it takes effect", come).await;
    assert!(!found.to_string().contains("secret-path"), "{found}");
    service.finish().await;
}

#[tokio::test]
async fn a_receiver_of_what_happens_is_ordered_by_its_host_gets_a_secret_once_and_is_removed() {
    let ear = Ear::listen().await;
    let (service, _) = with_contacts(&ear).await;
    let output =
        json!({"name": "shop", "url": "https://hooks.example.com/in?key=s3cret", "events": ["deal.won"]});
    let wanted = wish(&service, "output", output.clone()).await;
    assert_eq!(post(&service, EDITOR, &wanted).await.0, StatusCode::FORBIDDEN, "data would go elsewhere");
    let (status, looked) = post(&service, OWNER, &wanted).await;
    assert_eq!(
        (status, &looked["name"], &looked["secret"]),
        (StatusCode::OK, &json!("hooks.example.com"), &Value::Null),
        "{looked}"
    );
    let mut private = output.clone();
    private["url"] = json!("https://127.0.0.1/in");
    let (status, answer) = post(&service, OWNER, &wish(&service, "output", private).await).await;
    assert_eq!(
        (status.as_u16(), &answer["problems"][0]["key"]),
        (422, &json!("outputs.shop.url")),
        "{answer}"
    );
    let (_, ordered) = post(&service, OWNER, &typed(&wanted, "hooks.example.com")).await;
    let secret = ordered["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"), "{ordered}");
    let heard =
        async || ear.texts().pop().filter(|text| text.contains("outputs.shop.url")).ok_or_else(String::new);
    eventually("who was told of alerts hears of it", heard).await;
    assert_eq!(owned(&service).await["outputs"], json!([]), "not before ten minutes");
    service.pass(WAIT * 2);
    let outputs = |wanted: Value| {
        let service = &service;
        move || {
            let wanted = wanted.clone();
            async move {
                let found = owned(service).await["outputs"].clone();
                if found == wanted { Ok(()) } else { Err(found.to_string()) }
            }
        }
    };
    let shown =
        json!([{"name": "shop", "host": "hooks.example.com", "format": "standard", "events": ["deal.won"]}]);
    eventually("it takes effect", outputs(shown)).await;
    let listed = async || {
        let told = service.get("/api/outputs").await.to_string();
        if told.contains("shop") { Ok(told) } else { Err(told) }
    };
    let told = eventually("it is told from now on", listed).await;
    let pages = format!("{}{}{}", owned(&service).await, service.get("/api/settings").await, told);
    assert!(
        !pages.contains("s3cret") && !pages.contains(&secret),
        "neither address nor secret is shown again"
    );

    let gone = wish(&service, "output", json!({"name": "shop", "remove": true})).await;
    assert_eq!(post(&service, OWNER, &typed(&gone, "shop")).await.0, StatusCode::OK);
    service.pass(WAIT * 2);
    eventually("it is told no more", outputs(json!([]))).await;
    let secrets = std::fs::read_to_string(service.data_folder().join("settings/secrets.json")).unwrap();
    assert!(!secrets.contains("output-"), "what nothing names is gone");
    service.finish().await;
}
