//! Settings on the page: a change gathered, looked at, applied and undone, by mouse and by keyboard.

use serde_json::json;

use super::debugger::go;
use super::roles::{pictures, signed_in};
use crate::roles::OWNER;
use crate::settings::{EDITOR, editable};
use crate::support::app::{Service, Setup};
use crate::support::browser::Browser;
use crate::support::events::{ann, identify_ann, lead_of_ann};
use crate::support::wait::eventually;

const ENTER: &str = "\u{e007}";

async fn with_contacts() -> (Service, Browser) {
    let service = editable().with("SOURCES__WEBSITE__TRUST", "server").start().await;
    service.send_all((0..3).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    let browser = signed_in(&service, EDITOR).await;
    go(&browser, "#/settings").await;
    browser.shows("main", "Attributes of a contact").await;
    (service, browser)
}

async fn reviewed(service: &Service) {
    let done = |status: &serde_json::Value| {
        status["review"]["because"] == "settings" && status["review"]["state"] == "done"
    };
    service.until("all contacts were looked at", done).await;
    service.settled().await;
}

#[tokio::test]
async fn an_attribute_is_added_from_a_path_that_events_carry_looked_at_applied_and_undone_by_mouse() {
    let (service, browser) = with_contacts().await;
    browser.shows("#who", "erin edit").await;
    browser.shows("main", "locked: set by FRESHSIGNAL_SOURCES__WEBSITE__TRUST").await;
    pictures(&browser, "settings").await;
    browser.click("#add-attribute").await;
    let offered = "return [...document.querySelectorAll('#carried-paths option')].map((one) => one.value)";
    let offered = browser.run(offered).await;
    assert!(offered.as_array().unwrap().contains(&json!("traits.last_name")), "{offered}");
    browser.fill("#attribute-name", "keyword").await;
    browser.fill("#attribute-offer", "traits.last_name").await;
    browser.click("dialog .setting-control button").await;
    pictures(&browser, "settings-attribute").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("main", "1 change not applied yet").await;
    browser.click("#look-at-it").await;
    browser.shows("dialog", "3 calls would become owed").await;
    pictures(&browser, "settings-preview").await;
    assert_eq!(service.crm.calls(), 3, "nothing is applied yet");
    browser.click("dialog button[type=submit]").await;
    browser.shows("main .timeline", "rules.fields.keyword").await;
    reviewed(&service).await;
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["keyword"], "No1");
    pictures(&browser, "settings-changed").await;
    browser.click("main .timeline button").await;
    browser.shows("dialog", "rules.fields.keyword").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("main .timeline", "undid change 1").await;
    assert_eq!(service.get("/api/settings").await["managed"], json!({}));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn consent_is_required_and_a_key_is_made_by_keyboard_alone() {
    let (service, browser) = with_contacts().await;
    let focus = async |what: &str, script: &str| {
        browser
            .eventually(
                what,
                &format!("const found = {script}; found?.focus(); return document.activeElement === found"),
            )
            .await;
    };
    focus("the field of required categories", "[...document.querySelectorAll('.setting label')].find((one) => one.innerText.startsWith('Categories that must'))?.control").await;
    browser.press("marketing").await;
    browser.press("\t").await;
    browser.shows("main", "1 change not applied yet").await;
    focus("the button", "document.getElementById('look-at-it')").await;
    browser.press(ENTER).await;
    browser.shows("dialog", "consent.required").await;
    focus("apply", "document.querySelector('dialog button[type=submit]')").await;
    browser.press(ENTER).await;
    browser.shows("main .timeline", "consent.required").await;
    assert_eq!(service.get("/api/settings").await["values"]["consent"]["required"], json!(["marketing"]));

    focus("another key", "[...document.querySelectorAll('.setting-group button')].find((one) => one.innerText.startsWith('Another write key'))").await;
    browser.press(ENTER).await;
    browser.shows("dialog", "sources.website.write_keys").await;
    browser.press(ENTER).await;
    let key = browser.text("#new-key").await;
    assert!(key.len() >= 32, "{key}");
    browser.press(ENTER).await;
    browser.shows("main", "Keys that were made here").await;
    let on = "return [...document.querySelectorAll('.setting label')].find((one) => one.innerText === 'On').control.checked";
    assert_eq!(browser.run(on).await, json!(true), "a source is on unless something says otherwise");
    pictures(&browser, "settings-key").await;
    // A wrong value is named, and nothing of it is applied; the console notes the answer.
    focus("pages that may send", "[...document.querySelectorAll('.setting label')].find((one) => one.innerText.startsWith('Pages that may send'))?.control").await;
    browser.press("x\t").await;
    focus("the button", "document.getElementById('look-at-it')").await;
    browser.press(ENTER).await;
    browser.shows("dialog", "sources.website.allowed_origins").await;
    browser.press(ENTER).await;
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("422")), "{complaints:?}");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn other_alerts_are_ordered_by_typing_their_host_and_revoked_by_whoever_may_edit() {
    let setup = Setup::new().account_on_page().with("ADMIN__TOKEN", OWNER);
    let setup = setup.with("ADMIN__TOKENS__ERIN__TOKEN", EDITOR).with("ADMIN__TOKENS__ERIN__ROLE", "edit");
    let service = setup.start().await;
    let browser = signed_in(&service, OWNER).await;
    go(&browser, "#/settings").await;
    browser.fill("#owned-url", "https://hooks.example.com/services/x").await;
    browser.click("#owned-alerts button").await;
    browser.shows("dialog", "takes effect in ten minutes").await;
    pictures(&browser, "settings-owned").await;
    browser.fill("#typed-name", "hooks.example.com").await;
    browser.click("dialog .danger").await;
    browser.find("#revoke").await;
    let pending = service.get("/api/settings/owned").await["pending"].clone();
    assert_eq!(pending["keys"][0], json!("alerts.url"), "{pending}");
    browser.close().await;

    let browser = signed_in(&service, EDITOR).await;
    go(&browser, "#/settings").await;
    browser.find("#revoke").await;
    let offered = browser.run("return document.querySelector('#owned-alerts')").await;
    assert!(offered.is_null(), "who may edit is not offered what the service refuses");
    browser.run("document.getElementById('revoke').scrollIntoView({ block: 'center' })").await;
    pictures(&browser, "settings-waits").await;
    browser.click("#revoke").await;
    let revoked = async || {
        let pending = service.get("/api/settings/owned").await["pending"].clone();
        if pending.is_null() { Ok(()) } else { Err(pending.to_string()) }
    };
    eventually("nothing waits any more", revoked).await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_kind_of_deal_and_what_follows_an_event_are_set_on_the_page_and_reach_freshsales() {
    let service = Setup::new().with("ADMIN__EDIT", "true").with("ADMIN__TOKEN", OWNER).start().await;
    let browser = signed_in(&service, OWNER).await;
    go(&browser, "#/settings").await;
    browser.click("#add-kind").await;
    browser.fill("#kind-name", "order").await;
    browser.fill("#kind-key", "properties.order_id").await;
    browser.fill("#kind-key-field", "custom_field.cf_order_id").await;
    pictures(&browser, "settings-kind").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("main", "1 change not applied yet").await;
    let change = "[...document.querySelectorAll('main button')].find((one) => one.getAttribute('aria-label') === 'Change what follows Order Completed')";
    browser.run(&format!("{change}.scrollIntoView({{ block: 'center' }})")).await;
    pictures(&browser, "settings-events").await;
    browser.run(&format!("{change}.click()")).await;
    browser.run("document.getElementById('follows-kind').value = 'order'").await;
    browser.fill("#follows-stage", "Won").await;
    browser.fill("#follows-note", "Ordered {properties.order_id}").await;
    browser.fill("#follows-activity", "Bought {properties.order_id}").await;
    browser.fill("#follows-activity-type", "Product").await;
    browser.fill("#follows-activity-outcome", "Done").await;
    browser.fill("#follows-activity-owner", "alex.kim@example.com").await;
    pictures(&browser, "settings-follows").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("main", "deal order → Won, a note, an activity").await;
    browser.click("#look-at-it").await;
    browser.shows("dialog", "deals.order").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("main .timeline", "Order Completed").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    let order = json!({"type": "track", "event": "Order Completed", "messageId": "order-1", "userId": "u-1",
        "context": {"traits": {"email": "sam.lee@example.com", "name": "Sam Lee"}}, "properties": {"order_id": "A-1", "total": 49.9}});
    service.send_all(vec![order]).await;
    service.settled().await;
    let told = async || {
        let found = service.get("/api/happenings").await["happenings"].clone();
        let told = found.as_array().unwrap().iter().filter(|one| one["state"] == "told").count();
        if told == 2 { Ok(()) } else { Err(found.to_string()) }
    };
    eventually("the note and the activity are written", told).await;
    let deal = service.get("/api/deals/order/A-1").await;
    assert_eq!(deal["accepted"]["stage"], json!("Won"), "{deal}");
    assert_eq!(deal["accepted"]["amount"], json!(49.9), "{deal}");

    // The note is taken out again, and the deal stays.
    go(&browser, "#/now").await;
    go(&browser, "#/settings").await;
    browser.shows("main", "deal order → Won, a note, an activity").await;
    browser.run(&format!("{change}.scrollIntoView({{ block: 'center' }}); {change}.click()")).await;
    browser.run("document.getElementById('follows-note').value = ''").await;
    browser.click("dialog button[type=submit]").await;
    browser.click("#look-at-it").await;
    browser.shows("dialog", "Order Completed").await;
    browser.click("dialog button[type=submit]").await;
    let gone = async || {
        let seen = service.get("/api/settings").await;
        let event = seen["events"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "Order Completed")
            .unwrap()
            .clone();
        let follows = &event["follows"];
        if follows["note"].is_null() && follows["deal"]["stage"] == "Won" {
            Ok(())
        } else {
            Err(follows.to_string())
        }
    };
    eventually("the note is taken out", gone).await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_hook_and_a_receiver_are_added_on_the_page_and_their_secrets_shown_once() {
    let service = Setup::new().with("ADMIN__EDIT", "true").with("ADMIN__TOKEN", OWNER).start().await;
    let browser = signed_in(&service, OWNER).await;
    go(&browser, "#/settings").await;
    browser.run("document.getElementById('add-hook').scrollIntoView({ block: 'center' })").await;
    browser.click("#add-hook").await;
    pictures(&browser, "settings-hook").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("dialog", "hooks.freshsales.kind").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("dialog", "The new token of the hook freshsales").await;
    let token = browser.run("return document.getElementById('new-key').textContent").await;
    assert_eq!(token.as_str().unwrap().len(), 32, "{token}");
    browser.click("dialog button[type=submit]").await;
    browser.shows("main", "/hooks/freshsales").await;

    browser.run("document.getElementById('add-output').scrollIntoView({ block: 'center' })").await;
    browser.click("#add-output").await;
    browser.fill("#output-name", "shop").await;
    browser.fill("#output-url", "https://hooks.example.com/in").await;
    pictures(&browser, "settings-output").await;
    browser.click("dialog button[type=submit]").await;
    browser.shows("dialog", "takes effect in ten minutes").await;
    browser.fill("#typed-name", "hooks.example.com").await;
    browser.click("dialog .danger").await;
    browser.shows("dialog", "The receiver checks messages with this secret").await;
    browser.click("dialog button[type=submit]").await;
    browser.find("#revoke").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    service.finish().await;
}
