//! What the tag does to get each event to the service, and once: pages that end, networks that fail, several tabs.

use std::time::{Duration, UNIX_EPOCH};

use freshsignal::clock::{Clock, SystemClock};
use serde_json::Value;

use super::recorder::{Answer, Asked, Recorder};
use super::shop::{arrived, emptied, events, front_page, loaded, names, opened, received_again};
use crate::support::app::{Service, WRITE_KEY};
use crate::support::browser::Browser;
use crate::support::site::Site;
use crate::support::wait::eventually;

const MANUAL: &str = "data-auto-page=false";
/// Whether an answer of the service has come.
const HEARD: &str =
    "return performance.getEntriesByType('resource').some(({name}) => name.includes('/ingest'))";

/// A page whose events go to a recorder.
async fn recorded(answers: impl IntoIterator<Item = Answer>) -> (Service, Recorder, Browser, Site) {
    let service = Service::start().await;
    let recorder = Recorder::start(&service, answers).await;
    let site = Site::start(vec![front_page(&recorder.url(), MANUAL, "")]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    (service, recorder, browser, site)
}

/// How many events wait in the storage of the site.
async fn waiting(browser: &Browser) -> usize {
    let count =
        "return Object.keys(localStorage).filter((key) => key.startsWith('freshsignal-event:')).length";
    browser.run(count).await.as_u64().unwrap().try_into().unwrap()
}

#[tokio::test]
async fn ten_events_of_one_moment_are_one_request_without_a_preflight() {
    let (service, recorder, browser, _site) = recorded([]).await;
    browser.run("for (let n = 0; n < 10; n++) datafly.track('Event ' + n, {n})").await;
    let asked = recorder.asked_for(1).await;
    emptied(&browser).await;
    assert_eq!(recorder.asked().len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), &*asked[0].path),
        ("POST", &*format!("/ingest?writeKey={WRITE_KEY}"))
    );
    assert_eq!(asked[0].headers["content-type"], "text/plain");
    assert!(!asked[0].headers.contains_key("cookie"));
    let expected: Vec<String> = (0..10).map(|n| format!("Event {n}")).collect();
    assert_eq!(asked[0].events(), expected);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_that_is_left_right_after_a_call_loses_nothing() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, MANUAL, "").await;
    browser.run("datafly.identify('u1', {email: 'ann@example.com', name: 'Ann Lee'})").await;
    emptied(&browser).await;
    browser.run("datafly.track('Lead Generated'); location.href = '/elsewhere'").await;
    browser.shows("h1", "Elsewhere").await;
    // It arrives though the page is gone and no other page has the tag.
    let sent = arrived(&service, 2).await;
    assert_eq!(names(&sent), ["identify", "Lead Generated"]);
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);

    // Mostly nobody heard the answer, so the next page sends it again; that it had come before is known.
    let unheard = u64::try_from(waiting(&browser).await).unwrap();
    assert!(unheard <= 1, "{unheard}");
    browser.open(&site.url("/")).await;
    emptied(&browser).await;
    let sent = events(&service).await;
    assert_eq!((names(&sent), received_again(&sent)), (vec!["identify", "Lead Generated"], unheard));
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_that_is_hidden_right_after_a_call_sends_at_once() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, "").await;
    browser.run("datafly.track('Lead Generated')").await;
    let first = browser.new_tab().await;
    assert_eq!(names(&arrived(&service, 1).await), ["Lead Generated"]);
    browser.close_tab(&first).await;
    emptied(&browser).await;
    assert_eq!(received_again(&events(&service).await), 0);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn five_events_without_a_network_arrive_once_when_it_is_back() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, "").await;
    browser.offline(true).await;
    browser.eventually("the page knows", "return !navigator.onLine").await;
    browser.run("for (let n = 1; n <= 5; n++) datafly.track('Offline ' + n)").await;
    assert_eq!(waiting(&browser).await, 5);
    browser.offline(false).await;
    emptied(&browser).await;
    let events = events(&service).await;
    assert_eq!(names(&events), ["Offline 1", "Offline 2", "Offline 3", "Offline 4", "Offline 5"]);
    assert_eq!(received_again(&events), 0);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_could_not_be_sent_survives_a_reload() {
    let (service, recorder, browser, _site) = recorded([(503, Some("600"))]).await;
    browser.run("datafly.track('First'); datafly.track('Second')").await;
    recorder.asked_for(1).await;
    browser.eventually("the refusal is heard", HEARD).await;
    assert_eq!(waiting(&browser).await, 2);
    browser.reload().await;
    emptied(&browser).await;
    let asked = recorder.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].events(), ["First", "Second"]);
    assert_eq!(browser.complaints().await.len(), 1, "the browser names the refused request");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_service_that_says_when_to_come_again_is_left_alone_until_then() {
    let (service, recorder, browser, _site) = recorded([(503, Some("2"))]).await;
    browser.run("window.began = Date.now(); datafly.track('First')").await;
    recorder.asked_for(1).await;
    browser.eventually("the refusal is heard", HEARD).await;
    browser.run("datafly.track('Second')").await;
    let asked = recorder.asked_for(2).await;
    let waited = browser.run("return Date.now() - began").await.as_u64().unwrap();
    assert!(waited >= 2_000, "{waited} ms");
    emptied(&browser).await;
    assert_eq!(recorder.asked().len(), 2);
    assert_eq!(asked[1].events(), ["First", "Second"]);
    assert_eq!(browser.complaints().await.len(), 1, "the browser names the refused request");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_service_that_is_down_is_asked_again_until_it_answers() {
    let (service, recorder, browser, _site) = recorded([(500, None), (502, None)]).await;
    browser.run("datafly.track('Only')").await;
    let asked = recorder.asked_for(3).await;
    emptied(&browser).await;
    assert!(asked.iter().all(|asked| asked.events() == ["Only"]));
    // The very same event, so that the service knows it.
    let event = |nth: usize| serde_json::from_str::<Value>(&asked[nth].body).unwrap()["batch"].clone();
    assert!(event(0) == event(1) && event(1) == event(2));
    assert_eq!(browser.complaints().await.len(), 2);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn an_event_that_spoils_a_batch_does_not_hold_up_the_others() {
    let (service, recorder, browser, _site) = recorded([(413, None), (200, None), (413, None)]).await;
    browser.run("for (const name of ['A', 'B', 'C']) datafly.track(name)").await;
    let asked = recorder.asked_for(4).await;
    emptied(&browser).await;
    let sent: Vec<_> = asked.iter().map(Asked::events).collect();
    assert_eq!(sent, [vec!["A", "B", "C"], vec!["A"], vec!["B"], vec!["C"]]);
    assert_eq!(browser.complaints().await.len(), 2);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn an_event_that_something_on_the_way_refuses_holds_up_no_other() {
    let service = Service::start().await;
    let recorder = Recorder::refusing(&service, [], Some("' OR 1=1")).await;
    let site = Site::start(vec![front_page(&recorder.url(), MANUAL, "")]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.run("datafly.track('Refused', {q: \"' OR 1=1\"}); datafly.track('A'); datafly.track('B')").await;
    let left =
        "return Object.keys(localStorage).filter((key) => key.startsWith('freshsignal-event:')).length === 1";
    browser.eventually("all others are sent", left).await;
    let sent = |asked: Vec<Asked>| asked.iter().map(Asked::events).collect::<Vec<_>>();
    let first = sent(recorder.asked());
    assert_eq!(first[..4], [vec!["Refused", "A", "B"], vec!["Refused"], vec!["A"], vec!["B"]]);
    // The next page knows of it: what is new goes first, and at once.
    browser.reload().await;
    loaded(&browser).await;
    let before = recorder.asked().len();
    browser.run("datafly.track('C')").await;
    recorder.asked_for(before + 1).await;
    browser.eventually("all others are sent", left).await;
    assert!(sent(recorder.asked())[before..].contains(&vec!["C".to_owned()]));
    // It is asked for again and again, and each time the browser complains.
    drop(browser);
    service.finish().await;
}

/// Counts the timers of a page that are set after the first answer.
const COUNTED: &str = "window.timers = 0; const real = setTimeout;
    window.setTimeout = (...given) => { timers++; return real(...given); };";

#[tokio::test]
async fn no_answer_is_obeyed_for_ever_nor_makes_the_page_busy() {
    let service = Service::start().await;
    let recorder = Recorder::start(&service, [(503, Some("99999999999"))]).await;
    let front =
        front_page(&recorder.url(), MANUAL, "").replacing("<h1>", &format!("<script>{COUNTED}</script><h1>"));
    let site = Site::start(vec![front]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.run("datafly.track('Only')").await;
    recorder.asked_for(1).await;
    browser.eventually("the refusal is heard", HEARD).await;
    let frames = "window.frames_ = (window.frames_ || 0) + 1; return frames_ > 50";
    browser.eventually("some time has passed", frames).await;
    let timers = browser.run("return timers").await.as_u64().unwrap();
    assert!(timers < 20, "{timers} timers");
    // An hour later it asks again.
    browser
        .run("const now = Date.now; Date.now = () => now() + 3.7e6; dispatchEvent(new Event('online'))")
        .await;
    emptied(&browser).await;
    assert_eq!(recorder.asked().len(), 2);
    assert_eq!(browser.complaints().await.len(), 1, "the browser names the refused request");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn when_to_come_again_may_be_a_date() {
    let clock = SystemClock::default();
    let seconds = clock.wall().0 / 1_000_000 + 3;
    let at = UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap());
    let date: &'static str = httpdate::fmt_http_date(at).leak();
    let (service, recorder, browser, _site) = recorded([(503, Some(date))]).await;
    browser.run("datafly.track('Only')").await;
    recorder.asked_for(2).await;
    assert!(clock.wall().0 / 1_000_000 >= seconds - 1);
    emptied(&browser).await;
    assert_eq!(browser.complaints().await.len(), 1, "the browser names the refused request");
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_browser_that_is_wrong_about_its_network_is_not_believed_for_long() {
    let (service, recorder, browser, _site) = recorded([]).await;
    browser.run("Object.defineProperty(navigator, 'onLine', {value: false}); datafly.track('First')").await;
    let frames = "window.frames_ = (window.frames_ || 0) + 1; return frames_ > 50";
    browser.eventually("some time has passed", frames).await;
    assert_eq!(recorder.asked().len(), 0);
    browser.run("const now = Date.now; Date.now = () => now() + 31e3; datafly.track('Second')").await;
    assert_eq!(recorder.asked_for(1).await[0].events(), ["First", "Second"]);
    emptied(&browser).await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_request_is_small_enough_to_outlive_its_page() {
    let (service, recorder, browser, _site) = recorded([]).await;
    browser.run("for (let n = 0; n < 150; n++) datafly.track('Big', {text: 'x'.repeat(1000)})").await;
    emptied(&browser).await;
    let asked = recorder.asked();
    assert!(asked.iter().all(|asked| asked.body.len() < 64 * 1024));
    assert_eq!(asked.iter().map(|asked| asked.events().len()).sum::<usize>(), 150);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn the_queue_has_an_end_and_forgets_after_a_day() {
    let (service, recorder, browser, _site) = recorded([(503, Some("600"))]).await;
    browser.run("for (let n = 0; n < 510; n++) datafly.track('Event ' + n)").await;
    recorder.asked_for(1).await;
    browser.eventually("the refusal is heard", HEARD).await;
    assert_eq!(waiting(&browser).await, 500);
    let age =
        "for (const key of Object.keys(localStorage).filter((key) => key.startsWith('freshsignal-event:'))) {
            const event = JSON.parse(localStorage.getItem(key));
            if (Number(event.event.slice(6)) >= 505) continue;
            event.timestamp = new Date(Date.now() - 86400001).toISOString();
            localStorage.setItem(key, JSON.stringify(event));
        }";
    browser.run(age).await;
    browser.reload().await;
    emptied(&browser).await;
    let asked = recorder.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].events(), ["Event 505", "Event 506", "Event 507", "Event 508", "Event 509"]);
    let complaints = browser.complaints().await;
    for why in ["too many events wait", "503", "more than a day ago"] {
        let said = complaints.iter().filter(|complaint| complaint.contains(why)).count();
        assert_eq!(said, 1, "{why}: {complaints:?}");
    }
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn two_tabs_send_every_event_once() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, MANUAL, "").await;
    let first = browser.new_tab().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    // The tabs are busy while the other one is looking for what nobody owns.
    let busy = |name: &str| {
        format!(
            "let n = 0; window.done = false;
             const timer = setInterval(() => {{
                 datafly.track('{name} ' + n);
                 dispatchEvent(new Event('online'));
                 if (++n === 20) {{ clearInterval(timer); window.done = true; }}
             }}, 10);"
        )
    };
    browser.run(&busy("Second")).await;
    browser.switch_to(&first).await;
    browser.run(&busy("First")).await;
    browser.eventually("all calls are made", "return window.done").await;
    let events = arrived(&service, 40).await;
    emptied(&browser).await;
    assert_eq!((events.len(), received_again(&events)), (40, 0));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn what_a_closed_tab_left_is_sent_by_one_of_the_others() {
    let service = Service::start().await;
    let (browser, site) = opened(&service, MANUAL, "").await;
    let first = browser.new_tab().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    let second = browser.new_tab().await;
    let third = browser.tab().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.offline(true).await;
    browser.eventually("the page knows", "return !navigator.onLine").await;
    browser.run("for (let n = 1; n <= 5; n++) datafly.track('Left ' + n)").await;
    browser.switch_to(&first).await;
    // Storage reaches the pages of other tabs a moment later.
    eventually("the other tab sees them", async || match waiting(&browser).await {
        5 => Ok(()),
        seen => Err(format!("{seen} are seen")),
    })
    .await;
    // Alive, it keeps them to itself: a lock asked for after its own tells that those were decided on.
    browser.run("dispatchEvent(new Event('online')); return navigator.locks.request('after', () => 1)").await;
    assert_eq!(waiting(&browser).await, 5);
    browser.switch_to(&third).await;
    browser.close_tab(&first).await;
    eventually("the events are adopted", async || {
        let both = "dispatchEvent(new Event('online'))";
        for tab in [&first, &second] {
            browser.switch_to(tab).await;
            browser.run(both).await;
        }
        let left = waiting(&browser).await;
        if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
    })
    .await;
    let events = arrived(&service, 5).await;
    assert_eq!((events.len(), received_again(&events)), (5, 0));
    browser.close().await;
    service.finish().await;
}
