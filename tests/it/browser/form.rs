//! Forms on pages of another site: posted to the service with scripts turned off, or the site's own, seen by the tag.

use serde_json::{Value, json};

use super::shop::{arrived, emptied, events, front_page, loaded};
use crate::support::app::{Service, Setup};
use crate::support::browser::Browser;
use crate::support::site::{Site, page};

#[tokio::test]
async fn a_form_without_any_script_makes_a_contact_and_thanks_the_visitor() {
    let service = Setup::new().with("SOURCES__CONTACT__FORM", "true").start().await;
    let pasted =
        service.public(reqwest::Method::GET, "/form/contact").send().await.unwrap().text().await.unwrap();
    let site = Site::start(vec![page("/contact", format!("<!doctype html><h1>Contact</h1>{pasted}"))]).await;
    let browser = Browser::start().await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;

    browser.open(&site.url("/contact")).await;
    browser.fill("[name=name]", "Jane Doe").await;
    browser.fill("[name=email]", "jane@example.com").await;
    browser.fill("[name=phone]", "+1 415 555 0142").await;
    browser.click("[name=marketing_opt_in]").await;
    browser.click("button").await;
    browser.shows("h1", "Thank you").await;
    browser.screenshot("form-thanks").await;

    service.settled().await;
    let contact = service.crm.contact("jane@example.com").unwrap();
    assert_eq!(
        (&contact["first_name"], &contact["mobile_number"], &contact["subscription_status"]),
        (&json!("Jane"), &json!("+14155550142"), &json!("subscribed"))
    );

    browser.open(&site.url("/contact")).await;
    browser.fill("[name=name]", "Robot").await;
    browser.fill("[name=email]", "robot@example.com").await;
    // What people don't see a robot fills all the same.
    browser.run("document.querySelector('[name=_gotcha]').value = 'http://spam.example'").await;
    browser.click("button").await;
    browser.shows("h1", "Thank you").await;
    service.settled().await;
    assert_eq!(service.crm.contact("robot@example.com"), None);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_form_that_comes_back_is_sent_again_from_there_and_leads_on() {
    let setup = Setup::new().driven_clock().with("SOURCES__CONTACT__FORM", "true");
    let setup = setup.with("SOURCES__CONTACT__EVENTS_PER_MINUTE_MAX", "1");
    let service = setup.with("SOURCES__CONTACT__FORM_REQUIRED", "company").start().await;
    let action = format!("{}/form/contact", service.public_url());
    let form = format!(
        "<!doctype html><h1>Contact</h1><form method=post action='{action}'><input name=email><input name=company>
         <input name=name><textarea name=message></textarea><input type=hidden name=_next><button>Send</button></form>"
    );
    let site = Site::start(vec![page("/contact", form), page("/thanks", THANKS)]).await;
    service.set("SOURCES__CONTACT__ALLOWED_ORIGINS", &site.origin());
    service.set("SOURCES__CONTACT__FORM_REDIRECTS", &site.url("/thanks"));
    service.order("/api/reload", json!({})).await;
    // Somebody else uses up what may come within a minute.
    let other = service.post_without_key("/form/contact").header("accept", "application/json");
    let other = other.json(&json!({"email": "first@example.com", "company": "Globex"})).send().await.unwrap();
    assert_eq!(other.status(), 200);

    let browser = Browser::start().await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.open(&site.url("/contact")).await;
    let next = format!("document.querySelector('[name=_next]').value = {}", json!(site.url("/thanks")));
    browser.run(&next).await;
    browser.fill("[name=name]", "Jane <b>Doe").await;
    browser.fill("[name=email]", "jane@example.com").await;
    browser.fill("[name=message]", "Call me").await;
    browser.click("button").await;
    browser.shows("h1", "Not sent yet").await;
    browser.screenshot("form-incomplete").await;
    browser.fill("[name=company]", "Initech").await;
    browser.click("button").await;
    browser.shows("p", "Wait a minute").await;
    browser.screenshot("form-later").await;
    service.pass(std::time::Duration::from_mins(1));
    browser.click("button").await;
    browser.shows("h1", "Thanks").await;
    assert_eq!(browser.url().await, site.url("/thanks"));

    service.until("it is there", |_| service.crm.contact("jane@example.com").is_some()).await;
    let contact = service.crm.contact("jane@example.com").unwrap();
    assert_eq!((&contact["first_name"], &contact["company_name"]), (&json!("Jane"), &json!("Initech")));
    assert_eq!(browser.complaints().await.len(), 2, "the browser names both refusals");
    browser.close().await;
    service.finish().await;
}

/// A form of the site's own, with what the tag must not read beside what it must.
const CONTACT: &str = "<form id=contact data-freshsignal action=/thanks>
    <input name=elements value=7><input type=hidden name=action value=subscribe>
    <input name=email><input name=name value='Jane Doe'><input name=phone value='+1 415 555 0142'><textarea name=message>Call me</textarea>
    <select name=size multiple><option selected>S<option selected>L<option>M</select>
    <label><input type=checkbox name=marketing_opt_in>News</label>
    <input type=radio name=plan value=basic><input type=radio name=plan value=pro checked>
    <input type=hidden name=utm_source value=letter><input type=hidden name=lead_source value=Fair data-freshsignal>
    <input type=password name=secret1 value=geheim1><input name=pin autocomplete=one-time-code value=geheim2>
    <input autocomplete='billing cc-number' name=number value=geheim3><input name=card_number value=geheim4>
    <input type=hidden name=authenticity value=geheim5><input type=hidden name=csrf_token data-freshsignal value=geheim6>
    <fieldset disabled><input name=off value=geheim7></fieldset>
    <input name=_gotcha style='position:absolute;left:-9999px'><button>Send</button></form>";

/// The page that such a form leads to, which has no tag.
const THANKS: &str = "<!doctype html><title>Thanks</title><h1>Thanks</h1>";

async fn on_contact_page(service: &Service, script: &str) -> (Browser, Site) {
    let front = front_page(&service.public_url(), "data-auto-page=false", "");
    let front = front
        .replacing("<h1>Shop</h1>", &format!("<h1>Shop</h1><div id=place></div><script>{script}</script>"));
    let site = Site::start(vec![front, page("/thanks", THANKS)]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.run(&format!("document.getElementById('place').innerHTML = {}", json!(CONTACT))).await;
    (browser, site)
}

#[tokio::test]
async fn a_marked_form_is_a_lead_like_a_posted_one_and_goes_where_it_went() {
    let service = Service::start().await;
    let (browser, site) = on_contact_page(&service, "").await;
    browser.fill("[name=email]", "jane@example.com").await;
    browser.click("[name=marketing_opt_in]").await;
    browser.click("#contact button").await;
    browser.shows("h1", "Thanks").await;
    assert!(browser.url().await.starts_with(&site.url("/thanks?elements=7&action=subscribe&email=jane")));
    let events = arrived(&service, 1).await;
    let raw = &events[0]["raw"];
    assert_eq!((&raw["type"], &raw["event"]), (&json!("track"), &json!("Lead Generated")));
    assert_eq!(
        raw["traits"],
        json!({"email": "jane@example.com", "name": "Jane Doe", "phone": "+1 415 555 0142"})
    );
    let properties =
        json!({"elements": "7", "message": "Call me", "size": "S, L", "plan": "pro", "lead_source": "Fair"});
    assert_eq!(raw["properties"], properties);
    assert_eq!(
        (&raw["consent"], &raw["context"]["campaign"]),
        (&json!({"marketing": true}), &json!({"source": "letter"}))
    );
    assert_eq!(raw["anonymousId"].as_str().map(str::len), Some(32));
    assert!(!raw.to_string().contains("geheim"), "{raw}");
    service.settled().await;
    let contact = service.crm.contact("jane@example.com").unwrap();
    assert_eq!(
        (&contact["mobile_number"], &contact["subscription_status"]),
        (&json!("+14155550142"), &json!("subscribed"))
    );
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_form_that_the_page_sends_itself_is_seen_once_and_a_robot_makes_nothing() {
    let service = Service::start().await;
    // It clears the fields and lets nobody else hear of it.
    let own =
        "addEventListener('submit', (event) => { event.preventDefault(); event.stopImmediatePropagation();
        event.target.reset(); document.title = 'Sent'; });";
    let (browser, _site) = on_contact_page(&service, own).await;
    for email in ["jane@example.com", "jane@example.com", "sam@example.com"] {
        browser.fill("[name=email]", email).await;
        browser.click("#contact button").await;
    }
    browser.run("document.querySelector('[name=_gotcha]').value = 'http://spam.example'").await;
    browser.fill("[name=email]", "robot@example.com").await;
    browser.click("#contact button").await;
    // A form that is not marked is the page's alone.
    browser
        .run("const form = document.forms[0]; form.removeAttribute('data-freshsignal'); form.requestSubmit()")
        .await;
    assert_eq!(browser.run("return document.title").await, json!("Sent"));
    emptied(&browser).await;
    let emails: Vec<Value> =
        events(&service).await.iter().map(|event| event["raw"]["traits"]["email"].clone()).collect();
    assert_eq!(emails, [json!("jane@example.com"), json!("sam@example.com")]);
    browser.close().await;
    service.finish().await;
}
