//! Deals and companies as the private listener shows them, and what a person decides of a deal.

use serde_json::{Value, json};

use crate::deals::{Shop, account};
use crate::openapi::{documents, held};
use crate::support::app::Setup;
use crate::support::wait::eventually;

const KEY: &str = "Token token=sandbox-key";

impl Shop {
    /// Ends when the deal is shown so; answers it.
    async fn shown(&self, path: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(what, async || {
            let deal = self.service.private(path).send().await.unwrap().json::<Value>().await.unwrap();
            if fits(&deal) { Ok(deal) } else { Err(deal.to_string()) }
        });
        found.await
    }

    /// An open deal of a contact that a sales person makes in Freshsales.
    async fn made_by_hand(&self, name: &str, contact: &Value) -> u64 {
        let url = format!("http://{}/crm/sales/api/deals", self.service.crm.address);
        let deal = json!({"deal": {"name": name, "amount": 1, "deal_stage_id": self.stage("New"), "contacts_added_list": [contact["id"]]}});
        let made =
            self.service.client.post(url).header("Authorization", KEY).json(&deal).send().await.unwrap();
        assert!(made.status().is_success());
        made.json::<Value>().await.unwrap()["deal"]["id"].as_u64().unwrap()
    }

    async fn trial_of_ann(&self, message: &str) {
        let traits = json!({"email": "ann-1@example.com", "first_name": "Ann", "last_name": "No1"});
        let body = json!({"type": "track", "event": "Trial Activated", "userId": "ann-1", "messageId": message, "context": {"traits": traits}});
        self.service.send(body).await;
    }

    async fn order(&self, path: &str, body: Value, status: u16) -> Value {
        let [_, private] = documents(&self.service).await;
        let request = self.service.private_post(path).json(&body);
        let (answered, body) = held(&private, ("post", "/api/deals/{kind}/{key}/order"), request).await;
        assert_eq!(answered.as_u16(), status, "{body}");
        body
    }
}

#[tokio::test]
async fn a_deal_and_its_company_are_shown_from_the_event_to_the_call() {
    let shop = Shop::open(Setup::new(), account()).await;
    let traits = json!({"name": "Globex", "website": "globex.example"});
    let group =
        json!({"type": "group", "userId": "ann-1", "groupId": "g", "messageId": "group-1", "traits": traits});
    shop.service.send(group).await;
    shop.service.processed().await;
    shop.says(1, "Order Completed", "A/1 #2", "10").await;
    let stored = shop.deal_in(shop.stage("Won")).await;
    shop.service.settled().await;
    let [_, private] = documents(&shop.service).await;
    let get = |path: &str| shop.service.private(path);

    let path = "/api/deals/order/A%2F1%20%232";
    let (_, deal) = held(&private, ("get", "/api/deals/{kind}/{key}"), get(path)).await;
    assert_eq!((&deal["deal_id"], &deal["state"]), (&stored["id"], &json!("settled")));
    assert_eq!((&deal["why"], &deal["link"]), (&json!("Freshsales has it as wanted"), &Value::Null));
    assert_eq!((&deal["wanted"]["stage"], &deal["accepted"]["stage"]), (&json!("Won"), &json!("Won")));
    assert_eq!(deal["history"][0]["state"], "delivered");
    assert_eq!((&deal["birth"]["state"], &deal["may_be_ordered"]), (&json!("told"), &json!(false)));
    assert_eq!(deal["events"][0]["name"], "Order Completed");
    let event = deal["events"][0]["message_id"].as_str().unwrap();
    let event = shop.service.get(&format!("/api/events/{event}")).await;
    let of_deal = |action: &Value| action["subject"] == deal["subject"];
    assert!(event["actions"].as_array().unwrap().iter().any(of_deal), "{event}");

    for (query, count) in [
        ("", 1),
        ("?kind=order&state=settled&email=ann-1@example.com&search=a/1", 1),
        ("?kind=trial", 0),
        ("?held=unclear", 0),
        ("?email=nobody@example.com", 0),
    ] {
        let (_, page) = held(&private, ("get", "/api/deals"), get(&format!("/api/deals{query}"))).await;
        assert_eq!(page["deals"].as_array().unwrap().len(), count, "{query}");
    }
    let (status, _) = held(&private, ("get", "/api/deals"), get("/api/deals?held=odd")).await;
    assert_eq!(status, 400);
    let (status, _) = held(&private, ("get", "/api/deals/{kind}/{key}"), get("/api/deals/order/none")).await;
    assert_eq!(status, 404);

    let (_, company) = held(&private, ("get", "/api/companies/{name}"), get("/api/companies/GLOBEX")).await;
    assert_eq!((&company["name"], &company["state"]), (&json!("Globex"), &json!("settled")));
    assert_eq!(company["accepted"]["website"], "globex.example");
    assert_eq!(company["company_id"], shop.service.crm.sandbox.companies()[0]["id"]);
    let (_, page) =
        held(&private, ("get", "/api/companies"), get("/api/companies?search=glob&state=settled")).await;
    assert_eq!(page["companies"][0]["key"], "globex");
    let (status, _) = held(&private, ("get", "/api/companies/{name}"), get("/api/companies/none")).await;
    assert_eq!(status, 404);
    shop.close().await;
}

#[tokio::test]
async fn of_several_open_deals_the_one_that_a_person_chooses_is_moved() {
    let shop = Shop::open(Setup::new(), account()).await;
    shop.says(1, "Order Completed", "A-1", "10").await;
    shop.deal_in(shop.stage("Won")).await;
    shop.service.settled().await;
    let contact = shop.service.crm.sandbox.contact("ann-1@example.com").unwrap();
    let first = shop.made_by_hand("Renewal", &contact).await;
    let second = shop.made_by_hand("Trial of Ann", &contact).await;
    shop.trial_of_ann("trial-1").await;
    let path = "/api/deals/trial/ann-1";
    let deal = shop.shown(path, "the deal waits for a choice", |deal| deal["held"] == "several").await;
    let ids: Vec<u64> =
        deal["candidates"].as_array().unwrap().iter().map(|one| one["deal_id"].as_u64().unwrap()).collect();
    assert_eq!((ids, &deal["may_be_ordered"]), (vec![first, second], &json!(true)));
    let status = shop.service.get("/api/status").await;
    assert_eq!(
        (&status["held_deals"]["several"], &status["risks"][0]["risk"]),
        (&json!(1), &json!("deals_undecided"))
    );
    let metrics = shop.service.private("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("freshsignal_deals_held{cause=\"several\"} 1"), "{metrics}");

    let order = format!("{path}/order");
    shop.order(&order, json!({"order": "adopt"}), 400).await;
    shop.order("/api/deals/trial/nobody/order", json!({"order": "create"}), 404).await;
    let done = shop.order(&order, json!({"order": "adopt", "deal_id": second}), 200).await;
    assert_eq!(done["state"], "queued");
    let demo = shop.stage("Demo");
    shop.deals("the chosen one is moved", |deals| {
        deals.iter().any(|deal| deal["id"] == second && deal["deal_stage_id"] == demo)
    })
    .await;
    shop.shown(path, "nothing is owed", |deal| deal["state"] == "settled").await;
    assert_eq!(shop.order(&order, json!({"order": "create"}), 409).await["code"], "deal_exists");
    assert_eq!(shop.service.crm.sandbox.deals().len(), 3);
    shop.close().await;
}

#[tokio::test]
async fn a_deal_that_was_deleted_is_created_again_where_a_person_says_so() {
    let shop = Shop::open(Setup::new(), account()).await;
    shop.says(1, "Checkout Started", "A-1", "10").await;
    let deal = shop.deal_in(shop.stage("New")).await;
    shop.service.settled().await;
    let url = format!("http://{}/crm/sales/api/deals/{}", shop.service.crm.address, deal["id"]);
    let deleted = shop.service.client.delete(url).header("Authorization", KEY).send().await.unwrap();
    assert!(deleted.status().is_success());
    shop.says(1, "Checkout Started", "A-1", "20").await;
    let path = "/api/deals/order/A-1";
    shop.shown(path, "it is known to be gone", |deal| deal["held"] == "gone").await;
    let order = format!("{path}/order");
    assert_eq!(shop.order(&order, json!({"order": "leave_alone"}), 200).await["state"], "held");
    shop.shown(path, "it is left alone", |deal| deal["held"] == "left_alone").await;
    assert_eq!(shop.order(&order, json!({"order": "create"}), 200).await["state"], "queued");
    let new = shop.deal_in(shop.stage("New")).await;
    assert_eq!(new["amount"], "20.0");
    shop.close().await;
}

#[tokio::test]
async fn a_dry_run_of_everything_shows_the_call_of_a_deal_in_names_and_makes_none() {
    let shop = Shop::open(Setup::new().with("FRESHSALES__MODE", "dry_run"), account()).await;
    shop.says(1, "Order Completed", "A-1", "10").await;
    let played = |deal: &Value| deal["history"][0]["state"] == "delivered" && deal["state"] == "settled";
    let deal = shop.shown("/api/deals/order/A-1", "the call is played", played).await;
    assert_eq!(deal["why"], "a dry run: nothing was sent of it");
    let id = deal["history"][0]["id"].as_str().unwrap();
    let delivery = shop.service.get(&format!("/api/deliveries/{id}")).await;
    let calls = delivery["attempts"].as_array().unwrap();
    let body = &calls.last().unwrap()["request"]["body"]["deal"];
    assert_eq!((&body["stage"], &body["amount"]), (&json!("Won"), &json!(10)), "{delivery}");
    assert_eq!(shop.service.crm.calls(), 0);
    shop.close().await;
}
