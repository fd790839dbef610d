//! Deals and companies in the debugger: the lists, one of each, the boxes on the page of an event, and the decision of a person.

use serde_json::{Value, json};

use super::debugger::{debugger, go};
use crate::deals::{Shop, account};
use crate::support::app::Setup;
use crate::support::wait::eventually;

/// Every view by its address, with the name of its pictures.
const VIEWS: [(&str, &str); 8] = [
    ("deals", "#/deals"),
    ("deal", "#/deals/order/A-1"),
    ("deal-to-choose", "#/deals/trial/ann-2"),
    ("companies", "#/companies"),
    ("company", "#/companies/globex"),
    ("event-with-deal", "#/events/order-1"),
    ("contact-with-deal", "#/contacts/ann-1%40example.com"),
    ("playground-with-deal", "#/playground"),
];

/// An order that is won, one that waits for an email, and a trial that may be either of two deals.
async fn eventful() -> Shop {
    let shop = Shop::open(Setup::new(), account()).await;
    let traits = json!({"name": "Globex", "website": "globex.example"});
    shop.service.send(json!({"type": "group", "userId": "ann-1", "groupId": "g", "traits": traits})).await;
    shop.says(2, "Order Completed", "A-2", "96").await;
    let who = json!({"email": "ann-1@example.com", "first_name": "Ann", "last_name": "No1"});
    let order = json!({"order_id": "A-1", "total": "1,234.50", "currency": "EUR"});
    shop.service
        .send(json!({"type": "track", "event": "Order Completed", "userId": "ann-1", "messageId": "order-1",
            "context": {"traits": who}, "properties": order}))
        .await;
    let nobody = json!({"order_id": "A-3", "total": "5", "currency": "EUR"});
    shop.service
        .send(json!({"type": "track", "event": "Checkout Started", "anonymousId": "visitor", "properties": nobody}))
        .await;
    shop.deals("two deals", |deals| deals.len() == 2).await;
    shop.service.settled().await;
    let contact = shop.service.crm.sandbox.contact("ann-2@example.com").unwrap();
    let url = format!("http://{}/crm/sales/api/deals", shop.service.crm.address);
    for name in ["Renewal 2026", "Trial by phone"] {
        let deal = json!({"deal": {"name": name, "amount": 1, "deal_stage_id": shop.stage("New"), "contacts_added_list": [contact["id"]]}});
        let made = shop.service.client.post(&url).header("Authorization", "Token token=sandbox-key");
        assert!(made.json(&deal).send().await.unwrap().status().is_success());
    }
    let traits = json!({"email": "ann-2@example.com"});
    let trial = json!({"type": "track", "event": "Trial Activated", "userId": "ann-2", "context": {"traits": traits}});
    shop.service.send(trial).await;
    let waits = eventually("the trial waits for a choice", async || {
        let page: Value = shop.service.get("/api/deals?held=several").await;
        if page["deals"].as_array().is_some_and(|deals| deals.len() == 1) {
            Ok(())
        } else {
            Err(page.to_string())
        }
    });
    waits.await;
    shop
}

#[tokio::test]
async fn deals_and_companies_have_their_pictures_light_and_dark_and_on_a_phone() {
    let shop = eventful().await;
    let browser = debugger(&shop.service).await;
    for (theme, width, height) in [("light", 1280, 900), ("dark", 1280, 900), ("phone", 390, 844)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, height).await;
        for (name, hash) in VIEWS {
            go(&browser, hash).await;
            if name.starts_with("playground") {
                browser.run("const example = document.getElementById('example'); example.value = 'An order'; example.dispatchEvent(new Event('change'))").await;
                browser.shows("main", "Deal: order A-1001").await;
            }
            browser.screenshot(&format!("debugger-{name}-{theme}")).await;
            let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
            assert!(wider.as_i64().unwrap() <= 0, "{name} is wider than the screen ({theme}): {wider}");
        }
    }
    browser.color_scheme("light").await;
    browser.size(1120, 2600).await;
    go(&browser, "#/events/order-1").await;
    browser.screenshot("debugger-order-whole").await;
    browser.close().await;
    shop.service.finish().await;
}

#[tokio::test]
async fn a_sales_person_reads_why_a_deal_waits_and_chooses_which_one_it_is() {
    let shop = eventful().await;
    let browser = debugger(&shop.service).await;
    go(&browser, "#/deals").await;
    browser.shows("main", "Waits for an email").await;
    browser.shows("main", "You choose which deal").await;
    go(&browser, "#/events/order-1").await;
    browser.shows("main", "How it stands now").await;
    browser.shows("main .title", "Up to date").await;
    browser.shows("main", "Up to date").await;
    go(&browser, "#/deals?held=several").await;
    browser.shows("tbody", "trial ann-2").await;
    go(&browser, "#/deals/trial/ann-2").await;
    browser.shows("main", "Trial by phone").await;
    browser.click(".choices li:last-child button").await;
    browser.shows("dialog", "Is it this deal?").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("main", "Up to date").await;
    let demo = shop.stage("Demo");
    let moved = |deal: &Value| deal["name"] == "Trial by phone" && deal["deal_stage_id"] == demo;
    shop.deals("it is moved", |deals| deals.iter().any(moved)).await;
    go(&browser, "#/deals/order/none").await;
    browser.shows("main", "Nothing is known of this deal").await;
    // The browser names what was not found.
    assert!(browser.complaints().await.iter().all(|complaint| complaint.contains("404")));
    go(&browser, "#/companies?search=nothing").await;
    browser.shows("main", "No company fits").await;
    browser.close().await;
    shop.service.finish().await;
}
