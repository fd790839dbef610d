//! What is promised of companies and deals, in the words of whoever asks for it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MAPPING, Shop, account};
use crate::support::app::Setup;
use crate::support::wait::eventually;

/// A call of another tool, or of a person, in the same account.
async fn by_hand(shop: &Shop, path: &str, body: Value) -> Value {
    let url = format!("http://{}/crm/sales/api/{path}", shop.service.crm.address);
    let request = shop.service.client.post(url).header("Authorization", "Token token=sandbox-key");
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

/// A contact that was there before, with a deal in a stage of the default pipeline.
async fn deal_by_hand(shop: &Shop, stage: &str, custom_field: Value) -> Value {
    let contact = json!({"unique_identifier": {"emails": "ann-1@example.com"},
        "contact": {"emails": "ann-1@example.com", "first_name": "Ann", "last_name": "No1"}});
    let contact = by_hand(shop, "contacts/upsert", contact).await["contact"]["id"].clone();
    let deal = json!({"deal": {"name": "By hand", "amount": 5, "deal_stage_id": shop.stage(stage),
        "contacts_added_list": [contact], "custom_field": custom_field}});
    by_hand(shop, "deals", deal).await["deal"]["id"].clone()
}

#[tokio::test]
async fn a_company_of_a_group_is_stored_once_and_linked_to_its_contact_and_nothing_is_told_twice() {
    let shop = Shop::open(Setup::new(), account()).await;
    let group = json!({"type": "group", "userId": "ann-1", "groupId": "g",
        "traits": {"name": "Globex", "website": "globex.example"}});
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "ann-1",
        "context": {"traits": {"email": "ann-1@example.com", "first_name": "Ann", "last_name": "No1"}}});
    shop.service.send(group.clone()).await;
    shop.service.send(lead.clone()).await;
    shop.service.settled().await;
    let companies = shop.service.crm.sandbox.companies();
    let contact = shop.service.crm.sandbox.contact("ann-1@example.com").unwrap();
    assert_eq!((companies.len(), &companies[0]["name"]), (1, &json!("Globex")));
    assert_eq!(contact["sales_accounts"][0]["id"], companies[0]["id"], "{contact}");
    assert_eq!(shop.calls("POST", "/sales_accounts/upsert"), 1);
    let calls = shop.service.crm.calls();
    shop.service.send(group).await;
    shop.service.send(lead).await;
    shop.service.settled().await;
    assert_eq!(shop.service.crm.calls(), calls);
    shop.close().await;
}

#[tokio::test]
async fn an_order_that_another_tool_told_is_taken_over_and_not_told_again() {
    let shop = Shop::open(Setup::new(), account()).await;
    let id = deal_by_hand(&shop, "New", json!({"cf_order_id": "A-1"})).await;
    shop.says(1, "Order Completed", "A-1", "10").await;
    let deal = shop.deal_in(shop.stage("Won")).await;
    assert_eq!((&deal["id"], &deal["amount"], &deal["name"]), (&id, &json!("10.0"), &json!("By hand")));
    // The one by hand is the only one that was created.
    assert_eq!(shop.calls("POST", "/deals"), 1);
    shop.close().await;
}

#[tokio::test]
async fn a_stage_that_the_account_lacks_holds_its_deals_and_says_which_exist() {
    let mapping = MAPPING.replace("stage = \"Won\"", "stage = \"Trial Active\"");
    let shop = Shop::mapped(Setup::new().driven_clock(), account(), &mapping).await;
    shop.says(1, "Order Completed", "A-1", "10").await;
    let held = eventually("the deal is held for a name", async || {
        shop.service.pass(Duration::from_secs(1));
        let status = shop.service.status().await;
        let risk = status["risks"].as_array().unwrap().iter().find(|risk| risk["risk"] == "names_missing");
        match risk.filter(|_| status["held_deals"]["name"] == 1) {
            Some(risk) => Ok((status["dead_letters"].clone(), risk["message"].as_str().unwrap().to_owned())),
            None => Err(status.to_string()),
        }
    });
    let (dead_letters, says) = held.await;
    assert_eq!((dead_letters, shop.calls("POST", "/deals")), (json!(0), 0));
    for word in ["Trial Active", "New", "Qualification", "Won", "Lost"] {
        assert!(says.contains(word), "{word}: {says}");
    }
    // Somebody adds it: the deal goes by itself.
    let mut pipelines = shop.service.crm.sandbox.selector("deal_pipelines").unwrap();
    let mut added = pipelines[0]["deal_stages"][1].clone();
    (added["id"], added["name"]) = (json!(70_000_002_099_u64), json!("Trial Active"));
    pipelines[0]["deal_stages"].as_array_mut().unwrap().insert(2, added);
    shop.service.crm.sandbox.set_selector("deal_pipelines", pipelines);
    shop.service.pass(Duration::from_mins(61));
    let deal = shop.deal_in(70_000_002_099).await;
    assert_eq!(deal["custom_field"]["cf_order_id"], "A-1");
    shop.close().await;
}

/// "Look up the deal by the contact's email and set Trial Active": the words of whoever asked for it.
#[tokio::test]
async fn the_deal_that_a_rep_made_by_hand_is_moved_when_the_trial_is_activated() {
    let shop = Shop::open(Setup::new(), account()).await;
    let id = deal_by_hand(&shop, "New", json!({})).await;
    shop.says(1, "Trial Activated", "none", "0").await;
    let deal = shop.deal_in(shop.stage("Demo")).await;
    assert_eq!((&deal["id"], &deal["name"], shop.calls("POST", "/deals")), (&id, &json!("By hand"), 1));
    shop.close().await;
}
