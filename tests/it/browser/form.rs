//! A form on a page of another site, with scripts turned off: the visitor is thanked and the contact is in the CRM.

use serde_json::json;

use crate::support::app::Setup;
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
