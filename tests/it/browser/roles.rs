//! The debugger with a token of somebody's own: who they are, which views they have, and what is masked.

use serde_json::json;

use super::debugger::go;
use crate::roles::{OWNER, VIEWER, with_people};
use crate::support::app::Service;
use crate::support::browser::Browser;
use crate::support::events::{identify_sam, lead_of_sam};

pub async fn signed_in(service: &Service, token: &str) -> Browser {
    let browser = Browser::start().await;
    browser.open(&format!("{}/debug", service.private_url())).await;
    browser.fill("#token", token).await;
    browser.click("dialog .primary").await;
    browser.shows("h1", "Now").await;
    // What was asked for before the token was entered.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("401")), "{complaints:?}");
    browser
}

pub async fn pictures(browser: &Browser, name: &str) {
    for (theme, width, height) in [("light", 1280, 1000), ("dark", 1280, 1000), ("phone", 390, 844)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, height).await;
        browser.screenshot(&format!("{name}-{theme}")).await;
        let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "wider than the screen ({theme}): {wider}");
        if let Some(barriers) = browser.barriers().await {
            assert_eq!(barriers, json!([]), "{name} ({theme})");
        }
    }
    browser.size(1280, 900).await;
}

#[tokio::test]
async fn somebody_who_may_not_see_people_has_the_views_without_them_and_is_named_in_the_head() {
    let service = with_people().start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    let browser = signed_in(&service, VIEWER).await;
    browser.shows("#who", "vera view").await;
    let offered = "return [...document.querySelectorAll('#nav a')].filter((one) => !one.hidden).map((one) => one.innerText.split(/\\s+\\d/)[0])";
    let views = ["Now", "Events", "Deliveries", "Dead letters", "Status", "Connect", "Outputs"];
    assert_eq!(browser.run(offered).await, json!(views));
    for (hash, shown) in [
        ("#/events", "s•••@•••"),
        ("#/deliveries", "s•••@•••"),
        ("#/dead-letters", "Dead letters"),
        ("#/status", "Status"),
        ("#/connect", "Connect"),
        ("#/outputs", "Outputs"),
        ("#/now", "Now"),
    ] {
        go(&browser, hash).await;
        browser.shows("main", shown).await;
        assert!(
            !browser.run("return document.querySelector('main .problem')").await.is_object(),
            "{hash} could not be read"
        );
        let text = browser.text("main").await;
        for part in ["sam.lee", "Sam", "Lee", "555"] {
            assert!(!text.contains(part), "{part} in {hash}: {text}");
        }
        pictures(&browser, &format!("view-{}", &hash[2..])).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    for (hash, may_order) in [("#/status", json!([])), ("#/dead-letters", json!([]))] {
        go(&browser, hash).await;
        browser.find("[data-needs]").await;
        assert_eq!(browser.run(ORDERS).await, may_order, "{hash}");
    }
    go(&browser, "#/events/sam-lead?source=website").await;
    browser.shows("h1", "Lead Generated").await;
    pictures(&browser, "view-event").await;
    let text = browser.text("main").await;
    assert!(!text.contains("sam.lee") && !text.contains("Lee"), "{text}");
    // What it asks for beside, and may not have, is refused and no more.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("403")), "{complaints:?}");
    browser.click("#out").await;
    browser.find("#token").await;
    browser.complaints().await;
    browser.close().await;
    service.finish().await;
}

/// The buttons of orders that can be seen.
const ORDERS: &str = "return [...document.querySelectorAll('[data-needs]')].filter((one) => one.checkVisibility()).map((one) => one.innerText)";

#[tokio::test]
async fn orders_are_offered_to_whom_may_give_them() {
    let service = with_people().start().await;
    let browser = signed_in(&service, crate::roles::READER).await;
    go(&browser, "#/status").await;
    browser.find("[data-needs]").await;
    assert_eq!(browser.run(ORDERS).await, json!(["Pause calls"]), "a reload is for who may change settings");
    browser.close().await;
    let browser = signed_in(&service, OWNER).await;
    go(&browser, "#/status").await;
    browser.find("[data-needs]").await;
    assert_eq!(browser.run(ORDERS).await, json!(["Pause calls", "Reload configuration"]));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn an_owner_sees_who_did_what_and_who_looked_at_whom() {
    let service = with_people().start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    let browser = signed_in(&service, OWNER).await;
    go(&browser, "#/contacts/sam.lee%40example.com").await;
    browser.shows("main", "Up to date").await;
    service.private_post("/api/pause").bearer_auth(crate::roles::READER).send().await.unwrap();
    browser.run("[...document.querySelectorAll('main a')].find((one) => one.innerText === 'Who looked at this person').click()").await;
    browser.shows("h1", "Who did what").await;
    browser.shows("main", "Calls paused").await;
    browser.shows("main", "rita").await;
    browser.shows("main", "the page of the contact").await;
    pictures(&browser, "acts").await;
    // By keyboard: another person, at whom nobody looked.
    browser.press("/").await;
    browser.fill("#looks-email", "nobody@example.com\u{e007}").await;
    browser.shows("main", "Nobody looked").await;
    browser.close().await;
    service.finish().await;
}
