//! The demo page as a newcomer uses it, served by the real binary.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::command::freshsignal;
use crate::support::wait::in_time;

/// `freshsignal demo` on free ports. Ends when dropped.
struct Demo {
    child: Child,
    page: String,
}

impl Demo {
    async fn start() -> Self {
        let mut command = freshsignal(&["demo", "--port", "0"], &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, page) = sync_channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.ends_with("/demo") {
                    let _ = sender.try_send(line.trim().to_owned());
                }
            }
        });
        let said = tokio::task::spawn_blocking(move || page.recv());
        let page = in_time("the demo says where its page is", said).await.unwrap().unwrap();
        Self { child, page }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Told to, it deletes its data.
        let _ = Command::new("sh").arg("-c").arg(format!("kill -INT {}", self.child.id())).status();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_newcomer_becomes_a_contact_and_sees_why() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    browser.size(1440, 1020).await;
    browser.color_scheme("light").await;
    let still = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
    browser.devtools("Emulation.setEmulatedMedia", still).await;
    browser.open(&demo.page).await;
    // The example that the demo sent by itself, and the view of this page.
    browser.shows("#contacts", "sam.lee@example.com").await;
    browser.shows("#trail li:first-child", "page").await;
    browser.shows("#trail li:first-child", "no email yet").await;

    browser.click("#identify button.primary").await;
    browser.shows("#called", "datafly.identify(\"customer-").await;
    browser.shows("#contacts", "jane.doe@example.com").await;
    browser.click("[data-consent=true]").await;
    browser.shows("#contacts .contact:first-child", "subscribed").await;
    browser.click("[data-track='Lead Generated']").await;
    browser.shows("#trail li:first-child", "Lead Generated").await;
    browser.click("[data-page]").await;
    browser.shows("#trail li:first-child", "page").await;
    browser.shows("#trail li:first-child", "no call needed").await;
    browser.shows("#call-line", "POST /crm/sales/api/contacts/upsert → 200").await;
    browser.shows("#call-body", "\"subscription_status\": \"subscribed\"").await;
    // An order is a deal from the checkout on.
    browser.click("[data-track='Checkout Started']").await;
    browser.shows("#deals .contact:first-child", "Jane Doe, order #A-1001").await;
    browser.shows("#deals .contact:first-child", "New").await;
    browser.click("[data-track='Order Completed']").await;
    browser.shows("#deals .contact:first-child", "Won").await;
    browser.shows("#deals .contact:first-child", "linked").await;
    browser.screenshot("demo-light").await;

    browser.click("[data-track='Order Cancelled']").await;
    browser.shows("#deals .contact:first-child", "Lost").await;
    browser.click("[data-consent=false]").await;
    browser.shows("#contacts .contact:first-child", "unsubscribed").await;
    browser.fill("[name=company]", "<img src=x onerror=alert(1)>").await;
    browser.click("#identify button.primary").await;
    browser.shows("#contacts .contact:first-child", "<img src=x onerror=alert(1)>").await;
    browser.fill("[name=company]", "Acme Corp").await;
    browser.click("#identify button.primary").await;
    browser.shows("#contacts .contact:first-child", "Acme Corp").await;
    browser.color_scheme("dark").await;
    browser.screenshot("demo-dark").await;
    browser.size(390, 1400).await;
    browser.screenshot("demo-phone").await;
    let overflow = "return document.documentElement.scrollWidth > innerWidth";
    assert_eq!(browser.run(overflow).await, json!(false), "nothing is wider than a phone");
    browser.size(390, 844).await;
    browser.run("window.scrollTo(0, 0)").await;
    browser.click("[data-track='Lead Generated']").await;
    browser.shows("#latest", "Lead Generated: ").await;
    let in_sight = "const box = document.getElementById('latest').getBoundingClientRect(); return box.top > 0 && box.bottom <= innerHeight + 1";
    assert_eq!(browser.run(in_sight).await, json!(true), "what happens after a tap is in sight");
    browser.shows("#trail", "the CRM took it").await;
    browser.screenshot("demo-phone-tapped").await;
    browser.close().await;
}

#[tokio::test]
async fn its_data_is_for_pages_of_this_machine_alone() {
    let demo = Demo::start().await;
    let timeouts = freshsignal::freshsales::Timeouts {
        connect: crate::support::wait::WITHIN,
        attempt: crate::support::wait::WITHIN,
    };
    let client = freshsignal::freshsales::http_client(timeouts).unwrap();
    let state = format!("{}/state", demo.page);
    let asked = async |name: &str, value: &str| {
        client.get(&state).header(name, value).send().await.unwrap().status().as_u16()
    };
    assert_eq!(asked("accept", "*/*").await, 200);
    assert_eq!(asked("host", "rebound.example.net").await, 403);
    assert_eq!(asked("origin", "https://other.example.net").await, 403);
    let page = client.get(&demo.page).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(!html.contains("<script>") && !html.contains(" style=") && !html.contains(" onclick="));
}

#[tokio::test]
async fn it_says_what_to_do_when_the_demo_has_ended() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    browser.open(&demo.page).await;
    browser.shows("#contacts", "sam.lee@example.com").await;
    drop(demo);
    browser.shows("#problem", "Start it again with: freshsignal demo").await;
    assert!(!browser.complaints().await.is_empty(), "the browser names what failed");
    browser.open("about:blank").await;
    browser.complaints().await;
    browser.close().await;
}
