//! The tag on pages as they are: beside other scripts and other tags, in old tabs, where something is forbidden or wrong.

use serde_json::{Value, json};

use super::recorder::Recorder;
use super::shop::{arrived, emptied, front_page, loaded, names, opened};
use crate::support::app::{Service, Setup, WRITE_KEY};
use crate::support::browser::Browser;
use crate::support::site::{File, Site, page, script};
use crate::support::wait::eventually;

const MANUAL: &str = "data-auto-page=false";

/// The user ids and anonymous ids of events.
fn who(events: &[Value]) -> Vec<(Value, Value)> {
    events.iter().map(|event| (event["raw"]["userId"].clone(), event["raw"]["anonymousId"].clone())).collect()
}

/// A browser on the first of these pages.
async fn on(files: Vec<File>) -> (Browser, Site) {
    let site = Site::start(files).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    (browser, site)
}

#[tokio::test]
async fn an_older_tab_says_nothing_of_the_user_before() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, MANUAL, "").await;
    browser.run("datafly.identify('f1', {email: 'f1@example.com', name: 'First One'})").await;
    let first = browser.new_tab().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser
        .run("datafly.reset(); datafly.identify('f2', {email: 'f2@example.com', name: 'Second Two'})")
        .await;
    arrived(&service, 2).await;
    browser.switch_to(&first).await;
    browser.run("datafly.identify({phone: '+1 415 555 0142'}); datafly.track('Lead Generated')").await;
    let events = arrived(&service, 4).await;
    assert_eq!(who(&events)[3].0, json!("f2"));
    assert_eq!((&who(&events)[1], &who(&events)[2]), (&who(&events)[3], &who(&events)[3]));
    service.settled().await;
    assert_eq!(service.crm.contact("f2@example.com").unwrap()["mobile_number"], json!("+14155550142"));
    assert_eq!(
        service.crm.contact("f1@example.com").and_then(|contact| contact.get("mobile_number").cloned()),
        None
    );
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_restored_by_back_says_nothing_of_the_user_before() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, MANUAL, "").await;
    browser.run("window.stayed = true; datafly.identify('f1')").await;
    emptied(&browser).await;
    // Another page of the site, where somebody else logs in.
    browser.open(&site.url("/?other")).await;
    loaded(&browser).await;
    browser.run("datafly.reset(); datafly.identify('f2')").await;
    emptied(&browser).await;
    browser.run("history.back()").await;
    browser.eventually("it is restored", "return window.stayed").await;
    browser.run("datafly.track('After')").await;
    let events = arrived(&service, 3).await;
    assert_eq!(who(&events)[2], who(&events)[1]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn an_id_that_a_mistake_made_is_none() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, MANUAL, "").await;
    browser
        .run("for (const id of ['undefined', 'null', NaN, 'NaN', undefined, null, '']) datafly.identify(id)")
        .await;
    emptied(&browser).await;
    // One that an older version has kept counts for nothing either.
    browser.run("document.cookie = 'freshsignal-user-id=undefined;path=/'").await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.run("datafly.track('After')").await;
    let events = arrived(&service, 8).await;
    assert!(who(&events).iter().all(|(user, _)| user.is_null()), "{:?}", who(&events));
    browser.close().await;
    service.finish().await;
}

/// The days that the cookie of the anonymous id still lasts; `None` for one that ends with the session.
async fn days_left(browser: &Browser) -> Option<f64> {
    let cookies = browser.devtools("Network.getCookies", json!({})).await;
    let cookies = cookies["cookies"].as_array().unwrap();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let now = browser.run("return Date.now() / 1000").await.as_f64().unwrap();
    let until = cookies[0]["expires"].as_f64().unwrap();
    (!cookies[0]["session"].as_bool().unwrap()).then(|| ((until - now) / 86_400.0).round())
}

#[tokio::test]
async fn a_visitor_is_known_from_the_last_visit_on_as_long_as_the_page_says_now() {
    let service = Service::start().await;
    let tag = |path, days| {
        let tag = front_page(&service.public_url(), &format!("{MANUAL} data-cookie-days={days}"), "");
        tag.at(path)
    };
    let (browser, site) = on(vec![tag("/", 300), tag("/shorter", 30), tag("/session", 0)]).await;
    loaded(&browser).await;
    assert_eq!(days_left(&browser).await, Some(300.0));
    let id = browser.run("return document.cookie").await;
    // As it is after two hundred days.
    browser
        .run("document.cookie = document.cookie + ';path=/;domain=localhost;max-age=' + 100 * 86400")
        .await;
    for (path, left) in [("/", Some(300.0)), ("/shorter", Some(30.0)), ("/session", None), ("/", Some(300.0))]
    {
        browser.open(&site.url(path)).await;
        loaded(&browser).await;
        assert_eq!(days_left(&browser).await, left, "{path}");
        assert_eq!(browser.run("return document.cookie").await, id);
    }
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_module_is_told_apart_from_scripts_of_others() {
    let service = Service::start().await;
    let tag = format!("{}/tag.js?writeKey={WRITE_KEY}", service.public_url());
    let others = "<script src=/other.js data-write-key=OTHERS></script>";
    let module = page(
        "/",
        format!("<!doctype html><title>Shop</title>{others}<script type=module src='{tag}'></script>"),
    );
    let imported = page(
        "/import",
        format!("<!doctype html><title>Shop</title>{others}<script>import('{tag}')</script>"),
    );
    let (browser, site) = on(vec![module, imported, script("/other.js", "")]).await;
    assert_eq!(names(&arrived(&service, 1).await), ["page"]);
    browser.open(&site.url("/import")).await;
    assert_eq!(names(&arrived(&service, 2).await), ["page", "page"]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_copy_without_a_key_or_an_element_of_its_name_does_not_spoil_it() {
    let service = Service::start().await;
    let keyless = format!("<script src='{}/tag.js'></script>", service.public_url());
    let front = front_page(&service.public_url(), MANUAL, "datafly.track('Called')");
    let (browser, _site) =
        on(vec![front.replacing("<h1>", &format!("<div id=datafly></div>{keyless}<h1>"))]).await;
    assert_eq!(names(&arrived(&service, 1).await), ["Called"]);
    let complaints = browser.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].contains("data-write-key"), "{complaints:?}");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_second_tag_with_another_key_says_why_it_does_not_send_or_sends() {
    let service = Setup::new().with("SOURCES__OTHER__WRITE_KEY", "other-key").start().await;
    let second = |attributes: &str| {
        let second = format!(
            "<script src='{}/tag.js' data-write-key=other-key {attributes}></script>",
            service.public_url()
        );
        front_page(&service.public_url(), MANUAL, "")
            .replacing("</script>\n<script>", &format!("</script>{second}<script>"))
    };
    let (browser, site) =
        on(vec![second(MANUAL), second("data-auto-page=false data-global=signal").at("/named")]).await;
    loaded(&browser).await;
    let complaints = browser.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].contains("data-global"), "{complaints:?}");
    browser.open(&site.url("/named")).await;
    loaded(&browser).await;
    browser.run("datafly.track('One'); signal.track('Two')").await;
    let events = arrived(&service, 2).await;
    let mut sources: Vec<_> =
        events.iter().map(|event| (event["event"].clone(), event["source"].clone())).collect();
    sources.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(sources[0].0, json!("One"));
    assert_ne!(sources[0].1, sources[1].1);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_that_may_keep_nothing_still_sends_as_one_visitor() {
    let service = Service::start().await;
    let calls = "datafly.identify('u1'); datafly.track('Last');";
    let front = front_page(&service.public_url(), MANUAL, calls).under_policy("sandbox allow-scripts");
    let (browser, _site) = on(vec![front]).await;
    let events = arrived(&service, 2).await;
    assert_eq!(who(&events)[0], who(&events)[1]);
    assert_eq!(who(&events)[0].0, json!("u1"));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_can_not_be_written_costs_itself_alone_and_callbacks_are_called() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, "").await;
    let calls = "
        const odd = {many: 12n, fine: [1, {deep: 2}], get broken() { throw new Error('no'); }, list: [1n, () => 1]};
        odd.loop = odd;
        document.body.self = document.body;
        odd.element = document.body;
        window.called = [];
        datafly.track('Odd', odd, () => called.push('track'));
        datafly.identify('u1', {plan: 'pro'}, {}, () => called.push('identify'));
        datafly.page(() => called.push('page'));";
    browser.run(calls).await;
    browser.eventually("all are called", "return called.length === 3").await;
    let events = arrived(&service, 3).await;
    assert_eq!(
        events[0]["raw"]["properties"],
        json!({"many": "12", "fine": [1, {"deep": 2}], "list": ["1", null]})
    );
    assert_eq!(names(&events), ["Odd", "identify", "page"]);
    let complaints = browser.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].contains("JSON"), "{complaints:?}");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn why_an_event_is_not_taken_is_said_once_in_the_services_words() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, "").await;
    browser
        .run("datafly.track('Big', {text: '\\u00e9'.repeat(20000)}); datafly.track(''); datafly.track('')")
        .await;
    browser.run("datafly.track('Fine')").await;
    assert_eq!(names(&arrived(&service, 1).await), ["Fine"]);
    emptied(&browser).await;
    let complaints = browser.complaints().await;
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].contains("too large") && complaints[0].contains("Big"), "{complaints:?}");
    assert!(complaints[1].contains("a track event needs its name"), "{complaints:?}");
    browser.close().await;

    let unknown =
        front_page(&service.public_url(), MANUAL, "datafly.track('Only')").replacing(WRITE_KEY, "unknown");
    let (browser, _site) = on(vec![unknown]).await;
    let mut said = String::new();
    eventually("it says why", async || {
        said += &browser.complaints().await.concat();
        if said.contains("no source has this write key") { Ok(()) } else { Err(said.clone()) }
    })
    .await;
    // It is asked for again and again, and each time the browser complains.
    drop(browser);
    service.finish().await;
}

#[tokio::test]
async fn addresses_and_secrets_of_a_page_stay_there() {
    let service = Service::start().await;
    let recorder = Recorder::start(&service, []).await;
    let attributes = format!("{MANUAL} data-keep-query=x-key");
    let browser = Browser::start().await;
    let cases: Vec<(String, String)> =
        serde_json::from_str(include_str!("../../fixtures/page_addresses.json")).unwrap();
    for (nth, (address, _)) in cases.iter().enumerate() {
        // As the referrer of a view: an address of any form, other than that of a page.
        let set = format!("Object.defineProperty(document, 'referrer', {{value: {}}});", json!(address));
        let name = json!(format!("/{nth}"));
        let front = front_page(&recorder.url(), &attributes, "");
        let front = front.replacing("<h1>", &format!("<script>{set}</script><h1>"));
        let site = Site::start(vec![front]).await;
        browser.open(&site.url("/?email=ann%40shop.example&a=1#token=2")).await;
        loaded(&browser).await;
        browser.run(&format!("document.title = 'For ann@shop.example'; datafly.page({name})")).await;
        emptied(&browser).await;
    }
    let asked = recorder.asked();
    let events: Vec<Value> = asked
        .iter()
        .map(|asked| serde_json::from_str::<Value>(&asked.body).unwrap()["batch"][0].clone())
        .collect();
    for ((address, cleaned), event) in cases.iter().zip(&events) {
        assert_eq!(event["context"]["page"]["referrer"], json!(cleaned), "{address}");
        assert_eq!(event["properties"]["search"], json!("?a=1"));
        assert_eq!(event["properties"]["title"], json!("For (email)"));
        assert!(!event.to_string().contains("ann@") && !event.to_string().contains("token=2"), "{event}");
    }
    assert_eq!(events.len(), cases.len());
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_the_script_declares_has_the_name_of_no_global() {
    let parts = ["tag", "queue", "consent", "calls", "forms", "pages"];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ingest/js");
    let source: String =
        parts.map(|part| std::fs::read_to_string(folder.join(format!("{part}.js"))).unwrap()).concat();
    let browser = Browser::start().await;
    let find = format!(
        "const source = {};
         const given = Array.from(source.matchAll(/\\(([^()]*)\\) =>/g), ([, names]) => names.match(/\\w+/g) || []);
         const declared = source.match(/(?<=\\b(?:const|let) )\\w+/g).concat(...given);
         // Those are names of properties too, so they stay.
         return declared.filter((word) => word in window && !['name', 'event', 'status'].includes(word));",
        json!(source)
    );
    assert_eq!(browser.run(&find).await, json!([]), "squeezing would rename the global too");
    browser.close().await;
}
