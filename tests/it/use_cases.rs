//! The four use cases of the documents, each by the configuration that its page shows.

use std::collections::BTreeSet;

use freshsignal::sandbox::{Quirk, Sandbox, SandboxOptions};
use reqwest::StatusCode;
use ring::hmac;
use serde_json::{Value, json};

use crate::documents::markdown::{blocks, rows};
use crate::support::app::{Service, Setup, said};
use crate::support::wait::eventually;

const PAGE: &str = include_str!("../../docs/how-to/use-cases.md");

/// The blocks of a case, by the words that its heading begins with.
fn case(heading: &str) -> Vec<String> {
    let section = PAGE.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let found = blocks(section).into_iter().filter(|(language, _)| language == "toml");
    found.map(|(_, text)| text).collect()
}

/// A service by the first block as configuration, and by the second as mapping; `other` is said in place of what the page says.
fn configured(heading: &str, other: &[(&str, &str)]) -> Setup {
    let blocks = case(heading);
    let configuration: toml::Table = blocks[0].parse().unwrap();
    let mut setup = Setup::new();
    for (key, value) in keys("", &configuration) {
        let said = other.iter().find(|(named, _)| *named == key).map(|(_, value)| (*value).to_owned());
        setup = setup.with(&key, &said.unwrap_or(value));
    }
    match blocks.get(1) {
        Some(mapping) => setup.mapping(mapping),
        None => setup,
    }
}

/// Keys as the environment says them.
fn keys(section: &str, table: &toml::Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let key = format!("{section}{}", key.to_uppercase());
        match value {
            toml::Value::Table(inner) => found.extend(keys(&format!("{key}__"), inner)),
            toml::Value::Array(items) => {
                let items: Vec<&str> = items.iter().map(|item| item.as_str().unwrap()).collect();
                found.push((key, items.join(",")));
            }
            toml::Value::String(text) => found.push((key, text.clone())),
            other => found.push((key, other.to_string())),
        }
    }
    found
}

#[test]
fn the_table_names_every_case_and_each_has_its_configuration() {
    let named = rows(PAGE, "you want").len();
    let titles = PAGE.split("\n## ").skip(1).count();
    assert_eq!((named, titles), (4, 4));
    assert!(PAGE.split("\n## ").skip(1).all(|section| section.contains("```toml")));
}

#[tokio::test]
async fn a_lead_from_a_form_has_a_campaign_note_and_an_owner() {
    let service = configured("A lead from a form", &[]).start().await;
    let fields = "email=ann%40example.com&first_name=Ann&last_name=Lee&form=pricing&utm_source=google&utm_medium=cpc&utm_campaign=spring";
    let form = service.post_without_key("/form/contact").header("origin", "https://shop.example.com");
    let form =
        form.header("content-type", "application/x-www-form-urlencoded").header("accept", "application/json");
    let (status, answer) = said(form.body(fields)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let notes = service.holds("one note", Sandbox::notes, |notes| notes.len() == 1).await;
    let text = notes[0]["description"].as_str().unwrap();
    assert!(text.contains("Lead from pricing") && text.contains("google / cpc / spring"), "{text}");
    let contact = service.crm.sandbox.contact("ann@example.com").unwrap();
    assert_eq!(
        (&contact["owner_id"], &contact["id"]),
        (&json!(70_000_012_302_u64), &notes[0]["targetable_id"])
    );
    service.finish().await;
}

#[tokio::test]
async fn a_product_event_moves_a_stage_and_leaves_a_note() {
    let service = configured("A stage moved", &[]).start().await;
    let event = |name: &str| {
        json!({"type": "track", "event": name, "userId": "u-1", "properties": {"plan": "pro", "seats": 5},
            "context": {"traits": {"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}}})
    };
    service.send(event("Trial Started")).await;
    service.send(event("Trial Activated")).await;
    let pipelines = service.crm.sandbox.selector("deal_pipelines").unwrap();
    let stages = pipelines[0]["deal_stages"].as_array().unwrap().clone();
    let demo = stages.iter().find(|stage| stage["name"] == "Demo").unwrap()["id"].clone();
    let moved = |deals: &[Value]| deals.len() == 1 && deals[0]["deal_stage_id"] == demo;
    let deal = service.holds("the deal has moved", Sandbox::deals, moved).await.remove(0);
    let notes = service.holds("one note", Sandbox::notes, |notes| notes.len() == 1).await;
    assert!(
        notes[0]["description"].as_str().unwrap().contains("Activated the trial (pro), 5 seats"),
        "{notes:?}"
    );
    assert_eq!((&notes[0]["targetable_type"], &notes[0]["targetable_id"]), (&json!("Deal"), &deal["id"]));
    service.finish().await;
}

/// What Stripe sends, signed as it signs.
async fn stripe(service: &Service, secret: &str, body: &Value) -> StatusCode {
    let (body, at) = (body.to_string(), service.now().0 / 1_000_000);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let hex: Vec<String> = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = service
        .post_without_key("/hooks/stripe")
        .header("Stripe-Signature", format!("t={at},v1={}", hex.concat()));
    said(request.body(body)).await.0
}

#[tokio::test]
async fn a_webhook_is_received_and_acted_on() {
    let service = configured("A webhook", &[]).start().await;
    let paid = json!({"id": "evt_1", "type": "checkout.session.completed", "created": service.now().0 / 1_000_000,
        "data": {"object": {"id": "cs_1", "payment_status": "paid", "amount_total": 14_950, "currency": "eur",
            "customer_details": {"email": "ann@example.com", "name": "Ann Lee"}}}});
    assert_eq!(stripe(&service, "another secret", &paid).await, StatusCode::UNAUTHORIZED);
    for _ in 0..2 {
        assert_eq!(stripe(&service, "whsec_of_the_endpoint", &paid).await, StatusCode::OK);
    }
    let deals = service.holds("one deal", Sandbox::deals, |deals| deals.len() == 1).await;
    assert_eq!((&deals[0]["amount"], &deals[0]["name"]), (&json!("149.5"), &json!("Ann Lee order (#cs_1)")));
    assert!(deals[0]["closed_date"].is_string(), "it is won: {deals:?}");
    assert_eq!(service.crm.contact("ann@example.com").unwrap()["last_name"], "Lee");
    service.finish().await;
}

#[tokio::test]
async fn the_won_deals_are_a_file_each_night() {
    let folder = tempfile::tempdir().unwrap();
    let other = [("EXPORTS__WON__FOLDER", folder.path().to_str().unwrap())];
    let whole = SandboxOptions { quirks: BTreeSet::from([Quirk::WholeLists]), ..SandboxOptions::default() };
    let service = configured("The nightly export", &other).sandbox(whole).start().await;
    eventually("a file", async || {
        let found = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        let found: Vec<_> = found.filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
        let first = found.first().map(|path| std::fs::read_to_string(path).unwrap());
        if first.is_some_and(|text| text.starts_with("id,name,amount,")) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    service.finish().await;
}
