//! The harness itself: what a page does and says is seen, from another origin than the service's.

use serde_json::json;

use crate::support::app::{Service, WRITE_KEY};
use crate::support::browser::Browser;
use crate::support::site::{Site, page, script};

#[tokio::test]
async fn a_page_of_another_origin_sends_an_event_by_hand() {
    let service = Service::start().await;
    let site = Site::start(vec![page("/", "<!doctype html><title>Shop</title><h1>Shop</h1>")]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    browser.shows("h1", "Shop").await;
    assert_ne!(site.origin(), service.public_url());
    let send = format!(
        "const event = {{type: 'identify', userId: 'u1', messageId: 'by-hand', traits: {{}}}};
         const options = {{method: 'POST', body: JSON.stringify(event)}};
         return fetch('{}/ingest?writeKey={WRITE_KEY}', options).then((answer) => answer.json());",
        service.public_url()
    );
    assert_eq!(browser.run(&send).await["accepted"], json!(1));
    service.processed().await;
    assert_eq!(service.outcome("by-hand").await, "person_updated");
    browser.open(&format!("{}/healthz", service.private_url())).await;
    browser.shows("body", r#"{"status":"ok"}"#).await;
    // A browser asks for an icon that this is none of.
    assert!(browser.complaints().await.iter().all(|complaint| complaint.contains("favicon.ico")));
    let picture = browser.screenshot("harness").await;
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_a_page_complains_of_is_seen() {
    let files = vec![
        page("/", "<!doctype html><title>Broken</title><script src='/broken.js'></script>"),
        script("/broken.js", "console.log('fine'); console.warn('odd'); missing();"),
        page("/strict", "<!doctype html><script>alert(1)</script>").under_policy("script-src 'self'"),
    ];
    let site = Site::start(files).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    let complaints = browser.complaints().await;
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(
        complaints[0].contains("odd") && complaints[1].contains("missing is not defined"),
        "{complaints:?}"
    );
    browser.open(&site.url("/strict")).await;
    let complaints = browser.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].contains("Content Security Policy"), "{complaints:?}");
    browser.close().await;
}

#[tokio::test]
async fn what_keeps_people_from_using_a_page_is_seen() {
    let bad = "<!doctype html><html lang=en><title>Bad</title><main><h1>Bad</h1><input></main>";
    let site = Site::start(vec![page("/", bad)]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    if let Some(barriers) = browser.barriers().await {
        assert!(barriers.to_string().contains("label"), "{barriers}");
    }
    browser.complaints().await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_without_its_network_gets_nothing_until_it_is_back() {
    let site = Site::start(vec![page("/", "<!doctype html><title>Shop</title>")]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    let look = "return fetch('/').then((answer) => answer.ok, () => false)";
    browser.offline(true).await;
    assert_eq!(browser.run(look).await, json!(false));
    let complaints = browser.complaints().await;
    assert!(complaints[0].contains("ERR_INTERNET_DISCONNECTED"), "{complaints:?}");
    browser.offline(false).await;
    assert_eq!(browser.run(look).await, json!(true));
    browser.close().await;
}

#[tokio::test]
async fn a_form_is_filled_by_mouse_and_keyboard_in_two_tabs_light_and_dark() {
    let form = "<!doctype html><title>Form</title><style>:root{color-scheme:light dark}</style>
        <form><input id=name value=old><button id=send>Send</button></form><output id=said></output>
        <script>document.forms[0].onsubmit = (event) => {
            event.preventDefault();
            const said = document.getElementById('name').value;
            setTimeout(() => { document.getElementById('said').textContent = 'Hello ' + said; });
        }</script>";
    let site = Site::start(vec![page("/", form)]).await;
    let browser = Browser::start().await;
    browser.size(390, 844).await;
    browser.color_scheme("dark").await;
    browser.open(&site.url("/")).await;
    let seen = "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]";
    assert_eq!(browser.run(seen).await, json!([390, true]));
    browser.fill("#name", "Ann").await;
    browser.click("#send").await;
    browser.shows("#said", "Hello Ann").await;

    let first = browser.new_tab().await;
    browser.open(&format!("{}?second", site.url("/"))).await;
    browser.click("#name").await;
    browser.press(" Sam\u{e007}").await;
    browser.eventually("the answer", "return document.getElementById('said').textContent").await;
    assert_eq!(browser.text("#said").await, "Hello old Sam");
    browser.close_tab(&first).await;
    assert_eq!(browser.url().await, site.url("/"));
    browser.reload().await;
    assert_eq!(browser.text("#said").await, "");
    browser.close().await;
}
