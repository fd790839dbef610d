//! The debugger's view "Connect": what to paste, whether anything came, and what to look at.

use std::process::Command;

use serde_json::json;

use super::debugger::{debugger, go};
use crate::support::app::{Service, Setup, WRITE_KEY};
use crate::support::events::identify_sam;

const TOKEN: &str = "a-token-of-a-hook-in-a-test-of-40-chars9";

/// A shop with a key, a form of another source, and two hooks.
fn connected(public_url: &str) -> Setup {
    [
        ("SERVER__PUBLIC_URL", public_url),
        ("SOURCES__CONTACT__FORM", "true"),
        ("SOURCES__IDLE__ENABLED", "true"),
        ("HOOKS__STRIPE__KIND", "stripe"),
        ("HOOKS__STRIPE__SOURCE", "website"),
        ("HOOKS__STRIPE__SECRET", "whsec_never_shown_4242"),
        ("HOOKS__ZAPIER__KIND", "generic"),
        ("HOOKS__ZAPIER__SOURCE", "website"),
        ("HOOKS__ZAPIER__TOKEN_HEADER", "x-token"),
        ("HOOKS__ZAPIER__SECRET", TOKEN),
    ]
    .into_iter()
    .fold(Setup::new(), |setup, (key, value)| setup.with(key, value))
}

async fn form(service: &Service, body: &'static str) {
    let post = service.post_without_key("/form/contact");
    post.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
}

#[tokio::test]
async fn whoever_connects_a_sender_sees_what_to_paste_what_came_and_what_to_look_at() {
    let service = connected("https://events.example.com").start().await;
    service.send(identify_sam()).await;
    form(&service, "email=ann@example.com").await;
    form(&service, "email=robot@example.com&_gotcha=x").await;
    for _ in 0..3 {
        service.post_without_key("/hooks/zapier").header("x-token", "wrong").body("{}").send().await.unwrap();
    }
    service.post_without_key("/hooks/strpe").body("{}").send().await.unwrap();

    let browser = debugger(&service).await;
    browser.press("9").await;
    browser.shows("h1", "Connect").await;
    browser.shows("#address", "https://events.example.com").await;
    browser.shows("#source-website [data-door=events] .counts", "1 accepted").await;
    browser.shows("#source-website [data-door=events]", "https://events.example.com/tag.js").await;
    browser.shows("#source-website [data-door=stripe]", "https://events.example.com/hooks/stripe").await;
    browser.shows("#source-website [data-door=stripe]", "ends in 4242").await;
    browser.shows("#source-website [data-door=stripe] .note", "Send a test at the vendor").await;
    browser.shows("#source-website [data-door=zapier] .note", "Compare hooks.zapier.secret").await;
    browser.shows("#source-contact [data-door=form] .counts", "1 accepted").await;
    browser
        .shows("#source-contact [data-door=form]", "action=\"https://events.example.com/form/contact\"")
        .await;
    browser.shows("#source-idle", "it has no write key").await;
    browser.shows("main", "Messages for a webhook that there is not: 1 refused").await;
    let whole = browser.text("main").await;
    assert!(
        !whole.contains("never_shown") && !whole.contains(TOKEN) && !whole.contains(WRITE_KEY),
        "{whole}"
    );

    // The key is put into the lines where whoever has it types it, and nowhere else.
    browser.fill("#key-website", "k<b>'\"&").await;
    browser.shows("#source-website [data-door=events] .paste pre", "data-write-key=\"k<b>'\"&\"").await;
    let asked = "return performance.getEntriesByType('resource').some((one) => one.name.includes('k%3C') || one.name.includes('k<'))";
    assert_eq!(browser.run(asked).await, json!(false));
    browser
        .devtools(
            "Browser.grantPermissions",
            json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}),
        )
        .await;
    browser.click("#source-website [data-door=events] .paste button").await;
    browser.shows("#toast", "JavaScript tag copied").await;

    browser.click("#source-website [data-door=zapier] .counts a").await;
    browser.shows("h1", "Events").await;
    browser.shows("tbody tr .source", "website · hook zapier").await;
    browser.shows("tbody tr .why", "signed with another secret").await;
    assert_eq!(browser.run("return document.querySelectorAll('tbody tr').length").await, json!(3));
    browser.shows("#filter-door", "Webhook zapier").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    pictures(&browser).await;
    browser.close().await;
    service.finish().await;
}

async fn pictures(browser: &crate::support::browser::Browser) {
    for (theme, width, height) in [("light", 1120, 1700), ("dark", 1280, 900), ("phone", 390, 844)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, height).await;
        go(browser, "#/events").await;
        go(browser, "#/connect").await;
        browser.screenshot(&format!("connect-{theme}")).await;
        let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "it is wider than the screen ({theme}): {wider}");
    }
}

#[tokio::test]
async fn an_address_that_nobody_configured_is_shown_as_one_for_tests_with_the_key_that_sets_it() {
    let service = connected("").start().await;
    let browser = debugger(&service).await;
    go(&browser, "#/connect").await;
    browser.shows("#address", &service.public_url()).await;
    browser.shows("main .note.wait", "server.public_url").await;
    browser.shows("#source-website .pill", "Nothing came yet").await;
    // The line for a shell works as it is, with the key in it.
    let line = "return [...document.querySelectorAll('#source-website .paste pre')].map((pre) => pre.textContent).find((text) => text.startsWith('curl -u'))";
    let line = browser.run(line).await.as_str().unwrap().replace("YOUR_WRITE_KEY", WRITE_KEY);
    // The service runs on this thread: it must not be held up.
    let shell = move || Command::new("sh").args(["-c", &format!("{} -s", line.trim())]).output().unwrap();
    let ran = tokio::task::spawn_blocking(shell).await.unwrap();
    // Where there is no curl, the shell says so.
    if ran.status.code() != Some(127) {
        let answer = String::from_utf8(ran.stdout).unwrap();
        assert!(answer.contains("\"accepted\":1"), "{answer}");
        browser.click("main .tools button").await;
        browser.shows("#source-website .pill", "Events come").await;
    }
    browser.close().await;
    service.finish().await;
}
