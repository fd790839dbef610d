//! Orders become deals: once, with the right stage, amount and contact, whatever gets lost on the way.

mod promises;

use std::collections::BTreeSet;
use std::time::Duration;

use freshsignal::sandbox::{Forbidden, Sandbox, SandboxOptions};
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::wait::eventually;

const MAPPING: &str = r#"
[fields.company_name]
from = []

[company]
name = ["group.name", "traits.company"]
[company.fields.website]
from = ["group.website"]

[deals.order]
key = ["properties.order_id"]
key_field = "custom_field.cf_order_id"
name = "{company.name|person.name|email} order #{key}"
forward_only = true
hold_seconds = 0
[deals.order.fields.amount]
from = ["properties.total"]
convert = "money"
[deals.order.fields.currency]
from = ["properties.currency"]

[deals.trial]
key = "person"
name = "Trial of {email}"
forward_only = true
adopt = true
hold_seconds = 0

[events."Trial Activated".deal]
kind = "trial"
stage = "Demo"
create = false
[events."Checkout Started".deal]
kind = "order"
stage = "New"
[events."Demo Held".deal]
kind = "order"
stage = "Demo"
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[events."Order Refunded".deal]
kind = "order"
stage = "Lost"
create = false
"#;

/// A shop whose orders are deals.
pub struct Shop {
    pub service: Service,
}

pub fn account() -> SandboxOptions {
    SandboxOptions::default()
}

impl Shop {
    pub async fn open(setup: Setup, options: SandboxOptions) -> Self {
        Self::mapped(setup, options, MAPPING).await
    }

    async fn mapped(setup: Setup, options: SandboxOptions, mapping: &str) -> Self {
        Self { service: setup.mapping(mapping).sandbox(options).start().await }
    }

    pub async fn says(&self, number: usize, event: &str, order: &str, total: &str) {
        let traits = json!({"email": format!("ann-{number}@example.com"), "first_name": "Ann", "last_name": format!("No{number}")});
        let properties = json!({"order_id": order, "total": total, "currency": "EUR"});
        let user = format!("ann-{number}");
        let body = json!({"type": "track", "event": event, "userId": user, "context": {"traits": traits}, "properties": properties});
        self.service.send(body).await;
    }

    /// Ends when Freshsales holds deals that satisfy a condition; answers them.
    pub async fn deals(&self, what: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.service.holds(what, Sandbox::deals, fits).await
    }

    /// Ends when there is one deal in this stage.
    pub async fn deal_in(&self, stage: u64) -> Value {
        let fits = |deals: &[Value]| deals.len() == 1 && deals[0]["deal_stage_id"] == stage;
        self.deals(&format!("one deal in stage {stage}"), fits).await.remove(0)
    }

    /// The id of a stage of the default pipeline.
    pub fn stage(&self, name: &str) -> u64 {
        let pipelines = self.service.crm.sandbox.selector("deal_pipelines").unwrap();
        let stages = pipelines[0]["deal_stages"].as_array().unwrap().clone();
        let stage = stages.iter().find(|stage| stage["name"] == name).unwrap();
        stage["id"].as_u64().unwrap()
    }

    fn calls(&self, method: &str, path: &str) -> usize {
        self.service.crm.calls_to(method, path)
    }

    /// Ends when nothing is owed any more, however long that has to wait for another try.
    async fn told(&self) {
        let told = eventually("nothing is owed any more", async || {
            self.service.pass(Duration::from_secs(5));
            let open = self.service.status().await["open"].clone();
            let owed = ["waiting", "in_flight", "retrying"].iter().any(|state| open[state] != 0);
            if owed { Err(open.to_string()) } else { Ok(()) }
        });
        told.await;
    }

    pub async fn close(self) {
        self.service.settled().await;
        self.service.finish().await;
    }
}

#[tokio::test]
async fn an_order_becomes_a_deal_of_its_contact() {
    let shop = Shop::open(Setup::new(), account()).await;
    shop.says(1, "Order Completed", "A-1", "1,234.50").await;
    let deal = shop.deal_in(shop.stage("Won")).await;
    assert_eq!((&deal["name"], &deal["amount"]), (&json!("Ann No1 order #A-1"), &json!("1234.5")));
    assert_eq!(deal["custom_field"]["cf_order_id"], "A-1");
    let contact = shop.service.crm.sandbox.contact("ann-1@example.com").unwrap();
    assert_eq!(deal["contact_ids"], json!([contact["id"]]));
    shop.says(1, "Order Completed", "A-1", "1,234.50").await;
    shop.service.settled().await;
    assert_eq!(shop.calls("POST", "/deals"), 1);
    shop.close().await;
}

#[tokio::test]
async fn an_order_that_is_refunded_after_it_was_won_is_lost() {
    let shop = Shop::open(Setup::new(), account()).await;
    shop.says(1, "Checkout Started", "A-1", "10").await;
    shop.deal_in(shop.stage("New")).await;
    shop.says(1, "Order Completed", "A-1", "12").await;
    let won = shop.deal_in(shop.stage("Won")).await;
    assert_eq!(won["amount"], "12.0");
    shop.says(1, "Order Refunded", "A-1", "12").await;
    shop.deal_in(shop.stage("Lost")).await;
    assert_eq!(shop.calls("POST", "/deals"), 1);
    shop.close().await;
}

#[tokio::test]
async fn what_a_person_has_moved_on_in_freshsales_stays() {
    let shop = Shop::open(Setup::new().driven_clock(), account()).await;
    shop.says(1, "Checkout Started", "A-1", "10").await;
    let deal = shop.deal_in(shop.stage("New")).await;
    shop.service.settled().await;
    let path = format!("http://{}/crm/sales/api/deals/{}", shop.service.crm.address, deal["id"]);
    let negotiation = shop.stage("Negotiation");
    let body = json!({"deal": {"deal_stage_id": negotiation}});
    let key = "Token token=sandbox-key";
    let moved = shop.service.client.put(path).header("Authorization", key).json(&body).send().await.unwrap();
    assert!(moved.status().is_success());
    shop.service.pass(Duration::from_mins(15));
    shop.says(1, "Demo Held", "A-1", "20").await;
    let fits = |deals: &[Value]| deals[0]["amount"] == "20.0";
    let deals = shop.deals("the amount is told", fits).await;
    assert_eq!(deals[0]["deal_stage_id"], negotiation);
    shop.close().await;
}

#[tokio::test]
async fn a_deal_that_was_deleted_in_freshsales_stays_deleted() {
    let shop = Shop::open(Setup::new(), account()).await;
    shop.says(1, "Checkout Started", "A-1", "10").await;
    let deal = shop.deal_in(shop.stage("New")).await;
    shop.service.settled().await;
    let path = format!("http://{}/crm/sales/api/deals/{}", shop.service.crm.address, deal["id"]);
    let deleted = shop.service.client.delete(path).header("Authorization", "Token token=sandbox-key").send();
    assert!(deleted.await.unwrap().status().is_success());
    shop.says(1, "Checkout Started", "A-1", "20").await;
    shop.service.until("the deal is known to be gone", |status| status["ended"]["superseded"] == 1).await;
    shop.says(1, "Order Completed", "A-1", "20").await;
    shop.service.processed().await;
    shop.service.settled().await;
    assert_eq!((shop.service.crm.sandbox.deals().len(), shop.calls("POST", "/deals")), (0, 1));
    shop.close().await;
}

#[tokio::test]
async fn a_key_that_may_not_edit_deals_leaves_contacts_going() {
    let forbidden = BTreeSet::from([Forbidden::Deals]);
    let shop = Shop::open(Setup::new(), SandboxOptions { forbidden, ..account() }).await;
    for number in 1..=3 {
        shop.says(number, "Order Completed", &format!("A-{number}"), "10").await;
    }
    let there = eventually("all contacts are there", async || {
        let contacts = shop.service.crm.sandbox.contacts().len();
        if contacts == 3 { Ok(()) } else { Err(contacts.to_string()) }
    });
    there.await;
    let shut = shop
        .service
        .until("deals are shut", |status| status["destination"]["shut"][0]["kind"] == "deal")
        .await;
    assert_eq!(shut["destination"]["state"], "running");
    shop.says(4, "Order Completed", "A-4", "10").await;
    let there = eventually("the next contact goes on its way", async || {
        let contacts = shop.service.crm.sandbox.contacts().len();
        if contacts == 4 { Ok(()) } else { Err(contacts.to_string()) }
    });
    there.await;
    assert_eq!(shop.service.crm.sandbox.deals().len(), 0);
    shop.service.finish().await;
}

#[tokio::test]
async fn answers_that_are_lost_make_no_second_deal() {
    let shop = Shop::open(Setup::new().driven_clock(), account()).await;
    // Of each two orders the answer to one is lost after it took effect, that to the other before.
    for number in 0..6 {
        let apply = number % 2 == 0;
        shop.service.crm.fault(json!({"path": "/deals", "reset": true, "apply": apply, "times": 1}));
        shop.says(number, "Order Completed", &format!("A-{number}"), "10").await;
        let many = number + 1;
        shop.deals(&format!("{many} deals"), |deals| deals.len() == many).await;
    }
    shop.service.settled().await;
    let keys: BTreeSet<String> = shop
        .service
        .crm
        .sandbox
        .deals()
        .iter()
        .map(|deal| deal["custom_field"]["cf_order_id"].to_string())
        .collect();
    assert_eq!((keys.len(), shop.service.crm.sandbox.deals().len()), (6, 6));
    shop.close().await;
}

#[tokio::test]
async fn a_restart_in_the_middle_makes_no_second_deal() {
    let mut shop = Shop::open(Setup::new().driven_clock(), account()).await;
    shop.service.crm.fault(json!({"path": "/deals", "hang": true, "apply": true, "times": 1}));
    shop.says(1, "Order Completed", "A-1", "10").await;
    shop.deals("the deal is there", |deals| deals.len() == 1).await;
    shop.service = shop.service.restart().await;
    shop.service.pass(Duration::from_mins(2));
    shop.says(1, "Order Completed", "A-1", "15").await;
    shop.deals("the amount is told", |deals| deals.len() == 1 && deals[0]["amount"] == "15.0").await;
    assert_eq!(shop.calls("POST", "/deals"), 1);
    shop.close().await;
}

#[tokio::test]
async fn a_contact_with_another_email_keeps_its_deals_though_the_answer_is_lost() {
    let setup = Setup::new().driven_clock().with("IDENTITY__ON_EMAIL_CHANGE", "rename");
    let shop = Shop::open(setup, account()).await;
    shop.says(1, "Order Completed", "A-1", "10").await;
    let deal = shop.deal_in(shop.stage("Won")).await;
    shop.service.settled().await;
    let crm = &shop.service.crm;
    let id = crm.sandbox.contact("ann-1@example.com").unwrap()["id"].clone();
    for (apply, email) in [(true, "ann@example.org"), (false, "ann@example.net")] {
        crm.fault(json!({"path": format!("/contacts/{id}"), "reset": true, "apply": apply, "times": 1}));
        let traits = json!({"email": email});
        shop.service.send(json!({"type": "identify", "userId": "ann-1", "traits": traits})).await;
        let renamed = eventually("the contact has the new address", async || {
            shop.service.pass(Duration::from_secs(1));
            crm.sandbox.contact(email).ok_or_else(|| "not yet".to_owned())
        });
        assert_eq!(renamed.await["id"], id);
        shop.told().await;
    }
    assert_eq!(crm.sandbox.contacts().len(), 1);
    // An order to come is a deal of the same contact.
    let order = json!({"order_id": "A-2", "total": "5", "currency": "EUR"});
    let event = json!({"type": "track", "event": "Order Completed", "userId": "ann-1", "properties": order});
    shop.service.send(event).await;
    let deals = shop.deals("two deals", |deals| deals.len() == 2).await;
    assert_eq!((&deals[0]["contact_ids"], &deals[1]["contact_ids"]), (&deal["contact_ids"], &json!([id])));
    shop.close().await;
}

#[tokio::test]
async fn a_company_is_told_with_its_contact_and_its_deal() {
    let shop = Shop::open(Setup::new(), account()).await;
    let traits = json!({"name": "Globex", "website": "globex.example"});
    shop.service.send(json!({"type": "group", "userId": "ann-1", "groupId": "g", "traits": traits})).await;
    // Kept before the order gives Ann her first address, so that her company comes up only while that is decided on.
    shop.service.processed().await;
    shop.says(1, "Order Completed", "A-1", "10").await;
    let deal = shop.deal_in(shop.stage("Won")).await;
    let companies = shop.service.crm.sandbox.companies();
    assert_eq!((companies.len(), &companies[0]["website"]), (1, &json!("globex.example")));
    assert_eq!(
        (&deal["sales_account_id"], &deal["name"]),
        (&companies[0]["id"], &json!("Globex order #A-1"))
    );
    shop.close().await;
}

#[tokio::test]
async fn two_people_whose_companies_are_made_of_their_names_may_have_the_same() {
    let mapping = MAPPING.replace("[company]\n", "[company]\nmissing = \"{person.name}\"\n");
    let shop = Shop::mapped(Setup::new(), account(), &mapping).await;
    for user in 1..=3 {
        let traits =
            json!({"email": format!("ann-{user}@example.com"), "first_name": "Ann", "last_name": "Lee"});
        let properties = json!({"order_id": format!("A-{user}"), "total": 10});
        shop.service
            .send(json!({"type": "track", "event": "Order Completed", "userId": format!("ann-{user}"),
            "context": {"traits": traits}, "properties": properties}))
            .await;
        shop.service.processed().await;
    }
    let deals = shop.deals("a deal each", |deals| deals.len() == 3).await;
    let companies = shop.service.crm.sandbox.companies();
    assert_eq!((companies.len(), &companies[0]["name"]), (1, &json!("Ann Lee")));
    assert!(deals.iter().all(|deal| deal["sales_account_id"] == companies[0]["id"]), "{deals:?}");
    assert_eq!(shop.service.status().await["outcomes"]["failed"], 0);
    shop.close().await;
}

#[tokio::test]
async fn a_mapping_without_deals_makes_no_call_of_them() {
    let service = Setup::new().sandbox(account()).start().await;
    let traits = json!({"email": "ann@example.com", "first_name": "Ann", "company": "Globex"});
    let properties = json!({"order_id": "A-1", "total": 10});
    service.send(json!({"type": "track", "event": "Order Completed", "userId": "u", "context": {"traits": traits}, "properties": properties})).await;
    service.settled().await;
    assert_eq!((service.crm.calls(), service.crm.sandbox.deals().len()), (1, 0));
    service.finish().await;
}
