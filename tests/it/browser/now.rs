//! The first view, "Now": what somebody who opens the page for the first time learns from it, each in at most two clicks.

use serde_json::json;

use super::debugger::go;
use crate::support::app::{Service, Setup};
use crate::support::browser::Browser;
use crate::support::events::{ann, identify_ann, identify_sam, lead_of_ann, lead_of_sam};

pub async fn opened(service: &Service) -> Browser {
    let browser = Browser::start().await;
    browser.open(&format!("{}/debug", service.private_url())).await;
    browser.shows("h1", "Now").await;
    browser
}

#[tokio::test]
async fn a_contact_has_a_time_line_of_what_was_done_sent_and_said() {
    let service = Service::start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    let browser = Browser::start().await;
    // The address alone leads to the page.
    browser.open(&service.private_url()).await;
    browser.shows("h1", "Now").await;
    browser.shows("#sandbox", "Sandbox").await;
    go(&browser, "#/contacts/sam.lee%40example.com").await;
    browser.shows(".timeline", "event: Lead Generated").await;
    browser.shows(".timeline", "delivered").await;
    browser.shows(".timeline", "Call (new contact) Delivered").await;
    browser.shows(".timeline", "consent: marketing granted").await;
    pictures(&browser, "contact-timeline").await;
    browser.close().await;
    service.finish().await;
}

/// Somebody filled the newsletter form of a page that sends no email along.
fn sign_up_without_an_email(number: usize) -> serde_json::Value {
    json!({"type": "track", "event": "Lead Generated", "anonymousId": format!("visitor-{number}"),
        "messageId": format!("without-{number}"),
        "context": {"page": {"url": "https://shop.example/newsletter?utm=1"}}})
}

async fn pictures(browser: &Browser, name: &str) {
    for (theme, width, height) in [("light", 1280, 1800), ("dark", 1280, 1800), ("phone", 390, 844)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, height).await;
        browser.screenshot(&format!("{name}-{theme}")).await;
        let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "{name} is wider than the screen ({theme}): {wider}");
    }
    browser.color_scheme("light").await;
    browser.size(1280, 900).await;
}

#[tokio::test]
async fn a_calm_day_says_that_nothing_is_wrong_and_what_came() {
    let service = Service::start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    service.settled().await;
    let browser = opened(&service).await;
    browser.shows("main .note.good", "Nothing is wrong").await;
    browser.shows("#destination", "Running").await;
    browser.shows(".tiles", "May calls leave?\nYes").await;
    browser.shows(".tiles", "Delivered today\n1").await;
    browser.shows("main", "Lead Generated").await;
    browser.shows("main", "Nothing was dropped today").await;
    browser.shows(".timeline", "Service started").await;
    pictures(&browser, "now-calm").await;
    browser.close().await;
    service.finish().await;
}

/// A service on a day on which much is wrong: a contact is refused, a form of a page sends no email, an event has no rule, a banner
/// says no, and more is owed than the account's hour allows.
pub async fn bad_day() -> Service {
    let setup = Setup::new().with("ALLOWANCE__PER_HOUR", "4").with("CONSENT__REQUIRED", "");
    let service = setup.start().await;
    service.crm.fault(json!({"status": 422, "email": ann(1), "times": 9, "body": {"errors": {"code": 422, "message": ["Last name can't be blank"]}}}));
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    let consent = json!({"type": "identify", "userId": "u-9", "messageId": "banner-1", "traits": {"email": "u9@example.com"},
        "context": {"consent": {"categoryPreferences": {"marketing": false}}}});
    service.send_all((0..5).map(sign_up_without_an_email).collect()).await;
    service.send(consent).await;
    let unmapped =
        json!({"type": "track", "event": "Button Clicked", "userId": "u-9", "messageId": "click-1"});
    service.send(unmapped).await;
    let leads = (2..8).flat_map(|number| [identify_ann(number), lead_of_ann(number)]).collect();
    service.send_all(leads).await;
    service.processed().await;
    service
}

#[tokio::test]
async fn a_bad_day_answers_what_is_wrong_when_calls_leave_what_was_dropped_and_what_to_do() {
    let service = bad_day().await;
    let browser = opened(&service).await;

    // Is anything wrong, may calls leave, and if not when; when is the backlog gone; how long do leads wait.
    browser.shows("#destination", "Allowance used up · ").await;
    browser.shows("main .note.wait", "calls that the account allows in an hour are made").await;
    browser.shows(".tiles", "May calls leave?\nAbout ").await;
    browser.shows(".tiles", "record").await;
    browser.shows(".tiles", "Leads waiting").await;
    let never = "return document.body.innerText.includes('Running')";
    assert_eq!(browser.run(never).await, json!(false), "nothing is called running while nothing can leave");
    // Which page sends events without an email; what was dropped and why.
    browser.shows(".dropped", "5 events today").await;
    browser.shows(".dropped td.page", "https://shop.example/newsletter").await;
    browser.shows("main", "No rule of the mapping names these events").await;
    // Is the banner arriving.
    browser.shows("table.consent", "marketing").await;
    // What was refused, why, what to do, and whether sending again helps.
    browser.shows("table.refused", "Last name can't be blank").await;
    browser.shows("table.refused", "Freshsales demands a field that was not sent").await;
    browser.shows("table.refused", "Sending again does not help before").await;
    pictures(&browser, "now-bad").await;

    // One click from a reason to its records, one from an outcome to its events.
    browser.click("table.refused a").await;
    browser.shows("h1", "Dead letters").await;
    browser.shows("tbody", &ann(1)).await;
    browser.press("0").await;
    browser.shows("h1", "Now").await;
    browser.click(".dropped a.row").await;
    browser.shows("h1", "Lead Generated").await;

    service.order("/api/pause", json!({})).await;
    go(&browser, "#/now").await;
    browser.shows("#destination", "Paused").await;
    browser.shows(".timeline", "Calls paused").await;
    browser.close().await;
    service.finish().await;
}
