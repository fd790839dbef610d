//! Consent on a page: by call, by the consent tools that sites have, and by the browser's own signal.

use serde_json::{Value, json};

use super::shop::{arrived, emptied, events, loaded, opened};
use crate::support::app::{Service, Setup};
use crate::support::browser::Browser;

const MANUAL: &str = "data-auto-page=false";
const ANN: &str = "ann@example.com";

/// What the events say about consent, those that say nothing left out.
async fn said(service: &Service) -> Vec<Value> {
    let said = |event: &Value| event["raw"]["context"]["consent"]["categoryPreferences"].clone();
    events(service).await.iter().map(said).filter(|said| !said.is_null()).collect()
}

/// Sends an event and waits for it, so that whatever was said before has arrived as well.
async fn mark(service: &Service, browser: &Browser, name: &str) {
    browser.run(&format!("datafly.track('{name}')")).await;
    emptied(browser).await;
    service.processed().await;
}

#[tokio::test]
async fn a_choice_by_call_is_an_identify_without_traits() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, "").await;
    browser.run("datafly.identify('u1', {email: 'ann@example.com', name: 'Ann Lee'})").await;
    browser.run("datafly.track('Signed Up'); datafly.consent({marketing: true});").await;
    let events = arrived(&service, 3).await;
    let event = &events[2]["raw"];
    assert_eq!((&event["type"], event.get("traits")), (&json!("identify"), None));
    assert_eq!(event["context"]["consent"], json!({"categoryPreferences": {"marketing": true}}));
    service.settled().await;
    assert_eq!(service.crm.contact(ANN).unwrap()["subscription_status"], json!("subscribed"));
    browser.run("datafly.consent({marketing: false})").await;
    arrived(&service, 4).await;
    service.settled().await;
    assert_eq!(service.crm.contact(ANN).unwrap()["subscription_status"], json!("unsubscribed"));
    // Said again it is a statement again: meanwhile it may have been withdrawn elsewhere.
    browser.run("datafly.consent({marketing: false})").await;
    arrived(&service, 5).await;
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn google_consent_mode_speaks_on_update_and_not_by_default() {
    let service = Service::start().await;
    let gtag = "window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments); }
        gtag('js', new Date()); gtag('consent', 'default', {ad_storage: 'denied', wait_for_update: 500});";
    let (browser, site) = opened(&service, MANUAL, gtag).await;
    mark(&service, &browser, "Before").await;
    assert_eq!(said(&service).await, Vec::<Value>::new());

    let update =
        "gtag('consent', 'update', {ad_storage: 'granted', analytics_storage: 'denied', region: 'x'});
        dataLayer.push({event: 'other'}); return dataLayer.length";
    assert_eq!(browser.run(update).await, json!(4), "whoever else listens gets everything");
    mark(&service, &browser, "After").await;
    let choice = json!({"ad_storage": true, "analytics_storage": false});
    assert_eq!(said(&service).await, std::slice::from_ref(&choice));

    // A tool says on every page what it knows; only what is new is a statement.
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.run("gtag('consent', 'update', {ad_storage: 'granted', analytics_storage: 'denied'})").await;
    browser.run("gtag('consent', 'update', {ad_storage: 'denied'})").await;
    mark(&service, &browser, "Withdrawn").await;
    assert_eq!(said(&service).await, [choice, json!({"ad_storage": false})]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_data_layer_that_the_page_makes_later_is_heard_too() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, "").await;
    browser
        .run("window.dataLayer = [{event: 'gtm.js'}, ['consent', 'update', {ad_storage: 'granted'}]]")
        .await;
    arrived(&service, 1).await;
    browser.run("dataLayer.push(['consent', 'update', {ad_storage: 'denied'}])").await;
    arrived(&service, 2).await;
    assert_eq!(said(&service).await, [json!({"ad_storage": true}), json!({"ad_storage": false})]);
    browser.close().await;
    service.finish().await;
}

/// What a page with the consent tool of `OneTrust` has, reduced to what the tag touches.
const ONETRUST: &str = "
    window.OnetrustActiveGroups = ',C0001,';
    window.boxClosed = false;
    window.OneTrust = {
        IsAlertBoxClosed: () => boxClosed,
        GetDomainData: () => ({Groups: ['C0001', 'C0002', 'C0004'].map((CustomGroupId) => ({CustomGroupId}))}),
    };
    window.choose = (groups) => {
        boxClosed = true;
        OnetrustActiveGroups = groups;
        dispatchEvent(new CustomEvent('OneTrustGroupsUpdated', {detail: groups.split(',')}));
    };
    dispatchEvent(new CustomEvent('OneTrustGroupsUpdated', {detail: ['C0001']}));";

#[tokio::test]
async fn onetrust_speaks_once_its_box_is_closed() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, ONETRUST).await;
    browser.run("dispatchEvent(new CustomEvent('OneTrustGroupsUpdated', {detail: ['C0001']}))").await;
    mark(&service, &browser, "Before").await;
    assert_eq!(said(&service).await, Vec::<Value>::new());
    browser.run("choose(',C0001,C0004,')").await;
    mark(&service, &browser, "After").await;
    browser.run("choose(',C0001,')").await;
    mark(&service, &browser, "Withdrawn").await;
    let first = json!({"C0001": true, "C0002": false, "C0004": true});
    assert_eq!(said(&service).await, [first, json!({"C0004": false})]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn onetrust_with_a_choice_of_an_earlier_visit_speaks_at_load() {
    let service = Service::start().await;
    let earlier = format!("{ONETRUST} choose(',C0001,C0002,C0004,');");
    let (browser, _site) = opened(&service, MANUAL, &earlier).await;
    mark(&service, &browser, "After").await;
    assert_eq!(said(&service).await, [json!({"C0001": true, "C0002": true, "C0004": true})]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn cookiebot_speaks_once_the_visitor_answered() {
    let service = Service::start().await;
    let cookiebot = "
        window.Cookiebot = {hasResponse: false, consent: {necessary: true, preferences: false, statistics: false, marketing: false, method: null}};
        window.answer = (choice, method) => {
            Cookiebot.hasResponse = true;
            Object.assign(Cookiebot.consent, choice, {method});
            dispatchEvent(new Event('CookiebotOnConsentReady'));
            dispatchEvent(new Event(choice.marketing ? 'CookiebotOnAccept' : 'CookiebotOnDecline'));
        };";
    let (browser, _site) = opened(&service, MANUAL, cookiebot).await;
    browser.run("dispatchEvent(new Event('CookiebotOnConsentReady'))").await;
    browser.run("answer({marketing: true}, 'implied')").await;
    mark(&service, &browser, "Before").await;
    assert_eq!(said(&service).await, Vec::<Value>::new());
    browser.run("answer({statistics: true, marketing: true}, 'explicit')").await;
    mark(&service, &browser, "After").await;
    browser.run("answer({marketing: false}, 'explicit')").await;
    mark(&service, &browser, "Withdrawn").await;
    let first = json!({"preferences": false, "statistics": true, "marketing": true});
    assert_eq!(said(&service).await, [first, json!({"marketing": false})]);
    browser.close().await;
    service.finish().await;
}

/// A consent tool of the IAB's framework that appears a moment after the tag.
const TCF: &str = "
    window.listeners = [];
    window.tell = (eventStatus, consents, gdprApplies = true) => {
        const data = {gdprApplies, eventStatus, purpose: {consents}};
        listeners.forEach((listener) => listener(data, true));
    };
    window.appear = () => {
        window.__tcfapi = (command, version, listener) => {
            if (command !== 'addEventListener' || version !== 2) throw new Error(command);
            listeners.push(listener);
            listener({gdprApplies: true, eventStatus: 'cmpuishown', purpose: {consents: {}}}, true);
        };
    };";

#[tokio::test]
async fn tcf_speaks_when_the_visitor_acted_and_where_the_law_applies() {
    let service = Service::start().await;
    let (browser, _site) = opened(&service, MANUAL, TCF).await;
    browser.run("appear()").await;
    browser.eventually("the tag listens", "return listeners.length").await;
    browser.run("tell('tcloaded', {1: true, 3: true, 4: true}, false)").await;
    mark(&service, &browser, "Before").await;
    assert_eq!(said(&service).await, Vec::<Value>::new());
    browser.run("tell('useractioncomplete', {1: true, 3: true, 4: true})").await;
    mark(&service, &browser, "After").await;
    browser.run("tell('tcloaded', {1: true, 3: true, 4: true})").await;
    browser.run("tell('useractioncomplete', {1: true, 3: true, 4: false})").await;
    mark(&service, &browser, "Withdrawn").await;
    let first = json!({"tcf_1": true, "tcf_3": true, "tcf_4": true, "advertising": true});
    assert_eq!(said(&service).await, [first, json!({"tcf_4": false, "advertising": false})]);
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn a_page_may_choose_the_tools_that_count() {
    let service = Service::start().await;
    let both = format!(
        "{ONETRUST} choose(',C0001,'); window.dataLayer = [['consent', 'update', {{ad_storage: 'granted'}}]];"
    );
    let (browser, _site) = opened(&service, "data-auto-page=false data-consent-tools=google", &both).await;
    mark(&service, &browser, "After").await;
    assert_eq!(said(&service).await, [json!({"ad_storage": true})]);
    browser.close().await;
    service.finish().await;

    let service = Service::start().await;
    let (browser, _site) = opened(&service, "data-auto-page=false data-consent-tools=''", &both).await;
    mark(&service, &browser, "After").await;
    assert_eq!(said(&service).await, Vec::<Value>::new());
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn global_privacy_control_shuts_a_required_gate_until_the_visitor_chooses() {
    let service = Setup::new().with("CONSENT__REQUIRED", "marketing").start().await;
    let signal =
        "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true, configurable: true});";
    let (browser, _site) = opened(&service, MANUAL, signal).await;
    browser.run("datafly.identify('u1', {email: 'ann@example.com', name: 'Ann Lee'})").await;
    mark(&service, &browser, "Signed Up").await;
    let sent = events(&service).await;
    assert_eq!(sent[1]["outcome"], json!("consent_denied"));
    assert!(sent.iter().all(|event| event["raw"]["context"]["globalPrivacyControl"] == json!(true)));
    assert_eq!(said(&service).await, Vec::<Value>::new());

    // A choice made with the signal on answers the signal.
    browser.run("datafly.consent({marketing: true})").await;
    mark(&service, &browser, "Logged In").await;
    service.settled().await;
    let sent = events(&service).await;
    assert_eq!(sent[3]["raw"]["context"].get("globalPrivacyControl"), None);
    assert_eq!(service.crm.contact(ANN).unwrap()["subscription_status"], json!("subscribed"));
    browser.close().await;
    service.finish().await;
}

#[tokio::test]
async fn the_signal_alone_never_writes_a_status() {
    let service = Service::start().await;
    let signal = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true});";
    let (browser, _site) = opened(&service, MANUAL, signal).await;
    browser.run("datafly.identify('u1', {email: 'ann@example.com', name: 'Ann Lee'})").await;
    mark(&service, &browser, "Signed Up").await;
    service.settled().await;
    assert_eq!(
        service.crm.body(0),
        r#"{"unique_identifier":{"emails":"ann@example.com"},"contact":{"emails":"ann@example.com","first_name":"Ann","last_name":"Lee"}}"#
    );
    browser.close().await;
    service.finish().await;
}
