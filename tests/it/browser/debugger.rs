//! The debugger's page: lists, details, filters, orders and the playground, by mouse and by keyboard.

use std::time::Duration;

use serde_json::json;

use crate::support::app::{Service, Setup};
use crate::support::browser::Browser;
use crate::support::events::{ann, ann_says, identify_ann, identify_sam, lead_of_ann, lead_of_sam};
use crate::support::wait::eventually;

/// Every view by its address, with the name of its pictures.
const VIEWS: [(&str, &str); 10] = [
    ("events", "#/events"),
    ("event", "#/events/sam-lead?source=website"),
    ("event-that-ended", "#/events/hash-1?source=website"),
    ("contacts", "#/contacts"),
    ("contact", "#/contacts/ann-2%40example.com"),
    ("deliveries", "#/deliveries"),
    ("dead-letters", "#/dead-letters"),
    ("playground", "#/playground"),
    ("status", "#/status"),
    ("connect", "#/connect"),
];

pub async fn debugger(service: &Service) -> Browser {
    let browser = Browser::start().await;
    browser.open(&format!("{}/debug#/events", service.private_url())).await;
    browser.shows("h1", "Events").await;
    browser
}

pub async fn go(browser: &Browser, hash: &str) {
    browser.run(&format!("location.hash = {}", json!(hash))).await;
    let ready = "return document.querySelector('main h1') && !document.querySelector('main .loading')";
    browser.eventually(&format!("{hash} is shown"), ready).await;
}

/// Waits until the list has rows with these texts in them, in this order.
async fn rows_are(browser: &Browser, expected: &[&str]) {
    let what = format!("the rows are those of {expected:?}");
    let script = format!(
        "const rows = [...document.querySelectorAll('main tbody tr')].map((row) => row.innerText);
         const expected = {};
         return rows.length === expected.length && expected.every((text, nth) => rows[nth].includes(text))",
        json!(expected)
    );
    browser.eventually(&what, &script).await;
}

/// A service that has seen something of everything.
async fn eventful() -> Service {
    let service = Setup::new().with("CONSENT__REQUIRED", "").start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.send(json!({"type": "page", "anonymousId": "visitor-1", "messageId": "view-1"})).await;
    service
        .send(
            json!({"type": "track", "event": "Button Clicked", "userId": "user-456", "messageId": "click-1"}),
        )
        .await;
    service
        .send(json!({"type": "track", "event": "Signed Up", "userId": "hash-1", "messageId": "hash-1",
        "properties": {"email": "a".repeat(64)}}))
        .await;
    service.settled().await;
    service.send(lead_of_sam()).await;
    service.crm.fault(json!({"status": 422, "email": ann(1), "times": 9, "body": {"errors": {"code": 422, "message": ["Last name can't be blank"]}}}));
    service.send_all(vec![identify_ann(1), lead_of_ann(1), identify_ann(2), lead_of_ann(2)]).await;
    service.settled().await;
    let moved = json!({"city": "Berlin", "phone": "12"});
    service.send(ann_says(2, "ann-2-moved", &moved)).await;
    service.settled().await;
    service.post("/ingest").body("{").send().await.unwrap();
    service.post("/ingest").json(&json!({"type": "track", "userId": "u"})).send().await.unwrap();
    service
}

#[tokio::test]
async fn every_view_has_its_picture_light_and_dark_and_on_a_phone() {
    let service = eventful().await;
    let browser = debugger(&service).await;
    for (theme, width, height) in [("light", 1280, 900), ("dark", 1280, 900), ("phone", 390, 844)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, height).await;
        for (name, hash) in VIEWS {
            go(&browser, hash).await;
            browser.screenshot(&format!("debugger-{name}-{theme}")).await;
            let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
            assert!(wider.as_i64().unwrap() <= 0, "{name} is wider than the screen ({theme}): {wider}");
        }
    }
    browser.color_scheme("light").await;
    browser.size(1120, 1700).await;
    go(&browser, "#/events/sam-lead?source=website").await;
    browser.screenshot("debugger").await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn events_arrive_live_are_filtered_and_can_be_held() {
    let service = Service::start().await;
    let browser = debugger(&service).await;
    browser.shows("main", "No event yet").await;
    browser.shows(".live", "Live").await;
    service.send(identify_sam()).await;
    rows_are(&browser, &["Remembered"]).await;
    service.send(lead_of_sam()).await;
    rows_are(&browser, &["Lead Generated", "identify"]).await;

    browser.press("p").await;
    browser.shows(".live", "Paused").await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    browser.shows(".live", "2 new").await;
    rows_are(&browser, &["Lead Generated", "identify"]).await;
    browser.press("p").await;
    rows_are(&browser, &["ann-1@", "ann-1@", "sam.lee@", "sam.lee@"]).await;

    browser.press("/").await;
    browser.press("sam.lee@example.com\u{e007}").await;
    rows_are(&browser, &["sam.lee@", "sam.lee@"]).await;
    service.send(ann_says(1, "ann-1-moved", &json!({"city": "Berlin"}))).await;
    service.send(json!({"type": "page", "userId": "user-456", "messageId": "sam-view"})).await;
    rows_are(&browser, &["page", "sam.lee@", "sam.lee@"]).await;
    go(&browser, "#/events?outcome=queued&event=lead+generated").await;
    rows_are(&browser, &["ann-1@", "sam.lee@"]).await;
    go(&browser, "#/events?person=ann-1&span=900").await;
    rows_are(&browser, &["identify", "Lead Generated", "identify"]).await;
    go(&browser, "#/events?email=nobody@example.com").await;
    browser.shows("main", "No event fits").await;

    service.post("/ingest").body("{").send().await.unwrap();
    go(&browser, "#/events?outcome=rejected").await;
    rows_are(&browser, &["the body was not the JSON that the route takes"]).await;
    service.post("/ingest").json(&json!({"type": "track", "userId": "u"})).send().await.unwrap();
    rows_are(&browser, &["a track event without its name", "malformed_body"]).await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn rows_on_screen_follow_what_becomes_of_their_deliveries() {
    let service = Service::start().await;
    let browser = debugger(&service).await;
    browser.shows(".live", "Live").await;
    service.order("/api/pause", json!({})).await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    rows_are(&browser, &["waiting", "Remembered"]).await;
    browser.press("p").await;
    service.send(json!({"type": "page", "userId": "user-456", "messageId": "sam-view"})).await;
    browser.shows(".live", "1 new").await;
    service.crm.fault(json!({"status": 422, "email": ann(1), "times": 9, "body": {"errors": {"code": 422, "message": ["Last name can't be blank"]}}}));
    service.order("/api/resume", json!({})).await;
    service.settled().await;
    rows_are(&browser, &["delivered", "Remembered"]).await;
    browser.press("p").await;
    rows_are(&browser, &["delivered", "delivered", "Remembered"]).await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    browser.shows("tbody tr .outcome", "refused").await;
    browser.shows("tbody tr .why", "Last name can't be blank").await;

    go(&browser, "#/events/sam-lead?source=website").await;
    browser.shows(".title .outcome", "delivered").await;
    browser.shows(".note.good", "Freshsales accepted it").await;
    go(&browser, "#/events/ann-1-lead").await;
    browser.shows(".note.stop", "Freshsales refused it: Last name can't be blank").await;
    go(&browser, "#/contacts/ann-1%40example.com").await;
    browser.shows("main tbody .outcome", "refused").await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn one_event_is_explained_from_end_to_end_and_reached_by_keyboard() {
    let service = eventful().await;
    let browser = debugger(&service).await;
    go(&browser, "#/events?event=Lead+Generated&outcome=queued").await;
    rows_are(&browser, &["ann-2@", "ann-1@", "sam.lee@"]).await;
    browser.press("jjjjk").await;
    browser.press("j\u{e007}").await;
    browser.shows("h1", "Lead Generated").await;
    browser.shows("main", "marketing granted by context.consent.categoryPreferences.marketing = true").await;
    browser.shows(".comparison", "mobile_number").await;
    browser.shows(".comparison", "traits.phone").await;
    browser.shows("main", "\"company_name\": \"Globex\"").await;
    browser.shows("main", "201").await;
    let curl = "return document.querySelector('.attempt[open] .json').textContent.includes('Copy as curl')";
    assert_eq!(browser.run(curl).await, json!(true));
    assert!(!browser.text("main").await.contains("sandbox-key"), "the key stays where it is");

    go(&browser, "#/events/hash-1").await;
    browser.shows(".step.ends h2", "Person").await;
    browser.shows(".note", "Freshsales needs the address").await;
    browser.press("\u{e00c}").await;
    browser.shows("h1", "Events").await;

    go(&browser, "#/contacts/ann-1%40example.com").await;
    browser.shows(".note.stop", "Last name can't be blank").await;
    browser.shows(".comparison", "missing").await;
    go(&browser, "#/contacts/ann-2%40example.com").await;
    browser.shows(".note.good", "Freshsales has it as wanted").await;
    browser.shows("main", "mobile_number from traits.phone").await;
    go(&browser, "#/deliveries?state=dead").await;
    rows_are(&browser, &["ann-1@example.com"]).await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_is_not_there_is_explained_and_shown_once_it_is() {
    let service = Service::start().await;
    let browser = debugger(&service).await;
    browser.shows(".live", "Live").await;
    browser.run("location.hash = '#/events/late-1'").await;
    browser.shows("main .empty", "No event with this message id").await;
    service.send(json!({"type": "page", "userId": "u", "messageId": "late-1"})).await;
    browser.shows("h1", "page").await;
    browser.offline(true).await;
    browser.run("location.hash = '#/deliveries'").await;
    browser.shows("main .problem", "The service does not answer").await;
    browser.offline(false).await;
    browser.eventually("it is read, by itself or on a press", "document.querySelector('main .problem button')?.click(); return document.querySelector('main .empty')").await;
    let refused = browser.complaints().await;
    let expected =
        |complaint: &String| complaint.contains("404") || complaint.contains("ERR_INTERNET_DISCONNECTED");
    assert!(refused.iter().all(expected), "{refused:?}");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_may_be_lost_stands_above_every_view() {
    // The minute after which the service ends does not pass.
    let service = Setup::new().driven_clock().start().await;
    let (here, there) = (service.data_folder().join("journal.db"), service.data_folder().join("moved.db"));
    std::fs::rename(&here, &there).unwrap();
    let browser = debugger(&service).await;
    for view in ["#/events", "#/contacts"] {
        go(&browser, view).await;
        browser.shows("#banner", "journal.db was renamed, removed or replaced").await;
    }
    std::fs::rename(&there, &here).unwrap();
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn the_playground_decides_and_explains_what_it_can_not_read() {
    let service = Service::start().await;
    let browser = debugger(&service).await;
    browser.press("7").await;
    browser.shows("h1", "Playground").await;
    browser.shows("main .card", "\"mobile_number\": \"+14155550142\"").await;
    browser.fill("#playground", r#"{"type":"track","event":"Odd","userId":"u"}"#).await;
    browser.click("main button[type=submit]").await;
    browser.shows("main .card", "Not mapped").await;
    browser.fill("#playground", "{\"type\":").await;
    browser.click("main button[type=submit]").await;
    browser.shows("main .note", "That is not JSON yet").await;
    assert_eq!(service.status().await["accepted"], 0);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_strangers_sent_shows_as_text_and_never_runs() {
    let payloads: Vec<String> = serde_json::from_str(include_str!("../../fixtures/stored_xss.json")).unwrap();
    assert_eq!(payloads.len(), 25);
    let service = Service::start().await;
    let mut events = Vec::new();
    for (nth, payload) in payloads.iter().enumerate() {
        let email = format!("x{nth}@example.com");
        service.crm.fault(json!({"status": 422, "email": email, "times": 9, "body": {"errors": {"code": 422, "message": [payload]}}}));
        events.push(json!({"type": "identify", "userId": payload, "messageId": format!("{nth} {payload}").chars().take(100).collect::<String>(),
            "traits": {"email": email, "first_name": payload, "last_name": payload, "city": payload, "phone": payload,
                payload.as_str(): payload}}));
        events.push(json!({"type": "track", "event": "Lead Generated", "userId": payload, "messageId": format!("lead-{nth}"),
            "properties": {"url": payload, "name": payload}, "context": {"page": {"url": payload}}}));
        events.push(json!({"type": "track", "event": payload, "anonymousId": payload, "messageId": format!("odd-{nth}")}));
    }
    service.send_all(events).await;
    service.settled().await;

    let browser = debugger(&service).await;
    let mark =
        "window.ran = []; window.xss = (what) => { window.ran.push(what); }; window.alert = window.xss;";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": mark })).await;
    browser.reload().await;
    browser.shows("h1", "Events").await;
    let mut views = vec![
        "#/events".to_owned(),
        "#/deliveries".to_owned(),
        "#/contacts".to_owned(),
        "#/deliveries?state=dead".to_owned(),
        "#/dead-letters".to_owned(),
        "#/connect".to_owned(),
    ];
    for nth in 0..payloads.len() {
        views.push(format!("#/events/lead-{nth}"));
        views.push(format!("#/contacts/x{nth}%40example.com"));
        views.push(format!("#/events/odd-{nth}"));
    }
    for payload in &payloads {
        views.push(format!("#/events?email={}", percent(payload)));
        views.push(format!("#/{}", percent(payload)));
    }
    for view in &views {
        go(&browser, view).await;
        let look = "const bad = 'script:not([src^=\"debug/\"]), img:not([src^=\"debug/\"]), iframe, object, embed, base, video, marquee, style, math, form form, [onerror], [onload], [onfocus], [onmouseover], [ontoggle], [onstart]';
            document.querySelectorAll('details').forEach((details) => { details.open = true; });
            const links = [...document.querySelectorAll('main a')].filter((link) => !link.getAttribute('href').startsWith('#'));
            return {ran: window.ran, bad: [...document.querySelectorAll(bad)].map((one) => one.outerHTML), links: links.length}";
        assert_eq!(browser.run(look).await, json!({"ran": [], "bad": [], "links": 0}), "{view}");
    }
    for (nth, payload) in payloads.iter().enumerate() {
        go(&browser, &format!("#/events/lead-{nth}")).await;
        let shown = browser.run("return document.querySelector('main').textContent").await;
        // A zero byte is shown as what the browser makes of it.
        let text = payload.split('\0').next().unwrap();
        assert!(shown.as_str().unwrap().contains(text), "{payload} does not show as it is");
    }
    // Emails that are none are refused by name; the console knows of no more, but that nobody leafs so fast by hand.
    let mut refused = browser.complaints().await;
    refused.retain(|complaint| !complaint.contains("Throttling navigation"));
    assert!(refused.iter().all(|complaint| complaint.contains("400 (Bad Request)")), "{refused:?}");
    browser.close().await;
    service.finish().await;
}

/// As `encodeURIComponent` writes it.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test]
async fn the_token_is_asked_for_once_and_goes_along_with_everything() {
    let token = "it-admin-token-of-more-than-32-characters";
    let service = Setup::new().with("ADMIN__TOKEN", token).start().await;
    service.send(identify_sam()).await;
    service.processed().await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/debug#/events", service.private_url())).await;
    browser.shows("dialog", "This listener is not open without a token").await;
    browser.press("\u{e00c}").await;
    browser.shows("main .problem", "Nothing is shown without a token").await;
    browser.shows(".live", "Not live").await;
    assert_eq!(
        browser.run("return document.querySelectorAll('dialog, main tbody tr').length").await,
        json!(0)
    );
    browser.click("main .problem button").await;
    browser.shows("dialog", "This listener is not open without a token").await;
    browser.fill("#token", "not-the-token").await;
    browser.press("\u{e007}").await;
    browser.shows("dialog .wrong", "not the one").await;
    browser.fill("#token", token).await;
    browser.press("\u{e007}").await;
    rows_are(&browser, &["sam.lee@example.com"]).await;
    browser.shows(".live", "Live").await;
    assert!(browser.complaints().await.iter().all(|complaint| complaint.contains("401 (Unauthorized)")));
    assert_eq!(
        browser.run("return [document.cookie, localStorage.getItem('freshsignal-token')]").await,
        json!(["", null])
    );
    browser.reload().await;
    rows_are(&browser, &["sam.lee@example.com"]).await;
    browser.click("#out").await;
    browser.shows("dialog", "This listener is not open without a token").await;
    browser.complaints().await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn the_status_draws_the_last_hours() {
    let service = Setup::new().with("ALLOWANCE__PER_HOUR", "100").driven_clock().start().await;
    for minute in 0..45_usize {
        let busy = minute % 15;
        let people =
            (minute * 20..minute * 20 + busy / 3).flat_map(|ann| [identify_ann(ann), lead_of_ann(ann)]);
        let views = (0..=busy * 3).map(|_| json!({"type": "page", "anonymousId": "visitor-1"}));
        service.send_all(people.chain(views).collect()).await;
        service.processed().await;
        service.pass(Duration::from_mins(1));
        let taken = format!("the sample of minute {minute}");
        eventually(&taken, async || {
            let history = service.get("/api/status/history").await;
            let samples = history["samples"].as_array().unwrap().len();
            if samples >= minute + 2 { Ok(()) } else { Err(format!("{samples} samples")) }
        })
        .await;
    }
    let browser = debugger(&service).await;
    for (theme, width, height) in [("light", 1280, 1500), ("dark", 1280, 1500), ("phone", 390, 844)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, height).await;
        go(&browser, "#/status").await;
        browser
            .eventually("the plots are drawn", "return document.querySelectorAll('.plot path').length >= 7")
            .await;
        browser.screenshot(&format!("debugger-status-hours-{theme}")).await;
        go(&browser, "#/events").await;
    }
    go(&browser, "#/status").await;
    browser
        .eventually("the plots are drawn", "return document.querySelectorAll('.plot path').length >= 7")
        .await;
    let labels = "return [...document.querySelectorAll('.plot svg')].map((plot) => plot.getAttribute('aria-label')).join(' ')";
    let labels = browser.run(labels).await;
    assert!(labels.as_str().unwrap().contains("may be used 90"), "{labels}");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn dead_letters_are_sent_again_after_a_look_at_the_cost_or_discarded() {
    let service = Service::start().await;
    for number in [1, 2, 3] {
        let refusal = json!({"errors": {"code": 422, "message": ["Last name can't be blank"]}});
        service.crm.fault(json!({"status": 422, "email": ann(number), "times": 1, "body": refusal}));
        service.send_all(vec![identify_ann(number), lead_of_ann(number)]).await;
    }
    service.settled().await;
    let browser = debugger(&service).await;
    browser.press("6").await;
    rows_are(&browser, &["ann-3@", "ann-2@", "ann-1@"]).await;
    browser.shows("tbody tr", "Last name can't be blank").await;

    browser.click("input[aria-label='Choose ann-2@example.com']").await;
    browser.click("main .tools .primary").await;
    browser.shows("dialog", "That is 1 call").await;
    browser.press("\u{e00c}").await;
    assert_eq!(service.crm.contact(&ann(2)), None, "nothing happens before it is confirmed");
    browser.click("main .tools .primary").await;
    browser.shows("dialog", "That is 1 call").await;
    browser.click("dialog .primary").await;
    let sent =
        eventually("the chosen one is sent", async || service.crm.contact(&ann(2)).ok_or_else(String::new));
    assert_eq!(sent.await["last_name"], "No2");
    rows_are(&browser, &["ann-3@", "ann-1@"]).await;

    browser.click("tbody tr:last-child .danger").await;
    browser.shows("dialog", "ann-1@example.com").await;
    browser.click("dialog .danger").await;
    rows_are(&browser, &["ann-3@"]).await;
    assert_eq!(service.status().await["ended"]["discarded"], 1);

    browser.click("main .tools button:last-child").await;
    browser.shows("dialog", "That is 1 call").await;
    browser.click("dialog .primary").await;
    eventually("the last one is sent", async || service.crm.contact(&ann(3)).ok_or_else(String::new)).await;
    service.settled().await;
    go(&browser, "#/events").await;
    go(&browser, "#/dead-letters").await;
    browser.shows("main", "No dead letters").await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn calls_are_paused_and_resumed_by_hand() {
    let service = Service::start().await;
    let browser = debugger(&service).await;
    browser.press("8").await;
    browser.shows("main .actions", "Pause calls").await;
    browser.click("main .actions button").await;
    browser.shows("dialog", "Pause all calls?").await;
    browser.click("dialog .primary").await;
    browser.shows("#banner", "Paused by hand").await;
    browser.shows("main .actions", "Resume calls").await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.open("waiting", 1).await;
    browser.shows(".tile", "1 record").await;
    go(&browser, "#/contacts/ann-1%40example.com").await;
    browser.shows(".note.wait", "calls are paused by hand").await;
    browser.press("8").await;
    browser.shows("main .actions", "Resume calls").await;
    browser.click("main .actions .primary").await;
    service.settled().await;
    assert!(service.crm.contact(&ann(1)).is_some());
    browser.shows("main .actions", "Pause calls").await;
    let gone = "return document.getElementById('banner').textContent === ''";
    browser.eventually("the banner goes", gone).await;
    browser.close().await;
    service.finish().await;
}
