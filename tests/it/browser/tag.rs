//! The JavaScript tag on a page of another origin: what its calls become.

use serde_json::{Value, json};

use super::shop::{arrived, emptied, events, loaded, names, of_the_page, opened, received_again, stub};
use crate::support::app::{Service, Setup, WRITE_KEY};
use crate::support::browser::Browser;
use crate::support::site::{Site, page, script};

const SAM_BECOMES_A_LEAD: &str = r#"
    datafly.consent({marketing: true});
    datafly.identify("user-456", {email: "sam.lee@example.com", first_name: "Sam", last_name: "Lee",
        phone: "+1 (415) 555-0142", company: "Globex"});
    datafly.track("Lead Generated", {value: 0});"#;
const SAM_IN_THE_CRM: &str = r#"{"unique_identifier":{"emails":"sam.lee@example.com"},"contact":{"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","subscription_status":"subscribed"}}"#;

#[tokio::test]
async fn calls_made_before_it_has_loaded_end_as_the_documented_contact() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, "", SAM_BECOMES_A_LEAD).await;
    let events = arrived(&service, 4).await;
    assert_eq!(names(&events), ["page", "identify", "identify", "Lead Generated"]);
    service.settled().await;
    assert_eq!(service.crm.body(0), SAM_IN_THE_CRM);
    assert_eq!(service.crm.calls(), 1);
    emptied(&browser).await;
    assert_eq!(received_again(&events), 0);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn the_snippets_of_the_page_on_the_tag_run_as_they_stand() {
    let service = Service::start().await;
    let html = of_the_page("html")
        .replace("https://events.example.com", &service.public_url())
        .replace("KEY", WRITE_KEY);
    let site = Site::start(vec![page("/", html)]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    browser.run(of_the_page("js")).await;
    arrived(&service, 5).await;
    service.settled().await;
    let contact = json!({"emails": "jane.doe@example.com", "first_name": "Jane", "last_name": "Doe",
        "mobile_number": "+447700900123", "subscription_status": "subscribed"});
    assert_eq!(service.crm.contact("jane.doe@example.com"), Some(contact));
    browser.close().await;
    service.finish().await;

    let of_demo = include_str!("../../../src/cli/demo/stub.js").lines().last().unwrap();
    assert_eq!(of_demo, stub(), "the demo has the same stub");
}

#[tokio::test]
async fn calls_made_after_it_has_loaded_end_as_the_documented_contact() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "", "").await;
    arrived(&service, 1).await;
    browser.run(SAM_BECOMES_A_LEAD).await;
    arrived(&service, 4).await;
    service.settled().await;
    assert_eq!(service.crm.body(0), SAM_IN_THE_CRM);
    emptied(&browser).await;

    // The next page knows whose it is, and a view that changes nothing is no call.
    browser.open(&site.url("/?utm_source=letter")).await;
    let events = arrived(&service, 5).await;
    assert_eq!(events[4]["person"], json!("user:user-456"));
    assert_eq!(events[4]["outcome"], json!("unchanged"));
    assert_eq!(service.crm.calls(), 1);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn an_event_says_where_and_when_it_happened() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "data-auto-page=false", "").await;
    let url = site.url("/?utm_source=letter&utm_campaign=spring&x=1");
    browser.open(&format!("{url}#top")).await;
    loaded(&browser).await;
    browser.run(r#"datafly.track("Lead Generated", {value: 0}, {context: {ip: "0.0.0.0"}})"#).await;
    let events = arrived(&service, 1).await;
    let mut raw = events[0]["raw"].clone();
    let taken = |raw: &mut Value, key: &str| raw.as_object_mut().unwrap().remove(key).unwrap();
    let anonymous_id = taken(&mut raw, "anonymousId");
    assert_eq!(anonymous_id.as_str().unwrap().len(), 32);
    assert_eq!(taken(&mut raw, "messageId").as_str().unwrap().len(), 32);
    assert!(taken(&mut raw, "timestamp").as_str().unwrap().ends_with('Z'));
    let context = raw["context"].as_object_mut().unwrap();
    assert!(context.remove("timezone").unwrap().as_str().is_some_and(|zone| !zone.is_empty()));
    assert_eq!(context.remove("screen").unwrap().as_object().unwrap().len(), 3);
    let expected = json!({
        "type": "track",
        "event": "Lead Generated",
        "properties": {"value": 0},
        "context": {
            "page": {"path": "/", "referrer": "", "search": "?utm_source=letter&utm_campaign=spring&x=1",
                "title": "Shop", "url": url},
            "campaign": {"source": "letter", "name": "spring"},
            "locale": "en-US",
            "library": {"name": "freshsignal", "version": env!("CARGO_PKG_VERSION")},
            "ip": "0.0.0.0",
        },
    });
    assert_eq!(raw, expected);
    // The cookie holds the id for a year, for whoever wants it on the server.
    assert_eq!(
        browser.run("return document.cookie").await,
        json!(format!("freshsignal-anonymous-id={}", anonymous_id.as_str().unwrap()))
    );
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn every_call_has_its_event() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, "data-auto-page=false", "").await;
    let calls = r#"
        datafly.page("Docs", "Pricing", {plan: "pro"});
        datafly.page("Home");
        datafly.page();
        datafly.identify({email: "ann@example.com"});
        datafly.identify(42, {name: "Ann"});
        datafly.group("g1", {name: "Globex"});
        datafly.alias("43");
        datafly.push(["track", "Pushed", {by: "hand"}]);
        datafly.track("Last");
        let ready = 0;
        datafly.ready(() => ready++);
        return ready;"#;
    assert_eq!(browser.run(calls).await, json!(1));
    let events = arrived(&service, 9).await;
    let said = |nth: usize, key: &str| events[nth]["raw"][key].clone();
    assert_eq!(names(&events)[7..], ["Pushed", "Last"]);
    assert_eq!((said(0, "name"), said(0, "category")), (json!("Pricing"), json!("Docs")));
    assert_eq!(events[0]["raw"]["properties"]["plan"], json!("pro"));
    assert_eq!((said(1, "name"), said(1, "category")), (json!("Home"), Value::Null));
    assert_eq!(events[2]["raw"]["properties"]["title"], json!("Shop"));
    assert_eq!((said(3, "userId"), said(3, "traits")), (Value::Null, json!({"email": "ann@example.com"})));
    assert_eq!((said(4, "userId"), said(4, "traits")), (json!("42"), json!({"name": "Ann"})));
    assert_eq!((said(5, "groupId"), said(5, "userId")), (json!("g1"), json!("42")));
    assert_eq!((said(6, "previousId"), said(6, "userId")), (json!("42"), json!("43")));
    assert_eq!((said(8, "userId"), said(8, "properties")), (json!("43"), json!({})));
    // A time of its own for each keeps their order.
    let times: std::collections::BTreeSet<_> =
        events.iter().map(|event| event["timestamp"].to_string()).collect();
    assert_eq!(times.len(), 9);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_mistake_of_the_page_is_named_and_breaks_nothing() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, "data-auto-page=false", "").await;
    let circular =
        "const loop = {}; loop.loop = loop; datafly.track('Loop', loop); datafly.push(['nonsense']);";
    browser.run(circular).await;
    let complaints = browser.complaints().await;
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints.iter().all(|complaint| complaint.contains("freshsignal:")), "{complaints:?}");
    browser.run("datafly.track('Fine')").await;
    assert_eq!(names(&arrived(&service, 2).await), ["Loop", "Fine"]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn after_a_reset_the_browser_is_somebody_elses() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "data-auto-page=false", "").await;
    browser.run("datafly.identify('u1'); datafly.reset(); datafly.track('After')").await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.run("datafly.track('Later')").await;
    let events = arrived(&service, 3).await;
    let who = |nth: usize| (events[nth]["raw"]["userId"].clone(), events[nth]["raw"]["anonymousId"].clone());
    assert_eq!(who(0).0, json!("u1"));
    assert_eq!(who(1).0, Value::Null);
    assert_ne!(who(1).1, who(0).1);
    assert_eq!(who(2), who(1));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn the_visitor_stays_known_while_cookie_or_storage_lasts() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "data-auto-page=false", "").await;
    let id = "return document.cookie.match(/freshsignal-anonymous-id=(\\w+)/)[1]";
    let first = browser.run(id).await;
    let forget = "document.cookie = 'freshsignal-anonymous-id=;max-age=0;path=/;domain=localhost';
        document.cookie = 'freshsignal-anonymous-id=;max-age=0;path=/'; return document.cookie";
    assert_eq!(browser.run(forget).await, json!(""));
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    assert_eq!(browser.run(id).await, first, "from localStorage");
    browser.run("localStorage.clear()").await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    assert_eq!(browser.run(id).await, first, "from the cookie");
    let expired =
        "localStorage.setItem('freshsignal-anonymous-id', JSON.stringify(['old', Date.now() - 1]));";
    browser.run(&format!("{expired}{forget}")).await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    assert_ne!(browser.run(id).await, json!("old"));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn without_a_lifetime_nothing_of_the_visitor_outlives_the_session() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, "data-auto-page=false data-cookie-days=0", "").await;
    let cookies = browser.devtools("Network.getCookies", json!({})).await;
    assert_eq!(cookies["cookies"][0]["name"], json!("freshsignal-anonymous-id"));
    assert_eq!(cookies["cookies"][0]["session"], json!(true));
    assert_eq!(browser.run("return Object.keys(localStorage)").await, json!([]));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_that_is_its_own_router_has_a_view_for_each_step() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "", "").await;
    arrived(&service, 1).await;
    browser.run("history.pushState({}, '', '/cart'); document.title = 'Cart'").await;
    arrived(&service, 2).await;
    browser.run("history.pushState({}, '', '/cart#top')").await;
    browser.run("history.replaceState({}, '', '/cart?sort=1#top')").await;
    browser.run("history.go(-2)").await;
    let events = arrived(&service, 3).await;
    assert_eq!(names(&events), ["page", "page", "page"]);
    let view = |nth: usize| {
        let properties = &events[nth]["raw"]["properties"];
        json!([properties["url"], properties["referrer"], properties["title"]])
    };
    assert_eq!(view(0), json!([site.url("/"), "", "Shop"]));
    assert_eq!(view(1), json!([site.url("/cart"), site.url("/"), "Cart"]));
    assert_eq!(view(2), json!([site.url("/"), site.url("/cart"), "Cart"]));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_view_called_early_is_the_one_of_the_load() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, "", "datafly.page('Landing'); datafly.track('Last');").await;
    let events = arrived(&service, 2).await;
    assert_eq!(names(&events), ["page", "Last"]);
    assert_eq!(events[0]["raw"]["name"], json!("Landing"));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn it_may_have_another_name_and_be_on_a_page_twice() {
    let service = Service::start().await;
    let tag = format!(
        "<script src='{}/tag.js' data-write-key={WRITE_KEY} data-global=signal></script>",
        service.public_url()
    );
    let site = Site::start(vec![page("/", format!("<!doctype html><title>Shop</title>{tag}{tag}"))]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    assert_eq!(browser.run("signal.track('Named'); return typeof datafly").await, json!("undefined"));
    assert_eq!(names(&arrived(&service, 2).await), ["page", "Named"]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn it_works_under_a_strict_policy_and_a_prefix_against_blockers() {
    let service = Setup::new().with("SERVER__PATH_PREFIX", "/relay").start().await;
    let events_at = service.public_url();
    let policy = format!(
        "default-src 'none'; script-src 'self' {events_at}; connect-src {events_at}; img-src 'self'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let html = format!(
        "<!doctype html><title>Strict</title><script src=/stub.js></script>
         <script async src='{events_at}/relay/tag.js' data-write-key={WRITE_KEY}></script>"
    );
    let stub = format!("{} datafly.track('Strict');", stub());
    let site = Site::start(vec![page("/", html).under_policy(policy), script("/stub.js", stub)]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    assert_eq!(names(&arrived(&service, 2).await), ["page", "Strict"]);
    let asked =
        "const asked = performance.getEntriesByType('resource').map(({name}) => new URL(name).pathname);
        return asked.includes('/relay/ingest') && asked";
    let asked = browser.eventually("the request is over", asked).await.to_string();
    assert!(asked.contains("\"/relay/tag.js\"") && !asked.contains("\"/ingest\""), "{asked}");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn it_sends_to_the_public_url_wherever_it_came_from() {
    let service = Service::start().await;
    let elsewhere = Setup::new().with("SERVER__PUBLIC_URL", &service.public_url()).start().await;
    let (browser, _site) = opened(&elsewhere, "", "").await;
    assert_eq!(names(&arrived(&service, 1).await), ["page"]);
    assert_eq!(events(&elsewhere).await.len(), 0);
    browser.close().await;
    elsewhere.finish().await;
    service.finish().await;
}

#[tokio::test]
async fn without_a_write_key_it_says_so() {
    let service = Service::start().await;
    let tag = format!("<script src='{}/tag.js'></script>", service.public_url());
    let site = Site::start(vec![page("/", format!("<!doctype html><title>Shop</title>{tag}"))]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    let complaints = browser.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].contains("data-write-key"), "{complaints:?}");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_shown_from_the_cache_of_the_browser_goes_on_as_before() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "data-auto-page=false", "").await;
    browser.run("window.stayed = true; datafly.track('Before')").await;
    arrived(&service, 1).await;
    emptied(&browser).await;
    browser.open(&site.url("/elsewhere")).await;
    browser.run("history.back()").await;
    browser.shows("h1", "Shop").await;
    browser.run("datafly.track(window.stayed ? 'After' : 'Loaded anew')").await;
    // Owning the queue must not keep a page out of that cache.
    assert_eq!(names(&arrived(&service, 2).await), ["Before", "After"]);
    emptied(&browser).await;
    browser.close().await;
    service.finish().await;
}
