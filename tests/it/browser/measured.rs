//! What the tag costs a page. Prints the figures that docs/reference/tag.md names:
//! `cargo test --test it browser::measured -- --nocapture`.

use super::recorder::Recorder;
use super::shop::{arrived, emptied, front_page, loaded};
use crate::support::app::Service;
use crate::support::browser::Browser;
use crate::support::site::Site;

#[tokio::test]
async fn the_tag_is_small_soon_there_and_thrifty() {
    let service = Service::start().await;
    let recorder = Recorder::start(&service, []).await;
    let pages = vec![front_page(&recorder.url(), "data-auto-page=false", "")];
    let site = Site::start(pages).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser
        .run("for (let n = 0; n < 10; n++) datafly.track('Product Viewed', {sku: 'A-' + n, price: 48})")
        .await;
    emptied(&browser).await;
    let asked = recorder.asked();
    let bytes: usize = asked.iter().map(|asked| asked.body.len()).sum();
    println!("ten events of one moment: {} request, {bytes} bytes of body", asked.len());
    assert_eq!(asked.len(), 1);
    assert!(bytes < 10 * 1024, "{bytes} bytes");

    let site = Site::start(vec![front_page(&service.public_url(), "", "")]).await;
    browser.open(&site.url("/")).await;
    arrived(&service, 1).await;
    emptied(&browser).await;
    let times = "const entry = (part) => performance.getEntriesByType('resource').find(({name}) => name.includes(part));
        const [tag, event] = [entry('/tag.js'), entry('/ingest')];
        return tag && event && [tag.responseEnd, event.startTime, event.responseEnd].map(Math.round);";
    let times = browser.eventually("both requests are over", times).await;
    println!(
        "after the start of the page: tag loaded, first event sent, first event acknowledged: {times} ms"
    );

    let compressed = service.public(reqwest::Method::GET, "/tag.js").header("accept-encoding", "gzip");
    let compressed = compressed.send().await.unwrap().bytes().await.unwrap().len();
    println!("the tag: {compressed} bytes compressed");
    assert!(compressed < 6_000, "{compressed} bytes");
    browser.close().await;
    service.finish().await;
}
