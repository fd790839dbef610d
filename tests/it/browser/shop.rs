//! A shop with the tag on its page, and what the service got from it. Must not test anything itself.

use serde_json::Value;

use crate::support::app::{Service, WRITE_KEY};
use crate::support::browser::Browser;
use crate::support::site::{File, Site, page};
use crate::support::wait::eventually;

/// The first block of code in this language in the page on the tag.
pub fn of_the_page(language: &str) -> &'static str {
    let page = include_str!("../../../docs/start/javascript-tag.md");
    let block = page.split(&format!("```{language}\n")).nth(1).expect("the block is there");
    block.split("```").next().unwrap()
}

/// The stub that keeps calls until the tag has loaded, as the page on the tag has it.
pub fn stub() -> &'static str {
    of_the_page("html").split("<script>\n").nth(1).unwrap().split("\n</script>").next().unwrap()
}

/// A page at `/` with the tag of whoever is at that address, under these attributes, and with calls made before the tag
/// has loaded.
pub fn front_page(events_at: &str, attributes: &str, calls: &str) -> File {
    let tag = format!("{events_at}/tag.js");
    page(
        "/",
        format!(
            "<!doctype html><html lang=en><title>Shop</title><h1>Shop</h1>\n\
             <script async src=\"{tag}\" data-write-key=\"{WRITE_KEY}\" {attributes}></script>\n\
             <script>{}{calls}</script>",
            stub()
        ),
    )
}

/// A browser on that page, with the tag loaded.
pub async fn opened(service: &Service, attributes: &str, calls: &str) -> (Browser, Site) {
    let elsewhere = page("/elsewhere", "<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>");
    let front = front_page(&service.public_url(), attributes, calls);
    let site = Site::start(vec![front, elsewhere]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    (browser, site)
}

/// Ends when the tag has loaded.
pub async fn loaded(browser: &Browser) {
    browser.eventually("the tag has loaded", "return window.datafly && datafly.loaded").await;
}

/// Ends when no page of the site has anything left to send.
pub async fn emptied(browser: &Browser) {
    let left = "return Object.keys(localStorage).every((key) => !key.startsWith('freshsignal-event:'))";
    browser.eventually("the queue is empty", left).await;
}

/// The events that took effect, in the order they were received, each with what was sent (`raw`).
pub async fn events(service: &Service) -> Vec<Value> {
    service.processed().await;
    let mut events = Vec::new();
    for event in service.get("/api/events?limit=500").await["events"].as_array().unwrap().iter().rev() {
        // One that came again is told with the first one, as `duplicates`.
        if event["outcome"] != "duplicate" {
            let message_id = event["message_id"].as_str().unwrap();
            events.push(service.get(&format!("/api/events/{message_id}")).await);
        }
    }
    events
}

/// The events, as soon as there are so many.
pub async fn arrived(service: &Service, count: usize) -> Vec<Value> {
    eventually(&format!("{count} events arrive"), async || {
        let events = events(service).await;
        if events.len() >= count { Ok(events) } else { Err(format!("{:?}", names(&events))) }
    })
    .await
}

/// What each event is called.
pub fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// How often events were received again after they had taken effect.
pub fn received_again(events: &[Value]) -> u64 {
    events.iter().map(|event| event["duplicates"].as_u64().unwrap()).sum()
}
