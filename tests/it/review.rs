//! The review: settings change, and every contact is looked at again without an event.

use freshsignal::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said, sum};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};

/// So many contacts that Freshsales has.
async fn with_contacts(setup: Setup, count: usize) -> Service {
    let service = setup.start().await;
    service.send_all((0..count).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    service
}

/// Ends when a review for this reason has looked at every contact.
async fn reviewed(service: &Service, because: &str) -> Value {
    let done = |status: &Value| status["review"]["because"] == because && status["review"]["state"] == "done";
    service.until(&format!("a review because of {because} is done"), done).await["review"].clone()
}

#[tokio::test]
async fn pointing_at_another_account_owes_everybody_again_and_the_status_says_how_many_calls_that_is() {
    let service = with_contacts(Setup::new(), 300).await;
    assert_eq!(service.crm.calls(), 300);
    service.set("FRESHSALES__BUNDLE_ALIAS", "globex");
    service.set("ALLOWANCE__PER_HOUR", "100");
    let service = service.restart().await;
    let review = reviewed(&service, "account").await;
    assert_eq!(
        (&review["done"], &review["total"], &review["opened"]),
        (&json!(300), &json!(300), &json!(300))
    );
    let status = service.status().await;
    assert_eq!(sum(&status["owed"]), 300, "{status}");
    assert_eq!(status["owed"]["backfill"], 300, "whoever comes meanwhile goes first: {status}");
    service.finish().await;
}

#[tokio::test]
async fn what_is_owed_to_another_account_is_counted_apart_and_goes_on_once_that_is_called_again() {
    let service = with_contacts(Setup::new(), 5).await;
    let acme = service.status().await["account"].clone();
    service.order("/api/pause", json!({})).await;
    service
        .send_all((0..3).map(|nth| ann_says(nth, &format!("m{nth}"), &json!({"city": "Oslo"}))).collect())
        .await;
    service.processed().await;
    assert_eq!(service.status().await["other_accounts"], json!({}));

    service.set("FRESHSALES__BUNDLE_ALIAS", "globex");
    let service = service.restart().await;
    reviewed(&service, "account").await;
    let status = service.status().await;
    let globex = status["account"].clone();
    assert_eq!(status["other_accounts"], json!({(acme.as_str().unwrap()): 3}), "{status}");
    assert_eq!((sum(&status["owed"]), sum(&status["open"])), (5, 8), "{status}");
    let listed = service.get(&format!("/api/deliveries?email={}&limit=2", ann(0))).await;
    let accounts: Vec<&Value> =
        listed["deliveries"].as_array().unwrap().iter().map(|one| &one["account"]).collect();
    assert_eq!(accounts, [&globex, &acme], "newest first");

    service.set("FRESHSALES__BUNDLE_ALIAS", "acme");
    let service = service.restart().await;
    service.order("/api/resume", json!({})).await;
    service.settled().await;
    let status = service.status().await;
    assert_eq!(status["other_accounts"], json!({(globex.as_str().unwrap()): 5}), "{status}");
    assert!((0..3).all(|nth| service.crm.contact(&ann(nth)).unwrap()["city"] == "Oslo"));
    service.finish().await;
}

#[tokio::test]
async fn what_a_dry_run_has_seen_is_sent_once_it_is_live() {
    let service = with_contacts(Setup::new().with("FRESHSALES__MODE", "dry_run"), 5).await;
    assert_eq!(service.crm.calls(), 0);
    let why = service.get(&format!("/api/contacts/{}", ann(0))).await["why"].clone();
    assert_eq!(why, "a dry run: Freshsales would have it as wanted, but nothing was sent");
    service.set("FRESHSALES__MODE", "live");
    let service = service.restart().await;
    reviewed(&service, "account").await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 5);
    assert!((0..5).all(|nth| service.crm.contact(&ann(nth)).is_some()));
    let service = service.restart().await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 5, "nothing is owed twice");
    service.finish().await;
}

#[tokio::test]
async fn a_corrected_mapping_updates_everybody_without_an_event() {
    let service = with_contacts(Setup::new(), 3).await;
    let file = service.data_folder().join("mapping.toml");
    std::fs::write(&file, "[fields.keyword]\nfrom = [\"traits.last_name\"]\n").unwrap();
    service.set("MAPPING__FILE", file.to_str().unwrap());
    service.order("/api/reload", json!({})).await;
    reviewed(&service, "settings").await;
    service.settled().await;
    let contact = service.crm.contact(&ann(1)).unwrap();
    assert_eq!(contact["keyword"], "No1");
    let last: Value = serde_json::from_str(&service.crm.body(5)).unwrap();
    assert_eq!(last["contact"].as_object().unwrap().len(), 2, "only what changed: {last}");
    assert_eq!(service.crm.calls(), 6);
    service.finish().await;
}

#[tokio::test]
async fn a_corrected_mapping_heals_what_freshsales_refused() {
    let service = Setup::new().start().await;
    service.crm.fault(json!({"status": 422, "email": ann(0), "times": 1}));
    service.send_all(vec![identify_ann(0), lead_of_ann(0)]).await;
    service.until("it is refused", |status| status["ended"]["dead"] == 1).await;
    let file = service.data_folder().join("mapping.toml");
    std::fs::write(&file, "[fields.keyword]\nconst = \"web\"\n").unwrap();
    service.set("MAPPING__FILE", file.to_str().unwrap());
    service.order("/api/reload", json!({})).await;
    service.until("it is owed again", |status| status["ended"]["dead"] == 0).await;
    service.settled().await;
    assert_eq!(service.crm.contact(&ann(0)).unwrap()["keyword"], "web");
    service.finish().await;
}

#[tokio::test]
async fn a_wrong_configuration_is_kept_out_and_its_problems_are_named() {
    let service = with_contacts(Setup::new(), 1).await;
    service.set("CONSENT__SUBSCRIBED", "");
    service.set("MAPPING__FILE", "no/such/file.toml");
    let (status, answer) = said(service.private_post("/api/reload")).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("invalid_configuration")), "{answer}");
    let keys: Vec<&str> =
        answer["problems"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["consent.subscribed", "mapping.file"]);
    service.send(ann_says(0, "granted", &json!({"city": "Oslo"}))).await;
    service.settled().await;
    assert_eq!(service.crm.contact(&ann(0)).unwrap()["city"], "Oslo");
    assert_eq!(service.status().await["review"]["because"], "unknown", "nothing was judged anew");
    service.set("CONSENT__SUBSCRIBED", "1");
    service.set("MAPPING__FILE", "");
    service.order("/api/reload", json!({})).await;
    reviewed(&service, "settings").await;
    service.finish().await;
}

#[tokio::test]
async fn a_reload_says_what_is_in_effect_and_what_needs_a_restart() {
    let service = with_contacts(Setup::new(), 1).await;
    service.set("CONSENT__UNKNOWN", "2");
    service.set("FRESHSALES__MODE", "dry_run");
    service.set("DELIVERY__CONCURRENCY_MAX", "3");
    let restart = json!(["freshsales", "delivery.concurrency_max"]);
    for taken_over in [json!(["consent"]), json!([])] {
        let (status, answer) = said(service.private_post("/api/reload")).await;
        assert_eq!(status.as_u16(), 200, "{answer}");
        assert_eq!((&answer["taken_over"], &answer["needs_restart"]), (&taken_over, &restart));
    }
    service.finish().await;
}

#[tokio::test]
async fn a_reload_compares_what_was_read_and_not_the_words_of_the_configuration() {
    let service = Setup::new().start().await;
    let file = |name: &str, text: &str| {
        let path = service.data_folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let reloaded = async || {
        let (status, answer) = said(service.private_post("/api/reload")).await;
        assert_eq!(status.as_u16(), 200, "{answer}");
        (answer["taken_over"].clone(), answer["needs_restart"].clone())
    };
    let key = SandboxOptions::default().api_key;
    service.set("MAPPING__FILE", &file("mapping.toml", "[fields.keyword]\nconst = \"one\"\n"));
    service.set("FRESHSALES__API_KEY", "");
    service.set("FRESHSALES__API_KEY_FILE", &file("key", &key));
    assert_eq!(reloaded().await, (json!(["mapping"]), json!([])), "the key is the same, in a file now");
    assert_eq!(reloaded().await, (json!([]), json!([])));
    file("mapping.toml", "[fields.keyword]\nconst = \"two\"\n");
    assert_eq!(reloaded().await, (json!(["mapping"]), json!([])), "another content of the same file");
    file("mapping.toml", "# The same rules.\n[fields.keyword]\nconst = 'two'\n");
    assert_eq!(reloaded().await, (json!([]), json!([])), "other words of the same meaning");
    file("key", "another-key");
    service.set("ADMIN__TOKEN_FILE", &file("token", &"t".repeat(32)));
    assert_eq!(reloaded().await, (json!(["freshsales.api_key"]), json!(["admin"])));
    assert_eq!(reloaded().await, (json!([]), json!(["admin"])));
    file("key", &key);
    service.set("ADMIN__TOKEN_FILE", "");
    assert_eq!(reloaded().await, (json!(["freshsales.api_key"]), json!([])), "as it was started");
    service.finish().await;
}
