//! Page views: of pages that are their own routers, with the title that comes a moment later, and of restored pages.

use serde_json::{Value, json};

use super::shop::{arrived, emptied, loaded, names, opened};
use crate::support::app::Service;
use crate::support::browser::Browser;

/// Path with query and fragment, title and referrer of each view.
fn views(events: &[Value], site: &str) -> Vec<Value> {
    let views = events.iter().filter(|event| event["event"] == "page");
    let place = |url: &Value| json!(url.as_str().unwrap().strip_prefix(site).unwrap_or_default());
    views
        .map(|event| {
            let properties = &event["raw"]["properties"];
            let page = &event["raw"]["context"]["page"];
            assert_eq!((&page["url"], &page["title"]), (&properties["url"], &properties["title"]));
            json!([place(&properties["url"]), properties["title"], place(&properties["referrer"])])
        })
        .collect()
}

async fn moved(attributes: &str, script: &str, count: usize) -> Vec<Value> {
    let service = Service::start().await;
    let (browser, site) = opened(&service, attributes, "").await;
    arrived(&service, 1).await;
    browser.run(script).await;
    let events = arrived(&service, count).await;
    let views = views(&events, &site.origin());
    browser.close().await;
    service.finish().await;
    views
}

#[tokio::test]
async fn the_title_of_a_view_is_that_of_its_page_where_it_comes_later() {
    let cart = json!(["/cart", "Cart", "/"]);
    for script in [
        "history.pushState({}, '', '/cart'); setTimeout(() => { document.title = 'Cart'; }, 300)",
        "history.pushState({}, '', '/old'); history.replaceState({}, '', '/cart'); document.title = 'Cart'",
        // What happens on the page is not told before the page is.
        "history.pushState({}, '', '/cart'); setTimeout(() => { document.title = 'Cart'; datafly.track('Added'); }, 50)",
    ] {
        let count = if script.contains("track") { 3 } else { 2 };
        assert_eq!(moved("", script, count).await[1], cart, "{script}");
    }
    let twice = "history.pushState({}, '', '/a');
        setTimeout(() => { history.pushState({}, '', '/b'); document.title = 'B'; }, 150)";
    assert_eq!(moved("", twice, 3).await[1..], [json!(["/a", "Shop", "/"]), json!(["/b", "B", "/a"])]);
    let same = "history.pushState({}, '', '/same')";
    assert_eq!(
        moved("", same, 2).await[1],
        json!(["/same", "Shop", "/"]),
        "a page without a title of its own"
    );
}

#[tokio::test]
async fn back_is_a_view_with_the_title_that_the_page_gives_it() {
    let script = "addEventListener('popstate', () => setTimeout(() => { document.title = 'Shop'; }, 200));
        history.pushState({}, '', '/cart'); document.title = 'Cart'; setTimeout(() => history.back(), 100)";
    assert_eq!(
        moved("", script, 3).await[1..],
        [json!(["/cart", "Cart", "/"]), json!(["/", "Shop", "/cart"])]
    );
}

#[tokio::test]
async fn a_view_whose_page_is_left_before_its_title_came_is_sent() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "", "").await;
    arrived(&service, 1).await;
    browser
        .run("history.pushState({}, '', '/cart'); setTimeout(() => { location.href = '/elsewhere'; })")
        .await;
    browser.shows("h1", "Elsewhere").await;
    let events = arrived(&service, 2).await;
    assert_eq!(views(&events, &site.origin())[1], json!(["/cart", "Shop", "/"]));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn routes_in_the_fragment_are_views_where_the_page_says_so() {
    let script = "location.hash = '#/cart'; document.title = 'Cart'";
    assert_eq!(moved("data-hash-routes", script, 2).await[1], json!(["/#/cart", "Cart", "/"]));
    let service = Service::start().await;
    let (browser, _site) = opened(&service, "", "").await;
    browser.run(script).await;
    browser.run("datafly.track('Last')").await;
    assert_eq!(names(&arrived(&service, 2).await), ["page", "Last"]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_restored_page_is_a_view_where_the_page_says_so() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, "data-restored=true", "").await;
    arrived(&service, 1).await;
    emptied(&browser).await;
    browser.run("window.stayed = true").await;
    browser.open(&site.url("/elsewhere")).await;
    back(&browser).await;
    assert_eq!(names(&arrived(&service, 2).await), ["page", "page"]);
    browser.close().await;
    service.finish().await;
}

async fn back(browser: &Browser) {
    browser.run("history.back()").await;
    browser.shows("h1", "Shop").await;
    loaded(browser).await;
    assert_eq!(browser.run("return window.stayed").await, json!(true));
}
