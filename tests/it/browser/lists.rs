//! Lists that people work in: several outcomes at once, a text, what comes back after Back and Esc, older rows by scrolling, and
//! a file of what is filtered.

use serde_json::json;

use super::debugger::{debugger, go};
use crate::support::app::Service;
use crate::support::events::{ann, identify_ann, lead_of_ann};

async fn with_people(count: usize) -> Service {
    let service = Service::start().await;
    service.send_all((0..count).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service
        .send(json!({"type": "track", "event": "Button Clicked", "anonymousId": "v", "messageId": "click-1",
        "context": {"page": {"url": "https://shop.example/pricing"}}}))
        .await;
    service.settled().await;
    service
}

const ROWS: &str = "return document.querySelectorAll('main tbody tr').length";

#[tokio::test]
async fn several_outcomes_and_a_text_are_filtered_at_once() {
    let service = with_people(3).await;
    let browser = debugger(&service).await;
    browser.click(".outcomes > summary").await;
    browser.click("#outcome-queued").await;
    browser.click("#outcome-not_mapped").await;
    browser.shows(".outcomes > summary", "2 chosen").await;
    browser.click("main form button[type=submit]").await;
    browser.eventually("four rows fit", &format!("{ROWS} === 4")).await;
    go(&browser, "#/events?search=%2Fpricing").await;
    browser.eventually("one row fits", &format!("{ROWS} === 1")).await;
    browser.shows("main tbody", "Button Clicked").await;
    for (text, rows) in [
        ("ANN-1", 2),
        ("ann-2-lead", 1),
        ("button", 1),
        ("Ann No2", 2),
        ("no2 ann", 2),
        ("nothing of the kind", 0),
    ] {
        browser.fill("#filter-search", text).await;
        browser.click("main form button[type=submit]").await;
        browser.eventually(text, &format!("{ROWS} === {rows}")).await;
    }
    for (theme, width) in [("light", 1280), ("dark", 1280), ("phone", 390)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, 900).await;
        go(&browser, "#/events?outcome=queued%2Cnot_mapped").await;
        browser.run("document.querySelectorAll('details').forEach((it) => { it.open = true })").await;
        browser.screenshot(&format!("events-filtered-{theme}")).await;
        let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "wider than the screen ({theme}): {wider}");
    }
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn filter_and_place_survive_back_and_esc_and_older_rows_come_by_scrolling() {
    let service = with_people(90).await;
    let browser = debugger(&service).await;
    browser.size(1280, 800).await;
    go(&browser, "#/events?event=lead+generated").await;
    browser.eventually("a page", &format!("{ROWS} === 50")).await;
    browser.press("d").await;
    let dense = "const rows = [...document.querySelectorAll('main tbody tr')].filter((row) => { const box = row.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; }); return rows.length";
    let seen = browser.run(&format!("document.querySelector('main table').scrollIntoView(); {dense}")).await;
    assert!(seen.as_u64().unwrap() >= 18, "18 rows and more on a laptop: {seen}");
    browser.run("window.scrollTo(0, document.body.scrollHeight)").await;
    browser.eventually("older rows come", &format!("{ROWS} === 90")).await;
    browser.run("document.querySelectorAll('main tbody tr')[70].scrollIntoView({ block: 'center' })").await;
    browser.eventually("it was scrolled", "return window.scrollY > 500").await;
    let y = browser.run("return window.scrollY").await;
    for back in ["history.back()", "esc"] {
        browser.run("document.querySelectorAll('main tbody tr .row')[70].click()").await;
        browser.shows("h1", "Lead Generated").await;
        if back == "esc" {
            browser.press("\u{e00c}").await;
        } else {
            browser.run(back).await;
        }
        browser.shows("h1", "Events").await;
        browser.eventually("all rows are there again", &format!("{ROWS} === 90")).await;
        browser
            .eventually("and so is the place", &format!("return Math.abs(window.scrollY - {y}) < 40"))
            .await;
        assert_eq!(browser.run("return location.hash").await, "#/events?event=lead+generated");
    }
    go(&browser, "#/events").await;
    assert_eq!(browser.run("return window.scrollY").await, 0, "a link begins at the top");
    browser.press("d").await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_is_filtered_is_saved_as_a_file_that_runs_nothing() {
    let service = with_people(2).await;
    let formula = "=HYPERLINK(\"http://evil.example\")";
    service.send(json!({"type": "track", "event": formula, "userId": "ann-1", "messageId": "+1"})).await;
    service.processed().await;
    let browser = debugger(&service).await;
    // What would be a file is read in its place.
    browser.run("window.saved = null; URL.createObjectURL = (blob) => { window.saved = blob; return 'blob:none'; }; HTMLAnchorElement.prototype.click = () => {};").await;
    browser.click("main .tools button[title*=spreadsheet]").await;
    browser.shows("#toast", "6 rows were saved").await;
    let text = browser.run("return window.saved.text()").await;
    let text = text.as_str().unwrap();
    assert!(text.contains("message_id,source,type,event"), "{text}");
    assert!(text.contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\""), "{text}");
    assert!(text.contains("\"'+1\"") && text.contains(&ann(1)), "{text}");
    browser.close().await;
    service.finish().await;
}

/// The columns that are to be seen, by their heads.
const HEADS: &str = "[...document.querySelectorAll('main thead th')].filter((head) => head.offsetParent).map((head) => head.textContent).join()";

#[tokio::test]
async fn the_columns_of_each_list_are_chosen_by_keyboard_and_stay_chosen() {
    let service = with_people(3).await;
    let browser = debugger(&service).await;
    browser.size(1280, 900).await;
    let heads = async |expected: &str| {
        browser.eventually(expected, &format!("return {HEADS} === '{expected}'")).await;
    };
    heads("Received,Event,Who,Outcome,Why,Source").await;
    browser.press("c").await;
    browser.shows("dialog h2", "Columns").await;
    // The first box has the focus: it is taken away, and so is the second.
    browser.press(" \u{e004} ").await;
    heads("Event,Outcome,Why,Source").await;
    browser.click("dialog input[name='Message id']").await;
    browser.press("\u{e007}").await;
    heads("Event,Outcome,Why,Source,Message id").await;
    browser.shows("main tbody", "ann-1-lead").await;
    // What comes later has the same columns, and so has the page when it is opened again.
    service.send(json!({"type": "page", "anonymousId": "v", "messageId": "view-2"})).await;
    browser.shows("main tbody", "view-2").await;
    browser.reload().await;
    heads("Event,Outcome,Why,Source,Message id").await;
    go(&browser, "#/deliveries").await;
    heads("Opened,Record,State,Lane,Events,Attempts,Why").await;
    go(&browser, "#/contacts/ann-1%40example.com").await;
    browser.shows("main", "Its deliveries").await;
    go(&browser, "#/events").await;
    for (theme, width) in [("light", 1280), ("dark", 1280), ("phone", 390)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, 900).await;
        browser.press("c").await;
        browser.shows("dialog h2", "Columns").await;
        browser.screenshot(&format!("columns-{theme}")).await;
        if let Some(barriers) = browser.barriers().await {
            assert_eq!(barriers, json!([]), "columns are offered ({theme})");
        }
        let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "wider than the screen ({theme}): {wider}");
        browser.press("\u{e00c}").await;
    }
    browser.size(1280, 900).await;
    browser.click("main [data-columns]").await;
    browser.click("dialog .actions button[type=button]").await;
    heads("Received,Event,Who,Outcome,Why,Source").await;
    assert_eq!(browser.run("return localStorage.getItem('freshsignal-columns-events')").await, json!(null));
    // What somebody else wrote there does no harm.
    browser.run("localStorage.setItem('freshsignal-columns-events', '{')").await;
    browser.reload().await;
    heads("Received,Event,Who,Outcome,Why,Source").await;
    browser.close().await;
    service.finish().await;
}
